"""Readings to daily and monthly consumption: a difference of two register readings, each at a midnight of the platform.

A reading stands for a midnight when it was taken within the tolerance of it. Where one is missing the value is missing,
until it comes late or a person fills it in; nothing is estimated.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import sqlite3

    from shutan_gateway.config.northbound import KeyEnergyIndicator

__all__ = ["DAY", "MONTH", "TABLES", "Days", "Item", "day_item", "month_item", "month_of"]

DAY: Final = "day"
MONTH: Final = "month"
HOURS: Final = 24

TABLES: Final = """
CREATE TABLE IF NOT EXISTS midnight (
    code TEXT NOT NULL, day TEXT NOT NULL, off_ms INTEGER NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (code, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hour (
    code TEXT NOT NULL, day TEXT NOT NULL, hour INTEGER NOT NULL, PRIMARY KEY (code, day, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fill (
    code TEXT NOT NULL, period TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (code, period)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS touched (day TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
"""


class Days:
    """Days of a zone so many hours east of Greenwich."""

    def __init__(self, utc_offset_h: float) -> None:
        self._zone = timezone(timedelta(hours=utc_offset_h))

    def place(self, t_ms: int) -> tuple[str, int, int]:
        """(ISO date, hour of the day, ms since its midnight) of a time."""
        at = datetime.fromtimestamp(t_ms // 1000, self._zone)
        return at.date().isoformat(), at.hour, (at.hour * 3600 + at.minute * 60 + at.second) * 1000 + t_ms % 1000

    def end_ms(self, day: str) -> int:
        """When a day is over, UTC ms."""
        following = date.fromisoformat(day) + timedelta(days=1)
        return int(datetime(following.year, following.month, following.day, tzinfo=self._zone).timestamp() * 1000)


class Item(NamedTuple):
    """An indicator in a period: value in the platform's unit, "auto" or "manual", part of the period with readings."""

    code: str
    value: str
    unit: str
    input: str
    completeness: str


def day_item(conn: sqlite3.Connection, indicator: KeyEnergyIndicator, day: str) -> Item | None:
    """The consumption of a day; None when a midnight's reading is missing and nobody filled the day in."""
    hours = conn.execute("SELECT count(*) FROM hour WHERE code = ? AND day = ?", (indicator.code, day)).fetchone()[0]
    following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    return _item(conn, indicator, day, (day, following), Fraction(int(hours), HOURS))


def month_item(conn: sqlite3.Connection, indicator: KeyEnergyIndicator, month: str) -> Item | None:
    """The consumption of a month (YYYY-MM): of its two ends, else of all its days, else filled in; None otherwise.

    completeness: the part of its days that have a value.
    """
    first = date.fromisoformat(f"{month}-01")
    count = monthrange(first.year, first.month)[1]
    days = [(first + timedelta(days=n)).isoformat() for n in range(count)]
    items = [item for day in days if (item := day_item(conn, indicator, day)) is not None]
    complete = Fraction(len(items), count)
    following = (first + timedelta(days=count)).isoformat()
    found = _item(conn, indicator, month, (days[0], following), complete)
    if found is None and len(items) == count:
        total = sum(Decimal(item.value) for item in items)
        by_hand = any(item.input == "manual" for item in items)
        found = Item(indicator.code, str(total), indicator.unit, "manual" if by_hand else "auto", _part(complete))
    return found


def _item(
    conn: sqlite3.Connection, indicator: KeyEnergyIndicator, period: str, ends: tuple[str, str], complete: Fraction
) -> Item | None:
    readings = [
        conn.execute("SELECT value FROM midnight WHERE code = ? AND day = ?", (indicator.code, end)).fetchone()
        for end in ends
    ]
    if None not in readings and readings[1][0] >= readings[0][0]:
        consumed = (int(readings[1][0]) - int(readings[0][0])) * Fraction(indicator.scale)
        return Item(indicator.code, _text(consumed, indicator.decimals), indicator.unit, "auto", _part(complete))
    filled = conn.execute("SELECT value FROM fill WHERE code = ? AND period = ?", (indicator.code, period)).fetchone()
    if filled is None:
        return None
    value = _text(Fraction(filled[0]), indicator.decimals)
    return Item(indicator.code, value, indicator.unit, "manual", _part(complete))


def month_of(day: str) -> str:
    """YYYY-MM of an ISO date."""
    return day[:7]


def _text(value: Fraction, decimals: int) -> str:
    digits = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{digits.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP):f}"


def _part(part: Fraction) -> str:
    return _text(part, 3)
