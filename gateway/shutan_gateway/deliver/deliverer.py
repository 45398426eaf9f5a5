"""Delivery: one thread per store takes spool records from its own position to the store.

A batch is taken from memory (recent.py) or read and decoded, then written; the rows that the store refuses become dead
letters; then position and totals move together (progress.py). A crash anywhere in between repeats what was not
committed, which changes nothing in the store. What a store cannot take now waits in the spool: intake never waits for a
store, and one store never waits for another.

Totals count spool records: a record with any refused row is `dead`, the others are `stored`, and what is behind the
position is pending, so that accepted = stored + dead + pending at every moment.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.backoff import Backoff
from shutan_gateway.deliver.batch import Batch, Reader
from shutan_gateway.deliver.dead_letters import DeadLetters
from shutan_gateway.deliver.progress import Progress
from shutan_gateway.errors import RetryLater, StateUnavailable, StoreUnavailable
from shutan_gateway.payload.recent import Recent, Taken
from shutan_gateway.stores.base import StoreRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shutan_gateway.counters import Counters
    from shutan_gateway.registry.state import State, StoreProgress
    from shutan_gateway.spool.log import Position, Spool
    from shutan_gateway.stores.base import Store

__all__ = ["Deliverer", "Limits", "Reader"]

log = logging.getLogger("shutan.deliver")

_IDLE_S = 0.2  # how long the thread sleeps in the spool before it looks whether it should stop
_BEHIND_S = 20.0  # a backlog older than this does not hold back what comes in now


class _Stopped(Exception):  # noqa: N818 - no fault: the thread was asked to end
    """The thread leaves a batch that is not committed; it is repeated at the next start."""


class Limits(NamedTuple):
    """Bounds of one batch and of the dead-letter files.

    linger_s: shortest time from one small batch to the next, which bounds commits per second where data trickles in;
    a batch that is full is followed by the next at once. commit_s: shortest time between two commits of the position.
    """

    batch_bytes: int = 1_000_000
    batch_rows: int = 5_000
    linger_s: float = 0.1
    commit_s: float = 1.0
    dead_file_bytes: int = 16_000_000
    dead_files: int = 4


class Deliverer:
    """The delivery thread of one store. The store must be registered in the state (`add_store`) before `start`."""

    def __init__(
        self,
        store: Store,
        *,
        spool: Spool,
        reader: Reader,
        state: State,
        counters: Counters,
        dead_dir: Path,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        recent: Recent | None = None,
    ) -> None:
        """recent: the newest records and what reads them; without it every record is read from the spool."""
        self._store = store
        self._spool = spool
        self._reader = reader
        self._counters = counters
        self._limits = limits or Limits()
        self._backoff = backoff or Backoff()
        self._now_ms = now_ms
        self._dead = DeadLetters(
            dead_dir,
            store.name,
            counters,
            file_bytes=self._limits.dead_file_bytes,
            files=self._limits.dead_files,
        )
        self._progress = Progress(state, store.name, self._limits.commit_s)
        self._recent = recent or Recent()
        self._rows_at_once = self._limits.batch_rows
        self._trouble: RetryLater | None = None
        self._said = False
        self._lost_at_s = 0.0
        self._next_at_s = 0.0
        self._ahead: Position | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"deliver-{store.name}", daemon=True)

    @property
    def store_name(self) -> str:
        """Name of the store."""
        return self._store.name

    @property
    def position(self) -> Position:
        """Everything before it is stored or a dead letter; the committed position follows (progress.py)."""
        return self._progress.now.position

    @property
    def progress(self) -> StoreProgress:
        """Position and totals at this moment."""
        return self._progress.now

    @property
    def trouble(self) -> str | None:
        """Why nothing is delivered now, one line; None while the store takes rows."""
        trouble = self._trouble
        return None if trouble is None else str(trouble)

    def start(self) -> None:
        """Start the thread."""
        self._counters.set("shutan_store_up", 1, store=self._store.name)
        self._recent.passed(self._store.name, self.position.ordinal)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Ask the thread to end after the write in progress, wait for it and close the store; True when it ended."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self._recent.leave(self._store.name)
        self._store.close()
        return True

    def _run(self) -> None:
        try:
            self._deliver()
        finally:
            with contextlib.suppress(StateUnavailable):  # what is not committed is repeated at the next start
                self._progress.commit(at_once=True)

    def _deliver(self) -> None:
        while not self._stopping.is_set():
            try:
                try:
                    self._deliver_once()
                except RetryLater as error:
                    self._pause(error)
            except _Stopped:
                return
            except Exception as error:  # noqa: BLE001 - the thread's top level: said, counted, and nothing is skipped
                place = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
                log.error("store %s: delivery failed at %s: %r; tried again", self._store.name, where, error)  # noqa: TRY400 - one line with the place; a trace is no help to an operator
                self._counters.inc("shutan_thread_restarts_total", thread=self._thread.name)
                self._stopping.wait(self._backoff.next_s())

    def _deliver_once(self) -> None:
        """Deliver one batch, or wait for records. Raises RetryLater or _Stopped; then nothing is committed."""
        name = self._store.name
        self._stopping.wait(self._next_at_s - time.monotonic())
        started_s = time.monotonic()
        self._next_at_s = started_s + self._limits.linger_s
        taken = self._take(self.position)
        if taken is None:
            self._counters.set("shutan_store_oldest_pending_seconds", 0, store=name)
            self._progress.commit()
            self._note_success()
            self._spool.wait(self.position, _IDLE_S)
            return
        records, samples, end, durable_s = taken
        age_s = max(0, self._now_ms() - records[0].received_ms) / 1000 if records else 0
        self._counters.set("shutan_store_oldest_pending_seconds", age_s, store=name)
        if age_s < _BEHIND_S:
            self._ahead = None
        elif self._ahead is None:
            self._ahead = self._spool.end
        batch = Batch(records, self._reader, samples)
        self._write(batch)
        self._commit(batch, len(records), end)
        self._recent.passed(name, end.ordinal)
        late_s = age_s if durable_s is None else time.monotonic() - durable_s
        self._counters.observe("shutan_durable_to_store_seconds", late_s, len(records), store=name)
        self._write_ahead()
        if sum([len(record.raw) for record in records]) >= self._limits.batch_bytes // 2:
            self._next_at_s = started_s

    def _take(self, position: Position) -> Taken | None:
        """The next records, from memory if they are there; None when there are none."""
        taken = self._recent.after(position, self._limits.batch_bytes)
        if taken is None:
            records, end = self._spool.read(position, self._limits.batch_bytes)
            if end != position:
                taken = Taken(records, None, end, None)
        return taken

    def _write_ahead(self) -> None:
        """While an old backlog is drained, write what comes in now as well, a batch at a time. Raises RetryLater.

        Nothing of it is committed: it comes again when its turn comes and changes nothing then, and what is refused is
        a dead letter then. So accounting knows one position only, and a dashboard is not hours behind.
        """
        if self._ahead is None:
            return
        taken = self._take(max(self._ahead, self.position))
        if taken is not None:
            self._write(Batch(taken.records, self._reader, taken.samples))
            self._ahead = taken.end

    def _write(self, batch: Batch) -> None:
        """Offer all rows to the store, in parts that shrink when it breaks off, so that any small progress counts."""
        start = 0
        while start < len(batch.rows):
            part = batch.rows[start : start + self._rows_at_once]
            self._counters.inc("shutan_store_requests_total", store=self._store.name)
            try:
                written = self._store.write(part)
            except StoreUnavailable as error:
                if not isinstance(error, StoreRefused):
                    self._rows_at_once = max(1, self._rows_at_once // 2)
                if start == 0:
                    raise  # read again later, when more rows may help the store to tell a bad row from a bad request
                self._pause(error)
                continue
            for entry in written.rejected:
                batch.refuse(start + entry.index, entry.reason)
            self._counters.inc(
                "shutan_store_rows_total", written.accepted - len(written.rejected), store=self._store.name
            )
            start += written.accepted
            self._rows_at_once = min(self._limits.batch_rows, self._rows_at_once * 2)
            if written.retry_after_s is not None:
                self._sleep(self._backoff.next_s(written.retry_after_s))

    def _commit(self, batch: Batch, records: int, end: Position) -> None:
        """Dead letters first, then position and totals together. Raises RetryLater; the batch is repeated."""
        if batch.letters:
            self._dead.write(batch.letters)
        damaged = end.ordinal - self.position.ordinal - records
        dead = len(batch.dead)
        at_once = bool(batch.letters)
        if self._progress.move(end, stored=records - dead, dead=dead + damaged, at_once=at_once):
            self._dead.committed()
        for letter in batch.letters:
            reason = letter.reason.partition(":")[0]
            self._counters.inc("shutan_store_dead_rows_total", store=self._store.name, reason=reason)
        self._note_success()

    def _note_success(self) -> None:
        """A batch is committed: if the store was lost, say once that it is back and after how long."""
        self._backoff.reset()
        if self._trouble is None:
            return
        self._trouble = None
        self._counters.set("shutan_store_up", 1, store=self._store.name)
        if self._said:
            self._said = False
            log.warning("store %s is back after %.1f s", self._store.name, time.monotonic() - self._lost_at_s)

    def _pause(self, error: RetryLater) -> None:
        """Note that delivery is held up, say it once, and wait. Raises _Stopped."""
        name = self._store.name
        self._counters.inc("shutan_store_retries_total", store=name)
        # A store that asks for a moment, once, is healthy; a cause that only a person can mend is said when it appears.
        moment = error.retry_after_s is not None and self._trouble is None
        for_a_person = isinstance(error, StoreRefused) and not isinstance(self._trouble, StoreRefused)
        if self._trouble is None:
            self._lost_at_s = time.monotonic()
            self._counters.set("shutan_store_up", 0, store=name)
        if for_a_person or not (self._said or moment):
            self._said = True
            log.warning("store %s takes nothing now, its records wait in the spool: %s", name, error)
        self._trouble = error
        self._ahead = None  # by the time the store is back, "now" is somewhere else
        self._sleep(self._backoff.next_s(error.retry_after_s))

    def _sleep(self, wait_s: float) -> None:
        if self._stopping.wait(wait_s):
            raise _Stopped
