"""Commands to nodes: the acknowledgement of durable records and the request for a rebirth (NCMD, QoS 0)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_wire import datatypes as dt
from shutan_wire import ids, records
from shutan_wire.encode import encode_payload
from shutan_wire.model import Metric, Payload

if TYPE_CHECKING:
    from shutan_gateway.intake.sessions import Node, Stream

__all__ = ["ack_command", "rebirth_command"]


def ack_command(stream: Stream, now_ms: int) -> tuple[str, bytes]:
    """(topic, payload) that tells a node the highest contiguous record on disk, with the store id that it counts in."""
    metrics = [
        Metric(records.ACK_STORE, timestamp=now_ms, datatype=dt.UINT64, value=stream.store_id),
        Metric(records.ACK, timestamp=now_ms, datatype=dt.UINT64, value=stream.mark.upto),
    ]
    return ids.topic(stream.site, ids.NCMD, stream.node), encode_payload(Payload(now_ms, metrics))


def rebirth_command(node: Node, now_ms: int) -> tuple[str, bytes]:
    """(topic, payload) that asks a node for its births. It carries its datatype: some nodes crash without."""
    metric = Metric(records.REBIRTH, timestamp=now_ms, datatype=dt.BOOLEAN, value=True)
    return ids.topic(node.site, ids.NCMD, node.name), encode_payload(Payload(now_ms, [metric]))
