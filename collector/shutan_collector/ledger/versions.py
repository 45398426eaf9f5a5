"""Writing one version of a month: its documents, each once, and the close entry that refers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_collector.errors import LedgerError
from shutan_collector.ledger.bodies import Sealed, seal
from shutan_collector.ledger.closes import CLOSE, DOCUMENT, Close, Reference, close_body, read_close
from shutan_collector.ledger.entries import Record, is_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_collector.accounting.documents import JsonObject, PeriodDocuments
    from shutan_collector.ledger.store import Writer

__all__ = ["check_reason", "names_and_hashes", "seal_documents", "write_documents", "write_version"]


def check_reason(where: str, reason: str) -> str:
    """The reason without outer space. Raises LedgerError if there is none, or more than one line."""
    said = reason.strip()
    if not is_line(said):
        raise LedgerError(where, "a reason is needed, in one line: what was wrong, and why the new figures are right")
    return said


def seal_documents(documents: PeriodDocuments) -> tuple[Sealed, ...]:
    """The documents, ready to be written; done before the lock is taken. Raises LedgerError for broken text."""
    period = documents.period
    sealed: list[Sealed] = []
    for item in documents.documents:
        try:
            sealed.append(seal(Record(DOCUMENT, item.name, period, item.body)))
        except UnicodeEncodeError as error:
            raise LedgerError(f"period {period}", f"document {item.name!r} holds text that is not Unicode") from error
    return tuple(sealed)


def names_and_hashes(sealed: Sequence[Sealed]) -> frozenset[tuple[str, str]]:
    """Name and hash of each document: what makes two versions the same."""
    return frozenset((item.record.key, item.body_sha256) for item in sealed)


def write_documents(writer: Writer, period: str, sealed: Sequence[Sealed]) -> tuple[Reference, ...]:
    """Append those documents that this period does not hold yet; references to all of them, in order."""
    held = {(item.key, item.body_sha256): item.seq for item in writer.headers(kind=DOCUMENT, period=period)}
    entries = writer.append(item for item in sealed if (item.record.key, item.body_sha256) not in held)
    held |= {(entry.key, entry.body_sha256): entry.seq for entry in entries}
    return tuple(
        Reference(item.record.key, held[item.record.key, item.body_sha256], item.body_sha256) for item in sealed
    )


def write_version(
    writer: Writer,
    previous: Close | None,
    period: str,
    references: Sequence[Reference],
    totals: JsonObject,
    *,
    reason: str = "",
    proposal: int | None = None,
) -> Close:
    """Append the close entry of the next version of a month."""
    body = close_body(
        period,
        previous.version + 1 if previous else 1,
        references,
        totals,
        restates=previous.seq if previous else None,
        reason=reason,
        proposal=proposal,
    )
    return read_close(writer.append([Record(CLOSE, period, period, body)])[0])
