"""Standard coal (折标准煤) of one meter or one bought fuel, with where its coefficient comes from.

The rules are those of energy/coal.py: an own net calorific value beats GB/T 2589, and where the standard prints a
range the site model chooses a row. What has no coefficient is told with the reason, and is in no sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.kinds import days_of, month_share
from shutan_collector.energy.coal import Edition, OwnNcv, coal_equivalent
from shutan_collector.errors import FactorError
from shutan_collector.reports.table import Both
from shutan_collector.site.model import Carrier, Role

if TYPE_CHECKING:
    from shutan_collector.accounting.summary import MonthSummary
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Meter, Site

__all__ = ["EDITION", "Coal", "Missing", "fuel_coal", "meter_coal"]

EDITION: Final = Edition.GBT_2589_2020
_STANDARD_COAL: Final = "TCE-SC-NCV"
_GAS_UNIT: Final = "1e4Nm3"
_NM3_PER_WAN: Final = 10_000
_KG_PER_T: Final = 1000


@dataclass(frozen=True, slots=True)
class Coal:
    """Standard coal of a quantity: kgce in all, the coefficient as printed in `unit` (kgce/kWh), and its source."""

    kgce: Fraction
    coefficient: Fraction
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no coefficient."""

    reason: Both


@dataclass(frozen=True, slots=True)
class _Figure:
    value: int | None
    exact: bool = True
    estimated: bool = False


def meter_coal(month: MonthSummary, meter: Meter, value: int, table: FactorTable) -> Coal | Missing:
    """Standard coal of a count of a meter's steps, by calorific equivalent (当量值), wherever the meter stands."""
    as_bought = replace(meter, role=Role.ENTRY, parent="")
    try:
        total = coal_equivalent(
            replace(month.site, meters=(as_bought,)),
            {meter.id: _Figure(value)},
            table,
            days_of(month.period)[1],
            edition=EDITION,
            own=_own(month, meter.carrier),
        )
    except FactorError as error:
        return Missing(Both("无折标系数", str(error)))
    line = total.lines[0]
    return Coal(line.kgce, line.coefficient, f"kgce/{line.unit}", line.source)


def fuel_coal(month: MonthSummary, fuel: str, quantity: Fraction, unit: str, table: FactorTable) -> Coal | Missing:
    """Standard coal of a fuel by documents; unit "t" or "1e4Nm3"."""
    days = days_of(month.period)
    each = _NM3_PER_WAN if unit == _GAS_UNIT else _KG_PER_T
    printed = "kgce/m3" if unit == _GAS_UNIT else "kgce/kg"
    try:
        ncv = _measured_ncv(month, fuel)
        if ncv is not None:
            coefficient = ncv[0] * 1000 / each / table.by_id(_STANDARD_COAL).value
            return Coal(quantity * each * coefficient, coefficient, printed, f"NCV {ncv[1]} / {_STANDARD_COAL}")
        row = table.coal(_chosen(month.site, fuel), EDITION, days[1])
    except FactorError as error:
        return Missing(Both("无折标系数", str(error)))
    if row.unit != printed:
        return Missing(Both("折标系数单位不符", f"{row.id} is in {row.unit}, the documents need {printed}"))
    return Coal(quantity * each * row.value, row.value, printed, row.id)


def _own(month: MonthSummary, carrier: Carrier) -> tuple[OwnNcv, ...]:
    """The measured calorific value of a metered fuel, where its batches state one."""
    found = _measured_ncv(month, carrier.value)
    if found is None:
        return ()
    value, batches, unit = found
    gas = unit == _GAS_UNIT
    # GJ per 1e4 m3 is a tenth of that in MJ per m3; GJ per t is MJ per kg.
    return (OwnNcv(carrier, value / 10 if gas else value, "m3" if gas else "kg", f"NCV {batches}"),)


def _measured_ncv(month: MonthSummary, fuel: str) -> tuple[Fraction, str, str] | None:
    """Mean NCV of the month's batches, weighted by quantity and days, their keys, and the unit they are per.

    None without a batch. Raises FactorError for batches in different units or of no quantity.
    """
    rows = [row for row in month.book.fuel_qualities if row.fuel == fuel]
    weights = [(row, row.quantity * month_share(row.start, row.end, month.period)) for row in rows]
    there = [(row, weight) for row, weight in weights if weight]
    units = sorted({row.unit for row, _ in there})
    if not there:
        return None
    keys = ", ".join(sorted(row.key for row, _ in there))
    if len(units) > 1:
        raise FactorError(f"fuel_quality of {fuel}", f"{keys} are in {' and '.join(units)}")
    mean = sum((row.ncv * weight for row, weight in there), Fraction()) / sum(weight for _, weight in there)
    return mean, keys, units[0]


def _chosen(site: Site, fuel: str) -> str:
    """The row that the site model chooses for a carrier, else the fuel itself."""
    rows = {carrier.value: row for carrier, row in site.coal_rows}
    return rows.get(fuel, fuel)
