"""Threads that do not die in silence: an unexpected error is one log line, a counter and a bounded restart."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.counters import Counters

__all__ = ["Supervised"]

log = logging.getLogger("shutan.thread")

_RESTARTS = 5
_WITHIN_S = 60.0
_PAUSE_S = 0.5


class Supervised:
    """Runs `work` in a thread; it ends when `work` returns, or when it failed too often, which calls `give_up`."""

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        *,
        counters: Counters,
        stop: threading.Event,
        give_up: Callable[[str], None],
    ) -> None:
        self.name = name
        self._work = work
        self._counters = counters
        self._stop = stop
        self._give_up = give_up
        self._failures: deque[float] = deque()
        self._thread = threading.Thread(target=self._run, name=f"shutan-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False when the time is over first. A thread that was never started has ended."""
        if self._thread.ident is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - the top level of a thread: logged, counted, bounded
                if not self._may_restart(error):
                    return
            else:
                return
            if self._stop.wait(_PAUSE_S):
                return

    def _may_restart(self, error: Exception) -> bool:
        self._counters.inc("shutan_thread_restarts_total", thread=self.name)
        now_s = time.monotonic()
        self._failures.append(now_s)
        while self._failures[0] < now_s - _WITHIN_S:
            self._failures.popleft()
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
        if len(self._failures) > _RESTARTS:
            log.error("%s failed %d times in a minute, last at %s: %r", self.name, len(self._failures), where, error)
            self._give_up(self.name)
            return False
        log.error("%s failed at %s: %r; started again", self.name, where, error)
        return True
