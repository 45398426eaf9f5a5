"""Load generator: many QoS 0 Sparkplug nodes with record numbers in one process, over raw sockets.

Each node has one device of 50 metrics: 12 counters and 38 gauges (`mixed`), or 50 gauges (`floats`), or one gauge
(`one`). Payloads are joined from parts that were encoded before, and one loop serves all sockets every few
milliseconds, so that the generator costs less than what it measures. A node keeps at most `window` records
unacknowledged, honours acknowledgements and rebirth commands, and sends again from the acknowledged record when nothing
advances. Run as a process of its own: `python -m bench._load --port P --nodes N --window W`; it ends on SIGTERM, or
with `--records` when so many of each node are acknowledged, and prints JSON.
"""

import argparse
import contextlib
import json
import random
import select
import signal
import socket
import struct
import sys
import threading
import time

from shutan_wire import catalogue, ids, mqtt, records
from shutan_wire import datatypes as dt
from shutan_wire.decode import decode_payload
from shutan_wire.encode import encode_payload
from shutan_wire.model import Metric, Payload

SITE = "bench"
DEVICE = "m1"
COUNTERS, GAUGES = 12, 38
FIRST_RECORD = 3_000_000  # four varint bytes, as a node in its second year
VARIANTS = 8
RESEND_S = 10.0
BURST = 100
PACE_S = 0.005
OUT_BYTES = 200_000  # unsent bytes of a node above which it makes no more
CONNECTING = 20  # sessions begun at once


def varint(value: int) -> bytes:
    """Protobuf varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def chosen_metrics(kind: str = "mixed") -> list[catalogue.Metric]:
    """Metrics of a three-phase meter: 50, or one; `floats` takes the last few of 50 gauges from the environment."""
    energy = [metric for metric in catalogue.all_metrics() if metric.family == "energy"]
    counters = [metric for metric in energy if metric.kind == "counter"]
    gauges = [metric for metric in energy if metric.kind == "gauge"]
    if kind == "one":
        return gauges[:1]
    if kind == "floats":
        air = [metric for metric in catalogue.all_metrics() if metric.family == "environment"]
        return [*gauges, *air][: COUNTERS + GAUGES]
    return counters[:COUNTERS] + gauges[:GAUGES]


MARK_T, MARK_N, MARK_S = 0x1F_FFFF_FFFF, 0x0F_FFFF, 77  # replaced in the encoded template


class Template:
    """A DATA payload cut at its times, record number and sequence number."""

    def __init__(self, chance: random.Random, metrics: list[catalogue.Metric], registers: list[int]) -> None:
        stamp = 0x18, varint(1_700_000_000_001)
        parts = [b"\x08" + stamp[1]]
        parts.append(self._metric(256, b"\x58" + varint(FIRST_RECORD), stamp[1]))
        self._heads: dict[int, bytes] = {}
        counted = iter(registers)
        for metric in metrics:
            if metric.kind == "counter":
                value = b"\x58" + varint(next(counted) + chance.randrange(1000))
            else:
                low, high = max(metric.low, -400.0), min(metric.high, 400.0)
                value = b"\x65" + struct.pack("<f", chance.uniform(low, high))
            parts.append(self._metric(256 + metric.id, value, stamp[1]))
        whole = b"".join(parts)
        head, _, rest = whole.partition(b"\x58" + varint(FIRST_RECORD))
        self._before = head.split(stamp[1])
        self._after = rest.split(stamp[1])

    @staticmethod
    def _metric(alias: int, value: bytes, stamp: bytes) -> bytes:
        body = b"\x10" + varint(alias) + b"\x18" + stamp + value
        return b"\x12" + varint(len(body)) + body

    def payload(self, time_ms: int, record: int, seq: int) -> bytes:
        """One payload."""
        stamp = varint(time_ms)
        return b"".join(
            (
                stamp.join(self._before),
                b"\x58",
                varint(record),
                stamp.join(self._after),
                b"\x18",
                varint(seq),
            )
        )

    def packet(self, topic: str, time_ms: int, record: int, seq: int) -> bytes:
        """One payload as a PUBLISH at QoS 0."""
        payload = self.payload(time_ms, record, seq)
        head = self._heads.get(len(payload))
        if head is None:
            head = self._heads[len(payload)] = mqtt.publish(topic, payload)[: -len(payload)]
        return head + payload


class Node:
    """One edge node: session, window of unacknowledged records, acknowledgements."""

    def __init__(self, index: int, window: int, rate: float, metrics: list[catalogue.Metric]) -> None:
        self.name = f"n{index:03d}"
        self.window = window
        self.rate = rate
        self.first = FIRST_RECORD  # numbers of the first and the last record that this node makes
        self.last = 1 << 62
        self.resend_s = RESEND_S
        self.began_s = 0.0
        self.metrics = metrics
        self.chance = random.Random(index)  # noqa: S311 - a load that comes out the same each time
        # Registers of any size: their varints differ in length from meter to meter, as in a factory.
        registers = [self.chance.randrange(1 << self.chance.randrange(8, 40)) for _ in range(COUNTERS)]
        self.templates = [Template(self.chance, metrics, registers) for _ in range(VARIANTS)]
        self.store = self.chance.getrandbits(64)
        self.next = FIRST_RECORD
        self.acked = FIRST_RECORD - 1
        self.newest = FIRST_RECORD - 1
        self.seq = 0
        self.time_ms = 0
        self.sent = self.resent = self.rebirths = 0
        self.moved_s = time.monotonic()
        self.decoder = mqtt.PacketDecoder()
        self.out = bytearray()
        self.born = False
        self.data_topic = ids.topic(SITE, ids.DDATA, self.name, DEVICE)

    def go_on(self, made: int, records_each: int, resend_s: float) -> None:
        """Begin behind `made` records of a life before, make `records_each` more."""
        self.first = self.next = FIRST_RECORD + made
        self.acked = self.newest = self.first - 1
        self.last = self.acked + records_each
        self.resend_s = resend_s

    def birth(self) -> bytes:
        """NBIRTH and DBIRTH packets."""
        now = time.time_ns() // 1_000_000
        facts = (
            (records.BDSEQ, dt.INT64, 0),
            (records.REBIRTH, dt.BOOLEAN, False),
            (records.STORE_ID, dt.UINT64, self.store),
            (records.BOOT_ID, dt.UINT64, self.store ^ 1),
            (records.STORE_FIRST, dt.UINT64, self.acked + 1),
        )
        node = [Metric(name, timestamp=now, datatype=kind, value=value) for name, kind, value in facts]
        node.append(Metric(records.RECORD, alias=0, timestamp=now, datatype=dt.UINT64, value=0))
        device = [Metric(records.RECORD, alias=256, timestamp=now, datatype=dt.UINT64, value=0)]
        for metric in self.metrics:
            zero = 0 if metric.datatype == dt.UINT64 else 0.0
            device.append(Metric(metric.name, 256 + metric.id, now, metric.datatype, zero))
        self.seq = 2
        return mqtt.publish(
            ids.topic(SITE, ids.NBIRTH, self.name), encode_payload(Payload(now, node, seq=0))
        ) + mqtt.publish(ids.topic(SITE, ids.DBIRTH, self.name, DEVICE), encode_payload(Payload(now, device, seq=1)))

    def burst(self) -> bytes:
        """The next few DATA packets, empty while the window is full."""
        now_s = time.monotonic()
        if now_s - self.moved_s > self.resend_s and self.next > self.acked + 1:
            self.resent += self.next - self.acked - 1
            self.next = self.acked + 1
            self.moved_s = now_s
        out: list[bytes] = []
        self.began_s = self.began_s or now_s
        allowed = self.first + self.rate * (now_s - self.began_s)
        while len(out) < BURST and self.next <= min(self.acked + self.window, allowed, self.last):
            # A sample time belongs to its record, also when the record is sent again.
            time_ms = 1_780_000_000_000 + self.next * 100
            template = self.templates[self.next % VARIANTS]
            out.append(template.packet(self.data_topic, time_ms, self.next, self.seq))
            self.seq = (self.seq + 1) & 255
            self.next += 1
        self.newest = max(self.newest, self.next - 1)
        self.sent += len(out)
        return b"".join(out)

    def command(self, payload: bytes) -> bytes:
        """Take an NCMD; returns what to send at once."""
        found = {metric.name: metric.value for metric in decode_payload(payload).metrics}
        if found.get(records.REBIRTH) is True:
            self.rebirths += 1
            return self.birth()
        upto = found.get(records.ACK)
        if found.get(records.ACK_STORE) == self.store and isinstance(upto, int) and self.acked < upto <= self.newest:
            self.acked = upto
            self.next = max(self.next, upto + 1)
            self.moved_s = time.monotonic()
        return b""

    def connect(self, port: int) -> socket.socket:
        """Open the session and ask for commands."""
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        death = encode_payload(Payload(None, [Metric(records.BDSEQ, datatype=dt.INT64, value=0)]))
        will = (ids.topic(SITE, ids.NDEATH, self.name), death, 1, False)
        self.socket.sendall(mqtt.connect(self.name, 60, will=will))
        self.socket.sendall(mqtt.subscribe(1, [(ids.topic(SITE, ids.NCMD, self.name), 1)]))
        self.socket.setblocking(False)
        return self.socket

    def receive(self) -> None:
        """Take what came: the answer to SUBSCRIBE, commands."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"{self.name}: broker closed the connection")
        self.decoder.feed(data)
        for kind, flags, body in self.decoder.packets():
            if kind == mqtt.SUBACK:
                self.born = True
                self.out += self.birth()
            elif kind == mqtt.PUBLISH:
                self.out += self.command(mqtt.parse_publish(flags, body)[1])

    def send(self) -> None:
        """Send what is due, as far as the socket takes it."""
        if self.born and len(self.out) < OUT_BYTES and self.acked < self.last:
            self.out += self.burst()
        if self.out:
            with contextlib.suppress(BlockingIOError):
                del self.out[: self.socket.send(self.out)]


def load(
    port: int,
    count: int,
    window: int,
    rate: float,
    *,
    kind: str = "mixed",
    made: int = 0,
    records_each: int = 1 << 61,
    resend_s: float = RESEND_S,
) -> dict[str, int]:
    """Run all nodes until SIGTERM or until each has `records_each` acknowledged; totals."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    metrics = chosen_metrics(kind)
    nodes = [Node(index, window, rate / count, metrics) for index in range(count)]
    poll = select.epoll()
    by_socket: dict[int, Node] = {}
    left = list(nodes)
    while not stop.is_set() and any(node.acked < node.last for node in nodes):
        next_s = time.monotonic() + PACE_S
        for node in left[:CONNECTING]:
            node.go_on(made, records_each, resend_s)
            by_socket[node.connect(port).fileno()] = node
            poll.register(node.socket, select.EPOLLIN)
        del left[:CONNECTING]
        for descriptor, _ in poll.poll(0):
            by_socket[descriptor].receive()
        for node in by_socket.values():
            node.send()
        stop.wait(next_s - time.monotonic())
    for node in by_socket.values():
        with contextlib.suppress(OSError):
            node.socket.send(mqtt.DISCONNECT)
            node.socket.close()
    return {
        "sent": sum(node.sent for node in nodes),
        "resent": sum(node.resent for node in nodes),
        "rebirths": sum(node.rebirths for node in nodes),
        "acked": sum(node.acked - node.first + 1 for node in nodes),
        "newest": sum(node.newest - node.first + 1 for node in nodes),
    }


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench._load")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--window", type=int, default=300, help="records a node keeps unacknowledged")
    parser.add_argument("--rate", type=float, default=1e9, help="messages a second of all nodes together")
    parser.add_argument("--made", type=int, default=0, help="records that each node has made in a life before")
    parser.add_argument("--records", type=int, default=1 << 61, help="records of each node; then it ends by itself")
    parser.add_argument("--resend-s", type=float, default=RESEND_S, help="without an acknowledgement for so long")
    parser.add_argument("--kind", choices=("mixed", "floats", "one"), default="mixed", help="what a payload holds")
    told = parser.parse_args()
    done = load(
        told.port,
        told.nodes,
        told.window,
        told.rate,
        kind=told.kind,
        made=told.made,
        records_each=told.records,
        resend_s=told.resend_s,
    )
    print(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
