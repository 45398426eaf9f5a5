"""Decides about data: decode, recognise repeats, apply the conflict rule, put the record into the batch.

received = duplicates + rejected + accepted: every data message (and every birth of a foreign node that carries samples)
goes exactly one of these ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.errors import Refusal
from shutan_gateway.intake.batch import Batch
from shutan_gateway.intake.node_faults import NodeFaults
from shutan_gateway.intake.watermarks import NUMBER_MAX
from shutan_gateway.intake.window import Verdict, Windows
from shutan_gateway.payload.decode import Decoded, explain
from shutan_gateway.payload.decoder import Decoder, Shapes
from shutan_gateway.spool.log import BIRTH, DATA, GAP, SpoolRecord
from shutan_wire import ids

if TYPE_CHECKING:
    from shutan_gateway.intake.sessions import Device, Node, Stream
    from shutan_gateway.quarantine import Quarantine
    from shutan_wire.model import Payload

__all__ = ["Acceptor", "Arrival", "Outcome"]

_WINDOWS = 50_000  # devices whose recent times are remembered


class Arrival(NamedTuple):
    """One message of a device (name "" = the node itself) whose birth is known. received_ms: UTC ms."""

    node: Node
    name: str
    device: Device
    raw: bytes
    received_ms: int


class Outcome(NamedTuple):
    """seq of the payload (None: unreadable or absent), whether the payload was readable, whether a birth is missing."""

    seq: int | None
    readable: bool
    rebirth: bool


class Acceptor:
    """Owner of the current batch, the decoder and the conflict windows. Belongs to the intake thread."""

    def __init__(
        self, shapes: Shapes, max_payload_bytes: int, conflict_window: int, quarantine: Quarantine | None = None
    ) -> None:
        self.batch = Batch()
        self.due: set[Stream] = set()  # streams whose nodes should hear the watermark
        self.decoder = Decoder(shapes, max_payload_bytes)
        self.windows = Windows(conflict_window, _WINDOWS)
        self.faults = NodeFaults()
        self._quarantine = quarantine

    def take_batch(self) -> Batch:
        """The batch so far; a new one begins."""
        batch, self.batch = self.batch, Batch()
        return batch

    def data(self, arrival: Arrival) -> Outcome:
        """One NDATA or DDATA."""
        node, _, device, raw, received_ms = arrival
        try:
            decoded = self.decoder.decode(device.definition, raw, received_ms, device.recent)
        except Refusal as refusal:
            self.batch.reject(refusal.reason)
            self.fault(refusal.reason, node=node)
            self._keep(arrival, refusal.reason, refusal.detail)
            return Outcome(None, readable=False, rebirth=False)
        device.heard_ms = received_ms
        if decoded.groups:
            device.sample_ms = decoded.groups[-1].t_ms
        if decoded.unknown_names:
            self.fault("unknown_metric", decoded.unknown_names, node)
        rebirth = decoded.unknown_aliases > 0
        if rebirth:
            self.fault("unknown_alias", node=node)
        stream = node.stream if decoded.record else None
        if rebirth and (stream is not None or not decoded.groups):
            # A numbered record comes again after the rebirth; half of it must not be acknowledged.
            self.batch.reject("unknown_alias")
        elif stream is not None:
            self._numbered(stream, arrival, decoded)
        else:
            self._plain(DATA, arrival, decoded)
        return Outcome(decoded.seq, readable=True, rebirth=rebirth)

    def birth(self, arrival: Arrival, payload: Payload) -> None:
        """A birth of a foreign node: its values are samples too (static ones come nowhere else)."""
        try:
            decoded = explain(arrival.device.definition, payload, arrival.received_ms)
        except Refusal as refusal:
            self.fault(refusal.reason, node=arrival.node)
            self._keep(arrival, refusal.reason, refusal.detail)
            return
        if decoded.groups:
            self._plain(BIRTH, arrival, decoded)

    def fault(self, kind: str, n: int = 1, node: Node | None = None) -> None:
        """Count a protocol fault, of a node where it is known."""
        self.batch.count("shutan_faults_total", n, kind=kind)
        if node is not None:
            self.faults.note(node.site, node.name, kind, n)

    def keep(self, reason: str, detail: str, raw: bytes, topic: str, received_ms: int) -> None:
        """Put a refused message into quarantine."""
        if self._quarantine is not None:
            self._quarantine.keep("mqtt", reason, detail, raw, topic=topic, received_ms=received_ms)

    def _keep(self, arrival: Arrival, reason: str, detail: str) -> None:
        node, name, _, raw, received_ms = arrival
        kind = ids.DDATA if name else ids.NDATA
        self.keep(reason, detail, raw, ids.topic(node.site, kind, node.name, name or None), received_ms)

    def _numbered(self, stream: Stream, arrival: Arrival, decoded: Decoded) -> None:
        number = decoded.record or 0
        self.due.add(stream)
        if number in stream.mark:
            self.batch.duplicate()
            return
        if number > NUMBER_MAX or not stream.mark.room(number):
            self.batch.reject("record_window")
            self._keep(arrival, "record_window", f"record {number} is beyond what the node may have waiting")
            return
        verdict = self._judge(arrival, decoded)
        if decoded.gap is None:
            self._add(DATA, number, arrival, decoded, verdict)
        else:
            self._add(GAP, number, arrival, decoded, verdict)
            never = stream.close_gap(decoded.gap.first, decoded.gap.last)
            unsaved = decoded.gap.unsaved
            self.batch.count("shutan_gap_unsaved_total" if unsaved else "shutan_gap_overwritten_total", never)
        stream.mark.add(number)
        stream.dirty = True

    def _plain(self, kind: int, arrival: Arrival, decoded: Decoded) -> None:
        """Without record numbers only an exact repeat inside the window can be told from new data."""
        verdict = self._judge(arrival, decoded)
        if verdict.repeat:
            self.batch.duplicate()
        else:
            self._add(kind, 0, arrival, decoded, verdict)

    def _judge(self, arrival: Arrival, decoded: Decoded) -> Verdict:
        node, name, device, raw, _ = arrival
        window = self.windows.of(node.site, node.name, name)
        return window.judge(decoded.groups, lambda: self.decoder.content(device.definition, raw))

    def _add(self, kind: int, number: int, arrival: Arrival, decoded: Decoded, verdict: Verdict) -> None:
        node, _, device, raw, received_ms = arrival
        record = SpoolRecord(kind, device.schema_id, node.session_id, number, received_ms, verdict.sub_ns, raw)
        self.batch.accept(record, decoded.groups)
        if verdict.conflict:
            self.batch.count("shutan_conflicts_total")
        for cause, n in decoded.faults:
            self.batch.count("shutan_bad_values_total", n, cause=cause)
            self.faults.note(node.site, node.name, cause, n)

    def seed(self, site: str, node: str, device: str, decoded: Decoded) -> None:
        """Let the window know a record that is in the spool already."""
        self.windows.of(site, node, device).judge(decoded.groups)
