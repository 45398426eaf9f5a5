"""Comprehensive energy consumption in standard coal (综合能耗, kgce): E = Σ quantity × coefficient, after GB/T 2589.

| kind      | which meters                               | in the total                                   |
|-----------|--------------------------------------------|------------------------------------------------|
| bought    | entry meters of an energy carrier          | added                                          |
| medium    | entry meters of water and compressed air   | added: only bought media (耗能工质), since     |
|           |                                            | the energy that makes the others is counted    |
| renewable | photovoltaic generation                    | added, and told apart: 双控 rules leave it out |
| exported  | export meters                              | subtracted                                     |

The edition of the standard decides coefficients (fresh water 0.0857 or 0.2571 kgce/t) and methods: steam by its mass
(2008) or by its heat content (2020). Electricity has two coefficients, 当量值 (calorific equivalent) and 等价值
(primary equivalent, as published for the year). Neither is ever mixed in one total. An own net calorific value beats
the table: p = NCV / 29.3076 MJ/kgce.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Protocol

from shutan_collector.errors import FactorError, RequestError
from shutan_collector.site.model import Carrier, Role
from shutan_collector.units import Unit, kg_from_litres, kj_from_steam, kwh_from_wh, nm3_from_litres

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from shutan_collector.energy.balance import Figure
    from shutan_collector.site.model import Meter, Site

__all__ = [
    "Basis",
    "CoalKind",
    "CoalLine",
    "CoalTotal",
    "Coefficient",
    "Coefficients",
    "Edition",
    "OwnNcv",
    "add_up",
    "coal_equivalent",
]

_STANDARD_COAL_ID: Final = "TCE-SC-NCV"
_CALORIFIC_ELECTRICITY_ID: Final = "TCE-ELEC-EQ"
_SUBJECTS: Final = {
    Carrier.ELECTRICITY: _CALORIFIC_ELECTRICITY_ID,
    Carrier.PV: _CALORIFIC_ELECTRICITY_ID,
    Carrier.NATURAL_GAS: "natural_gas",
    Carrier.HEAT: "heat",
    Carrier.WATER: "fresh_water",
    Carrier.COMPRESSED_AIR: "compressed_air",
    Carrier.DIESEL: "diesel",
    Carrier.COAL: "raw_coal",
}
_MEDIA: Final = frozenset({Carrier.WATER, Carrier.COMPRESSED_AIR})


class Edition(StrEnum):
    """Edition of GB/T 2589 (综合能耗计算通则)."""

    GBT_2589_2008 = "2008"
    GBT_2589_2020 = "2020"


class Basis(StrEnum):
    """How electricity is valued: 当量值 calorific equivalent, 等价值 primary equivalent."""

    CALORIFIC = "calorific"
    PRIMARY = "primary"


class CoalKind(StrEnum):
    """What a line is in the total."""

    BOUGHT = "bought"
    MEDIUM = "medium"
    RENEWABLE = "renewable"
    EXPORTED = "exported"


class Coefficient(Protocol):
    """What is needed of a factor row; factors.rows.Factor is one."""

    @property
    def id(self) -> str:
        """Row id."""
        ...

    @property
    def value(self) -> Fraction:
        """Exact value."""
        ...

    @property
    def unit(self) -> str:
        """Unit as printed, "kgce/kWh"."""
        ...


class Coefficients(Protocol):
    """Where coefficients come from; factors.table.FactorTable is one. Both raise FactorError."""

    def coal(self, subject: str, edition: str, day: date) -> Coefficient:
        """Coefficient of an energy or medium by an edition, by subject or by row id."""
        ...

    def by_id(self, factor_id: str) -> Coefficient:
        """A row by id."""
        ...


@dataclass(frozen=True, slots=True)
class OwnNcv:
    """A measured net calorific value (收到基低位发热量) of a fuel, mass-weighted by the caller over its batches.

    per      "kg", or "m3" for a gas at 0 °C and 101.325 kPa
    source   who measured it: laboratory, report
    """

    carrier: Carrier
    mj_per_unit: Fraction
    per: str
    source: str


@dataclass(frozen=True, slots=True)
class CoalLine:
    """Standard coal of one meter.

    quantity      in `unit`: kWh, m3 (gas: normal), kg, MJ or t
    coefficient   kgce per unit, and the row id or the source it comes from
    kgce          exact; of exported energy too above zero
    """

    meter: str
    carrier: Carrier
    kind: CoalKind
    quantity: Fraction
    unit: str
    coefficient: Fraction
    source: str

    @property
    def kgce(self) -> Fraction:
        """Quantity times coefficient."""
        return self.quantity * self.coefficient


@dataclass(frozen=True, slots=True)
class CoalTotal:
    """Lines of one edition and one basis; `missing` names meters that have no figure."""

    edition: Edition
    basis: Basis
    lines: tuple[CoalLine, ...]
    missing: tuple[str, ...]

    def of(self, kind: CoalKind) -> Fraction:
        """Sum of one kind, kgce."""
        return sum((line.kgce for line in self.lines if line.kind is kind), Fraction(0))

    @property
    def kgce(self) -> Fraction:
        """Comprehensive energy consumption: bought + media + renewable - exported."""
        exported = self.of(CoalKind.EXPORTED)
        return self.of(CoalKind.BOUGHT) + self.of(CoalKind.MEDIUM) + self.of(CoalKind.RENEWABLE) - exported

    @property
    def tce(self) -> Fraction:
        """The same in tonnes of standard coal (吨标准煤)."""
        return self.kgce / 1000

    @property
    def without_renewable_kgce(self) -> Fraction:
        """The same without power from the own photovoltaic plant."""
        return self.kgce - self.of(CoalKind.RENEWABLE)


def coal_equivalent(
    site: Site,
    figures: Mapping[str, Figure],
    table: Coefficients,
    day: date,
    *,
    edition: Edition = Edition.GBT_2589_2020,
    basis: Basis = Basis.CALORIFIC,
    own: Iterable[OwnNcv] = (),
) -> CoalTotal:
    """Standard coal of a site for one period; figures by meter id, `day` within the period.

    Raises FactorError: a coefficient, an enthalpy, a density or the 等价值 is missing.
    """
    measured = {item.carrier: item for item in own}
    lines: list[CoalLine] = []
    missing: list[str] = []
    role_of = {meter.id: meter.role for meter in site.meters}
    for meter in site.meters:
        kind = _kind(meter)
        if kind is None or role_of.get(meter.parent) is meter.role:  # a meter behind one of its role is in that one
            continue
        figure = figures.get(meter.id)
        if figure is None or figure.value is None:
            missing.append(meter.id)
            continue
        chooser = _Chooser(site, table, day, edition, basis, measured)
        quantity, unit = _quantity(meter, figure.value, edition)
        coefficient, source = chooser.coefficient(meter, unit)
        lines.append(CoalLine(meter.id, meter.carrier, kind, quantity, unit, coefficient, source))
    return CoalTotal(edition, basis, tuple(lines), tuple(missing))


def add_up(totals: Iterable[CoalTotal]) -> CoalTotal:
    """One total of several periods or sites. Raises RequestError if there is none, or editions or bases are mixed."""
    items = list(totals)
    found = sorted({f"GB/T 2589-{item.edition} {item.basis}" for item in items})
    if len(found) != 1:
        raise RequestError("tce", f"one edition and one basis in a total (found {', '.join(found) or 'nothing'})")
    lines = tuple(line for item in items for line in item.lines)
    missing = tuple(dict.fromkeys(name for item in items for name in item.missing))
    return CoalTotal(items[0].edition, items[0].basis, lines, missing)


def _kind(meter: Meter) -> CoalKind | None:
    """What a meter's figure is in the total; None for what is used, handed on, or made of energy already counted."""
    if meter.role is Role.ENTRY:
        return CoalKind.MEDIUM if meter.carrier in _MEDIA else CoalKind.BOUGHT
    if meter.role is Role.EXPORT:
        return CoalKind.EXPORTED
    return CoalKind.RENEWABLE if meter.role is Role.GENERATION and meter.carrier is Carrier.PV else None


def _quantity(meter: Meter, value: int, edition: Edition) -> tuple[Fraction, str]:
    """A meter's figure in the unit in which coefficients are printed."""
    if meter.unit is Unit.WH:
        return kwh_from_wh(value), "kWh"
    if meter.unit is Unit.KJ:
        return Fraction(value, 1000), "MJ"
    if meter.unit is Unit.LITRE:
        return _of_volume(meter, value)
    if meter.carrier is Carrier.STEAM and edition is not Edition.GBT_2589_2008:
        if meter.enthalpy_kj_per_kg is None:
            raise FactorError(f"meter {meter.id}", "steam by mass needs enthalpy_kj_per_kg in the site model")
        return kj_from_steam(value, meter.enthalpy_kj_per_kg) / 1000, "MJ"
    return Fraction(value, 1000), "kg"


def _of_volume(meter: Meter, volume_l: int) -> tuple[Fraction, str]:
    if meter.gas_reference is not None:
        return nm3_from_litres(volume_l, meter.gas_reference), "m3"
    if meter.carrier is Carrier.WATER:
        return Fraction(volume_l, 1000), "t"  # a cubic metre of fresh water counts as a tonne in energy statistics
    if meter.carrier is Carrier.DIESEL:
        if meter.density_kg_per_l is None:
            raise FactorError(f"meter {meter.id}", "diesel by volume needs density_kg_per_l in the site model")
        return kg_from_litres(volume_l, meter.density_kg_per_l), "kg"
    return Fraction(volume_l, 1000), "m3"


@dataclass(frozen=True, slots=True)
class _Chooser:
    """Which coefficient holds for a meter."""

    site: Site
    table: Coefficients
    day: date
    edition: Edition
    basis: Basis
    measured: Mapping[Carrier, OwnNcv]

    def coefficient(self, meter: Meter, unit: str) -> tuple[Fraction, str]:
        """Kgce per unit, and where it comes from."""
        if unit == "kWh" and self.basis is Basis.PRIMARY:
            return self._primary()
        if (own := self.measured.get(meter.carrier)) is not None:
            return self._own(own, meter, unit)
        row = self.table.coal(self._subject(meter, unit), self.edition, self.day)
        if row.unit != f"kgce/{unit}":
            raise FactorError(row.id, f"is in {row.unit}; meter {meter.id} needs kgce/{unit}")
        return row.value, row.id

    def _primary(self) -> tuple[Fraction, str]:
        stated = self.site.electricity_primary_kgce_per_kwh
        if stated is None:
            raise FactorError(
                "electricity_primary_kgce_per_kwh",
                "等价值 is asked for and has no default; state it in [site] with its source, or ask for 当量值",
            )
        return stated.kgce_per_kwh, stated.source

    def _own(self, own: OwnNcv, meter: Meter, unit: str) -> tuple[Fraction, str]:
        if own.per != unit:
            raise FactorError(
                f"meter {meter.id}", f"the measured calorific value is per {own.per}, its quantity in {unit}"
            )
        coal = self.table.by_id(_STANDARD_COAL_ID)
        return own.mj_per_unit / coal.value, f"{own.source} / {coal.id}"

    def _subject(self, meter: Meter, unit: str) -> str:
        chosen = dict(self.site.coal_rows).get(meter.carrier)
        if chosen is not None:
            return chosen
        if meter.carrier is Carrier.STEAM:
            return "heat" if unit == "MJ" else "steam"
        return _SUBJECTS[meter.carrier]
