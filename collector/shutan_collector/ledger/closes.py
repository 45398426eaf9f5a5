"""Close entries, typed: which version of a period holds, and which documents it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from shutan_collector.accounting.documents import Document, PeriodDocuments
from shutan_collector.accounting.sums import Totals, read_totals
from shutan_collector.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shutan_collector.accounting.documents import Json, JsonObject
    from shutan_collector.ledger.entries import Entry
    from shutan_collector.ledger.store import Reader

__all__ = [
    "CLOSE",
    "DOCUMENT",
    "Close",
    "MonthReference",
    "PeriodState",
    "Reference",
    "Status",
    "close_body",
    "current_closes",
    "documents_of",
    "history",
    "last_close",
    "months_of_year",
    "read_close",
    "state",
]

CLOSE: Final = "close"  # kinds of entries
DOCUMENT: Final = "document"
SCHEMA: Final = "shutan.close/1"
MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class Reference:
    """A document of a closed period: its name, the entry that holds it, the hash of its canonical bytes."""

    name: str
    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MonthReference:
    """A closed month of a closed year: the close entry whose totals were summed."""

    month: str
    seq: int
    version: int


@dataclass(frozen=True, slots=True)
class Close:
    """One version of a closed period (核算期关账).

    seq, hash    the close entry          version   1, then 2, 3 ... by restatement (重述)
    documents    of a month, in order     months    of a year, January first
    restates     the close entry of the version before; None for version 1
    reason       why it was restated; empty for version 1
    proposal     the proposal entry that was accepted, if it came from one
    """

    seq: int
    at: str
    author: str
    hash: str
    period: str
    version: int
    documents: tuple[Reference, ...]
    months: tuple[MonthReference, ...]
    totals: Totals
    restates: int | None
    reason: str
    proposal: int | None

    def find(self, name: str) -> Reference | None:
        """The reference to the document with this name."""
        return next((reference for reference in self.documents if reference.name == name), None)


class Status(StrEnum):
    """Whether figures of a period may still change without a trace."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PeriodState:
    """Where a period stands.

    version   0 while open                entry   number of its current close entry, None while open
    stale     of a closed year: the months that have been restated since, so that the year has to be closed again
    """

    period: str
    status: Status
    version: int
    entry: int | None
    stale: tuple[str, ...] = ()


def close_body(
    period: str,
    version: int,
    documents: Sequence[Reference],
    totals: JsonObject,
    *,
    months: Sequence[MonthReference] = (),
    restates: int | None = None,
    reason: str = "",
    proposal: int | None = None,
) -> JsonObject:
    """The body of a close entry; months and proposal are written only where there are any."""
    body: dict[str, Json] = {
        "schema": SCHEMA,
        "period": period,
        "version": version,
        "documents": [[item.name, item.seq, item.sha256] for item in documents],
        "totals": totals,
        "restates": restates,
        "reason": reason,
    }
    if months:
        body["months"] = [[item.month, item.seq, item.version] for item in months]
    if proposal is not None:
        body["proposal"] = proposal
    return body


def read_close(entry: Entry) -> Close:
    """The typed view of a close entry. Raises LedgerError if its body is not one."""
    body = entry.body
    try:
        if body["schema"] != SCHEMA:
            raise LedgerError(f"entry {entry.seq}", f"schema {body['schema']!r} is not {SCHEMA}")
        return Close(
            seq=entry.seq,
            at=entry.at,
            author=entry.author,
            hash=entry.hash,
            period=entry.period,
            version=cast("int", body["version"]),
            documents=tuple(Reference(*item) for item in cast("list[tuple[str, int, str]]", body["documents"])),
            months=tuple(MonthReference(*item) for item in cast("list[tuple[str, int, int]]", body.get("months", []))),
            totals=read_totals(cast("JsonObject", body["totals"])),
            restates=cast("int | None", body["restates"]),
            reason=cast("str", body["reason"]),
            proposal=cast("int | None", body.get("proposal")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"entry {entry.seq}", f"is not a close of the form {SCHEMA}: {error}") from error


def last_close(reader: Reader, period: str) -> Close | None:
    """The current version of a period; None while it is open."""
    entry = reader.last(CLOSE, period=period)
    return None if entry is None else read_close(entry)


def history(reader: Reader, period: str) -> tuple[Close, ...]:
    """All versions of a period, oldest first."""
    return tuple(map(read_close, reader.entries(kind=CLOSE, period=period)))


def current_closes(reader: Reader) -> Mapping[str, Close]:
    """The current version of each closed period, months and years, by period."""
    found: dict[str, Close] = {}
    for entry in reader.entries(kind=CLOSE):
        found[entry.period] = read_close(entry)
    return dict(sorted(found.items()))


def state(reader: Reader, period: str) -> PeriodState:
    """Where a month or a year stands."""
    close = last_close(reader, period)
    if close is None:
        return PeriodState(period, Status.OPEN, 0, None)
    stale = tuple(
        item.month for item in close.months if (now := last_close(reader, item.month)) and now.seq != item.seq
    )
    return PeriodState(period, Status.CLOSED, close.version, close.seq, stale)


def documents_of(reader: Reader, period: str, references: Iterable[Reference]) -> PeriodDocuments:
    """The documents that a close or a proposal refers to. Raises LedgerError if one is not what it refers to."""
    documents: list[Document] = []
    for reference in references:
        entry = reader.entry(reference.seq)
        if (entry.kind, entry.key, entry.body_sha256) != (DOCUMENT, reference.name, reference.sha256):
            raise LedgerError(f"{reader.where} entry {reference.seq}", f"is not the document {reference.name!r} meant")
        documents.append(Document(reference.name, entry.body))
    return PeriodDocuments(period, tuple(documents))


def months_of_year(year: str) -> tuple[str, ...]:
    """January to December of "2025"."""
    return tuple(f"{year}-{number:02d}" for number in range(1, MONTHS + 1))
