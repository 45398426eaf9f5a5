"""Reading a tariff (tariff.toml, or [tariff] in site.toml) and proving that it says exactly one thing at any minute."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from decimal import Decimal
from itertools import combinations, pairwise, product
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, ValidationError

from shutan_collector.errors import Problem, SiteError
from shutan_collector.site.scalars import Day, Exact, Name, Table, plain_problems
from shutan_collector.site.tariff import DAY_MIN, Band, DayType, Price, Schedule, Tariff, Validity, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["parse_tariff", "tariff_from"]

_WINDOW: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)")
_QUARTER_MIN: Final = 15  # registers are read every quarter: a band that changes within one could not be told apart


def _all_months() -> list[int]:
    return list(range(1, 13))


def _all_days() -> list[DayType]:
    return list(DayType)


class _DayTable(Table):
    months: Annotated[list[Annotated[int, Field(ge=1, le=12)]], Field(min_length=1, default_factory=_all_months)]
    days: Annotated[list[Annotated[DayType, Field(strict=False)]], Field(min_length=1, default_factory=_all_days)]
    windows: Annotated[dict[str, Annotated[Band, Field(strict=False)]], Field(min_length=1)]


class _PeriodTable(Table):
    start: Day = Field(alias="from")
    end: Day | None = Field(default=None, alias="to")
    source: Name
    day: Annotated[list[_DayTable], Field(min_length=1)]


class _PriceTable(Table):
    start: Day = Field(alias="from")
    end: Day | None = Field(default=None, alias="to")
    source: Name
    sharp_yuan_per_kwh: Exact | None = None
    peak_yuan_per_kwh: Exact | None = None
    flat_yuan_per_kwh: Exact | None = None
    valley_yuan_per_kwh: Exact | None = None
    deep_valley_yuan_per_kwh: Exact | None = None


class _TariffTable(Table):
    holidays: list[Day] = Field(default_factory=list)
    workdays: list[Day] = Field(default_factory=list)
    period: Annotated[list[_PeriodTable], Field(min_length=1)]
    price: list[_PriceTable] = Field(default_factory=list)


def parse_tariff(text: str, where: str) -> Tariff:
    """The tariff in a TOML text; `where` names it in errors. Raises SiteError with every mistake."""
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise SiteError(where, (Problem("TOML", str(error)),)) from error
    problems: list[Problem] = []
    tariff = tariff_from(raw, "", problems)
    if tariff is None:
        raise SiteError(where, tuple(problems))
    return tariff


def tariff_from(raw: object, key: str, problems: list[Problem]) -> Tariff | None:
    """The tariff in a TOML table; what is wrong with it is added to `problems` under `key`, and then it is None."""
    try:
        table = _TariffTable.model_validate(raw)
    except ValidationError as error:
        problems += plain_problems(key, error)
        return None
    prefix = f"{key}." if key else ""
    found: list[Problem] = []
    validities = tuple(
        _validity(item, f"{prefix}period[{number}]", found) for number, item in enumerate(table.period, start=1)
    )
    prices = tuple(Price(item.start, item.end, item.source, _by_band(item)) for item in table.price)
    for number, price in enumerate(prices, start=1):
        if not price.yuan_per_kwh:
            found.append(Problem(f"{prefix}price[{number}]", "gives no price; write flat_yuan_per_kwh = 0.65"))
    found += _overlaps(f"{prefix}period", [(item.start, item.end) for item in validities])
    found += _overlaps(f"{prefix}price", [(item.start, item.end) for item in prices])
    found += (
        Problem(f"{prefix}workdays", f"{day} is listed as a holiday too")
        for day in sorted({*table.holidays} & {*table.workdays})
    )
    problems += found
    if found:
        return None
    return Tariff(frozenset(table.holidays), frozenset(table.workdays), validities, prices)


def _by_band(table: _PriceTable) -> tuple[tuple[Band, Exact], ...]:
    values = (
        (Band.SHARP, table.sharp_yuan_per_kwh),
        (Band.PEAK, table.peak_yuan_per_kwh),
        (Band.FLAT, table.flat_yuan_per_kwh),
        (Band.VALLEY, table.valley_yuan_per_kwh),
        (Band.DEEP_VALLEY, table.deep_valley_yuan_per_kwh),
    )
    return tuple((band, value) for band, value in values if value is not None)


def _validity(table: _PeriodTable, key: str, problems: list[Problem]) -> Validity:
    schedules: list[Schedule] = []
    for number, item in enumerate(table.day, start=1):
        windows = _windows(item.windows, f"{key}.day[{number}].windows", problems)
        schedules.append(Schedule(frozenset(item.months), frozenset(item.days), windows))
    problems += _chosen_once(schedules, key)
    return Validity(table.start, table.end, table.source, tuple(schedules))


def _windows(table: Mapping[str, Band], key: str, problems: list[Problem]) -> tuple[Window, ...]:
    """The windows of a day in order; one that runs over midnight is taken as its two parts."""
    windows: list[Window] = []
    before = len(problems)
    for text, band in table.items():
        found = _WINDOW.fullmatch(text)
        if not found:
            problems.append(Problem(f"{key}.{text!r}", 'is not a window such as "08:30-11:30" or "22:00-24:00"'))
            continue
        start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
        if end > DAY_MIN or start % _QUARTER_MIN or end % _QUARTER_MIN:
            problems.append(Problem(f"{key}.{text!r}", "windows begin and end on a quarter of an hour, up to 24:00"))
            continue
        if end > start:
            windows.append(Window(start, end, band))
        else:
            windows.append(Window(start, DAY_MIN, band))
            windows += [Window(0, end, band)] if end else []
    windows.sort(key=lambda window: (window.start_min, window.end_min))
    if len(problems) == before:
        problems += (Problem(key, reason) for reason in _not_tiled(windows))
    return tuple(windows)


def _not_tiled(windows: Sequence[Window]) -> Iterator[str]:
    """Where windows in order leave a hole in the 24 h or overlap."""
    edges = [Window(0, 0, Band.FLAT), *windows, Window(DAY_MIN, DAY_MIN, Band.FLAT)]
    for left, right in pairwise(edges):
        if left.end_min < right.start_min:
            yield f"nothing is said about {_clock(left.end_min)}-{_clock(right.start_min)}; windows fill the day"
        elif left.end_min > right.start_min:
            yield f"two windows claim {_clock(right.start_min)}-{_clock(min(left.end_min, right.end_min))}"


def _chosen_once(schedules: Sequence[Schedule], key: str) -> Iterator[Problem]:
    """Kinds of days, with their months, for which no schedule or more than one is given."""
    found: dict[tuple[DayType, tuple[int, ...]], list[int]] = {}
    for kind, month in product(DayType, range(1, 13)):
        chosen = [
            number
            for number, schedule in enumerate(schedules, start=1)
            if month in schedule.months and kind in schedule.days
        ]
        if len(chosen) != 1:
            found.setdefault((kind, tuple(chosen)), []).append(month)
    for (kind, chosen), months in found.items():
        named = ", ".join(map(str, months))
        if not chosen:
            yield Problem(f"{key}.day", f"nothing is said about a {kind} in month {named}")
        else:
            both = " and ".join(f"day[{number}]" for number in chosen)
            yield Problem(f"{key}.day", f"{both} speak of a {kind} in month {named}; a day has one schedule")


def _overlaps(key: str, stretches: Sequence[tuple[date, date | None]]) -> Iterator[Problem]:
    """Stretches of days that end before they start, or hold the same day."""
    for number, (start, end) in enumerate(stretches, start=1):
        if end is not None and end < start:
            yield Problem(f"{key}[{number}]", f"'to' {end} is before 'from' {start}; 'to' is the last day")
    for (first, (left, left_end)), (second, (right, right_end)) in combinations(enumerate(stretches, start=1), 2):
        if left <= (right_end or date.max) and right <= (left_end or date.max):
            yield Problem(f"{key}[{second}]", f"overlaps {key}[{first}]; a day has one")


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
