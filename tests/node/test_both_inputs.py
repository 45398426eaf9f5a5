"""Pulse inputs and stack lights: what is counted survives, what may be missing is said."""

from shutan_meters.errors import ProfileError
from shutan_node import drivers
from shutan_sim.chips.inputs import Contact, Lamp
from shutan_wire.quality import GOOD, UNCERTAIN
from support.sensor_bench import Bench, Wires

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.drivers.driver import Driver

GAS = {"metric": "gas_volume_l", "per_pulse": [10, 1], "offset": 123450}
PARTS = {"metric": "good_count", "debounce_ms": 20, "edge": "rising"}


class Pins(Wires):
    """The inputs of a board."""

    def __init__(self, bench: Bench, contacts: "dict[int, Contact]", lamps: "dict[int, Lamp]") -> None:
        super().__init__(bench)
        self.contacts = contacts
        self.lamps = lamps
        self.asked: list[tuple[int, bool, int]] = []

    def counter(self, pin: int, rising: bool, debounce_ms: int) -> Contact:
        self.asked.append((pin, rising, debounce_ms))
        return self.contacts[pin]

    def level(self, pin: int) -> Lamp:
        return self.lamps[pin]


def test_pulses_become_counters_in_integers():
    bench = Bench()
    gas, parts = Contact(), Contact()
    pins = Pins(bench, {25: gas, 26: parts}, {})
    driver = drivers.make("pulses", "line", 0, {"inputs": {"25": GAS, "26": PARTS}})
    assert driver.metrics == ("gas_volume_l", "good_count")
    assert bench.read(driver, pins) == [(123450, GOOD), (0, GOOD)]
    assert pins.asked == [(25, False, 10), (26, True, 20)]
    found = []
    for _ in range(50):
        gas.pulse(3)
        parts.pulse(2)
        bench.time_ms += 10000
        found = bench.read(driver, pins)
    assert found == [(123450 + 1500, GOOD), (100, GOOD)]
    bench.clean()


def test_fractions_of_a_unit_are_not_lost():
    bench = Bench()
    contact = Contact()
    meter = {"metric": "active_energy_import_wh", "per_pulse": [1000, 1600]}  # 1600 pulses a kWh
    driver = drivers.make("pulses", "meter", 0, {"inputs": {"25": meter}})
    pins = Pins(bench, {25: contact}, {})
    bench.read(driver, pins)
    for count in range(1, 200):
        contact.pulse()
        bench.time_ms += 1000
        assert bench.read(driver, pins)[0][0] == count * 1000 // 1600
    bench.clean()


def test_the_interrupts_counter_goes_round():
    bench = Bench()
    contact = Contact()
    contact.pulse((1 << 30) - 5)
    driver = drivers.make("pulses", "line", 0, {"inputs": {"26": PARTS}})
    pins = Pins(bench, {26: contact}, {})
    assert bench.read(driver, pins) == [(0, GOOD)], "what was counted before the node began is not its own"
    contact.pulse(9)
    bench.time_ms += 1000
    assert bench.read(driver, pins) == [(9, GOOD)]
    bench.clean()


def test_a_warm_reset_loses_what_came_since_the_last_reading_and_a_power_cut_is_marked():
    bench = Bench()
    contact = Contact()
    pins = Pins(bench, {26: contact}, {})

    def start() -> "Driver":
        contact.node_reset()
        return drivers.make("pulses", "line", 0, {"inputs": {"26": PARTS}})

    driver = start()
    bench.read(driver, pins)
    contact.pulse(40)
    bench.time_ms += 10000
    bench.read(driver, pins)
    contact.pulse(2)  # nobody read these
    driver = start()
    assert bench.read(driver, pins) == [(40, GOOD)]
    contact.pulse(5)
    bench.time_ms += 400000
    assert bench.read(driver, pins) == [(45, GOOD)], "this one goes to flash"
    contact.pulse(7)
    bench.time_ms += 10000
    bench.read(driver, pins)
    bench.power_cut()
    driver = start()
    assert bench.read(driver, pins) == [(45, UNCERTAIN)]
    contact.pulse(1)
    bench.time_ms += 10000
    assert bench.read(driver, pins) == [(46, GOOD)]
    bench.clean()


def test_faster_than_the_standard_is_marked():
    bench = Bench()
    contact = Contact()
    pins = Pins(bench, {26: contact}, {})
    driver = drivers.make("pulses", "line", 0, {"inputs": {"26": PARTS}})
    bench.read(driver, pins)
    contact.pulse(160)
    bench.time_ms += 10000
    assert bench.read(driver, pins)[0] == (160, GOOD)
    contact.pulse(500)
    bench.time_ms += 10000
    assert bench.read(driver, pins)[0] == (660, UNCERTAIN)
    bench.clean()


def test_a_stack_light_gives_the_state_of_its_machine():
    bench = Bench()
    lamps = {pin: Lamp(bench.now_ms) for pin in (32, 33, 34)}
    pins = Pins(bench, {}, lamps)
    options: dict[str, Any] = {"lamps": {"red": 32, "amber": 33, "green": 34}}
    driver = drivers.make("stack_light", "press", 0, options)
    for lit, state in (((), 0), ((33,), 1), ((34,), 2), ((33, 34), 2), ((32, 34), 3), ((32,), 3)):
        for pin, lamp in lamps.items():
            lamp.lit = pin in lit
        assert bench.read(driver, pins) == [(state, GOOD)], lit
    options = {
        "lamps": options["lamps"],
        "states": [["amber+green", "idle"], ["green", "running"]],
        "dark": "fault",
        "lit": 0,
    }
    driver = drivers.make("stack_light", "press", 0, options)
    for lit, state in (((), 3), ((33, 34), 1), ((34,), 2), ((32,), 3)):
        for pin, lamp in lamps.items():
            lamp.lit = pin in lit
        assert bench.read(driver, pins) == [(state, GOOD)], lit


def test_a_lamp_that_blinks_is_seen_at_any_moment():
    bench = Bench()
    lamp = Lamp(bench.now_ms)
    lamp.lit = lamp.blinks = True
    driver = drivers.make("stack_light", "press", 0, {"lamps": {"red": 32}})
    pins = Pins(bench, {}, {32: lamp})
    for _ in range(20):
        bench.time_ms += 137
        assert bench.read(driver, pins) == [(3, GOOD)]


def test_wrong_options_are_told():
    def mistakes(driver: str, options: "dict[str, Any]") -> "list[str]":
        try:
            drivers.make(driver, "d", 0, options)
        except ProfileError as error:
            return error.mistakes
        return []

    assert mistakes("pulses", {})
    odd = {"metric": "voltage_l1_v", "per_pulse": [0, 1], "colour": 1}
    found = mistakes("pulses", {"inputs": {"x": PARTS, "25": odd}})
    for key in (".x: ", ".25.metric: ", ".25.per_pulse: ", ".25.colour: unknown"):
        assert [text for text in found if text.startswith("options.inputs" + key)], (key, found)
    assert mistakes("pulses", {"inputs": {"25": PARTS, "26": PARTS}})
    assert mistakes("stack_light", {})
    assert mistakes("stack_light", {"lamps": {"red": "32"}})
    assert mistakes("stack_light", {"lamps": {"red": 32}, "states": [["blue", "fault"]]})
    assert mistakes("stack_light", {"lamps": {"red": 32}, "states": [["red", "asleep"]]})
