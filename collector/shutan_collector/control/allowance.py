"""Position in the national ETS (全国碳排放权交易市场): pre-allocation, final allocation, surplus or gap, tonnes.

    2024   allocation = ratio × verified emissions                       (row of the factor table)
    2025   pre-allocation = ratio × verified emissions of the year before
           allocation = verified × (1 + rate), rate cut to ± limit       (盈缺率, rows of the factor table)
    balance = allocation + carried over + bought - sold + CCER - verified,  CCER at most its share of the surrender

The rate is what the authority states; until then it is unknown, and the position is given for both ends of the band.
`estimated_rate` is an estimate from two intensities, for planning only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from importlib import resources
from typing import TYPE_CHECKING, Final

from shutan_collector.control.reading import read_toml
from shutan_collector.errors import ControlError, FactorError, Problem

if TYPE_CHECKING:
    from shutan_collector.factors.table import Factor, FactorTable

__all__ = [
    "AllowanceRules",
    "Holdings",
    "Position",
    "allowance_position",
    "allowance_rules",
    "ccer_limit",
    "estimated_rate",
    "included",
]

_RATIOS: Final = ("allocation_ratio", "prealloc_ratio", "surplus_limit")
_UNITS: Final = {**dict.fromkeys(_RATIOS, "t/t"), "threshold": "tCO2e/a"}


@dataclass(frozen=True, slots=True)
class AllowanceRules:
    """Rows of one year; either a fixed ratio, or pre-allocation with a band. ccer_limit is a share of the surrender."""

    year: int
    allocation: Factor | None
    pre_allocation: Factor | None
    limit: Factor | None
    ccer_limit: Fraction

    @property
    def rows(self) -> tuple[Factor, ...]:
        """The factor rows in use."""
        return tuple(row for row in (self.allocation, self.pre_allocation, self.limit) if row is not None)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an entity brings to the surrender, tonnes.

    verified_t         direct emissions of the year, or what is expected of them
    is_verified        False: verified_t is an expectation
    prior_verified_t   of the year before, for the pre-allocation
    rate               surplus (+) or gap (-) rate as the authority states it; None = not known yet
    """

    verified_t: Fraction
    is_verified: bool = False
    prior_verified_t: Fraction | None = None
    rate: Fraction | None = None
    carried_over_t: Fraction = Fraction(0)
    bought_t: Fraction = Fraction(0)
    sold_t: Fraction = Fraction(0)
    ccer_t: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Position:
    """Where the entity stands, tonnes; above zero is a surplus (盈余), below a gap (缺口).

    pre_allocated_t        None where the year has none, or the year before is not known
    allocated_low_t, _high_t   the two are one where the rate is known or the year has a fixed ratio
    still_to_come_t        allocation less pre-allocation, low end
    ccer_counted_t         what counts of the CCER held; the rest stays
    cut                    the stated rate was beyond the limit
    """

    rules: AllowanceRules
    holdings: Holdings
    pre_allocated_t: Fraction | None
    allocated_low_t: Fraction
    allocated_high_t: Fraction
    still_to_come_t: Fraction | None
    surrender_t: Fraction
    ccer_limit_t: Fraction
    ccer_counted_t: Fraction
    balance_low_t: Fraction
    balance_high_t: Fraction
    cut: bool


def allowance_rules(factors: FactorTable, year: int, ccer: Fraction | None = None) -> AllowanceRules:
    """The rules of a year from the factor table. Raises FactorError naming what is missing; there is no default."""
    rows = {name: _row(factors, name, year) for name in _RATIOS}
    allocation, pre, limit = rows["allocation_ratio"], rows["prealloc_ratio"], rows["surplus_limit"]
    if allocation is None and (pre is None or limit is None):
        missing = (
            "allocation_ratio"
            if pre is None and limit is None
            else "prealloc_ratio"
            if pre is None
            else "surplus_limit"
        )
        raise FactorError(
            f"ets {missing} {year}", "no such row is valid in that year; a factor release has to bring it"
        )
    return AllowanceRules(year, allocation, pre, limit, ccer_limit() if ccer is None else ccer)


def allowance_position(rules: AllowanceRules, holdings: Holdings) -> Position:
    """The position of one year. Raises ControlError for amounts below zero."""
    _check(holdings)
    verified = holdings.verified_t
    pre = None
    if rules.pre_allocation is not None and holdings.prior_verified_t is not None:
        pre = rules.pre_allocation.value * holdings.prior_verified_t
    low, high, cut = _allocation(rules, holdings)
    ccer_most = rules.ccer_limit * verified
    ccer = min(holdings.ccer_t, ccer_most)
    other = holdings.carried_over_t + holdings.bought_t - holdings.sold_t + ccer - verified
    return Position(
        rules=rules,
        holdings=holdings,
        pre_allocated_t=pre,
        allocated_low_t=low,
        allocated_high_t=high,
        still_to_come_t=None if pre is None else low - pre,
        surrender_t=verified,
        ccer_limit_t=ccer_most,
        ccer_counted_t=ccer,
        balance_low_t=low + other,
        balance_high_t=high + other,
        cut=cut,
    )


def estimated_rate(own_intensity: Fraction, balance_intensity: Fraction) -> Fraction:
    """Relative distance of the own intensity from the sector's balance value; above zero is better than it.

    An estimate for planning, not cut to the limit. Raises ControlError for a balance value that is not above zero.
    """
    if balance_intensity <= 0:
        raise ControlError("allowance", (Problem("balance intensity", "must be above zero"),))
    return 1 - own_intensity / balance_intensity


def included(factors: FactorTable, direct_t: Fraction, year: int) -> bool:
    """Whether direct emissions of a year reach the threshold of inclusion (纳入门槛). Raises FactorError."""
    row = _row(factors, "threshold", year)
    if row is None:
        raise FactorError(
            f"ets threshold {year}", "no such row is valid in that year; a factor release has to bring it"
        )
    return direct_t >= row.value


def ccer_limit() -> Fraction:
    """Packaged share of the surrender that CCER may offset."""
    path = resources.files("shutan_collector") / "control" / "data" / "allowance.toml"
    root = read_toml(path.read_text(encoding="utf-8"), "allowance.toml")
    ccer = root.table("ccer")
    limit = ccer.number("limit", Fraction(0), Fraction(1))
    root.told()
    return limit


def _allocation(rules: AllowanceRules, holdings: Holdings) -> tuple[Fraction, Fraction, bool]:
    verified = holdings.verified_t
    if rules.allocation is not None:
        fixed = rules.allocation.value * verified
        return fixed, fixed, False
    limit = rules.limit.value if rules.limit is not None else Fraction(0)
    if holdings.rate is None:
        return verified * (1 - limit), verified * (1 + limit), False
    rate = max(-limit, min(limit, holdings.rate))
    return verified * (1 + rate), verified * (1 + rate), rate != holdings.rate


def _row(factors: FactorTable, parameter: str, year: int) -> Factor | None:
    """The row of a parameter that holds for the whole year; two of them are a mistake of the table."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    found = [
        row
        for row in factors
        if row.category == "ets" and row.parameter == parameter and row.serves(first) and row.serves(last)
    ]
    if len(found) > 1:
        raise FactorError(f"ets {parameter} {year}", f"ambiguous: {', '.join(row.id for row in found)}")
    if found and found[0].unit != _UNITS[parameter]:
        raise FactorError(found[0].id, f"unit is {found[0].unit}, expected {_UNITS[parameter]}")
    return found[0] if found else None


def _check(holdings: Holdings) -> None:
    names = ("verified_t", "prior_verified_t", "carried_over_t", "bought_t", "sold_t", "ccer_t")
    problems = [Problem(name, "is below zero") for name in names if (getattr(holdings, name) or 0) < 0]
    if problems:
        raise ControlError("allowance", tuple(problems))
