"""Everything that a window's batches are computed from: machine energy cut at batches, shared loads, their keys.

The inventory holds all batches of the window, so that what one batch gets and what the others get add up to what was
metered; a footprint takes its batch out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_collector.activity.kinds import days_of
from shutan_collector.carbon.activities import activity_lines
from shutan_collector.carbon.lines import Scope
from shutan_collector.energy.counter import Counter, Installed
from shutan_collector.energy.registers import RegisterRule, track
from shutan_collector.energy.source import read_counter
from shutan_collector.errors import FootprintError, Problem, RequestError
from shutan_collector.footprint.allocate import Allocation, allocate
from shutan_collector.footprint.batch import Batch, MeterLog, batches_ending, output_of, overlaps
from shutan_collector.footprint.machine import Machine, StretchKind, split_machine
from shutan_collector.footprint.plan import IdleRule, Key, Window
from shutan_collector.footprint.rates import Rate, meter_rate
from shutan_collector.periods import NS_PER_S, from_ns, to_ns
from shutan_collector.series.base import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from shutan_collector.activity.kinds import ActivityBook, Production
    from shutan_collector.carbon.lines import Line
    from shutan_collector.factors.rows import Factor
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.footprint.batch import Amount
    from shutan_collector.footprint.plan import Plan, Shared
    from shutan_collector.series.base import SeriesReader
    from shutan_collector.site.model import Site

__all__ = ["Basis", "Inventory", "Load", "Pool", "take_inventory", "window_of"]

BatchId = tuple[str, str]
_RUN_TIME = "run_time_s"


@dataclass(frozen=True, slots=True)
class Basis:
    """What an inventory rests on; `as_of` decides which factors were issued."""

    site: Site
    plan: Plan
    book: ActivityBook
    reader: SeriesReader
    factors: FactorTable
    as_of: date


@dataclass(frozen=True, slots=True)
class Load:
    """One source in a shared load: a meter, less those deducted from it, or a line of the month's documents.

    quantity   in the rate's unit
    biogenic   CO2 from biomass (fermentation): apart, in no total
    """

    source: str
    quantity: Fraction
    rate: Rate
    estimated: bool
    exact: bool
    biogenic: bool = False
    activities: tuple[str, ...] = ()

    @property
    def kg(self) -> Fraction:
        """Emission of the whole source."""
        return self.quantity * self.rate.kg_per_unit


@dataclass(frozen=True, slots=True)
class Pool:
    """A shared load with its allocation; `outside`: ledger lines of gases outside the seven, left out and told."""

    shared: Shared
    loads: tuple[Load, ...]
    allocation: Allocation
    outside: tuple[str, ...]

    def share(self, batch: BatchId) -> Fraction:
        """What a batch carries of it, between 0 and 1."""
        return self.allocation.share(batch) * self.shared.attributable

    @property
    def unattributed(self) -> Fraction:
        """Share of it that no batch carries."""
        return 1 - self.allocation.attributed * self.shared.attributable


@dataclass(frozen=True, slots=True)
class Inventory:
    """One window.

    days       first and last local day
    output     good and scrap units of each batch
    machines   one per machine and meter, with the rate of its electricity; idle: allocation by key, per machine
    """

    basis: Basis
    window: tuple[int, int]
    days: tuple[date, date]
    batches: tuple[Batch, ...]
    output: tuple[tuple[BatchId, Fraction, Fraction], ...]
    machines: tuple[tuple[Machine, Rate], ...]
    idle: tuple[tuple[str, Allocation], ...]
    pools: tuple[Pool, ...]
    logs: tuple[MeterLog, ...]

    def idle_wh(self, machine: Machine, batch: BatchId) -> Fraction:
        """Idle energy of a machine's meter that a batch carries by the machine's rule."""
        asset = self.basis.plan.asset(machine.asset)
        if asset is None or asset.idle is IdleRule.UNATTRIBUTED:
            return Fraction()
        if asset.idle is IdleRule.BY_KEY:
            return machine.total(StretchKind.IDLE) * dict(self.idle)[asset.id].share(batch)
        before = (item for item in machine.stretches if item.kind is StretchKind.IDLE and item.batch == batch)
        return Fraction(sum(item.amount.value for item in before))


def window_of(book: ActivityBook, product: str, batch: str, kind: Window, site: Site) -> tuple[date, date]:
    """First and last day of the window in which a batch ends. Raises RequestError if there is no such batch."""
    ends = [row.end_ns for row in book.productions if (row.product, row.batch) == (product, batch)]
    if not ends:
        names = sorted({row.batch for row in book.productions if row.product == product})
        known = f"batches: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}" if names else _products(book)
        raise RequestError(f"{product}/{batch}", f"no such batch among the production rows; {known}")
    day = from_ns(max(ends) - 1, site.zone).date()
    return days_of(f"{day:%Y-%m}") if kind is Window.MONTH else (day, day)


def take_inventory(basis: Basis, days: tuple[date, date]) -> Inventory:
    """The inventory of a window of whole local days.

    Raises FootprintError with every contradiction at once, FactorError, SeriesError, StoreUnavailableError.
    """
    return _Taking(basis, days).inventory()


def _products(book: ActivityBook) -> str:
    return f"products: {', '.join(sorted({row.product for row in book.productions})) or 'none'}"


class _Taking:
    """One pass: batches first, then meters, then keys."""

    def __init__(self, basis: Basis, days: tuple[date, date]) -> None:
        self.basis = basis
        self.days = days
        zone = basis.site.zone
        edges = (datetime.combine(day, time(), zone) for day in (days[0], days[1] + timedelta(days=1)))
        start_ns, end_ns = (to_ns(edge) for edge in edges)
        self.window = (start_ns, end_ns)
        self.batches = batches_ending(basis.book, self.window)
        self.ours = frozenset(batch.id for batch in self.batches)
        self.rows = [row for batch in self.batches for row in batch.rows]
        self.logs: dict[str, MeterLog] = {}
        self.clocks: dict[str, MeterLog] = {}
        self.lines: tuple[Line, ...] | None = None
        self.problems: list[Problem] = []

    def inventory(self) -> Inventory:
        output = self._output()
        self._check()
        if self.problems:
            raise FootprintError("footprint plan", tuple(self.problems))
        machines = tuple(self._machines())
        idle = {
            asset.id: self._allocation(asset.idle_key, (asset.id,), {}, machines)
            for asset in self.basis.plan.assets
            if asset.idle_key is not None
        }
        pools = tuple(
            Pool(
                shared,
                tuple(self._loads(shared)),
                self._allocation(shared.key, shared.assets, dict(shared.submeters), machines),
                tuple(line.id for line in self._lines(shared) if line.scope is Scope.MEMO_OUTSIDE),
            )
            for shared in self.basis.plan.shared
        )
        if self.problems:
            raise FootprintError("footprint plan", tuple(dict.fromkeys(self.problems)))
        rated = tuple((machine, self._rate(machine.meter)) for machine in machines)
        return Inventory(
            self.basis,
            self.window,
            self.days,
            self.batches,
            output,
            rated,
            tuple(idle.items()),
            pools,
            tuple(self.logs.values()),
        )

    def _output(self) -> tuple[tuple[BatchId, Fraction, Fraction], ...]:
        found: list[tuple[BatchId, Fraction, Fraction]] = []
        for batch in self.batches:
            product = self.basis.plan.product(batch.product)
            if product is None:
                self.problems.append(Problem("product", f"no [[product]] {batch.product!r}, which batches are made of"))
                continue
            amounts = output_of(batch, product)
            if isinstance(amounts, Problem):
                self.problems.append(amounts)
            else:
                found.append((batch.id, *amounts))
        self.problems = list(dict.fromkeys(self.problems))
        return tuple(found)

    def _check(self) -> None:
        for name in sorted({row.asset for row in self.rows if self.basis.plan.asset(row.asset) is None}):
            self.problems.append(Problem("asset", f"no [[asset]] {name!r}, which batches run on"))
        start_ns = min((row.start_ns for row in self.rows), default=self.window[0])
        near = [row for row in self.basis.book.productions if start_ns < row.end_ns and row.start_ns < self.window[1]]
        self.problems += overlaps(near)

    def _machines(self) -> Iterator[Machine]:
        for asset in self.basis.plan.assets:
            rows = [row for row in self.basis.book.productions if row.asset == asset.id]
            for meter_id in asset.meters:
                yield split_machine(asset.id, self._log(meter_id), rows, self.ours, self.window)

    def _log(self, meter_id: str) -> MeterLog:
        if meter_id not in self.logs:
            site = self.basis.site
            counter, _ = read_counter(site, site.meter(meter_id), self.basis.reader, *self._reach())
            self.logs[meter_id] = MeterLog(meter_id, counter, self._tolerance_ns(), site.zone)
        return self.logs[meter_id]

    def _reach(self) -> tuple[int, int]:
        return min([self.window[0], *(row.start_ns for row in self.rows)]), self.window[1]

    def _tolerance_ns(self) -> int:
        shortest = min((row.end_ns - row.start_ns for row in self.rows), default=self.window[1] - self.window[0])
        return min(self.basis.site.tolerance_s * NS_PER_S, (shortest - 1) // 2)

    def _rate(self, meter_id: str) -> Rate:
        site = self.basis.site
        meter = site.meter(meter_id)
        return meter_rate(site, meter, self.basis.book, self.basis.factors, self.days, as_of=self.basis.as_of)

    def _loads(self, shared: Shared) -> Iterator[Load]:
        for meter_id in shared.meters:
            amounts = [self._log(meter_id).between(*self.window)]
            behind = [item for item in shared.minus if meter_id in _above(self.basis.site, item)]
            amounts += [self._log(item).between(*self.window) for item in behind]
            value = amounts[0].value - sum(amount.value for amount in amounts[1:])
            if value < 0:
                text = f"{meter_id} counted less than the meters in minus: {', '.join(behind)}"
                self.problems.append(Problem(f"shared {shared.id}", text))
            source = f"meter:{meter_id}" + "".join(f"-{item}" for item in behind)
            yield Load(source, Fraction(value), self._rate(meter_id), _any_estimated(amounts), _all_exact(amounts))
        yield from self._documents(shared)

    def _lines(self, shared: Shared) -> Iterator[Line]:
        """The month's ledger lines of the documents that a load takes in."""
        basis = self.basis
        if shared.activities and self.lines is None:
            month = f"{self.days[0]:%Y-%m}"
            self.lines, _ = activity_lines(basis.site, basis.book, month, basis.factors, basis.as_of)
        for line in self.lines or ():
            if line.source.removeprefix("activity:") in shared.activities:
                yield line

    def _documents(self, shared: Shared) -> Iterator[Load]:
        basis = self.basis
        gwp = basis.factors.known(basis.as_of).gwp(basis.plan.gwp)
        for line in self._lines(shared):
            if line.scope is Scope.MEMO_OUTSIDE:
                continue
            biogenic = line.scope is Scope.MEMO_BIOGENIC
            row = gwp.of(line.gas)
            known: tuple[tuple[str, Factor], ...] = (("gwp", row),)
            rate = Rate("ledger.footprint/1", "g", row.value / 1000, known, provisional=line.provisional)
            yield Load(line.id, Fraction(line.gas_g), rate, line.estimated, line.exact, biogenic, line.activities)

    def _allocation(
        self, key: Key, assets: tuple[str, ...], submeters: Mapping[str, str], machines: tuple[Machine, ...]
    ) -> Allocation:
        """Weights of the window's batches; assets: only batches with a row on one of them take part."""
        weights: dict[BatchId, Fraction] = {}
        unit = ""
        for batch in self.batches:
            rows = [row for row in batch.rows if not assets or row.asset in assets]
            if rows:
                weights[batch.id], unit = self._weight(key, batch, rows, submeters, machines)
        return allocate(key, unit, weights)

    def _weight(
        self,
        key: Key,
        batch: Batch,
        rows: list[Production],
        submeters: Mapping[str, str],
        machines: tuple[Machine, ...],
    ) -> tuple[Fraction, str]:
        if key is Key.MACHINE_HOURS:
            return Fraction(sum(self._seconds(row) for row in rows), 3600), "h"
        if key is Key.ENERGY:
            assets = {row.asset for row in rows}
            used = [item for machine in machines if machine.asset in assets for item in machine.stretches]
            mine = (item for item in used if item.kind is StretchKind.BATCH and item.batch == batch.id)
            return Fraction(sum(item.amount.value for item in mine)), "Wh"
        if key is Key.SUBMETER:
            logs = [(self._log(submeters[row.asset]), row) for row in rows if row.asset in submeters]
            value = sum(log.between(row.start_ns, row.end_ns).value for log, row in logs)
            return Fraction(value), self.basis.site.meter(next(iter(submeters.values()))).unit
        return self._by_output(key, batch)

    def _by_output(self, key: Key, batch: Batch) -> tuple[Fraction, str]:
        product = self.basis.plan.product(batch.product)
        amounts = output_of(batch, product) if product else None
        if product is None or amounts is None or isinstance(amounts, Problem):
            return Fraction(), ""  # told before
        good, scrap = amounts
        if key is Key.PIECES:
            return good + scrap, product.unit
        per_unit, name, unit = (
            (product.mass_kg, "mass_kg", "kg") if key is Key.MASS else (product.value_yuan, "value_yuan", "yuan")
        )
        if per_unit is None:
            self.problems.append(Problem(f"product {product.id}", f"{name} is needed: a load is shared by {key}"))
            return Fraction(), unit
        return (good + scrap if key is Key.MASS else good) * per_unit, unit

    def _seconds(self, row: Production) -> Fraction:
        """Time of a row on its machine: running time where the machine counts it, else the length of the batch."""
        asset = self.basis.plan.asset(row.asset)
        if asset is None or asset.run_time is None:
            return Fraction(row.end_ns - row.start_ns, NS_PER_S)
        return Fraction(self._run_log(*asset.run_time).between(row.start_ns, row.end_ns).value)

    def _run_log(self, node: str, device: str) -> MeterLog:
        """The running-time counter of a machine, seconds."""
        site = self.basis.site
        source = Source("equipment", site.id, node, device)
        name = f"{source} {_RUN_TIME}"
        if name not in self.clocks:
            start_ns, end_ns = self._reach()
            margin_ns = (site.tolerance_s + 3600) * NS_PER_S
            samples = self.basis.reader.read(source, _RUN_TIME, start_ns - margin_ns, end_ns + margin_ns)
            counter = Counter([Installed(str(source), track(samples, RegisterRule()))])
            self.clocks[name] = MeterLog(name, counter, self._tolerance_ns(), site.zone)
        return self.clocks[name]


def _above(site: Site, meter_id: str) -> Iterator[str]:
    at = site.meter(meter_id).parent
    while at:
        yield at
        at = site.meter(at).parent


def _any_estimated(amounts: list[Amount]) -> bool:
    return any(amount.estimated for amount in amounts)


def _all_exact(amounts: list[Amount]) -> bool:
    return all(amount.exact for amount in amounts)
