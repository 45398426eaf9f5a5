"""The typed view of a closed or open period that reports and the API read, filled from its documents.

A month is the closing unit; a year is its months in order. Everything a year says is a sum over its months, so that
years add up to the same grams and steps as the ledger lines under them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from shutan_collector.activity.kinds import ActivityBook
    from shutan_collector.carbon.lines import Category, Scope, Unvalued
    from shutan_collector.factors.table import Factor
    from shutan_collector.site.model import Carrier, Role, Site
    from shutan_collector.units import Unit

__all__ = ["Emission", "LedgerMark", "MeterUse", "MonthSummary", "Register", "YearSummary"]

MONTHS_OF_YEAR = 12


@dataclass(frozen=True, slots=True)
class LedgerMark:
    """What a printed page carries so that a forged ledger shows: head of the chain and fingerprint of the key.

    head_hash         hash of entry `head_seq`, 64 hex digits
    key_fingerprint   SHA-256 of the 32 raw public bytes of the Ed25519 key, 64 hex digits
    """

    head_seq: int
    head_hash: str
    key_fingerprint: str


@dataclass(frozen=True, slots=True)
class Register:
    """One register reading (表底): instrument, UTC nanoseconds, register in the metric's step, primary side."""

    source: str
    t_ns: int
    register: int


@dataclass(frozen=True, slots=True)
class MeterUse:
    """One meter over one period.

    value       what passed, in `unit`; None where a boundary of the period has no reading
    estimated   估算: a boundary was interpolated
    exact       False if an unknown amount passed besides (reset, unsealed swap, negative step)
    present     readings found; `expected` is None where no distance of readings is known
    hours       (start of the hour in UTC nanoseconds, value or None), every hour of the period in order
    first, last the readings the period's ends rest on
    """

    meter: str
    name: str
    name_zh: str
    carrier: Carrier
    role: Role
    level: int
    parent: str
    unit: Unit
    value: int | None
    estimated: bool
    exact: bool
    present: int
    expected: int | None
    hours: tuple[tuple[int, int | None], ...]
    first: Register | None
    last: Register | None


@dataclass(frozen=True, slots=True)
class Emission:
    """Sum of ledger lines of one source, scope, category and gas; co2e_g and gas_g in grams."""

    source: str
    scope: Scope
    category: Category
    gas: str
    gas_g: int
    co2e_g: int
    provisional: bool
    estimated: bool


@dataclass(frozen=True, slots=True)
class MonthSummary:
    """One accounting period (核算期), "2025-06".

    version       of the closing; 0 while the month is open
    as_of         report date that decided which factors were issued
    complete      every emitting source is measured and valued
    provisional   暂用: at least one line uses an earlier year's factor
    """

    period: str
    version: int
    closed: bool
    site: Site
    meters: tuple[MeterUse, ...]
    emissions: tuple[Emission, ...]
    unvalued: tuple[Unvalued, ...]
    book: ActivityBook
    factors: tuple[Factor, ...]
    as_of: date
    complete: bool
    provisional: bool
    mark: LedgerMark | None = None

    def emission_g(self, scope: Scope) -> int:
        """Sum of the lines of one scope, grams of CO2 equivalent."""
        return sum(item.co2e_g for item in self.emissions if item.scope == scope)

    def meter(self, meter_id: str) -> MeterUse | None:
        """The use of one meter, None if the month has none of that id."""
        return next((item for item in self.meters if item.meter == meter_id), None)


@dataclass(frozen=True, slots=True)
class YearSummary:
    """A calendar year "2025" of its months in order; fewer than twelve are a year that is not complete."""

    period: str
    months: tuple[MonthSummary, ...]
    mark: LedgerMark | None = None
    meters: tuple[MeterUse, ...] = field(init=False)
    emissions: tuple[Emission, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "meters", _summed_meters(self.months))
        object.__setattr__(self, "emissions", _summed_emissions(item for m in self.months for item in m.emissions))

    @property
    def site(self) -> Site:
        """The site model of the last month; ValueError for a year without months."""
        if not self.months:
            message = f"{self.period} has no month"
            raise ValueError(message)
        return self.months[-1].site

    @property
    def closed(self) -> bool:
        """Whether all twelve months are closed."""
        return len(self.months) == MONTHS_OF_YEAR and all(month.closed for month in self.months)

    @property
    def complete(self) -> bool:
        """Whether there are twelve months and each is complete."""
        return len(self.months) == MONTHS_OF_YEAR and all(month.complete for month in self.months)

    @property
    def provisional(self) -> bool:
        """Whether any month uses a factor 暂用."""
        return any(month.provisional for month in self.months)

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Every factor row used, once, ordered by id."""
        rows = {row.id: row for month in self.months for row in month.factors}
        return tuple(rows[key] for key in sorted(rows))

    @property
    def unvalued(self) -> tuple[Unvalued, ...]:
        """What no line could hold, month by month."""
        return tuple(item for month in self.months for item in month.unvalued)

    def emission_g(self, scope: Scope) -> int:
        """Sum of the lines of one scope, grams of CO2 equivalent."""
        return sum(month.emission_g(scope) for month in self.months)

    def meter(self, meter_id: str) -> MeterUse | None:
        """The year of one meter, None if no month has one of that id."""
        return next((item for item in self.meters if item.meter == meter_id), None)


def _summed_meters(months: Iterable[MonthSummary]) -> tuple[MeterUse, ...]:
    """Each meter over the months that have it, in the order of first appearance, labels of its last month."""
    sums: dict[str, MeterUse] = {}
    for month in months:
        for use in month.meters:
            before = sums.get(use.meter)
            sums[use.meter] = use if before is None else _joined(before, use)
    return tuple(sums.values())


def _joined(before: MeterUse, use: MeterUse) -> MeterUse:
    return replace(
        use,
        value=None if before.value is None or use.value is None else before.value + use.value,
        estimated=before.estimated or use.estimated,
        exact=before.exact and use.exact,
        present=before.present + use.present,
        expected=None if before.expected is None or use.expected is None else before.expected + use.expected,
        hours=before.hours + use.hours,
        first=before.first,
    )


def _summed_emissions(items: Iterable[Emission]) -> tuple[Emission, ...]:
    sums: dict[tuple[str, str, str, str], Emission] = {}
    for item in items:
        key = (item.source, item.scope.value, item.category.value, item.gas)
        before = sums.get(key)
        if before is not None:
            item = replace(  # noqa: PLW2901 the joined sum takes the item's place
                item,
                gas_g=before.gas_g + item.gas_g,
                co2e_g=before.co2e_g + item.co2e_g,
                provisional=before.provisional or item.provisional,
                estimated=before.estimated or item.estimated,
            )
        sums[key] = item
    return tuple(sums[key] for key in sorted(sums))
