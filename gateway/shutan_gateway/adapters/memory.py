"""What adapters must know again after a restart: registers, announcements, messages that were settled last.

The order for each message is fixed, and a kill between any two steps is harmless:

0. when it has no time of its own: its digest and receive time are noted here;
1. its samples become durable in the spool;
2. one transaction here: its registers, its notes, its digest; the note of step 0 goes;
3. it is acknowledged to the broker.

Killed before 2: the message comes again, meets the registers from before it and gets the noted time, so the same record
is made again and the spool knows it as a repeat. Killed between 2 and 3: it comes again and its digest is known. So no
energy is lost and none counts twice. Registers before the spool (2 before 1) could move an offset for a sample that was
never stored; without step 0 a repeat would stand behind later samples, and a register would seem to fall.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, NamedTuple, cast

from shutan_gateway.adapters.registers import Register, from_text, to_text
from shutan_gateway.errors import StartError, StateUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

__all__ = ["SEEN_MAX", "Arrival", "Memory", "Place", "Settled"]

SEEN_MAX = 1_000  # as many as may be open here (intake.py); mosquitto sends 20 without an acknowledgement
_VERSION = 1
_TABLES = """
CREATE TABLE register (
    site TEXT NOT NULL, node TEXT NOT NULL, device TEXT NOT NULL, metric TEXT NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (site, node, device, metric)
) STRICT, WITHOUT ROWID;
CREATE TABLE note (
    adapter TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (adapter, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE arrival (number INTEGER PRIMARY KEY, digest BLOB NOT NULL, received_ms INTEGER NOT NULL) STRICT;
CREATE TABLE seen (number INTEGER PRIMARY KEY, digest BLOB NOT NULL) STRICT;
"""


class Place(NamedTuple):
    """Which register."""

    site: str
    node: str
    device: str
    metric: str


class Arrival(NamedTuple):
    """A message without a time of its own, not settled yet."""

    number: int
    digest: bytes
    received_ms: int


class Settled(NamedTuple):
    """What one message changed. notes: (adapter, key, text or None to forget); arrival: number of its note or 0."""

    digest: bytes
    registers: tuple[tuple[Place, Register], ...]
    notes: tuple[tuple[str, str, str | None], ...]
    arrival: int = 0


class Memory:
    """`data_dir/adapters.sqlite`; for the thread of the adapters only."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Memory:
        """Open or create the file. Raises StartError when it cannot be used."""
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5.0)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:
                connection.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={_VERSION};COMMIT;")
                version = _VERSION
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise StartError(f"{path}: {error}; give the folder space and rights, or restore the file") from error
        if version != _VERSION:
            connection.close()
            raise StartError(f"{path}: version {version}, this program reads {_VERSION}; use the program that wrote it")
        return cls(connection)

    def registers(self) -> dict[Place, Register]:
        """All registers. Raises StartError when the file is damaged: to forget an offset would lose energy."""
        found: dict[Place, Register] = {}
        try:
            for *place, text in self._connection.execute("SELECT site, node, device, metric, state FROM register"):
                found[Place(*cast("list[str]", place))] = from_text(cast("str", text))
        except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
            raise StartError(f"adapters.sqlite: a register cannot be read ({error}); restore the file") from error
        return found

    def notes(self, adapter: str) -> dict[str, str]:
        """Notes of one adapter."""
        rows = self._connection.execute("SELECT key, text FROM note WHERE adapter = ?", (adapter,))
        return dict(cast("list[tuple[str, str]]", rows.fetchall()))

    def seen(self) -> list[bytes]:
        """Digests of the messages settled last, oldest first."""
        rows = self._connection.execute("SELECT digest FROM seen ORDER BY number")
        return [cast("bytes", digest) for (digest,) in rows]

    def commit(self, settled: Iterable[Settled], new: Iterable[Arrival] = ()) -> None:
        """Keep what messages changed and the receive times of new ones, in one transaction.

        Raises StateUnavailable; then nothing changed.
        """
        registers: dict[Place, Register] = {}
        notes: dict[tuple[str, str], str | None] = {}
        digests: list[tuple[bytes]] = []
        arrivals: list[tuple[int]] = []
        for one in settled:
            registers.update(one.registers)
            notes.update({(adapter, key): text for adapter, key, text in one.notes})
            if one.digest:
                digests.append((one.digest,))
            if one.arrival:
                arrivals.append((one.arrival,))
        rows = [(*place, to_text(register)) for place, register in registers.items()]
        kept = [(adapter, key, text) for (adapter, key), text in notes.items() if text is not None]
        gone = [pair for pair, text in notes.items() if text is None]
        with self._transaction() as connection:
            connection.executemany("INSERT INTO arrival VALUES (?, ?, ?)", new)
            connection.executemany("INSERT OR REPLACE INTO register VALUES (?, ?, ?, ?, ?)", rows)
            connection.executemany("INSERT OR REPLACE INTO note VALUES (?, ?, ?)", kept)
            connection.executemany("DELETE FROM note WHERE adapter = ? AND key = ?", gone)
            connection.executemany("DELETE FROM arrival WHERE number = ?", arrivals)
            connection.executemany("INSERT INTO seen (digest) VALUES (?)", digests)
            connection.execute("DELETE FROM seen WHERE number <= (SELECT max(number) FROM seen) - ?", (SEEN_MAX,))

    def arrivals(self) -> list[Arrival]:
        """Messages that were not settled when the last run ended, oldest first."""
        rows = self._connection.execute("SELECT number, digest, received_ms FROM arrival ORDER BY number")
        return [Arrival(*row) for row in cast("list[tuple[int, bytes, int]]", rows.fetchall())]

    def forget_arrivals(self) -> None:
        """The broker has a new session: nothing comes again. Raises StateUnavailable."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM arrival")
            connection.execute("DELETE FROM seen")

    @contextlib.contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise StateUnavailable(f"adapters.sqlite: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
