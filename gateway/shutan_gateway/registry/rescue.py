"""Opening registry.sqlite when the file is damaged: a site without a person must not stop for it.

Every row of every table can be read (often only an index or a free page is hit): they go into a new file, nothing is
lost. Otherwise the registry and the spool are put aside together, since neither means anything without the other, and
the gateway begins afresh: nodes still hold what was not acknowledged. Nothing is deleted (docs/adr/0016).
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from shutan_gateway.errors import GatewayError, StartError, StateUnavailable
from shutan_gateway.registry.state import State

if TYPE_CHECKING:
    from pathlib import Path

    from shutan_gateway.counters import Counters

__all__ = ["open_registry"]

log = logging.getLogger("shutan.registry")

_NAME = "registry.sqlite"
_PARTS = ("", "-wal", "-shm", "-journal")
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_registry(folder: Path, counters: Counters) -> State:
    """The registry of a data folder, rebuilt or begun afresh when it is damaged. Raises StartError for other faults."""
    path = folder / _NAME
    damage = _damage_of(path)
    if damage is None:
        return State.open(path)
    aside = _name_aside(folder)
    _move(path, aside)
    try:
        _copy_rows(aside, path)
    except (sqlite3.Error, GatewayError) as error:
        for part in _PARTS:
            path.with_name(_NAME + part).unlink(missing_ok=True)
        spool = folder / "spool"
        kept = spool.with_name(aside.name.replace(_NAME, "spool"))
        with contextlib.suppress(FileNotFoundError):
            spool.rename(kept)
        counters.inc("shutan_registry_damaged_total", outcome="lost")
        log.error(  # noqa: TRY400 - one line for a person
            "%s: %s (%s): begun afresh. Records not delivered yet wait in %s and mean nothing without %s: restore that "
            "file from a backup, or delete both",
            path,
            damage,
            error,
            kept,
            aside,
        )
    else:
        counters.inc("shutan_registry_damaged_total", outcome="rebuilt")
        log.error("%s: %s: rebuilt from its rows, nothing is lost; the damaged file is %s", path, damage, aside)
    return State.open(path)


def _damage_of(path: Path) -> str | None:
    """What is wrong inside an existing file; None when it is sound, absent, or has another fault (State.open tells)."""
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(path, timeout=5.0)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0)
        return str(error) if code & 0xFF in _DAMAGE else None
    return None if found == "ok" else found.splitlines()[-1]


def _name_aside(folder: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return folder / f"{_NAME}.damaged-{stamp}"


def _move(path: Path, aside: Path) -> None:
    """The file with its write-ahead log. Raises StartError."""
    try:
        for part in _PARTS:
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + part).rename(aside.with_name(aside.name + part))
    except OSError as error:
        raise StartError(f"{path}: damaged, and cannot be put aside: {error.strerror}; move it away") from error


def _copy_rows(source: Path, target: Path) -> None:
    """Every row of every table into a new registry. Raises sqlite3.Error or GatewayError when one cannot be read."""
    State.open(target).close()
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        if old.execute("PRAGMA user_version").fetchone() != new.execute("PRAGMA user_version").fetchone():
            raise StateUnavailable("its version cannot be read")
        tables = [name for (name,) in new.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
            names = ", ".join(columns)
            marks = ", ".join("?" * len(columns))
            rows = old.execute(f"SELECT {names} FROM {table} NOT INDEXED")  # noqa: S608 - names of our own tables
            new.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608
        new.commit()
