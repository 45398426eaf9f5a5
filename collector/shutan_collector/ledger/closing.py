"""Closing and restating periods (核算期关账与重述).

A month closes with the documents that its figures rest on; from then on its figures change by a restatement only, which
has an author and a reason and leaves the version before in its place. A year closes over its twelve closed months.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from shutan_collector.accounting.sums import sum_totals
from shutan_collector.errors import LedgerError
from shutan_collector.ledger.checks import (
    certificates_of,
    check_claims,
    check_complete,
    check_documents,
    claims_of,
    totals_of,
)
from shutan_collector.ledger.closes import (
    CLOSE,
    Close,
    MonthReference,
    PeriodState,
    Reference,
    Status,
    close_body,
    current_closes,
    documents_of,
    history,
    last_close,
    months_of_year,
    read_close,
    state,
)
from shutan_collector.ledger.compare import Difference, compare, compare_totals
from shutan_collector.ledger.entries import Record
from shutan_collector.ledger.joins import check_joins, ends_of_close, ends_of_documents, months_beside
from shutan_collector.ledger.proposals import accept_proposal, proposals, propose, reject_proposal
from shutan_collector.ledger.versions import (
    check_reason,
    names_and_hashes,
    seal_documents,
    write_documents,
    write_version,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shutan_collector.accounting.documents import PeriodDocuments
    from shutan_collector.ledger.store import Ledger, Reader, Writer

__all__ = [
    "Close",
    "MonthReference",
    "PeriodState",
    "Reference",
    "Status",
    "accept_proposal",
    "claimed_elsewhere",
    "close_month",
    "close_year",
    "compare",
    "compare_versions",
    "current",
    "current_closes",
    "documents_of",
    "history",
    "last_close",
    "months_of_year",
    "proposals",
    "propose",
    "reject_proposal",
    "restate_month",
    "state",
    "version_of",
]

YEAR_LENGTH: Final = len("2025")


def close_month(ledger: Ledger, documents: PeriodDocuments, author: str, at: str) -> Close:
    """Close a month for the first time: version 1, in one transaction.

    Raises LedgerError (closed already, totals that are not the sums of the lines, a certificate claimed elsewhere, a
    register or a row that does not fit what other months were closed with: ledger/joins.py) and IncompleteError (meters
    without readings up to the end that nobody has declared missing); then nothing is written.
    """
    totals = totals_of(documents)
    check_documents(documents)
    check_complete(documents)
    sealed = seal_documents(documents)
    period = documents.period
    with ledger.writing(author, at) as writer:
        close = last_close(writer, period)
        if close is not None:
            raise LedgerError(
                f"period {period}",
                f"is closed already (version {close.version}, entry {close.seq}, {close.at}); restate it with a reason",
            )
        check_claims(writer, documents)
        fresh = ends_of_documents(documents)
        for item in current_closes(writer).values():
            if not item.months:
                beside = months_beside(item.period, period)
                check_joins((ends_of_close(writer, item, registers=beside), fresh))
        return write_version(writer, None, period, write_documents(writer, period, sealed), totals)


def restate_month(
    ledger: Ledger, documents: PeriodDocuments, author: str, reason: str, at: str, *, version: int | None = None
) -> Close:
    """Write the next version of a closed month; documents that have not changed are referred to, not repeated.

    version   the version that the new figures were compared with: refused if another one is current by now

    Raises LedgerError (open, nothing changed, no reason, another version, and as close_month), IncompleteError.
    """
    period = documents.period
    where = f"period {period}"
    reason = check_reason(where, reason)
    totals = totals_of(documents)
    check_documents(documents)
    check_complete(documents)
    sealed = seal_documents(documents)
    with ledger.writing(author, at) as writer:
        close = last_close(writer, period)
        if close is None:
            raise LedgerError(where, "is open: close it first")
        if version is not None and close.version != version:
            raise LedgerError(
                where, f"version {close.version} is current, not {version}; look at it, then restate that version"
            )
        if names_and_hashes(sealed) == frozenset((item.name, item.sha256) for item in close.documents):
            raise LedgerError(where, f"nothing differs from version {close.version} (entry {close.seq})")
        check_claims(writer, documents)
        references = write_documents(writer, period, sealed)
        return write_version(writer, close, period, references, totals, reason=reason)


def close_year(ledger: Ledger, year: str, author: str, at: str, reason: str = "") -> Close:
    """Close a year over its twelve closed months; once more, as the next version, when months have been restated since.

    The totals are the sums of the months' totals. reason: by default the months that have been restated.
    Raises LedgerError (not a year, months open, months that do not fit together, nothing changed).
    """
    where = f"period {year}"
    if len(year) != YEAR_LENGTH or not year.isdecimal():
        raise LedgerError(where, "is not a year; give 2025")
    with ledger.writing(author, at) as writer:
        months = _closed_months(writer, year)
        check_joins([ends_of_close(writer, month) for month in months])
        close = last_close(writer, year)
        references = [MonthReference(item.period, item.seq, item.version) for item in months]
        said = check_reason(where, reason) if reason else ""
        if close is not None:
            fresh = [item for item in references if item not in close.months]
            if not fresh:
                raise LedgerError(
                    where, f"is closed already (version {close.version}, entry {close.seq}); no month has been restated"
                )
            said = said or "restated: " + ", ".join(f"{item.month} (version {item.version})" for item in fresh)
        try:
            totals = sum_totals(year, [item.totals for item in months])
        except ValueError as error:
            raise LedgerError(where, f"{error}; restate the months with one unit") from error
        body = close_body(
            year,
            close.version + 1 if close else 1,
            (),
            totals.to_object(),
            months=references,
            restates=close.seq if close else None,
            reason=said,
        )
        return read_close(writer.append([Record(CLOSE, year, year, body)])[0])


def current(ledger: Reader, period: str) -> PeriodDocuments:
    """The documents of the current version of a closed month. Raises LedgerError if it is open."""
    close = last_close(ledger, period)
    if close is None:
        raise LedgerError(f"period {period}", "is open: it has no closed documents yet")
    return _documents(ledger, close)


def version_of(ledger: Reader, period: str, version: int) -> PeriodDocuments:
    """The documents of any version of a closed month. Raises LedgerError if there is no such version."""
    versions = history(ledger, period)
    close = next((item for item in versions if item.version == version), None)
    if close is None:
        raise LedgerError(f"period {period}", f"has no version {version}; it has {len(versions)}")
    return _documents(ledger, close)


def compare_versions(ledger: Reader, period: str, old: int = 0, new: int = 0) -> Difference:
    """Two versions of a closed month or year side by side; 0 = the current one, and for `old` the one before `new`.

    Raises LedgerError if there is no such version.
    """
    versions = {close.version: close for close in history(ledger, period)}
    if not versions:
        raise LedgerError(f"period {period}", "has never been closed: there is nothing to compare")
    if len(versions) == 1 and not old and not new:
        raise LedgerError(
            f"period {period}", "has one version only: it was never restated, there is nothing to compare"
        )
    after = new or max(versions)
    before = old or after - 1
    for version in (before, after):
        if version not in versions:
            raise LedgerError(f"period {period}", f"has no version {version}; it has {len(versions)}")
    pair = versions[before], versions[after]
    sets = [frozenset((item.name, item.sha256) for item in close.documents) for close in pair]
    names = sorted({name for name, _ in sets[0] ^ sets[1]})
    return compare_totals(pair[0].totals, pair[1].totals, tuple(names))


def claimed_elsewhere(
    ledger: Reader, period: str, instead: Mapping[str, PeriodDocuments] | None = None
) -> frozenset[str]:
    """Certificates that other closed months claim, in their current versions.

    instead   documents that stand for the closed ones of other months, as in a dry run that goes through a year
    """
    said = instead or {}
    closes = current_closes(ledger)
    held = [claims_of(ledger, close) for month, close in closes.items() if month != period and month not in said]
    held += [certificates_of(documents) for month, documents in said.items() if month != period]
    return frozenset(chain.from_iterable(held))


def _documents(reader: Reader, close: Close) -> PeriodDocuments:
    if close.months:
        raise LedgerError(f"period {close.period}", "is a year: its documents are those of its months")
    return documents_of(reader, close.period, close.documents)


def _closed_months(writer: Writer, year: str) -> tuple[Close, ...]:
    found = {month: last_close(writer, month) for month in months_of_year(year)}
    missing = [month for month, close in found.items() if close is None]
    if missing:
        raise LedgerError(f"period {year}", f"has open months: {', '.join(missing)}; close them first")
    return tuple(close for close in found.values() if close is not None)
