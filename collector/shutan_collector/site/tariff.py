"""A time-of-use tariff (分时电价) as dated data: which band rules at which local time, and what a kilowatt-hour costs.

Immutable once loaded; `site.tariff_file` reads it and proves that every day it is valid on is tiled by its windows.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import RequestError
from shutan_collector.periods import from_ns, to_ns

if TYPE_CHECKING:
    from fractions import Fraction
    from zoneinfo import ZoneInfo

__all__ = ["DAY_MIN", "Band", "BandCalendar", "DayType", "Price", "Schedule", "Slot", "Tariff", "Validity", "Window"]

DAY_MIN: Final = 24 * 60


class Band(StrEnum):
    """Tariff band: 尖 critical peak, 峰 peak, 平 flat, 谷 valley, 深谷 deep valley."""

    SHARP = "sharp"
    PEAK = "peak"
    FLAT = "flat"
    VALLEY = "valley"
    DEEP_VALLEY = "deep_valley"


class DayType(StrEnum):
    """What kind of day a date is: holidays and make-up workdays (调休) are listed, the rest follows the weekday."""

    WORKDAY = "workday"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a day in one band: minutes after local midnight, end exclusive, 1440 = midnight."""

    start_min: int
    end_min: int
    band: Band


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows that tile the 24 h of a day, for certain months and kinds of days."""

    months: frozenset[int]
    days: frozenset[DayType]
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Validity:
    """Schedules of one price document (电价文件), from its first to its last day (None = until further notice)."""

    start: date
    end: date | None
    source: str
    schedules: tuple[Schedule, ...]

    def holds(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return self.start <= day and (self.end is None or day <= self.end)


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of one price document, from its first to its last day (None = until further notice).

    yuan_per_kwh   band and price, exact; bands that the document does not price are left out
    """

    start: date
    end: date | None
    source: str
    yuan_per_kwh: tuple[tuple[Band, Fraction], ...]

    def of(self, band: Band) -> Fraction | None:
        """Price of a band, yuan per kilowatt-hour."""
        return dict(self.yuan_per_kwh).get(band)

    def holds(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return self.start <= day and (self.end is None or day <= self.end)


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of time in one band and under one price (None where no price is given), UTC nanoseconds."""

    start_ns: int
    end_ns: int
    band: Band
    price: Price | None


@dataclass(frozen=True, slots=True)
class Tariff:
    """A dated tariff.

    holidays     days that are priced as holidays
    workdays     weekend days that are worked instead (调休)
    validities   do not overlap; days between them have no tariff
    prices       do not overlap
    """

    holidays: frozenset[date]
    workdays: frozenset[date]
    validities: tuple[Validity, ...]
    prices: tuple[Price, ...] = ()

    def day_type(self, day: date) -> DayType:
        """Kind of a day."""
        if day in self.holidays:
            return DayType.HOLIDAY
        if day in self.workdays or day.weekday() < 5:
            return DayType.WORKDAY
        return DayType.WEEKEND

    def windows(self, day: date) -> tuple[Window, ...]:
        """The windows of a day, in order. Raises RequestError where no tariff is in force."""
        kind = self.day_type(day)
        for validity in self.validities:
            if validity.holds(day):
                for schedule in validity.schedules:
                    if day.month in schedule.months and kind in schedule.days:
                        return schedule.windows
        raise RequestError("tariff", f"none is in force on {day}; add a [[period]] that covers it")

    def price(self, day: date) -> Price | None:
        """The price list in force on a day."""
        return next((price for price in self.prices if price.holds(day)), None)


class BandCalendar:
    """The slots of a tariff over a stretch of time, in order and without hole, found by instant."""

    def __init__(self, tariff: Tariff, start_ns: int, end_ns: int, zone: ZoneInfo) -> None:
        """Covers the local days of [start_ns, end_ns). Raises RequestError where no tariff is in force."""
        self.slots: list[Slot] = []
        day, last = from_ns(start_ns, zone).date(), from_ns(end_ns - 1, zone).date()
        while day <= last:
            price = tariff.price(day)
            for window in tariff.windows(day):
                begin_ns, stop_ns = (_local_ns(day, minute, zone) for minute in (window.start_min, window.end_min))
                if begin_ns < stop_ns:  # not so where summer time swallows it
                    self.slots.append(Slot(begin_ns, stop_ns, window.band, price))
            day += timedelta(days=1)
        self._starts = [slot.start_ns for slot in self.slots]

    def slot(self, start_ns: int, end_ns: int) -> Slot | None:
        """The slot that holds all of [start_ns, end_ns), None if it is cut by a change of band or price.

        Neighbouring slots of the same band and price count as one, as over midnight.
        """
        first = bisect_right(self._starts, start_ns) - 1
        last = bisect_right(self._starts, end_ns - 1) - 1
        if first < 0 or self.slots[last].end_ns < end_ns:
            return None
        found = self.slots[first]
        same = all((other.band, other.price) == (found.band, found.price) for other in self.slots[first + 1 : last + 1])
        return found if same else None


def _local_ns(day: date, minute: int, zone: ZoneInfo) -> int:
    """UTC nanoseconds of a local time, given in minutes after midnight, 1440 = the next midnight."""
    day, minute = day + timedelta(days=minute // DAY_MIN), minute % DAY_MIN
    return to_ns(datetime.combine(day, time(minute // 60, minute % 60), zone))
