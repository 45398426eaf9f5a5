"""Emissions of metered energy, in fractions: scope 2 of bought electricity, scope 1 of burnt natural gas.

scope 2, location-based (范围二, 基于位置)   E = AD × EF                       AD in kWh, EF of the province
scope 1, carbon balance (范围一, 碳平衡)     E = FC × NCV × CC × OF × 44/12    FC in 1e4 Nm3

Only entry meters emit: what stands behind them is already in them, and power made on site from the sun emits nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shutan_collector.carbon.lines import FORMULA_ELECTRICITY, FORMULA_GAS, LedgerLine, Scope, Unvalued, quantise_g
from shutan_collector.errors import FactorError
from shutan_collector.periods import from_ns
from shutan_collector.site.model import Carrier, Meter, Role, Site
from shutan_collector.units import kwh_from_wh, nm3_from_litres

if TYPE_CHECKING:
    from datetime import date
    from fractions import Fraction

    from shutan_collector.energy.measure import Flow
    from shutan_collector.factors.table import FactorTable, FuelFactors, GridCo2Factor
    from shutan_collector.units import GasReference

__all__ = ["Accountant", "electricity_kg", "natural_gas_kg", "not_accounted", "scope_of"]

_SCOPES = {Carrier.ELECTRICITY: Scope.SCOPE_2_LOCATION, Carrier.NATURAL_GAS: Scope.SCOPE_1}
_FORMULAS = {Scope.SCOPE_1: FORMULA_GAS, Scope.SCOPE_2_LOCATION: FORMULA_ELECTRICITY}
# Bought carriers that burn or carry emissions, and that no formula covers yet.
_UNCOVERED = {Carrier.STEAM, Carrier.HEAT, Carrier.DIESEL, Carrier.COAL}


def electricity_kg(energy_wh: int, factor: GridCo2Factor) -> Fraction:
    """CO2 of bought electricity, kg."""
    return kwh_from_wh(energy_wh) * factor.kg_co2_per_kwh


def natural_gas_kg(volume_l: int, reference: GasReference, fuel: FuelFactors) -> Fraction:
    """CO2 of burnt natural gas, kg; volume_l at the meter's reference state."""
    return nm3_from_litres(volume_l, reference) / 10_000 * fuel.t_co2_per_1e4_nm3 * 1000


def scope_of(meter: Meter) -> Scope | None:
    """Scope that a meter's consumption is reported in; None if it emits nothing by itself."""
    return _SCOPES.get(meter.carrier) if meter.role is Role.ENTRY else None


def not_accounted(meter: Meter) -> str:
    """Why a bought carrier is missing from the emissions; empty if it is not missing."""
    if meter.role is Role.ENTRY and meter.carrier in _UNCOVERED:
        return f"bought {meter.carrier} is measured, its emission is not computed"
    return ""


@dataclass(frozen=True, slots=True)
class _Valued:
    """An emission and what it was computed with."""

    scope: Scope
    kg: Fraction
    factor_ids: tuple[str, ...]
    provisional: bool


@dataclass(frozen=True, slots=True)
class Accountant:
    """Turns flows of entry meters into ledger lines, with the factors a report of `as_of` has to use."""

    site: Site
    factors: FactorTable
    as_of: date

    def line(self, meter: Meter, flow: Flow) -> LedgerLine | Unvalued | None:
        """The line of a flow: Unvalued if no single factor fits, None if the flow has no value or no emission.

        Raises FactorError if a factor is missing.
        """
        scope = scope_of(meter)
        if scope is None or flow.value is None:
            return None
        first = from_ns(flow.start_ns, self.site.zone).date()
        last = from_ns(flow.end_ns - 1, self.site.zone).date()
        if scope is Scope.SCOPE_2_LOCATION:
            grid = self.factors.grid_co2(self.site.region, first.year, self.as_of)
            if grid != self.factors.grid_co2(self.site.region, last.year, self.as_of):
                return self._unvalued(meter, flow, "the grid factor changes within this stretch")
            kg = electricity_kg(flow.value, grid)
            return self._line(meter, flow, _Valued(scope, kg, (grid.row.id,), grid.provisional))
        if meter.gas_reference is None:
            raise FactorError(meter.id, "the gas meter has no reference condition")
        fuel = self.factors.gas_fuel(self.site.fuel_family, meter.carrier, first)
        if fuel != self.factors.gas_fuel(self.site.fuel_family, meter.carrier, last):
            return self._unvalued(meter, flow, "the fuel's factors change within this stretch")
        kg = natural_gas_kg(flow.value, meter.gas_reference, fuel)
        return self._line(meter, flow, _Valued(scope, kg, fuel.ids, provisional=False))

    def _line(self, meter: Meter, flow: Flow, valued: _Valued) -> LedgerLine:
        return LedgerLine(
            site=self.site.id,
            meter=meter.id,
            scope=valued.scope,
            part=flow.part,
            start_ns=flow.start_ns,
            end_ns=flow.end_ns,
            value=flow.value or 0,
            unit=meter.unit,
            gas_reference=meter.gas_reference,
            pieces=flow.pieces,
            factor_ids=valued.factor_ids,
            formula=_FORMULAS[valued.scope],
            provisional=valued.provisional,
            estimated=flow.estimated,
            exact=flow.exact,
            kg=valued.kg,
            emission_g=quantise_g(valued.kg),
        )

    def _unvalued(self, meter: Meter, flow: Flow, reason: str) -> Unvalued:
        return Unvalued(meter.id, flow.start_ns, flow.end_ns, flow.value or 0, meter.unit, reason)
