"""SHT3x, SCD4x, SCD30 and ADS1115 against simulated chips."""

import asyncio

from shutan_meters.errors import FrameError, NoAnswer, ProfileError
from shutan_node import drivers
from shutan_sim.chips.ads1115 import Ads1115
from shutan_sim.chips.air import Scd4x, Scd30, Sht3x, checksum
from shutan_wire.quality import GOOD, RANGE, SENSOR_FAULT, STALE, WARMING_UP
from support.sensor_bench import Bench, I2cWires, near

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Caught = TypeVar("Caught", bound=Exception)


def raises(kind: "type[Caught]", call: "Callable[[], object]") -> "Caught":
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("nothing raised")


def test_the_chips_checksum_is_the_published_one():
    for high, low, crc in ((0xBE, 0xEF, 0x92), (0x01, 0xF4, 0x33), (0x43, 0xDB, 0xCB), (0x00, 0x00, 0x81)):
        assert checksum(high, low) == crc


def test_sht3x_follows_the_air():
    bench = Bench()
    chip = Sht3x(bench.now_ms)
    bus = I2cWires(bench, {0x44: chip})
    driver = drivers.make("sht3x", "hall", "0x44", {})
    for temperature_c, humidity_pct in ((25.0, 50.0), (-39.5, 0.5), (120.0, 99.5)):
        chip.temperature_c = temperature_c
        chip.humidity_pct = humidity_pct
        found = bench.read(driver, bus)
        near(found[0], temperature_c, GOOD, 0.01)
        near(found[1], humidity_pct, GOOD, 0.01)


def test_sht3x_heater_is_switched_off_and_told():
    bench = Bench()
    chip = Sht3x(bench.now_ms)
    chip.heater = True
    driver = drivers.make("sht3x", "hall", 0x44, {})
    bus = I2cWires(bench, {0x44: chip})
    assert [quality for _, quality in bench.read(driver, bus)] == [WARMING_UP, WARMING_UP]
    assert not chip.heater
    assert [quality for _, quality in bench.read(driver, bus)] == [GOOD, GOOD]


def test_a_dead_or_babbling_sensor_is_told_and_comes_back():
    bench = Bench()
    chip = Sht3x(bench.now_ms)
    bus = I2cWires(bench, {0x44: chip})
    driver = drivers.make("sht3x", "hall", "0x44", {})
    bench.read(driver, bus)
    before = bench.waited_ms
    chip.dead = True
    raises(NoAnswer, lambda: bench.read(driver, bus))
    assert driver.values == [None, None]
    assert driver.silent == 1
    assert bench.waited_ms == before, "silence costs the others nothing"
    chip.dead = False
    chip.babbling = True
    raises(FrameError, lambda: bench.read(driver, bus))
    assert driver.damaged == 1
    assert bench.waited_ms - before < 50
    chip.babbling = False
    assert [quality for _, quality in bench.read(driver, bus)] == [GOOD, GOOD]
    raises(NoAnswer, lambda: asyncio.run(driver.read(I2cWires(bench, {}))))


def test_scd4x_sets_itself_up_and_never_repeats_a_value():
    bench = Bench()
    chip = Scd4x(bench.now_ms)
    driver = drivers.make("scd4x", "hall", 0, {"altitude_m": 500})
    bus = I2cWires(bench, {0x62: chip})
    assert [quality for _, quality in bench.read(driver, bus)] == [STALE] * 3
    assert chip.altitude_m == 500
    assert not chip.self_calibration
    bench.time_ms += 5000
    chip.co2_ppm = 812
    found = bench.read(driver, bus)
    near(found[0], 812, GOOD, 0)
    near(found[1], 25.0, GOOD, 0.01)
    near(found[2], 37.0, GOOD, 0.01)
    assert [quality for _, quality in bench.read(driver, bus)] == [STALE] * 3


def test_scd4x_after_a_node_reset_and_after_a_power_glitch():
    bench = Bench()
    chip = Scd4x(bench.now_ms)
    bus = I2cWires(bench, {0x62: chip})
    bench.read(drivers.make("scd4x", "hall", 0, {}), bus)
    driver = drivers.make("scd4x", "hall", 0, {})  # the node restarted, the sensor still measures
    bench.read(driver, bus)
    bench.time_ms += 5000
    near(bench.read(driver, bus)[0], 500, GOOD, 0)
    bus.chips[0x62] = Scd4x(bench.now_ms)  # the sensor restarted: nobody told it to measure
    seen: list[int] = []
    for _ in range(5):
        bench.time_ms += 5000
        try:
            seen.append(bench.read(driver, bus)[0][1])
        except FrameError:
            seen.append(0)
    assert seen[-1] == GOOD
    assert 0 in seen, "that it had stopped is told"


def test_a_sensor_that_was_exchanged_is_set_up_like_the_first():
    bench = Bench()
    bus = I2cWires(bench, {0x62: Scd4x(bench.now_ms)})
    driver = drivers.make("scd4x", "hall", 0, {"altitude_m": 500})
    bench.read(driver, bus)
    other = Scd4x(bench.now_ms)
    bus.chips.clear()
    raises(NoAnswer, lambda: bench.read(driver, bus))
    bus.chips[0x62] = other
    bench.read(driver, bus)
    assert other.altitude_m == 500
    assert not other.self_calibration


def test_scd4x_invalid_first_sample_is_no_number():
    bench = Bench()
    chip = Scd4x(bench.now_ms)
    chip.co2_ppm = 0
    bus = I2cWires(bench, {0x62: chip})
    driver = drivers.make("scd4x", "hall", 0, {})
    bench.read(driver, bus)
    bench.time_ms += 5000
    assert bench.read(driver, bus)[0] == (None, RANGE)


def test_scd30_writes_its_memory_only_where_it_differs():
    bench = Bench()
    chip = Scd30(bench.now_ms)
    bus = I2cWires(bench, {0x61: chip})
    options = {"measure_s": 5, "altitude_m": 500}
    driver = drivers.make("scd30", "hall", 0, options)
    assert [quality for _, quality in bench.read(driver, bus)] == [STALE] * 3
    assert chip.memory == {0x4600: 5, 0x5102: 500, 0x5306: 0}
    assert chip.written == 3
    bench.time_ms += 5000
    found = bench.read(driver, bus)
    near(found[0], 439.095, GOOD, 0.01)
    near(found[1], 27.238, GOOD, 0.01)
    near(found[2], 48.807, GOOD, 0.01)
    bench.read(drivers.make("scd30", "hall", 0, options), bus)
    assert chip.written == 3
    chip.co2_ppm = float("nan")
    bench.time_ms += 5000
    assert bench.read(driver, bus)[0] == (None, RANGE)


PRESSURE = {"metric": "gauge_pressure_pa", "low": 0, "high": 1000000}


def test_ads1115_scales_and_tells_faults_by_namur_ne_43():
    bench = Bench()
    chip = Ads1115(bench.now_ms)
    bus = I2cWires(bench, {0x48: chip})
    level = {"metric": "level_pct", "low": 0, "high": 100}
    driver = drivers.make("ads1115", "boiler", "0x48", {"channels": {"1": PRESSURE, "3": level}})
    assert driver.metrics == ("gauge_pressure_pa", "level_pct")
    chip.current_ma(3, 20.0)
    for current_ma, quality in (
        (0.0, SENSOR_FAULT), (3.55, SENSOR_FAULT), (3.7, RANGE), (3.85, GOOD), (4.0, GOOD), (12.0, GOOD), (20.0, GOOD),
        (20.45, GOOD), (20.6, RANGE), (20.9, RANGE), (21.05, SENSOR_FAULT), (24.0, SENSOR_FAULT), (40.0, SENSOR_FAULT),
    ):  # fmt: skip
        chip.current_ma(1, current_ma)
        found = bench.read(driver, bus)
        if quality == GOOD:
            near(found[0], (current_ma - 4) / 16 * 1000000, GOOD, 120)  # an LSB is 0.83 uA, 52 Pa
        else:
            assert found[0] == (None, quality), (current_ma, found)
        near(found[1], 100, GOOD, 0.02)


def test_ads1115_negative_input_is_a_fault():
    bench = Bench()
    chip = Ads1115(bench.now_ms)
    chip.inputs_v[0] = -0.2
    driver = drivers.make("ads1115", "boiler", 0, {"channels": {"0": PRESSURE}})
    assert bench.read(driver, I2cWires(bench, {0x48: chip})) == [(None, SENSOR_FAULT)]


def test_ads1115_that_babbles_is_no_measurement():
    bench = Bench()
    chip = Ads1115(bench.now_ms)
    chip.babbling = True
    driver = drivers.make("ads1115", "boiler", 0, {"channels": {"0": PRESSURE}})
    raises(FrameError, lambda: bench.read(driver, I2cWires(bench, {0x48: chip})))


def test_wrong_options_are_all_told():
    def mistakes(driver: str, address: "str | int", options: "dict[str, object]") -> "list[str]":
        return raises(ProfileError, lambda: drivers.make(driver, "d", address, options)).mistakes

    assert mistakes("no_such", 0, {}) == ["driver: there is no no_such"]
    found = mistakes("scd4x", 0x44, {"altitude_m": "high", "self_calibration": 7, "colour": 1})
    for key in ("address: ", "options.altitude_m: ", "options.self_calibration: ", "options.colour: unknown"):
        assert [text for text in found if text.startswith(key)], (key, found)
    assert len(found) == 4
    found = mistakes("ads1115", 0, {"channels": {"7": PRESSURE, "1": {"metric": "good_count", "low": 0}}})
    for key in ("options.channels.7: ", "options.channels.1.metric: ", "options.channels.1.high: "):
        assert [text for text in found if text.startswith(key)], (key, found)
    assert mistakes("ads1115", 0, {"channels": {"0": PRESSURE, "1": PRESSURE}}) == [
        "options.channels: a metric twice; make it two devices"
    ]
    assert mistakes("ads1115", 0, {})
