"""Maximum demand (最大需量): the highest mean power of a quarter of an hour, on the calendar's quarters, per month.

The mean is taken between the readings used, so that a logger that always reads three minutes late gives the same
figure. Quarters whose readings are not about 15 min apart, or that are estimated or cut, say nothing about demand: they
are counted as unknown. A sliding 15-min maximum (滑差式) inside the meter can be higher.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Final

from shutan_collector.periods import NS_PER_S, from_ns

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from shutan_collector.energy.measure import Flow, MeterEnergy

__all__ = ["Demand", "MonthDemand", "demand_of", "monthly_demand"]

_QUARTER_NS: Final = 900 * NS_PER_S
_SLACK_NS: Final = 90 * NS_PER_S  # a tenth of a quarter: farther apart, the mean is that of another stretch


@dataclass(frozen=True, slots=True)
class Demand:
    """Mean power of one quarter.

    start_ns, end_ns     the quarter
    from_ns, to_ns       the readings it rests on
    kw                   exact
    """

    start_ns: int
    end_ns: int
    from_ns: int
    to_ns: int
    energy_wh: int
    kw: Fraction


@dataclass(frozen=True, slots=True)
class MonthDemand:
    """Maximum of a calendar month ("2025-06"), of equal ones the first; `known` of its `quarters` have a figure."""

    month: str
    peak: Demand | None
    known: int
    quarters: int


def demand_of(flow: Flow) -> Demand | None:
    """Demand of one quarter's figure in Wh, None where it cannot be told."""
    counted = flow.counted_ns
    whole = flow.end_ns - flow.start_ns == _QUARTER_NS
    if flow.value is None or counted is None or flow.estimated or not flow.exact or not whole:
        return None
    elapsed_ns = counted[1] - counted[0]
    if abs(elapsed_ns - _QUARTER_NS) > _SLACK_NS:
        return None
    return Demand(
        flow.start_ns, flow.end_ns, *counted, flow.value, Fraction(flow.value * 3600 * NS_PER_S, elapsed_ns * 1000)
    )


def monthly_demand(energy: MeterEnergy, zone: ZoneInfo) -> tuple[MonthDemand, ...]:
    """Maximum demand of each month in a measurement by quarters (Kind.QUARTER) of an electricity meter."""
    months: list[MonthDemand] = []
    for month, flows in groupby(energy.periods, key=lambda flow: f"{from_ns(flow.start_ns, zone):%Y-%m}"):
        found = [demand_of(flow) for flow in flows]
        known = [demand for demand in found if demand is not None]
        peak = max(known, key=lambda demand: demand.kw, default=None)
        months.append(MonthDemand(month, peak, len(known), len(found)))
    return tuple(months)
