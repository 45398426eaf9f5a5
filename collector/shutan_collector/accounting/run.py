"""A month, or the months of a year in order, from one basis."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from shutan_collector.accounting.month import account_month, months_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shutan_collector.accounting.documents import PeriodDocuments
    from shutan_collector.accounting.month import Basis

__all__ = ["account_period", "claimed_in"]


def claimed_in(months: Iterable[PeriodDocuments]) -> frozenset[str]:
    """The certificates that months claim."""
    bodies = (month.find("claims") for month in months)
    rows = (cast("Sequence[Sequence[str]]", body["claims"]) for body in bodies if body is not None)
    return frozenset(claim[0] for claims in rows for claim in claims)


def account_period(
    basis: Basis, period: str, *, done: Callable[[str], None] | None = None
) -> tuple[PeriodDocuments, ...]:
    """The documents of each month of a period; a certificate that one month claims is gone for the next ones.

    done   called with each month when it is computed, for a progress bar
    """
    months: list[PeriodDocuments] = []
    for month in months_of(period):
        months.append(account_month(basis, month, claimed=claimed_in(months)))
        if done is not None:
            done(month)
    return tuple(months)
