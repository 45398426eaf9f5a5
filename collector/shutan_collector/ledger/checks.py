"""What has to hold before a month closes: its documents are whole, its meters complete or declared missing, its totals
are the sums of its lines, and no certificate is claimed a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from zoneinfo import ZoneInfo

from shutan_collector.accounting.sums import Totals, line_totals, read_totals
from shutan_collector.errors import IncompleteError, LedgerError, Problem
from shutan_collector.ledger.closes import current_closes
from shutan_collector.periods import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shutan_collector.accounting.documents import JsonObject, PeriodDocuments
    from shutan_collector.ledger.closes import Close
    from shutan_collector.ledger.store import Reader

__all__ = ["certificates_of", "check_claims", "check_complete", "check_documents", "claims_of", "totals_of"]

MONTH_LENGTH: Final = len("2025-06")
DECLARED: Final = "declared_missing"
REMEDY: Final = "let the missing readings arrive and account the month again, or declare the meter missing (缺表声明)"


def check_documents(documents: PeriodDocuments) -> Totals:
    """The totals, if the documents are those of one month and the totals are the sums of its lines.

    Raises LedgerError.
    """
    where = f"period {documents.period}"
    if len(documents.period) != MONTH_LENGTH:
        raise LedgerError(where, "is not a month; documents are closed by month, a year by its twelve months")
    names = [document.name for document in documents.documents]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LedgerError(where, f"document {twice[0]!r} is there twice")
    body = totals_of(documents)
    try:
        totals = read_totals(body)
        sums = line_totals(document.body for document in documents.starting("lines/"))
    except ValueError as error:
        raise LedgerError(where, str(error)) from error
    if totals.period != documents.period:
        raise LedgerError(where, f"the document 'totals' is of {totals.period}")
    for name, said, counted in zip(
        ("by_scope", "by_source", "by_category"),
        (totals.by_scope, totals.by_source, totals.by_category),
        sums,
        strict=True,
    ):
        for key in sorted(said.keys() | counted.keys()):
            if said.get(key) != counted.get(key):
                raise LedgerError(
                    where, f"totals.{name}[{key!r}] is {said.get(key)}, the lines add up to {counted.get(key)}"
                )
    return totals


def totals_of(documents: PeriodDocuments) -> JsonObject:
    """The document "totals". Raises LedgerError if there is none."""
    body = documents.find("totals")
    if body is None:
        raise LedgerError(f"period {documents.period}", "the document 'totals' is missing; account the month again")
    return body


def check_complete(documents: PeriodDocuments) -> None:
    """Each meter's flows reach from the month's start to its end, or a person has declared the meter missing.

    Raises IncompleteError with every meter that keeps the month open.
    """
    declared = _declared(documents)
    problems = tuple(_problems(documents, declared))
    if problems:
        raise IncompleteError(f"period {documents.period}", problems)


def check_claims(reader: Reader, documents: PeriodDocuments) -> None:
    """No certificate of this month is claimed twice, here or by another closed month. Raises LedgerError."""
    where = f"period {documents.period}"
    wanted: set[str] = set()
    for certificate in _certificates(documents.find("claims")):
        if certificate in wanted:
            raise LedgerError(where, f"certificate {certificate} is claimed twice in the month; claim it once")
        wanted.add(certificate)
    if not wanted:
        return
    for period, close in current_closes(reader).items():
        if period == documents.period:
            continue
        for certificate in claims_of(reader, close):
            if certificate in wanted:
                raise LedgerError(
                    where,
                    f"certificate {certificate} is claimed in {period} already (entry {close.seq}, version "
                    f"{close.version}); remove it here, or restate {period} without it first",
                )


def claims_of(reader: Reader, close: Close) -> tuple[str, ...]:
    """The certificates that a closed month claims."""
    reference = close.find("claims")
    return () if reference is None else tuple(_certificates(reader.entry(reference.seq).body))


def certificates_of(documents: PeriodDocuments) -> tuple[str, ...]:
    """The certificates that documents of a month claim."""
    return tuple(_certificates(documents.find("claims")))


def _certificates(body: JsonObject | None) -> Iterator[str]:
    if body is not None:
        for claim in cast("Sequence[Sequence[str]]", body["claims"]):
            yield claim[0]


def _declared(documents: PeriodDocuments) -> frozenset[str]:
    """Names of the declarations that are among the documents: "declared_missing/<key>"."""
    body = documents.find(f"activities/{DECLARED}")
    rows = cast("Sequence[Mapping[str, str]]", body["rows"]) if body is not None else ()
    return frozenset(f"{DECLARED}/{row['key']}" for row in rows)


@dataclass(frozen=True, slots=True)
class _Hole:
    """Part of a month without flow: from the boundary with this number to that one; None = the month's own end."""

    start_ns: int | None
    end_ns: int | None


def _problems(documents: PeriodDocuments, declared: frozenset[str]) -> Iterator[Problem]:
    site = documents.find("site")
    zone = ZoneInfo(cast("str", site["zone"])) if site is not None else ZoneInfo("UTC")
    for document in documents.starting("readings/"):
        body = document.body
        hole = _first_hole(body)
        named = cast("Sequence[str]", body["declared_missing"])
        if hole is None or (named and declared.issuperset(named)):
            continue
        unknown = sorted(set(named) - declared)
        extra = f"; the declaration {unknown[0]!r} is not among the month's activities" if unknown else ""
        yield Problem(f"meter {body['meter']}", f"{_said(hole, zone)}{extra}: {REMEDY}")


def _first_hole(body: JsonObject) -> _Hole | None:
    """The first part of the month that no flow covers."""
    boundaries = cast("Sequence[Sequence[int] | None]", body["boundaries"])
    reached = 0
    for start, end, *_ in cast("Sequence[Sequence[int]]", body["flows"]):
        if start != reached:
            return _Hole(_time(boundaries, reached or None), _time(boundaries, start))
        reached = end
    if reached == len(boundaries) - 1 and reached:
        return None
    return _Hole(_time(boundaries, reached or None), None)


def _time(boundaries: Sequence[Sequence[int] | None], number: int | None) -> int | None:
    boundary = boundaries[number] if number is not None else None
    return boundary[0] if boundary is not None else None


def _said(hole: _Hole, zone: ZoneInfo) -> str:
    start, end = (None if t_ns is None else iso(t_ns, zone) for t_ns in (hole.start_ns, hole.end_ns))
    if start and end:
        return f"has no consumption from {start} to {end}"
    if start:
        return f"has no reading for the time after {start}"
    return f"has no reading for the time before {end}" if end else "has no readings"
