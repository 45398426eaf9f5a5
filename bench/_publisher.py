"""Many QoS 0 Sparkplug nodes over a few connections, at a fixed rate, without waiting for anybody: for any receiver.

Run as a process: `python -m bench._publisher --port P --nodes N --rate R --kind floats|meter`; births come first, for
some seconds, in which receivers start, and again every few seconds, since a receiver that knows no rebirth would
understand nothing. It ends on SIGTERM.
"""

import argparse
import contextlib
import random
import select
import signal
import socket
import time

from bench._load import DEVICE, FIRST_RECORD, SITE, Template, chosen_metrics
from shutan_wire import catalogue, ids, mqtt, records
from shutan_wire import datatypes as dt
from shutan_wire.encode import encode_payload
from shutan_wire.model import Metric, Payload

CONNECTIONS = 4
BIRTHS_EVERY_S = 5.0
TICK_S = 0.005
PREPARE_S = 8.0  # births only
STEP_MS = 20  # from sample to sample of a node


def metrics_of(kind: str) -> list[catalogue.Metric]:
    """50 gauges, or the 12 counters and 38 gauges of a meter."""
    if kind == "meter":
        return chosen_metrics()
    return [metric for metric in catalogue.all_metrics() if metric.kind == "gauge" and metric.datatype == dt.FLOAT][:50]


class Node:
    """One node without a store: foreign to every receiver."""

    def __init__(self, index: int, metrics: list[catalogue.Metric]) -> None:
        chance = random.Random(index)  # noqa: S311 - a load that comes out the same each time
        self.name = f"p{index:03d}"
        self._metrics = metrics
        counters = sum(metric.kind == "counter" for metric in metrics)
        registers = [chance.randrange(1 << chance.randrange(8, 40)) for _ in range(counters)]
        self._templates = [Template(chance, metrics, registers) for _ in range(4)]
        self._topic = ids.topic(SITE, ids.DDATA, self.name, DEVICE)
        self._count = 0
        self._seq = 0
        self._began_ms = time.time_ns() // 1_000_000 + int(1000 * PREPARE_S)

    def births(self) -> bytes:
        """NBIRTH and DBIRTH."""
        now = time.time_ns() // 1_000_000
        node = [Metric(records.BDSEQ, timestamp=now, datatype=dt.INT64, value=0)]
        node.append(Metric(records.REBIRTH, timestamp=now, datatype=dt.BOOLEAN, value=False))
        # The templates carry a record number; without a store id it is a metric like any other.
        device = [Metric(records.RECORD, alias=256, timestamp=now, datatype=dt.UINT64, value=0)]
        for metric in self._metrics:
            zero = 0 if metric.datatype == dt.UINT64 else 0.0
            device.append(Metric(metric.name, 256 + metric.id, now, metric.datatype, zero))
        self._seq = 2
        return mqtt.publish(
            ids.topic(SITE, ids.NBIRTH, self.name), encode_payload(Payload(now, node, seq=0))
        ) + mqtt.publish(ids.topic(SITE, ids.DBIRTH, self.name, DEVICE), encode_payload(Payload(now, device, seq=1)))

    def data(self) -> bytes:
        """The next DDATA."""
        self._count += 1
        template = self._templates[self._count % len(self._templates)]
        stamp = self._began_ms + self._count * STEP_MS
        payload = template.payload(stamp, FIRST_RECORD + self._count, self._seq)
        self._seq = (self._seq + 1) & 255
        return mqtt.publish(self._topic, payload)


def connected(port: int, name: str) -> socket.socket:
    """A connection after CONNACK."""
    link = socket.create_connection(("127.0.0.1", port))
    link.sendall(mqtt.connect(name, 0))
    link.recv(4)
    return link


def drain(links: list[socket.socket]) -> None:
    """Throw away what the broker says."""
    for link in select.select(links, [], [], 0)[0]:
        with contextlib.suppress(BlockingIOError):
            link.recv(65_536)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--rate", type=float, default=10_000)
    parser.add_argument("--kind", choices=("floats", "meter"), default="floats")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    metrics = metrics_of(arguments.kind)
    nodes = [Node(index, metrics) for index in range(arguments.nodes)]
    links = [connected(arguments.port, f"publisher{index}") for index in range(CONNECTIONS)]
    began_s = time.monotonic() + PREPARE_S
    next_births_s = 0.0
    sent = turn = 0
    while True:
        now_s = time.monotonic()
        if now_s >= next_births_s:
            for index, node in enumerate(nodes):
                links[index % CONNECTIONS].sendall(node.births())
            next_births_s = now_s + (BIRTHS_EVERY_S if now_s > began_s else 1.0)
        due = int((now_s - began_s) * arguments.rate) - sent
        parts: list[list[bytes]] = [[] for _ in links]
        for _ in range(min(due, 2_000)):
            parts[turn % len(nodes) % CONNECTIONS].append(nodes[turn % len(nodes)].data())
            turn += 1
        sent += max(0, due)  # what a busy machine could not send is not sent later
        for link, part in zip(links, parts, strict=True):
            if part:
                link.sendall(b"".join(part))
        drain(links)
        time.sleep(max(0.0, now_s + TICK_S - time.monotonic()))


if __name__ == "__main__":
    main()
