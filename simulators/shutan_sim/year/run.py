"""Runs the year day by day: plant, registers, rows; memory holds one day and the hours of the account."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from shutan_sim.errors import SetupError
from shutan_sim.local_time import HOUR_MS, day_of
from shutan_sim.year.instruments import Instrument
from shutan_sim.year.meters import METERS
from shutan_sim.year.observers import Observers
from shutan_sim.year.plan import QUARTER_MS, Change, Kind, Plan, plan_year, start_of
from shutan_sim.year.plant import QUARTER_MIN, QUARTERS_A_DAY, UNITS, Quarters, quarters_of_day
from shutan_sim.year.readings import Column, RowWriter
from shutan_sim.year.spec import MeterSpec
from shutan_sim.year.truth import Account

__all__ = ["Order", "Outcome", "run_year"]

MARGIN_MS = HOUR_MS  # readings before the first and after the last moment: a period needs one on both sides
_SAMPLE_STEP = 5  # days; no divisor of the week


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. only_days: rows of these local days only (the registers and the account stay the same)."""

    start: date
    days: int
    meters: int
    interval_min: int
    seed: int
    kinds: Collection[Kind]
    only_days: Collection[date] | None = None

    @property
    def specs(self) -> tuple[MeterSpec, ...]:
        """The metering points."""
        return METERS[: self.meters]

    @property
    def end(self) -> date:
        """First day after."""
        return self.start + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. rows: in readings.csv and late.csv."""

    plan: Plan
    instruments: Mapping[str, Instrument]
    accounts: Mapping[str, Account]
    observers: Observers
    rows: int
    late_rows: int


def run_year(order: Order, folder: Path, progress: Callable[[int, int], None]) -> Outcome:
    """Write readings.csv and late.csv into `folder`; progress(done, total) in days. Raises SetupError."""
    plan = plan_year(order.start, order.days, order.specs, order.kinds)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            (folder / "readings.csv").open("w", encoding="utf-8", newline="") as readings,
            (folder / "late.csv").open("w", encoding="utf-8", newline="") as late,
        ):
            runner = _Runner(order, plan, RowWriter(readings, late, plan, _wanted(order)))
            first, days = order.start - timedelta(days=1), order.days + 2
            for number in range(days):
                runner.day(first + timedelta(days=number))
                progress(number + 1, days)
    except OSError as error:
        raise SetupError(
            str(folder), error.strerror or str(error), "give --out a folder that can be written"
        ) from error
    return runner.outcome()


def _wanted(order: Order) -> Callable[[int], bool]:
    """Which reading times are written: every interval, from an hour before the first day to an hour after the last."""
    first, last = start_of(order.start) - MARGIN_MS, start_of(order.end) + MARGIN_MS
    step = order.interval_min * 60_000
    days = None if order.only_days is None else {(day - date(1970, 1, 1)).days for day in order.only_days}
    return lambda t_ms: first <= t_ms <= last and t_ms % step == 0 and (days is None or day_of(t_ms) in days)


class _Runner:
    def __init__(self, order: Order, plan: Plan, rows: RowWriter) -> None:
        self._order, self._plan, self._rows = order, plan, rows
        self._instruments = {spec.id: Instrument(spec, self._start(spec)) for spec in order.specs}
        self._accounts = {spec.id: Account(spec, order.interval_min // QUARTER_MIN) for spec in order.specs}
        self._observers = Observers(order.start, order.days)

    def day(self, day: date) -> None:
        """One local day."""
        channels = quarters_of_day(self._order.seed, day_of(start_of(day)))
        kept = self._order.start <= day < self._order.end
        midnight = start_of(day)
        columns: list[Column] = []
        for spec in self._order.specs:
            energies = channels[spec.channel]
            changes = self._plan.changes_of(spec.id, day)
            self._accounts[spec.id].day(energies, changes, kept=kept)
            columns += self._read(spec, energies, midnight, changes)
        self._rows.day([midnight + (number + 1) * QUARTER_MS for number in range(QUARTERS_A_DAY)], columns)
        if kept:
            self._observers.day(day, channels)

    def outcome(self) -> Outcome:
        """Everything that came of it."""
        return Outcome(
            self._plan, self._instruments, self._accounts, self._observers, self._rows.rows, self._rows.late_rows
        )

    def _read(self, spec: MeterSpec, energies: Quarters, midnight: int, changes: tuple[Change, ...]) -> list[Column]:
        """What the instruments of a place show at the ends of the quarters; two columns on the day of a swap."""
        instrument = self._instruments[spec.id]
        if not changes:
            return [Column(spec, instrument.device, instrument.advance(energies, midnight + QUARTER_MS, QUARTER_MS))]
        (change,) = changes
        cut, old = change.quarter, instrument.device
        before = instrument.advance(energies[:cut], midnight + QUARTER_MS, QUARTER_MS)
        rest = [instrument.change(change, energies[cut]), *energies[cut + 1 :]]
        after = instrument.advance(rest, midnight + (cut + 1) * QUARTER_MS, QUARTER_MS)
        if instrument.device == old:
            return [Column(spec, old, [*before, *after])]
        return [
            Column(spec, old, [*before, *(None for _ in after)]),
            Column(spec, instrument.device, [*(None for _ in before), *after]),
        ]

    def _start(self, spec: MeterSpec) -> int:
        """First register; of the one that is to come to its end: so far before it as the days until then will count."""
        if self._plan.rollover is None or self._plan.rollover[0] != spec.id:
            return spec.start
        until = (self._plan.rollover[1] - self._order.start).days + 1
        first = day_of(start_of(self._order.start))
        sample = [first + number for number in range(0, until, _SAMPLE_STEP)]
        energy = sum(sum(quarters_of_day(self._order.seed, day)[spec.channel]) for day in sample) * until // len(sample)
        return spec.span - energy // (spec.step * spec.ratio * UNITS)
