"""Totals of the carbon ledger: sums of lines and nothing else, so that they add up the same in any order.

The three figures of scope 2 stand side by side; each total holds scope 1, purchased heat and one of them. Memo items
are in no total.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shutan_collector.carbon.accountant import not_accounted
from shutan_collector.carbon.lines import Category, Line, Scope
from shutan_collector.errors import FactorError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_collector.activity.kinds import ActivityBook
    from shutan_collector.carbon.lines import Unvalued
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Site

__all__ = ["GasSum", "ScopeSum", "Totals", "gwp_set_of", "missing_of", "total_of"]


@dataclass(frozen=True, slots=True)
class ScopeSum:
    """CO2 equivalent of one scope, grams."""

    scope: Scope
    co2e_g: int


@dataclass(frozen=True, slots=True)
class GasSum:
    """Mass of one gas in one scope and category, and its CO2 equivalent, grams."""

    scope: Scope
    category: Category
    gas: str
    gas_g: int
    co2e_g: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of a period.

    scopes       every scope that has lines, in the order of `Scope`
    gases        by scope, category and gas
    unvalued     stretches and rows that no line holds
    missing      bought carriers that are measured and not accounted, each with the reason
    provisional  a factor is 暂用
    estimated    a quantity is 估算
    exact        False if an unknown amount passed somewhere
    """

    scopes: tuple[ScopeSum, ...]
    gases: tuple[GasSum, ...]
    unvalued: int
    missing: tuple[str, ...]
    provisional: bool
    estimated: bool
    exact: bool

    def scope_g(self, scope: Scope) -> int:
        """CO2 equivalent of a scope, grams; 0 if it has no line."""
        return next((item.co2e_g for item in self.scopes if item.scope is scope), 0)

    @property
    def direct_g(self) -> int:
        """Scope 1."""
        return self.scope_g(Scope.SCOPE_1)

    @property
    def location_g(self) -> int:
        """Scope 1, heat and location-based electricity."""
        return self._with(Scope.SCOPE_2_LOCATION)

    @property
    def market_g(self) -> int:
        """Scope 1, heat and market-based electricity."""
        return self._with(Scope.SCOPE_2_MARKET)

    @property
    def reporting_g(self) -> int:
        """Scope 1, heat and electricity by the reporting default."""
        return self._with(Scope.SCOPE_2_REPORTING)

    @property
    def complete(self) -> bool:
        """Whether everything that was bought and used is in a line, and no unknown amount passed."""
        return not self.unvalued and not self.missing and self.exact

    def _with(self, electricity: Scope) -> int:
        return self.direct_g + self.scope_g(Scope.SCOPE_2_HEAT) + self.scope_g(electricity)


def total_of(lines: Iterable[Line], unvalued: Iterable[Unvalued] = (), missing: Iterable[str] = ()) -> Totals:
    """The sums of lines, and what stands beside them. missing: as `missing_of` lists it."""
    sums: dict[tuple[Scope, Category, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    provisional = estimated = False
    exact = True
    for line in lines:
        key = line.scope, line.category, line.gas
        mass, co2e = sums[key]
        sums[key] = mass + line.gas_g, co2e + line.co2e_g
        provisional |= line.provisional
        estimated |= line.estimated
        exact &= line.exact
    order = {scope: number for number, scope in enumerate(Scope)}
    gases = tuple(
        GasSum(*key, *sums[key]) for key in sorted(sums, key=lambda key: (order[key[0]], key[1].value, key[2]))
    )
    found = {item.scope for item in gases}
    scopes = tuple(
        ScopeSum(scope, sum(item.co2e_g for item in gases if item.scope is scope)) for scope in Scope if scope in found
    )
    return Totals(scopes, gases, sum(1 for _ in unvalued), tuple(missing), provisional, estimated, exact)


def missing_of(site: Site, book: ActivityBook | None = None) -> tuple[str, ...]:
    """Bought carriers of a site that are not accounted, "<meter>: <reason>"; book: rows of the period."""
    return tuple(f"{meter.id}: {reason}" for meter in site.meters if (reason := not_accounted(meter, book)))


def gwp_set_of(lines: Iterable[Line], factors: FactorTable) -> str:
    """The one GWP set (named by its parameter, "gwp100_ar5") that lines use; empty if they use none.

    Raises FactorError if they mix sets: such a sum means nothing.
    """
    found: dict[str, str] = {}
    for line in lines:
        for use in line.factors:
            if use.role == "gwp":
                found.setdefault(factors.by_id(use.id).parameter, use.id)
    if len(found) > 1:
        raise FactorError(" and ".join(sorted(found.values())), "one total uses one GWP set; restate with one of them")
    return next(iter(found), "")
