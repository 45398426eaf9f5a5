"""The kinds of activity rows, the book that holds all rows of a site, and which of them belong to a month.

The row types themselves are in `rows`; they can be imported from here as well.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from shutan_collector.activity.rows import (
    Bill,
    Certificate,
    Clinker,
    DeclaredMissing,
    Direction,
    Fermentation,
    FuelMovement,
    FuelQuality,
    GreenPower,
    HeatForm,
    HeatPurchase,
    LandArea,
    ManualReading,
    MissingMethod,
    PowerContract,
    ProcessInput,
    Production,
    Refrigerant,
    RefrigerantMethod,
    Row,
    SupplierInput,
    ValueAdded,
    Wastewater,
)
from shutan_collector.errors import RequestError
from shutan_collector.periods import from_ns, to_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "FIELD_OF_KIND",
    "KINDS",
    "ActivityBook",
    "Bill",
    "Certificate",
    "Clinker",
    "DeclaredMissing",
    "Direction",
    "Fermentation",
    "FuelMovement",
    "FuelQuality",
    "GreenPower",
    "HeatForm",
    "HeatPurchase",
    "LandArea",
    "ManualReading",
    "MissingMethod",
    "PowerContract",
    "ProcessInput",
    "Production",
    "Refrigerant",
    "RefrigerantMethod",
    "Row",
    "SupplierInput",
    "ValueAdded",
    "Wastewater",
    "days_of",
    "month_share",
    "months_of",
]

_CHINA: Final = ZoneInfo("Asia/Shanghai")
_MONTH: Final = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2]))?")

# Field of the book that holds each kind; the order is the order of documents.
FIELD_OF_KIND: Final[dict[type[Row], str]] = {
    Bill: "bills",
    ManualReading: "readings",
    FuelMovement: "fuel_movements",
    FuelQuality: "fuel_qualities",
    Refrigerant: "refrigerants",
    ProcessInput: "process_inputs",
    Clinker: "clinkers",
    Fermentation: "fermentations",
    Wastewater: "wastewaters",
    HeatPurchase: "heat_purchases",
    PowerContract: "power_contracts",
    Certificate: "certificates",
    GreenPower: "green_powers",
    Production: "productions",
    ValueAdded: "values_added",
    LandArea: "land_areas",
    SupplierInput: "supplier_inputs",
    DeclaredMissing: "declared_missing",
}
KINDS: Final[dict[str, type[Row]]] = {kind.KIND: kind for kind in FIELD_OF_KIND}


def days_of(period: str) -> tuple[date, date]:
    """First and last day of "2025-06" or "2025". Raises RequestError."""
    found = _MONTH.fullmatch(period)
    if found is None or int(found[1]) == 0:
        raise RequestError("period", f"{period!r} is not a month such as 2025-06 or a year such as 2025")
    year = int(found[1])
    if found[2] is None:
        return date(year, 1, 1), date(year, 12, 31)
    month = int(found[2])
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def months_of(start: date, end: date) -> tuple[str, ...]:
    """The months that the days start to end (inclusive) touch, in order."""
    first, last = start.year * 12 + start.month - 1, end.year * 12 + end.month - 1
    return tuple(f"{at // 12:04}-{at % 12 + 1:02}" for at in range(first, last + 1))


def month_share(start: date, end: date, month: str) -> Fraction:
    """Share of the days start to end (inclusive) that lie in the month; the shares of all months sum to exactly 1.

    This is the rule by which a document that spans a month's end is divided (按天数分摊).
    """
    first, last = days_of(month)
    inside = (min(end, last) - max(start, first)).days + 1
    return Fraction(max(inside, 0), (end - start).days + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityBook:
    """Every row by kind; `zone` is the site's calendar, which instants are dated by."""

    bills: tuple[Bill, ...] = ()
    readings: tuple[ManualReading, ...] = ()
    fuel_movements: tuple[FuelMovement, ...] = ()
    fuel_qualities: tuple[FuelQuality, ...] = ()
    refrigerants: tuple[Refrigerant, ...] = ()
    process_inputs: tuple[ProcessInput, ...] = ()
    clinkers: tuple[Clinker, ...] = ()
    fermentations: tuple[Fermentation, ...] = ()
    wastewaters: tuple[Wastewater, ...] = ()
    heat_purchases: tuple[HeatPurchase, ...] = ()
    power_contracts: tuple[PowerContract, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    green_powers: tuple[GreenPower, ...] = ()
    productions: tuple[Production, ...] = ()
    values_added: tuple[ValueAdded, ...] = ()
    land_areas: tuple[LandArea, ...] = ()
    supplier_inputs: tuple[SupplierInput, ...] = ()
    declared_missing: tuple[DeclaredMissing, ...] = ()
    zone: ZoneInfo = _CHINA

    @classmethod
    def of(cls, rows: Iterable[Row], zone: ZoneInfo) -> ActivityBook:
        """A book of these rows, each kind in the order given."""
        sorted_out: dict[str, list[Row]] = {name: [] for name in FIELD_OF_KIND.values()}
        for row in rows:
            sorted_out[FIELD_OF_KIND[type(row)]].append(row)
        # The lists are filled by the rows' own types, which a checker cannot follow.
        parts = {name: tuple(items) for name, items in sorted_out.items()}
        return cls(**parts, zone=zone)  # pyright: ignore[reportArgumentType]

    def of_kind(self, kind: str) -> tuple[Row, ...]:
        """The rows of one kind by its name ("fuel_movement"). KeyError for an unknown one."""
        return getattr(self, FIELD_OF_KIND[KINDS[kind]])

    def __iter__(self) -> Iterator[Row]:
        for field in fields(self):
            if field.name != "zone":
                yield from getattr(self, field.name)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def select(self, period: str) -> ActivityBook:
        """The rows that a month ("2025-06") or year ("2025") rests on, in the same order.

        | kind | belongs to the period if |
        |---|---|
        | dated by a day | the day lies in it |
        | dated by start and end | the two overlap (see `month_share`) |
        | manual reading | it lies inside, or is the last before or the first after it of its meter |
        | production | its last instant lies inside: a batch counts once, when it ends |
        | certificate | claimed for the period, for its year, or named by selected green power |
        | green power, value added | its month lies in the period |
        | land area | it is in force on some day of the period |
        | supplier input | its data year is not after the period |
        """
        first, last = days_of(period)
        chosen = [row for row in self if (span := self._span(row)) is not None and _overlap(span, (first, last))]
        named = {row.certificate for row in chosen if isinstance(row, GreenPower)}
        claimed = {period, period[:4]} if len(period) > len("2025") else {period, *months_of(first, last)}
        chosen += [row for row in self.certificates if row.claimed_for in claimed or row.key in named]
        chosen += self._readings_around(first, last)
        chosen += _in_force(self.land_areas, first, last)
        chosen += [row for row in self.supplier_inputs if row.year <= last.year]
        wanted = {row.ref for row in chosen}
        return ActivityBook.of((row for row in self if row.ref in wanted), self.zone)

    def _span(self, row: Row) -> tuple[date, date] | None:
        """First and last day of a row; None for the kinds that `select` treats by a rule of their own."""
        match row:
            case Bill() | FuelQuality() | Refrigerant() | Wastewater() | HeatPurchase() | PowerContract():
                return row.start, row.end
            case DeclaredMissing():
                return row.start, row.end
            case FuelMovement() | ProcessInput() | Clinker() | Fermentation():
                return row.day, row.day
            case GreenPower() | ValueAdded():
                return days_of(row.month)
            case Production():
                day = from_ns(row.end_ns - 1, self.zone).date()
                return day, day
            case _:
                return None

    def _readings_around(self, first: date, last: date) -> Iterator[ManualReading]:
        start_ns = to_ns(datetime(first.year, first.month, first.day, tzinfo=self.zone))
        after = last + timedelta(days=1)
        end_ns = to_ns(datetime(after.year, after.month, after.day, tzinfo=self.zone))
        by_meter: dict[str, list[ManualReading]] = {}
        for row in sorted(self.readings, key=lambda row: row.time_ns):
            by_meter.setdefault(row.meter, []).append(row)
        for rows in by_meter.values():
            yield from [row for row in rows if row.time_ns < start_ns][-1:]
            yield from (row for row in rows if start_ns <= row.time_ns < end_ns)
            yield from [row for row in rows if row.time_ns >= end_ns][:1]


def _overlap(left: tuple[date, date], right: tuple[date, date]) -> bool:
    return left[0] <= right[1] and right[0] <= left[1]


def _in_force(rows: Sequence[LandArea], first: date, last: date) -> list[LandArea]:
    """The row in force on the first day, and those that start later in the period."""
    before = sorted((row for row in rows if row.start <= first), key=lambda row: row.start)[-1:]
    return before + [row for row in rows if first < row.start <= last]
