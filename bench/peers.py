"""Peers: what one message of 50 values costs this gateway and other pipelines, in one run on the same broker load.

200 QoS 0 Sparkplug nodes, mosquitto, and a store that takes everything (bench/_sink.py) are the same for all; each
pipeline runs alone, and its CPU time (user + system of its process) is divided by the values that reached the store.
The gateway here decodes, checks, syncs to disk, and delivers; the others keep nothing and lose what is in memory when
they are killed. Node-RED comes from npm into .cache (Node.js is needed; without it that line says so).
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench._processes import REPO, cpu_s, free_port, program, rss_mb, wait_for
from bench._publisher import metrics_of

NODES = 200
VALUES = 50
RATE = {"shutan": 10_000, "naive_wide": 8_000, "naive_single": 2_000, "node_red": 12_000}
WARM_S = 6.0
MEASURE_S = 12.0
HERE = Path(__file__).parent
MODULES = REPO / ".cache/bench-node-red"

Command = Callable[[Path, int, int], tuple[list[str], dict[str, str]]]


def shutan(folder: Path, mqtt_port: int, sink_port: int) -> tuple[list[str], dict[str, str]]:
    """The gateway of this repository with an InfluxDB store."""
    config = folder / "gateway.toml"
    config.write_text(
        f'[gateway]\ndata_dir = "data"\n[mqtt]\nport = {mqtt_port}\n[http]\nport = 0\n'
        f'[[store]]\nname = "sink"\nkind = "influxdb"\nurl = "http://127.0.0.1:{sink_port}"\ndatabase = "d"\n'
    )
    return [sys.executable, "-m", "shutan_gateway.cli", "gateway", "--config", str(config)], {}


def naive(mode: str) -> Command:
    """Aiomqtt and influxdb-client Points: `wide` one Point a message, `single` one a metric."""

    def command(_folder: Path, mqtt_port: int, sink_port: int) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, "-m", "bench._naive", str(mqtt_port), str(sink_port), mode], {}

    return command


def node_red(folder: Path, mqtt_port: int, sink_port: int) -> tuple[list[str], dict[str, str]]:
    """Node-RED with a function that decodes and writes lines."""
    flow: list[dict[str, Any]] = [
        {"id": "t", "type": "tab", "label": "peer"},
        {"id": "b", "type": "mqtt-broker", "broker": "127.0.0.1", "port": mqtt_port, "cleansession": True},
        {
            "id": "in",
            "type": "mqtt in",
            "z": "t",
            "topic": "spBv1.0/#",
            "qos": "0",
            "datatype": "buffer",
            "broker": "b",
            "wires": [["f"]],
        },
        {
            "id": "f",
            "type": "function",
            "z": "t",
            "func": (HERE / "node_red/flow.js").read_text(),
            "outputs": 1,
            "wires": [["out"]],
        },
        {
            "id": "out",
            "type": "http request",
            "z": "t",
            "method": "POST",
            "ret": "txt",
            "wires": [[]],
            "url": f"http://127.0.0.1:{sink_port}/write?db=d",
        },
    ]
    (folder / "flows.json").write_text(json.dumps(flow))
    shutil.copy(HERE / "node_red/settings.js", MODULES / "settings.js")
    entry = MODULES / "node_modules/node-red/red.js"
    environment = {"PEER_FOLDER": str(folder), "PEER_UI_PORT": str(free_port())}
    return ["node", str(entry), "--settings", str(MODULES / "settings.js")], environment


def fetch_node_red() -> str:
    """Install Node-RED from npm into .cache; returns why it is not there, "" when it is."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "not run: Node.js with npm is not on this machine"
    stamp = MODULES / "package-lock.json"
    if stamp.is_file() and stamp.read_bytes() == (HERE / "node_red/package-lock.json").read_bytes():
        return ""
    MODULES.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "node_red/package.json", MODULES)
    shutil.copy(HERE / "node_red/package-lock.json", MODULES)
    install = ["npm", "ci", "--no-audit", "--no-fund", "--omit=optional"]
    done = subprocess.run(install, cwd=MODULES, capture_output=True, text=True, check=False)
    if done.returncode:
        stamp.unlink(missing_ok=True)
        return f"not run: npm ci failed: {done.stderr.strip().splitlines()[-1:]}"
    return ""


def lines(port: int) -> int:
    """Lines that the sink has taken."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count", timeout=10) as answer:
        return int(json.load(answer)["lines"])


def measure(name: str, command: Command, kind: str, values_per_line: float) -> dict[str, float]:
    """CPU of one pipeline per value, and its memory."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shutan-bench-")))
        mqtt_port, sink_port = free_port(), free_port()
        broker = folder / "mosquitto.conf"
        broker.write_text(
            f"listener {mqtt_port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 1000\nset_tcp_nodelay true\n"
        )
        mosquitto = [str(REPO / ".tools/bin/mosquitto"), "-c", str(broker)]
        wait_for(mqtt_port, stack.enter_context(program(mosquitto, folder / "mosquitto.log")))
        sink = [sys.executable, "-m", "bench._sink", str(sink_port)]
        wait_for(sink_port, stack.enter_context(program(sink, folder / "sink.log")))
        line, environment = command(folder, mqtt_port, sink_port)
        peer = stack.enter_context(program(line, folder / "peer.log", environment))
        publisher = [sys.executable, "-m", "bench._publisher", "--port", str(mqtt_port), "--nodes", str(NODES)]
        publisher += ["--rate", str(RATE[name]), "--kind", kind]
        stack.enter_context(program(publisher, folder / "publisher.log"))
        wait_for_lines(sink_port, folder)
        time.sleep(WARM_S)
        cpu, wall, before = cpu_s(peer.pid), time.monotonic(), lines(sink_port)
        time.sleep(MEASURE_S)
        cpu, wall, after = cpu_s(peer.pid) - cpu, time.monotonic() - wall, lines(sink_port)
        values = (after - before) * values_per_line
        return {
            "values_per_cpu_s": round(values / cpu),
            "cpu_us_per_message": round(cpu / values * VALUES * 1e6, 1),
            "messages_per_s_wall": round(values / VALUES / wall),
            "cpu_share_percent": round(100 * cpu / wall),
            "rss_mb": rss_mb(peer.pid),
        }


def wait_for_lines(port: int, folder: Path) -> None:
    """Until the first line arrives. Raises RuntimeError with the pipeline's own last words."""
    end_s = time.monotonic() + 60
    while lines(port) == 0:
        if time.monotonic() > end_s:
            raise RuntimeError((folder / "peer.log").read_text()[-2000:])
        time.sleep(0.2)


# Each with its lines a message; None: one for each family of measurements.
PIPELINES: dict[str, tuple[Command, int | None]] = {
    "shutan": (shutan, None),
    "naive_wide": (naive("wide"), 1),
    "naive_single": (naive("single"), VALUES),
    "node_red": (node_red, 1),
}


def main() -> dict[str, int | float | str]:
    """All pipelines with both kinds of payload; figure -> value. Ratios: values per CPU-second, this gateway's = 1."""
    figures: dict[str, int | float | str] = {"nodes": NODES, "values_per_message": VALUES, "cores": os.cpu_count() or 0}
    missing = fetch_node_red()
    for kind in ("floats", "meter"):
        own = 0.0
        families = len({metric.family for metric in metrics_of(kind)})
        for name, (command, lines_a_message) in PIPELINES.items():
            if name == "node_red" and missing:
                figures[f"{kind}_{name}"] = missing
                continue
            found = measure(name, command, kind, VALUES / (lines_a_message or families))
            figures |= {f"{kind}_{name}_{key}": value for key, value in found.items()}
            own = own or found["values_per_cpu_s"]
            if name != "shutan":
                figures[f"{kind}_shutan_is_times_{name}"] = round(own / found["values_per_cpu_s"], 1)
    return figures


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
