"""What single rows cannot say: things that stand twice, bills that overlap, certificates that are not there."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from shutan_collector.activity.rows import Bill, Certificate, GreenPower, Production, Row
from shutan_collector.activity.templates import template_of
from shutan_collector.errors import Problem
from shutan_collector.exact import exact_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_collector.activity.columns import Template
    from shutan_collector.activity.kinds import ActivityBook

__all__ = ["check_book", "check_rows"]


def check_book(book: ActivityBook) -> tuple[Problem, ...]:
    """All contradictions among the rows of a book that comes from several imports."""
    return tuple(check_rows([(template_of(row.KIND), row) for row in book]))


def check_rows(rows: Sequence[tuple[Template, Row]]) -> Iterator[Problem]:
    """All contradictions among rows of all files, in their order."""
    yield from _twice(rows)
    plain = [row for _, row in rows]
    yield from _overlapping([row for row in plain if isinstance(row, Bill)])
    yield from _green_power(plain)
    yield from _units([row for row in plain if isinstance(row, Production)])


def _twice(rows: Sequence[tuple[Template, Row]]) -> Iterator[Problem]:
    """Columns that together name a thing which can stand only once, besides the key: the month of a value added."""
    first: dict[tuple[object, ...], Row] = {}
    for template, row in rows:
        if template.unique:
            named = (getattr(row, template.column(name).target) for name in template.unique)
            before = first.setdefault((template.kind, *named), row)
            if before.ref != row.ref:
                reason = f"the same {' and '.join(template.unique)} stands already at {before.place} ({before.key!r})"
                yield Problem(f"{row.place} {template.unique[0]}", reason)


def _overlapping(bills: Sequence[Bill]) -> Iterator[Problem]:
    """Two bills of a meter that count a day twice."""
    by_meter: dict[str, list[Bill]] = defaultdict(list)
    for bill in bills:
        by_meter[bill.meter].append(bill)
    for rows in by_meter.values():
        for before, after in pairwise(sorted(rows, key=lambda bill: (bill.start, bill.end))):
            if after.start <= before.end:
                yield Problem(
                    f"{after.place} start",
                    f"{after.start} lies within the bill {before.key!r} of the same meter, which ends on {before.end} "
                    f"({before.place}); end is inclusive",
                )


def _green_power(rows: Sequence[Row]) -> Iterator[Problem]:
    """Green power needs its certificate, and together no more than the certificate holds."""
    certificates = {row.key: row for row in rows if isinstance(row, Certificate)}
    used: dict[str, Fraction] = defaultdict(Fraction)
    for row in rows:
        if not isinstance(row, GreenPower):
            continue
        certificate = certificates.get(row.certificate)
        if certificate is None:
            yield Problem(f"{row.place} certificate", f"{row.certificate!r} is not among the rows of certificate")
            continue
        used[row.certificate] += row.mwh
        if used[row.certificate] > certificate.mwh:
            held = exact_text(certificate.mwh)
            yield Problem(f"{row.place} energy", f"more than the {held} MWh of the certificate {row.certificate!r}")


def _units(rows: Sequence[Production]) -> Iterator[Problem]:
    """One product is counted in one unit."""
    units: dict[str, Production] = {}
    for row in rows:
        first = units.setdefault(row.product, row)
        if row.unit != first.unit:
            reason = f"found {row.unit!r}; {row.product!r} is counted in {first.unit} at {first.place}"
            yield Problem(f"{row.place} unit", reason)
