"""What the distillery 酿酒厂 draws and makes, minute by minute, in integers.

A channel is a rate that is constant within a minute: W, or L/h for gas, or kJ/h for steam. A day is a pure function of
(seed, local day number); nothing here is a float, so the same seed gives the same plant on every machine.

    grid_import - grid_export = sum of LOADS + loss - pv      (all W, in every minute)
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from random import Random

from shutan_sim.local_time import MINUTES_A_DAY, midsummer_distance, weekday

LOADS = (
    "dist_1",  # distillation line 1 酿造一线: hoists, pumps, spreading fans 摊晾机
    "dist_2",
    "cooling",  # condenser water
    "koji",  # starter making 制曲: climate of the rooms, mill
    "bottling",  # 灌装
    "packing",  # labeller and cartoner, one phase
    "air",  # compressed air
    "cold",  # cold storage
    "boiler_aux",  # fans and feed pumps of the boiler
    "lighting",  # one phase
    "office",
    "wastewater",
)
DERIVED = ("pv", "loss", "grid_import", "grid_export", "gas", "steam")
CHANNELS = LOADS + DERIVED

NO_LOAD_LOSS_W = 1150  # 1000 kVA transformer, iron
FULL_LOAD_LOSS_W = 10_300  # copper, at 1 MW
CABLE_LOSS_PERMILLE = 12
PV_PEAK_W = 320_000
GAS_L_PER_KG_STEAM = 78
STEAM_KJ_PER_KG = 2670  # enthalpy at 0.8 MPa less that of the feed water

SUNDAY = 6
SATURDAY = 5
_BATCH_MIN = 75  # one still charge 一甑: charging, distilling, steaming of grain, spreading
_NOISE_WINDOW = 8

Rates = list[int]
Plateaus = Sequence[tuple[int, int, int]]


@cache
def _table(permille: int) -> Rates:
    """Factor in permille for each sum of the noise window: 1000 +- 3.4 x `permille` at most, +- `permille` usually."""
    return [1000 + (window - 1020) * permille // 300 for window in range(_NOISE_WINDOW * 255 + 1)]


def _noisy(rates: Iterable[int], seed: int, name: str, day: int, permille: int) -> Rates:
    """`rates` times smooth noise of about `permille`: a moving sum over seeded bytes."""
    raw = Random(f"{seed}:{name}:{day}").randbytes(MINUTES_A_DAY + _NOISE_WINDOW)  # noqa: S311 - repeatable, no secret
    sums, factor = list(accumulate(raw, initial=0)), _table(permille)
    windows = zip(rates, sums, sums[_NOISE_WINDOW:-1], strict=False)
    return [rate * factor[end - begin] // 1000 for rate, begin, end in windows]


def _draw(seed: int, name: str, day: int, limit: int) -> int:
    """One number of the day, 0..limit-1."""
    return Random(f"{seed}:{name}:{day}:draw").randrange(limit)  # noqa: S311 - repeatable, no secret


def _plateaus(floor: int, parts: Plateaus) -> Rates:
    """`floor`, and other values from minute to minute."""
    rates = [floor] * MINUTES_A_DAY
    for begin, end, value in parts:
        rates[begin:end] = [value] * (end - begin)
    return rates


def _batches(begin: int, count: int, steps: Plateaus, floor: int) -> Rates:
    """`steps` repeated for `count` charges from minute `begin`."""
    parts = [(begin + i * _BATCH_MIN + b, begin + i * _BATCH_MIN + e, w) for i in range(count) for b, e, w in steps]
    return _plateaus(floor, parts)


def _cycle(period: int, phase: int, on_minutes: int, on: int, off: int) -> Rates:
    """A thermostat or pressure switch."""
    return [on if (minute + phase) % period < on_minutes else off for minute in range(MINUTES_A_DAY)]


def _distillation(begin: int, day: int) -> tuple[Rates, Rates]:
    """(electric W, steam kg/h) of one line: two shifts on six days."""
    count = 0 if weekday(day) == SUNDAY else 9 if weekday(day) == SATURDAY else 12
    watts = _batches(begin, count, ((0, 10, 46_000), (10, 48, 31_000), (48, 75, 84_000)), 1_400)
    steam = _batches(begin, count, ((0, 10, 300), (10, 45, 900), (45, 58, 1_150), (58, 75, 120)), 0)
    return watts, steam


def _pv(seed: int, day: int) -> Rates:
    """Roof: a parabola over the daylight, dimmed by the clouds of the day and of the minute."""
    length = 845 - midsummer_distance(day) * 230 // 182
    dawn = 784 - length // 2  # solar noon in Sichuan is at 13:04 Beijing time
    clear = 350 + _draw(seed, "sky", day, 600)  # permille of the clear-sky power
    rates = [0] * MINUTES_A_DAY
    for i in range(1, length):
        parabola = 4_000 * i * (length - i) // (length * length)
        rates[dawn + i] = PV_PEAK_W * parabola // 1000 * clear // 1000
    return [max(0, rate) for rate in _noisy(rates, seed, "pv", day, 60 + (950 - clear) // 3)]


def _bottling_shifts(day: int) -> list[tuple[int, int]]:
    if weekday(day) == SUNDAY:
        return []
    return [(480, 720)] if weekday(day) == SATURDAY else [(480, 720), (780, 1050)]


def _koji(day: int) -> Rates:
    mill: Plateaus = ((600, 690, 76_000),) if weekday(day) in (1, 3) else ()
    return _plateaus(19_000, ((0, 360, 23_500), *mill, (1200, 1440, 22_000)))


def _office(day: int) -> Rates:
    if weekday(day) >= SATURDAY:
        return _plateaus(2_100, ())
    summer = 182 - midsummer_distance(day)  # air conditioning
    return _plateaus(2_100, ((500, 730, 13_500 + 60 * summer), (730, 800, 9_000), (800, 1080, 14_500 + 60 * summer)))


def _electric(seed: int, day: int, steam: Rates) -> dict[str, Rates]:
    """Loads that are neither distillation nor PV, before noise."""
    bottling = _bottling_shifts(day)
    summer = 182 - midsummer_distance(day)
    air_on = _cycle(9, _draw(seed, "air", day, 9), 5, 37_000, 9_500)
    leak = _cycle(17, _draw(seed, "leak", day, 17), 3, 21_000, 2_600)  # the line leaks: it cycles at night too
    busy = {m for begin, end in bottling for m in range(begin, end)}
    busy.update(m for m, kg_h in enumerate(steam) if kg_h)
    return {
        "cooling": [5_200 + kg_h * 16 for kg_h in steam],
        "koji": _koji(day),
        "bottling": _plateaus(1_900, [(b, e, 68_000) for b, e in bottling]),
        "packing": _plateaus(140, [(b + 5, e, 4_300) for b, e in bottling]),
        "air": [air_on[m] if m in busy else leak[m] for m in range(MINUTES_A_DAY)],
        "cold": _cycle(22, _draw(seed, "cold", day, 22), 9 + summer // 40, 29_000, 6_200),
        "boiler_aux": [900 + (4_600 + kg_h * 11 if kg_h else 0) for kg_h in steam],
        "lighting": _plateaus(2_300, ((0, 390, 6_100), (330, 450, 7_900), (1110, 1290, 8_600), (1290, 1440, 6_500))),
        "office": _office(day),
        "wastewater": _cycle(60, _draw(seed, "waste", day, 60), 35, 17_500, 11_200),
    }


def _loss(net: int, drawn: int) -> int:
    """Transformer and cables, W: iron, copper with the square of the net power, cables with the power drawn."""
    return NO_LOAD_LOSS_W + FULL_LOAD_LOSS_W * net * net // 10**12 + drawn * CABLE_LOSS_PERMILLE // 1000


def day_of_distillery(seed: int, day: int) -> dict[str, Rates]:
    """All channels of one local day, 1440 rates each."""
    watts_1, steam_1 = _distillation(330, day)
    watts_2, steam_2 = _distillation(365, day)
    steam_kg_h = _noisy(map(int.__add__, steam_1, steam_2), seed, "steam", day, 30)
    raw = {"dist_1": watts_1, "dist_2": watts_2, **_electric(seed, day, steam_kg_h)}
    rates = {name: _noisy(raw[name], seed, name, day, 25) for name in LOADS}
    rates["pv"] = _pv(seed, day)
    drawn = [sum(column) for column in zip(*(rates[name] for name in LOADS), strict=True)]
    rates["loss"] = [_loss(d - pv, d) for d, pv in zip(drawn, rates["pv"], strict=True)]
    net = [d + loss - pv for d, loss, pv in zip(drawn, rates["loss"], rates["pv"], strict=True)]
    rates["grid_import"] = [max(0, n) for n in net]
    rates["grid_export"] = [max(0, -n) for n in net]
    gas = [900 + (1_500 + kg_h * GAS_L_PER_KG_STEAM if kg_h else 0) for kg_h in steam_kg_h]
    rates["gas"] = _noisy(gas, seed, "gas", day, 12)
    rates["steam"] = [kg_h * STEAM_KJ_PER_KG for kg_h in steam_kg_h]
    return rates


def day_of_workshops(seed: int, day: int, count: int) -> dict[str, Rates]:
    """`count` independent small workshops "load_1"..: the plant behind `shutan sim nodes`."""
    rates: dict[str, Rates] = {}
    for i in range(1, count + 1):
        name = f"load_{i}"
        base = 3_000 + _draw(seed, name, 0, 40_000)
        shift = _plateaus(base // 6, ((480, 720, base), (780, 1080, base)) if weekday(day) < SUNDAY else ())
        rates[name] = _noisy(shift, seed, name, day, 40)
    return rates
