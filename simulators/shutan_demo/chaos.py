"""Kills gateway, broker and nodes at random moments, so that the three zeros mean something.

No thread of its own: the kernel ends a child when the *thread* that started it ends (``PR_SET_PDEATHSIG``), so victims
are started again by the thread that outlives them all.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from shutan_demo.parts import Part, wait_until

CALM_START_S = 8.0  # every node has been born once: a kill before that tests the start, not the promise
CALM_END_SHARE = 0.85  # the last kill leaves time to come back before the count
LEAST_KILLS = 6
MEAN_GAP_S = 10.0
LONGEST_DOWN_S = 3.0
NODE_LIMIT_S = 5.0
KINDS = ("gateway", "broker", "node")


def _killed(pid_file: Path) -> bool:
    """SIGKILL the node; False while it is between two lives. Its supervisor starts it again."""
    try:
        os.kill(int(pid_file.read_text(encoding="utf-8")), signal.SIGKILL)
    except (OSError, ValueError):
        return False
    return True


class Chaos:
    """SIGKILL at random moments; each victim is started again after a random pause.

    The first three kills take one of each kind; after that the kind is drawn. Without a duration it never ends.
    """

    def __init__(
        self, *, gateway: Part, broker: Part, nodes: Path, names: Sequence[str], duration_s: float | None, seed: int
    ) -> None:
        self._parts = {"gateway": gateway, "broker": broker}
        self._nodes = nodes
        self._names = names
        self._random = random.Random(seed)  # noqa: S311 - a repeatable schedule, not a secret
        self._first_kinds = list(KINDS)
        self._down: list[tuple[float, Part]] = []
        self._begin_s = time.monotonic()
        self._last_s = duration_s * CALM_END_SHARE if duration_s is not None else None
        span = (self._last_s or 0.0) - CALM_START_S
        self._slot_s = span / max(LEAST_KILLS, int(span / MEAN_GAP_S)) if self._last_s is not None else MEAN_GAP_S
        self._slot = 0
        self._next_s = self._draw()
        self.kills: Counter[str] = Counter()

    def _draw(self) -> float:
        return CALM_START_S + self._slot_s * (self._slot + 0.8 * self._random.random())

    def tick(self) -> None:
        """Kill what is due and start again what has been down long enough. Call it often, from the main thread."""
        now = time.monotonic() - self._begin_s
        for due, part in [entry for entry in self._down if entry[0] <= now]:
            self._down.remove((due, part))
            part.start()
        if now >= self._next_s and (self._last_s is None or now < self._last_s):
            self._kill(now)
            self._slot += 1
            self._next_s = self._draw()

    def _kill(self, now: float) -> None:
        kind = self._first_kinds.pop(0) if self._first_kinds else self._random.choice(KINDS)
        if kind == "node":
            pid_file = self._nodes / self._random.choice(self._names) / "pid"
            if not wait_until(lambda: _killed(pid_file), NODE_LIMIT_S):
                return
        else:
            part = self._parts[kind]
            if part.pid is None:
                return
            part.kill()
            self._down.append((now + self._random.uniform(0.0, LONGEST_DOWN_S), part))
        self.kills[kind] += 1

    def end(self) -> None:
        """Start again whatever is down."""
        for _, part in self._down:
            part.start()
        self._down.clear()
