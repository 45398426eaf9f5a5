"""What the host application knows about nodes: sessions, devices, sequence numbers, record streams. No I/O.

Rules: Sparkplug B 3.0.0 chapters 5 and 6 (births, deaths, sequence), and the record protocol for acknowledgements.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.intake.watermarks import Watermark

if TYPE_CHECKING:
    from shutan_gateway.payload.definition import Definition
    from shutan_gateway.payload.shape import Layout

__all__ = ["Device", "Held", "Node", "Sequence", "Stream"]

HELD_PER_NODE = 256


class Stream:
    """Record numbers of one (site, node, store id), and what the node was told about them.

    floor: numbers up to it were gone before this gateway first heard of the store (never received, not counted);
    dirty: changed since the last checkpoint; told_s: monotonic time of the last acknowledgement.
    """

    __slots__ = ("dirty", "floor", "mark", "node", "site", "store_id", "told_s")

    def __init__(self, site: str, node: str, store_id: int, mark: Watermark | None = None, floor: int = 0) -> None:
        self.site = site
        self.node = node
        self.store_id = store_id
        self.mark = mark or Watermark()
        self.floor = floor
        self.dirty = False
        self.told_s = float("-inf")

    def close_gap(self, first: int, last: int) -> int:
        """Close first..last for good; returns how many of them never came here."""
        below_floor = max(0, min(last, self.floor) - first + 1)
        self.dirty = True
        return below_floor + self.mark.close(first, last)


class Device:
    """A device of a node, or the node itself, since its last birth.

    heard_ms: when its last readable data came, sample_ms: the time that this data carried; UTC ms, 0 = none yet.
    """

    __slots__ = ("definition", "heard_ms", "recent", "sample_ms", "schema_id", "stale")

    def __init__(self, schema_id: int, definition: Definition) -> None:
        self.schema_id = schema_id
        self.definition = definition
        self.recent: list[Layout] = []  # layouts of its last payloads (decoder.py)
        self.stale = False
        self.heard_ms = 0
        self.sample_ms = 0


class Held(NamedTuple):
    """A data message that waits for the birth that explains it. until_s: monotonic time when it is given up."""

    device: str
    payload: bytes
    received_ms: int
    until_s: float


class Sequence:
    """Sparkplug sequence check of one session: 0..255, one counter for the node and all its devices.

    A number ahead opens a gap with a deadline; the missing ones may still come until then (devices on a second TCP
    connection, brokers in a cluster). The check never decides about data.
    """

    __slots__ = ("deadline_s", "expected", "missing")

    def __init__(self) -> None:
        self.expected = 0
        self.missing: set[int] = set()
        self.deadline_s: float | None = None

    def begin(self, seq: int) -> None:
        """A birth of the node starts again."""
        self.expected = (seq + 1) & 255
        self.missing.clear()
        self.deadline_s = None

    def take(self, seq: int, now_s: float, reorder_s: float) -> bool:
        """Note one number; False for one that came before (not expected, not missing, not ahead)."""
        if seq == self.expected:
            self.expected = (seq + 1) & 255
            return True
        if seq in self.missing:
            self.missing.discard(seq)
            if not self.missing:
                self.deadline_s = None
            return True
        ahead = (seq - self.expected) & 255
        if ahead >= 128:
            return False
        self.missing.update((self.expected + step) & 255 for step in range(ahead))
        self.expected = (seq + 1) & 255
        if self.deadline_s is None:
            self.deadline_s = now_s + reorder_s
        return True

    def lost(self, now_s: float) -> bool:
        """Whether a gap stayed open until its deadline; the check then starts afresh."""
        if self.deadline_s is None or now_s < self.deadline_s:
            return False
        self.missing.clear()
        self.deadline_s = None
        return True


class Node:
    """One edge node. devices[""] is the node itself; a device is there only after its birth in this session."""

    __slots__ = (
        "asked_s",
        "bd_seq",
        "devices",
        "held",
        "name",
        "online",
        "sequence",
        "session_id",
        "site",
        "stream",
    )

    def __init__(self, site: str, name: str) -> None:
        self.site = site
        self.name = name
        self.online = False
        self.bd_seq: int | None = None
        self.sequence = Sequence()
        self.devices: dict[str, Device] = {}
        self.stream: Stream | None = None
        self.session_id = 0
        self.held: deque[Held] = deque()
        self.asked_s = float("-inf")  # monotonic time of the last rebirth command

    def go_offline(self) -> None:
        """The session is over: all values are stale until the next birth."""
        self.online = False
        self.sequence.begin(-1)
        for device in self.devices.values():
            device.stale = True
