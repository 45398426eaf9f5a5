"""Sparkplug host application: from MQTT messages to spool records, acknowledgements and rebirth commands. No I/O.

One `Host` belongs to the intake thread. `handle` takes one message and adds to the acceptor's batch; the caller makes
the batch durable before it sends acknowledgements. A sequence gap, a late death or a missing birth never discards data
by itself: data whose birth is missing waits for it, bounded in number and time.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from shutan_gateway.errors import Refusal
from shutan_gateway.intake.accept import Acceptor, Arrival, Outcome
from shutan_gateway.intake.express import Express
from shutan_gateway.intake.rebirth import Rebirths
from shutan_gateway.intake.sessions import HELD_PER_NODE, Device, Held, Node, Stream
from shutan_gateway.intake.watermarks import NUMBER_MAX, Watermark
from shutan_gateway.link.mailbox import LINK_UP, Message
from shutan_gateway.payload.decode import parse
from shutan_gateway.payload.decoder import Shapes
from shutan_gateway.payload.definition import birth_text
from shutan_gateway.payload.malformed import sound_ids
from shutan_gateway.registry.state import SchemaRow, SessionRow
from shutan_wire import ids, records
from shutan_wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_gateway.quarantine import Quarantine
    from shutan_wire.model import Payload

__all__ = ["Host", "HostSettings", "Registry"]

log = logging.getLogger("shutan.host")

MAX_NODES = 20_000
HELD_S = 60.0  # how long data waits for its birth
HELD_MAX = 20_000
_U64 = 2**64 - 1  # ids are unsigned, whatever datatype a node declares
_TOPICS = 50_000  # parsed topics remembered,
_TOPIC_CHARS = 1_000  # none longer than this


class Registry(Protocol):
    """The part of State that gives lasting numbers to births and sessions."""

    def schema_id(self, row: SchemaRow) -> int:
        """Number of a birth."""
        ...

    def session_id(self, row: SessionRow) -> int:
        """Number of a session."""
        ...


class HostSettings(NamedTuple):
    """Limits and times of the host (config.py: [intake])."""

    reorder_s: float = 2.0
    rebirth_min_interval_s: float = 5.0
    max_payload_bytes: int = 1_000_000
    conflict_window: int = 1024


class _Facts(NamedTuple):
    """What an NBIRTH says besides its metrics' definitions."""

    bd_seq: int | None
    store_id: int | None
    boot_id: int
    store_first: int


class Host:
    """All nodes of the installation as this host application sees them."""

    def __init__(
        self,
        registry: Registry,
        settings: HostSettings,
        shapes: Shapes | None = None,
        chance: random.Random | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        self._registry = registry
        self.shapes = shapes or Shapes()
        self._settings = settings
        self.acceptor = Acceptor(self.shapes, settings.max_payload_bytes, settings.conflict_window, quarantine)
        self.nodes: dict[tuple[str, str], Node] = {}
        self.streams: dict[tuple[str, str, int], Stream] = {}
        self.rebirths = Rebirths(settings.rebirth_min_interval_s, chance or random.Random())  # noqa: S311 - jitter only
        self.express = Express(self.acceptor, self._odd_sequence)
        self._topics: dict[str, tuple[str, str, str, str | None] | None] = {}
        self._held = 0
        self._gaps: set[Node] = set()  # nodes with an open sequence gap

    def known(self, nodes: Iterable[tuple[str, str, int]], streams: Iterable[Stream]) -> None:
        """Nodes (with their newest session) and streams from the registry; each node must be born again first."""
        for site, name, session_id in nodes:
            node = self.nodes.setdefault((site, name), Node(site, name))
            node.session_id = session_id
        for stream in streams:
            self.streams[stream.site, stream.node, stream.store_id] = stream

    @property
    def held(self) -> int:
        """Data messages that wait for a birth."""
        return self._held

    def handle(self, message: Message, now_s: float) -> None:
        """Take one message. Raises StateUnavailable (then nothing changed: hand the same message in again)."""
        if message.topic == LINK_UP:
            self._link_up(now_s)
            return
        parts = self._parse(message.topic)
        if parts is None:
            self._refuse(message, "topic", "no Sparkplug topic, or an id that is too long or holds control characters")
            return
        site, kind, name, device = parts
        if kind in {ids.NDATA, ids.DDATA}:
            self._data(site, name, device or "", message, now_s)
        elif kind == ids.NBIRTH:
            self._node_birth(site, name, message, now_s)
        elif kind == ids.DBIRTH:
            self._device_birth(site, name, device or "", message, now_s)
        elif kind == ids.NDEATH:
            self._node_death(site, name, message)
        elif kind == ids.DDEATH:
            self._device_death(site, name, device or "", message, now_s)

    def _parse(self, topic: str) -> tuple[str, str, str, str | None] | None:
        parts = self._topics.get(topic)
        if parts is None and topic not in self._topics:
            if len(self._topics) >= _TOPICS:
                self._topics.clear()
            try:
                parts = ids.parse_topic(topic)
            except WireError:
                parts = None
            if parts is not None and not sound_ids(parts):
                parts = None
            if len(topic) <= _TOPIC_CHARS:
                self._topics[topic] = parts
        return parts

    def _refuse(self, message: Message, reason: str, detail: str) -> None:
        """Count and keep a message that is no data; data is refused by the acceptor."""
        self.acceptor.fault(reason)
        self.acceptor.keep(reason, detail, message.payload, message.topic, message.received_ms)

    def _node(self, site: str, name: str) -> Node | None:
        node = self.nodes.get((site, name))
        if node is None:
            if len(self.nodes) >= MAX_NODES:
                self.acceptor.fault("too_many_nodes")
                return None
            node = self.nodes[site, name] = Node(site, name)
        return node

    def _link_up(self, now_s: float) -> None:
        """A new session with the broker: births may have been missed, so every node is asked for its own again."""
        for node in self.nodes.values():
            node.go_offline()
            self._drop_held(node)
            self._gaps.discard(node)
            self.rebirths.ask(node, now_s)

    def _data(self, site: str, name: str, device_name: str, message: Message, now_s: float) -> None:
        node = self._node(site, name)
        if node is None:
            self.acceptor.batch.reject("too_many_nodes")
            return
        device = node.devices.get(device_name) if node.online else None
        if device is None:
            self.acceptor.fault("data_before_birth", node=node)
            self.rebirths.ask(node, now_s)
            self._hold(node, Held(device_name, message.payload, message.received_ms, now_s + HELD_S))
            return
        device.stale = False
        outcome = self.acceptor.data(Arrival(node, device_name, device, message.payload, message.received_ms))
        self._follow(node, outcome, now_s)
        self.express.learn(message.topic, node, device_name)

    def _odd_sequence(self, node: Node, seq: int | None, now_s: float) -> None:
        self._follow(node, Outcome(seq, readable=True, rebirth=False), now_s)

    def _follow(self, node: Node, outcome: Outcome, now_s: float) -> None:
        """Sequence check and rebirth after a message of a session."""
        if outcome.rebirth:
            self.rebirths.ask(node, now_s)
        if not outcome.readable:
            return
        if outcome.seq is None or outcome.seq > 255:
            self.acceptor.fault("sequence_missing", node=node)
        elif not node.sequence.take(outcome.seq, now_s, self._settings.reorder_s):
            self.acceptor.fault("sequence_repeat", node=node)
        if node.sequence.deadline_s is not None:
            self._gaps.add(node)

    def _hold(self, node: Node, held: Held) -> None:
        if len(node.held) >= HELD_PER_NODE or self._held >= HELD_MAX:
            if not node.held:
                self.acceptor.batch.reject("data_before_birth")
                return
            self._give_up(node)
        node.held.append(held)
        self._held += 1

    def _drop_held(self, node: Node) -> None:
        """The session that this data came from is over, or may be: another birth must not explain it."""
        while node.held:
            self._give_up(node)

    def _give_up(self, node: Node) -> None:
        held = node.held.popleft()
        self._held -= 1
        self.acceptor.batch.reject("data_before_birth")
        topic = ids.topic(node.site, ids.DDATA if held.device else ids.NDATA, node.name, held.device or None)
        detail = "no birth explained it in time, or its session ended first"
        self.acceptor.keep("data_before_birth", detail, held.payload, topic, held.received_ms)

    def _release(self, node: Node, device_name: str) -> None:
        """The birth came: take what waited for it, in order. Its sequence numbers belong to the time before."""
        device = node.devices[device_name]
        waiting = list(node.held)
        node.held.clear()
        self._held -= len(waiting)
        for held in waiting:
            if held.device == device_name:
                self.acceptor.data(Arrival(node, device_name, device, held.payload, held.received_ms))
            else:
                node.held.append(held)
                self._held += 1

    def _birth_payload(self, message: Message) -> Payload | None:
        try:
            return parse(message.payload, self._settings.max_payload_bytes)
        except Refusal as refusal:
            self._refuse(message, refusal.reason, refusal.detail)
            return None

    def _device_of(self, site: str, name: str, device: str, payload: Payload) -> Device:
        text = birth_text(payload.metrics)
        schema_id = self._registry.schema_id(SchemaRow(site, name, device, text))
        return Device(schema_id, self.shapes.definition(text))

    def _node_birth(self, site: str, name: str, message: Message, now_s: float) -> None:
        payload = self._birth_payload(message)
        node = self._node(site, name) if payload is not None else None
        if payload is None or node is None:
            return
        facts = self._facts(node, payload)
        device = self._device_of(site, name, "", payload)
        session_id = 0
        if facts.store_id is not None:
            session_id = self._registry.session_id(SessionRow(site, name, facts.store_id, facts.boot_id))
        if payload.seq != 0:
            self.acceptor.fault("birth_sequence", node=node)
        self.acceptor.batch.count("shutan_births_total")
        if session_id and session_id != node.session_id:
            # Another boot than the one known: what waits may have been numbered in another store. It is sent again.
            self._drop_held(node)
        if not node.online or node.session_id != session_id:
            log.info("node %s/%s: online", site, name)
        node.online = True
        node.bd_seq = facts.bd_seq
        node.sequence.begin(payload.seq or 0)
        self._gaps.discard(node)
        node.devices = {"": device}
        node.session_id = session_id
        node.stream = None if facts.store_id is None else self._open_stream(site, name, facts)
        self.rebirths.forget(node)
        if node.stream is None:
            self.acceptor.birth(Arrival(node, "", device, message.payload, message.received_ms), payload)
        self._release(node, "")
        if node.held:  # of devices: their births follow, or they are asked for
            self.rebirths.ask(node, now_s + self._settings.rebirth_min_interval_s)

    def _facts(self, node: Node, payload: Payload) -> _Facts:
        found: dict[str, int] = {}
        for metric in payload.metrics:
            if metric.name is not None and isinstance(metric.value, int) and -(2**63) <= metric.value < 2**64:
                found[metric.name] = metric.value & _U64 if metric.name != records.BDSEQ else metric.value
        if records.BDSEQ not in found:
            self.acceptor.fault("birth_without_bdseq", node=node)
        if found.get(records.STORE_FIRST, 0) > NUMBER_MAX:
            self.acceptor.fault("store_first", node=node)
            del found[records.STORE_FIRST]
        return _Facts(
            found.get(records.BDSEQ),
            found.get(records.STORE_ID),
            found.get(records.BOOT_ID, 0),
            found.get(records.STORE_FIRST, 0),
        )

    def _open_stream(self, site: str, name: str, facts: _Facts) -> Stream:
        """The node's record stream; what lies below its oldest record will never come."""
        assert facts.store_id is not None  # noqa: S101 - the caller looked
        below = facts.store_first - 1
        key = (site, name, facts.store_id)
        stream = self.streams.get(key)
        if stream is None:
            below = max(below, 0)
            stream = self.streams[key] = Stream(site, name, facts.store_id, Watermark(below), below)
            stream.dirty = True
        elif below >= 1:
            self.acceptor.batch.count("shutan_gap_overwritten_total", stream.mark.close(1, below))
            stream.dirty = True
        self.acceptor.due.add(stream)  # tells a node that comes back what need not be sent again
        return stream

    def _device_birth(self, site: str, name: str, device_name: str, message: Message, now_s: float) -> None:
        payload = self._birth_payload(message)
        node = self._node(site, name) if payload is not None else None
        if payload is None or node is None:
            return
        if not node.online:
            self.acceptor.fault("device_birth_before_node", node=node)
            self.rebirths.ask(node, now_s)
            return
        device = self._device_of(site, name, device_name, payload)
        self.acceptor.batch.count("shutan_births_total")
        node.devices[device_name] = device
        self._follow(node, Outcome(payload.seq, readable=True, rebirth=False), now_s)
        if node.stream is None:
            self.acceptor.birth(Arrival(node, device_name, device, message.payload, message.received_ms), payload)
        self._release(node, device_name)
        if not node.held:
            self.rebirths.forget(node)

    def _node_death(self, site: str, name: str, message: Message) -> None:
        node = self.nodes.get((site, name))
        payload = self._birth_payload(message)
        if node is None or payload is None:
            return
        bd_seq = next((m.value for m in payload.metrics if m.name == records.BDSEQ), None)
        if not isinstance(bd_seq, int):
            self.acceptor.fault("death_without_bdseq", node=node)
        elif not node.online:
            self._drop_held(node)
        elif bd_seq == node.bd_seq:  # else the will of an older session, late
            node.go_offline()
            self._drop_held(node)
            self._gaps.discard(node)
            self.rebirths.forget(node)
            self.acceptor.batch.count("shutan_deaths_total")
            log.info("node %s/%s: offline", site, name)

    def _device_death(self, site: str, name: str, device_name: str, message: Message, now_s: float) -> None:
        node = self.nodes.get((site, name))
        payload = self._birth_payload(message)
        if node is None or payload is None or not node.online:
            return
        device = node.devices.get(device_name)
        if device is not None:
            device.stale = True
            self.acceptor.batch.count("shutan_deaths_total")
        if payload.seq is not None:  # some nodes leave it out here
            self._follow(node, Outcome(payload.seq, readable=True, rebirth=False), now_s)

    def tick(self, now_s: float, *, linked: bool = True) -> list[Node]:
        """Timers: open sequence gaps, data that waited too long. Returns the nodes to be asked for a rebirth now.

        linked: commands can be sent; without a link the requests wait.
        """
        for node in [node for node in self._gaps if node.sequence.deadline_s is None]:
            self._gaps.discard(node)
        for node in [node for node in self._gaps if node.sequence.lost(now_s)]:
            self._gaps.discard(node)
            self.acceptor.fault("sequence_gap", node=node)
            self.rebirths.ask(node, now_s)
        if self._held:
            for node in self.nodes.values():
                while node.held and node.held[0].until_s <= now_s:
                    self._give_up(node)
        ready = self.rebirths.due(now_s) if linked else []
        if ready:
            self.acceptor.batch.count("shutan_rebirth_requests_total", len(ready))
        return ready

    def gauges(self) -> dict[str, int]:
        """Nodes online and offline, stale devices, held messages."""
        states = Counter("online" if node.online else "offline" for node in self.nodes.values())
        stale = sum(device.stale for node in self.nodes.values() for device in node.devices.values())
        return {"online": states["online"], "offline": states["offline"], "stale": stale, "held": self._held}
