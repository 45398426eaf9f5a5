"""The site model (厂区模型): which instrument stands where, since when, and what it measures.

Immutable once loaded. `load_site` and `parse_site` report every mistake of the file at once, each with its key.
The file's format, with an example, is in docs/accounting.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

from shutan_collector.periods import split
from shutan_collector.units import Unit
from shutan_wire.catalogue import by_name

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

    from shutan_collector.periods import Kind, Shift, Span
    from shutan_collector.site.tariff import Tariff
    from shutan_collector.units import GasReference

__all__ = [
    "QUANTITIES",
    "UNIT_OF_UCUM",
    "Carrier",
    "Installation",
    "Meter",
    "PrimaryElectricity",
    "Role",
    "Site",
    "VirtualMeter",
]


class Carrier(StrEnum):
    """Energy carrier (能源品种) or medium that a meter measures."""

    ELECTRICITY = "electricity"
    PV = "pv"
    NATURAL_GAS = "natural_gas"
    STEAM = "steam"
    HEAT = "heat"
    WATER = "water"
    COMPRESSED_AIR = "compressed_air"
    DIESEL = "diesel"
    COAL = "coal"


class Role(StrEnum):
    """Where a meter stands in the balance.

    entry        what the organisation buys (进出用能单位): the carbon of scope 1 and 2 comes from these
    sub          what a unit or machine uses behind another meter
    generation   what is made on site (rooftop PV, own boiler): not bought
    boundary     what is handed on to another organisation: reported, not subtracted
    export       electricity or heat handed to the grid or to others; netted only where a sector form says so
    """

    ENTRY = "entry"
    SUB = "sub"
    GENERATION = "generation"
    BOUNDARY = "boundary"
    EXPORT = "export"


# Quantities of the metric catalogue that fit a carrier.
QUANTITIES: Final[dict[Carrier, tuple[str, ...]]] = {
    Carrier.ELECTRICITY: ("active energy",),
    Carrier.PV: ("active energy",),
    Carrier.NATURAL_GAS: ("gas volume",),
    Carrier.STEAM: ("steam mass", "steam heat"),
    Carrier.HEAT: ("heat",),
    Carrier.WATER: ("water volume",),
    Carrier.COMPRESSED_AIR: ("compressed air volume",),
    Carrier.DIESEL: ("liquid fuel volume",),
    Carrier.COAL: ("solid fuel mass",),
}
UNIT_OF_UCUM: Final = {"W.h": Unit.WH, "L": Unit.LITRE, "g": Unit.GRAM, "kJ": Unit.KJ}


@dataclass(frozen=True, slots=True)
class Installation:
    """One instrument at a metering point, from start_ns until end_ns (None = open), UTC nanoseconds.

    ct, pt           transformer ratios (互感器变比); registers in the store are already on the primary side
    span             first value the register cannot show, in the metric's step; None = not stated
    max_per_hour     most the meter can count in an hour, in the metric's step; None = derived from the span
    start_register   register at installation and removal according to the swap record (换表记录), if there is one
    """

    node: str
    device: str
    serial: str
    start_ns: int | None
    end_ns: int | None
    ct: Fraction
    pt: Fraction
    span: int | None
    max_per_hour: int | None
    start_register: int | None
    end_register: int | None

    @property
    def source(self) -> str:
        """Name of the instrument in evidence."""
        return f"{self.node}/{self.device}" + (f" #{self.serial}" if self.serial else "")

    def overlaps(self, other: Installation) -> bool:
        """Whether both stand at the same time."""
        ends_before = self.end_ns is not None and other.start_ns is not None and self.end_ns <= other.start_ns
        starts_after = other.end_ns is not None and self.start_ns is not None and other.end_ns <= self.start_ns
        return not (ends_before or starts_after)


@dataclass(frozen=True, slots=True)
class Meter:
    """A metering point (计量点).

    level              after GB 17167: 1 organisation (用能单位), 2 main sub-unit (次级用能单位),
                       3 main equipment (用能设备)
    metric             counter of the metric catalogue that carries its register
    interval_s         expected distance of readings; None = as observed
    stuck_after_s      its register never stands still for so long while the meter works; None = it may
    enthalpy_kj_per_kg specific enthalpy of the steam at the metering point; only for steam by mass
    density_kg_per_l   of the liquid fuel it counts in litres
    accuracy_class     as on the plate ("0.5S"); the labels after it are for the metering equipment list (GB 17167)
    measuring_range    as on the plate ("3×1.5(6) A")
    rated_kw           rated power of the equipment behind it
    mandatory          subject to compulsory verification (强制检定)
    """

    id: str
    name: str
    name_zh: str
    carrier: Carrier
    role: Role
    level: int
    parent: str
    metric: str
    asset: str
    area: str
    line: str
    interval_s: int | None
    gas_reference: GasReference | None
    installations: tuple[Installation, ...]
    stuck_after_s: int | None = None
    enthalpy_kj_per_kg: Fraction | None = None
    density_kg_per_l: Fraction | None = None
    accuracy_class: str = ""
    model: str = ""
    maker: str = ""
    location: str = ""
    measuring_range: str = ""
    rated_kw: Fraction | None = None
    calibrated: date | None = None
    calibration_due: date | None = None
    mandatory: bool = False

    @property
    def unit(self) -> Unit:
        """Step of its register."""
        metric = by_name(self.metric)
        if metric is None or metric.unit not in UNIT_OF_UCUM:
            message = f"{self.metric} is not a counter that can be accounted"
            raise ValueError(message)  # the loader checks every metric, so only a hand-made Meter comes here
        return UNIT_OF_UCUM[metric.unit]

    @property
    def family(self) -> str:
        """Measurement family of its metric, as the series store files it."""
        metric = by_name(self.metric)
        return metric.family if metric else "energy"


@dataclass(frozen=True, slots=True)
class VirtualMeter:
    """A figure computed from meters (虚拟表): a sum, a difference or a share, as terms that are added up.

    terms   id of a meter or of another virtual meter, and what it is multiplied by (1, -1, 1/3)
    """

    id: str
    name: str
    name_zh: str
    terms: tuple[tuple[str, Fraction], ...]


class PrimaryElectricity(NamedTuple):
    """Coal that a kilowatt-hour stands for by primary equivalent (等价值), as published for a year, and by whom."""

    kgce_per_kwh: Fraction
    source: str


@dataclass(frozen=True, slots=True)
class Site:
    """A site: Sparkplug group, calendar, region of the grid factor, and its meters in file order.

    sector              name of the sector form
    gwp                 named set of global warming potentials
    organisation        legal name of the organisation that reports
    credit_code         its unified social credit code (统一社会信用代码)
    balance_limit_pct   unaccounted share of a meter's energy above which its balance raises an alarm, percent
    shifts              shift calendar, by start
    virtuals            virtual meters in file order
    tariff              time-of-use tariff of bought electricity
    electricity_primary_kgce_per_kwh   等价值; there is no default
    coal_rows           factor row of a carrier for which GB/T 2589 prints a range or several grades
    """

    id: str
    name: str
    name_zh: str
    zone: ZoneInfo
    region: str
    tolerance_s: int
    fuel_family: str
    meters: tuple[Meter, ...]
    sector: str = "general"
    gwp: str = "AR5"
    organisation: str = ""
    credit_code: str = ""
    balance_limit_pct: Fraction = Fraction(5)
    shifts: tuple[Shift, ...] = ()
    virtuals: tuple[VirtualMeter, ...] = ()
    tariff: Tariff | None = None
    electricity_primary_kgce_per_kwh: PrimaryElectricity | None = None
    coal_rows: tuple[tuple[Carrier, str], ...] = ()

    def spans(self, start_ns: int, end_ns: int, kind: Kind) -> tuple[Span, ...]:
        """The site's calendar periods of one kind over [start_ns, end_ns). Raises RequestError."""
        return split(start_ns, end_ns, kind, self.zone, self.shifts)

    def meter(self, meter_id: str) -> Meter:
        """The meter of that id; KeyError if there is none."""
        for meter in self.meters:
            if meter.id == meter_id:
                return meter
        raise KeyError(meter_id)

    def depth(self, meter: Meter) -> int:
        """Number of meters above one in the tree."""
        parents = {item.id: item.parent for item in self.meters}
        depth, at = 0, meter.parent
        while at:
            depth, at = depth + 1, parents[at]
        return depth

    def tree(self) -> tuple[Meter, ...]:
        """All meters, each parent before its children, in file order otherwise."""
        children: dict[str, list[Meter]] = {}
        for meter in self.meters:
            children.setdefault(meter.parent, []).append(meter)
        ordered: list[Meter] = []
        stack = list(reversed(children.get("", [])))
        while stack:
            meter = stack.pop()
            ordered.append(meter)
            stack.extend(reversed(children.get(meter.id, [])))
        return tuple(ordered)
