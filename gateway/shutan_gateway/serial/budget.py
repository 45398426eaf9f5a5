"""What a round of readings costs on a bus, and whether the intervals can be kept.

A read costs the characters of request and answer (11 bits each: start, 8 data, parity or second stop, stop), the
meter's turn-round time and the pause before the next request; one read in twenty is reckoned as repeated after a
time-out. Over Modbus TCP the characters cost nothing. The sum over all meters of cost / interval must not exceed 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.serial.profiles import device_of, load, wanted_of
from shutan_meters.errors import ProfileError
from shutan_meters.profile import BY_UNIT, CJT188, DLT645, DLT645_1997, MODBUS, Profile

if TYPE_CHECKING:
    from shutan_gateway.config.serial import SerialBus, SerialMeter

__all__ = ["Budget", "budget_of", "char_s", "line_of", "phases_s", "problems_of"]

BITS_A_CHARACTER = 11
PAUSE_CHARACTERS = 3.5  # Modbus RTU, 2.5.1.1; the other protocols ask for less
PROGRAM_S = 0.005  # of this program and the adapter, a read
REPEATED = 0.05
_TURNAROUND_MS = {MODBUS: 50, DLT645: 150, DLT645_1997: 150, CJT188: 150}  # DL/T 645 allows 20 .. 500
_WAKE = 4
_ROOM = 2.0
_FILLED = 0.9  # of the interval, at most, before the first meter's turn comes again
_OVERHEAD = {DLT645: 12 + 4, DLT645_1997: 12 + 2, CJT188: 13 + 3}  # frame and identifier


class Budget(NamedTuple):
    """Of one bus: seconds of one round of all meters, share of the time that the line is busy, and words for both."""

    bus: str
    meters: int
    round_s: float
    duty: float
    longest_read_s: float
    text: str


def line_of(bus: SerialBus) -> tuple[int, str]:
    """Baud and format: the bus's own, else those of its first meter's profile."""
    profile = load(bus.meter[0].profile)
    return bus.baud or profile.baud, bus.format or profile.line


def char_s(bus: SerialBus) -> float:
    """Seconds of one character on the line, which a device server (`raw`) has behind it; 0 for Modbus TCP."""
    return 0.0 if _is_mbap(bus) else BITS_A_CHARACTER / line_of(bus)[0]


def _is_mbap(bus: SerialBus) -> bool:
    return bus.host is not None and bus.framing == "mbap"


def _lengths(profile: Profile, read: int) -> tuple[int, int]:
    """Bytes of request and answer of one read."""
    if profile.protocol == MODBUS:
        return 8, 5 + 2 * profile.reads[4 * read + 3]
    ends = [
        profile.at[i] + (profile.forms[i] & 15) + bool(profile.flags[i] & BY_UNIT)
        for i in range(len(profile))
        if profile.in_read[i] == read
    ]
    overhead = _WAKE + _OVERHEAD[profile.protocol]
    return overhead, overhead + max(ends, default=0)


def meter_cost_s(bus: SerialBus, meter: SerialMeter) -> float:
    """Seconds that one reading of a meter takes, repeats included."""
    profile = load(meter.profile)
    wanted = wanted_of(profile, meter.metrics)
    turn_ms = _TURNAROUND_MS[profile.protocol] if bus.turnaround_ms is None else bus.turnaround_ms
    timeout_s = (meter.timeout_ms or profile.timeout_ms) / 1000
    character = char_s(bus)
    total = 0.0
    for read in range(len(profile.reads) // 4):
        items = [i for i in range(len(profile)) if profile.in_read[i] == read]
        if wanted is None or any(wanted[i] for i in items):
            request, answer = _lengths(profile, read)
            sent = request * character
            total += sent + turn_ms / 1000 + (answer + PAUSE_CHARACTERS) * character + PROGRAM_S
            total += REPEATED * (sent + timeout_s)
    return total


def budget_of(bus: SerialBus) -> Budget:
    """Time budget of a bus. Raises ProfileError for a profile that cannot be used."""
    costs = [(meter_cost_s(bus, meter), bus.interval_of(meter)) for meter in bus.meter]
    round_s = sum(cost for cost, _ in costs)
    duty = sum(cost / interval for cost, interval in costs)
    rate = f"over {bus.host}:{bus.port}" if _is_mbap(bus) else f"at {line_of(bus)[0]} baud"
    count = f"{len(costs)} meter{'s need' if len(costs) > 1 else ' needs'}"
    text = f"bus {bus.name} {rate}: {count} {round_s:.1f} s a round, {100 * duty:.0f} % of the time"
    return Budget(bus.name, len(costs), round_s, duty, max(cost for cost, _ in costs), text)


def phases_s(bus: SerialBus) -> list[float]:
    """How far behind the full interval each meter is read, unless the configuration says it.

    One after the other, with up to as much time again as each needs: what a failing meter costs then falls into that
    room and does not move the readings of the others.
    """
    costs = [meter_cost_s(bus, meter) for meter in bus.meter]
    shortest = min(bus.interval_of(meter) for meter in bus.meter)
    stretch = max(1.0, min(_ROOM, _FILLED * shortest / sum(costs)))
    phases: list[float] = []
    behind = 0.0
    for meter, cost in zip(bus.meter, costs, strict=True):
        phases.append(behind % bus.interval_of(meter) if meter.phase_s is None else meter.phase_s)
        behind += cost * stretch
    return phases


def problems_of(bus: SerialBus) -> list[tuple[str, str, str]]:
    """Mistakes of one bus as (key behind the bus, found, accepted)."""
    problems: list[tuple[str, str, str]] = []
    for number, meter in enumerate(bus.meter):
        key = f".meter[{number}]"
        try:
            profile = device_of(meter).profile
            wanted_of(profile, meter.metrics)
        except ProfileError as error:
            found = repr(str(getattr(meter, error.where, meter.profile)))
            problems.append((f"{key}.{error.where}", found, error.reason))
            continue
        if _is_mbap(bus) and profile.protocol != MODBUS:
            problems.append((f"{key}.profile", repr(meter.profile), 'a Modbus profile, or framing = "raw"'))
        interval_s = bus.interval_of(meter)
        if meter.phase_s is not None and meter.phase_s >= interval_s:
            problems.append((f"{key}.phase_s", f"{meter.phase_s:g}", f"less than interval_s ({interval_s})"))
        if meter.write and profile.protocol != MODBUS:
            problems.append((f"{key}.write", meter.profile, "writes for Modbus meters only"))
        problems += [
            (f"{key}.write[{at}].high", str(write.high), f">= low ({write.low})")
            for at, write in enumerate(meter.write)
            if write.high < write.low
        ]
    if not problems:
        problems += _too_tight(bus)
    return problems


def _too_tight(bus: SerialBus) -> list[tuple[str, str, str]]:
    budget = budget_of(bus)
    if budget.duty <= 1:
        return []
    intervals = {bus.interval_of(meter) for meter in bus.meter}
    found = budget.text.partition(" a round")[0] + " a round"
    if len(intervals) == 1:
        accepted = f">= {math.ceil(budget.round_s)} s"
        return [(".interval_s", f"{found}, interval is {intervals.pop()} s", accepted)]
    factor = math.ceil(budget.duty * 10) / 10
    spread = f"intervals of {min(intervals)} to {max(intervals)} s take {100 * budget.duty:.0f} % of the time"
    return [(".interval_s", f"{found}, {spread}", f"intervals {factor:g} times as long, or fewer metrics")]
