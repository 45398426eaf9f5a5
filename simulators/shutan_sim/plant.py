"""The plant as exact totals: energy of any channel at any plant time, a pure function of (seed, time).

Rates are integers and constant within a minute, so a total is an integer of rate x milliseconds (W·ms = mJ, or
L/h·ms, kJ/h·ms) and linear inside the minute, without rounding anywhere. `UNITS_PER_HOUR` of it are one Wh, one L or
one kJ.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from shutan_sim.errors import SetupError
from shutan_sim.loads import Rates, day_of_distillery, day_of_workshops
from shutan_sim.local_time import (
    HOUR_MS,
    MINUTE_MS,
    TARIFF_PERIODS,
    TARIFFS,
    day_of,
    day_start_ms,
)

UNITS_PER_HOUR = HOUR_MS  # rate x ms in one Wh (L, kJ)
DAYS_KEPT = 4

Model = Callable[[int, int], Mapping[str, Rates]]
Totals = dict[tuple[str, int], int]  # (channel, tariff; 0 = all tariffs) -> rate x ms


@dataclass(frozen=True, slots=True)
class _Day:
    """One local day: per channel 1440 rates, and 1441 sums of them since midnight (rate x minutes)."""

    rates: dict[str, "array[int]"]
    sums: dict[str, "array[int]"]


def _build(rates: Mapping[str, Rates]) -> _Day:
    return _Day(
        {name: array("q", minutes) for name, minutes in rates.items()},
        {name: array("q", accumulate(minutes, initial=0)) for name, minutes in rates.items()},
    )


def _in_tariff(sums: "array[int]", tariff: int, minute: int, beyond: int) -> int:
    """Rate x ms of a tariff from midnight to `minute`, plus `beyond` (the part inside the minute, of its tariff)."""
    total = 0
    for begin, end, of in TARIFF_PERIODS:
        if begin > minute:
            break
        if of == tariff:
            total += (sums[min(end, minute)] - sums[begin]) * MINUTE_MS
            if minute < end:
                total += beyond
    return total


class Plant:
    """Totals of all channels since `anchor_ms`, the start of a local day on which every total is 0.

    Days are made in order, each once (about 8 ms); the last few are kept whole and of all others the totals at
    midnight, so a question about an older day costs one day again.
    """

    def __init__(self, model: Model, seed: int, anchor_ms: int, days_kept: int = DAYS_KEPT) -> None:
        self._model = model
        self._days_kept = days_kept
        self.seed = seed
        self._first = day_of(anchor_ms)
        self.anchor_ms = day_start_ms(self._first)
        self._at_midnight: list[Totals] = []
        self._days: OrderedDict[int, _Day] = OrderedDict()

    def prepare(self, t_ms: int, progress: Callable[[int, int], None] | None = None) -> None:
        """Make all days up to that of `t_ms`; progress(done, total) in days."""
        total = day_of(t_ms) - self._first + 1
        for day in range(self._first + len(self._at_midnight), self._first + total):
            self._day(day)
            if progress is not None:
                progress(day - self._first + 1, total)

    def energy(self, channel: str, t_ms: int) -> int:
        """Rate x ms since the anchor."""
        day, minute, ms = self._place(t_ms)
        held = self._day(day)
        start = self._midnight(day).get((channel, 0), 0)
        return start + held.sums[channel][minute] * MINUTE_MS + held.rates[channel][minute] * ms

    def tariff_energy(self, channel: str, tariff: int, t_ms: int) -> int:
        """Rate x ms since the anchor within one of the tariffs 1..4; the four add up to `energy`."""
        day, minute, ms = self._place(t_ms)
        held = self._day(day)
        start = self._midnight(day).get((channel, tariff), 0)
        return start + _in_tariff(held.sums[channel], tariff, minute, held.rates[channel][minute] * ms)

    def rate(self, channel: str, t_ms: int) -> int:
        """W, L/h or kJ/h at that time."""
        day, minute, _ = self._place(t_ms)
        return self._day(day).rates[channel][minute]

    def _place(self, t_ms: int) -> tuple[int, int, int]:
        """(local day, minute of the day, ms of the minute)."""
        if t_ms < self.anchor_ms:
            raise SetupError(
                "plant time", f"{t_ms} ms is before the plant's first day", f"begin at {self.anchor_ms} ms or later"
            )
        day = day_of(t_ms)
        minute, ms = divmod(t_ms - day_start_ms(day), MINUTE_MS)
        return day, minute, ms

    def _midnight(self, day: int) -> Totals:
        return self._at_midnight[day - self._first]

    def _day(self, day: int) -> _Day:
        held = self._days.get(day)
        if held is not None:
            return held
        while len(self._at_midnight) <= day - self._first:
            self._append()
        if day not in self._days:
            self._keep(day, _build(self._model(self.seed, day)))
        return self._days[day]

    def _append(self) -> None:
        """Make the next day in order: its totals at midnight are those of the day before it plus that day."""
        number = len(self._at_midnight)
        totals: Totals = {}
        if number:
            before = self._days.get(self._first + number - 1) or _build(
                self._model(self.seed, self._first + number - 1)
            )
            start = self._at_midnight[-1]
            for name, sums in before.sums.items():
                totals[name, 0] = start.get((name, 0), 0) + sums[-1] * MINUTE_MS
                for tariff in TARIFFS:
                    totals[name, tariff] = start.get((name, tariff), 0) + _in_tariff(sums, tariff, len(sums) - 1, 0)
        self._at_midnight.append(totals)
        self._keep(self._first + number, _build(self._model(self.seed, self._first + number)))

    def _keep(self, day: int, built: _Day) -> None:
        self._days[day] = built
        while len(self._days) > self._days_kept:
            self._days.popitem(last=False)


def distillery(seed: int, anchor_ms: int, days_kept: int = DAYS_KEPT) -> Plant:
    """The Sichuan liquor distillery. days_kept: 400 KB each."""
    return Plant(day_of_distillery, seed, anchor_ms, days_kept)


def workshops(seed: int, anchor_ms: int, count: int) -> Plant:
    """`count` independent workshops."""
    return Plant(lambda s, day: day_of_workshops(s, day, count), seed, anchor_ms)
