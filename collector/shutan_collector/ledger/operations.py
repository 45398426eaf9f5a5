"""What a person asks of the ledger: close a period, look for late samples, restate with other factors.

Each computes first and writes afterwards, so that a mistake in the inputs leaves the ledger as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from shutan_collector.accounting.late import Kept, changed_days, moved_ends
from shutan_collector.accounting.month import account_month, months_of
from shutan_collector.accounting.revalue import as_of_of, basis_of, revalue, site_of
from shutan_collector.errors import LedgerError
from shutan_collector.ledger.canonical import member
from shutan_collector.ledger.closes import Status, current_closes, documents_of, state
from shutan_collector.ledger.closing import (
    YEAR_LENGTH,
    claimed_elsewhere,
    close_month,
    close_year,
    current,
    restate_month,
)
from shutan_collector.ledger.compare import compare
from shutan_collector.ledger.proposals import propose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from shutan_collector.accounting.documents import PeriodDocuments
    from shutan_collector.accounting.late import ChangedDay, Used
    from shutan_collector.accounting.month import Basis
    from shutan_collector.factors.release import Release
    from shutan_collector.ledger.closes import Close, Reference
    from shutan_collector.ledger.compare import Difference
    from shutan_collector.ledger.proposals import Proposal
    from shutan_collector.ledger.store import Ledger
    from shutan_collector.series.base import SeriesReader
    from shutan_collector.site.model import Site

__all__ = ["Late", "Restatement", "close_period", "find_late", "recompute", "restate"]

_READINGS: Final = "readings/"


def close_period(
    ledger: Ledger, basis: Basis, period: str, author: str, at: str, *, done: Callable[[str], None] | None = None
) -> tuple[Close, ...]:
    """Account and close a month, or the open months of a year in order and then the year.

    done   called with each month when it is closed, for a progress bar

    Months that were closed before a mistake in a later one stay closed. Raises what account_month and close_month
    raise; LedgerError if there is nothing to close.
    """
    if not author.strip():  # told before minutes of work, not after them
        raise LedgerError("author", "is empty; name the person who closes")
    closes: list[Close] = []
    for month in months_of(period):
        if len(period) == YEAR_LENGTH and state(ledger, month).status is not Status.OPEN:
            continue
        documents = account_month(basis, month, claimed=claimed_elsewhere(ledger, month))
        closes.append(close_month(ledger, documents, author, at))
        if done is not None:
            done(month)
    if len(period) == YEAR_LENGTH:
        closes.append(close_year(ledger, period, author, at))
    return tuple(closes)


@dataclass(frozen=True, slots=True)
class Late:
    """What late samples mean for a closed month; `proposal` is None if no figure and no document changes."""

    period: str
    days: tuple[ChangedDay, ...]
    proposal: Proposal | None


def find_late(ledger: Ledger, reader: SeriesReader, at: str, period: str = "") -> Iterator[Late]:
    """Compare closed months with the series store; for each that differs open a restatement proposal (重述提案).

    period   a month or year; empty = every closed month

    Only the meters that have other readings now are read again, with the site model, rows and factors of the closing.
    """
    closes = current_closes(ledger)
    wanted = months_of(period) if period else tuple(month for month in closes if len(month) != YEAR_LENGTH)
    scanned = {month: _scan(ledger, closes[month], reader) for month in wanted if month in closes}
    for month, scan in scanned.items():
        days = (*scan.days, *_ends(ledger, scan, month, scanned, reader))
        if not days:
            continue
        documents = current(ledger, month)
        touched = {day.meter for day in days}
        basis = basis_of(documents, reader)
        claimed = claimed_elsewhere(ledger, month)
        fresh = account_month(basis, month, claimed=claimed, base=documents, touched=touched)
        cause = f"late samples: {len(days)} days of {', '.join(sorted(touched))}"
        yield Late(month, days, propose(ledger, month, fresh, cause[:200], at))


@dataclass(frozen=True, slots=True)
class _Scan:
    """A closed month held against the series store: what it rests on, and the days inside it that changed."""

    site: Site
    close: Close
    kept: Mapping[str, Kept]
    days: tuple[ChangedDay, ...]

    @property
    def changed(self) -> frozenset[str]:
        """The meters with changed days."""
        return frozenset(day.meter for day in self.days)


def _scan(ledger: Ledger, close: Close, reader: SeriesReader) -> _Scan:
    site = site_of(documents_of(ledger, close.period, (_reference(close, "site"),)))
    kept = _kept(ledger, close)
    return _Scan(site, close, kept, changed_days(site, close.period, kept, reader))


def _ends(
    ledger: Ledger, scan: _Scan, month: str, scanned: Mapping[str, _Scan], reader: SeriesReader
) -> list[ChangedDay]:
    """Ends of the month that moved, of the meters whose own days did not change.

    Two closed months rest on one reading where they meet (joins.py), so an end has to be looked at only where the
    month beside it was not scanned or has changed itself.
    """
    before, after = (scanned.get(beside) for beside in _beside(month))
    moved: list[ChangedDay] = []
    for meter in scan.site.tree():
        if meter.id in scan.changed:
            continue
        sides = (before is None or meter.id in before.changed, after is None or meter.id in after.changed)
        if any(sides):
            kept = scan.kept.get(meter.id)
            if kept is None:
                kept = Kept()
            else:
                kept = _with_ends(kept, ledger.body_bytes(_reference(scan.close, f"{_READINGS}{meter.id}").seq))
            moved += moved_ends(scan.site, meter, month, kept, reader, sides=sides)
    return moved


def _beside(month: str) -> tuple[str, str]:
    """The months before and after "2025-06"."""
    number = int(month[:4]) * 12 + int(month[5:]) - 1
    earlier, later = ((number + step) for step in (-1, 1))
    return f"{earlier // 12:04}-{earlier % 12 + 1:02}", f"{later // 12:04}-{later % 12 + 1:02}"


def _reference(close: Close, name: str) -> Reference:
    found = close.find(name)
    if found is None:
        raise LedgerError(f"period {close.period}", f"its closing (entry {close.seq}) has no document {name!r}")
    return found


def _kept(ledger: Ledger, close: Close) -> dict[str, Kept]:
    """By meter what its readings document says of the series store, which is a small part of it."""
    meters = {
        item.seq: item.name.removeprefix(_READINGS) for item in close.documents if item.name.startswith(_READINGS)
    }
    return {
        meters[seq]: Kept(cast("Sequence[Sequence[str | int]]", member(data, "fingerprint")))
        for seq, data in ledger.bodies(tuple(meters))
    }


def _with_ends(kept: Kept, data: bytes) -> Kept:
    """The same with the readings behind the month's ends, which few meters are asked for."""
    boundaries = cast("Sequence[Sequence[int] | None]", member(data, "boundaries"))
    columns = [cast("Sequence[int]", member(data, name)) for name in ("t_ns", "register")]
    ends: list[Used] = []
    for boundary in (boundaries[0], boundaries[-1]):
        used = sorted(set(boundary[1:])) if boundary is not None else []
        ends.append(tuple((columns[0][index], columns[1][index]) for index in used))
    return replace(kept, start=ends[0], end=ends[1])


@dataclass(frozen=True, slots=True)
class Restatement:
    """A closed month and what it would be; `close` is its new version, None in a dry run or where nothing changes."""

    difference: Difference
    close: Close | None


def restate(
    ledger: Ledger,
    period: str,
    release: Release,
    *,
    as_of: date | None = None,
    commit: tuple[str, str, str] | None = None,
) -> Iterator[Restatement]:
    """Value the closed months of a period once more with another factor release, from the readings that they keep.

    as_of    report date; None = the one each month was closed with
    commit   author, reason and time; None = dry run

    Raises LedgerError if no month of the period is closed, FactorError, ClaimError.
    """

    def compute(documents: PeriodDocuments, claimed: frozenset[str]) -> PeriodDocuments:
        return revalue(documents, release, as_of or as_of_of(documents), claimed)

    return _restated(ledger, period, compute, commit)


def recompute(
    ledger: Ledger,
    basis: Basis,
    period: str,
    *,
    as_of: date | None = None,
    commit: tuple[str, str, str] | None = None,
) -> Iterator[Restatement]:
    """Account the closed months of a period once more from site model, rows and series: for corrected documents.

    as_of    report date; None = the one each month was closed with
    commit   author, reason and time; None = dry run

    Raises what account_month raises; LedgerError if no month of the period is closed.
    """

    def compute(documents: PeriodDocuments, claimed: frozenset[str]) -> PeriodDocuments:
        used = replace(basis, as_of=as_of or as_of_of(documents))
        return account_month(used, documents.period, claimed=claimed)

    return _restated(ledger, period, compute, commit)


def _restated(
    ledger: Ledger,
    period: str,
    compute: Callable[[PeriodDocuments, frozenset[str]], PeriodDocuments],
    commit: tuple[str, str, str] | None,
) -> Iterator[Restatement]:
    closed = [month for month in months_of(period) if state(ledger, month).status is not Status.OPEN]
    if not closed:
        raise LedgerError(f"period {period}", "has no closed month: there is nothing to restate")
    valued: dict[str, PeriodDocuments] = {}  # a certificate that one month takes up is not free for the next one
    for month in closed:
        documents = current(ledger, month)
        fresh = valued[month] = compute(documents, claimed_elsewhere(ledger, month, valued))
        difference = compare(documents, fresh)
        close = None
        if commit is not None and not difference.is_empty:
            author, reason, at = commit
            close = restate_month(ledger, fresh, author, reason, at)
        yield Restatement(difference, close)
