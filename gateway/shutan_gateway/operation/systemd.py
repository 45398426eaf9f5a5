"""What the service tells systemd: ready, stopping, one line of status, and that its threads still move.

The protocol is sd_notify(3): datagrams `KEY=VALUE` to the socket that NOTIFY_SOCKET names (`@` = the abstract name
space). Without systemd every call does nothing. The watchdog (WatchdogSec= of the unit, WATCHDOG_USEC here) is fed only
while every thread that reports a pulse has done so within its limit: a thread that hangs gets the service restarted.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pulses", "Watchdog", "notify", "ready", "status", "stopping", "watchdog", "watchdog_interval_s"]

log = logging.getLogger("shutan.systemd")

_FEEDS_PER_LIMIT = 3


def notify(*lines: str) -> bool:
    """Send lines `KEY=VALUE` in one datagram; False without systemd or when its socket does not take them."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return False
    address = "\0" + place[1:] if place.startswith("@") else place
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(1)
            sender.sendto("\n".join(lines).encode(), address)
    except OSError as error:
        log.warning("systemd does not hear: %s", error)
        return False
    return True


def ready(text: str = "") -> bool:
    """Start-up is over (Type=notify); `text` is shown by `systemctl status`."""
    return notify("READY=1", *([f"STATUS={_line(text)}"] if text else []))


def stopping() -> bool:
    """The end has begun."""
    return notify("STOPPING=1")


def status(text: str) -> bool:
    """One line for `systemctl status`."""
    return notify(f"STATUS={_line(text)}")


def watchdog() -> bool:
    """Still alive."""
    return notify("WATCHDOG=1")


def watchdog_interval_s() -> float | None:
    """How often the watchdog wants to be fed at least; None when this process has none (sd_watchdog_enabled(3))."""
    try:
        limit_us = int(os.environ.get("WATCHDOG_USEC", ""))
        process = int(os.environ.get("WATCHDOG_PID") or os.getpid())
    except ValueError:
        return None
    return limit_us / 1e6 if limit_us > 0 and process == os.getpid() else None


def _line(text: str) -> str:
    return " ".join(text.split())


class Pulses:
    """When each thread last went round. `beat` may be called from any thread: one dictionary entry, no lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limits: dict[str, float] = {}
        self._seen: dict[str, float] = {}

    def watch(self, name: str, limit_s: float) -> Callable[[], None]:
        """A thread from now on; returns the function that it calls at least every `limit_s`."""
        self._seen[name] = self._clock()
        self._limits[name] = limit_s
        return lambda: self.beat(name)

    def beat(self, name: str) -> None:
        """The thread goes round."""
        self._seen[name] = self._clock()

    def clear(self) -> None:
        """No thread is expected to go round any more."""
        self._limits.clear()

    def late(self) -> list[str]:
        """Threads that have not gone round within their limit."""
        now_s = self._clock()
        return [name for name, limit_s in list(self._limits.items()) if now_s - self._seen[name] > limit_s]


class Watchdog:
    """Feeds systemd's watchdog from a thread of its own while nothing is `late`; without a watchdog it does nothing."""

    def __init__(self, late: Callable[[], list[str]]) -> None:
        self._names_late = late
        self._stop = threading.Event()
        self._late: list[str] = []
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start feeding, if systemd asked for it."""
        interval_s = watchdog_interval_s()
        if interval_s is not None and self._thread is None:
            pause_s = interval_s / _FEEDS_PER_LIMIT
            self._thread = threading.Thread(target=self._run, args=(pause_s,), name="shutan-watchdog", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop feeding."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2)

    def feed(self) -> bool:
        """Feed once unless a thread is late; says so once on each change."""
        late = self._names_late()
        if late != self._late:
            if late:
                log.error("no progress of: %s; systemd is not told that all is well any more", ", ".join(late))
            else:
                log.warning("all threads go on again")
            self._late = late
        if late:
            status(f"no progress of: {', '.join(late)}")
            return False
        return watchdog()

    def _run(self, pause_s: float) -> None:
        self.feed()
        while not self._stop.wait(pause_s):
            self.feed()
