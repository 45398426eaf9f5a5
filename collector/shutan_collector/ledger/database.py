"""The two databases of a ledger behind one engine: an SQLite file, or PostgreSQL for larger sites.

What differs between them is here and in migrations/ only: how a connection is prepared, and how a writer becomes the
only one. Both make an append durable before it returns: SQLite in WAL mode with synchronous = FULL, PostgreSQL with
synchronous_commit = on.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import URL, make_url

from shutan_collector.errors import LedgerError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["ACCEPTED", "Database"]

ACCEPTED: Final = "sqlite:PATH or postgresql://USER@HOST:PORT/DATABASE"
_BUSY_MS: Final = 30_000  # a close of a large month holds the lock for about a second
_POOL: Final = 8
# The driver's own BEGIN is deferred, which lets two writers collide half-way.
_LOCK_SQLITE: Final = ("BEGIN IMMEDIATE",)
_LOCK_POSTGRESQL: Final = (
    f"SET LOCAL lock_timeout = {_BUSY_MS}",
    "SET LOCAL synchronous_commit = on",
    # One ledger per schema. Released when the transaction ends, also by the death of this process; the number
    # ("SHUTA" in ASCII) keeps apart other users of advisory locks in the same database.
    f"SELECT pg_advisory_xact_lock({0x5348555441} + hashtext(current_schema()))",
)


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
        self._engine = _sqlite_engine(target) if self.path is not None else _postgresql_engine(target)

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
            for statement in _LOCK_SQLITE if self.path is not None else _LOCK_POSTGRESQL:
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
            if isinstance(error, exc.OperationalError | exc.InterfaceError):
                raise StoreUnavailableError(self.where, f"{reason}; try again") from error
            raise LedgerError(self.where, f"cannot be read as a ledger: {reason}") from error


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
    for pragma in (f"busy_timeout = {_BUSY_MS}", "journal_mode = WAL", "synchronous = FULL", "trusted_schema = OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
