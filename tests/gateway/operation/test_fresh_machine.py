"""A fresh machine: `shutan service install`, all units started in their order, data flows; a reboot, it flows again.

The commands are read from the installed unit files and run with their paths mapped below the root, since a test has no
systemd of its own; a socket stands for systemd's side of Type=notify and WatchdogSec=.
"""

import re
import shlex
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from shutan_gateway.commands.doctor import app as doctor_app
from shutan_gateway.commands.service import app
from shutan_gateway.operation.broker import password_entry
from shutan_gateway.operation.install import UNITS
from shutan_gateway.operation.page import parse_metrics
from support.gateway_process import GatewayProcess
from support.places import tool
from support.servers import HOST, Server, free_port, listens, wait_until
from support.sparkplug_node import SparkplugNode

SHUTAN = Path(sys.executable).with_name("shutan")
FOLDERS = ("/etc/shutan-broker", "/etc/shutan", "/var/lib/shutan-broker", "/var/lib/shutan")


class Unit:
    """An installed unit file: its settings, and its commands with the root mapped."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.root = root
        text = (root / "etc/systemd/system" / name).read_text()
        pairs = [line.split("=", 1) for line in text.splitlines() if re.match(r"^[A-Za-z]+=", line)]
        self._settings = [(key, value) for key, value in pairs]

    def all(self, key: str) -> list[str]:
        return [value for found, value in self._settings if found == key]

    def commands(self, key: str) -> list[list[str]]:
        return [[mapped(word, self.root) for word in shlex.split(line)] for line in self.all(key)]


def mapped(text: str, root: Path) -> str:
    """A path of the machine below the root of the test."""
    pattern = "|".join(re.escape(folder) for folder in FOLDERS)
    return re.sub(rf"(?<![\w./-])({pattern})(?=[/\s\"]|$)", lambda match: f"{root}{match[1]}", text)


class Machine:
    """What was installed below a root, with free ports; `boot` starts all units in their order."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        command = ["install", "--root", str(self.root), "--program", str(SHUTAN), "--mosquitto", str(tool("mosquitto"))]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        self.folder = folder
        self.mqtt, self.http = free_port(), free_port()
        for path in ("etc/shutan/gateway.toml", "etc/shutan-broker/mosquitto.conf"):
            text = mapped((self.root / path).read_text(), self.root)
            text = text.replace("1883", str(self.mqtt)).replace("8463", str(self.http))
            (self.root / path).write_text(text if "gateway" in path else f"user root\n{text}")
        passwords = self.root / "etc/shutan-broker/passwords"
        passwords.write_text(passwords.read_text() + password_entry("n01", "of the node"))
        for state in ("var/lib/shutan", "var/lib/shutan-broker"):  # tmpfiles and StateDirectory=
            (self.root / state).mkdir(parents=True)
        self.units = [Unit(self.root, name) for name in UNITS]
        self.running: list[Server] = []
        self.said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.said.bind(str(folder / "notify"))
        self.said.settimeout(20)

    def boot(self) -> GatewayProcess:
        """Start the units as systemd would; the gateway."""
        order = sorted(self.units, key=lambda unit: any(other.name in unit.all("After")[0] for other in self.units))
        assert [unit.name for unit in order] == list(UNITS)
        for unit in order:
            for command in unit.commands("ExecStartPre"):
                subprocess.run(command, check=True, capture_output=True, timeout=60)
            (command,) = unit.commands("ExecStart")
            environment = {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "600000", "WATCHDOG_PID": ""}
            if "broker" in unit.name:
                port = self.mqtt
                server = Server("broker", command, self.folder, port)
            else:
                server = GatewayProcess("gateway", command, self.folder, self.http, environment=environment)
            self.running.append(server.start())
        gateway = self.running[-1]
        assert isinstance(gateway, GatewayProcess)
        return gateway

    def shut_down(self) -> None:
        """Stop all units, the last one first."""
        while self.running:
            assert self.running.pop().stop() == 0

    def stored(self) -> int:
        """Rows of the meter in the embedded store."""
        path = self.root / "var/lib/shutan/series.sqlite"
        if not path.is_file():
            return 0
        conn = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            table = conn.execute("SELECT table_name FROM series WHERE family = 'energy'").fetchone()
            if table is None:
                return 0
            text = f"SELECT count(*) FROM {table[0]}"  # noqa: S608 - a name that the store chose
            return int(conn.execute(text).fetchone()[0])
        except sqlite3.OperationalError:  # the store is being made
            return 0
        finally:
            conn.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    for server in reversed(machine.running):
        server.stop()
    machine.said.close()


def send(machine: Machine, node: SparkplugNode, count: int) -> None:
    """Births and records of a node that logs in with its own password."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=node.name)
    client.username_pw_set(node.name, "of the node")
    client.connect(HOST, machine.mqtt)
    client.loop_start()
    try:
        now_ms = int(time.time() * 1000)
        for topic, payload in [*node.births(now_ms), *(node.data(stamp=now_ms + n) for n in range(count))]:
            client.publish(topic, payload, 1).wait_for_publish(20)
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.flow
def test_after_install_and_after_a_reboot_data_flows(machine: Machine) -> None:
    node = SparkplugNode("n01")
    gateway = machine.boot()
    heard = {machine.said.recv(4096).decode().partition("\n")[0] for _ in range(2)}
    assert heard == {"READY=1", "WATCHDOG=1"}
    wait_until(lambda: gateway.number("shutan_link_up") == 1, 30, "the gateway is let in")
    send(machine, node, 20)
    wait_until(lambda: machine.stored() == 20, 30, "20 rows in the store")
    rows = gateway.get("/nodes").decode()
    assert '"node": "n01"' in rows
    machine.shut_down()
    assert not listens(machine.mqtt)

    gateway = machine.boot()
    wait_until(lambda: gateway.number("shutan_link_up") == 1, 30, "the gateway is let in again")
    node.bd_seq += 1
    send(machine, node, 20)
    wait_until(lambda: machine.stored() == 40, 30, "40 rows in the store")
    numbers = parse_metrics(gateway.get("/metrics").decode())
    totals = {key.name: value for key, value in numbers.items() if not key.labels}
    assert totals["shutan_accepted_total"] == 40
    done = CliRunner().invoke(app, ["status", "--config", str(machine.root / "etc/shutan/gateway.toml")])
    assert "nodes: 1 online" in done.output or "nodes: 0 online, 1 offline" in done.output
    assert "plant/n01/m1" in done.output
    config = str(machine.root / "etc/shutan/gateway.toml")
    done = CliRunner().invoke(doctor_app, ["--config", config, "--nodes"])
    assert re.search(r"plant/n01/m1: \w+, last sample \d+ s ago", done.output)


@pytest.mark.flow
def test_a_wrong_configuration_stops_before_the_service_starts(machine: Machine) -> None:
    config = machine.root / "etc/shutan/gateway.toml"
    config.write_text(config.read_text().replace("tick_ms = 20", "tick_ms = 0"))
    (command,) = machine.units[1].commands("ExecStartPre")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "intake.tick_ms" in done.stderr


def test_the_root_of_the_test_is_mapped_as_a_whole(tmp_path: Path) -> None:
    text = "/etc/shutan-broker/acl /etc/shutan/gateway.toml /var/lib/shutan"
    assert mapped(text, tmp_path) == " ".join(f"{tmp_path}{path}" for path in text.split())
