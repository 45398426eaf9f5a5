"""Kills gateway, broker and nodes at random moments, so that the three zeros mean something."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from shutan_demo.errors import PartFailedError
from shutan_demo.parts import Part, wait_until

CALM_START_S = 8.0  # every node has been born once: a kill before that tests the start, not the promise
CALM_END_SHARE = 0.85  # the last kill leaves time to come back before the count
LEAST_KILLS = 6
MEAN_GAP_S = 10.0
NODE_LIMIT_S = 5.0


def _killed(pid_file: Path) -> bool:
    """SIGKILL the node; False while it is between two lives. Its supervisor starts it again."""
    try:
        os.kill(int(pid_file.read_text(encoding="utf-8")), signal.SIGKILL)
    except (OSError, ValueError):
        return False
    return True


class Chaos(threading.Thread):
    """SIGKILL at random moments; each victim is started again after a random pause.

    The first three kills take one of each kind; after that the kind is drawn.
    """

    def __init__(
        self, *, gateway: Part, broker: Part, nodes: Path, names: Sequence[str], duration_s: float, seed: int
    ) -> None:
        super().__init__(name="chaos", daemon=True)
        self._parts = {"gateway": gateway, "broker": broker}
        self._nodes = nodes
        self._names = names
        self._random = random.Random(seed)  # noqa: S311 - a repeatable schedule, not a secret
        self._times = self._plan(duration_s)
        self._halt = threading.Event()
        self.kills: Counter[str] = Counter()
        self.failure: PartFailedError | None = None

    def _plan(self, duration_s: float) -> list[float]:
        first, last = CALM_START_S, duration_s * CALM_END_SHARE
        count = max(LEAST_KILLS, int((last - first) / MEAN_GAP_S))
        slot = (last - first) / count
        return [first + slot * (i + self._random.random() * 0.8) for i in range(count)]

    def run(self) -> None:
        """Kill on schedule until the plan ends or ``halt`` is called."""
        begin = time.monotonic()
        order = ["gateway", "broker", "node"]
        for at in self._times:
            if self._halt.wait(max(0.0, begin + at - time.monotonic())):
                return
            kind = order.pop(0) if order else self._random.choice(["gateway", "broker", "node"])
            try:
                self._kill(kind)
            except PartFailedError as error:
                self.failure = error
                return

    def _kill(self, kind: str) -> None:
        if kind == "node":
            pid_file = self._nodes / self._random.choice(self._names) / "pid"
            if not wait_until(lambda: _killed(pid_file), NODE_LIMIT_S):
                return
        else:
            part = self._parts[kind]
            part.kill()
            self._halt.wait(self._random.uniform(0.0, 3.0))
            part.start()
        self.kills[kind] += 1

    def halt(self) -> None:
        """Stop killing and wait until the last victim is back."""
        self._halt.set()
        self.join()
