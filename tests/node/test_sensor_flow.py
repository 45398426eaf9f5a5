"""A real node with sensors on its own buses: MicroPython, mosquitto, simulated chips behind `machine`."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shutan_sim.chips.uart_sensors import Bl0942
from support.hosts import FakeHost, NodeView
from support.nodes import Node, TimeServer, UartChip
from support.servers import Server

pytestmark = pytest.mark.flow

NAME = "n01"
RATE = 10
PRESSURE = {"metric": "gauge_pressure_pa", "low": 0, "high": 1000000}
BUSES: list[dict[str, object]] = [
    {"id": "air", "kind": "i2c", "i2c": 0, "scl": 22, "sda": 21},
    {"id": "oven", "kind": "onewire", "pin": 4},
    {"id": "chips", "kind": "spi", "spi": 1, "sck": 18, "mosi": 23, "miso": 19},
    {"id": "socket", "uart": 1, "baud": 4800},
]
DEVICES: list[dict[str, object]] = [
    {"device": "hall", "bus": "air", "driver": "sht3x", "address": "0x44", "interval_s": 2},
    {"device": "co2", "bus": "air", "driver": "scd4x", "options": {"altitude_m": 500}, "interval_s": 10},
    {"device": "duct", "bus": "air", "driver": "scd30", "interval_s": 10},
    {
        "device": "boiler", "bus": "air", "driver": "ads1115", "address": "0x48", "interval_s": 2,
        "options": {"channels": {"0": PRESSURE}},
    },
    {"device": "oven-t", "bus": "oven", "driver": "ds18b20", "interval_s": 10},
    {"device": "kiln", "bus": "chips", "driver": "max31865", "address": 5, "interval_s": 2},
    {"device": "pump", "bus": "socket", "driver": "bl0942", "address": 0, "interval_s": 2},
]  # fmt: skip
CHIPS: dict[str, dict[str, dict[str, object]]] = {
    "i2c0": {
        "0x44": {"chip": "air.Sht3x", "set": {"temperature_c": 31.5}},
        "0x48": {"chip": "ads1115.Ads1115", "set": {"inputs_v": [1.8, 0, 0, 0]}},
        "0x61": {"chip": "air.Scd30", "set": {"co2_ppm": 950.0}},
        "0x62": {"chip": "air.Scd4x", "set": {"co2_ppm": 812}},
    },
    "onewire4": {"line": {"chip": "ds18b20.Line", "set": {"temperatures_c": [63.5], "parasite": True}}},
    "spi1": {"5": {"chip": "max31865.Max31865", "set": {"temperature_c": 412.0}}},
}


class Bench:
    """Everything around one node with sensors."""

    def __init__(self, folder: Path, broker: Server, clock: TimeServer, host: FakeHost, uart: UartChip) -> None:
        self.folder = folder
        self.broker = broker
        self.clock = clock
        self.host = host
        self.uart = uart
        folder.mkdir()
        self.solder("i2c0", "0x44")

    def solder(self, bus: str, place: str, **quantities: object) -> None:
        """Set quantities of a chip; the board file is replaced as a whole."""
        CHIPS[bus][place].setdefault("set", {})
        board = json.loads(json.dumps(CHIPS))
        before = self.folder / "chips.json"
        if before.is_file():
            board = json.loads(before.read_text(encoding="utf-8"))
        board[bus][place]["set"].update(quantities)
        new = self.folder / "chips.new"
        new.write_text(json.dumps(board), encoding="utf-8")
        new.replace(before)

    def config(self, devices: list[dict[str, object]] = DEVICES) -> dict[str, object]:
        """A configuration of sensors alone."""
        return {
            "site": "jiuniang",
            "node": NAME,
            "broker": {"host": self.broker.host, "port": self.broker.port, "keepalive_s": 5},
            "time": {"host": "127.0.0.1", "port": self.clock.port},
            "buses": BUSES,
            "devices": devices,
            "node_interval_s": 20,
        }

    def node(self, **options: object) -> Node:
        """The node, not yet started."""
        node = Node(self.folder, self.config(), heap="160k", rom=True, **options)  # pyright: ignore[reportArgumentType] - passed on
        node.uart(1, self.uart.path, RATE)
        return node

    @property
    def view(self) -> NodeView:
        """What the host knows of it."""
        return self.host.nodes[NAME]

    def values(self, device: str, metric: str) -> list[object]:
        """Values of a metric in the order of their records."""
        return [
            value
            for number in sorted(self.view.held)
            for owner, name, _, value in self.view.held[number]
            if (owner, name) == (device, metric)
        ]

    def wait_for(self, device: str, metric: str, value: float, tolerance: float = 0.01) -> None:
        """Wait until a metric has come with a value."""

        def there() -> bool:
            return any(
                isinstance(one, int | float) and abs(one - value) <= tolerance for one in self.values(device, metric)
            )

        self.host.wait(lambda: NAME in self.host.nodes and there(), f"{device} {metric} {value}", 30)


@pytest.fixture
def bench(tmp_path: Path, mosquitto: Server) -> Iterator[Bench]:
    began_s = time.monotonic()

    def now_ms() -> int:
        return round((time.monotonic() - began_s) * 1000 * RATE)

    with TimeServer(RATE) as clock, FakeHost(mosquitto.port) as host, UartChip(Bl0942(now_ms)) as uart:
        yield Bench(tmp_path / "node", mosquitto, clock, host, uart)


def test_sensors_come_out_with_catalogue_names(bench: Bench) -> None:
    with bench.node() as node:
        bench.wait_for("hall", "temperature_c", 31.5)
        bench.wait_for("co2", "co2_ppm", 812)
        bench.wait_for("duct", "co2_ppm", 950)
        bench.wait_for("boiler", "gauge_pressure_pa", 500000, 60)
        bench.wait_for("oven-t", "temperature_c", 63.5)
        bench.wait_for("kiln", "surface_temperature_c", 412, 0.1)
        bench.wait_for("pump", "voltage_l1_v", 230, 1)
        assert {str(device["device"]) for device in DEVICES} == set(bench.view.births) - {""}
        assert not bench.view.faults
        assert node.last["errors"] == 0


def test_a_dead_and_a_babbling_sensor_stall_nobody(bench: Bench) -> None:
    with bench.node() as node:
        bench.wait_for("co2", "co2_ppm", 812)
        bench.wait_for("duct", "co2_ppm", 950)
        bench.solder("i2c0", "0x62", dead=True)
        bench.solder("i2c0", "0x61", babbling=True)
        bench.host.wait(lambda: {"co2", "duct"} <= set(bench.view.deaths), "both deaths", 40)
        assert {said["device"] for said in node.said("death")} == {"co2", "duct"}
        bench.solder("i2c0", "0x44", temperature_c=18.25)
        bench.wait_for("hall", "temperature_c", 18.25)
        bench.solder("i2c0", "0x62", dead=False, co2_ppm=700)
        bench.solder("i2c0", "0x61", babbling=False, co2_ppm=701.0)
        bench.wait_for("co2", "co2_ppm", 700)
        bench.wait_for("duct", "co2_ppm", 701)
        assert not bench.view.faults
        assert node.last["errors"] == 0


def test_energy_that_the_node_sums_survives_its_power_cuts(bench: Bench) -> None:
    def energies() -> list[int]:
        return [one for one in bench.values("pump", "active_energy_import_wh") if isinstance(one, int)]

    bench.uart.chip.power_w = 23000.0
    with bench.node() as node:
        for _ in range(2):
            many = len(energies()) + 5
            bench.host.wait(lambda many=many: NAME in bench.host.nodes and len(energies()) >= many, "energy", 30)
            node.kill()  # power cut of the node alone: the metering chip counts on
            node.start()
        many = len(energies()) + 5
        bench.host.wait(lambda: len(energies()) >= many, "energy after the cuts", 30)
        found = energies()
        assert found == sorted(found)
        assert found[-1] > 100
        pulses = int(bench.uart.chip.pulses)
        assert 0 <= pulses * 4194304 // (623002 * 36) - found[-1] <= 50, "one reading's worth"
        marked = ("pump", "active_energy_import_wh", 64)
        bench.host.wait(lambda: marked in bench.view.poor, "the first reading after a cut, which is marked", 30)


def test_a_fault_is_a_quality_and_no_number(bench: Bench) -> None:
    with bench.node() as node:
        bench.wait_for("boiler", "gauge_pressure_pa", 500000, 60)
        bench.solder("i2c0", "0x48", inputs_v=[0.0, 0, 0, 0])
        bench.host.wait(lambda: ("boiler", "gauge_pressure_pa", 16) in bench.view.poor, "sensor fault", 30)
        assert None in bench.values("boiler", "gauge_pressure_pa")
        assert "boiler" not in bench.view.deaths, "the converter itself is well"
        bench.solder("i2c0", "0x48", inputs_v=[3.0, 0, 0, 0])
        bench.wait_for("boiler", "gauge_pressure_pa", 1000000, 60)
        assert not bench.view.faults
        assert node.last["errors"] == 0


def test_mistakes_of_drivers_are_told_with_their_keys(bench: Bench) -> None:
    config = bench.config([
        {"device": "a", "bus": "air", "driver": "scd4x", "options": {"altitude_m": -1}},
        {"device": "b", "bus": "air", "driver": "no_such"},
        {"device": "c", "bus": "air", "driver": "sht3x", "metrics": {"co2_ppm": {}}},
        {"device": "d", "bus": "air", "profile": "pzem_004t_v3", "address": 1},
    ])  # fmt: skip
    node = bench.node()
    node.configure(config)
    node.launch()
    assert node.process.wait(20) == 1
    first = node.said("error")[-1]["mistakes"]
    assert first == ["devices[3].bus: a profile needs a serial bus, found i2c"]
    devices = config["devices"]
    assert isinstance(devices, list)
    config["devices"] = devices[:3]
    node.configure(config)
    node.launch()
    assert node.process.wait(20) == 1
    found = node.said("error")[-1]["mistakes"]
    assert [text.split(":")[0] for text in found] == [
        "devices[0].options.altitude_m", "devices[1].driver", "devices[2].metrics.co2_ppm",
    ]  # fmt: skip
