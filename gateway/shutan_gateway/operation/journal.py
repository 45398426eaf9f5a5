r"""Log with fields: to the systemd journal by its native protocol where stderr is the journal, else lines on stderr.

What a line is about becomes fields: the name behind `store %s`, `bus %s`, `node %s/%s` (site and node) and a few more
words of its format, and all of its `extra`. So `journalctl SHUTAN_STORE=local` finds all about a store.
Protocol: systemd's "Journal native protocol": one datagram, `KEY=value\n` each, or `KEY\n`, the length as 64 bit
little endian, the value and `\n` for values with line breaks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Calm", "JournalHandler", "fields_of", "set_up_logging", "stderr_is_journal", "told_fields"]

SOCKET = "/run/systemd/journal/socket"
_VALUE_BYTES = 48_000  # a datagram of a Unix socket holds about 200 kB; longer texts are cut
_FIELDS = 24
_OWN = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"message", "asctime", "taskName"}
_PLACEHOLDER = re.compile(r"(?:\b(\w+) )?(%[^%a-zA-Z]*[a-zA-Z](/%s)?)")
_ABOUT = {"store", "bus", "meter", "adapter", "broker", "mirror", "notify", "source"}
_PRIORITY = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))  # syslog(3)


def stderr_is_journal() -> bool:
    """Whether JOURNAL_STREAM (systemd.exec(5)) names the file that stderr is: device and inode."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))


def told_fields(record: logging.LogRecord) -> dict[str, str]:
    """What the format of a line names: "store %s: ..." has the field store."""
    found: dict[str, str] = {}
    values = record.args if isinstance(record.args, tuple) else ()
    at = 0
    for match in _PLACEHOLDER.finditer(str(record.msg).replace("%%", "")):
        word, pair = match[1], match[3] is not None
        if word == "node" and pair and at + 1 < len(values):
            found["SHUTAN_SITE"], found["SHUTAN_NODE"] = str(values[at]), str(values[at + 1])
        elif word in _ABOUT and at < len(values):
            found[f"SHUTAN_{word.upper()}"] = str(values[at])
        at += 2 if pair else 1
    return found


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    """What a record carries as `extra`, as SHUTAN_<NAME>: value; bounded in number."""
    found: dict[str, str] = {}
    for name, value in record.__dict__.items():
        key = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in name).upper()
        if name not in _OWN and isinstance(value, str | int | float) and len(found) < _FIELDS:
            found[f"SHUTAN_{key}"] = str(value)
    return found


def datagram(record: logging.LogRecord) -> bytes:
    """One journal entry."""
    message = record.getMessage()
    if record.exc_info:
        message += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
    priority = next((number for level, number in _PRIORITY if record.levelno >= level), 7)
    fields = {
        "MESSAGE": message,
        "PRIORITY": str(priority),
        "SYSLOG_IDENTIFIER": "shutan",
        "LOGGER": str(record.name),
        "THREAD_NAME": record.threadName or "",
        "CODE_FILE": record.pathname,
        "CODE_LINE": str(record.lineno),
        **told_fields(record),
        **fields_of(record),
    }
    return b"".join(_field(key, value) for key, value in fields.items())


def _field(key: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")[:_VALUE_BYTES]
    if b"\n" in data:
        return key.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
    return key.encode() + b"=" + data + b"\n"


class Calm(logging.Filter):
    """Of good news of one kind, lets through the first in each interval and tells how many more there were.

    A kind is a format, as "node %s/%s: online": a thousand nodes that come back at once are 20 lines and one with their
    number. Warnings and errors always pass; which nodes are online is on /nodes. most: lines of a kind in an interval.
    """

    def __init__(self, tell: Callable[[logging.LogRecord], object], most: int = 20, interval_s: float = 10.0) -> None:
        """tell: takes the record of a summary, from a thread of its own."""
        super().__init__()
        self._tell = tell
        self._most = most
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._began_s = 0.0
        self._closed = False
        self._seen: dict[str, tuple[int, str]] = {}  # format -> (how often, logger); of this interval
        self._timer: threading.Timer | None = None  # a summary will come

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record goes on."""
        if record.levelno > logging.INFO or hasattr(record, "summary_of"):
            return True
        with self._lock:
            now_s = time.monotonic()
            if self._timer is None and now_s - self._began_s >= self._interval_s:
                self._began_s = now_s
                self._seen.clear()
            kind = str(record.msg)
            count = self._seen.get(kind, (0, ""))[0] + 1
            self._seen[kind] = (count, record.name)
            if count <= self._most or self._closed:
                return True
            if self._timer is None:
                self._timer = threading.Timer(self._began_s + self._interval_s - now_s, self._end_interval)
                self._timer.daemon = True
                self._timer.start()
            return False

    def close(self) -> None:
        """Tell what was counted so far; whatever comes now goes on."""
        with self._lock:
            self._closed = True
            timer = self._timer
        if timer is not None:
            timer.cancel()
            timer.join(1)
            self._end_interval()

    def _end_interval(self) -> None:
        with self._lock:
            self._timer = None
            self._began_s = time.monotonic()
            seen, self._seen = self._seen, {}
        for kind, (count, name) in seen.items():
            if count > self._most:
                facts = (_PLACEHOLDER.sub(_without_value, kind), count - self._most, self._interval_s)
                record = logging.LogRecord(name, logging.INFO, __file__, 0, "%s: %d more within %.0f s", facts, None)
                record.__dict__["summary_of"] = kind
                self._tell(record)


class _Calmed(logging.Handler):
    """A handler whose summaries come before it closes."""

    def close(self) -> None:
        """Tell what Calm has counted, then close."""
        for calm in self.filters:
            if isinstance(calm, Calm):
                calm.close()
        super().close()


class _Stream(_Calmed, logging.StreamHandler[TextIO]):
    """Lines on a stream."""


class JournalHandler(_Calmed):
    """Sends each record to the journal; when it does not take one, the record goes to stderr."""

    def __init__(self, place: str = SOCKET) -> None:
        super().__init__()
        self._place = place
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(1)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        try:
            self._socket.sendto(datagram(record), self._place)
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"{record.levelname} {record.name}: {record.getMessage()}\n")

    def close(self) -> None:
        """Close the socket."""
        super().close()
        self._socket.close()


def _without_value(match: re.Match[str]) -> str:
    """The word before a placeholder, and dots for the value."""
    return f"{match[1]} ..." if match[1] else "..."


class _Lines(logging.Formatter):
    """Time, level, logger, text, and the fields as key=value behind it."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key[7:].lower()}={value}" for key, value in fields_of(record).items())
        return super().format(record) + (f" [{fields}]" if fields else "")


def set_up_logging(level: int = logging.INFO, place: str = SOCKET) -> logging.Handler:
    """Give the root logger its one handler: the journal where stderr is it, else lines on stderr."""
    handler: logging.Handler
    if stderr_is_journal() and os.path.exists(place):  # noqa: PTH110 - no pathlib on the start path
        handler = JournalHandler(place)
    else:
        handler = _Stream(sys.stderr)
        handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Calm(handler.handle))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    return handler
