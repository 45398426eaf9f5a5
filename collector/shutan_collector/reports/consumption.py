"""Comprehensive energy consumption (综合能耗) of a month or year: what came from outside, by carrier, in tce.

Counted: entry meters, photovoltaic power made on site, bought fuels by stock balance, bought heat. Not counted: what
was made on site out of them (steam of the own boiler, compressed air), since that energy is metered already. What is
exported is taken off. A fuel with an entry meter is taken from the meter; its documents are not added a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.accounting.summary import YearSummary
from shutan_collector.activity.kinds import days_of
from shutan_collector.activity.rows import Direction, HeatForm
from shutan_collector.factors.table import packaged_factors
from shutan_collector.reports.carriers import CARRIER_NAMES, report_quantity
from shutan_collector.reports.coefficient import EDITION, Coefficient, Missing, fuel_coefficient, meter_coefficient
from shutan_collector.reports.table import Both
from shutan_collector.site.model import Carrier, Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from shutan_collector.accounting.summary import MonthSummary
    from shutan_collector.activity.rows import HeatPurchase
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Meter

__all__ = ["CarrierUse", "Consumption", "consumption"]

_KG_PER_T: Final = 1000
_KWH_PER_WAN: Final = 10_000
_WATER_C: Final = 20  # reference temperature of hot water in the accounting guidelines
_WATER_KJ_PER_KG_K: Final = Fraction("4.1868")


@dataclass(frozen=True, slots=True)
class CarrierUse:
    """One carrier over a period; quantities in `unit`, None where they are not known.

    opening, closing   stocks; None for what comes through a pipe or wire
    coefficient        kgce per unit; over several months the mean that their tce came from; None = missing
    tce                calorific (当量值); None = not computed, and `missing` says why
    tce_primary        electricity by primary equivalent (等价值), other carriers as tce; None = not stated
    non_fossil         made from wind, sun or water on site
    """

    key: str
    name: Both
    unit: str
    opening: Fraction | None
    purchased: Fraction
    generated: Fraction
    handed_out: Fraction
    closing: Fraction | None
    used: Fraction | None
    coefficient: Fraction | None
    coefficient_source: str
    tce: Fraction | None
    tce_primary: Fraction | None
    missing: Both | None
    electric: bool
    non_fossil: bool


@dataclass(frozen=True, slots=True)
class Consumption:
    """All carriers, and their sum; a carrier without tce is missing in the sum and makes it not complete."""

    edition: str
    primary_source: str
    carriers: tuple[CarrierUse, ...]

    @property
    def complete(self) -> bool:
        """Whether every carrier is in the sum."""
        return all(item.tce is not None for item in self.carriers)

    @property
    def tce(self) -> Fraction:
        """综合能耗(当量值), of the carriers that have a figure."""
        return sum((item.tce for item in self.carriers if item.tce is not None), Fraction())

    @property
    def tce_primary(self) -> Fraction | None:
        """综合能耗(等价值); None where electricity's primary equivalent is not stated."""
        parts = [item.tce_primary for item in self.carriers if item.tce is not None]
        return None if None in parts else sum((part for part in parts if part is not None), Fraction())

    @property
    def electricity_kwh(self) -> Fraction:
        """Electricity used, bought and made on site."""
        return sum((item.used * _KWH_PER_WAN for item in self.carriers if item.electric and item.used), Fraction())

    def find(self, key: str) -> CarrierUse | None:
        """The carrier of that key, None if it is not used."""
        return next((item for item in self.carriers if item.key == key), None)


def consumption(summary: MonthSummary | YearSummary, factors: FactorTable | None = None) -> Consumption:
    """Energy consumption of a month or year; factors: None = the packaged table."""
    months = summary.months if isinstance(summary, YearSummary) else (summary,)
    table = factors or packaged_factors()
    sums: dict[str, CarrierUse] = {}
    for month in months:
        for item in _of_month(month, table):
            before = sums.get(item.key)
            sums[item.key] = item if before is None else _added(before, item)
    primary = summary.site.electricity_primary_kgce_per_kwh
    return Consumption(EDITION, primary.source if primary else "", tuple(sums.values()))


def _of_month(month: MonthSummary, table: FactorTable) -> Iterator[CarrierUse]:
    days = days_of(month.period)
    groups: dict[object, list[Meter]] = {}
    role_of = {meter.id: meter.role for meter in month.site.meters}
    for meter in month.site.tree():
        if role_of.get(meter.parent) is meter.role:
            continue  # a meter behind one of the same role is counted by that one
        if meter.role is Role.ENTRY or (meter.role is Role.GENERATION and meter.carrier is Carrier.PV):
            groups.setdefault(_alike(meter), []).append(meter)
    exported = [meter for meter in month.site.meters if meter.role is Role.EXPORT]
    metered: set[str] = set()
    for kind, meters in groups.items():
        carrier = meters[0].carrier.value
        key = carrier if carrier not in metered else f"{carrier}/{meters[0].id}"
        metered.add(carrier)
        out = [meter for meter in exported if _alike(meter) == kind]
        yield _metered(month, key, meters, out, meter_coefficient(month, meters[0], table, days))
    for fuel in sorted({item.fuel for item in month.book.fuel_movements} - metered):
        yield _by_stock(month, fuel, table, days)
    if month.book.heat_purchases:
        yield _heat(month, table, days)


def _alike(meter: Meter) -> object:
    """What meters must share to be added up under one coefficient."""
    return (meter.carrier, report_quantity(meter, 0).unit, meter.enthalpy_kj_per_kg, meter.density_kg_per_l)


def _metered(
    month: MonthSummary, key: str, meters: list[Meter], exported: list[Meter], coefficient: Coefficient | Missing
) -> CarrierUse:
    carrier = meters[0].carrier
    came, unit = _sum(month, meters)
    out, _ = _sum(month, exported)
    used = None if came is None or out is None else came - out
    pv = carrier is Carrier.PV
    lacking = None if used is not None else Both("表底缺失", "a register at an end of the period is missing")
    item = CarrierUse(
        key=key,
        name=CARRIER_NAMES[carrier],
        unit=unit,
        opening=None,
        purchased=Fraction() if pv else came or Fraction(),
        generated=came or Fraction() if pv else Fraction(),
        handed_out=out or Fraction(),
        closing=None,
        used=used,
        coefficient=None,
        coefficient_source="",
        tce=None,
        tce_primary=None,
        missing=lacking,
        electric=carrier in {Carrier.ELECTRICITY, Carrier.PV},
        non_fossil=pv,
    )
    return _valued(month, item, coefficient)


def _sum(month: MonthSummary, meters: list[Meter]) -> tuple[Fraction | None, str]:
    """Quantities of some meters in the report unit; None if one of them has no value."""
    total, unit, known = Fraction(), "", True
    for meter in meters:
        use = month.meter(meter.id)
        value = use.value if use else None
        quantity = report_quantity(meter, value or 0)
        total, unit, known = total + quantity.value, quantity.unit, known and value is not None
    return (total if known else None), unit


def _by_stock(month: MonthSummary, fuel: str, table: FactorTable, days: tuple[date, date]) -> CarrierUse:
    """What the stocks say was used: opening + purchase - closing - transfer_out."""
    rows = [item for item in month.book.fuel_movements if item.fuel == fuel]
    moved = {
        direction: sum((item.quantity for item in rows if item.direction is direction), Fraction())
        for direction in Direction
    }
    unit = rows[0].unit
    coefficient = fuel_coefficient(month, fuel, unit, table, days)
    names = [row for row in table if row.subject == fuel and row.category in {"standard_coal", "combustion"}]
    out = moved[Direction.TRANSFER_OUT]
    item = CarrierUse(
        key=fuel,
        name=Both(names[0].name_zh, names[0].name_en) if names else Both("", fuel),
        unit="万Nm3" if unit == "1e4Nm3" else unit,
        opening=moved[Direction.OPENING_STOCK],
        purchased=moved[Direction.PURCHASE],
        generated=Fraction(),
        handed_out=out,
        closing=moved[Direction.CLOSING_STOCK],
        used=moved[Direction.OPENING_STOCK] + moved[Direction.PURCHASE] - moved[Direction.CLOSING_STOCK] - out,
        coefficient=None,
        coefficient_source="",
        tce=None,
        tce_primary=None,
        missing=None,
        electric=False,
        non_fossil=False,
    )
    return _valued(month, item, coefficient)


def _heat(month: MonthSummary, table: FactorTable, days: tuple[date, date]) -> CarrierUse:
    """Heat bought by documents, GJ; hot water above 20 °C as the accounting guidelines count it."""
    amounts = [_heat_gj(row) for row in month.book.heat_purchases]
    known = None not in amounts
    total = sum((amount for amount in amounts if amount is not None), Fraction())
    row = table.coal("heat", EDITION, days[1])
    item = CarrierUse(
        key="heat_purchase",
        name=Both("外购热力", "bought heat"),
        unit="GJ",
        opening=None,
        purchased=total,
        generated=Fraction(),
        handed_out=Fraction(),
        closing=None,
        used=total if known else None,
        coefficient=None,
        coefficient_source="",
        tce=None,
        tce_primary=None,
        missing=None if known else Both("热量资料不全", "heat, or mass with enthalpy or temperature, is missing"),
        electric=False,
        non_fossil=False,
    )
    return _valued(month, item, Coefficient(row.value * 1000, "GJ", row.id))


def _heat_gj(row: HeatPurchase) -> Fraction | None:
    if row.form is HeatForm.HEAT:
        return row.heat_gj
    if row.mass_t is None:
        return None
    if row.form is HeatForm.STEAM:
        return None if row.enthalpy_kj_per_kg is None else row.mass_t * row.enthalpy_kj_per_kg / 1000
    return (
        None if row.temperature_c is None else row.mass_t * (row.temperature_c - _WATER_C) * _WATER_KJ_PER_KG_K / 1000
    )


def _valued(month: MonthSummary, item: CarrierUse, coefficient: Coefficient | Missing) -> CarrierUse:
    if isinstance(coefficient, Missing):
        return replace(item, missing=coefficient.reason)
    tce = None if item.used is None else item.used * coefficient.kgce / _KG_PER_T
    primary = month.site.electricity_primary_kgce_per_kwh
    tce_primary = tce
    if item.electric:
        known = None if primary is None or item.used is None else item.used * primary.kgce_per_kwh
        tce_primary = None if known is None else known * _KWH_PER_WAN / _KG_PER_T
    return replace(
        item, coefficient=coefficient.kgce, coefficient_source=coefficient.source, tce=tce, tce_primary=tce_primary
    )


def _added(before: CarrierUse, item: CarrierUse) -> CarrierUse:
    """Two months of one carrier: flows add up, the first opening and the last closing stock stay."""
    tce, used = _plus(before.tce, item.tce), _plus(before.used, item.used)
    same = before.coefficient == item.coefficient
    mean = before.coefficient if same else None if tce is None or not used else tce * _KG_PER_T / used
    sources = dict.fromkeys([*before.coefficient_source.split("; "), item.coefficient_source])
    return replace(
        item,
        opening=before.opening,
        purchased=before.purchased + item.purchased,
        generated=before.generated + item.generated,
        handed_out=before.handed_out + item.handed_out,
        used=used,
        coefficient=mean,
        coefficient_source="; ".join(sources),
        tce=tce,
        tce_primary=_plus(before.tce_primary, item.tce_primary),
        missing=before.missing or item.missing,
    )


def _plus(left: Fraction | None, right: Fraction | None) -> Fraction | None:
    return None if left is None or right is None else left + right
