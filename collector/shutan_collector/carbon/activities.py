"""Lines of documents: fuels, process inputs, clinker, refrigerants, waste water, fermentation, bought heat.

One line per document row and month, fuels one per fuel and month. A row that reaches over a month's end is divided by
days (按天数分摊): its shares add up to the row exactly. The same purchase counts once: a fuel or heat that an entry
meter counts cannot be entered by invoice as well.

| kind | formula | where |
|---|---|---|
| fuel_movement | combustion.carbon_balance/1 | scope 1; own measured values (fuel_quality) before defaults |
| process_input | process.mass/1 | scope 1 |
| clinker | process.clinker/1 | scope 1 |
| refrigerant | fugitive.stock_balance/1, fugitive.top_up/1 | scope 1; outside the seven gases: memo |
| wastewater | wastewater.ch4/1 | scope 1 |
| fermentation | biogenic.fermentation/1 | memo, biogenic |
| heat_purchase | heat.energy/1, heat.steam_mass/1, heat.hot_water/1 | scope 2 heat |
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from shutan_collector.activity.kinds import days_of, month_share
from shutan_collector.activity.rows import HeatForm, RefrigerantMethod
from shutan_collector.carbon.drafts import Draft, Origin, make_line
from shutan_collector.carbon.formulas import evaluate
from shutan_collector.carbon.fuels import fuel_drafts, metered_carriers
from shutan_collector.carbon.lines import Category, Input, Scope
from shutan_collector.errors import ActivityError, Problem
from shutan_collector.factors.gwp import seven_gas
from shutan_collector.periods import to_ns
from shutan_collector.site.model import Carrier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from fractions import Fraction

    from shutan_collector.activity.kinds import ActivityBook
    from shutan_collector.activity.rows import HeatPurchase, Refrigerant, Row, Wastewater
    from shutan_collector.carbon.lines import Line, Unvalued
    from shutan_collector.factors.gwp import GwpSet
    from shutan_collector.factors.rows import Factor
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Meter, Site

__all__ = ["activity_lines", "month_ns"]

# Bought heat by invoice and by meter: which invoices an entry meter of a carrier would count twice.
_HEAT_METERS = {
    HeatForm.STEAM: (Carrier.STEAM,),
    HeatForm.HOT_WATER: (Carrier.HEAT,),
    HeatForm.HEAT: (Carrier.HEAT, Carrier.STEAM),
}


def month_ns(month: str, site: Site) -> tuple[int, int]:
    """First instant of a month "2025-06" and first instant after it, UTC nanoseconds. Raises RequestError."""
    first, last = days_of(month)
    start, end = (datetime.combine(day, time(), site.zone) for day in (first, last + timedelta(days=1)))
    return to_ns(start), to_ns(end)


def activity_lines(
    site: Site, book: ActivityBook, month: str, factors: FactorTable, as_of: date
) -> tuple[tuple[Line, ...], tuple[Unvalued, ...]]:
    """The lines of a month's documents, by kind, and what could not be valued (nothing, today).

    book    any book; only the rows that `select(month)` gives count, so that the ledger's own copy gives the same
    as_of   report date: only factors known by then serve

    Raises ActivityError with every contradiction at once, FactorError for a missing factor.
    """
    maker = _Maker(site, book.select(month), month, factors.known(as_of))
    lines = tuple(maker.lines())
    if maker.problems:
        raise ActivityError(f"activities of {month}", tuple(maker.problems))
    return lines, ()


class _Maker:
    """Lines of one month; contradictions are collected in `problems`."""

    def __init__(self, site: Site, book: ActivityBook, month: str, factors: FactorTable) -> None:
        self._site = site
        self._book = book
        self._month = month
        self._factors = factors
        self._days = days_of(month)
        self._span_ns = month_ns(month, site)
        self.problems: list[Problem] = []

    def lines(self) -> Iterator[Line]:
        """All lines, kind by kind."""
        metered = metered_carriers(self._site, self._span_ns)
        yield from self._fuels(metered)
        yield from self._processes()
        gwp = self._factors.gwp(self._site.gwp)
        for row in self._book.refrigerants:
            yield from self._checked(
                row, self._refrigerant(row, gwp), "what was recovered and is left exceeds the rest"
            )
        for row in self._book.wastewaters:
            yield from self._checked(row, self._wastewater(row, gwp), "more CH4 was recovered than can arise")
        for row in self._book.fermentations:
            ethanol = Input("ethanol", row.ethanol_t, "t")
            yield self._line(
                row, Draft(Scope.MEMO_BIOGENIC, Category.FERMENTATION, "biogenic.fermentation/1", (ethanol,))
            )
        for row in self._book.heat_purchases:
            yield from self._heat(row, metered)

    def _line(self, row: Row, draft: Draft) -> Line:
        return make_line(draft, self._origin(row.KIND, row.key, draft, (row.ref,)))

    def _origin(
        self, kind: str, key: str, draft: Draft, activities: tuple[str, ...], *, estimated: bool = False
    ) -> Origin:
        return Origin(
            id=f"activity:{kind}/{key}|{draft.scope.value}|{self._month}",
            source=f"activity:{kind}",
            start_ns=self._span_ns[0],
            end_ns=self._span_ns[1],
            activities=activities,
            estimated=estimated,
        )

    def _checked(self, row: Row, draft: Draft, reason: str) -> Iterator[Line]:
        """The line of a row, unless it comes out below zero."""
        if evaluate(draft.formula, draft.inputs, dict(draft.rows)).gas_kg < 0:
            self.problems.append(
                Problem(row.ref, f"the balance is below zero: {reason}; correct the row at {row.place}")
            )
            return
        yield self._line(row, draft)

    def _fuels(self, metered: dict[Carrier, Meter]) -> Iterator[Line]:
        for found in fuel_drafts(self._site, self._book, self._days, metered, self._factors):
            if isinstance(found, Problem):
                self.problems.append(found)
                continue
            burnt, draft, batches = found
            rows = (*burnt.rows, *batches)
            origin = self._origin("fuel_movement", burnt.fuel, draft, rows, estimated=burnt.estimated)
            yield make_line(draft, origin)

    def _processes(self) -> Iterator[Line]:
        for row in self._book.process_inputs:
            factor = self._factors.process(row.material, row.day).row
            inputs = (
                Input("mass", row.mass_t, "t"),
                Input("purity", row.purity, "1"),
                Input("conversion", row.conversion, "1"),
            )
            yield self._line(row, Draft(Scope.SCOPE_1, Category.PROCESS, "process.mass/1", inputs, (("ef", factor),)))
        for row in self._book.clinkers:
            shares = (
                ("cao", row.cao),
                ("cao_nc", row.cao_non_carbonate),
                ("mgo", row.mgo),
                ("mgo_nc", row.mgo_non_carbonate),
            )
            inputs = (Input("mass", row.mass_t, "t"), *(Input(name, share, "1") for name, share in shares))
            yield from self._checked(
                row,
                Draft(Scope.SCOPE_1, Category.PROCESS, "process.clinker/1", inputs),
                "the oxides not from carbonates exceed all oxides",
            )

    def _refrigerant(self, row: Refrigerant, gwp: GwpSet) -> Draft:
        share = month_share(row.start, row.end, self._month)
        if row.method is RefrigerantMethod.TOP_UP:
            formula, masses = "fugitive.top_up/1", (("topped_up", row.topped_up_kg),)
        else:
            formula = "fugitive.stock_balance/1"
            masses = (
                ("opening", row.opening_kg),
                ("bought", row.bought_kg),
                ("closing", row.closing_kg),
                ("recovered", row.recovered_kg),
            )
        scope = Scope.SCOPE_1 if seven_gas(row.gas) else Scope.MEMO_OUTSIDE
        return Draft(
            scope, Category.FUGITIVE, formula, _shares(masses, share), (("gwp", gwp.of(row.gas)),), gas=row.gas
        )

    def _wastewater(self, row: Wastewater, gwp: GwpSet) -> Draft:
        share = month_share(row.start, row.end, self._month)
        masses = (
            ("cod_removed", row.cod_removed_kg),
            ("sludge", row.sludge_cod_kg),
            ("recovered", row.recovered_ch4_kg),
        )
        bo = self._factors.wastewater_bo(min(row.end, self._days[1]))
        return Draft(
            Scope.SCOPE_1,
            Category.WASTEWATER,
            "wastewater.ch4/1",
            (*_shares(masses, share), Input("mcf", row.mcf, "1")),
            (("bo", bo), ("gwp", _methane(gwp))),
            gas="ch4",
        )

    def _heat(self, row: HeatPurchase, metered: dict[Carrier, Meter]) -> Iterator[Line]:
        meter = next((metered[carrier] for carrier in _HEAT_METERS[row.form] if carrier in metered), None)
        if meter is not None:
            self.problems.append(
                Problem(
                    row.ref,
                    f"bought {row.form} is metered at {meter.id} as well, it would count twice: "
                    "remove the row, or give the meter another role than entry",
                )
            )
            return
        factor = self._factors.heat(min(row.end, self._days[1])).row
        share = month_share(row.start, row.end, self._month)
        made = self._heat_draft(row, share, factor)
        if isinstance(made, Problem):
            self.problems.append(made)
        else:
            yield from self._checked(row, made, "water below 20 °C, or steam below its feed water, is no bought heat")

    def _heat_draft(self, row: HeatPurchase, share: Fraction, factor: Factor) -> Draft | Problem:
        ef = ("ef", factor)
        scope, category = Scope.SCOPE_2_HEAT, Category.HEAT
        if row.form is HeatForm.HEAT and row.heat_gj is not None:
            return Draft(scope, category, "heat.energy/1", (Input("heat", row.heat_gj * share, "GJ"),), (ef,))
        if row.form is HeatForm.STEAM and row.mass_t is not None and row.enthalpy_kj_per_kg is not None:
            inputs = (Input("mass", row.mass_t * share, "t"), Input("enthalpy", row.enthalpy_kj_per_kg, "kJ/kg"))
            deduction = self._factors.steam_deduction(min(row.end, self._days[1]))
            return Draft(scope, category, "heat.steam_mass/1", inputs, (("deduction", deduction), ef))
        if row.form is HeatForm.HOT_WATER and row.mass_t is not None and row.temperature_c is not None:
            inputs = (Input("mass", row.mass_t * share, "t"), Input("temperature", row.temperature_c, "Cel"))
            return Draft(scope, category, "heat.hot_water/1", inputs, (ef,))
        return Problem(row.ref, f"{row.form} needs heat_gj, or mass_t with its enthalpy or temperature")


def _shares(masses: tuple[tuple[str, Fraction], ...], share: Fraction) -> tuple[Input, ...]:
    return tuple(Input(name, mass * share, "kg") for name, mass in masses)


def _methane(gwp: GwpSet) -> Factor:
    """Methane of waste water is not fossil: that row where the set tells the two apart, else the one it has."""
    return gwp.of("ch4_bio" if "ch4_bio" in gwp.gases else "ch4")
