"""Lines of meters: bought electricity, gas and heat, and what is handed to others.

| carrier | entry meter | export meter |
|---|---|---|
| electricity, pv | scope 2 by location (基于位置) and, beside it, by the reporting default | both as memo items |
| natural_gas | scope 1, carbon balance at the meter's reference condition | – |
| steam, heat | scope 2 heat | memo item |

A flow over which a factor changes (a gap over new year, when both years' factors are issued) has no single factor: it
is Unvalued, once, and has a line in no scope, so that figures side by side stand for the same energy.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_collector.activity.kinds import days_of
from shutan_collector.carbon.accountant import scopes_of
from shutan_collector.carbon.drafts import Draft, Origin, fuel_rows, make_line
from shutan_collector.carbon.fuels import own_values
from shutan_collector.carbon.lines import Category, Input, Line, Scope, Unvalued
from shutan_collector.errors import FactorError
from shutan_collector.factors.measured import fuel_values
from shutan_collector.periods import from_ns
from shutan_collector.site.model import Carrier
from shutan_collector.units import Unit, tonnes_from_grams

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import date

    from shutan_collector.activity.kinds import ActivityBook
    from shutan_collector.energy.measure import Flow
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Meter, Site

__all__ = ["metered_lines"]

_REPORTING = {Scope.SCOPE_2_REPORTING, Scope.MEMO_EXPORT_REPORTING}
_CHANGES = {
    "electricity.average/1": "the grid factor changes within this stretch",
    "combustion.metered_gas/1": "the fuel's factors change within this stretch",
    "heat.metered/1": "the heat factor changes within this stretch",
    "heat.steam_mass/1": "the heat factor changes within this stretch",
}


def metered_lines(
    site: Site,
    meter: Meter,
    flows: Sequence[Flow],
    factors: FactorTable,
    as_of: date,
    *,
    scopes: Collection[Scope] | None = None,
    book: ActivityBook | None = None,
) -> tuple[tuple[Line, ...], tuple[Unvalued, ...]]:
    """The lines of one meter's flows, by scope, then in the order of the flows; `line.flow` numbers the flow.

    scopes   only these; None = all that the meter has
    book     rows of the site: measured values of a gas (fuel_quality) take precedence over the defaults

    A flow without a value makes no line. Raises FactorError if a factor is missing.
    """
    lines: list[Line] = []
    unvalued: dict[int, Unvalued] = {}
    valuer = _Valuer(site, meter, factors, as_of, book)
    for scope in scopes_of(meter):
        if scopes is not None and scope not in scopes:
            continue
        draft_of = valuer.drafting(scope)
        for number, flow in enumerate(flows):
            if flow.value is None:
                continue
            found = valuer.line(draft_of, scope, number, flow)
            if isinstance(found, Line):
                lines.append(found)
            else:
                unvalued.setdefault(number, found)
    return tuple(line for line in lines if line.flow not in unvalued), tuple(unvalued.values())


class _Valuer:
    """The drafts of one meter, day by day; factors are looked up once per day."""

    def __init__(self, site: Site, meter: Meter, factors: FactorTable, as_of: date, book: ActivityBook | None) -> None:
        self._site = site
        self._meter = meter
        self._factors = factors.known(as_of)
        self._as_of = as_of
        self._batches = [row for row in book.fuel_qualities if row.fuel == meter.carrier] if book else []
        self._of_day: dict[tuple[Scope, date], Draft] = {}

    def drafting(self, scope: Scope) -> Callable[[date], Draft]:
        """The draft of a day without its quantity."""
        by_carrier: dict[Carrier, Callable[[Scope, date], Draft]] = {
            Carrier.ELECTRICITY: self._electricity,
            Carrier.PV: self._electricity,
            Carrier.NATURAL_GAS: self._gas,
            Carrier.STEAM: self._heat,
            Carrier.HEAT: self._heat,
        }
        draft_of = by_carrier[self._meter.carrier]

        def cached(day: date) -> Draft:
            draft = self._of_day.get((scope, day))
            if draft is None:
                draft = self._of_day[scope, day] = draft_of(scope, day)
            return draft

        return cached

    def line(self, draft_of: Callable[[date], Draft], scope: Scope, number: int, flow: Flow) -> Line | Unvalued:
        zone, source = self._site.zone, f"meter:{self._meter.id}"
        draft = draft_of(from_ns(flow.start_ns, zone).date())
        last = draft_of(from_ns(flow.end_ns - 1, zone).date())
        if (draft.rows, draft.inputs) != (last.rows, last.inputs):
            value = Fraction(flow.value or 0)
            unit = self._meter.unit.value
            return Unvalued(source, flow.start_ns, flow.end_ns, value, unit, _CHANGES[draft.formula])
        origin = Origin(
            id=f"{source}|{scope.value}|{flow.start_ns}",
            source=source,
            start_ns=flow.start_ns,
            end_ns=flow.end_ns,
            flow=number,
            activities=draft.activities,
            estimated=flow.estimated,
            exact=flow.exact,
        )
        # The same row may be the last day's own factor and the first day's stand-in (暂用), or the other way round.
        provisional = draft.provisional or last.provisional
        return make_line(draft.of_activity(self._quantity(flow.value or 0), provisional=provisional), origin)

    def _quantity(self, value: int) -> Input:
        match self._meter.unit:
            case Unit.WH:
                return Input("energy", Fraction(value), "Wh")
            case Unit.LITRE:
                return Input("volume", Fraction(value), "L")
            case Unit.GRAM:
                return Input("mass", tonnes_from_grams(value), "t")
            case Unit.KJ:
                return Input("heat", Fraction(value), "kJ")

    def _electricity(self, scope: Scope, day: date) -> Draft:
        if scope in _REPORTING:
            found = self._factors.grid_reporting(day.year, self._as_of)
        else:
            found = self._factors.grid_co2(self._site.region, day.year, self._as_of)
        rows = (("ef", found.row),)
        return Draft(scope, Category.ELECTRICITY, "electricity.average/1", (), rows, provisional=found.provisional)

    def _gas(self, scope: Scope, day: date) -> Draft:
        reference = self._meter.gas_reference
        if reference is None:
            raise FactorError(self._meter.id, "the gas meter has no reference condition")
        state = (
            Input("temperature", reference.temperature_c, "Cel"),
            Input("pressure", reference.pressure_kpa, "kPa"),
        )
        family, fuel, formula = self._site.fuel_family, self._meter.carrier.value, "combustion.metered_gas/1"
        days = days_of(f"{day:%Y-%m}")
        if not any(row.start <= days[1] and days[0] <= row.end for row in self._batches):
            rows = fuel_rows(self._factors.gas_fuel(family, fuel, day))
            return Draft(scope, Category.COMBUSTION, formula, state, rows)
        values = fuel_values(self._factors, family, fuel, days, self._batches)
        inputs, rows, batches = own_values(values)
        return Draft(scope, Category.COMBUSTION, formula, (*state, *inputs), rows, activities=batches)

    def _heat(self, scope: Scope, day: date) -> Draft:
        row = self._factors.heat(day).row
        if self._meter.unit is Unit.KJ:
            return Draft(scope, Category.HEAT, "heat.metered/1", (), (("ef", row),))
        if self._meter.enthalpy_kj_per_kg is None:
            raise FactorError(self._meter.id, "the steam meter counts mass and has no enthalpy_kj_per_kg")
        enthalpy = Input("enthalpy", self._meter.enthalpy_kj_per_kg, "kJ/kg")
        deduction = self._factors.steam_deduction(day)
        return Draft(scope, Category.HEAT, "heat.steam_mass/1", (enthalpy,), (("deduction", deduction), ("ef", row)))
