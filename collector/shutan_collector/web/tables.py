"""Answers about the factor table and the chain of the ledger."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING

from shutan_collector.accounting.reference import factor_row
from shutan_collector.errors import FactorError
from shutan_collector.web import line_models
from shutan_collector.web.problems import ProblemError

if TYPE_CHECKING:
    from shutan_collector.factors.release import Release
    from shutan_collector.factors.rows import Factor
    from shutan_collector.web.snapshot import Snapshot

__all__ = ["entry_list", "factor_item", "factor_list"]


def factor_list(
    release: Release, *, category: str | None, subject: str | None, region: str | None, offset: int, limit: int
) -> line_models.FactorList:
    """A page of the rows of a release, in file order."""
    wanted = ((category, "category"), (subject, "subject"), (region, "region"))
    rows = [row for row in release.table if all(value is None or getattr(row, name) == value for value, name in wanted)]
    return line_models.FactorList(
        release=release.name,
        total=len(rows),
        offset=offset,
        limit=limit,
        factors=tuple(map(_factor, rows[offset : offset + limit])),
    )


def factor_item(release: Release, factor_id: str) -> line_models.FactorItem:
    """One row by id."""
    try:
        return _factor(release.table.by_id(factor_id))
    except FactorError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error


def entry_list(
    snapshot: Snapshot, *, kind: str | None, period: str | None, after: int, limit: int
) -> line_models.EntryList:
    """A page of the chain."""
    headers = snapshot.ledger.headers(kind=kind, period=period, after=after)
    page = list(islice(headers, limit + 1))
    return line_models.EntryList(
        head=snapshot.mark,
        next=page[limit - 1].seq if len(page) > limit else None,
        entries=tuple(
            line_models.EntryItem(
                seq=item.seq,
                at=item.at,
                author=item.author,
                kind=item.kind,
                key=item.key,
                period=item.period,
                body_sha256=item.body_sha256,
                previous=item.previous,
                hash=item.hash,
            )
            for item in page[:limit]
        ),
    )


def _factor(row: Factor) -> line_models.FactorItem:
    return line_models.FactorItem.model_validate(factor_row(row))
