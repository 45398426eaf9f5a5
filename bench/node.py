"""Node: heap of the real firmware on the 32-bit port, time and heap of one message, bytes of flash a value.

3 three-phase meters with 60 metrics, a real broker and a host that acknowledges, `-X heapsize=100k` (an ESP32 without
PSRAM), TLS off. On the way: first start with its check of the configuration, births, live data, ten seconds without the
broker (records go to flash), replay, a rebirth. The peak is the highest `gc.mem_alloc()`, garbage included, with a
collection every 2 KB. `heap_peak_b`: the .mpy files run in place out of a ROM image, as from an ESP32's `romfs`
partition; `heap_peak_loaded_b`: they are loaded into the heap. `smallest_heap_kb` is a hard witness of the former.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
for _folder in ("tests", "scripts"):
    sys.path.insert(0, str(REPO / _folder))

import build_node  # noqa: E402 - the folder is known only now
from support.hosts import FakeHost  # noqa: E402
from support.nodes import HAL, ModbusBus, Node, TimeServer  # noqa: E402
from support.places import tool  # noqa: E402
from support.servers import Server, mosquitto  # noqa: E402

KB = 1024
BARS = {
    "heap_peak_b": ("at most", 70 * KB),
    "encode_50_alloc_b": ("at most", 0),
}
METRICS = (
    "active_energy_import_wh",
    "active_energy_export_wh",
    "reactive_energy_import_varh",
    "reactive_energy_export_varh",
    "active_power_w",
    "power_factor",
    "frequency_hz",
    "voltage_l1_v",
    "voltage_l2_v",
    "voltage_l3_v",
    "current_l1_a",
    "current_l2_a",
    "current_l3_a",
    "active_power_l1_w",
    "active_power_l2_w",
    "active_power_l3_w",
    "reactive_power_var",
    "apparent_power_va",
    "current_n_a",
    "voltage_l1_l2_v",
)
UNITS = (1, 2, 3)
NAME = "n01"
RATE = 4
SMALLEST_KB = (64,)


# Runs on MicroPython: time and heap of one DDATA of 50 metrics, from a record's body to the MQTT packet.
PROGRAM = """\
import gc
import json
import time

from shutan_node import record
from shutan_node.clock import Clock
from shutan_node.columns import Columns
from shutan_node.edge import Edge

METRICS = 50
ROUNDS = 400


def columns():
    found = Columns(1, "m", " ".join(["x"] * METRICS), bytes(range(1, METRICS + 1)), b"\\x09" * METRICS)
    for column in range(METRICS):
        found.set(column, 230.0 + column / 7)
    found.relative = False
    found.time_ms = 1780000000123
    found.select(None, 0, 0)
    return found


clock = Clock(lambda: 0)
clock.set(1780000000123)
device = columns()
node = Columns(0, None, "x", b"\\x01", b"\\x09")
edge = Edge("spBv1.0/site/", "node", [node, device], None, clock, 2048)
buffer = memoryview(bytearray(1000))
size = record.encode(buffer, device)
body = buffer[:size]

gc.collect()
gc.disable()
before = gc.mem_alloc()
record.emit(body, device, edge.writer, False)
payload_b = gc.mem_alloc() - before
edge.writer.reset()
before = gc.mem_alloc()
packet = edge.data(1000000, body, False)
message_b = gc.mem_alloc() - before
gc.enable()

start = time.ticks_us()
for number in range(ROUNDS):
    edge.data(1000000 + number, body, False)
took = time.ticks_diff(time.ticks_us(), start)
print(
    json.dumps(
        {
            "encode_50_us": took / ROUNDS,
            "encode_50_alloc_b": payload_b,
            "message_50_alloc_b": message_b,
            "message_50_b": len(packet),
            "body_50_b": size,
        }
    )
)
"""


def _config(broker: Server, clock: TimeServer) -> dict[str, object]:
    devices: list[dict[str, object]] = [
        {
            "device": f"m{unit}",
            "bus": "b",
            "profile": "eastron_sdm630",
            "address": str(unit),
            "interval_s": 2,
            "metrics": {metric: dict[str, float]() for metric in METRICS},
        }
        for unit in UNITS
    ]
    return {
        "site": "bench",
        "node": NAME,
        "broker": {"host": broker.host, "port": broker.port, "keepalive_s": 10},
        "time": {"host": "127.0.0.1", "port": clock.port},
        "buses": [{"id": "b", "uart": 1, "baud": 9600}],
        "devices": devices,
        "node_interval_s": 20,
    }


def _life(folder: Path, heap: str, *, rom: bool) -> tuple[int, float]:
    """(heap peak, bytes of flash a value) of one run through everything that a node does."""
    with (
        mosquitto(folder) as broker,
        TimeServer(RATE) as clock,
        ModbusBus(UNITS) as bus,
        FakeHost(broker.port) as host,
    ):
        node = Node(folder / "node", _config(broker, clock), heap=heap, rom=rom)
        node.uart(1, bus.path, RATE)
        with node:
            view = host.nodes[NAME]
            host.wait(lambda: view.watermark > 20, "live records")
            broker.kill()
            node.wait("journal", 2, 60)
            flash_b = sum(path.stat().st_size for path in (node.folder / "journal").glob("0*"))
            values = sum(len(METRICS) for _ in range(node.last["journaled"] - node.last["acked"]))
            broker.start()
            host.wait(lambda: view.watermark > node.last["journaled"] > 20, "the replay", 60)
            host.rebirth(NAME)
            births = len(view.births)
            host.wait(lambda: len(view.births) >= births + 1 + len(UNITS), "births on command")
            host.wait(lambda: view.watermark == max(view.held), "everything")
            node.wait("ack", len(node.said("ack")) + 1)
            return int(node.last["heap_peak"]), flash_b / max(1, values)


def _encode() -> Mapping[str, float]:
    with tempfile.TemporaryDirectory(prefix="shutan-bench-") as name:
        folder = Path(name)
        build_node.build(folder)
        path = os.pathsep.join((str(folder), str(HAL), ".frozen"))
        program = folder / "encode.py"
        program.write_text(PROGRAM, encoding="utf-8")
        command = [str(tool("micropython32")), "-X", "heapsize=100k", str(program)]
        done = subprocess.run(
            command, env={**os.environ, "MICROPYPATH": path}, capture_output=True, text=True, check=True
        )
        return {key: round(value, 1) for key, value in json.loads(done.stdout).items()}


def _fits(heap_kb: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="shutan-bench-") as folder:
        try:
            _life(Path(folder), f"{heap_kb}k", rom=True)
        except AssertionError:
            return False
    return True


def main() -> Mapping[str, int | float | str]:
    """Measure; see the module."""
    with tempfile.TemporaryDirectory(prefix="shutan-bench-") as folder:
        peak, flash = _life(Path(folder), "100k", rom=True)
    with tempfile.TemporaryDirectory(prefix="shutan-bench-") as folder:
        loaded, _ = _life(Path(folder), "100k", rom=False)
    smallest = 100
    for heap_kb in SMALLEST_KB:
        if not _fits(heap_kb):
            break
        smallest = heap_kb
    return {
        "heap_peak_b": peak,
        "heap_peak_loaded_b": loaded,
        "smallest_heap_kb": smallest,
        "journal_b_per_value": round(flash, 2),
        **_encode(),
    }
