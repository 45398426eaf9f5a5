"""Load generator: many QoS 0 Sparkplug nodes with record numbers in one process, over raw sockets.

Each node has one device of 50 metrics (12 counters, 38 gauges). Payloads are joined from parts that were encoded
before, so that the generator costs less than what it measures. A node keeps at most `window` records unacknowledged,
honours acknowledgements and rebirth commands, and sends again from the acknowledged record when nothing advances.
Run as a process of its own: `python -m bench._load --port P --nodes N --window W`; it ends on SIGTERM, or
with `--records` when so many of each node are acknowledged, and prints JSON.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import struct
import sys
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
BURST = 20


def varint(value: int) -> bytes:
    """Protobuf varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def chosen_metrics() -> list[catalogue.Metric]:
    """50 metrics of a three-phase meter."""
    energy = [metric for metric in catalogue.all_metrics() if metric.family == "energy"]
    counters = [metric for metric in energy if metric.kind == "counter"][:COUNTERS]
    gauges = [metric for metric in energy if metric.kind == "gauge"][:GAUGES]
    return counters + gauges


MARK_T, MARK_N, MARK_S = 0x1F_FFFF_FFFF, 0x0F_FFFF, 77  # replaced in the encoded template


class Template:
    """A DATA payload cut at its times, record number and sequence number."""

    def __init__(self, chance: random.Random, metrics: list[catalogue.Metric], registers: list[int]) -> None:
        stamp = 0x18, varint(1_700_000_000_001)
        parts = [b"\x08" + stamp[1]]
        parts.append(self._metric(256, b"\x58" + varint(FIRST_RECORD), stamp[1]))
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


class Node:
    """One edge node: session, window of unacknowledged records, acknowledgements."""

    def __init__(self, index: int, window: int, rate: float, metrics: list[catalogue.Metric]) -> None:
        self.name = f"n{index:03d}"
        self.window = window
        self.rate = rate
        self.last = 1 << 62  # number of the last record that this node makes
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
        self.data_topic = ids.topic(SITE, ids.DDATA, self.name, DEVICE)

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
        allowed = FIRST_RECORD + self.rate * (now_s - self.began_s)
        while len(out) < BURST and self.next <= min(self.acked + self.window, allowed, self.last):
            # A sample time belongs to its record, also when the record is sent again.
            time_ms = 1_780_000_000_000 + self.next * 100
            template = self.templates[self.next % VARIANTS]
            out.append(mqtt.publish(self.data_topic, template.payload(time_ms, self.next, self.seq)))
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

    async def run(self, port: int, stop: asyncio.Event) -> None:
        """Session until stop."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        death = encode_payload(Payload(None, [Metric(records.BDSEQ, datatype=dt.INT64, value=0)]))
        will = (ids.topic(SITE, ids.NDEATH, self.name), death, 1, False)
        writer.write(mqtt.connect(self.name, 60, will=will))
        writer.write(mqtt.subscribe(1, [(ids.topic(SITE, ids.NCMD, self.name), 1)]))
        decoder = mqtt.PacketDecoder()
        born = False
        receive = asyncio.ensure_future(reader.read(65536))
        while not stop.is_set() and self.acked < self.last:
            done, _ = await asyncio.wait({receive}, timeout=0.005 if born else None)
            if done:
                data = receive.result()
                if not data:
                    raise ConnectionError(f"{self.name}: broker closed the connection")
                receive = asyncio.ensure_future(reader.read(65536))
                decoder.feed(data)
                for kind, flags, body in decoder.packets():
                    if kind == mqtt.SUBACK:
                        born = True
                        writer.write(self.birth())
                    elif kind == mqtt.PUBLISH:
                        writer.write(self.command(mqtt.parse_publish(flags, body)[1]))
            if born:
                writer.write(self.burst())
            await writer.drain()
        receive.cancel()
        writer.write(mqtt.DISCONNECT)
        with contextlib.suppress(OSError):
            await writer.drain()
            writer.close()
            await writer.wait_closed()


async def load(
    port: int, count: int, window: int, rate: float, *, records_each: int = 1 << 61, resend_s: float = RESEND_S
) -> dict[str, int]:
    """Run all nodes until SIGTERM or until each has `records_each` acknowledged; totals."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    metrics = chosen_metrics()
    nodes = [Node(index, window, rate / count, metrics) for index in range(count)]
    for node in nodes:
        node.last, node.resend_s = FIRST_RECORD + records_each - 1, resend_s
    await asyncio.gather(*[node.run(port, stop) for node in nodes])
    return {
        "sent": sum(node.sent for node in nodes),
        "resent": sum(node.resent for node in nodes),
        "rebirths": sum(node.rebirths for node in nodes),
        "acked": sum(node.acked - FIRST_RECORD + 1 for node in nodes),
        "newest": sum(node.newest - FIRST_RECORD + 1 for node in nodes),
    }


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench._load")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--window", type=int, default=300, help="records a node keeps unacknowledged")
    parser.add_argument("--rate", type=float, default=1e9, help="messages a second of all nodes together")
    parser.add_argument("--records", type=int, default=1 << 61, help="records of each node; then it ends by itself")
    parser.add_argument("--resend-s", type=float, default=RESEND_S, help="without an acknowledgement for so long")
    told = parser.parse_args()
    done = load(told.port, told.nodes, told.window, told.rate, records_each=told.records, resend_s=told.resend_s)
    print(json.dumps(asyncio.run(done)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
