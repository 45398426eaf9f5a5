"""`shutan doctor` beside real programs: all is well, and what it says about each thing that is wrong."""

import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from shutan_gateway.commands.broker import write_files
from shutan_gateway.config import GatewayConfig, load_config
from shutan_gateway.counters import Key
from shutan_gateway.intake.node_table import NodeFacts
from shutan_gateway.operation.broker import Account, BrokerPlan
from shutan_gateway.operation.doctor import checks_broker, checks_machine
from shutan_gateway.operation.doctor.checks_broker import broker_findings, tls_findings
from shutan_gateway.operation.doctor.checks_gateway import Limits, gateway_findings, input_findings
from shutan_gateway.operation.doctor.checks_machine import ClockWatch, clock_findings, disk_findings
from shutan_gateway.operation.doctor.checks_stores import meter_findings, store_findings
from shutan_gateway.operation.doctor.finding import Finding
from shutan_gateway.operation.doctor.run import examine_file
from shutan_gateway.operation.page import Facts, parse_metrics
from shutan_gateway.stores.sqlite import schema
from support.gateway_process import GatewayProcess, gateway_process
from support.places import tool
from support.servers import HOST, Server, free_port, wait_until

SHUTAN = Path(sys.executable).with_name("shutan")


def config_of(folder: Path, text: str = "") -> GatewayConfig:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "gateway.toml").write_text('[gateway]\ndata_dir = "data"\n' + text)
    return load_config(folder / "gateway.toml")


def kinds(findings: Iterator[Finding] | list[Finding]) -> dict[str, Finding]:
    return {finding.key: finding for finding in findings}


def node(name: str, *, online: bool = True, heard_s: float | None = 1, ahead_s: float = 0) -> NodeFacts:
    heard = 0 if heard_s is None else time.time_ns() // 1_000_000 - int(heard_s * 1000)
    sample = heard + int(ahead_s * 1000) if heard else 0
    device = {"device": "m1", "stale": False, "heard_ms": heard, "sample_ms": sample}
    silent = {"device": "", "stale": False, "heard_ms": 0, "sample_ms": 0}
    row: Any = {"site": "plant", "node": name, "source": "sparkplug", "online": online, "devices": [silent, device]}
    return row


def facts_of(nodes: list[NodeFacts] | None = None, health: dict[str, Any] | None = None, **numbers: float) -> Facts:
    found = {Key("shutan_start_time_seconds"): time.time() - 86_400, **{Key(k): v for k, v in numbers.items()}}
    well = {"status": "ok", "broker": "connected", "spool": "ok", "stores": {"local": "ok"}, "sources": {}}
    return Facts(found, {**well, **(health or {})}, nodes or [])


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """mosquitto with generated files, and the folder of its secrets."""
    plan = BrokerPlan(tmp_path, tmp_path, local_port=free_port(), tls_port=0)
    write_files(plan._replace(accounts=(Account("n01"),), certificates=False), tmp_path)
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(f"user root\n{conf.read_text()}".replace("sys_interval 10", "sys_interval 1"))
    with Server("mosquitto", [tool("mosquitto"), "-c", conf], tmp_path, plan.local_port) as server:
        yield server, tmp_path


def login(port: int, user: str, file: str = "secrets/gateway.password") -> str:
    return f'[mqtt]\nport = {port}\nusername = "{user}"\npassword_file = "{file}"\n'


@pytest.fixture
def running(guarded: tuple[Server, Path]) -> Iterator[tuple[GatewayProcess, Path]]:
    server, folder = guarded
    gateway = gateway_process(folder, server.port)
    config = folder / "gateway.toml"
    config.write_text(config.read_text().replace("keepalive_s = 5\n", login(0, "gateway").split("\n", 2)[2]))
    with gateway:
        wait_until(lambda: gateway.number("shutan_link_up") == 1, 30, "the gateway is let in")
        yield gateway, folder


@pytest.mark.flow
def test_all_is_well_beside_a_sound_gateway_and_not_without_it(running: tuple[GatewayProcess, Path]) -> None:
    gateway, folder = running
    report = examine_file(folder / "gateway.toml")
    assert report.running
    found = [finding for finding in report.findings if not finding.kind.startswith(("clock.", "disk."))]
    assert found == []
    gateway.stop()
    command = [SHUTAN, "doctor", "--config", folder / "gateway.toml"]
    done = subprocess.run([*command, "--language", "zh"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "无应答" in done.stdout
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
    body = json.loads(done.stdout)
    assert (body["sound"], body["gateway_running"]) == (False, False)
    assert {"kind", "severity", "what", "do", "what_zh", "do_zh"} <= set(body["findings"][0])


@pytest.mark.flow
def test_a_broker_is_told_by_what_is_wrong_with_it(guarded: tuple[Server, Path]) -> None:
    server, folder = guarded
    sound = config_of(folder, login(server.port, "gateway"))
    assert kinds(broker_findings(sound, running=False)) == {}
    # the gateway's STATE is not there: nobody runs
    assert set(kinds(broker_findings(sound, running=True))) == {"broker.rights spBv1.0/STATE/shutan"}
    (folder / "wrong").write_text("x\n")
    wrong = config_of(folder, login(server.port, "gateway", "wrong"))
    assert "not authorised" in kinds(broker_findings(wrong, running=False))["broker.login"].what()
    away = config_of(folder, login(free_port(), "gateway"))
    assert set(kinds(broker_findings(away, running=False))) == {"broker.unreachable"}


def test_a_listener_that_is_no_broker_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_broker, "_TIMEOUT_S", 0.2)
    with socket.create_server((HOST, 0)) as listener:
        listener.listen()
        config = config_of(tmp_path, f"[mqtt]\nport = {listener.getsockname()[1]}\n")
        assert set(kinds(broker_findings(config, running=False))) == {"broker.unreachable"}


@pytest.mark.flow
def test_tls_is_told_by_what_is_wrong_with_it(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    soon = datetime.now(UTC) + timedelta(days=5, hours=1)
    (tmp_path / "broker.key").write_bytes(b"")
    leaf = authority.issue_cert(HOST, not_after=soon)
    leaf.private_key_pem.write_to_path(tmp_path / "broker.key")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "broker.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    plan = BrokerPlan(tmp_path, tmp_path, local_port=free_port(), tls_port=free_port(), tls_host=HOST)
    write_files(plan._replace(certificates=False), tmp_path)
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(f"user root\n{conf.read_text()}")
    with Server("mosquitto", [tool("mosquitto"), "-c", conf], tmp_path, plan.local_port):
        text = login(plan.tls_port, "gateway")
        sound = config_of(tmp_path, f'{text}[mqtt.tls]\nca_file = "ca.pem"\n')
        found = kinds(broker_findings(sound, running=False))
        assert {finding.kind for finding in found.values()} == {"tls.expires"}
        assert "5 days" in next(iter(found.values())).what()
        foreign = config_of(tmp_path, f'{text}[mqtt.tls]\nca_file = "other.pem"\n')
        (finding,) = broker_findings(foreign, running=False)
        assert finding.kind == "broker.tls"
        assert "certificate" in finding.what()


@pytest.mark.parametrize(
    ("after", "before", "kind"),
    [(-1, -30, "tls.expired"), (20, -30, "tls.expires"), (400, -30, None), (400, 2, "tls.early")],
)
def test_days_left_of_the_files(tmp_path: Path, after: int, before: int, kind: str | None) -> None:
    now = datetime.now(UTC)
    leaf = trustme.CA().issue_cert("x", not_before=now + timedelta(before), not_after=now + timedelta(after))
    leaf.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = 'ca_file = "ca.pem"\ncert_file = "own.pem"\nkey_file = "own.pem"\n'
    config = config_of(tmp_path, f"[mqtt.tls]\n{tls}")
    assert [finding.kind for finding in tls_findings(config)] == ([kind] if kind else [])
    (tmp_path / "own.pem").write_text("nothing")
    assert [finding.kind for finding in tls_findings(config)] == ["tls.unreadable"]


def test_nodes_are_told_by_what_is_wrong_with_them() -> None:
    faulty = node("n06")
    faulty["faults"] = {"birth_without_bdseq": 3}
    nodes = [
        node("n01"),
        node("n02", online=False, heard_s=7205),
        node("n03", heard_s=3600),
        node("n04", ahead_s=120),
        node("n05", ahead_s=-90),
        node("n07", heard_s=None),
        faulty,
    ]
    found = kinds(gateway_findings(_CONFIG, facts_of(nodes), Limits()))
    assert set(found) == {
        "node.offline plant/n02",
        "node.silent plant/n03/m1",
        "node.clock plant/n04/m1",
        "node.clock plant/n05/m1",
        "node.silent plant/n07/m1",
        "node.faults plant/n06",
    }
    assert "last heard 120 minutes ago" in found["node.offline plant/n02"].what()
    assert "120 s ahead of" in found["node.clock plant/n04/m1"].what()
    assert "落后 90 秒" in found["node.clock plant/n05/m1"].what("zh")
    assert found["node.faults plant/n06"].severity == "info"


def test_stores_and_spool_are_told_by_the_gateways_own_numbers() -> None:
    behind = {
        Key("shutan_store_pending", (("store", "local"),)): 70_000,
        Key("shutan_store_oldest_pending_seconds", (("store", "local"),)): 901.0,
        Key("shutan_store_dead_total", (("store", "local"),)): 3,
        Key("shutan_spool_bytes"): 1.9 * 2**30,
        Key("shutan_spool_blocked"): 1,
        Key("shutan_spool_damaged_total"): 2,
        Key("shutan_thread_restarts_total", (("thread", "intake"),)): 1,
    }
    health = {"broker": "not connected", "stores": {"far": "refused"}, "sources": {"serial": "no /dev/ttyUSB0"}}
    facts = facts_of(health=health)
    facts.numbers.update(behind)
    assert set(kinds(gateway_findings(_CONFIG_STORE, facts, Limits()))) == {
        "store.behind local",
        "store.dead local",
        "store.unreachable far",
        "spool.filling",
        "spool.blocked",
        "spool.damaged",
        "gateway.threads",
        "broker.away",
        "source.trouble serial",
    }


_CONFIG = GatewayConfig.model_validate({"gateway": {"data_dir": "/nowhere"}})
_STORE = {"kind": "sqlite", "name": "local", "path": "x"}
_CONFIG_STORE = GatewayConfig.model_validate({"gateway": {"data_dir": "/nowhere"}, "store": [_STORE]})


def test_metrics_are_read_back_as_they_were_written() -> None:
    from shutan_gateway.counters import HELP, prometheus_text

    numbers = {Key("shutan_nodes", (("state", 'a"b\\c\nd'),)): 3, Key("shutan_link_up"): 1.5}
    assert {key.name for key in numbers} <= set(HELP)
    assert parse_metrics(prometheus_text(numbers)) == numbers


def test_disk_room_and_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(tmp_path)
    monkeypatch.setattr(checks_machine, "_SLOW_SYNC_S", 1e9)
    monkeypatch.setattr(checks_machine, "_SLOW_MB_S", 0.0)
    free = [10**12]

    def free_bytes(_folder: Path) -> int:
        return free[0]

    monkeypatch.setattr(checks_machine, "_free_bytes", free_bytes)
    assert list(disk_findings(config, probe=True)) == []
    assert list((tmp_path / "data").iterdir()) == []
    monkeypatch.setattr(checks_machine, "_SLOW_SYNC_S", 0.0)
    assert [finding.kind for finding in disk_findings(config, probe=True)] == ["disk.slow"]
    free[0] = 10**9
    assert [finding.kind for finding in disk_findings(config, probe=False)] == ["disk.low"]
    free[0] = 10**6
    assert [finding.kind for finding in disk_findings(config, probe=True)] == ["disk.full"]
    (tmp_path / "data").rmdir()
    monkeypatch.undo()
    assert [finding.kind for finding in disk_findings(config, probe=True)] == ["disk.unwritable"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("C0A80001,192.168.0.1,3,1780000000.0,0.000012,0.0,0.0,1.0,0.0,0.1,0.0,0.0,64.0,Normal", None),
        ("C0A80001,192.168.0.1,3,1780000000.0,-7.5,0.0,0.0,1.0,0.0,0.1,0.0,0.0,64.0,Normal", "clock.offset"),
        ("7F7F0101,,10,1780000000.0,0.0,0.0,0.0,1.0,0.0,0.1,0.0,0.0,64.0,Normal", "clock.local"),
        ("00000000,,0,0.0,0.0,0.0,0.0,1.0,0.0,0.1,0.0,0.0,0.0,Not synchronised", "clock.unsynchronised"),
        ("506 Cannot talk to daemon", "clock.unsynchronised"),
    ],
)
def test_the_clock_by_what_chrony_says(tmp_path: Path, line: str, kind: str | None) -> None:
    chronyc = tmp_path / "chronyc"
    chronyc.write_text(f'#!/bin/sh\n[ "$1 $2" = "-c tracking" ] || exit 9\necho "{line}"\n')
    chronyc.chmod(0o755)
    assert [finding.kind for finding in clock_findings(str(chronyc))] == ([kind] if kind else [])


def test_a_jump_of_the_clock_is_told_for_an_hour_and_a_drift_is_not() -> None:
    watch = ClockWatch()
    wall, mono = time.time(), time.monotonic()
    assert list(watch.look(wall + 1000.4, mono + 1000)) == []
    (finding,) = watch.look(wall + 1060 + 3600, mono + 1060)
    assert finding.facts["jump_s"] == pytest.approx(3599.6, abs=0.3)
    assert len(list(watch.look(wall + 3600 + 2000, mono + 2000))) == 1
    assert list(watch.look(wall + 3600 + 9000, mono + 9000)) == []


def test_a_register_that_stands_still_under_load_is_told(tmp_path: Path) -> None:
    text = '[[store]]\nkind = "sqlite"\nname = "local"\npath = "series.sqlite"\n'
    config = config_of(tmp_path, text)
    conn = sqlite3.connect(tmp_path / "series.sqlite", isolation_level=None)
    schema.migrate(conn)
    columns = (("c1", "active_energy_import_wh", "INTEGER"), ("c2", "active_power_w", "REAL"))
    conn.execute("CREATE TABLE s_1 (series_id, t_ns, record, boot, received_ms, c1, c2)")
    for column in columns:
        conn.execute("INSERT INTO shape_column VALUES ('s_1', ?, ?, ?)", column)
    now_ns = time.time_ns()
    for number, (power_w, step) in enumerate([(5000.0, 0), (5000.0, 1), (3.0, 0)], 1):
        conn.execute("INSERT INTO series VALUES (?, 'energy', 'plant', 'n01', ?, 's_1')", (number, f"m{number}"))
        rows = [(number, now_ns - minute * 60 * 10**9, 1000 - step * minute, power_w) for minute in range(50, 0, -5)]
        conn.executemany("INSERT INTO s_1 (series_id, t_ns, c1, c2) VALUES (?, ?, ?, ?)", rows)
    conn.close()
    assert set(kinds(meter_findings(config))) == {"meter.stuck plant/n01/m1"}
    assert list(store_findings(config)) == []
    (tmp_path / "series.sqlite").write_text("something else")
    assert [finding.kind for finding in store_findings(config)] == ["store.unreachable"]


@pytest.mark.flow
def test_an_influxdb_is_asked_as_the_gateway_would(tmp_path: Path, influxd: Server, influx_database: str) -> None:
    def store(port: int, database: str) -> str:
        return f'[[store]]\nkind = "influxdb"\nname = "i"\nurl = "http://{HOST}:{port}"\ndatabase = "{database}"\n'

    sound = config_of(tmp_path, store(influxd.port, influx_database))
    assert list(store_findings(sound)) == []
    missing = config_of(tmp_path, store(influxd.port, "nowhere"))
    assert "database not found" in next(iter(store_findings(missing))).what()
    away = config_of(tmp_path, store(free_port(), "x"))
    assert [finding.kind for finding in store_findings(away)] == ["store.unreachable"]


def test_refused_input_of_the_last_day_is_told_by_reason(tmp_path: Path) -> None:
    from shutan_gateway.counters import Counters
    from shutan_gateway.quarantine import FOLDER, Quarantine

    config_of(tmp_path)
    assert list(input_findings(tmp_path / "data")) == []
    quarantine = Quarantine(tmp_path / "data" / FOLDER, Counters())
    now_ms = time.time_ns() // 1_000_000
    old_ms = now_ms - 2 * 86_400_000
    for reason, received_ms in (("nan", now_ms), ("nan", now_ms), ("oversize", now_ms), ("old", old_ms)):
        quarantine.keep("mqtt", reason, "x", b"x", received_ms=received_ms)
    assert quarantine.flush(10)
    quarantine.close()
    (finding,) = input_findings(tmp_path / "data")
    assert finding.facts["reasons"] == "nan 2, oversize 1"


def test_a_configuration_with_mistakes_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("[gateway]\n[http]\nport = -1\n")
    report = examine_file(tmp_path / "gateway.toml")
    assert {finding.subject for finding in report.findings} == {"gateway.data_dir", "http.port"}
    assert not report.sound
