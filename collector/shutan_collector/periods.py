"""Calendar periods of a site: 15 minutes, hour, shift, day, month and year in the site's own zone.

Periods exist only in the collector; everything below it lives in UTC nanoseconds. Asia/Shanghai has no daylight
saving, yet nothing here relies on that: days, months and years are cut at local midnight, hours and quarters at whole
multiples of their length since local midnight, shifts at the local times of the site's shift calendar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING

from shutan_collector.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

__all__ = ["NS_PER_S", "Kind", "Shift", "Span", "from_ns", "iso", "midnight_ns", "parse_instant", "split", "to_ns"]

NS_PER_S = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NS = (datetime(9000, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) * 1000
_MAX_SPANS = 400_000  # eleven years of quarters: a wrong year in --to must not fill the memory


class Kind(StrEnum):
    """Length of a reporting period."""

    QUARTER = "15min"
    HOUR = "hour"
    SHIFT = "shift"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    @property
    def shortest_s(self) -> int:
        """Shortest such period in seconds: a day can have 23 h, a month 28 days; a shift has at least 15 min."""
        return {
            "15min": 900,
            "hour": 3600,
            "shift": 900,
            "day": 23 * 3600,
            "month": 28 * 86400 - 3600,
            "year": 365 * 86400,
        }[self.value]


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift (班次) of every day, by local times; one that ends at or before its start ends on the next day.

    A night shift that crosses midnight belongs to the day on which it starts.
    """

    name: str
    start: time
    end: time

    @property
    def overnight(self) -> bool:
        """Whether it ends on the day after its start."""
        return self.end <= self.start


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open interval [start_ns, end_ns) in UTC nanoseconds.

    partial   the request cut the period
    name      of a shift; "" for other kinds and for the time between shifts
    day       of a shift: the local day on which it starts; None for other kinds
    """

    start_ns: int
    end_ns: int
    partial: bool = False
    name: str = ""
    day: date | None = None

    @property
    def length_ns(self) -> int:
        """Length in nanoseconds."""
        return self.end_ns - self.start_ns


def to_ns(moment: datetime) -> int:
    """UTC nanoseconds of an aware datetime, in integers."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def from_ns(t_ns: int, zone: ZoneInfo) -> datetime:
    """Local datetime of a UTC nanosecond instant; what is below a microsecond is cut off."""
    return (_EPOCH + timedelta(microseconds=t_ns // 1000)).astimezone(zone)


def iso(t_ns: int, zone: ZoneInfo) -> str:
    """ISO 8601 text with the zone's offset; a fraction only where there is one, then all nine digits."""
    whole, fraction = divmod(t_ns, NS_PER_S)
    text = from_ns(whole * NS_PER_S, zone).isoformat()
    return f"{text[:19]}.{fraction:09d}{text[19:]}" if fraction else text


def parse_instant(text: str, zone: ZoneInfo, where: str) -> int:
    """UTC nanoseconds of a date (local midnight) or a date and time (local unless it carries an offset).

    where: name of the option, for the error. Raises RequestError.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RequestError(
            where, f"{text!r} is not a date; give 2026-06-01, 2026-06-01T08:00 or 2026-06-01T08:00+08:00"
        ) from None
    return to_ns(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def split(start_ns: int, end_ns: int, kind: Kind, zone: ZoneInfo, shifts: Sequence[Shift] = ()) -> tuple[Span, ...]:
    """The periods of one kind that cover [start_ns, end_ns), the outer ones cut to it and marked partial.

    shifts   the site's shift calendar, in order; needed for Kind.SHIFT. Time outside all shifts is a span without name.

    Neighbouring spans share their boundary; together they cover the request without hole or overlap.
    Raises RequestError if the request is empty, reversed or absurdly long, or asks for shifts of a site that has none.
    """
    if end_ns <= start_ns:
        raise RequestError("--to", f"{iso(end_ns, zone)} is not after --from {iso(start_ns, zone)}")
    if end_ns > _LAST_NS:
        raise RequestError("--to", "lies after the year 8999; is the year right?")
    if (end_ns - start_ns) // (kind.shortest_s * NS_PER_S) > _MAX_SPANS:
        raise RequestError("--period", f"{kind.value} cuts this request into more than {_MAX_SPANS} periods")
    if kind is Kind.SHIFT:
        if not shifts:
            raise RequestError("--period", "the site model has no [[shift]]; add name, start and end of each shift")
        return tuple(_clipped(_shift_spans(start_ns, shifts, zone), start_ns, end_ns))
    spans: list[Span] = []
    cuts = _cuts(start_ns, kind, zone)
    left = next(cuts)
    for right in cuts:
        inner = Span(max(left, start_ns), min(right, end_ns), left < start_ns or right > end_ns)
        spans.append(inner)
        left = right
        if right >= end_ns:
            break
    return tuple(spans)


def _clipped(spans: Iterable[Span], start_ns: int, end_ns: int) -> Iterator[Span]:
    """The spans that touch the request, cut to it; stops with the request's end."""
    for span in spans:
        if span.end_ns > start_ns:
            cut = span.start_ns < start_ns or span.end_ns > end_ns
            yield replace(span, start_ns=max(span.start_ns, start_ns), end_ns=min(span.end_ns, end_ns), partial=cut)
        if span.end_ns >= end_ns:
            return


def _shift_spans(start_ns: int, shifts: Sequence[Shift], zone: ZoneInfo) -> Iterator[Span]:
    """Shifts and the time between them, without end, from the day before start_ns (its night shift may reach in)."""
    day = from_ns(start_ns, zone).date() - timedelta(days=1)
    reached_ns = midnight_ns(day, zone)
    in_order = sorted(shifts, key=lambda item: item.start)
    while True:
        for shift in in_order:
            begin_ns = to_ns(datetime.combine(day, shift.start, zone))
            end_ns = to_ns(datetime.combine(day + timedelta(days=shift.overnight), shift.end, zone))
            if begin_ns > reached_ns:
                yield Span(reached_ns, begin_ns, day=from_ns(reached_ns, zone).date())
                reached_ns = begin_ns
            if end_ns > reached_ns:  # not so where summer time swallows it
                yield Span(reached_ns, end_ns, name=shift.name, day=day)
                reached_ns = end_ns
        day += timedelta(days=1)


def _cuts(start_ns: int, kind: Kind, zone: ZoneInfo) -> Iterator[int]:
    """Period boundaries, from the last one at or before start_ns, without end."""
    day = from_ns(start_ns, zone).date()
    if kind is Kind.YEAR:
        for year in count(day.year):
            yield midnight_ns(date(year, 1, 1), zone)
    if kind is Kind.MONTH:
        day = day.replace(day=1)
        while True:
            yield midnight_ns(day, zone)
            day = (day + timedelta(days=31)).replace(day=1)
    if kind is Kind.DAY:
        while True:
            yield midnight_ns(day, zone)
            day += timedelta(days=1)
    step_ns = kind.shortest_s * NS_PER_S
    cut = midnight_ns(day, zone)
    cut += (start_ns - cut) // step_ns * step_ns
    while True:
        yield cut
        cut += step_ns


def midnight_ns(day: date, zone: ZoneInfo) -> int:
    """UTC nanoseconds of the start of a local day."""
    return to_ns(datetime.combine(day, time(), zone))
