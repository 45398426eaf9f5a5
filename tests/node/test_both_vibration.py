"""ADXL345 against a simulated chip: velocity, strongest line, zones, lost samples."""

from math import pi, sqrt

from shutan_meters.errors import FrameError, NoAnswer
from shutan_node import drivers
from shutan_node.drivers.iso20816 import LIMITS_MM_S, zone
from shutan_sim.chips.adxl345 import Adxl345
from shutan_wire.quality import GOOD, RANGE
from support.sensor_bench import Bench, SpiWires, near

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from typing import Any


class Rig:
    """A chip and its driver."""

    def __init__(self, options: "dict[str, Any] | None" = None) -> None:
        self.bench = Bench()
        self.chip = Adxl345(self.bench.now_ms)
        self.bus = SpiWires(self.bench, {5: self.chip}, (3,))
        self.driver = drivers.make("adxl345", "fan", 5, options or {})

    def read(self) -> "list[tuple[int | float | None, int]]":
        return self.bench.read(self.driver, self.bus)


def test_velocity_of_a_sine_is_acceleration_over_angular_frequency():
    rig = Rig()
    for hz, peak in ((25.0, 2.0), (50.0, 5.0), (159.155, 10.0), (333.3, 20.0), (900.0, 100.0)):
        rig.chip.sines = [(hz, peak)]
        found = rig.read()
        rms_mm_s = 1000 * peak / sqrt(2) / (2 * pi * hz)
        near(found[0], rms_mm_s, GOOD, 0.03 * rms_mm_s)
        near(found[1], rms_mm_s * sqrt(2), GOOD, 0.04 * rms_mm_s)
        near(found[2], hz, GOOD, 1.6)
        near(found[3], peak / sqrt(2), GOOD, 0.03 * peak)


def test_what_lies_outside_of_the_band_does_not_count():
    rig = Rig()
    rig.chip.sines = [(50.0, 3.0), (1300.0, 60.0), (4.0, 0.2)]
    found = rig.read()
    rms_mm_s = 1000 * 3 / sqrt(2) / (2 * pi * 50)
    near(found[0], rms_mm_s, GOOD, 0.05 * rms_mm_s)
    near(found[2], 50, GOOD, 1.6)


def test_zones_of_the_standard():
    assert LIMITS_MM_S[(2, "rigid")] == (1.4, 2.8, 4.5)
    assert [zone(speed, (1.4, 2.8, 4.5)) for speed in (0.5, 1.4, 1.5, 2.9, 4.5, 4.6)] == [1, 1, 2, 3, 3, 4]
    for options, wanted in (({}, 4), ({"group": 1, "support": "flexible"}, 2), ({"limits": [10, 20, 30]}, 1)):
        rig = Rig(options)
        rig.chip.sines = [(50.0, 2 * pi * 50 * sqrt(2) * 5.0 / 1000)]  # 5 mm/s
        assert rig.read()[4] == (wanted, GOOD)


def test_a_clipped_window_is_out_of_range():
    rig = Rig()
    rig.chip.sines = [(50.0, 170.0)]
    assert rig.read() == [(None, RANGE)] * 5


def test_lost_samples_cost_a_window_and_are_never_hidden():
    rig = Rig()
    sleep = rig.bench.sleep_ms
    slow = [20]  # calls until another task holds everything up for 15 ms

    async def disturbed(ms: int) -> None:
        slow[0] -= 1
        await sleep(15 if slow[0] == 0 and ms else ms)

    rig.bus.sleep_ms = disturbed
    found = rig.read()
    assert slow[0] < 0
    near(found[0], 1000 * 5 / sqrt(2) / (2 * pi * 50), GOOD, 0.4)

    async def always_slow(ms: int) -> None:
        await sleep(15 if ms else ms)

    rig.bus.sleep_ms = always_slow
    try:
        rig.read()
        told = False
    except FrameError:
        told = True
    assert told


def test_a_dead_or_frozen_chip_is_told_in_bounded_time():
    for fault, kind in (("dead", NoAnswer), ("frozen", FrameError)):
        rig = Rig()
        rig.read()
        setattr(rig.chip, fault, True)
        before = rig.bench.waited_ms
        try:
            rig.read()
            told = False
        except kind:
            told = True
        assert told, fault
        assert rig.bench.waited_ms - before <= 1200
        setattr(rig.chip, fault, False)
        assert rig.read()[0][1] == GOOD
