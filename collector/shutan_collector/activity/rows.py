"""Activities that no meter counts (无表计量的活动数据): one frozen row type per kind of document.

A row is one line of a CSV or XLSX file. Amounts are exact (`Fraction`), dates are local days of the site and `end` is
inclusive, as people write it; instants are UTC nanoseconds. `key` is unique within its kind, so that a file can be
imported again. Units are the ones in the field's name; what was written in another unit was converted at import and
`written` keeps the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import date
    from fractions import Fraction

__all__ = [
    "Bill",
    "Certificate",
    "Clinker",
    "DeclaredMissing",
    "Direction",
    "Fermentation",
    "FuelMovement",
    "FuelQuality",
    "GreenPower",
    "HeatForm",
    "HeatPurchase",
    "LandArea",
    "ManualReading",
    "MissingMethod",
    "PowerContract",
    "ProcessInput",
    "Production",
    "Refrigerant",
    "RefrigerantMethod",
    "Row",
    "SupplierInput",
    "ValueAdded",
    "Wastewater",
]


class Direction(StrEnum):
    """What a fuel movement does to the stock; consumption = opening + purchase - closing - transfer_out."""

    PURCHASE = "purchase"
    OPENING_STOCK = "opening_stock"
    CLOSING_STOCK = "closing_stock"
    TRANSFER_OUT = "transfer_out"


class RefrigerantMethod(StrEnum):
    """How a loss of refrigerant or SF6 is found: from stocks, or as the mass topped up."""

    STOCK_BALANCE = "stock_balance"
    TOP_UP = "top_up"


class HeatForm(StrEnum):
    """What bought heat is delivered as: metered heat, steam by mass and enthalpy, hot water by mass and temperature."""

    HEAT = "heat"
    STEAM = "steam"
    HOT_WATER = "hot_water"


class MissingMethod(StrEnum):
    """What stands for missing readings: nothing, or a straight line between the readings around them (估算)."""

    NONE = "none"
    LINEAR = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every row has.

    key      unique within the kind
    place    where it was read, "file.xlsx:Sheet1:7"
    source   the document it comes from (invoice number, certificate, test report)
    written  amounts that were converted at import, as they were written: "quantity 1200 L, density 0.84 kg/L"
    """

    KIND: ClassVar[str] = ""

    key: str
    place: str = ""
    source: str = ""
    note: str = ""
    written: str = ""

    @property
    def ref(self) -> str:
        """Name of the row in ledger and evidence: "<kind>/<key>"."""
        return f"{self.KIND}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill(Row):
    """Electricity settlement statement (电费结算单) of an entry meter, with its own dates, both inclusive.

    sharp, peak, flat, valley   尖峰平谷 shares of the energy where the bill gives them, kWh
    """

    KIND: ClassVar[str] = "bill"

    meter: str
    start: date
    end: date
    energy_kwh: Fraction
    sharp_kwh: Fraction | None = None
    peak_kwh: Fraction | None = None
    flat_kwh: Fraction | None = None
    valley_kwh: Fraction | None = None
    demand_kw: Fraction | None = None
    power_factor: Fraction | None = None
    amount_yuan: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualReading(Row):
    """A register read by a person (抄表): primary side, in the metric's step (Wh, L, g, kJ)."""

    KIND: ClassVar[str] = "manual_reading"

    meter: str
    time_ns: int
    register: int
    person: str
    photo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FuelMovement(Row):
    """Fuel bought, in stock, or handed on; `unit` is "t", or "1e4Nm3" (0 °C, 101.325 kPa) for gases.

    An opening stock is dated on the first day of its period, a closing stock on the last.
    """

    KIND: ClassVar[str] = "fuel_movement"

    fuel: str
    day: date
    direction: Direction
    quantity: Fraction
    unit: str
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FuelQuality(Row):
    """Own measured values of a batch (实测值), which take precedence over a default; months weigh them by quantity.

    quantity         in `unit` ("t" or "1e4Nm3")
    ncv              net calorific value, GJ per t or per 1e4 Nm3, as received
    carbon_content   tC/TJ; None = not measured
    oxidation_rate   percent; None = not measured
    """

    KIND: ClassVar[str] = "fuel_quality"

    fuel: str
    start: date
    end: date
    batch: str
    quantity: Fraction
    unit: str
    ncv: Fraction
    carbon_content: Fraction | None = None
    oxidation_rate: Fraction | None = None
    laboratory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refrigerant(Row):
    """Loss of a refrigerant or of SF6 in one period, kg; the masses that the method does not use are zero."""

    KIND: ClassVar[str] = "refrigerant"

    gas: str
    equipment: str
    start: date
    end: date
    method: RefrigerantMethod
    opening_kg: Fraction
    bought_kg: Fraction
    closing_kg: Fraction
    recovered_kg: Fraction
    topped_up_kg: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessInput(Row):
    """A carbonate, electrode, shielding gas ... used up; purity and conversion are shares from 0 to 1."""

    KIND: ClassVar[str] = "process_input"

    material: str
    day: date
    mass_t: Fraction
    purity: Fraction
    conversion: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinker(Row):
    """Cement clinker produced (水泥熟料); CaO and MgO as mass shares 0 to 1, total and not from carbonates."""

    KIND: ClassVar[str] = "clinker"

    day: date
    mass_t: Fraction
    cao: Fraction
    mgo: Fraction
    cao_non_carbonate: Fraction
    mgo_non_carbonate: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Fermentation(Row):
    """Ethanol made by fermentation, tonnes of pure ethanol; its CO2 is biogenic."""

    KIND: ClassVar[str] = "fermentation"

    day: date
    ethanol_t: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Wastewater(Row):
    """Anaerobic treatment (废水厌氧处理): COD removed and taken out with sludge, kg; mcf is a share from 0 to 1."""

    KIND: ClassVar[str] = "wastewater"

    start: date
    end: date
    cod_removed_kg: Fraction
    sludge_cod_kg: Fraction
    mcf: Fraction
    recovered_ch4_kg: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatPurchase(Row):
    """Heat bought. `heat`: heat_gj. `steam`: mass_t with enthalpy. `hot_water`: mass_t with temperature."""

    KIND: ClassVar[str] = "heat_purchase"

    start: date
    end: date
    form: HeatForm
    heat_gj: Fraction | None = None
    mass_t: Fraction | None = None
    enthalpy_kj_per_kg: Fraction | None = None
    temperature_c: Fraction | None = None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerContract(Row):
    """Electricity contract with a named supply; kg_co2_per_kwh is what the contract states, None if nothing."""

    KIND: ClassVar[str] = "power_contract"

    start: date
    end: date
    mwh: Fraction
    supplier: str
    kg_co2_per_kwh: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate(Row):
    """Green electricity certificate (绿证); `key` is its id in the registry, so that it can be claimed once only.

    claimed_for   "2025", "2025-06", or "" while it is held unclaimed
    """

    KIND: ClassVar[str] = "certificate"

    mwh: Fraction
    vintage_start: date
    vintage_end: date
    technology: str
    registry: str
    retired_on: date | None = None
    claimed_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GreenPower(Row):
    """Green power delivered in a month (绿电), with the key of the certificate that came with it."""

    KIND: ClassVar[str] = "green_power"

    month: str
    mwh: Fraction
    certificate: str
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Production(Row):
    """Output of a batch on an asset or line; good and scrap in `unit`. Half-open in time, UTC nanoseconds."""

    KIND: ClassVar[str] = "production"

    product: str
    batch: str
    start_ns: int
    end_ns: int
    asset: str
    line: str
    good: Fraction
    scrap: Fraction
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueAdded(Row):
    """Industrial value added (工业增加值) of a month, 万元 (1e4 yuan)."""

    KIND: ClassVar[str] = "value_added"

    month: str
    wan_yuan: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class LandArea(Row):
    """Land used (用地面积), m2, from a day on until the next row."""

    KIND: ClassVar[str] = "land_area"

    start: date
    area_m2: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplierInput(Row):
    """Cradle-to-gate carbon of a material in a product, from its supplier.

    quantity_per_unit   of the material, in `unit`, per unit of product
    kg_co2e_per_unit    per `unit` of the material
    primary             measured by the supplier for this material (一级数据)
    uncertainty_pct     half width in percent, None if not stated
    """

    KIND: ClassVar[str] = "supplier_input"

    product: str
    material: str
    quantity_per_unit: Fraction
    unit: str
    kg_co2e_per_unit: Fraction
    geography: str
    year: int
    primary: bool
    uncertainty_pct: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredMissing(Row):
    """A person declares that readings of a meter are missing from start to end, so that a period can close."""

    KIND: ClassVar[str] = "declared_missing"

    meter: str
    start: date
    end: date
    method: MissingMethod
    person: str
    reason: str
