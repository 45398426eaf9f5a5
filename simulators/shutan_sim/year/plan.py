"""What is planted in the year, and when: everything that happens to real meters, each kind on or off.

| kind          | what happens                                                      | what no register knows   |
|---------------|-------------------------------------------------------------------|--------------------------|
| rollover      | a register comes to its end and begins again at 0                 | nothing                  |
| swap          | another instrument in mid-month, both registers recorded          | nothing                  |
| ct_change     | larger transformers behind the same instrument, recorded likewise | nothing                  |
| reset         | a power cut sets the register to 0                                | since the reading before |
| negative_step | the register is set back by a small amount                        | until the next reading   |
| gap           | a node reads nothing for three days                               | nothing, across the gap  |
| stuck         | a register shows the same for eight hours, then the right one     | nothing, across it       |
| late          | a node's day comes later: its rows are in late.csv                | nothing, once it is here |
| duplicates    | rows that stand twice                                             | nothing                  |
| out_of_order  | two hours of a node stand after the rest of their day             | nothing                  |
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from shutan_sim.local_time import DAY_MS, HOUR_MS, MINUTE_MS, OFFSET_MS
from shutan_sim.year.plant import QUARTER_MIN
from shutan_sim.year.spec import MeterSpec

__all__ = ["QUARTER_MS", "Change", "Kind", "Plan", "Stretch", "plan_year", "start_of"]

QUARTER_MS = QUARTER_MIN * MINUTE_MS
_YEAR_DAYS = 365
_EPOCH = date(1970, 1, 1)


class Kind(Enum):
    """Kinds of planted events."""

    ROLLOVER = "rollover"
    SWAP = "swap"
    CT_CHANGE = "ct_change"
    RESET = "reset"
    NEGATIVE_STEP = "negative_step"
    GAP = "gap"
    STUCK = "stuck"
    LATE = "late"
    DUPLICATES = "duplicates"
    OUT_OF_ORDER = "out_of_order"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happens to an instrument between two readings.

    day, quarter, minute   local day, quarter of it (0..95), minute inside it (1..14)
    steps                  register of the new instrument (swap), by how much it goes back (negative step)
    ct                     new transformer (CT change)
    """

    kind: Kind
    meter: str
    day: date
    quarter: int
    minute: int
    steps: int = 0
    ct: tuple[int, int] = (1, 1)

    @property
    def at_ms(self) -> int:
        """Ms since 1970."""
        return start_of(self.day) + self.quarter * QUARTER_MS + self.minute * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something about the readings from from_ms until before to_ms; of one meter, of all of a node, or of the site."""

    kind: Kind
    from_ms: int
    to_ms: int
    meter: str = ""
    node: str = ""

    def hits(self, spec: MeterSpec) -> bool:
        """Whether a meter is concerned."""
        return self.meter == spec.id or self.node == spec.node or not (self.meter or self.node)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is planted. rollover: meter whose register comes to its end on about that day."""

    changes: tuple[Change, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    rollover: tuple[str, date] | None = None

    def changes_of(self, meter: str, day: date) -> tuple[Change, ...]:
        """Changes of a meter on a day."""
        return tuple(change for change in self.changes if (change.meter, change.day) == (meter, day))


def start_of(day: date) -> int:
    """Local midnight in ms since 1970."""
    return (day - _EPOCH).days * DAY_MS - OFFSET_MS


def plan_year(start: date, days: int, meters: Sequence[MeterSpec], kinds: Collection[Kind]) -> Plan:
    """The events of these kinds, spread over the days as over a year; those that do not fit are left out."""
    planner = _Planner(start, days, meters)
    wanted = [kind for kind in Kind if kind in kinds]
    changes = [change for kind in wanted for change in planner.change(kind)]
    stretches = [stretch for kind in wanted for stretch in planner.stretch(kind)]
    rollover = planner.rollover() if Kind.ROLLOVER in kinds else None
    return Plan(tuple(changes), tuple(stretches), rollover)


class _Planner:
    def __init__(self, start: date, days: int, meters: Sequence[MeterSpec]) -> None:
        self._start, self._days, self._meters = start, days, meters

    def change(self, kind: Kind) -> list[Change]:
        if kind is Kind.SWAP and (meter := self._first("m-koji", "m-dist1")):
            return self._at(74, lambda day: Change(kind, meter, day, 42, 7, steps=3))
        if kind is Kind.CT_CHANGE and (meter := self._first("m-bottling", "m-dist2")):
            return self._at(131, lambda day: Change(kind, meter, day, 51, 8, ct=(200, 5)))
        if kind is Kind.RESET and (meter := self._first("m-cool", "m-dist2")):
            return self._at(166, lambda day: Change(kind, meter, day, 56, 7))
        if kind is Kind.NEGATIVE_STEP and (meter := self._first("m-waste", "m-dist1")):
            return self._at(199, lambda day: Change(kind, meter, day, 41, 5, steps=20_000))
        return []

    def stretch(self, kind: Kind) -> list[Stretch]:
        if kind is Kind.GAP and (node := self._node("m-cold", "m-bottling")):
            return self._over(226, 3, lambda a, b: Stretch(kind, a + 7 * HOUR_MS, b + 7 * HOUR_MS, node=node))
        if kind is Kind.STUCK and (meter := self._first("m-office", "m-dist2")):
            return self._over(252, 1, lambda a, _: Stretch(kind, a + 9 * HOUR_MS, a + 17 * HOUR_MS, meter=meter))
        if kind is Kind.LATE and (node := self._node("m-entry")):
            return self._over(161, 1, lambda a, b: Stretch(kind, a, b, node=node))
        if kind is Kind.DUPLICATES:
            return self._over(30, 1, lambda a, _: Stretch(kind, a + 4 * HOUR_MS, a + 6 * HOUR_MS))
        if kind is Kind.OUT_OF_ORDER and (node := self._node("m-air", "m-dist1")):
            return self._over(45, 1, lambda a, _: Stretch(kind, a + 10 * HOUR_MS, a + 12 * HOUR_MS, node=node))
        return []

    def rollover(self) -> tuple[str, date] | None:
        meter, day = self._first("m-air", "m-dist1"), self._day(104, 1)
        return (meter, day) if meter and day else None

    def _first(self, *wanted: str) -> str:
        """The first of these meters that is there, or nothing."""
        known = {spec.id for spec in self._meters}
        return next((meter for meter in wanted if meter in known), "")

    def _node(self, *wanted: str) -> str:
        meter = self._first(*wanted)
        return next((spec.node for spec in self._meters if spec.id == meter), "")

    def _day(self, of_year: int, length: int) -> date | None:
        """A day of the year moved into the span and near the middle of its month; None if it does not fit."""
        day = self._start + timedelta(days=of_year * self._days // _YEAR_DAYS)
        middle = day.replace(day=min(max(day.day, 12), 17))
        first, after = self._start + timedelta(days=1), self._start + timedelta(days=self._days - 1)
        for candidate in (middle, day):
            if first <= candidate and candidate + timedelta(days=length) <= after:
                return candidate
        return None

    def _at(self, of_year: int, make: Callable[[date], Change]) -> list[Change]:
        day = self._day(of_year, 1)
        return [make(day)] if day else []

    def _over(self, of_year: int, length: int, make: Callable[[int, int], Stretch]) -> list[Stretch]:
        day = self._day(of_year, length + 1)
        if day is None:
            return []
        return [make(start_of(day), start_of(day + timedelta(days=length)))]
