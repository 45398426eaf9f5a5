"""When to ask nodes for a rebirth: spread by jitter, limited per node, so that a restarted gateway is no storm."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from shutan_gateway.intake.sessions import Node

__all__ = ["Rebirths"]

_FIRST_JITTER_S = 0.2
_JITTER_PER_WAITING_S = 0.02  # 50 rebirths a second: a birth costs the gateway two commits at most
_MAX_JITTER_S = 60.0


class Rebirths:
    """Rebirth commands that wait for their time."""

    def __init__(self, min_interval_s: float, chance: random.Random) -> None:
        self._min_interval_s = min_interval_s
        self._chance = chance
        self._waiting: dict[Node, float] = {}

    def ask(self, node: Node, now_s: float) -> None:
        """A node needs a rebirth; asking again while one is due changes nothing."""
        if node in self._waiting:
            return
        spread_s = min(_FIRST_JITTER_S + _JITTER_PER_WAITING_S * len(self._waiting), _MAX_JITTER_S)
        due_s = max(now_s, node.asked_s + self._min_interval_s) + self._chance.uniform(0, spread_s)
        self._waiting[node] = due_s

    def forget(self, node: Node) -> None:
        """The birth came (or the node is gone)."""
        self._waiting.pop(node, None)

    def due(self, now_s: float) -> list[Node]:
        """Nodes to be asked now; each is marked as asked."""
        ready = [node for node, due_s in self._waiting.items() if due_s <= now_s]
        for node in ready:
            del self._waiting[node]
            node.asked_s = now_s
        return ready

    def next_s(self) -> float:
        """Monotonic time of the next one, infinite when none waits."""
        return min(self._waiting.values(), default=float("inf"))
