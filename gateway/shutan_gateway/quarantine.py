"""Quarantine: malformed input kept for a person to look at, with the reason and the bytes, bounded in every direction.

    data_dir/quarantine/00000042.q     one line of JSON (`Item`), its end, then the bytes

A payload above `payload_bytes` is cut; its full length and SHA-256 are noted. When the folder is full, the oldest goes.
A flood of one kind is thinned out, so that it neither wears out the disk nor pushes out everything else. Nothing is
synced: after a power cut the newest files may be damaged, and a damaged file is told as such.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from shutan_gateway.errors import GatewayError
from shutan_gateway.supervise import Supervised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shutan_gateway.counters import Counters

__all__ = ["FOLDER", "Item", "Limits", "Quarantine", "QuarantineError", "items", "load"]

log = logging.getLogger("shutan.quarantine")

FOLDER = "quarantine"  # below gateway.data_dir
_SUFFIX = ".q"
_HEAD_BYTES = 32_768  # above the longest first line: its texts are cut below
_TOPIC_CHARS = 1_024
_DETAIL_CHARS = 500
_WORD_CHARS = 64
_KINDS = 512  # (source, reason) pairs whose rate is watched


class QuarantineError(GatewayError):
    """An item that is not there or cannot be read; one line for a person."""


class Limits(NamedTuple):
    """Bounds: bytes and files of the folder, bytes of one payload, what waits for the disk, rate of one kind."""

    total_bytes: int = 64_000_000
    files: int = 2_000
    payload_bytes: int = 65_536
    queue_items: int = 256
    queue_bytes: int = 8_000_000
    burst: int = 100  # of one source and reason at once,
    per_s: float = 2.0  # and from then on


class Item(NamedTuple):
    """One kept input. length: of the whole input in bytes; kept: how many of them are here; sha256: of the whole."""

    number: int
    received_ms: int
    source: str
    reason: str
    detail: str
    topic: str
    length: int
    kept: int
    sha256: str
    crc32: int


class _Waiting(NamedTuple):
    source: str
    reason: str
    detail: str
    raw: bytes
    topic: str
    received_ms: int


class _Bucket:
    """Token bucket of one kind."""

    __slots__ = ("seen_s", "tokens")

    def __init__(self, tokens: float, seen_s: float) -> None:
        self.tokens = tokens
        self.seen_s = seen_s


class Quarantine:
    """The folder of one gateway. `keep` may be called by any thread, costs microseconds and never raises."""

    def __init__(self, folder: Path, counters: Counters, limits: Limits | None = None) -> None:
        """Touch nothing yet: the folder and the writing thread come with the first item."""
        self._folder = folder
        self._counters = counters
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._writing = False
        self._ended = threading.Event()
        self._thread: Supervised | None = None
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._sizes: deque[tuple[Path, int]] | None = None  # oldest first; None: the folder was not read yet
        self._bytes = 0
        self._next = 1
        self._disk_fails = False

    def keep(self, source: str, reason: str, detail: str, raw: bytes, *, topic: str = "", received_ms: int = 0) -> None:
        """Keep one refused input. reason: name of its class, the label of shutan_rejected_total; received_ms: UTC."""
        waiting = _Waiting(source, reason, detail, raw, topic, received_ms or time.time_ns() // 1_000_000)
        limits = self._limits
        with self._changed:
            if not self._within_rate(source, reason):
                cause = "rate"
            elif self._ended.is_set() or (
                self._queue
                and (len(self._queue) >= limits.queue_items or self._queued_bytes + len(raw) > limits.queue_bytes)
            ):
                cause = "queue"
            else:
                self._queue.append(waiting)
                self._queued_bytes += len(raw)
                self._start()
                self._changed.notify_all()
                return
        self._counters.inc("shutan_quarantine_dropped_total", cause=cause)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was given is in the folder; False when the time is over first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._writing, timeout_s)

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what waits, in bounded time; what comes later is counted as dropped."""
        with self._changed:
            self._ended.set()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _within_rate(self, source: str, reason: str) -> bool:
        now_s = time.monotonic()
        key = (source, reason)
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _KINDS:
                self._buckets.clear()
            bucket = self._buckets[key] = _Bucket(self._limits.burst, now_s)
        gained = (now_s - bucket.seen_s) * self._limits.per_s
        bucket.tokens = min(float(self._limits.burst), bucket.tokens + gained)
        bucket.seen_s = now_s
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Supervised(
                "quarantine", self._run, counters=self._counters, stop=self._ended, give_up=self._give_up
            )
            self._thread.start()

    def _give_up(self, _name: str) -> None:
        """The thread failed again and again: everything is dropped and counted, the gateway goes on."""
        with self._changed:
            self._ended.set()
            lost = len(self._queue)
            self._queue.clear()
            self._writing = False
            self._changed.notify_all()
        self._counters.inc("shutan_quarantine_dropped_total", lost, cause="queue")

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                while not self._queue:
                    if self._ended.is_set():
                        return
                    self._changed.wait()
                waiting = self._queue.popleft()
                self._queued_bytes -= len(waiting.raw)
                self._writing = True
            try:
                self._write(waiting)
            except OSError as error:
                self._counters.inc("shutan_quarantine_dropped_total", cause="disk")
                if not self._disk_fails:
                    log.warning("quarantine %s: %s; refused input is counted only", self._folder, error.strerror)
                self._disk_fails = True
                self._sizes = None  # somebody may have removed the folder
            else:
                self._counters.inc("shutan_quarantine_total", reason=waiting.reason)
                self._disk_fails = False

    def _write(self, waiting: _Waiting) -> None:
        """One file, whole or not at all as far as other processes see. Raises OSError."""
        sizes = self._sizes if self._sizes is not None else self._read_folder()
        data = _encode(self._next, waiting, self._limits.payload_bytes)
        while sizes and (len(sizes) >= self._limits.files or self._bytes + len(data) > self._limits.total_bytes):
            path, size = sizes.popleft()
            self._bytes -= size
            path.unlink(missing_ok=True)
            self._counters.inc("shutan_quarantine_dropped_total", cause="oldest")
        path = self._folder / f"{self._next:08d}{_SUFFIX}"
        part = path.with_suffix(".part")
        try:
            part.write_bytes(data)
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        self._next += 1
        sizes.append((path, len(data)))
        self._bytes += len(data)

    def _read_folder(self) -> deque[tuple[Path, int]]:
        """What an earlier process left, whatever state it is in."""
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        found: list[tuple[Path, int]] = []
        for path in _paths(self._folder):
            with contextlib.suppress(OSError):
                found.append((path, path.stat().st_size))
        self._sizes = deque(found)
        self._bytes = sum(size for _, size in found)
        self._next = int(found[-1][0].stem) + 1 if found else 1
        return self._sizes


def _encode(number: int, waiting: _Waiting, most: int) -> bytes:
    raw = waiting.raw[:most]
    item = Item(
        number,
        waiting.received_ms,
        waiting.source[:_WORD_CHARS],
        waiting.reason[:_WORD_CHARS],
        waiting.detail[:_DETAIL_CHARS],
        waiting.topic[:_TOPIC_CHARS],
        len(waiting.raw),
        len(raw),
        hashlib.sha256(waiting.raw).hexdigest(),
        crc32(raw),
    )
    return json.dumps(item._asdict()).encode() + b"\n" + raw


def _paths(folder: Path) -> list[Path]:
    """Files of a quarantine, oldest first; others are none of ours."""
    with contextlib.suppress(OSError):
        own = [path for path in folder.iterdir() if path.suffix == _SUFFIX and path.stem.isdecimal()]
        return sorted(own, key=lambda path: int(path.stem))
    return []


def items(folder: Path) -> Iterator[Item | QuarantineError]:
    """Every item of a quarantine folder, oldest first; a damaged one as the error that names it."""
    for path in _paths(folder):
        try:
            yield _head(path)[0]
        except QuarantineError as error:
            yield error


def load(folder: Path, number: int) -> tuple[Item, bytes]:
    """One item with its bytes. Raises QuarantineError."""
    path = folder / f"{number:08d}{_SUFFIX}"
    item, raw_at = _head(path)
    try:
        raw = path.read_bytes()[raw_at:]
    except OSError as error:
        raise QuarantineError(f"{path}: {error.strerror}") from error
    if len(raw) != item.kept or crc32(raw) != item.crc32:
        raise QuarantineError(f"{path}: damaged: {len(raw)} bytes found, {item.kept} were kept; delete the file")
    return item, raw


def _head(path: Path) -> tuple[Item, int]:
    """Item of a file and where its bytes begin. Raises QuarantineError."""
    try:
        with path.open("rb") as file:
            line = file.readline(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise QuarantineError(f"{path}: there is no such item; `shutan quarantine list` shows all") from error
    except OSError as error:
        raise QuarantineError(f"{path}: {error.strerror}") from error
    try:
        tree = json.loads(line)
        item = Item(
            int(tree["number"]),
            int(tree["received_ms"]),
            str(tree["source"]),
            str(tree["reason"]),
            str(tree["detail"]),
            str(tree["topic"]),
            int(tree["length"]),
            int(tree["kept"]),
            str(tree["sha256"]),
            int(tree["crc32"]),
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise QuarantineError(f"{path}: damaged, its first line is no item; delete the file") from error
    return item, len(line)
