"""Records that were delivered once, again to one store: after the store was lost, restored from a backup, or is new.

The replaying program is a second writer to the store, beside the gateway (docs/adr/0017). Writing a row again changes
nothing, so it may overlap with the gateway, be interrupted and be repeated.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.backoff import Backoff
from shutan_gateway.errors import Refusal, StoreUnavailable
from shutan_gateway.spool.view import records
from shutan_gateway.stores.base import Rejected, StoreRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shutan_gateway.rows import Row, RowReader
    from shutan_gateway.spool.view import SegmentView, Taken
    from shutan_gateway.stores.base import Store

__all__ = ["Outcome", "Span", "offer", "replay", "selected"]

_BATCH_ROWS = 5_000
_PATIENCE_S = 300.0  # a store that takes nothing for so long ends the replay
_CLOCK_MS = 3_600_000  # how far the gateway's clock may have been set back between two segments


class Span(NamedTuple):
    """From low (inclusive) to high (exclusive), UTC ms. sampled: by sample time; else by when the gateway got it."""

    low_ms: int
    high_ms: int
    sampled: bool = False

    def holds(self, t_ms: int) -> bool:
        """Whether a time is inside."""
        return self.low_ms <= t_ms < self.high_ms


class Outcome:
    """What a replay did, in records and rows; `refused` counts refused rows by the class of the reason."""

    def __init__(self) -> None:
        self.records = 0
        self.rows = 0
        self.undecodable = 0
        self.refused: Counter[str] = Counter()


def selected(found: Sequence[SegmentView], span: Span, below: int) -> Iterator[Taken]:
    """Records of a span with an ordinal under `below` (those above it are delivered by the gateway anyway).

    By receive time, segments that cannot hold any of the span are not read; by sample time all are.
    """
    times = [None if span.sampled else _begun_ms(one) for one in found]
    for one, begun_ms, following_ms in zip(found, times, [*times[1:], None], strict=False):
        if one.first_ordinal >= below:
            return
        if begun_ms is not None and begun_ms - _CLOCK_MS >= span.high_ms:
            continue
        if following_ms is not None and following_ms + _CLOCK_MS < span.low_ms:
            continue
        for taken in records(one):
            if taken.ordinal >= below:
                return
            if span.sampled or span.holds(taken.record.received_ms):
                yield taken


def _begun_ms(one: SegmentView) -> int | None:
    """Receive time of the first record of a segment."""
    return next((taken.record.received_ms for taken in records(one)), None)


def replay(
    chosen: Iterator[Taken],
    reader: RowReader,
    store: Store,
    span: Span,
    on_progress: Callable[[Taken], None] = lambda _taken: None,
) -> Outcome:
    """Write the rows of the records to the store. Raises StoreUnavailable or StoreRefused when it takes none."""
    outcome = Outcome()
    rows: list[Row] = []
    for taken in chosen:
        try:
            found = reader.rows(taken.record)
        except Refusal:
            outcome.undecodable += 1
            continue
        if span.sampled:
            found = [row for row in found if span.holds(row.t_ns // 1_000_000)]
            if not found:
                continue
        outcome.records += 1
        rows += found
        if len(rows) >= _BATCH_ROWS:
            _write(store, rows, outcome)
            rows = []
            on_progress(taken)
    _write(store, rows, outcome)
    return outcome


def _write(store: Store, rows: Sequence[Row], outcome: Outcome) -> None:
    rejected = offer(store, rows)
    outcome.rows += len(rows) - len(rejected)
    outcome.refused.update(entry.reason.partition(":")[0] for entry in rejected)


def offer(store: Store, rows: Sequence[Row], patience_s: float = _PATIENCE_S) -> list[Rejected]:
    """Write all rows, waiting for a store that is away for a while; the refused ones come back with their reasons.

    Raises StoreRefused at once when only a person can mend it, StoreUnavailable when the patience is over.
    """
    rejected: list[Rejected] = []
    backoff = Backoff()
    start, lost_s = 0, time.monotonic()
    while start < len(rows):
        try:
            written = store.write(rows[start:])
        except StoreRefused:
            raise
        except StoreUnavailable as error:
            if time.monotonic() - lost_s > patience_s:
                raise
            time.sleep(backoff.next_s(error.retry_after_s))
            continue
        rejected += [Rejected(start + entry.index, entry.reason) for entry in written.rejected]
        start += written.accepted
        if written.retry_after_s is not None:
            time.sleep(backoff.next_s(written.retry_after_s))
        lost_s = time.monotonic()
    return rejected
