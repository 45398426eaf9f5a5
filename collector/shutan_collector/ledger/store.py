"""The ledger: entries that are only ever added, each chained to the one before.

Reads are made in pages of bounded size and never hold a transaction between two pages, so that a slow reader hinders
nobody. What is written needs no second look: entries never change, so that pages of different moments fit together.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import Connection, insert, select

from shutan_collector.errors import LedgerError
from shutan_collector.ledger.bodies import Sealed, seal, unpack
from shutan_collector.ledger.canonical import parse_object
from shutan_collector.ledger.chain import first_fault
from shutan_collector.ledger.database import Database
from shutan_collector.ledger.entries import EMPTY, Entry, Head, Header, Record, chain_hash, check_fields
from shutan_collector.ledger.schema import ENTRIES, prepare

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from sqlalchemy import Row, Select

    from shutan_collector.ledger.chain import Fault

__all__ = ["Ledger", "Reader", "Writer", "open_ledger"]

_HEADERS_PER_PAGE: Final = 1000
_BODIES_PER_PAGE: Final = 64
_ROWS_PER_INSERT: Final = 16
_BODIES_PER_QUERY: Final = 64
_HEADER: Final = tuple(column for column in ENTRIES.c if column.name != "body")


class Reader:
    """Reading entries; what differs is where the connection comes from."""

    def __init__(self, where: str) -> None:
        self.where = where

    def connection(self) -> AbstractContextManager[Connection]:
        """A connection to read with."""
        raise NotImplementedError

    def head(self) -> Head:
        """The end of the chain; Head(0, 64 zeros) of an empty ledger."""
        query = select(ENTRIES.c.seq, ENTRIES.c.hash).order_by(ENTRIES.c.seq.desc()).limit(1)
        with self.connection() as connection:
            row = connection.execute(query).first()
        return EMPTY if row is None else Head(row.seq, row.hash)

    def headers(
        self, *, kind: str | None = None, key: str | None = None, period: str | None = None, after: int = 0
    ) -> Iterator[Header]:
        """Entries without their bodies, by number; only those with this kind, key, period, number > after."""
        for row in self._pages(_chosen(select(*_HEADER), kind, key, period), after, _HEADERS_PER_PAGE):
            yield Header(*row)

    def entries(
        self, *, kind: str | None = None, key: str | None = None, period: str | None = None, after: int = 0
    ) -> Iterator[Entry]:
        """Entries by number; only those with this kind, key, period, number > after. Raises LedgerError."""
        for row in self._pages(_chosen(select(ENTRIES), kind, key, period), after, _BODIES_PER_PAGE):
            yield self._entry(row)

    def entry(self, seq: int) -> Entry:
        """The entry with this number. Raises LedgerError if there is none or its body is damaged."""
        with self.connection() as connection:
            row = connection.execute(select(ENTRIES).where(ENTRIES.c.seq == seq)).first()
        if row is None:
            raise LedgerError(f"{self.where} entry {seq}", "is not in this ledger")
        return self._entry(row)

    def last(self, kind: str, *, key: str | None = None, period: str | None = None) -> Entry | None:
        """The newest entry of this kind, key and period."""
        query = _chosen(select(ENTRIES), kind, key, period).order_by(ENTRIES.c.seq.desc()).limit(1)
        with self.connection() as connection:
            row = connection.execute(query).first()
        return None if row is None else self._entry(row)

    def body_bytes(self, seq: int) -> bytes:
        """The canonical bytes of a body, checked against its hash. Raises LedgerError."""
        with self.connection() as connection:
            row = connection.execute(select(ENTRIES).where(ENTRIES.c.seq == seq)).first()
        if row is None:
            raise LedgerError(f"{self.where} entry {seq}", "is not in this ledger")
        try:
            return unpack(row.body, row.body_sha256)
        except ValueError as error:
            raise LedgerError(f"{self.where} entry {seq}", str(error)) from error

    def bodies(self, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Numbers and canonical bytes of several entries, by number, in few queries. Raises LedgerError as entry()."""
        wanted = sorted(set(seqs))
        columns = (ENTRIES.c.seq, ENTRIES.c.body_sha256, ENTRIES.c.body)
        for first in range(0, len(wanted), _BODIES_PER_QUERY):
            chunk = wanted[first : first + _BODIES_PER_QUERY]
            query = select(*columns).where(ENTRIES.c.seq.in_(chunk)).order_by(ENTRIES.c.seq)
            with self.connection() as connection:
                rows = connection.execute(query).all()
            if missing := sorted(set(chunk) - {row.seq for row in rows}):
                raise LedgerError(f"{self.where} entry {missing[0]}", "is not in this ledger")
            for row in rows:
                try:
                    yield row.seq, unpack(row.body, row.body_sha256)
                except ValueError as error:
                    raise LedgerError(f"{self.where} entry {row.seq}", str(error)) from error

    def check_chain(self, witness: Head | None = None) -> Fault | None:
        """Read everything: the first entry that is not what was written, with the reason; None if there is none.

        witness   a head noted elsewhere; it shows also a ledger that was cut short or rewritten as a whole
        """
        return first_fault(self._pages(select(ENTRIES), 0, _BODIES_PER_PAGE), witness)

    def _pages(self, query: Select[Any], after: int, size: int) -> Iterator[Row[Any]]:
        end = self.head().seq
        while after < end:
            page = query.where(ENTRIES.c.seq > after, ENTRIES.c.seq <= end).order_by(ENTRIES.c.seq).limit(size)
            with self.connection() as connection:
                rows = connection.execute(page).all()
            yield from rows
            if len(rows) < size:
                return
            after = rows[-1].seq

    def _entry(self, row: Row[Any]) -> Entry:
        try:
            body = parse_object(unpack(row.body, row.body_sha256))
        except ValueError as error:
            raise LedgerError(f"{self.where} entry {row.seq}", str(error)) from error
        return Entry(*tuple(row)[:-1], body=body)


class Writer(Reader):
    """Reading and appending inside one transaction, as the only writer: what it read stays true until it is done."""

    def __init__(self, where: str, connection: Connection, author: str, at: str) -> None:
        super().__init__(where)
        self.author = author
        self.at = at
        self._connection = connection
        self._end = super().head()

    @contextmanager
    def connection(self) -> Generator[Connection]:
        """The transaction's own connection."""
        yield self._connection

    def append(self, records: Iterable[Record | Sealed]) -> tuple[Entry, ...]:
        """Chain records to the end, in order. Raises LedgerError for a field that has no place in an entry."""
        entries: list[Entry] = []
        rows: list[dict[str, Any]] = []
        for record in records:
            sealed = seal(record) if isinstance(record, Record) else record
            entry = self._chained(sealed)
            entries.append(entry)
            rows.append({column.name: getattr(entry, column.name) for column in _HEADER} | {"body": sealed.packed})
            if len(rows) == _ROWS_PER_INSERT:
                self._connection.execute(insert(ENTRIES), rows)
                rows.clear()
        if rows:
            self._connection.execute(insert(ENTRIES), rows)
        return tuple(entries)

    def _chained(self, sealed: Sealed) -> Entry:
        record = sealed.record
        check_fields(record, self.author, self.at)
        seq, previous = self._end.seq + 1, self._end.hash
        own = chain_hash(
            seq=seq,
            at=self.at,
            author=self.author,
            kind=record.kind,
            key=record.key,
            period=record.period,
            body_sha256=sealed.body_sha256,
            previous=previous,
        )
        self._end = Head(seq, own)
        names = (self.at, self.author, record.kind, record.key, record.period)
        return Entry(seq, *names, sealed.body_sha256, previous, own, record.body)


class Ledger(Reader):
    """An open ledger; threads may share it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.where)
        self._database = database

    def connection(self) -> AbstractContextManager[Connection]:
        """A connection of the pool."""
        return self._database.reading()

    @contextmanager
    def writing(self, author: str, at: str) -> Generator[Writer]:
        """One transaction; nothing of it is kept if the block raises.

        Raises StoreUnavailableError while another process writes for long or the database does not answer.
        """
        with self._database.writing() as connection:
            yield Writer(self.where, connection, author, at)

    def append(self, records: Iterable[Record | Sealed], author: str, at: str) -> tuple[Entry, ...]:
        """Append records in one transaction: all of them durably, or none."""
        with self.writing(author, at) as writer:
            return writer.append(records)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def open_ledger(url: str, create: bool = False) -> Ledger:
    """Open `sqlite:PATH` or `postgresql://USER@HOST:PORT/DATABASE`; an older schema is brought up to date.

    create   make a ledger where there is none. Passwords come from the address or from libpq's own places (~/.pgpass).

    Raises LedgerError (no ledger there, newer schema, bad address), StoreUnavailableError (no answer; try again).
    """
    database = Database(url)
    try:
        prepare(database, create=create)
    except BaseException:
        database.close()
        raise
    return Ledger(database)


def _chosen(query: Select[Any], kind: str | None, key: str | None, period: str | None) -> Select[Any]:
    for column, value in ((ENTRIES.c.kind, kind), (ENTRIES.c.key, key), (ENTRIES.c.period, period)):
        if value is not None:
            query = query.where(column == value)
    return query
