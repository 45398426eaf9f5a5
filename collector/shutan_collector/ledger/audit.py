"""Reading a whole ledger as an auditor: the chain, and that every close says what its documents and its months say.

Closing checks the same before it writes. Here it is computed again from what is written, so that an entry of another
program, or of a person with the rights of the database's owner, shows even where the hashes fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shutan_collector.accounting.sums import line_totals, read_totals, sum_totals
from shutan_collector.errors import LedgerError
from shutan_collector.ledger.chain import Fault
from shutan_collector.ledger.checks import claims_of, totals_of
from shutan_collector.ledger.closes import (
    CLOSE,
    DOCUMENT,
    Close,
    MonthReference,
    documents_of,
    months_of_year,
    read_close,
)

if TYPE_CHECKING:
    from shutan_collector.ledger.entries import Head, Header
    from shutan_collector.ledger.store import Reader

__all__ = ["Audit", "audit"]


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found: the end of the chain, how many closes were computed again, the first fault."""

    head: Head
    closes: int
    fault: Fault | None


def audit(ledger: Reader, witness: Head | None = None) -> Audit:
    """Check the chain first; if it is whole, every close. Raises StoreUnavailableError.

    witness   a head noted elsewhere, from a report, a label or evidence
    """
    head = ledger.head()
    fault = ledger.check_chain(witness)
    auditor = _Auditor(ledger)
    if fault is None:
        fault = auditor.first_fault()
    return Audit(head, auditor.count, fault)


class _Auditor:
    """Goes through the closes in the order in which they were written; `closes` is what was current at each moment."""

    def __init__(self, ledger: Reader) -> None:
        self.count = 0
        self._ledger = ledger
        self._closes: dict[str, Close] = {}
        self._claims: dict[str, frozenset[str]] = {}
        self._held: dict[int, Header] = {}

    def first_fault(self) -> Fault | None:
        self._held = {header.seq: header for header in self._ledger.headers(kind=DOCUMENT)}
        for entry in self._ledger.entries(kind=CLOSE):
            try:
                reason = self._fault(read_close(entry))
            except (LedgerError, ValueError) as error:
                reason = str(error)
            if reason is not None:
                return Fault(entry.seq, reason)
            self.count += 1
        return None

    def _fault(self, close: Close) -> str | None:
        reason = self._version_fault(close)
        if reason is None:
            reason = self._year_fault(close) if close.months else self._month_fault(close)
        self._closes[close.period] = close
        return reason

    def _version_fault(self, close: Close) -> str | None:
        before = self._closes.get(close.period)
        version, restates = (before.version + 1, before.seq) if before else (1, None)
        if (close.version, close.restates) != (version, restates):
            return f"version {close.version} of {close.period} does not follow the one before"
        if before and not close.reason:
            return f"version {close.version} of {close.period} has no reason"
        return None

    def _month_fault(self, close: Close) -> str | None:
        for reference in close.documents:
            header = self._held.get(reference.seq)
            if header is None or header.seq > close.seq or header.period != close.period:
                return f"document {reference.name!r} of {close.period} is not in entry {reference.seq}"
        documents = documents_of(self._ledger, close.period, close.documents)
        totals = close.totals
        if read_totals(totals_of(documents)) != totals:
            return f"the totals of {close.period} are not those of its document"
        lines = line_totals(item.body for item in documents.starting("lines/"))
        if lines != (totals.by_scope, totals.by_source, totals.by_category):
            return f"the totals of {close.period} are not the sums of its lines"
        self._claims[close.period] = frozenset(claims_of(self._ledger, close))
        for period, claims in self._claims.items():
            twice = claims & self._claims[close.period]
            if twice and period != close.period:
                return f"certificate {min(twice)} of {close.period} is claimed in {period} as well"
        return None

    def _year_fault(self, close: Close) -> str | None:
        months = [month for month in map(self._closes.get, months_of_year(close.period)) if month is not None]
        if tuple(MonthReference(item.period, item.seq, item.version) for item in months) != close.months:
            return f"{close.period} is not closed over the months that were current"
        if sum_totals(close.period, [item.totals for item in months]) != close.totals:
            return f"the totals of {close.period} are not the sums of its months"
        return None
