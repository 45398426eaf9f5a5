"""ATM90E32AS against a simulated chip: energy registers that clear on read, restarts, damaged bits, wiring."""

from shutan_meters.errors import FrameError, NoAnswer, ProfileError
from shutan_node import drivers
from shutan_node.drivers.atm90e32 import ALARM_CT_REVERSED, ALARM_CT_WRONG_PHASE, ALARM_PHASE_LOSS
from shutan_sim.chips.atm90e32 import Atm90e32
from shutan_wire.quality import GOOD, UNCERTAIN
from support.sensor_bench import Bench, SpiWires, near

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from typing import Any

SELECT = 5


class Rig:
    """A chip, its bus, and a driver that can be restarted."""

    def __init__(self, options: "dict[str, Any] | None" = None) -> None:
        self.bench = Bench()
        self.chip = Atm90e32(self.bench.now_ms)
        self.bus = SpiWires(self.bench, {SELECT: self.chip}, (3,))
        self.options = options or {}
        self.restart()

    def restart(self) -> None:
        self.driver: Any = drivers.make("atm90e32", "feeder", SELECT, self.options)

    def read(self, after_ms: int = 0) -> "dict[str, tuple[Any, int]]":
        self.bench.time_ms += after_ms
        found = self.bench.read(self.driver, self.bus)
        return {self.driver.metrics[item]: found[item] for item in range(len(found))}

    def counted(self) -> int:
        """What the chip has handed out of its import register."""
        return self.chip.given.get(0x80, 0)


def test_momentary_values():
    rig = Rig({"ct": 20})
    rig.chip.voltage_v = [229.5, 231.25, 230.0]
    rig.chip.current_a = [1.0, 2.5, 4.999]
    rig.chip.angle_deg = [0.0, 30.0, -20.0]
    found = rig.read()
    near(found["voltage_l2_v"], 231.25, GOOD, 0.01)
    near(found["current_l3_a"], 99.98, GOOD, 0.03)
    total = 0.0
    for phase in range(3):
        power = rig.chip.power_w(phase) * 20
        total += power
        near(found["active_power_l" + str(phase + 1) + "_w"], power, GOOD, 0.05)
    near(found["active_power_w"], total, GOOD, 0.2)
    near(found["reactive_power_var"], 20 * sum([rig.chip.reactive_var(phase) for phase in range(3)]), GOOD, 0.2)
    near(found["power_factor_l2"], 0.866, GOOD, 0.001)
    near(found["frequency_hz"], 50, GOOD, 0.001)
    near(found["chip_temperature_c"], 41, GOOD, 0)
    rig.chip.angle_deg = [180.0, 180.0, 180.0]
    near(rig.read()["active_power_w"], -20 * (229.5 + 231.25 * 2.5 + 230 * 4.999), GOOD, 1)
    rig.bench.clean()


def test_energy_is_every_count_of_the_chip():
    rig = Rig({"ct": 20})
    rig.chip.current_a = [0.731, 1.317, 0.013]
    found = rig.read()
    for step in (1000, 1, 999, 7003, 10000, 60000) * 20:
        found = rig.read(step)
    value, quality = found["active_energy_import_wh"]
    assert rig.counted() > 10000
    assert value == rig.counted() * 200 // 3200
    assert quality == GOOD
    assert found["active_energy_export_wh"] == (0, GOOD)
    assert found["active_energy_import_l2_wh"][0] == rig.chip.given[0x82] * 200 // 3200
    rig.bench.clean()


def test_a_damaged_bit_costs_no_energy():
    rig = Rig()
    rig.read()
    before = rig.chip.transfers
    rig.read(1000)
    transfers = rig.chip.transfers - before
    survived = 0
    for at in range(1, transfers + 1):
        rig.read(1000)  # whatever came before, it is set up now
        rig.chip.flip = at
        try:
            rig.read(1000)
            survived += 1
        except FrameError:
            pass
        rig.chip.flip = 0
        given = [rig.chip.given[register] for register in (0x80, 0x84, 0x88, 0x8C, 0x81, 0x82, 0x83)]
        assert rig.driver._totals.numbers == given, at
    assert survived == transfers, "one wrong bit is put right by asking once more"
    rig.bench.clean()


def test_a_warm_restart_leaves_the_chip_counting():
    rig = Rig()
    for _ in range(5):
        rig.read(2000)
        rig.restart()  # the node is reset, the chip is not
    found = rig.read(20000)
    assert rig.chip.resets == 1, "only the very first start set it up"
    assert found["active_energy_import_wh"] == (rig.counted() * 10 // 3200, GOOD)
    assert 3450 * 28 / 3600 - 2 < found["active_energy_import_wh"][0] <= 3450 * 28 / 3600, "since it was set up"
    rig.bench.clean()


def test_a_power_cut_is_bounded_and_marked():
    rig = Rig()
    for _ in range(10):
        rig.read(60000)
    before = rig.read()["active_energy_import_wh"][0]
    rig.bench.power_cut()
    rig.chip.power_cut()
    rig.restart()
    value, quality = rig.read()["active_energy_import_wh"]
    assert quality == UNCERTAIN
    assert before - 3450 * 300 / 3600 - 1 <= value <= before, "five minutes at most"
    value_2, quality = rig.read(60000)["active_energy_import_wh"]
    assert quality == GOOD
    assert value_2 > value
    rig.bench.clean()


def test_a_chip_that_lost_its_set_up_is_set_up_again():
    rig = Rig({"gains": [0x8100, 0x7F00] * 3, "calibration": {"date": "2026-03-01", "operator": "Li"}})
    rig.read()
    rig.chip.power_cut()
    try:
        rig.read(1000)
        told = False
    except FrameError:
        told = True
    assert told
    assert rig.read(1000)["voltage_l1_v"][1] == GOOD
    assert rig.chip.settings[0x61] == 0x8100
    assert rig.chip.settings[0x6A] == 0x7F00
    rig.bench.clean()


def test_a_register_that_was_nearly_full_is_marked():
    rig = Rig()
    rig.read()
    rig.chip.current_a = [60.0, 60.0, 60.0]
    assert rig.read(60000)["active_energy_import_wh"][1] == UNCERTAIN
    assert rig.read(1000)["active_energy_import_wh"][1] == GOOD
    rig.bench.clean()


def test_wrong_wiring_is_told():
    rig = Rig()
    assert rig.read()["alarm_code"] == (0, GOOD)
    rig.chip.angle_deg = [180.0, 0.0, 0.0]
    assert rig.read()["alarm_code"] == (ALARM_CT_REVERSED, GOOD)
    rig.chip.angle_deg = [0.0, 0.0, 120.0]
    assert rig.read()["alarm_code"] == (ALARM_CT_REVERSED << 2, GOOD), "another phase, and negative"
    rig.chip.angle_deg = [0.0, -60.0, 0.0]
    assert rig.read()["alarm_code"] == (ALARM_CT_WRONG_PHASE << 1, GOOD)
    rig.chip.angle_deg = [0.0, 0.0, 0.0]
    rig.chip.voltage_v[2] = 12.0
    assert rig.read()["alarm_code"] == (ALARM_PHASE_LOSS << 2, GOOD)
    rig.chip.voltage_v[2] = 230.0
    rig.chip.current_a = [0.01, 5.0, 5.0]
    rig.chip.angle_deg = [80.0, 0.0, 0.0]
    assert rig.read()["alarm_code"] == (0, GOOD), "no load, no verdict"
    rig.bench.clean()


def test_nobody_there_and_wrong_options():
    rig = Rig()
    rig.chip.dead = True
    try:
        rig.read()
        silent = False
    except NoAnswer:
        silent = True
    assert silent
    rig.bench.clean()
    wrong: tuple[dict[str, Any], ...] = (
        {"gains": [1, 2]}, {"gains": [0x8001] * 6}, {"ct": 0}, {"mains_hz": 55}, {"colour": 1}
    )  # fmt: skip
    for options in wrong:
        try:
            drivers.make("atm90e32", "feeder", SELECT, options)
            refused = False
        except ProfileError:
            refused = True
        assert refused, options
