"""The two databases of a ledger behind one engine: an SQLite file, or PostgreSQL for larger sites.

What differs between them is here and in migrations/ only: how a connection is prepared, and how a writer becomes the
only one. Both make an append durable before it returns: SQLite in WAL mode with synchronous = FULL, PostgreSQL with
synchronous_commit = on.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from sqlite3 import OperationalError
from time import monotonic_ns
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import URL, make_url

from shutan_collector.errors import LedgerError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["ACCEPTED", "Database"]

ACCEPTED: Final = "sqlite:PATH or postgresql://USER@HOST:PORT/DATABASE"
_BUSY_MS: Final = 30_000  # a close of a large month holds the lock for about a second
_POOL: Final = 8
_LOCK: Final = 0x5348555441  # "SHUTA" in ASCII: keeps apart other users of advisory locks in the same database


class Database:
    """An engine, the text that names it in messages (never with a password), and its two kinds of transaction."""

    def __init__(self, url: str) -> None:
        """Prepare, without connecting. Raises LedgerError for an address that says nothing."""
        kind, _, rest = url.partition(":")
        if kind == "sqlite" and rest and rest != ":memory:":
            self.path: Path | None = Path(rest)
            target, self.where = URL.create("sqlite", database=rest), f"sqlite:{rest}"
        elif kind == "postgresql" and rest.startswith("//"):
            self.path = None
            target, self.where = _postgresql(url)
        else:
            # The rest is not repeated: it may hold a password.
            raise LedgerError("--ledger", f"an address that starts with {kind!r} is no ledger; give {ACCEPTED}")
        self.dialect = kind
        try:
            self._engine = _sqlite_engine(target) if self.path is not None else _postgresql_engine(target)
        except ModuleNotFoundError as error:
            raise LedgerError(self.where, "needs psycopg: pip install 'shutan[postgresql]'") from error

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A connection to read with; a statement sees whole transactions only."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """One transaction as the only writer; committed durably at the end, rolled back if anything is raised.

        Raises StoreUnavailableError if another writer holds the lock for half a minute.
        """
        with self._translated(), self._engine.connect() as connection, connection.begin():
            for statement in _lock_statements(self.dialect):
                connection.exec_driver_sql(statement)
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Generator[None]:
        """The database's errors as ours, by what the caller can do."""
        try:
            yield
        except exc.TimeoutError as error:
            raise StoreUnavailableError(self.where, "all connections are in use; try again") from error
        except exc.DBAPIError as error:
            reason = str(error.orig).partition("\n")[0]
            if "append-only" in reason or isinstance(error, exc.IntegrityError):
                raise LedgerError(self.where, f"the database refuses to change what is written: {reason}") from error
            if "readonly database" in reason or "unable to open database file" in reason:
                raise LedgerError(self.where, f"{reason}; check the permissions of the file and its folder") from error
            if "decode" in reason:  # a text column that is not UTF-8 any more: damage, which waiting does not mend
                raise LedgerError(self.where, f"cannot be read as a ledger: {reason}") from error
            if "disk" in reason:
                raise StoreUnavailableError(self.where, f"{reason}; make room on the disk and try again") from error
            if isinstance(error, exc.OperationalError | exc.InterfaceError):
                raise StoreUnavailableError(self.where, f"{reason}; try again") from error
            raise LedgerError(self.where, f"cannot be read as a ledger: {reason}") from error


def _lock_statements(dialect: str) -> tuple[str, ...]:
    """What makes a transaction the only writer; released when it ends, also by the death of this process."""
    if dialect == "sqlite":
        return ("BEGIN IMMEDIATE",)  # the driver's own BEGIN is deferred, which lets two writers collide half-way
    return (
        f"SET LOCAL lock_timeout = {_BUSY_MS}",
        "SET LOCAL synchronous_commit = on",
        f"SELECT pg_advisory_xact_lock({_LOCK} + hashtext(current_schema()))",  # one ledger per schema
    )


def _postgresql(url: str) -> tuple[URL, str]:
    try:
        target = make_url(url).set(drivername="postgresql+psycopg")
    except (exc.ArgumentError, ValueError):
        raise LedgerError("--ledger", f"not a PostgreSQL address; give {ACCEPTED}") from None
    # "password" may also hide in the query: only what names the place is shown.
    return target, f"postgresql://{target.host or ''}/{target.database or ''}"


def _postgresql_engine(target: URL) -> Engine:
    # READ COMMITTED whatever the server's default: after the wait for the lock, a statement must see the newest entry.
    return create_engine(target, pool_size=_POOL, max_overflow=0, pool_pre_ping=True, isolation_level="READ COMMITTED")


def _sqlite_engine(target: URL) -> Engine:
    engine = create_engine(target, pool_size=_POOL, max_overflow=0)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun by Database.writing()
    cursor = connection.cursor()
    for pragma in (f"busy_timeout = {_BUSY_MS}", "synchronous = FULL", "trusted_schema = OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    deadline_ns = monotonic_ns() + _BUSY_MS * 1_000_000
    while not _is_wal(cursor, deadline_ns):
        pass
    cursor.close()


def _is_wal(cursor: DBAPICursor, deadline_ns: int) -> bool:
    """Put a file into WAL mode, once for all; False if another connection was in the way."""
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchall() == [("wal",)]:
        return True
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
    except OperationalError:
        if monotonic_ns() > deadline_ns:
            raise
        # SQLite does not wait for the mode of a file, but it does for a transaction: until the other one is through.
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("COMMIT")
        return False
    return True
