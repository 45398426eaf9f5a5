"""`shutan command` to a wired meter: allow table, time limit and audit record as for nodes, at the simulated meter."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from shutan_gateway.config.writes import CommandRule
from shutan_gateway.control import Peer
from shutan_gateway.errors import RetryLater, TellPerson
from shutan_gateway.serial.source import SerialSource
from shutan_gateway.writes import Audit, Desk
from shutan_gateway.writes.audit import lines
from support.gateway_process import SQLITE, GatewayProcess, gateway_process
from support.modbus_tcp import pymodbus_server
from support.servers import free_port, wait_until
from support.wired_rig import Taken, bus_config

METER = """
[[serial]]
name = "panel"
host = "127.0.0.1"
port = {port}
site = "plant"
node = "gw"
interval_s = 3600
[[serial.meter]]
id = "p"
profile = "pulse_totaliser"
address = 9
[[serial.meter.write]]
name = "set"
wire_register = "0001"
low = 1
high = 9
[[serial.meter.write]]
name = "beyond"
wire_register = "0100"
[[serial.meter.write]]
name = "unlisted"
wire_register = "0001"
[[command]]
node = "gw"
device = "p"
metric = "set"
datatype = "UInt16"
maximum = 12
limit_s = 20
per_minute = 3
[[command]]
node = "*"
device = "*"
metric = "beyond"
datatype = "UInt16"
"""


def shutan(gateway: GatewayProcess, *words: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("shutan"), "command", *words, "--config", gateway.folder / "gateway.toml"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def send(gateway: GatewayProcess, name: str, value: str) -> subprocess.CompletedProcess[str]:
    return shutan(gateway, "send", "plant/gw/p", name, value, "--reason", "trial run")


@pytest.mark.flow
def test_a_wired_meter_takes_what_both_tables_allow_and_every_attempt_is_audited(tmp_path: Path) -> None:
    port = free_port()
    with (
        pymodbus_server(port) as registers,
        gateway_process(tmp_path, free_port(), SQLITE + METER.format(port=port)) as gateway,
    ):
        read = 'shutan_serial_reads_total{bus="panel",meter="p"}'
        wait_until(lambda: gateway.number(read) == 1, 30, "the first reading")
        done = send(gateway, "set", "5")
        assert (done.returncode, done.stdout.split(" after ")[0]) == (0, "confirmed"), done.stderr
        assert registers(0, 2) == [0x12, 5]
        wait_until(lambda: gateway.number(read) == 2, 30, "what it did is read at once")

        for name, value, why in (
            ("set", "10", "set takes 1 .. 9, not 10"),
            ("set", "13", "value '13': accepted: <= 12"),
            ("set", "x", "a number of type UInt16"),
            ("unlisted", "5", "no [[command]] table of the configuration covers it"),
        ):
            refused = send(gateway, name, value)
            assert refused.returncode == 1
            assert why in refused.stderr
        wrong = send(gateway, "beyond", "1")
        assert wrong.returncode == 1
        assert wrong.stdout.startswith("not confirmed after ")
        assert "exception 02" in wrong.stdout
        assert [send(gateway, "set", str(value)).returncode for value in (6, 7, 8)] == [0, 0, 1]
        assert registers(0, 2) == [0x12, 7], "the third within the minute was the last"

        log = json.loads(shutan(gateway, "log", "--json").stdout)
        assert log["first_break"] is None
        found = [(entry["what"].removeprefix("plant/gw/p "), entry["outcome"]) for entry in log["entries"]]
        assert found[:2] == [("set = 5", "asked"), ("set = 5", "confirmed")]
        assert found[2:6] == [(f"{name}", "refused") for name in ("set = 10", "set = 13", "set = x", "unlisted = 5")]
        assert found[6:8] == [("beyond = 1", "asked"), ("beyond = 1", "not confirmed")]
        assert found[-1] == ("set = 8", "refused")


class Rig:
    """A desk over a serial source, without a gateway around them."""

    def __init__(self, folder: Path, port: int, datatype: str, limit_s: float) -> None:
        self.taken = Taken(folder)
        write = {"name": "set", "wire_register": "0001", "low": 0, "high": 9}
        meter = {"id": "p", "profile": "pulse_totaliser", "address": 9, "write": [write], "interval_s": 3600}
        self.source = SerialSource([bus_config(host="127.0.0.1", port=port, meter=[meter])], self.taken.tools)
        entry: dict[str, Any] = {"node": "gw1", "device": "p", "metric": "set", "datatype": datatype}
        rule = CommandRule.model_validate(entry | {"limit_s": limit_s})
        self.folder = folder / "audit"
        wired = {("plant", "gw1", "p"): self.source}
        self.desk = Desk([rule], None, None, None, Audit(self.folder), wired.get)

    def ask(self, value: str) -> list[dict[str, Any]]:
        place = {"site": "plant", "node": "gw1", "device": "p", "metric": "set", "value": value, "reason": "why"}
        return list(self.desk.verb(place, Peer(1000, "operator", 1)))

    def outcomes(self) -> list[str]:
        return [json.loads(line)["outcome"] for line in lines(self.folder)]


@contextlib.contextmanager
def rig(folder: Path, port: int, datatype: str = "UInt16", limit_s: float = 20) -> Generator[Rig]:
    made = Rig(folder, port, datatype, limit_s)
    made.source.start()
    try:
        yield made
    finally:
        made.source.stop()
        made.taken.close()


def test_a_meter_that_is_away_gets_nothing_later(tmp_path: Path) -> None:
    port = free_port()
    with rig(tmp_path, port) as one:
        wait_until(lambda: one.source.trouble is not None, 20, "the bus is away")
        with pytest.raises(TellPerson, match="plant/gw1/p: not sent, bus bus1"):
            one.ask("5")
        assert one.outcomes() == ["asked", "not sent"]
        with pymodbus_server(port) as registers:
            one.taken.wait_for("p", 1)
            assert registers(0, 2) == [0x12, 0xD687]
            [_, done] = one.ask("5")
            assert (done["ok"], done["outcome"]) == (True, "confirmed")
            assert registers(0, 2) == [0x12, 5]


def test_a_source_that_has_ended_sends_nothing(tmp_path: Path) -> None:
    port = free_port()
    with pymodbus_server(port) as registers, rig(tmp_path, port) as one:
        one.taken.wait_for("p", 1)
        one.source.stop()
        with pytest.raises(RetryLater, match="nothing was sent"):
            one.source.write(("plant", "gw1", "p"), "set", 5)
        assert registers(0, 2) == [0x12, 0xD687]


def test_a_flag_is_one_or_zero_on_the_wire(tmp_path: Path) -> None:
    port = free_port()
    with pymodbus_server(port) as registers, rig(tmp_path, port, "Boolean") as one:
        one.taken.wait_for("p", 1)
        for text, shown in (("true", 1), ("false", 0)):
            assert one.ask(text)[-1]["ok"] is True
            assert registers(0, 2) == [0x12, shown]


@pytest.mark.parametrize("datatype", ["Float", "Double", "String"])
def test_a_register_takes_whole_numbers_only(tmp_path: Path, datatype: str) -> None:
    one = Rig(tmp_path, 1, datatype, 20)
    with pytest.raises(TellPerson, match="accepted: a whole number"):
        one.ask("5")
    assert one.outcomes() == ["refused"]
    one.taken.close()


def test_no_audit_record_no_write_to_a_meter(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "audit").write_text("a file where the folder should be")
    with pymodbus_server(port) as registers, rig(tmp_path, port) as one:
        one.taken.wait_for("p", 1)
        with pytest.raises(RetryLater, match="audit record"):
            one.ask("5")
        assert registers(0, 2) == [0x12, 0xD687]
