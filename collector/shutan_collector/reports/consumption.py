"""Comprehensive energy consumption (综合能耗) of a month or year: what came from outside, by carrier, in tce.

Counted: entry meters, photovoltaic power made on site, bought fuels by stock balance, bought heat. Not counted: what
was made on site out of them (steam of the own boiler, compressed air), since that energy is metered already. What is
exported is taken off. A fuel with an entry meter is taken from the meter; its documents are not added a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypedDict

from shutan_collector.accounting.summary import YearSummary
from shutan_collector.activity.kinds import days_of
from shutan_collector.activity.rows import Direction, HeatForm
from shutan_collector.factors.table import packaged_factors
from shutan_collector.reports.carriers import CARRIER_NAMES, report_quantity
from shutan_collector.reports.coefficient import EDITION, Coal, Missing, fuel_coal, meter_coal
from shutan_collector.reports.table import Both
from shutan_collector.site.model import Carrier, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shutan_collector.accounting.summary import MonthSummary
    from shutan_collector.activity.rows import HeatPurchase
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Meter

__all__ = ["CarrierUse", "Consumption", "consumption"]

_MJ_PER_GJ: Final = 1000
_KG_PER_T: Final = 1000
_KWH_PER_WAN: Final = 10_000
_WATER_C: Final = 20  # reference temperature of hot water in the accounting guidelines
_WATER_KJ_PER_KG_K: Final = Fraction("4.1868")


@dataclass(frozen=True, slots=True)
class CarrierUse:
    """One carrier over a period; quantities in `unit`, None where they are not known.

    opening, closing   stocks; None for what comes through a pipe or wire
    coefficient        in `coefficient_unit` (kgce/kWh); None if it is missing, or was not the same in all months
    tce                calorific (当量值); None = not computed, and `missing` says why
    tce_primary        electricity by primary equivalent (等价值), other carriers as tce; None = not stated
    metered            counted by meters; else known by documents
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
    coefficient_unit: str
    coefficient_source: str
    tce: Fraction | None
    tce_primary: Fraction | None
    missing: Both | None
    metered: bool
    electric: bool
    non_fossil: bool


class _Coefficient(TypedDict):
    coefficient: Fraction | None
    coefficient_unit: str
    coefficient_source: str


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
    groups: dict[tuple[Carrier, str], list[Meter]] = {}
    role_of = {meter.id: meter.role for meter in month.site.meters}
    for meter in month.site.tree():
        if role_of.get(meter.parent) is meter.role:
            continue  # a meter behind one of the same role is counted by that one
        if meter.role is Role.ENTRY or (meter.role is Role.GENERATION and meter.carrier is Carrier.PV):
            groups.setdefault((meter.carrier, report_quantity(meter, 0).unit), []).append(meter)
    exported = [meter for meter in month.site.meters if meter.role is Role.EXPORT]
    metered: set[str] = set()
    for (carrier, unit), meters in groups.items():
        key = carrier.value if carrier.value not in metered else f"{carrier.value}/{unit}"
        metered.add(carrier.value)
        out = [meter for meter in exported if (meter.carrier, report_quantity(meter, 0).unit) == (carrier, unit)]
        yield _metered(month, key, meters, out, table)
    for fuel in sorted({item.fuel for item in month.book.fuel_movements} - metered):
        yield _by_stock(month, fuel, table)
    if month.book.heat_purchases:
        yield _heat(month, table)


def _metered(
    month: MonthSummary, key: str, meters: list[Meter], exported: list[Meter], table: FactorTable
) -> CarrierUse:
    carrier, unit = meters[0].carrier, report_quantity(meters[0], 0).unit
    came, out = _sum(month, meters), _sum(month, exported)
    coals = [_coal(month, meter, table) for meter in (*meters, *exported)]
    lacking = next((coal.reason for coal in coals if isinstance(coal, Missing)), None)
    known = [coal for coal in coals if isinstance(coal, Coal)]
    signs = [1] * len(meters) + [-1] * len(exported)
    kgce = sum((coal.kgce * sign for coal, sign in zip(known, signs, strict=False)), Fraction())
    pv = carrier is Carrier.PV
    item = CarrierUse(
        key=key,
        name=CARRIER_NAMES[carrier],
        unit=unit,
        opening=None,
        purchased=Fraction() if pv else came or Fraction(),
        generated=came or Fraction() if pv else Fraction(),
        handed_out=out or Fraction(),
        closing=None,
        used=None if came is None or out is None else came - out,
        **_coefficient(known),
        tce=None if lacking else kgce / _KG_PER_T,
        tce_primary=None,
        missing=lacking,
        metered=True,
        electric=carrier in {Carrier.ELECTRICITY, Carrier.PV},
        non_fossil=pv,
    )
    return _with_primary(month, item)


def _coal(month: MonthSummary, meter: Meter, table: FactorTable) -> Coal | Missing:
    use = month.meter(meter.id)
    if use is None or use.value is None:
        return Missing(Both(f"{meter.id} 期初或期末缺表底", f"{meter.id} lacks a register at an end of the period"))
    return meter_coal(month, meter, use.value, table)


def _sum(month: MonthSummary, meters: list[Meter]) -> Fraction | None:
    """Quantities of meters of one carrier in the report unit; None if one of them has no value."""
    total = Fraction()
    for meter in meters:
        use = month.meter(meter.id)
        if use is None or use.value is None:
            return None
        total += report_quantity(meter, use.value).value
    return total


def _coefficient(coals: list[Coal]) -> _Coefficient:
    """The coefficient that all have in common, and all sources."""
    same = {(coal.coefficient, coal.unit) for coal in coals if coal.unit}
    value, unit = next(iter(same)) if len(same) == 1 else (None, "")
    sources = "; ".join(dict.fromkeys(coal.source for coal in coals if coal.source))
    return {"coefficient": value, "coefficient_unit": unit, "coefficient_source": sources}


def _by_stock(month: MonthSummary, fuel: str, table: FactorTable) -> CarrierUse:
    """What the stocks say was used: opening + purchase - closing - transfer_out."""
    rows = [item for item in month.book.fuel_movements if item.fuel == fuel]
    moved = {
        direction: sum((item.quantity for item in rows if item.direction is direction), Fraction())
        for direction in Direction
    }
    out = moved[Direction.TRANSFER_OUT]
    used = moved[Direction.OPENING_STOCK] + moved[Direction.PURCHASE] - moved[Direction.CLOSING_STOCK] - out
    coal = fuel_coal(month, fuel, used, rows[0].unit, table)
    if isinstance(coal, Missing) and used == 0:
        coal = Coal(Fraction(), Fraction(), "", "")  # what was not used needs no coefficient
    names = [row for row in table if row.subject == fuel and row.category in {"standard_coal", "combustion"}]
    return _of_coal(
        coal,
        CarrierUse(
            key=fuel,
            name=Both(names[0].name_zh, names[0].name_en) if names else Both("", fuel),
            unit="万Nm3" if rows[0].unit == "1e4Nm3" else rows[0].unit,
            opening=moved[Direction.OPENING_STOCK],
            purchased=moved[Direction.PURCHASE],
            generated=Fraction(),
            handed_out=out,
            closing=moved[Direction.CLOSING_STOCK],
            used=used,
            **_coefficient([]),
            tce=None,
            tce_primary=None,
            missing=None,
            metered=False,
            electric=False,
            non_fossil=False,
        ),
    )


def _heat(month: MonthSummary, table: FactorTable) -> CarrierUse:
    """Heat bought by documents, GJ; hot water above 20 °C as the accounting guidelines count it."""
    amounts = [_heat_gj(row) for row in month.book.heat_purchases]
    total = sum((amount for amount in amounts if amount is not None), Fraction())
    row = table.coal("heat", EDITION, days_of(month.period)[1])
    coal: Coal | Missing = Coal(total * _MJ_PER_GJ * row.value, row.value, row.unit, row.id)
    if None in amounts:
        coal = Missing(Both("热量资料不全", "heat, or mass with enthalpy or temperature, is missing"))
    return _of_coal(
        coal,
        CarrierUse(
            key="heat_purchase",
            name=Both("外购热力", "bought heat"),
            unit="GJ",
            opening=None,
            purchased=total,
            generated=Fraction(),
            handed_out=Fraction(),
            closing=None,
            used=None if None in amounts else total,
            **_coefficient([]),
            tce=None,
            tce_primary=None,
            missing=None,
            metered=False,
            electric=False,
            non_fossil=False,
        ),
    )


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


def _of_coal(coal: Coal | Missing, item: CarrierUse) -> CarrierUse:
    if isinstance(coal, Missing):
        return replace(item, missing=coal.reason)
    return replace(item, **_coefficient([coal]), tce=coal.kgce / _KG_PER_T, tce_primary=coal.kgce / _KG_PER_T)


def _with_primary(month: MonthSummary, item: CarrierUse) -> CarrierUse:
    """Electricity by primary equivalent, where the site model states it; anything else by its own coefficient."""
    if not item.electric:
        return replace(item, tce_primary=item.tce)
    stated = month.site.electricity_primary_kgce_per_kwh
    known = None if stated is None or item.used is None else item.used * stated.kgce_per_kwh
    return replace(item, tce_primary=None if known is None else known * _KWH_PER_WAN / _KG_PER_T)


def _added(before: CarrierUse, item: CarrierUse) -> CarrierUse:
    """Two months of one carrier: flows add up, the first opening and the last closing stock stay."""
    same = (before.coefficient, before.coefficient_unit) == (item.coefficient, item.coefficient_unit)
    sources = dict.fromkeys([*before.coefficient_source.split("; "), *item.coefficient_source.split("; ")])
    return replace(
        item,
        opening=before.opening,
        purchased=before.purchased + item.purchased,
        generated=before.generated + item.generated,
        handed_out=before.handed_out + item.handed_out,
        used=_plus(before.used, item.used),
        coefficient=item.coefficient if same else None,
        coefficient_source="; ".join(name for name in sources if name),
        tce=_plus(before.tce, item.tce),
        tce_primary=_plus(before.tce_primary, item.tce_primary),
        missing=before.missing or item.missing,
    )


def _plus(left: Fraction | None, right: Fraction | None) -> Fraction | None:
    return None if left is None or right is None else left + right
