"""A process that gets only a share of a processor: stopped and continued in turns, which needs no cgroup."""

import os
import signal
import threading
import time
from typing import Self

PERIOD_S = 0.05


class Throttle:
    """A thread that lets a process run for `share` of every 50 ms."""

    def __init__(self, pid: int, share: float) -> None:
        self._pid = pid
        self._share = share
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            os.kill(self._pid, signal.SIGCONT)
            time.sleep(PERIOD_S * self._share)
            os.kill(self._pid, signal.SIGSTOP)
            self._stop.wait(PERIOD_S * (1 - self._share))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join(10)
        os.kill(self._pid, signal.SIGCONT)
