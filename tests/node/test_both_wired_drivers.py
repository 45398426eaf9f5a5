"""MH-Z19, DS18B20, MAX31865, BL0942 and HLW8032 against simulated chips."""

from shutan_meters.errors import FrameError, NoAnswer, ProfileError
from shutan_node import drivers
from shutan_node.drivers.max31865 import temperature_c
from shutan_sim.chips.ds18b20 import Line, crc
from shutan_sim.chips.max31865 import Max31865
from shutan_sim.chips.uart_sensors import Bl0942, Hlw8032, Mhz19
from shutan_wire.quality import GOOD, RANGE, SENSOR_FAULT, UNCERTAIN, WARMING_UP
from support.sensor_bench import Bench, OneWireWires, SpiWires, UartWires, near

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Driver = Any  # its inside is looked at

    Caught = TypeVar("Caught", bound=Exception)


def raises(kind: "type[Caught]", call: "Callable[[], object]") -> "Caught":
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("nothing raised")


def test_mhz19_says_that_it_warms_up_and_is_set_up_again_after_a_silence():
    bench = Bench()
    chip = Mhz19(bench.now_ms)
    bus = UartWires(bench, chip)
    driver = drivers.make("mhz19", "hall", 0, {})
    assert bench.read(driver, bus) == [(410.0, WARMING_UP)]
    assert not chip.baseline
    bench.time_ms += 179000
    assert bench.read(driver, bus)[0][1] == WARMING_UP
    bench.time_ms += 2000
    assert bench.read(driver, bus) == [(608.0, GOOD)]
    chip.babbling = True
    raises(FrameError, lambda: bench.read(driver, bus))
    chip.babbling = False
    assert bench.read(driver, bus) == [(608.0, GOOD)], "noise does not cool it"
    chip.dead = True
    raises(NoAnswer, lambda: bench.read(driver, bus))
    chip.dead = False
    assert bench.read(driver, bus)[0][1] == WARMING_UP
    chip.co2_ppm = 9000
    assert bench.read(driver, bus)[0][1] == RANGE


def test_the_thermometers_crc_is_the_published_one():
    assert crc(b"\x02\x1c\xb8\x01\x00\x00\x00") == 0xA2  # Maxim application note 27, ROM of the example


def test_ds18b20_with_its_own_supply():
    bench = Bench()
    line = Line(bench.now_ms)
    bus = OneWireWires(bench, line)
    driver = drivers.make("ds18b20", "oven", 0, {"metric": "surface_temperature_c"})
    assert driver.metrics == ("surface_temperature_c",)
    for celsius in (21.5, -10.125, 84.9375, 85.0, 125.0, -55.0):
        line.sensors[0].temperature_c = celsius
        bench.time_ms += 5000
        assert bench.read(driver, bus) == [(celsius, GOOD)]


def test_sensors_of_one_line_share_a_conversion():
    bench = Bench()
    line = Line(bench.now_ms)
    line.temperatures_c = [20.0, 21.0, 22.0]
    bus = OneWireWires(bench, line)
    three = [drivers.make("ds18b20", "t" + str(one), line.sensors[one].rom.hex(), {}) for one in range(3)]
    assert [bench.read(driver, bus)[0] for driver in three] == [(20.0, GOOD), (21.0, GOOD), (22.0, GOOD)]
    assert bench.waited_ms == 750
    bench.time_ms += 10000
    line.temperatures_c = [30.0, 31.0, 32.0]
    assert [bench.read(driver, bus)[0] for driver in three] == [(30.0, GOOD), (31.0, GOOD), (32.0, GOOD)]


def chip_without_pull_up(on: bool) -> None:  # noqa: ARG001 - the transistor is broken
    return


def test_ds18b20_on_parasite_power_gets_the_line_for_its_conversion():
    bench = Bench()
    line = Line(bench.now_ms)
    line.parasite = True
    line.temperatures_c = [40.0, 41.0]
    bus = OneWireWires(bench, line)
    two = [drivers.make("ds18b20", "t" + str(one), line.sensors[one].rom.hex(), {}) for one in range(2)]
    assert [bench.read(driver, bus)[0] for driver in two] == [(40.0, GOOD), (41.0, GOOD)]
    assert bench.waited_ms == 1500
    bus.power = chip_without_pull_up
    assert bench.read(two[0], bus) == [(None, SENSOR_FAULT)], "85 degrees of a brown-out"


def test_ds18b20_absent_noisy_and_shorted():
    bench = Bench()
    line = Line(bench.now_ms)
    bus = OneWireWires(bench, line)
    driver = drivers.make("ds18b20", "oven", 0, {})
    line.noisy = True
    raises(FrameError, lambda: bench.read(driver, bus))
    line.noisy = False
    line.dead = True
    raises(NoAnswer, lambda: bench.read(driver, bus))
    line.dead = False
    assert bench.read(driver, bus) == [(20.0, GOOD)]
    other = drivers.make("ds18b20", "other", "28" + "0" * 12 + "1e", {})
    raises(FrameError, lambda: bench.read(other, bus))
    for address in ("28ff", "10" + "0" * 14, "28" + "0" * 12 + "1f", 5, "x"):
        raises(ProfileError, lambda wrong=address: drivers.make("ds18b20", "t", wrong, {}))


# IEC 60751:2008, table 1: resistance of a PT100 in ohm by temperature
IEC_60751 = (
    (-200, 18.52), (-150, 39.72), (-100, 60.26), (-50, 80.31), (-10, 96.09), (0, 100.00), (10, 103.90), (50, 119.40),
    (100, 138.51), (200, 175.86), (400, 247.09), (600, 313.71), (850, 390.48),
)  # fmt: skip


def test_platinum_curve_is_that_of_the_standard():
    for celsius, ohm in IEC_60751:
        assert abs(temperature_c(ohm / 100) - celsius) < 0.02, celsius


def test_max31865_follows_its_element_and_tells_broken_wires():
    bench = Bench()
    chip = Max31865(bench.now_ms)
    bus = SpiWires(bench, {5: chip}, (1, 3))
    driver = drivers.make("max31865", "oven", 5, {"wires": 3})
    for celsius in (-199.0, -40.0, 0.0, 25.0, 180.0, 840.0):
        chip.temperature_c = celsius
        near(bench.read(driver, bus)[0], celsius, GOOD, 0.06)
    for fault in ("broken", "shorted"):
        setattr(chip, fault, True)
        assert bench.read(driver, bus) == [(None, SENSOR_FAULT)], fault
        setattr(chip, fault, False)
        near(bench.read(driver, bus)[0], 840.0, GOOD, 0.06)
    chip.dead = True
    raises(NoAnswer, lambda: bench.read(driver, bus))
    chip.dead = False
    chip.babbling = True
    raises(NoAnswer, lambda: bench.read(driver, bus))
    chip.babbling = False
    near(bench.read(driver, bus)[0], 840.0, GOOD, 0.06)
    raises(NoAnswer, lambda: bench.read(drivers.make("max31865", "oven", 6, {}), bus))


def test_bl0942_follows_the_mains_and_its_energy_is_exact():
    bench = Bench()
    chip = Bl0942(bench.now_ms)
    chip.power_w = 2300.0
    bus = UartWires(bench, chip)
    driver: Driver = drivers.make("bl0942", "socket", 0, {"volt_ref": 15883.7, "amp_ref": 251213.46})
    chip.current_a = 10.0
    found = bench.read(driver, bus)
    near(found[0], 230, GOOD, 2)
    near(found[1], 10, GOOD, 0.01)
    near(found[2], 2300, GOOD, 25)
    near(found[4], 50, GOOD, 0.01)
    for _ in range(60):
        bench.time_ms += 60000
        found = bench.read(driver, bus)
    value, quality = found[3]
    assert quality == GOOD
    assert value is not None
    assert value == int(chip.pulses) * 4194304 // (driver._watt_milli * 36)
    assert 2270 < value < 2330, "one hour at 2.3 kW"
    bench.clean()


def test_bl0942_counter_through_wrap_restarts_and_power_cuts():
    bench = Bench()
    chip = Bl0942(bench.now_ms)
    chip.power_w = 0.0
    bus = UartWires(bench, chip)

    def pulses(driver: "Driver") -> "tuple[int, int]":
        bench.read(driver, bus)
        return driver._totals.numbers[0], driver.qualities[3]

    def fresh() -> "Driver":
        return drivers.make("bl0942", "socket", 0, {})

    driver = fresh()
    chip.pulses = 100.0
    assert pulses(driver) == (100, GOOD)
    chip.pulses = 16777210.0
    assert pulses(driver) == (16777210, GOOD)
    chip.pulses = 16777216.0 + 4
    assert pulses(driver) == (16777220, GOOD), "it went round"
    chip.pulses += 10
    driver = fresh()  # the node was reset, the chip counted on
    assert pulses(driver) == (16777230, GOOD)
    chip.pulses = 7.0  # the chip alone lost power
    assert pulses(driver) == (16777237, UNCERTAIN)
    bench.time_ms += 400000
    assert pulses(driver) == (16777237, GOOD), "and it is on flash now"
    chip.pulses += 5
    bench.time_ms += 1000
    assert pulses(driver) == (16777242, GOOD)
    bench.power_cut()
    chip.pulses = 3.0
    total, quality = pulses(fresh())
    assert quality == UNCERTAIN, "what came after the last write to flash is lost, and that is said"
    assert total == 16777240
    chip.pulses = 4.0
    bench.clean()


def test_several_bl0942_on_one_line_are_told_apart():
    bench = Bench()
    chip = Bl0942(bench.now_ms)
    chip.address = 2
    bus = UartWires(bench, chip)
    raises(NoAnswer, lambda: bench.read(drivers.make("bl0942", "a", 1, {}), bus))
    near(bench.read(drivers.make("bl0942", "b", 2, {}), bus)[4], 50, GOOD, 0.01)
    chip.babbling = True
    raises(FrameError, lambda: bench.read(drivers.make("bl0942", "b", 2, {}), bus))
    raises(ProfileError, lambda: drivers.make("bl0942", "b", 4, {}))
    bench.clean()


def test_hlw8032_is_heard_and_small_is_zero():
    bench = Bench()
    chip = Hlw8032(bench.now_ms)
    bus = UartWires(bench, chip)
    driver: Driver = drivers.make("hlw8032", "socket", 0, {})
    found = bench.read(driver, bus)
    near(found[0], 230, GOOD, 0.1)
    near(found[1], 1.0, GOOD, 0.001)
    near(found[2], 230, GOOD, 0.1)
    chip.state = 0xF6
    found = bench.read(driver, bus)
    assert found[1] == (0.0, GOOD)
    assert found[2] == (0.0, GOOD)
    chip.state = 0xF8
    assert bench.read(driver, bus)[0] == (None, RANGE)
    chip.state = 0xAA
    assert bench.read(driver, bus) == [(None, SENSOR_FAULT)] * 4
    chip.state = 0x55
    chip.babbling = True
    raises(FrameError, lambda: bench.read(driver, bus))
    chip.babbling = False
    chip.dead = True
    before = bench.waited_ms
    raises(NoAnswer, lambda: bench.read(driver, bus))
    assert bench.waited_ms - before <= 320
    bench.clean()


def test_hlw8032_pulses_go_round_and_survive():
    bench = Bench()
    chip = Hlw8032(bench.now_ms)
    bus = UartWires(bench, chip)
    driver: Driver = drivers.make("hlw8032", "socket", 0, {})
    bench.read(driver, bus)
    counted = 0
    for step in (60000, 60000, 60000, 65535, 1, 0):
        chip.pulses = (chip.pulses + step) % 131072
        counted += step
        found = bench.read(driver, bus)
    assert driver._totals.numbers[0] == counted
    assert found[3] == (counted * 5217000 * 1880000 // 3600000000000000, GOOD)
    driver = drivers.make("hlw8032", "socket", 0, {})
    chip.pulses = (chip.pulses + 77) % 131072
    bench.read(driver, bus)
    assert driver._totals.numbers[0] == counted + 77
    bench.clean()
