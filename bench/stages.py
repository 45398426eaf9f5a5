"""Stages of the gateway's short way, one after the other in this process: CPU time of each, microseconds a message.

200 nodes in turn, 50 values a message (`mixed` of bench/_load.py), no thread, broker, disk or store: what is between
the sum of these and bench/gateway.py is system calls, threads and the processor's cache. `best` is the quickest of the
rounds, `median` the usual one.
"""

import json
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple, TypeVar, cast

from bench._load import Node, chosen_metrics
from shutan_gateway.deliver.batch import Batch
from shutan_gateway.intake.host import Host, HostSettings
from shutan_gateway.link.mailbox import Message
from shutan_gateway.link.mqtt_stream import Stream
from shutan_gateway.registry.state import SchemaRow, SessionRow, State
from shutan_gateway.rows import Row, RowReader
from shutan_gateway.spool.segment import encode_group, seed_of
from shutan_gateway.stores.influxdb.line import LineEncoder
from shutan_wire import mqtt

T = TypeVar("T")
NODES = 200
WARM, ROUNDS = 600, 200
NOW_MS = 1_780_000_000_000


class Registry:
    """Births and sessions in memory."""

    def __init__(self) -> None:
        self._schemas: dict[SchemaRow, int] = {}
        self._sessions: dict[SessionRow, int] = {}

    def schema_id(self, row: SchemaRow) -> int:
        """Number of a birth."""
        return self._schemas.setdefault(row, len(self._schemas) + 1)

    def session_id(self, row: SessionRow) -> int:
        """Number of a session."""
        return self._sessions.setdefault(row, len(self._sessions) + 1)

    def schema(self, number: int) -> SchemaRow | None:
        """The birth with a number."""
        return next((row for row, found in self._schemas.items() if found == number), None)

    def session(self, number: int) -> SessionRow | None:
        """The session with a number."""
        return next((row for row, found in self._sessions.items() if found == number), None)


class Timer:
    """CPU time of the stages, by round."""

    def __init__(self) -> None:
        self.rounds: dict[str, list[float]] = {}

    def time(self, stage: str, act: Callable[[], T]) -> T:
        """Run a stage of one round: NODES messages."""
        began_s = time.process_time()
        found = act()
        self.rounds.setdefault(stage, []).append((time.process_time() - began_s) / NODES * 1e6)
        return found


class Line(NamedTuple):
    """What the stages work with."""

    nodes: list[Node]
    stream: Stream
    host: Host
    reader: RowReader
    encoder: LineEncoder


def line_up() -> Line:
    """Nodes that are born."""
    registry = Registry()
    metrics = chosen_metrics()
    nodes = [Node(index, 400, 1e9, metrics) for index in range(NODES)]
    host = Host(registry, HostSettings())
    births = mqtt.PacketDecoder()
    births.feed(b"".join([node.birth() for node in nodes]))
    for _, flags, body in births.packets():
        topic, payload, *_ = mqtt.parse_publish(flags, body)
        host.handle(Message(topic, payload, NOW_MS), 0.0)
    return Line(nodes, Stream(1_000_000), host, RowReader(cast("State", registry), host.shapes), LineEncoder())


def packets(nodes: list[Node]) -> bytes:
    """The next message of each node, as the broker sends them."""
    found: list[bytes] = []
    for node in nodes:
        template = node.templates[node.next % len(node.templates)]
        found.append(template.packet(node.data_topic, NOW_MS + node.next * 100, node.next, node.seq))
        node.seq = (node.seq + 1) & 255
        node.next += 1
    return b"".join(found)


def take(host: Host, messages: list[tuple[str, bytes]]) -> int:
    """Messages into the batch; how many of them went the general way."""
    at = general = 0
    while at < len(messages):
        at = host.express.take(messages, at, NOW_MS, 0.0)
        if at < len(messages):
            host.handle(Message(*messages[at], NOW_MS), 0.0)
            at += 1
            general += 1
    return general


def body(encoder: LineEncoder, rows: list[Row]) -> bytes:
    """Lines of all rows, one by one where some came the general way."""
    return encoder.body(rows) or b"\n".join([encoder.line(row) for row in rows])


def main() -> dict[str, int | float | str]:
    """Run all rounds; figure -> value."""
    nodes, stream, host, reader, encoder = line_up()
    timer, general, seed = Timer(), 0, seed_of(1)
    for number in range(WARM + ROUNDS):
        if number == WARM:
            timer, general = Timer(), 0
        data = packets(nodes)
        messages = timer.time("stream", lambda data=data: stream.take(data, bytearray())[0])
        general += timer.time("check", lambda messages=messages: take(host, messages))
        taken = host.acceptor.take_batch()
        timer.time("spool", lambda taken=taken: encode_group(taken.records, 1, seed))
        batch = timer.time("rows", lambda taken=taken: Batch(taken.records, reader, taken.samples))
        timer.time("lines", lambda batch=batch: body(encoder, batch.rows))
    figures: dict[str, int | float | str] = {"nodes": NODES, "general_way": general}
    for name, choose in (("best", min), ("median", median)):
        each = {stage: choose(found) for stage, found in timer.rounds.items()}
        figures |= {f"{stage}_{name}_us": round(value, 1) for stage, value in each.items()}
        figures[f"sum_{name}_us"] = round(sum(each.values()), 1)
    return figures


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
