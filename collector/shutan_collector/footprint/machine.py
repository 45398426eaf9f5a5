"""A machine's metered energy over a window, cut at its batches: what each used, and what passed between them.

    metered in the window + carried in  =  Σ batches + Σ idle + carried out

Carried in: the part of a batch of this window that ran before the window. Carried out: the part inside the window of a
batch that ends after it, and counts there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_collector.activity.kinds import Production
    from shutan_collector.footprint.batch import Amount, MeterLog

__all__ = ["Machine", "Stretch", "StretchKind", "split_machine"]


class StretchKind(StrEnum):
    """State of the machine in a stretch of time."""

    BATCH = "batch"
    IDLE = "idle"
    CARRIED_IN = "carried_in"
    CARRIED_OUT = "carried_out"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Energy of one stretch of one meter.

    batch   product and batch that ran; of idle time the ones that followed on the machine, None = nobody did
    """

    kind: StretchKind
    batch: tuple[str, str] | None
    amount: Amount


@dataclass(frozen=True, slots=True)
class Machine:
    """One meter of one machine over a window."""

    asset: str
    meter: str
    window: Amount
    stretches: tuple[Stretch, ...]

    def total(self, kind: StretchKind) -> int:
        """Sum of one kind, in the metric's step."""
        return sum(stretch.amount.value for stretch in self.stretches if stretch.kind is kind)


def split_machine(
    asset: str, log: MeterLog, rows: Sequence[Production], ours: frozenset[tuple[str, str]], window: tuple[int, int]
) -> Machine:
    """Cut one meter's count at the rows of its machine.

    rows   of this machine, not overlapping, any time; ours   the batches that count in this window

    Raises SeriesError if a boundary lies beyond the readings.
    """
    ordered = sorted(
        (row for row in rows if _touches(row, window) or (row.product, row.batch) in ours), key=lambda row: row.start_ns
    )
    stretches = tuple(_stretches(log, ordered, ours, window))
    return Machine(asset, log.name, log.between(*window), stretches)


def _touches(row: Production, window: tuple[int, int]) -> bool:
    return row.start_ns < window[1] and window[0] < row.end_ns


def _stretches(
    log: MeterLog, rows: Sequence[Production], ours: frozenset[tuple[str, str]], window: tuple[int, int]
) -> Iterator[Stretch]:
    reached = window[0]
    for row in rows:
        batch = (row.product, row.batch)
        if reached < row.start_ns:
            yield Stretch(StretchKind.IDLE, batch, log.between(reached, min(row.start_ns, window[1])))
        if batch in ours:
            yield Stretch(StretchKind.BATCH, batch, log.between(row.start_ns, row.end_ns))
            if row.start_ns < window[0]:
                before = log.between(row.start_ns, min(row.end_ns, window[0]))
                yield Stretch(StretchKind.CARRIED_IN, batch, before)
        else:
            inside = log.between(max(row.start_ns, window[0]), min(row.end_ns, window[1]))
            yield Stretch(StretchKind.CARRIED_OUT, batch, inside)
        reached = max(reached, min(row.end_ns, window[1]))
    if reached < window[1]:
        yield Stretch(StretchKind.IDLE, None, log.between(reached, window[1]))
