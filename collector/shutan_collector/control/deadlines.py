"""Deadlines (履约与报送期限) as data: which are ahead, and in how many days.

Days are calendar days; a deadline on a holiday is not moved, since the rules do not say so.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Final

from shutan_collector.control.reading import Table, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Deadline", "Due", "next_due", "packaged_deadlines", "parse_deadlines"]

_CONFIDENCE: Final = ("high", "medium", "low")
_LAST_YEAR: Final = 2100


@dataclass(frozen=True, slots=True)
class Deadline:
    """One rule.

    days_after_month         each month: so many days after its end; None for a yearly one
    month, day, years_after  yearly: that day, so many years after the activity year
    first_year, last_year    activity years it holds for; last_year None = open
    """

    id: str
    en: str
    zh: str
    days_after_month: int | None
    month: int
    day: int
    years_after: int
    first_year: int
    last_year: int | None
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline of one period ("2025" or "2025-06"): the last day on which it is met, and days left from today."""

    deadline: Deadline
    period: str
    day: date
    days_left: int


def packaged_deadlines() -> tuple[Deadline, ...]:
    """The deadlines that ship with the package (control/data/deadlines.toml)."""
    path = resources.files("shutan_collector") / "control" / "data" / "deadlines.toml"
    return parse_deadlines(path.read_text(encoding="utf-8"), "deadlines.toml")


def parse_deadlines(text: str, where: str) -> tuple[Deadline, ...]:
    """Deadlines from TOML. Raises ControlError with every mistake."""
    root = read_toml(text, where)
    found = tuple(_deadline(item) for item in root.tables("deadline"))
    for number, item in enumerate(found, start=1):
        if item.id in {other.id for other in found[: number - 1]}:
            root.wrong(f"deadline[{number}].id", f"{item.id!r} stands twice")
    root.finish()
    root.told()
    return found


def next_due(deadlines: Iterable[Deadline], today: date) -> tuple[Due, ...]:
    """The next date of each deadline, today included, the nearest first; one that no longer holds is left out."""
    found: list[Due] = []
    for item in deadlines:
        period, day = next(((period, day) for period, day in _dates(item, today) if day >= today), ("", None))
        if day is not None:
            found.append(Due(item, period, day, (day - today).days))
    return tuple(sorted(found, key=lambda due: (due.day, due.deadline.id)))


def _dates(item: Deadline, today: date) -> Iterator[tuple[str, date]]:
    """Periods and their days in order, from a little before today."""
    first = max(item.first_year, today.year - item.years_after - 2)
    last = min(item.last_year or _LAST_YEAR, today.year + 2)
    for year in range(first, last + 1):
        if item.days_after_month is None:
            length = calendar.monthrange(year + item.years_after, item.month)[1]
            yield str(year), date(year + item.years_after, item.month, min(item.day, length))
        else:
            for month in range(1, 13):
                end = date(year, month, calendar.monthrange(year, month)[1])
                yield f"{year:04}-{month:02}", end + timedelta(days=item.days_after_month)


def _deadline(item: Table) -> Deadline:
    monthly = item.has("days_after_month")
    days = item.integer("days_after_month", 0) if monthly else None
    month, day = (1, 1) if monthly else (item.integer("month"), item.integer("day"))
    years_after = 0 if monthly else item.integer("years_after", 1)
    if not monthly and not (1 <= month <= 12 and 1 <= day <= calendar.monthrange(2024, max(1, min(month, 12)))[1]):
        item.wrong("day", f"month {month}, day {day} is not a day of the year")
        month, day = 1, 1
    if monthly and not 0 <= (days or 0) <= 366:
        item.wrong("days_after_month", f"found {days}; accepted: 0 to 366")
    if not 0 <= years_after <= 5:
        item.wrong("years_after", f"found {years_after}; accepted: 0 to 5")
    last = item.integer("to", 0) if item.has("to") else None
    found = Deadline(
        id=item.text("id"),
        en=item.text("en"),
        zh=item.text("zh"),
        days_after_month=days,
        month=month,
        day=day,
        years_after=years_after,
        first_year=item.integer("from"),
        last_year=last,
        source=item.text("source"),
        confidence=item.choice("confidence", _CONFIDENCE),
    )
    item.finish()
    return found
