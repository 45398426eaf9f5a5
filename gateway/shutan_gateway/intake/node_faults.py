"""Which node breaks which rule: counts by node and kind, so that a person knows whom to ask. Bounded.

The same faults as shutan_faults_total and shutan_bad_values_total count, kept apart by node; on /nodes and in `doctor`.
"""

from __future__ import annotations

__all__ = ["NODES_MAX", "NodeFaults"]

NODES_MAX = 1_000
_KINDS_MAX = 64  # of one node; kinds are words of our own, so this is never reached


class NodeFaults:
    """One thread notes, any thread reads. Full: further nodes are counted in the totals only (`left_out`)."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[str, str], dict[str, int]] = {}
        self.left_out = 0

    def note(self, site: str, node: str, kind: str, n: int = 1) -> None:
        """Count a fault of a node."""
        kinds = self._nodes.get((site, node))
        if kinds is None:
            if len(self._nodes) >= NODES_MAX:
                self.left_out += n
                return
            kinds = self._nodes[site, node] = {}
        if kind in kinds or len(kinds) < _KINDS_MAX:
            kinds[kind] = kinds.get(kind, 0) + n

    def snapshot(self) -> dict[tuple[str, str], dict[str, int]]:
        """Faults by (site, node) and kind; copies, each made in one step."""
        return {key: dict(kinds) for key, kinds in list(self._nodes.items())}
