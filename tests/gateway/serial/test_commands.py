"""`shutan meter read`, `scan`, `backfill` and `shutan check` with wired meters; a whole gateway with a bus."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shutan_gateway.cli import main
from shutan_gateway.serial.backfill import DAY_MS, take_request
from shutan_sim.instruments.cjt188_meters import Cjt188Meter, Cjt188Meters
from support.balance import check_balance, pending
from support.gateway_process import SQLITE, gateway_process
from support.servers import free_port, wait_until
from support.wired_rig import SimBus, dlt_bus, modbus_bus, running

FAST = ["--baud", "115200"]
BUS = """
[[serial]]
name = "rs485-1"
device = "{path}"
baud = 115200
site = "plant"
node = "gw-rs485-1"
interval_s = 1
[[serial.meter]]
id = "one"
profile = "eastron_sdm630"
address = 1
"""


def run(*arguments: str) -> int:
    """The command's exit code."""
    try:
        code = main(list(arguments))
    except SystemExit as end:
        code = end.code
    return int(code or 0)


def test_read_and_scan(capsys: pytest.CaptureFixture[str]) -> None:
    dlt, addresses = dlt_bus(1, 115200)
    modbus, _ = modbus_bus(2, 115200)
    heat = SimBus(Cjt188Meters([Cjt188Meter(0x20, "11110000000020", lambda _: 12_345_678)]), lambda _: b"h", 115200)
    with running([dlt, modbus, heat]):
        read = ["meter", "read", *FAST, "--profile", "dlt645_three_phase", "--address", addresses[0], "--ct", "200/5"]
        assert run(*read, "--port", dlt.path) == 0
        assert "active_energy_import_wh" in capsys.readouterr().out
        read = ["meter", "read", *FAST, "--profile", "cjt188_heat", "--address", "11110000000020", "--json"]
        assert run(*read, "--port", heat.path) == 0
        rows = json.loads(capsys.readouterr().out)
        assert rows[0] == {"metric": "heat_kj", "value": 444444408, "unit": "kJ", "quality": "good"}
        assert run("meter", "scan", *FAST, "--port", modbus.path, "--protocol", "modbus", "--to", "3", "--json") == 0
        found = json.loads(capsys.readouterr().out)["found"]
        assert [(one["protocol"], one["address"]) for one in found] == [("modbus", "1"), ("modbus", "2")]
        assert run("meter", "scan", *FAST, "--port", dlt.path, "--protocol", "dlt645") == 0
        assert addresses[0] in capsys.readouterr().out
        assert run("meter", "scan", *FAST, "--port", heat.path, "--protocol", "cjt188", "--json") == 0
        found = json.loads(capsys.readouterr().out)["found"]
        assert found == [
            {"protocol": "cjt188", "address": "20:11110000000020", "note": "alone on its bus, di_order 901F"}
        ]
        assert run("meter", "scan", *FAST, "--port", heat.path, "--protocol", "dlt645_1997", "--json") == 1
        assert json.loads(capsys.readouterr().out) == {"found": [], "notes": []}


def test_a_meter_that_wants_the_low_byte_first_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    water = SimBus(Cjt188Meters([Cjt188Meter(0x10, "00000805000001", lambda _: 1, True)]), lambda _: b"w", 115200)
    with running([water]):
        assert run("meter", "scan", *FAST, "--port", water.path, "--protocol", "cjt188", "--json") == 0
        found = json.loads(capsys.readouterr().out)["found"]
        assert [one["note"] for one in found] == ["alone on its bus, di_order 1F90"]


def test_meters_that_share_a_bus(capsys: pytest.CaptureFixture[str]) -> None:
    lone, addresses = dlt_bus(1, 115200)
    shared, _ = dlt_bus(2, 115200)
    with running([lone, shared]):
        scan = ["meter", "scan", *FAST, "--protocol", "dlt645"]
        assert run(*scan, "--port", lone.path, "--several", "--json") == 0
        found = json.loads(capsys.readouterr().out)["found"]
        assert found == [{"protocol": "dlt645", "address": addresses[0], "note": "by search"}]
        assert run(*scan, "--port", shared.path) == 1
        assert "are there several meters on the bus?; --several searches them" in capsys.readouterr().err


def test_time_is_broadcast_once(capsys: pytest.CaptureFixture[str]) -> None:
    bus, _ = dlt_bus(1, 115200)
    noon = str(12 - datetime.now(UTC).hour)  # far from midnight, whenever this runs
    with running([bus]):
        assert run("meter", "set-time", *FAST, "--port", bus.path, "--utc-offset-h", noon) == 0
        assert capsys.readouterr().out.startswith("sent ")
        wait_until(lambda: len(bus.requests.get(b"\x99" * 6, [])) == 1, 5, "the broadcast")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--port", "/dev/none", "--profile", "cjt188_gas", "--address", "1"], 2, "14 digits expected"),
        (["--port", "/dev/none", "--profile", "nosuch", "--address", "1"], 2, "known: acrel_adl400"),
        (["--profile", "pulse_totaliser", "--address", "1"], 2, "one of --port and --host is needed"),
        (["--port", "/dev/none", "--profile", "pulse_totaliser", "--address", "1", "--ct", "x"], 2, "40 or 200/5"),
        (["--port", "/dev/none", "--profile", "pulse_totaliser", "--address", "1", "--baud", "9601"], 2, "baud"),
        (["--port", "/dev/none", "--profile", "pulse_totaliser", "--address", "1"], 1, "No such file"),
        (["--host", "127.0.0.1", "--profile", "cjt188_gas", "--address", "0" * 14], 2, "a Modbus profile"),
    ],
)
def test_a_user_sees_one_line(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("meter", "read", *arguments) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


def test_check_tells_the_budget_of_each_bus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('[gateway]\ndata_dir = "data"\n' + BUS.format(path="/dev/x"), encoding="utf-8")
    assert run("check", "--config", str(config)) == 0
    told = "bus rs485-1 at 115200 baud: 1 meter needs 0.6 s a round, 58 % of the time"
    assert capsys.readouterr().out == f"{config}: ok\n{told}\n"
    assert run("check", "--config", str(config), "--json") == 0
    assert json.loads(capsys.readouterr().out)["buses"] == [told]


def test_backfill_leaves_a_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('[gateway]\ndata_dir = "data"\n' + BUS.format(path="/dev/x"), encoding="utf-8")
    days = ["--from", "2026-11-20", "--to", "2026-11-21"]
    assert run("meter", "backfill", "--config", str(config), *days) == 1
    (tmp_path / "data").mkdir()
    assert run("meter", "backfill", "--config", str(config), *days, "--meter", "two") == 1
    assert "there are: one" in capsys.readouterr().err
    assert run("meter", "backfill", "--config", str(config), *days, "--meter", "one") == 0
    request = take_request(tmp_path / "data")
    assert request is not None
    assert request.to_ms - request.from_ms == 2 * DAY_MS
    assert (request.from_ms + 8 * 3_600_000) % DAY_MS == 0
    assert request.keys == ("plant/gw-rs485-1/one",)
    assert run("meter", "backfill", "--config", str(config), "--from", "2026-11-20", "--to", "2026-11-19") == 2


@pytest.mark.flow
def test_a_gateway_stores_what_its_bus_says(tmp_path: Path) -> None:
    modbus, _ = modbus_bus(1, 115200)
    more = SQLITE + BUS.format(path=modbus.path)
    with running([modbus]), gateway_process(tmp_path, free_port(), more) as gateway:
        label = '{bus="rs485-1",meter="one"}'
        wait_until(lambda: gateway.number(f"shutan_serial_reads_total{label}") >= 2, 40, "two readings")
        wait_until(lambda: pending(gateway) == 0 and check_balance(gateway)["shutan_accepted_total"] >= 2, 40, "stored")
        numbers = check_balance(gateway)
        assert numbers['shutan_store_stored_total{store="local"}'] >= 2
        wait_until(lambda: json.loads(gateway.get("/healthz"))["sources"] == {"serial": "ok"}, 40, "a healthy source")
