"""From register readings to counted consumption: the one place where rollover, reset and bad readings are told apart.

A register only ever rises. Where a reading is lower than the one before, this module decides, in this order:

| finding       | rule                                                                | counted between        |
|---------------|---------------------------------------------------------------------|------------------------|
| dip           | one of the next CONFIRM readings is back at the old level           | low readings left out  |
| rollover 翻转 | span - before + after is a step the meter can take in that time     | span - before + after  |
| spike         | at most CONFIRM readings stand above; the one before them fits      | high readings left out |
| reset 清零    | after is at most half of before, and can be counted in that time    | after; rest unknown    |
| negative step | none of these: an error that a person has to look at                | nothing; unknown       |

Pure functions over integers; the order in which readings arrive and their repetition change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, islice, pairwise
from operator import le, lt
from typing import TYPE_CHECKING, Final

from shutan_collector.periods import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shutan_collector.samples import Samples

__all__ = [
    "CONFIRM",
    "Break",
    "Event",
    "EventKind",
    "RegisterRule",
    "Track",
    "classify_drop",
    "stuck",
    "track",
]

CONFIRM: Final = 3  # readings that confirm a new level; up to so many wrong ones in a row are recognised
_SHORTEST_NS: Final = 60 * NS_PER_S  # a step is judged over a minute at least: a pulse can fall into one second
_HOUR_NS: Final = 3600 * NS_PER_S
# No meter turns its register over within 100 h at full load (a 100 A PZEM-004T with 10 MWh needs 380 h).
_HOURS_PER_SPAN: Final = 100
# No rollover is believed from below nine tenths of the span, or from below the half of it where the site model states
# the meter's maximum: after a long outage any step fits the time, and a reset must not become a whole span of energy.
_ROLLOVER_SHARE: Final = 10
_ROLLOVER_SHARE_STATED: Final = 2


class EventKind(StrEnum):
    """What happened to a register; the breaks in `inexact()` leave an unknown amount."""

    ROLLOVER = "rollover"
    RESET = "reset"
    SWAP = "swap"
    NEGATIVE_STEP = "negative_step"
    DIP = "dip"
    SPIKE = "spike"
    OUT_OF_RANGE = "out_of_range"
    BAD_QUALITY = "bad_quality"
    STUCK = "stuck"

    def inexact(self) -> bool:
        """Whether consumption across such a break is not fully known."""
        return self in {EventKind.RESET, EventKind.NEGATIVE_STEP, EventKind.SWAP}


@dataclass(frozen=True, slots=True)
class RegisterRule:
    """What the site model knows of a register, both in the metric's step.

    span           first value that the register cannot show (10^digits × step × CT × PT); None = not stated
    max_per_hour   most the meter can count in an hour; None = derived from the span
    """

    span: int | None = None
    max_per_hour: int | None = None

    def most(self, elapsed_ns: int) -> int | None:
        """Largest believable step over that time, rounded up; None where nothing is known."""
        rate = self.max_per_hour
        if rate is None:
            if self.span is None:
                return None
            rate = -(-self.span // _HOURS_PER_SPAN)
        return -(-rate * max(elapsed_ns, _SHORTEST_NS) // _HOUR_NS)


@dataclass(frozen=True, slots=True)
class Event:
    """Something in a register's history that a reader of the report must see.

    before, after   register on both sides in the metric's step, None where there is no such reading
    readings        how many readings were left out, 0 if none
    exact           False if an unknown amount passed, or may have passed (stuck)
    """

    kind: EventKind
    start_ns: int
    end_ns: int
    before: int | None = None
    after: int | None = None
    readings: int = 0
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Break:
    """Between readings index-1 and index the register does not simply rise; `counted` passed between them."""

    index: int
    kind: EventKind
    counted: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Track:
    """Believed readings of one register in time order, where it breaks, and what was noticed."""

    times_ns: Sequence[int]
    values: Sequence[int]
    breaks: tuple[Break, ...]
    events: tuple[Event, ...]


def classify_drop(before: int, after: int, elapsed_ns: int, rule: RegisterRule) -> tuple[EventKind, int]:
    """Rollover, reset or negative step, and what is counted across it, for a confirmed drop (after < before)."""
    most = rule.most(elapsed_ns)
    if rule.span is not None and most is not None:
        step = rule.span - before + after
        share = _ROLLOVER_SHARE if rule.max_per_hour is None else _ROLLOVER_SHARE_STATED
        if step <= min(most, rule.span // share):
            return EventKind.ROLLOVER, step
    if 2 * after <= before and (most is None or after <= most):
        return EventKind.RESET, after
    return EventKind.NEGATIVE_STEP, 0


def track(samples: Samples, rule: RegisterRule) -> Track:
    """Sort, de-duplicate and judge the readings of one register."""
    if _undisturbed(samples, rule):
        return Track(samples.times_ns, samples.values, (), ())
    readings = _ordered(samples)
    builder = _Builder(rule)
    kept: list[tuple[int, int]] = []
    for fits, run in groupby(readings, key=lambda reading: _fits(reading[1], rule)):
        if fits:
            kept.extend(run)
        else:
            builder.leave_out(EventKind.OUT_OF_RANGE, run, None, None)
    position = 0
    while position < len(kept):
        position = builder.take(kept, position)
    return Track(builder.times_ns, builder.values, tuple(builder.breaks), tuple(builder.events))


def stuck(found: Track, limit_ns: int) -> tuple[Event, ...]:
    """Stretches in which a register stood still for limit_ns or longer although it was read on both sides.

    The limit says how long the meter can stand still while all is well: the site model states it for meters whose
    load never rests (a grid entry, a base load), and for others there is none. The figure stays what the register
    says: one that catches up has lost nothing, and what a dead one lost nobody has measured.
    """
    events: list[Event] = []
    times_ns, values = found.times_ns, found.values
    first = 0
    for index in range(1, len(values) + 1):
        if index < len(values) and values[index] == values[first]:
            continue
        if times_ns[index - 1] - times_ns[first] >= limit_ns:
            after = values[index] if index < len(values) else None
            events.append(
                Event(EventKind.STUCK, times_ns[first], times_ns[index - 1], values[first], after, exact=False)
            )
        first = index
    return tuple(events)


def _undisturbed(samples: Samples, rule: RegisterRule) -> bool:
    """Whether the readings are in order, rise, and fit: then there is nothing to judge (ten times as fast)."""
    times_ns, values = samples.times_ns, samples.values
    if len(times_ns) != len(values) or not values:
        return False
    in_range = values[0] >= 0 and (rule.span is None or values[-1] < rule.span)
    return (
        in_range and all(map(lt, times_ns, islice(times_ns, 1, None))) and all(map(le, values, islice(values, 1, None)))
    )


def _fits(value: int, rule: RegisterRule) -> bool:
    return value >= 0 and (rule.span is None or value < rule.span)


def _ordered(samples: Samples) -> list[tuple[int, int]]:
    pairs = list(zip(samples.times_ns, samples.values, strict=True))
    if any(left >= right for left, right in pairwise(pairs)):
        return sorted(set(pairs))
    return pairs


class _Builder:
    """Believed readings so far; one call of take() consumes one reading or one run of wrong ones."""

    def __init__(self, rule: RegisterRule) -> None:
        self.rule = rule
        self.times_ns: list[int] = []
        self.values: list[int] = []
        self.breaks: list[Break] = []
        self.events: list[Event] = []

    def take(self, kept: list[tuple[int, int]], position: int) -> int:
        """Judge kept[position]; returns the position to go on with."""
        t_ns, value = kept[position]
        if self.values and value < self.values[-1]:
            last = self.values[-1]
            for ahead in range(position + 1, min(position + 1 + CONFIRM, len(kept))):
                if kept[ahead][1] >= last:
                    self.leave_out(EventKind.DIP, kept[position:ahead], last, kept[ahead][1])
                    return ahead
            self._drop(t_ns, value)
        self.times_ns.append(t_ns)
        self.values.append(value)
        return position + 1

    def leave_out(
        self, kind: EventKind, readings: Iterable[tuple[int, int]], before: int | None, after: int | None
    ) -> None:
        """Note readings that are not believed."""
        run = list(readings)
        self.events.append(Event(kind, run[0][0], run[-1][0], before, after, readings=len(run)))

    def _drop(self, t_ns: int, value: int) -> None:
        before, before_ns = self.values[-1], self.times_ns[-1]
        kind, counted = classify_drop(before, value, t_ns - before_ns, self.rule)
        if kind is not EventKind.ROLLOVER and self._spike(value):
            return
        exact = not kind.inexact()
        self.breaks.append(Break(len(self.values), kind, counted, exact))
        self.events.append(Event(kind, before_ns, t_ns, before, value, exact=exact))

    def _spike(self, value: int) -> bool:
        """Whether the last readings, at most CONFIRM, stand above a level that value continues; if so drop them."""
        floor = self.breaks[-1].index if self.breaks else 0
        foot = len(self.values) - 1
        while foot >= floor and self.values[foot] > value:
            foot -= 1
        height = len(self.values) - 1 - foot
        if foot < floor or height > CONFIRM:
            return False
        run = list(zip(self.times_ns[foot + 1 :], self.values[foot + 1 :], strict=True))
        self.leave_out(EventKind.SPIKE, run, self.values[foot], value)
        del self.times_ns[foot + 1 :], self.values[foot + 1 :]
        return True
