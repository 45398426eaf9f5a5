"""The record of a calibration: gains of a metering chip with date, operator and reference.

A record is JSON; hardware/CALIBRATION.md tells the procedure. Readings and references are decimal text, so that the new
gain = old gain x reference / reading is computed exactly and rounded once, half up, to the register's step.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads the annotation when the class is made
import json
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from shutan_gateway.config.fields import Section
from shutan_gateway.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Record", "load_record", "new_gain", "record_problems"]

_LOAD_MIN_PERCENT = 10  # of the range, below it the resolution of the register spoils the gain
_REFERENCE_RATIO = 3  # the reference is at least three times better than what is accepted


def _decimal(text: str) -> str:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("decimal text such as 229.87") from None
    if not value.is_finite() or value <= 0 or abs(value.adjusted()) > 9:
        raise ValueError("a number above 0, such as 229.87")
    return text


Measured = Annotated[str, Field(max_length=20), AfterValidator(_decimal)]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class Reference(Section):
    """The instrument that is believed. error_percent: its greatest error in the range used, from its certificate."""

    instrument: Name
    serial: Name
    certificate: Name
    error_percent: Measured
    valid_until: dt.date


class Channel(Section):
    """One register. load_percent: of the channel's range; check_*: read again with the new gain."""

    register_name: Annotated[str, Field(alias="register", pattern=r"^[A-Za-z0-9_]{1,24}$")]
    quantity: Literal["voltage", "current", "power"]
    unit: Literal["V", "A", "W"]
    load_percent: Annotated[int, Field(ge=0, le=200)]
    reference: Measured
    reading: Measured
    gain_before: Annotated[int, Field(ge=1, le=65535)]
    gain_after: int
    check_reference: Measured
    check_reading: Measured


class Angle(Section):
    """One register of a phase angle, found at a low power factor; check_*: power read again with it."""

    register_name: Annotated[str, Field(alias="register", pattern=r"^[A-Za-z0-9_]{1,24}$")]
    power_factor: Annotated[float, Field(ge=0.2, le=0.9)]
    before: Annotated[int, Field(ge=-32768, le=65535)]
    after: Annotated[int, Field(ge=-32768, le=65535)]
    check_reference: Measured
    check_reading: Measured


class Record(Section):
    """A whole record; serial is the board's. accept_percent: greatest error that is left over."""

    format: Literal[1]
    board: Name
    serial: Name
    chip: Name
    date: dt.date
    operator: Name
    temperature_c: float = Field(ge=-40, le=85)
    accept_percent: Measured
    reference: Reference
    channels: tuple[Channel, ...] = Field(min_length=1, max_length=64)
    angles: tuple[Angle, ...] = Field(default=(), max_length=16)


def new_gain(gain: int, reference: str, reading: str) -> int:
    """The gain that makes the reading equal the reference; rounded half up."""
    exact = Fraction(gain) * Fraction(Decimal(reference)) / Fraction(Decimal(reading))
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def _channel_problems(record: Record, channel: Channel) -> Iterator[tuple[str, str, str]]:
    wanted = new_gain(channel.gain_before, channel.reference, channel.reading)
    if channel.gain_after != wanted:
        yield "gain_after", str(channel.gain_after), f"{wanted} = {channel.gain_before} x reference / reading"
    if wanted > 65535:
        yield "gain_after", str(wanted), "16 bits; the divider or the transformer does not fit the range"
    if channel.load_percent < _LOAD_MIN_PERCENT:
        yield "load_percent", str(channel.load_percent), f"{_LOAD_MIN_PERCENT} or more"
    yield from _left_over(record, channel)


def _left_over(record: Record, one: Channel | Angle) -> Iterator[tuple[str, str, str]]:
    true, shown = Fraction(Decimal(one.check_reference)), Fraction(Decimal(one.check_reading))
    left = abs(shown - true) / true * 100
    if left > Fraction(Decimal(record.accept_percent)):
        yield "check_reading", f"{float(left):.3f} % off", f"at most {record.accept_percent} %"


def record_problems(record: Record, file: str) -> list[Problem]:
    """What is wrong with a record whose form is sound."""
    found: list[Problem] = []
    if record.reference.valid_until < record.date:
        found.append(
            Problem(file, "reference.valid_until", str(record.reference.valid_until), f"{record.date} or later")
        )
    allowed = Decimal(record.accept_percent) / _REFERENCE_RATIO
    if Decimal(record.reference.error_percent) > allowed:
        accepted = f"at most {allowed:.3f}, a third of accept_percent"
        found.append(Problem(file, "reference.error_percent", record.reference.error_percent, accepted))
    rows: list[tuple[str, Channel | Angle]] = []
    rows += [(f"channels.{number}", one) for number, one in enumerate(record.channels)]
    rows += [(f"angles.{number}", one) for number, one in enumerate(record.angles)]
    names = [one.register_name for _, one in rows]
    for number, (place, row) in enumerate(rows):
        if row.register_name in names[:number]:
            found.append(Problem(file, f"{place}.register", row.register_name, "each register once"))
        mistakes = _channel_problems(record, row) if isinstance(row, Channel) else _left_over(record, row)
        for key, value, accepted in mistakes:
            found.append(Problem(file, f"{place}.{key} ({row.register_name})", value, accepted))
    return found


def load_record(text: str, file: str) -> Record:
    """A record from its JSON. Raises ConfigError with every mistake of form, or else with every mistake of content."""
    try:
        tree = json.loads(text)
        record = Record.model_validate(tree)
    except json.JSONDecodeError as error:
        raise ConfigError([Problem(file, f"line {error.lineno}", error.msg, "JSON")]) from None
    except ValidationError as error:
        raise ConfigError([
            Problem(file, ".".join(map(str, one["loc"])) or "file", one["type"], one["msg"])
            for one in error.errors(include_url=False)
        ]) from None  # fmt: skip
    problems = record_problems(record, file)
    if problems:
        raise ConfigError(problems)
    return record
