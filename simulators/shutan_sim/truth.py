"""`truth.sqlite`: what the instruments really showed, written by the instruments themselves.

| table  | columns                           | rows                                                                   |
|--------|-----------------------------------|------------------------------------------------------------------------|
| served | meter, metric, plant_ms, value    | every change of a register that was shown to a reader                  |
| final  | meter, metric, value              | after the freeze: where each register stands that was ever shown       |

Values are integers in the catalogue's unit on the primary side (times CT x PT).
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from shutan_sim.errors import SetupError

FILE = "truth.sqlite"
BATCH = 20_000  # rows held in memory at most

_SCHEMA = """
CREATE TABLE IF NOT EXISTS served(meter TEXT NOT NULL, metric TEXT NOT NULL, plant_ms INTEGER NOT NULL, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS final(meter TEXT NOT NULL, metric TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY(meter, metric));
"""  # noqa: E501 - SQL reads better in one line a table


class Truth:
    """Writer of one truth file. Not durable against a power cut: it is a witness in a test, not a ledger."""

    def __init__(self, folder: Path) -> None:
        """Open or continue the file in `folder`. Raises SetupError where it cannot be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / FILE, timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise SetupError(str(folder / FILE), str(error), "give --dir a folder that can be written") from error
        self._rows: list[tuple[str, str, int, int]] = []
        self._last: dict[tuple[str, str], int] = {}

    def note(self, meter: str, metric: str, plant_ms: int, value: int) -> None:
        """A register was shown; kept if it differs from the last time. Commits by itself when a batch is full."""
        key = meter, metric
        if self._last.get(key) != value:
            self._last[key] = value
            self._rows.append((meter, metric, plant_ms, value))
            if len(self._rows) >= BATCH:
                self.flush()

    @property
    def shown(self) -> frozenset[tuple[str, str]]:
        """(meter, metric) of every register that was ever shown by this process."""
        return frozenset(self._last)

    def flush(self) -> None:
        """Commit what is held."""
        if self._rows:
            with self._db:
                self._db.executemany("INSERT INTO served VALUES (?, ?, ?, ?)", self._rows)
            self._rows.clear()

    def finish(self, final: Iterable[tuple[str, str, int]]) -> None:
        """Write where the registers stand, all in one commit."""
        self.flush()
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO final VALUES (?, ?, ?)", final)

    def close(self) -> None:
        """Commit and close."""
        self.flush()
        self._db.close()
