"""Samples to the data of HJ 212: real-time (2011), minute (2051), hour (2061) and day (2031) values.

A period is worked out from all samples in it when it is over and settled, and again when one comes late: the document
is then sent again. Times are those of the platform's zone; DataTime is the beginning of the period.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from shutan_gateway.config.northbound import Hj212Factor

__all__ = ["DAY", "HOUR", "MINUTE", "REAL_TIME", "TABLES", "Calendar", "Latest", "number", "period_fields", "real_time"]

REAL_TIME: Final = "2011"
MINUTE: Final = "2051"
HOUR: Final = "2061"
DAY: Final = "2031"

TABLES: Final = """
CREATE TABLE IF NOT EXISTS sample (
    code TEXT NOT NULL, t_ms INTEGER NOT NULL, value ANY NOT NULL, good INTEGER NOT NULL, PRIMARY KEY (code, t_ms)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS touched (cn TEXT NOT NULL, begin_ms INTEGER NOT NULL, PRIMARY KEY (cn, begin_ms)) STRICT;
"""


class Latest(NamedTuple):
    """The newest sample of a factor."""

    t_ms: int
    value: int | float
    good: bool


class Calendar:
    """Periods in the platform's zone (hours east of Greenwich) with minute data of so many minutes."""

    def __init__(self, utc_offset_h: float, minutes: int) -> None:
        self._zone = timezone(timedelta(hours=utc_offset_h))
        self._offset_ms = int(utc_offset_h * 3_600_000)
        self.lengths_ms = {MINUTE: minutes * 60_000, HOUR: 3_600_000, DAY: 86_400_000}

    def begin_ms(self, cn: str, t_ms: int) -> int:
        """Beginning of the period that a time is in."""
        length = self.lengths_ms[cn]
        return (t_ms + self._offset_ms) // length * length - self._offset_ms

    def end_ms(self, cn: str, begin_ms: int) -> int:
        """End of the period that begins then."""
        return begin_ms + self.lengths_ms[cn]

    def text(self, t_ms: int) -> str:
        """YYYYMMDDhhmmss."""
        return f"{datetime.fromtimestamp(t_ms / 1000, UTC).astimezone(self._zone):%Y%m%d%H%M%S}"

    def time_ms(self, text: str) -> int:
        """The time behind YYYYMMDDhhmmss. Raises ValueError."""
        return int(datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=self._zone).timestamp() * 1000)

    def qn(self, t_ms: int) -> str:
        """YYYYMMDDhhmmsszzz."""
        return f"{self.text(t_ms)}{t_ms % 1000:03d}"


def number(value: Fraction | float, scale: Fraction, decimals: int) -> str:
    """A value times scale with so many decimals, half up; exact for a register, which is an int."""
    exact = Fraction(value) * scale
    digits = Decimal(exact.numerator) / Decimal(exact.denominator)
    return f"{digits.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP):f}"


def real_time(factors: Sequence[Hj212Factor], latest: dict[str, Latest], since_ms: int) -> list[str]:
    """Fields of 2011, one text a factor that has a sample since then."""
    fields: list[str] = []
    for factor in factors:
        found = latest.get(factor.code)
        if found is not None and found.t_ms >= since_ms:
            flag = "N" if found.good else "D"
            value = number(found.value, Fraction(factor.scale), factor.decimals)
            fields.append(f"{factor.code}-Rtd={value},{factor.code}-Flag={flag}")
    return fields


def period_fields(conn: sqlite3.Connection, factors: Iterable[Hj212Factor], begin_ms: int, end_ms: int) -> list[str]:
    """Fields of 2051, 2061 and 2031, one text a factor that has samples in the period."""
    fields: list[str] = []
    for factor in factors:
        span = (factor.code, begin_ms, end_ms)
        where = "FROM sample WHERE code = ? AND t_ms >= ? AND t_ms < ?"
        count, low, high, mean, good = conn.execute(
            f"SELECT count(*), min(value), max(value), avg(value), min(good) {where}",
            span,
        ).fetchone()
        if not count:
            continue
        scale, code = Fraction(factor.scale), factor.code
        flag = f"{code}-Flag={'N' if good else 'D'}"
        if factor.cumulative:
            increase = _increase(conn, factor.code, begin_ms, end_ms)
            if increase is not None:
                fields.append(f"{code}-Cou={number(increase, scale, factor.decimals)},{flag}")
            continue
        shown = {"Min": low, "Avg": mean, "Max": high}
        texts = [f"{code}-{name}={number(value, scale, factor.decimals)}" for name, value in shown.items()]
        fields.append(",".join([*texts, flag]))
    return fields


def _increase(conn: sqlite3.Connection, code: str, begin_ms: int, end_ms: int) -> int | None:
    """How far a register went in a period: readings nearest before its two ends; None without one before the first."""
    readings: list[int] = []
    for at_ms in (begin_ms, end_ms):
        found = conn.execute(
            "SELECT value FROM sample WHERE code = ? AND t_ms <= ? ORDER BY t_ms DESC LIMIT 1", (code, at_ms)
        ).fetchone()
        if found is None:
            return None
        readings.append(int(found[0]))
    increase = readings[1] - readings[0]
    return increase if increase >= 0 else None
