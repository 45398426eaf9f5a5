"""Gateway: values per CPU-second from socket to line protocol, its share of a core, memory, fsyncs, times, catch-up.

Real mosquitto, the real `shutan gateway` with fdatasync before each acknowledgement, 200 QoS 0 Sparkplug nodes with
record numbers in a process of their own (bench/_load.py), and an InfluxDB store that takes everything (bench/_sink.py),
so that lines are really written and posted. CPU time is user + system of the gateway's whole process from /proc; a
message counts when it is in the store. Payloads: `floats` 50 gauges (two families, so two lines), `mixed` 12 counters
and 38 gauges (one line), `one` a single gauge; `json` and `json_one` the same values from plain devices at QoS 1
through the JSON adapter (bench/_json_load.py). Times are bucket ends of the histograms on /metrics.
"""

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import NamedTuple

from bench import _json_load
from bench._processes import REPO, cpu_s, free_port, numbers, program, rss_mb, wait_for

NODES = 200
WINDOW = 400
FULL = 20_000.0  # messages a second
WARM_S = 6.0
MEASURE_S = 10.0
TICK_S = 0.02  # default of intake.tick_ms
OUTAGE_S = 40.0
LIVE = 1_000.0
JSON_RATE = 400.0
VALUES = {"floats": 50, "mixed": 50, "one": 1, "json": 50, "json_one": 1}

BARS = {
    "floats_values_per_cpu_s": ("at least", 3_000_000),
    "mixed_values_per_cpu_s": ("at least", 3_000_000),
    "steady_cpu_share_percent": ("at most", 25),
    "steady_rss_mb": ("at most", 80),
    "low_fsyncs_per_s": ("at most", 100),
    "steady_fsyncs_per_s": ("at most", 100),
    "mixed_fsyncs_per_s": ("at most", 100),
    "steady_receive_to_durable_of_allowed": ("at most", 1.0),
    "steady_durable_to_store_p99_ms": ("at most", 200),
    "catch_up_over_live": ("at least", 10),
    "catch_up_rss_grows_mb": ("at most", 15),
}

Numbers = Mapping[str, float]


class Plant(NamedTuple):
    """A broker and a gateway that run: folder, ports, process id of the gateway."""

    folder: Path
    mqtt_port: int
    http_port: int
    sink_port: int
    pid: int


@contextlib.contextmanager
def plant(adapter: str = "") -> Generator[Plant]:
    """Broker and gateway, with the settings of an adapter, in a temporary folder; the store is not there yet."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shutan-bench-")))
        mqtt_port, http_port, sink_port = free_port(), free_port(), free_port()
        broker = folder / "mosquitto.conf"
        broker.write_text(
            f"listener {mqtt_port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\nset_tcp_nodelay true\n"
        )
        config = folder / "gateway.toml"
        config.write_text(
            f'[gateway]\ndata_dir = "data"\n[mqtt]\nport = {mqtt_port}\n[http]\nport = {http_port}\n'
            f'[[store]]\nname = "sink"\nkind = "influxdb"\nurl = "http://127.0.0.1:{sink_port}"\n'
            f'database = "d"\n{adapter}'
        )
        mosquitto = [str(REPO / ".tools/bin/mosquitto"), "-c", str(broker)]
        wait_for(mqtt_port, stack.enter_context(program(mosquitto, folder / "mosquitto.log")))
        command = [sys.executable, "-m", "shutan_gateway.cli", "gateway", "--config", str(config)]
        gateway = stack.enter_context(program(command, folder / "gateway.log"))
        wait_for(http_port, gateway)
        yield Plant(folder, mqtt_port, http_port, sink_port, gateway.pid)


@contextlib.contextmanager
def sink(place: Plant) -> Generator[None]:
    """The store."""
    with program([sys.executable, "-m", "bench._sink", str(place.sink_port)], place.folder / "sink.log") as process:
        wait_for(place.sink_port, process)
        yield


def load(place: Plant, kind: str, rate: float) -> contextlib.AbstractContextManager[object]:
    """The nodes, or the plain devices."""
    if kind.startswith("json"):
        plain = ["--port", str(place.mqtt_port), "--rate", str(rate), "--kind", kind]
        return program([sys.executable, "-m", "bench._json_load", *plain], place.folder / "load.json")
    command = [sys.executable, "-m", "bench._load", "--port", str(place.mqtt_port), "--nodes", str(NODES)]
    command += ["--window", str(WINDOW), "--rate", str(rate), "--kind", kind]
    return program(command, place.folder / "load.json")


def stored(found: Numbers) -> float:
    """Records in the store."""
    return found['shutan_store_stored_total{store="sink"}']


def p99_s(before: Numbers, after: Numbers, name: str) -> float:
    """99th percentile of what a histogram observed between two moments: the end of its bucket."""
    counts = sorted(
        (float(key.split('le="')[1].split('"')[0]), n - before.get(key, 0))
        for key, n in after.items()
        if key.startswith(f"{name}_bucket")
    )
    return next((end for end, n in counts if n >= 0.99 * counts[-1][1]), 0.0)


def fsyncs(found: Numbers) -> float:
    """All that the process has synced."""
    return sum(n for key, n in found.items() if key.startswith("shutan_fsyncs_total"))


def measure(kind: str, rate: float) -> dict[str, int | float]:
    """One run; figures without its name."""
    adapter = _json_load.adapter(kind) if kind.startswith("json") else ""
    with plant(adapter) as place, sink(place), load(place, kind, rate):
        time.sleep(WARM_S)
        cpu, wall, before = cpu_s(place.pid), time.monotonic(), numbers(place.http_port)
        time.sleep(MEASURE_S)
        cpu, wall, after = cpu_s(place.pid) - cpu, time.monotonic() - wall, numbers(place.http_port)
        rss = rss_mb(place.pid)
    done = stored(after) - stored(before)
    sync_s = p99_s(before, after, "shutan_spool_sync_seconds")
    durable_s = p99_s(before, after, "shutan_receive_to_durable_seconds")
    return {
        "values_per_cpu_s": round(done * VALUES[kind] / cpu),
        "cpu_us_per_message": round(cpu / max(done, 1) * 1e6, 1),
        "messages_per_s_wall": round(done / wall),
        "cpu_share_percent": round(100 * cpu / wall, 1),
        "rss_mb": rss,
        "fsyncs_per_s": round((fsyncs(after) - fsyncs(before)) / wall, 1),
        "spool_sync_p99_ms": round(1000 * sync_s, 1),
        "receive_to_durable_p99_ms": round(1000 * durable_s, 1),
        "receive_to_durable_of_allowed": round(durable_s / (TICK_S + 2 * sync_s), 2),
        "durable_to_store_p99_ms": round(1000 * p99_s(before, after, "shutan_durable_to_store_seconds"), 1),
    }


def catch_up() -> dict[str, int | float]:
    """A store that comes back after an outage, while the nodes go on: how fast the backlog goes, and the memory."""
    with plant() as place, load(place, "mixed", LIVE):
        time.sleep(OUTAGE_S)
        rss, before = rss_mb(place.pid), numbers(place.http_port)
        with sink(place):
            while stored(numbers(place.http_port)) <= stored(before):
                time.sleep(0.02)
            began_s, first = time.monotonic(), stored(numbers(place.http_port))
            while (now := numbers(place.http_port))['shutan_store_pending{store="sink"}'] > LIVE / 2:
                time.sleep(0.02)
            took_s = time.monotonic() - began_s
        backlog = int(before['shutan_store_pending{store="sink"}'])
        return {
            "backlog_messages": backlog,
            "drained_messages_per_s": round((stored(now) - first) / took_s),
            "over_live": round((stored(now) - first) / took_s / LIVE, 1),
            "rss_grows_mb": round(rss_mb(place.pid) - rss, 1),
        }


def main() -> dict[str, int | float | str]:
    """All runs; figure -> value."""
    figures: dict[str, int | float | str] = {"nodes": NODES}
    runs = (("floats", "floats", FULL), ("mixed", "mixed", FULL), ("one", "one", FULL))
    runs += (("json", "json", JSON_RATE), ("json_one", "json_one", JSON_RATE))
    for name, kind, rate in (*runs, ("steady", "mixed", 10_000.0), ("low", "mixed", 100.0)):
        figures |= {f"{name}_{key}": value for key, value in measure(kind, rate).items()}
    return figures | {f"catch_up_{key}": value for key, value in catch_up().items()}


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
