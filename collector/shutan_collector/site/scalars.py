"""Values of a TOML file as the collector uses them: exact numbers, dates, ratios; and mistakes in plain words."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, TypeGuard, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from shutan_collector.errors import Problem

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = [
    "ClockTime",
    "Day",
    "Exact",
    "Id",
    "Moment",
    "Name",
    "Positive",
    "PositiveSteps",
    "Ratio",
    "Share",
    "Steps",
    "Table",
    "Zone",
    "is_tables",
    "plain_problems",
]

_PLAIN_WORDS = {"missing": "is needed", "extra_forbidden": "unknown key"}


class Table(BaseModel):
    """A TOML table: every key known, every value of its type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def is_tables(value: object) -> TypeGuard[list[dict[str, Any]]]:
    """Whether a value is an array of TOML tables."""
    items = _items(value)
    return items == value and all(isinstance(entry, dict) for entry in items)


def plain_problems(prefix: str, error: ValidationError, *, only_one: bool = False) -> list[Problem]:
    """One problem per pydantic error; only_one: the installation's keys stand in the meter itself."""
    problems: list[Problem] = []
    for item in error.errors(include_url=False):
        parts = item["loc"][2:] if only_one and item["loc"][:1] == ("installation",) else item["loc"]
        place = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in parts)
        reason = _PLAIN_WORDS.get(item["type"]) or f"{item['msg']} (found {item['input']!r})"
        problems.append(Problem((prefix + place).removeprefix("."), reason))
    return problems


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        raise PydanticCustomError("zone", "must be the name of a time zone such as Asia/Shanghai") from None


def _exact(value: object) -> Fraction:
    """A TOML number without a detour over float (the file is read with Decimal for its floats)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, Decimal) and value.is_finite():
        return Fraction(value)
    raise PydanticCustomError("number", "must be a number")


def _positive(value: object) -> Fraction:
    number = _exact(value)
    if number <= 0:
        raise PydanticCustomError("positive", "must be above zero")
    return number


def _share(value: object) -> Fraction:
    """A multiplier: a number, or a ratio of whole numbers as text ("1/3"), not zero."""
    if isinstance(value, str):
        try:
            number = Fraction(value)
        except (ValueError, ZeroDivisionError):
            raise PydanticCustomError("share", 'must be a number such as 0.25 or a ratio such as "1/3"') from None
    else:
        number = _exact(value)
    if number == 0:
        raise PydanticCustomError("share", "must not be zero")
    return number


def _ratio(value: object) -> Fraction:
    """A transformer ratio: 40, or primary and secondary as on the plate, [200, 5]."""
    parts = [_exact(part) for part in _items(value)] or [_exact(value), Fraction(1)]
    if len(parts) != 2 or min(parts) <= 0:
        raise PydanticCustomError("ratio", "must be a ratio such as 40 or [200, 5], above zero")
    return parts[0] / parts[1]


def _moment(value: object) -> datetime | date:
    """A TOML date or date-time, or the same as text."""
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise PydanticCustomError(
            "moment", "must be a date or date-time such as 2026-03-01 or 2026-03-01T09:30"
        ) from None


def _day(value: object) -> date:
    """A TOML date, or the same as text."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise PydanticCustomError("day", "must be a date such as 2026-03-01") from None


def _clock_time(value: object) -> time:
    """A TOML local time, or the same as text; whole minutes."""
    found = value
    if isinstance(value, str):
        try:
            found = time.fromisoformat(value)
        except ValueError:
            found = None
    if not isinstance(found, time) or found.tzinfo or found.second or found.microsecond:
        raise PydanticCustomError("clock_time", 'must be a local time in whole minutes such as "08:00"')
    return found


def _items(value: object) -> list[object]:
    """What a TOML array holds; nothing for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
Name = Annotated[str, Field(min_length=1)]
Zone = Annotated[ZoneInfo, PlainValidator(_zone)]
Exact = Annotated[Fraction, PlainValidator(_exact)]
Positive = Annotated[Fraction, PlainValidator(_positive)]
Share = Annotated[Fraction, PlainValidator(_share)]
Ratio = Annotated[Fraction, PlainValidator(_ratio)]
Moment = Annotated[datetime | date | None, PlainValidator(_moment)]
Day = Annotated[date, PlainValidator(_day)]
ClockTime = Annotated[time, PlainValidator(_clock_time)]
Steps = Annotated[int, Field(ge=0, lt=2**63)]  # as wide as a register in the series store
PositiveSteps = Annotated[int, Field(gt=0, le=2**63)]
