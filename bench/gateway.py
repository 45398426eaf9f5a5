"""Gateway: metric values per CPU-second of the gateway's process, durable and acknowledged, and its memory.

Real mosquitto, the real `shutan gateway` with fdatasync and acknowledgements, 64 QoS 0 nodes with record numbers in a
process of their own (bench/_load.py), 50 values a message. Measured twice: `spool` ends at the spool (no [[store]]), as
fast as the window of unacknowledged records allows; `sqlite` also delivers every record to the embedded store in the
same process, at a rate that it keeps up with. CPU time is user + system of the gateway from /proc; a value counts when
its record is committed (`sqlite`: when it is in the store).
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path

NODES = 64
WINDOW = 400
RATES = {"spool": 1e9, "sqlite": 5_000.0}  # messages a second; the store must keep up, or its work is not in the figure
WARM_S = 5.0
MEASURE_S = 15.0
VALUES = 50

BARS = {
    "spool_values_per_cpu_s": ("at least", 500_000),
    "spool_rss_mb": ("at most", 150),
    "sqlite_rss_mb": ("at most", 150),
}
REPO = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """A free TCP port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def program(command: list[str], log: Path) -> Generator[subprocess.Popen[bytes]]:
    """A program with its output in a file, ended by SIGTERM."""
    with log.open("wb") as out, subprocess.Popen(command, cwd=REPO, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a program listens."""
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on {port}")


def cpu_s(pid: int) -> float:
    """User and system CPU seconds of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Highest resident memory so far."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def numbers(port: int) -> dict[str, float]:
    """All lines of /metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def measure(folder: Path, *, store: bool) -> dict[str, int | float | str]:
    """One run; figures without the name of the run."""
    mqtt_port, http_port = free_port(), free_port()
    broker_file = folder / "mosquitto.conf"
    broker_file.write_text(
        f"listener {mqtt_port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\nset_tcp_nodelay true\n"
    )
    config = folder / "gateway.toml"
    text = f'[gateway]\ndata_dir = "data"\n[mqtt]\nport = {mqtt_port}\n[http]\nport = {http_port}\n'
    if store:
        text += '[[store]]\nname = "local"\nkind = "sqlite"\npath = "series.sqlite"\n'
    config.write_text(text)
    python = sys.executable
    with contextlib.ExitStack() as stack:
        mosquitto = [str(REPO / ".tools/bin/mosquitto"), "-c", str(broker_file)]
        wait_for(mqtt_port, stack.enter_context(program(mosquitto, folder / "mosquitto.log")))
        command = [python, "-m", "shutan_gateway.cli", "gateway", "--config", str(config)]
        gateway = stack.enter_context(program(command, folder / "gateway.log"))
        wait_for(http_port, gateway)
        load_log = folder / "load.json"
        load_command = [python, "-m", "bench._load", "--port", str(mqtt_port)]
        load_command += [
            "--nodes",
            str(NODES),
            "--window",
            str(WINDOW),
            "--rate",
            str(RATES["sqlite" if store else "spool"]),
        ]
        with program(load_command, load_log):
            time.sleep(WARM_S)
            cpu, wall, before = cpu_s(gateway.pid), time.monotonic(), numbers(http_port)
            time.sleep(MEASURE_S)
            cpu, wall, after = cpu_s(gateway.pid) - cpu, time.monotonic() - wall, numbers(http_port)
        load = json.loads(load_log.read_text())
        done = after["shutan_accepted_total"] - before["shutan_accepted_total"]
        if store:
            name = 'shutan_store_stored_total{store="local"}'
            done = min(done, after[name] - before[name])
        return {
            "values_per_cpu_s": round(done * VALUES / cpu),
            "cpu_us_per_message": round(cpu / max(done, 1) * 1e6, 1),
            "messages_per_s_wall": round(done / wall),
            "cpu_share_percent": round(100 * cpu / wall),
            "rss_mb": rss_mb(gateway.pid),
            "pending_at_the_end": int(after['shutan_store_pending{store="local"}']) if store else 0,
            "messages_acked": load["acked"],
            "messages_sent_again": load["resent"],
            "duplicates": int(after["shutan_duplicates_total"]),
            "syncs_per_s": round((after["shutan_spool_syncs_total"] - before["shutan_spool_syncs_total"]) / wall, 1),
        }


def main() -> dict[str, int | float | str]:
    """Both runs; figure -> value."""
    figures: dict[str, int | float | str] = {"nodes": NODES, "values_per_message": VALUES}
    for name, store in (("spool", False), ("sqlite", True)):
        with tempfile.TemporaryDirectory(prefix="shutan-bench-") as folder:
            figures |= {f"{name}_{key}": value for key, value in measure(Path(folder), store=store).items()}
    return figures


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
