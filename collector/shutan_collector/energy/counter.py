"""One meter's counter over all its installations: readings joined into one rising count, with its evidence.

A meter (计量点) is a place; the instrument in it can be swapped (换表). Each installation is an interval with its own
register; the joined count goes on from one to the next. All consumption is a difference of two counts, so the periods
of any split add up to the whole.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from shutan_collector.energy.registers import Break, Event, EventKind, Track

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Counter", "Installed", "Piece", "Reading"]


@dataclass(frozen=True, slots=True)
class Installed:
    """The track of one installation; `source` names the instrument ("node/device" and its serial number if known).

    sealed_start, sealed_end   the first or last reading is the one of the swap record (换表记录), at the very moment
    """

    source: str
    track: Track
    sealed_start: bool = False
    sealed_end: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One believed register reading: instrument, UTC nanoseconds, register in the metric's step."""

    source: str
    t_ns: int
    register: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of the evidence of a figure: `counted` passed from one reading to the other.

    kind   "run" (difference of the two registers), or the break between them (rollover, reset, swap, negative_step)
    """

    kind: str
    start: Reading
    end: Reading
    counted: int


class Counter:
    """Joined readings with a running count; indices number the readings in time order."""

    def __init__(self, installed: Sequence[Installed]) -> None:
        parts = [part for part in installed if part.track.times_ns]
        # The columns of a lone instrument are the store's own, 16 bytes a reading: nothing is copied.
        self.times_ns = _joined([part.track.times_ns for part in parts])
        self._values = _joined([part.track.values for part in parts])
        bases = list(accumulate((len(part.track.times_ns) for part in parts), initial=0))
        self._sources = [(base, part.source) for base, part in zip(bases, parts, strict=False)]
        breaks: list[Break] = []
        events: list[Event] = []
        for number, (base, part) in enumerate(zip(bases, parts, strict=False)):
            if number:
                joint = self._swap(parts[number - 1], part, base)
                breaks.append(joint[0])
                events.append(joint[1])
            breaks.extend(Break(base + cut.index, cut.kind, cut.counted, cut.exact) for cut in part.track.breaks)
            events.extend(part.track.events)
        self._breaks = tuple(breaks)
        self._break_index = [cut.index for cut in breaks]
        self.events = tuple(sorted(events, key=lambda event: (event.start_ns, event.end_ns, event.kind)))
        self._offsets = self._running_offsets()

    def __len__(self) -> int:
        return len(self.times_ns)

    def count(self, index: int) -> int:
        """Everything counted up to a reading; only differences of it mean anything."""
        if not self._breaks:
            return self._values[index]
        return self._values[index] + self._offsets[bisect_right(self._break_index, index)]

    def between(self, start: int, end: int) -> int:
        """What passed from reading `start` to reading `end`, in the metric's step."""
        return self.count(end) - self.count(start)

    def exact(self, start: int, end: int) -> bool:
        """Whether all of that is known: no reset, unsealed swap or negative step lies between."""
        return not self._breaks or all(cut.exact for cut in self.breaks(start, end))

    def reading(self, index: int) -> Reading:
        """The reading itself."""
        owner = bisect_right(self._sources, index, key=lambda item: item[0]) - 1
        return Reading(self._sources[owner][1], self.times_ns[index], self._values[index])

    def range(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """Indices [first, after last) of the readings with start_ns <= time < end_ns."""
        return bisect_left(self.times_ns, start_ns), bisect_left(self.times_ns, end_ns)

    def pieces(self, start: int, end: int) -> tuple[Piece, ...]:
        """Evidence from reading `start` to reading `end`; the counted parts add up to between(start, end)."""
        pieces: list[Piece] = []
        left = start
        for cut in self.breaks(start, end):
            if cut.index - 1 > left:
                pieces.append(self._run(left, cut.index - 1))
            before, after = self.reading(cut.index - 1), self.reading(cut.index)
            pieces.append(Piece(cut.kind.value, before, after, cut.counted))
            left = cut.index
        if end > left or not pieces:
            pieces.append(self._run(left, end))
        return tuple(pieces)

    def breaks(self, start: int, end: int) -> tuple[Break, ...]:
        """Where the register does not simply rise between two readings; a break's index is the reading after it."""
        return self._breaks[bisect_right(self._break_index, start) : bisect_right(self._break_index, end)]

    def _run(self, start: int, end: int) -> Piece:
        return Piece("run", self.reading(start), self.reading(end), self._values[end] - self._values[start])

    def _swap(self, old: Installed, new: Installed, index: int) -> tuple[Break, Event]:
        """The joint between two installations: nothing is counted between the old and the new instrument."""
        start_ns, end_ns = self.times_ns[index - 1], self.times_ns[index]
        sealed = old.sealed_end and new.sealed_start and start_ns == end_ns
        before, after = self._values[index - 1], self._values[index]
        event = Event(EventKind.SWAP, start_ns, end_ns, before, after, exact=sealed)
        return Break(index, EventKind.SWAP, 0, sealed), event

    def _running_offsets(self) -> list[int]:
        """Offset to add to a register, per number of breaks before it."""
        offsets = [0]
        for cut in self._breaks:
            step = self._values[cut.index] - self._values[cut.index - 1]
            offsets.append(offsets[-1] + cut.counted - step)
        return offsets


def _joined(columns: Sequence[Sequence[int]]) -> Sequence[int]:
    return columns[0] if len(columns) == 1 else list(chain.from_iterable(columns))
