"""Rules about single pins and buses. Source: hardware/catalogue/chips.toml and the data sheets that it names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from shutan_gateway.hardware.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shutan_gateway.hardware.board import Board, Bus, Pin

__all__ = ["bus_findings", "pin_findings"]

_FLASH_PORT = {"uart0": ("console", {"tx", "rx"}), "usb": ("usb", {"dm", "dp"})}
_LINES = {"uart": {"tx", "rx"}, "spi": {"sck", "mosi", "miso", "cs"}, "i2c": {"sda", "scl"}, "onewire": {"data"}}
_PIN_MAX_MV = 3600


def _free(board: Board) -> str:
    """Pins that anybody may take, as a hint in a remedy."""
    chip = board.chip
    taken = {pin.gpio for pin in board.pin} | {one.gpio for one in chip.strapping}
    taken |= chip.flash | board.module_data.taken | chip.console | chip.usb | chip.input_only | chip.toggles
    free = sorted(board.module_data.bonded & chip.gpio - taken)
    return f"free: {', '.join(map(str, free))}" if free else "no pin is free"


def pin_findings(board: Board) -> Iterator[Finding]:
    """Everything about single pins."""
    for number, pin in enumerate(board.pin):
        place = f"GPIO{pin.gpio} {pin.signal}"
        rules = (_existence, _strapping, _analog, _ports, _boot_level, _pulse, _electrical)
        for rule in rules:
            for name, what, remedy in rule(board, pin):
                yield Finding(board.name, place, name, what, remedy)
        for other in board.pin[:number]:
            if other.gpio == pin.gpio:
                what = f"{other.signal} is on the same pin"
                yield Finding(board.name, place, "used-twice", what, f"move one of them ({_free(board)})")
    yield from _floating_straps(board)
    yield from _flash_port(board)


def _existence(board: Board, pin: Pin) -> Iterator[tuple[str, str, str]]:
    chip, module = board.chip, board.module_data
    if pin.gpio not in chip.gpio or pin.gpio not in module.bonded:
        owner = chip.title if pin.gpio not in chip.gpio else board.module
        yield "no-such-pin", f"the {owner} has no such pin", f"move it ({_free(board)})"
    if pin.gpio in chip.flash | module.taken:
        yield "memory-pin", f"flash or PSRAM of the {board.module} is on it", f"move it ({_free(board)})"
    if pin.gpio in chip.input_only:
        if pin.direction in {"out", "bidir"}:
            yield "input-only", "the pin has no output driver", f"move it ({_free(board)})"
        elif pin.direction in {"in", "pulse"} and not pin.reset_level:
            yield "input-only", "the pin has no pull of its own and floats", "add a resistor of 10 k (pull)"


def _strapping(board: Board, pin: Pin) -> Iterator[tuple[str, str, str]]:
    strap = board.chip.strapping_of(pin.gpio)
    if strap is None or not strap.never:
        return
    if pin.reset_level == strap.never:
        yield "strapping", strap.effect, f"hold it {_other(strap.never)} at reset, or move the signal ({_free(board)})"
    elif not pin.reset_level:
        what = f"what drives it at reset is not said, and {strap.effect}"
        yield "strapping", what, f"say at_reset, or move the signal ({_free(board)})"


def _other(level: str) -> str:
    return "low" if level == "high" else "high"


def _floating_straps(board: Board) -> Iterator[Finding]:
    wired = {pin.gpio for pin in board.pin if pin.reset_level}
    for strap in board.chip.strapping:
        safe = {"up": "high", "down": "low"}.get(strap.inside, "")
        if strap.never and not safe and strap.gpio not in wired and strap.gpio in board.module_data.bonded:
            pull = "up" if strap.never == "low" else "down"
            what = f"floats, and {strap.effect}"
            yield Finding(board.name, f"GPIO{strap.gpio}", "strapping", what, f"pull it {pull} with 10 k")


def _analog(board: Board, pin: Pin) -> Iterator[tuple[str, str, str]]:
    chip = board.chip
    if pin.direction != "analog":
        return
    best = sorted(chip.adc1 & board.module_data.bonded - {one.gpio for one in board.pin})
    remedy = f"use ADC1 (free: {', '.join(map(str, best))}) or an external converter"
    if pin.gpio in chip.adc2:
        if chip.adc2_unusable:
            yield "adc2-wifi", f"ADC2 of the {chip.title} does not work (errata)", remedy
        elif board.link == "wifi":
            yield "adc2-wifi", "ADC2 cannot be read while the radio is on", remedy
    elif pin.gpio not in chip.adc1:
        yield "no-adc", "the pin has no converter", remedy


def _ports(board: Board, pin: Pin) -> Iterator[tuple[str, str, str]]:
    chip = board.chip
    if pin.gpio in chip.console and pin.bus != "console":
        what = "boot messages and flashing use it, whatever the firmware does"
        yield "console-pin", what, f"move it ({_free(board)})"
    if pin.gpio in chip.usb and pin.bus != "usb" and board.flashing == "usb":
        yield "usb-pin", "the board is flashed over it", f"move it ({_free(board)})"


def _boot_level(board: Board, pin: Pin) -> Iterator[tuple[str, str, str]]:
    if pin.line == "de" and (pin.pull != "down" or pin.safe != "low"):
        what = "the driver is on or undefined while the chip starts and holds the line"
        yield "driver-enable", what, 'add 10 k to ground (pull = "down", safe = "low")'
    if not pin.safe:
        return
    if pin.reset_level != pin.safe:
        what = f"must stay {pin.safe} until the firmware runs, and nothing holds it there"
        yield "boot-level", what, f"add a resistor that pulls it {'down' if pin.safe == 'low' else 'up'}"
    if pin.gpio in board.chip.toggles:
        yield "boot-level", "the pin moves by itself while the chip starts", f"move it ({_free(board)})"


def _pulse(board: Board, pin: Pin) -> Iterator[tuple[str, str, str]]:
    chip = board.chip
    if pin.direction == "pulse" and pin.gpio in chip.glitches:
        yield "pulse-glitch", "short low glitches when a converter or the radio powers up", f"move it ({_free(board)})"
    if pin.wake and pin.gpio not in chip.rtc:
        yield "wake-pin", "the pin cannot end deep sleep", f"use one of {', '.join(map(str, sorted(chip.rtc)))}"
    if pin.direction == "pulse" and not pin.counter:
        yield "pulse-counter", "how it is counted is not said", 'say counter = "pcnt" or "interrupt"'


def _electrical(board: Board, pin: Pin) -> Iterator[tuple[str, str, str]]:
    chip = board.chip
    if pin.load_ma > chip.advised_ma:
        what = f"{pin.load_ma} mA on a pin of {chip.advised_ma} mA, {chip.sink_ma} mA sunk at the highest strength"
        yield "pin-current", what, "put a transistor between"
    if pin.level_mv > _PIN_MAX_MV:
        what = f"{pin.level_mv / 1000:g} V on a 3.3 V pin"
        yield "pin-voltage", what, "put a level shifter or an opto-coupler between, or use a 3.3 V part"


def _flash_port(board: Board) -> Iterator[Finding]:
    bus, wanted = _FLASH_PORT[board.flashing]
    pins = board.chip.console if board.flashing == "uart0" else board.chip.usb
    lines = board.lines_of(bus)
    found = {line for line, each in lines.items() if all(pin.gpio in pins for pin in each)}
    if not wanted <= found:
        what = f"{' and '.join(sorted(wanted - found))} of {board.flashing} are not wired"
        where = " and ".join(f"GPIO{one}" for one in sorted(pins))
        yield Finding(board.name, bus, "flash-port", what, f"wire {where} with bus = {bus!r}")
    button = 9 if 0 not in {one.gpio for one in board.chip.strapping} else 0
    if button not in {pin.gpio for pin in board.pin}:
        what = "nothing pulls the boot pin low, a chip without firmware cannot be reached"
        yield Finding(board.name, f"GPIO{button}", "flash-port", what, "wire a button to ground with a pull-up")


def bus_findings(board: Board) -> Iterator[Finding]:
    """Lines of each bus, and how many peripherals the chip has."""
    chip = board.chip
    for bus in board.bus:
        yield from _bus_lines(board, bus)
    first = {"uart": 1, "spi": 1, "i2c": 0}
    count = {"uart": chip.uarts, "spi": chip.spis + 1, "i2c": chip.i2cs}
    for kind, low in first.items():
        units = Counter(bus.unit for bus in board.bus if bus.kind == kind)
        for unit, times in sorted(units.items()):
            place = f"{kind} {unit}"
            accepted = f"units {low} to {count[kind] - 1} of the {chip.title}"
            if not low <= unit < count[kind]:
                why = (
                    "belongs to the console"
                    if kind == "uart" and unit == 0
                    else "does not exist or belongs to the flash"
                )
                yield Finding(board.name, place, "bus-unit", f"the unit {why}", f"use {accepted}, or a larger chip")
            elif times > 1:
                yield Finding(board.name, place, "bus-unit", f"{times} buses use it", f"use {accepted}, each once")
    pulses = sum(pin.counter == "pcnt" for pin in board.pin)
    if pulses > chip.pulse_units:
        what = f"{pulses} inputs, the {chip.title} has {chip.pulse_units} counters"
        remedy = 'count slow ones by counter = "interrupt", or use a larger chip'
        yield Finding(board.name, "pulse inputs", "pulse-counter", what, remedy)


def _bus_lines(board: Board, bus: Bus) -> Iterator[Finding]:
    lines = board.lines_of(bus.id)
    missing = sorted(_LINES[bus.kind] - set(lines))
    place = f"bus {bus.id}"
    if missing:
        yield Finding(board.name, place, "bus-lines", f"{', '.join(missing)} missing", "give each line its pin")
    twice = sorted(line for line, pins in lines.items() if len(pins) > 1 and line not in {"cs", "int", "rst"})
    if twice:
        yield Finding(board.name, place, "bus-lines", f"{', '.join(twice)} twice", "share one pin among the parts")
    if bus.kind in {"i2c", "onewire"}:
        for line, pins in lines.items():
            if any(pin.pull != "up" for pin in pins):
                yield Finding(board.name, place, "bus-lines", f"{line} has no pull-up", "add 2.2 k to 4.7 k to 3.3 V")
