"""Store kind "files": rows go durably into the open day's SQLite file; a day that is over becomes Parquet files.

The open day is the embedded store, so repeats, parts of a sample, conflicts and type conflicts are judged as there, row
by row. A day is written by a program of its own (parquet.py) from a snapshot, while rows go on coming in. A row for a
day that was written already brings that day back first; it is written again when it has been quiet for a while.
"""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.stores.base import Rejected, StoreRefused, Written
from shutan_gateway.stores.files.days import DAY_S, Place, day_of, open_days
from shutan_gateway.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from shutan_gateway.counters import Counters
    from shutan_gateway.rows import Row

__all__ = ["FilesStore"]

log = logging.getLogger("shutan.store")

_LOOK_S: Final = 30.0  # how often days are looked at
_AGAIN_S: Final = 300.0  # how long a day that could not be written waits
_OPEN_FILES: Final = 8  # days whose files are held open


class _Day:
    """An open day. `first_s`, `last_s`: Unix time of its first and last change that is not written."""

    __slots__ = ("changes", "first_s", "last_s", "not_before_s", "place", "store")

    def __init__(self, place: Place, name: str, changed_s: float) -> None:
        self.place = place
        self.store = SqliteStore(name, place.open)
        self.changes = 0
        self.first_s = self.last_s = changed_s
        self.not_before_s = 0.0


class FilesStore:
    """Rows by day. `write` is for one thread; days are written by a thread of its own after `start`."""

    def __init__(
        self,
        name: str,
        folder: Path,
        counters: Counters,
        *,
        lateness_s: float = 7200.0,
        settle_s: float = 900.0,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._folder = folder
        self._counters = counters
        self._lateness_s = lateness_s
        self._settle_s = settle_s
        self._now_s = now_s
        self._lock = threading.Lock()  # guards _days and the SQLite files of the open days
        self._days: dict[str, _Day] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock_file: int | None = None

    def start(self) -> None:
        """Begin to write days that are over, also those that an earlier process left open."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=f"files-{self.name}", daemon=True)
        self._thread.start()

    def write(self, rows: Sequence[Row]) -> Written:
        """Store rows, a durable commit for each day among them. Raises StoreUnavailable or StoreRefused."""
        places: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            places.setdefault(day_of(row.t_ns), []).append(index)
        rejected: list[Rejected] = []
        for day, indexes in places.items():
            with self._lock:
                found = self._opened(day)
                written = found.store.write([rows[index] for index in indexes])
                found.changes += 1
                found.last_s = self._now_s()
            rejected += [Rejected(indexes[entry.index], entry.reason) for entry in written.rejected]
        return Written(len(rows), tuple(sorted(rejected, key=lambda entry: entry.index)))

    def close(self) -> None:
        """Close the files and end the thread; an open day stays open."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10.0)
            self._thread = None
        with self._lock:
            for day in self._days.values():
                day.store.close()
            self._days.clear()
            if self._lock_file is not None:
                os.close(self._lock_file)
                self._lock_file = None

    def _opened(self, day: str) -> _Day:
        """The open day; a day that was written comes back first. Called with the lock held."""
        self._look()
        found = self._days.pop(day, None)
        if found is None:
            place = Place(self._folder, day)
            if place.manifest.is_file():
                self._bring_back(place)
            found = _Day(place, self.name, self._now_s())
        self._days[day] = found  # the last one is the one used last
        for old in list(self._days.values())[:-_OPEN_FILES]:
            old.store.close()  # opens again when it is needed
        return found

    def _look(self) -> None:
        """Once: keep other programs out of the folder, and learn which days are open. Raises StoreRefused."""
        if self._lock_file is not None:
            return
        try:
            (self._folder / "open").mkdir(parents=True, exist_ok=True)
            lock_file = os.open(self._folder / "open" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise StoreRefused(f"{self._folder}: {error.strerror or error}: give this user the folder") from error
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for place in open_days(self._folder):
                self._days.setdefault(place.day, _Day(place, self.name, place.changed_s()))
        except OSError as error:
            os.close(lock_file)
            busy = "another program writes here; stop it first (replay to daily files: with the gateway stopped)"
            reason = busy if isinstance(error, BlockingIOError) else error.strerror or error
            raise StoreRefused(f"{self._folder}: {reason}") from error
        self._lock_file = lock_file

    def _bring_back(self, place: Place) -> None:
        trouble = self._child("load", place)
        if trouble is not None:
            raise StoreRefused(f"day {place.day} cannot be opened again for late rows: {trouble}")

    def write_due(self) -> list[str]:
        """Write the days that are over and quiet; returns them. A day that fails is said, counted and tried later."""
        now_s = self._now_s()
        with self._lock, suppress(StoreUnavailable):  # what is wrong with the folder is told by `write`
            self._look()
        with self._lock:
            due = [day for day in self._days.values() if self._due_s(day) <= now_s]
        return [day.place.day for day in due if not self._stopping.is_set() and self._write_day(day)]

    def _due_s(self, day: _Day) -> float:
        over_s = day.place.end_s + self._lateness_s
        # A trickle of late rows puts the writing off, but not for ever.
        quiet_s = min(day.last_s + self._settle_s, max(over_s, day.first_s) + DAY_S)
        return max(over_s, quiet_s, day.not_before_s)

    def _write_day(self, day: _Day) -> bool:
        with self._lock:
            changes = day.changes
            if not day.place.open.is_file():  # opened for rows that were all refused before anything was stored
                self._days.pop(day.place.day, None)
                return False
        trouble = self._child("write", day.place)
        if trouble is not None:
            day.not_before_s = self._now_s() + _AGAIN_S
            self._counters.inc("shutan_files_errors_total", store=self.name)
            log.warning("store %s: day %s is not written, its rows are kept: %s", self.name, day.place.day, trouble)
            return False
        self._counters.inc("shutan_files_days_written_total", store=self.name)
        with self._lock:
            if day.changes == changes:
                day.store.close()
                day.place.forget(day.place.open)
                self._days.pop(day.place.day, None)
            else:  # rows came while it was written: they are in the next writing
                day.first_s = self._now_s()
        return True

    def _child(self, verb: str, place: Place) -> str | None:
        """Run parquet.py; None when it did its work, else what it said."""
        command = [sys.executable, "-m", "shutan_gateway.stores.files.parquet", verb, str(place.folder), place.day]
        try:
            with subprocess.Popen(  # noqa: S603 - this interpreter and this package, no shell
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            ) as child:
                said = self._watched(child)
        except OSError as error:
            return str(error)
        if child.returncode == 0:
            return None
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"parquet.py ended with code {child.returncode}"

    def _watched(self, child: subprocess.Popen[bytes]) -> bytes:
        """What the child said; it is ended when the store is closed, which leaves the day as it was."""
        while True:
            try:
                return child.communicate(timeout=0.5)[1]
            except subprocess.TimeoutExpired:
                if self._stopping.is_set():
                    child.terminate()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            try:
                self.write_due()
            except Exception as error:  # noqa: BLE001 - the thread's top level: said, counted, tried again
                self._counters.inc("shutan_thread_restarts_total", thread=f"files-{self.name}")
                log.error("store %s: writing days failed: %r; tried again", self.name, error)  # noqa: TRY400 - one line
