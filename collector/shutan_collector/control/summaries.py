"""Actuals of a budget from accounted months: who emitted, in which area, by which carrier.

The carbon of bought energy belongs to an entry meter, which has no area as a rule. Its grams go to areas by what the
sub-meters below it counted (GB 17167 levels 2 and 3): a meter with an area takes its energy there, one without is
looked through to its own sub-meters, and what no sub-meter counted stays with no area (未分摊). Grams are integers;
they are divided by largest remainder, so that the areas sum to the source exactly.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.lines import Scope
from shutan_collector.control.actuals import Actual, Actuals, Volume, volumes_of
from shutan_collector.site.model import Carrier, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shutan_collector.accounting.summary import MonthSummary
    from shutan_collector.site.model import Meter

__all__ = ["LOCATION_BASED", "MARKET_BASED", "actuals_of", "divide_grams"]

# What a budget usually covers; the electricity of scope 2 counts by one method only.
LOCATION_BASED: Final = frozenset({Scope.SCOPE_1, Scope.SCOPE_2_LOCATION, Scope.SCOPE_2_HEAT})
MARKET_BASED: Final = frozenset({Scope.SCOPE_1, Scope.SCOPE_2_MARKET, Scope.SCOPE_2_HEAT})


def actuals_of(months: Iterable[MonthSummary], scopes: frozenset[Scope] = LOCATION_BASED) -> Actuals:
    """Emissions of those scopes with the volumes of the months' activity rows."""
    rows: list[Actual] = []
    volumes: list[Volume] = []
    for month in months:
        grams: dict[str, int] = defaultdict(int)
        for item in month.emissions:
            if item.scope in scopes:
                grams[item.source] += item.co2e_g
        for source, total in grams.items():
            carrier, shares = _carrier_and_areas(month, source)
            parts = divide_grams(total, shares)
            rows.extend(Actual(month.period, source, area, carrier, part) for area, part in parts.items())
        volumes.extend(volumes_of(month.book, month.period))
    return Actuals(tuple(rows), tuple(volumes))


def divide_grams(total_g: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Grams in proportion to weights (none below zero), by largest remainder; all to "" where nothing weighs."""
    whole = sum(weights.values())
    if whole <= 0:
        return {"": total_g}
    exact = {name: Fraction(total_g * weight, whole) for name, weight in weights.items()}
    parts = {name: share.numerator // share.denominator for name, share in exact.items()}
    by_rest = sorted(exact, key=lambda name: (parts[name] - exact[name], name))
    for name in by_rest[: total_g - sum(parts.values())]:
        parts[name] += 1
    return parts


def _carrier_and_areas(month: MonthSummary, source: str) -> tuple[str, dict[str, int]]:
    kind, _, name = source.partition(":")
    entries = [meter for meter in month.site.meters if meter.role is Role.ENTRY]
    if kind == "meter":
        roots = [meter for meter in month.site.meters if meter.id == name]
    elif kind == "market":  # instruments and the residual mix cover all bought electricity together
        roots = [meter for meter in entries if meter.carrier is Carrier.ELECTRICITY]
    else:
        return name, {"": 1}
    carrier = roots[0].carrier.value if roots else ""
    weights: dict[str, int] = defaultdict(int)
    for root in roots:
        _weigh(month, root, weights)
    return carrier, dict(weights)


def _weigh(month: MonthSummary, meter: Meter, weights: dict[str, int]) -> None:
    """Add what a meter counted to the areas below it, in its own step.

    Where sub-meters counted more than their parent, nothing is left over and their areas share what there is.
    """
    use = month.meter(meter.id)
    value = use.value if use is not None and use.value is not None else 0
    if meter.area:
        weights[meter.area] += value
        return
    below = [item for item in month.site.meters if item.parent == meter.id and _counts(item, meter)]
    counted = 0
    for item in below:
        part = month.meter(item.id)
        counted += part.value if part is not None and part.value is not None else 0
        _weigh(month, item, weights)
    weights[""] += max(value - counted, 0)


def _counts(item: Meter, parent: Meter) -> bool:
    """A sub-meter in the parent's step; what is made on site or handed on is not the parent's."""
    return item.role is Role.SUB and item.metric == parent.metric
