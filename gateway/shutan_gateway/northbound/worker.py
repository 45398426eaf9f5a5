"""The sending thread of a northbound connection: works, waits, says what is wrong once, and never ends by itself."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from shutan_gateway.errors import RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.counters import Counters

__all__ = ["Worker"]

log = logging.getLogger("shutan.northbound")

_PAUSE_S = 5.0


class Worker:
    """`work` does what is due and returns how long to wait (s); it raises RetryLater when the other side is away."""

    def __init__(self, name: str, work: Callable[[], float], counters: Counters) -> None:
        self._name = name
        self._work = work
        self._counters = counters
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._said = ""

    @property
    def ending(self) -> bool:
        """Whether the thread was asked to end; long work looks at it."""
        return self._ending.is_set()

    def start(self) -> None:
        """Start the thread, once."""
        if self._thread is None:
            self._ending.clear()
            self._thread = threading.Thread(target=self._run, name=f"north-{self._name}", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """There is something to do now."""
        self._wake.set()

    def stop(self) -> None:
        """Ask the thread to end and wait for it."""
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10.0)
            self._thread = None

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.clear()
            try:
                wait_s = self._work()
                self._say("")
            except RetryLater as error:
                wait_s = error.retry_after_s or _PAUSE_S
                self._say(str(error))
            except Exception as error:  # noqa: BLE001 - the thread's top level: said, counted, and it goes on
                wait_s = _PAUSE_S
                self._counters.inc("shutan_thread_restarts_total", thread=f"north-{self._name}")
                log.error("store %s: sending failed: %r; tried again", self._name, error)  # noqa: TRY400 - one line
            self._wake.wait(wait_s)

    def _say(self, trouble: str) -> None:
        """One line when the other side goes, one when it is back."""
        if trouble and not self._said:
            log.warning("store %s: nothing is sent now, it is kept: %s", self._name, trouble)
        elif self._said and not trouble:
            log.warning("store %s: sending again", self._name)
        self._said = trouble
