"""Nodes and devices as the gateway sees them now: online, when last heard, how far their clocks are. For /nodes.

Intake writes the few numbers where it has them at hand; a reader copies them when it asks, which costs intake nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NotRequired, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shutan_gateway.intake.node_faults import NodeFaults
    from shutan_gateway.intake.sessions import Device, Node

__all__ = ["DeviceFacts", "NodeFacts", "NodeTable"]

NODES = 20_000  # rows at most, the limit of intake
DEVICES = 50_000


class DeviceFacts(TypedDict):
    """A device; name "" is the node itself. Times are UTC ms, 0 = nothing since this gateway started."""

    device: str
    stale: bool
    heard_ms: int
    sample_ms: int


class NodeFacts(TypedDict):
    """A node; source "sparkplug", or "offered" for wired meters and adapters, which have no session.

    faults: protocol faults and bad values seen, by kind (node_faults.py); left out where there are none.
    """

    site: str
    node: str
    source: str
    online: bool
    devices: list[DeviceFacts]
    faults: NotRequired[dict[str, int]]


class _Attached(NamedTuple):
    nodes: Mapping[tuple[str, str], Node]
    offered: Callable[[], list[tuple[tuple[str, str, str], Device]]]
    faults: NodeFaults


class NodeTable:
    """Reads the tables of the intake that is attached; a new run of intake attaches its own."""

    def __init__(self) -> None:
        self._attached: _Attached | None = None

    def attach(
        self,
        nodes: Mapping[tuple[str, str], Node],
        offered: Callable[[], list[tuple[tuple[str, str, str], Device]]],
        faults: NodeFaults,
    ) -> None:
        """Intake begins: these are its tables."""
        self._attached = _Attached(nodes, offered, faults)

    def rows(self) -> list[NodeFacts]:
        """All nodes, by site and name; bounded. Any thread: the copies of the tables are made in one step each."""
        attached = self._attached
        if attached is None:
            return []
        left = DEVICES
        rows: dict[tuple[str, str, str], NodeFacts] = {}
        for node in list(attached.nodes.values())[:NODES]:
            devices = [_facts(name, device) for name, device in list(node.devices.items())[: max(left, 0)]]
            left -= len(devices)
            rows[node.site, node.name, "sparkplug"] = {
                "site": node.site,
                "node": node.name,
                "source": "sparkplug",
                "online": node.online,
                "devices": devices,
            }
        for (site, name, device), facts in attached.offered()[: max(left, 0)]:
            row = rows.setdefault(
                (site, name, "offered"),
                {"site": site, "node": name, "source": "offered", "online": True, "devices": []},
            )
            row["devices"].append(_facts(device, facts))
        for (site, name), kinds in attached.faults.snapshot().items():
            for source in ("sparkplug", "offered"):
                if (site, name, source) in rows:
                    rows[site, name, source]["faults"] = kinds
        return [rows[key] for key in sorted(rows)]


def _facts(name: str, device: Device) -> DeviceFacts:
    return {
        "device": name,
        "stale": device.stale,
        "heard_ms": device.heard_ms,
        "sample_ms": device.sample_ms,
    }
