"""Keep a data folder as an older commit of the gateway leaves it when it is killed, for the tests of an upgrade.

Usage: old_spool.py COMMIT FOLDER    writes FOLDER/<commit>.tar.xz and FOLDER/<commit>.json (what was sent)

The gateway of that commit runs with a real broker. Half of the records reach its SQLite store; then the store's file is
locked, so that the rest waits in the spool, and the gateway is killed (kill -9).
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.request import urlopen

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "tests"))

import paho.mqtt.client as paho  # noqa: E402 - behind the path
from paho.mqtt.enums import CallbackAPIVersion  # noqa: E402

from support.servers import free_port, mosquitto, wait_until  # noqa: E402
from support.sparkplug_node import T0_MS, Packet, Scalar, SparkplugNode  # noqa: E402

CONFIG = """\
[gateway]
data_dir = "data"
[mqtt]
port = {mqtt}
[spool]
segment_bytes = 65536
[http]
port = {http}
[[store]]
kind = "sqlite"
name = "local"
path = "series.sqlite"
"""
HALF = 40
Sent = list[tuple[str, str, int, int, float]]  # node, device, t_ms, energy, power


def messages(sent: Sent, first: int, own: SparkplugNode, foreign: SparkplugNode) -> list[Packet]:
    """Half of the data: an own node with record numbers, and a foreign one."""
    packets: list[Packet] = []
    if first == 1:  # the birth of the foreign node carries samples
        sent.append((foreign.name, "m1", T0_MS, 0, 0.0))
    for number in range(first, first + HALF):
        for node in (own, foreign):
            t_ms, energy, power = T0_MS + 1000 * number, 1000 * number, number / 2
            values: dict[str, Scalar] = {"active_energy_import_wh": energy, "active_power_w": power}
            packets.append(node.data("m1", values, stamp=t_ms))
            sent.append((node.name, "m1", t_ms, energy, power))
    return packets


@contextmanager
def old_gateway(tree: Path, folder: Path) -> Generator[subprocess.Popen[bytes]]:
    """The gateway of an older tree as a process; killed in the end."""
    environment = {**os.environ, "PYTHONPATH": f"{tree}/firmware:{tree}/gateway"}
    command = [sys.executable, "-m", "shutan_gateway.cli", "gateway", "--config", str(folder / "gateway.toml")]
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def numbers(port: int) -> dict[str, float]:
    """Lines of /metrics, {} while there are none."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def run(tree: Path, folder: Path, sent: Sent) -> None:
    """Fill a data folder with an older gateway."""
    with mosquitto(folder) as broker:
        http = free_port()
        (folder / "gateway.toml").write_text(CONFIG.format(mqtt=broker.port, http=http))
        own, foreign = SparkplugNode("n01"), SparkplugNode("n02", store=None)
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()

        def reaches(name: str, least: float) -> Callable[[], bool]:
            return lambda: numbers(http).get(name, -1) >= least

        def send(packets: list[Packet]) -> None:
            for topic, payload in packets:
                client.publish(topic, payload, qos=1).wait_for_publish(20)

        with old_gateway(tree, folder):
            wait_until(reaches("shutan_link_up", 1), 30, "the old gateway")
            send([*own.births(), *foreign.births(), *messages(sent, 1, own, foreign)])
            wait_until(reaches('shutan_store_stored_total{store="local"}', 2 * HALF + 1), 30, "the first half stored")
            with closing(sqlite3.connect(folder / "series.sqlite", isolation_level=None)) as lock:
                lock.execute("BEGIN EXCLUSIVE")
                send(messages(sent, 1 + HALF, own, foreign))
                wait_until(reaches("shutan_accepted_total", 4 * HALF + 1), 30, "the second half accepted")
                time.sleep(3)  # a checkpoint of its watermarks
        client.disconnect()
        client.loop_stop()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    git = ["git", "-C", str(REPO), "rev-parse", "--short=7", options.commit]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as name:
        tree, folder = Path(name, "tree"), Path(name, "work")
        tree.mkdir()
        folder.mkdir()
        archive = ["git", "-C", str(REPO), "archive", "-o", f"{name}/tree.tar", commit, "firmware", "gateway"]
        subprocess.run(archive, check=True)
        shutil.unpack_archive(f"{name}/tree.tar", tree, filter="data")
        sent: Sent = []
        run(tree, folder, sent)
        options.folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(options.folder / f"{commit}.tar.xz", "w:xz") as kept:
            for part in ["data", *(path.name for path in folder.glob("series.sqlite*"))]:
                kept.add(folder / part, part, filter=_plain)
        (options.folder / f"{commit}.json").write_text(json.dumps({"commit": commit, "sent": sent}) + "\n")


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main()
