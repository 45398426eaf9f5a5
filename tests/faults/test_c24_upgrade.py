"""C24 upgrade with data in the spool, and a mistake in the configuration: the data is read, nothing stops."""

import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from zlib import crc32

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from faults.harness import Fault
from shutan_gateway.config import load_config
from shutan_gateway.errors import StartError
from shutan_gateway.service import Service
from shutan_gateway.spool import segment
from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.balance import check_balance, pending
from support.gateway_process import SQLITE, GatewayProcess, gateway_process
from support.places import REPO
from support.servers import HOST, Server, wait_until
from support.sparkplug_node import T0_MS, Scalar, SparkplugNode

pytestmark = pytest.mark.flow

OLD = REPO / "tests/vectors/spool_v1"
KEPT = sorted(path.name.removesuffix(".tar.xz") for path in OLD.glob("*.tar.xz"))
WAIT_S = 60.0
AGAIN, NEW = 10, 5
SHUTAN = Path(sys.executable).with_name("shutan")
METRICS = ("active_energy_import_wh", "active_power_w")
Sample = tuple[str, str, int, int, float]  # node, device, t_ms, energy, power

MISTAKES = {
    "unknown key": (b"[gateway]", b"[gateway]\ndata_dri = 1", "data_dri"),
    "not TOML": (b"[http]", b"[http", "TOML"),
    "out of range": (b"keepalive_s = 5", b"keepalive_s = 0", "mqtt.keepalive_s"),
    "wrong type": (b'data_dir = "data"', b"data_dir = 7", "gateway.data_dir"),
    "unknown store": (b'kind = "sqlite"', b'kind = "sqllite"', "kind"),
    "no such file": (b"[intake]", b'password_file = "absent"\nusername = "x"\n[intake]', "password_file"),
    "not UTF-8": (b"[http]", b"# \xff\n[http]", "TOML"),
}


def unpack(commit: str, folder: Path) -> list[Sample]:
    """The data folder of an old gateway into `folder`; what had been sent to it."""
    with tarfile.open(OLD / f"{commit}.tar.xz") as kept:
        kept.extractall(folder, filter="data")
    return [tuple(one) for one in json.loads((OLD / f"{commit}.json").read_text())["sent"]]


def stored(folder: Path) -> list[Sample]:
    """Everything in the SQLite store."""
    found: list[Sample] = []
    with closing(open_readonly(folder / "series.sqlite")) as conn:
        for series in (one for one in list_series(conn) if one.family == "energy"):
            for t_ns, energy, power in read_series(conn, series, METRICS, 0, 2**63 - 1):
                found.append(
                    (series.node, series.device, int(str(t_ns)) // 1_000_000, int(str(energy)), float(str(power)))
                )
    return sorted(found)


def more_data(port: int, sent: list[Sample]) -> list[Sample]:
    """The nodes come back after the upgrade: the last records once more, then new ones."""
    own, foreign = SparkplugNode("n01"), SparkplugNode("n02", store=None)
    own.record = sum(sample[0] == own.name for sample in sent) - AGAIN
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect(HOST, port)
    client.loop_start()
    packets = [*own.births(), *foreign.births()]
    added: list[Sample] = []
    for number in range(AGAIN + NEW):
        for node in (own, foreign):
            known = [sample for sample in sent if sample[0] == node.name][-AGAIN:]
            t_ms = known[number][2] if number < AGAIN else known[-1][2] + 1000 * (number - AGAIN + 1)
            sample = (node.name, "m1", t_ms, (t_ms - T0_MS), (t_ms - T0_MS) / 2000)
            values: dict[str, Scalar] = dict(zip(METRICS, sample[3:], strict=True))
            packets.append(node.data("m1", values, stamp=t_ms))
            added += [sample] if number >= AGAIN else []
            assert number >= AGAIN or sample in known
    for topic, payload in packets:
        client.publish(topic, payload, qos=1).wait_for_publish(WAIT_S)
    client.disconnect()
    client.loop_stop()
    return added


def test_c24_upgrade(fault: Fault, mosquitto: Server, tmp_path: Path) -> None:
    commits = fault.size(short=KEPT[:1], long=KEPT)
    lost = doubled = wrong = records = repeats_missed = 0
    for commit in commits:
        folder = tmp_path / commit
        folder.mkdir()
        sent = unpack(commit, folder)
        with gateway_process(folder, mosquitto.port, SQLITE) as gateway:
            wait_until(lambda gateway=gateway: "shutan_accepted_total" in gateway.numbers(), WAIT_S, "recovery")
            wait_until(lambda gateway=gateway: pending(gateway) == 0, WAIT_S, "what the old gateway left is delivered")
            before = check_balance(gateway)
            assert before["shutan_accepted_total"] == len(sent), "totals go on"
            wait_until(lambda gateway=gateway: gateway.number("shutan_link_up") == 1, WAIT_S, "the link")
            sent += more_data(mosquitto.port, sent)
            wait_until(
                lambda gateway=gateway, sent=sent: gateway.number("shutan_accepted_total") >= len(sent),
                WAIT_S,
                "new data",
            )
            wait_until(lambda gateway=gateway: pending(gateway) == 0, WAIT_S, "everything delivered")
            after = check_balance(gateway)
        # the foreign node's birth carries samples, which come again as well
        repeats_missed += 2 * AGAIN + 1 - int(after["shutan_duplicates_total"] - before["shutan_duplicates_total"])
        found = stored(folder)
        records += len(sent)
        lost += len(set(sent) - set(found))
        doubled += len(found) - len({sample[:3] for sample in found})
        wrong += len(set(found) - set(sent))
        fault.progress(commit)
    fault.record(
        "C24",
        part="upgrade",
        measured={
            "old_formats": len(commits),
            "records": records,
            "lost": lost,
            "doubled": doubled,
            "wrong": wrong,
            "repeats_missed": repeats_missed,
        },
        bar={"lost": "== 0", "doubled": "== 0", "wrong": "== 0", "repeats_missed": "== 0"},
        long_bar={"old_formats": f">= {len(KEPT)}"},
        note=f"folders that the gateways of {', '.join(commits)} left when they were killed with half of the records "
        "undelivered (tests/vectors/spool_v1); then the nodes send old records again and new ones",
    )


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SHUTAN, *words], capture_output=True, text=True, timeout=WAIT_S, check=False)


def one_clear_line(done: subprocess.CompletedProcess[str], words: str) -> bool:
    return done.returncode in {1, 2} and words in done.stderr and "Traceback" not in done.stderr


def told_by_signal(gateway: GatewayProcess, words: str) -> bool:
    """Whether SIGHUP leads to a line with these words, and the gateway stays as it was."""
    said = gateway.log_tail(10_000).count(words)
    os.kill(gateway.pid, signal.SIGHUP)
    wait_until(lambda: gateway.log_tail(10_000).count(words) > said, WAIT_S, f"a line about {words}")
    return gateway.process.poll() is None


def test_c24_config_typo(fault: Fault, mosquitto: Server, tmp_path: Path) -> None:
    names = fault.size(short=["unknown key"], long=list(MISTAKES))
    refused = undisturbed = 0
    with gateway_process(tmp_path, mosquitto.port, SQLITE) as gateway:
        config = tmp_path / "gateway.toml"
        sound = config.read_bytes()
        wait_until(lambda: gateway.number("shutan_link_up") == 1, WAIT_S, "the link")
        start_s, pid = gateway.number("shutan_start_time_seconds"), gateway.pid
        for name in names:
            old, new, words = MISTAKES[name]
            assert old in sound
            config.write_bytes(sound.replace(old, new, 1))
            checks = [run("check", "-c", config), run("gateway", "-c", config), run("reload", "-c", config)]
            refused += all(one_clear_line(done, words) for done in checks)
            numbers = check_balance(gateway)
            undisturbed += (
                told_by_signal(gateway, words)
                and gateway.pid == pid
                and numbers["shutan_start_time_seconds"] == start_s
                and gateway.number("shutan_link_connects_total") == 1
                and gateway.number("shutan_link_up") == 1
            )
            fault.progress(f"{name}: {[done.stderr for done in checks]}")
        config.write_bytes(sound)
        assert run("check", "-c", config).returncode == 0
    unit = (REPO / "gateway/deploy/shutan-gateway.service").read_text()
    assert "ExecStartPre=/opt/shutan/.venv/bin/shutan check --config /etc/shutan/gateway.toml" in unit
    fault.record(
        "C24",
        part="config",
        measured={"mistakes": len(names), "refused": refused, "gateway_undisturbed": undisturbed},
        bar={"refused": f"== {len(names)}", "gateway_undisturbed": f"== {len(names)}"},
        long_bar={"mistakes": f">= {len(MISTAKES)}"},
        note="shutan check, gateway, reload and SIGHUP with a mistake in the file while a gateway runs: "
        + ", ".join(names),
    )


def newer_segment(folder: Path) -> None:
    """The first segment says that it has format 2, with a right checksum."""
    path = next((folder / "data/spool").glob("*.seg"))
    data = bytearray(path.read_bytes())
    header = bytearray(data[:64])
    header[8:10] = (segment.VERSION + 1).to_bytes(2, "little")
    header[-4:] = struct.pack("<I", crc32(header[:-4], segment.seed_of(int(path.stem))))
    path.write_bytes(header + header + data[128:])


def newer_registry(folder: Path) -> None:
    """The registry says that it has a schema of the future."""
    with closing(sqlite3.connect(folder / "data/registry.sqlite")) as conn:
        conn.execute("PRAGMA user_version = 99")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize("change", [newer_segment, newer_registry])
def test_a_folder_of_a_newer_gateway_is_left_alone(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """A downgrade is refused with one line before anything is touched."""
    unpack(KEPT[0], tmp_path)
    change(tmp_path)
    spool = {path.name: path.read_bytes() for path in (tmp_path / "data/spool").iterdir()}
    gateway_process(tmp_path, 1, SQLITE)  # its configuration; it is not started
    with pytest.raises(StartError, match="newer version"):
        Service(load_config(tmp_path / "gateway.toml"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "data/spool").iterdir()} == spool
