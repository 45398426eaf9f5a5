"""A small factory for tests of footprints: one press, compressed air, a gas boiler; three batches in June 2025."""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from shutan_collector.activity.kinds import ActivityBook, Production, SupplierInput
from shutan_collector.factors.table import packaged_factors
from shutan_collector.footprint.inventory import Basis
from shutan_collector.footprint.plan_file import parse_plan
from shutan_collector.site.file import parse_site
from support.accounting import SHANGHAI, Key, MemoryReader, Readings, at

RELEASE = ("2026.1", "0" * 64)
AS_OF = date(2025, 12, 1)

SITE = """\
[site]
id = "works"
name = "Press works"
name_zh = "冲压厂"
organisation = "示例冲压有限公司"
region = "CN-SC"

[[meter]]
id = "m-entry"
name = "Grid entry"
name_zh = "总进线"
carrier = "electricity"
role = "entry"
level = 1
node = "n1"
device = "entry"

[[meter]]
id = "m-press"
name = "Press"
name_zh = "冲压机"
carrier = "electricity"
role = "sub"
level = 3
parent = "m-entry"
node = "n1"
device = "press"

[[meter]]
id = "m-air"
name = "Compressed air"
name_zh = "空压站"
carrier = "electricity"
role = "sub"
level = 2
parent = "m-entry"
node = "n1"
device = "air"

[[meter]]
id = "g-boiler"
name = "Boiler gas"
name_zh = "锅炉天然气"
carrier = "natural_gas"
role = "entry"
level = 1
metric = "gas_volume_l"
node = "n2"
device = "gas"
gas_reference = { temperature_c = 20, pressure_kpa = 101.325 }
"""

PLAN = """\
[[product]]
id = "A"
name = "Bracket A"
name_zh = "支架A"
unit = "piece"
declared_unit = "1 piece"
declared_unit_zh = "1件"
mass_kg = 2
value_yuan = 30
cut_off = ["packing film, below 0.5 % of mass"]

[[product]]
id = "B"
name = "Bracket B"
unit = "piece"
declared_unit = "10 pieces"
per_declared = 10
mass_kg = 4
value_yuan = 45.5

[[asset]]
id = "press"
meters = ["m-press"]
idle = "next_batch"

[[shared]]
id = "air"
name = "Compressed air"
name_zh = "压缩空气"
meters = ["m-air"]
key = "machine_hours"
attributable = 0.9

[[shared]]
id = "boiler"
name = "Boiler"
name_zh = "锅炉"
meters = ["g-boiler"]
key = "mass"
"""

# Press: 400 kWh for A1, 200 for B1, 200 for A2; idle 100 before A1, 20 before B1, 100 before A2, 30 after all.
PRESS: Readings = [
    (at("2025-06-01T00:00"), 1_000_000),
    (at("2025-06-02T08:00"), 1_100_000),
    (at("2025-06-02T12:00"), 1_500_000),
    (at("2025-06-02T13:00"), 1_520_000),
    (at("2025-06-02T15:00"), 1_720_000),
    (at("2025-06-03T08:00"), 1_820_000),
    (at("2025-06-03T10:00"), 2_020_000),
    (at("2025-07-01T00:00"), 2_050_000),
]
AIR: Readings = [(at("2025-06-01T00:00"), 5_000), (at("2025-07-01T00:00"), 305_000)]
GAS: Readings = [(at("2025-06-01T00:00"), 70_000), (at("2025-07-01T00:00"), 1_070_000)]
SERIES: Mapping[Key, Readings] = {
    ("n1", "press", "active_energy_import_wh"): PRESS,
    ("n1", "air", "active_energy_import_wh"): AIR,
    ("n2", "gas", "gas_volume_l"): GAS,
}


def production(batch: str, start: str, end: str, good: int, scrap: int = 0, **other: Any) -> Production:
    """A row on the press; the product is the batch's first letter."""
    fields: dict[str, Any] = {
        "key": f"{batch}-{other.get('asset', 'press')}", "place": f"production.csv::{batch}", "source": "MES",
        "note": "", "product": batch[0], "batch": batch, "start_ns": at(start), "end_ns": at(end), "asset": "press",
        "line": "L1", "good": Fraction(good), "scrap": Fraction(scrap), "unit": "piece",
    }  # fmt: skip
    return Production(**{**fields, **other})


def supplier(key: str, material: str, quantity: str, kg: str, **other: Any) -> SupplierInput:
    """What one unit of product A takes."""
    fields: dict[str, Any] = {
        "key": key, "place": f"supplier_input.csv::{key}", "source": f"data sheet {key}", "note": "", "product": "A",
        "material": material, "quantity_per_unit": Fraction(quantity), "unit": "kg", "kg_co2e_per_unit": Fraction(kg),
        "geography": "CN-SC", "year": 2024, "primary": False, "uncertainty_pct": None,
    }  # fmt: skip
    return SupplierInput(**{**fields, **other})


BATCHES = (
    production("A1", "2025-06-02T08:00", "2025-06-02T12:00", 90, 10),
    production("B1", "2025-06-02T13:00", "2025-06-02T15:00", 50),
    production("A2", "2025-06-03T08:00", "2025-06-03T10:00", 40),
)
SUPPLIERS = (
    supplier("s1", "steel sheet", "1.5", "2", primary=True, uncertainty_pct=Fraction(10)),
    supplier("s2", "paint", "0.1", "3", year=2022),
)


def basis(
    *,
    plan: str = PLAN,
    site: str = SITE,
    series: Mapping[Key, Readings] = SERIES,
    productions: tuple[Production, ...] = BATCHES,
    suppliers: tuple[SupplierInput, ...] = SUPPLIERS,
    book: Mapping[str, Any] | None = None,
) -> Basis:
    """The factory, with parts of it replaced."""
    model = parse_site(site, "site.toml")
    rows = ActivityBook(productions=productions, supplier_inputs=suppliers, zone=SHANGHAI, **(book or {}))
    return Basis(
        model, parse_plan(plan, "footprint.toml", model), rows, MemoryReader(series), packaged_factors(), AS_OF
    )
