"""The typed view of a closed month or year, from its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_collector.accounting.month import months_of
from shutan_collector.accounting.summaries import month_summary, year_summary
from shutan_collector.accounting.summary import LedgerMark
from shutan_collector.errors import LedgerError
from shutan_collector.ledger.closes import documents_of, last_close
from shutan_collector.ledger.store import open_ledger

if TYPE_CHECKING:
    from shutan_collector.accounting.summary import MonthSummary, YearSummary
    from shutan_collector.ledger.closes import Close
    from shutan_collector.ledger.store import Reader

__all__ = ["load_summary", "read_summary"]


def load_summary(url: str, period: str, fingerprint: str = "") -> MonthSummary | YearSummary:
    """Open the ledger, read one period, close it again; see read_summary."""
    with open_ledger(url) as ledger:
        return read_summary(ledger, period, fingerprint)


def read_summary(ledger: Reader, period: str, fingerprint: str = "") -> MonthSummary | YearSummary:
    """A closed month, or a closed year with its months as they are now.

    fingerprint   of the site's signing key, printed beside the chain's head; empty = not at hand

    Raises RequestError for another text, LedgerError if the period is open or a month was restated after its year.
    """
    months = months_of(period)
    if months == (period,):
        return _month(ledger, _closed(ledger, period), fingerprint)
    close = _closed(ledger, period)
    closes = [_closed(ledger, month) for month in months]
    stale = [month.period for month, held in zip(closes, close.months, strict=True) if month.seq != held.seq]
    if stale:
        raise LedgerError(f"period {period}", f"{', '.join(stale)} was restated since: close the year again")
    return year_summary(period, [_month(ledger, month, fingerprint) for month in closes], _mark(close, fingerprint))


def _month(ledger: Reader, close: Close, fingerprint: str) -> MonthSummary:
    documents = documents_of(ledger, close.period, close.documents)
    return month_summary(documents, version=close.version, closed=True, mark=_mark(close, fingerprint))


def _closed(ledger: Reader, period: str) -> Close:
    close = last_close(ledger, period)
    if close is None:
        raise LedgerError(f"period {period}", "is open: close it first (shutan close)")
    return close


def _mark(close: Close, fingerprint: str) -> LedgerMark:
    return LedgerMark(close.seq, close.hash, fingerprint)
