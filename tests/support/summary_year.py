"""A hand-made year of a small distillery for tests of reports: round registers, a figure a person can check by hand.

Every meter runs at so many steps an hour by a fixed pattern over the day; nothing is read from a series store.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cache
from zoneinfo import ZoneInfo

from shutan_collector.accounting.summary import (
    Emission,
    LedgerMark,
    MeterUse,
    MonthSummary,
    Register,
    YearSummary,
)
from shutan_collector.activity.kinds import ActivityBook, Bill, LandArea, Production, ValueAdded
from shutan_collector.carbon.lines import Category, Scope, Unvalued
from shutan_collector.factors.table import packaged_factors
from shutan_collector.periods import Kind, split, to_ns
from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Meter, Site

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR_NS = 3600 * 1_000_000_000
MARK = LedgerMark(4711, "0123456789abcdef" * 4, "fedcba9876543210" * 4)
AS_OF = date(2026, 1, 15)
BUDGET = """\
[budget]
year = 2025
covers = "scope 1 + scope 2 location-based"

[[line]]
key = "site"
basis = "total"
annual = 3000.5
"""

_HEAD = """\
[site]
id = "jiuniang"
name = "Jiuniang Distillery"
name_zh = "九酿酒厂"
region = "CN-SC"
organisation = "四川九酿酒业有限公司"
credit_code = "91510100MA00000000"
sector = "food_drink"
coal_rows = { natural_gas = "TCE-NG-HI" }
electricity_primary_kgce_per_kwh = { value = 0.3, source = "测试用等价值 test value" }

[tariff]
holidays = []
workdays = []

[[tariff.period]]
from = 2025-01-01
source = "分时电价文件 2025"

[[tariff.period.day]]

[tariff.period.day.windows]
"00:00-08:00" = "valley"
"08:00-11:00" = "peak"
"11:00-17:00" = "flat"
"17:00-22:00" = "peak"
"22:00-24:00" = "flat"
"""

# id, name, name_zh, carrier, role, level, parent, asset, rated kW, steps in an hour of the day shift
_METERS = (
    ("e-grid", "Grid entry", "总进线", "electricity", "entry", 1, "", "", 0, 820_000),
    ("pv-roof", "Roof PV", "屋顶光伏", "pv", "generation", 2, "e-grid", "pv-roof", 400, 0),
    ("e-brew", "Brewing hall", "酿造车间", "electricity", "sub", 2, "e-grid", "", 0, 300_000),
    ("e-pack", "Packaging hall", "包装车间", "electricity", "sub", 2, "e-grid", "", 0, 250_000),
    ("e-util", "Utilities", "公用工程", "electricity", "sub", 2, "e-grid", "", 0, 220_000),
    ("e-mill", "Grain mill", "粉碎机", "electricity", "sub", 3, "e-brew", "mill-1", 132, 120_000),
    ("e-chill", "Chiller", "冷水机组", "electricity", "sub", 3, "e-brew", "chiller-1", 160, 150_000),
    ("e-line1", "Filling line 1", "灌装一线", "electricity", "sub", 3, "e-pack", "line-1", 110, 130_000),
    ("e-line2", "Filling line 2", "灌装二线", "electricity", "sub", 3, "e-pack", "line-2", 75, 90_000),
    ("e-air", "Air compressor", "空压机", "electricity", "sub", 3, "e-util", "compressor-1", 110, 160_000),
    ("g-entry", "Gas entry", "天然气总表", "natural_gas", "entry", 1, "", "", 0, 190_000),
    ("g-boiler", "Boiler gas", "锅炉用气", "natural_gas", "sub", 2, "g-entry", "boiler-1", 0, 188_000),
    ("s-boiler", "Boiler steam", "锅炉产汽", "steam", "generation", 2, "", "boiler-1", 0, 5_600_000),
    ("s-still", "Still steam", "蒸馏用汽", "steam", "sub", 3, "s-boiler", "still-1", 0, 4_000_000),
    ("s-cip", "CIP steam", "清洗用汽", "steam", "sub", 3, "s-boiler", "cip-1", 0, 1_100_000),
    ("w-entry", "Water entry", "新水总表", "water", "entry", 1, "", "", 0, 12_000),
)  # fmt: skip
_METRIC = {"natural_gas": "gas_volume_l", "steam": "steam_heat_kj", "water": "water_volume_l"}


def site_text() -> str:
    """The site file of the distillery."""
    return _HEAD + "".join(_meter_text(*row[:9]) for row in _METERS)


def _meter_text(  # noqa: PLR0917 the columns of the table above
    key: str, name: str, name_zh: str, carrier: str, role: str, level: int, parent: str, asset: str, rated: int
) -> str:
    lines = [
        "\n[[meter]]",
        f'id = "{key}"',
        f'name = "{name}"',
        f'name_zh = "{name_zh}"',
        f'carrier = "{carrier}"',
        f'role = "{role}"',
        f"level = {level}",
        f'metric = "{_METRIC.get(carrier, "active_energy_import_wh")}"',
        f'model = "{"DTSD1352" if carrier in {"electricity", "pv"} else "LUGB-DN80"}"',
        'maker = "测试仪表厂"',
        f'accuracy_class = "{"0.5S" if level == 1 else "1.0"}"',
        f'measuring_range = "{"3×1.5(6) A" if carrier == "electricity" else "8–400 m³/h"}"',
        f'location = "{"总降压站" if level == 1 else "车间配电室"}"',
        "interval_s = 900",
    ]
    lines += [f'parent = "{parent}"'] if parent else []
    lines += [f'asset = "{asset}"'] if asset else []
    lines += [f"rated_kw = {rated}"] if rated else []
    lines += ["gas_reference = { temperature_c = 20, pressure_kpa = 101.325 }"] if carrier == "natural_gas" else []
    lines += _calibration(key)
    if key == "e-line2":
        return "\n".join(lines) + _SWAPPED
    lines += [f'node = "n-{key}"', f'device = "{key}"', f'serial = "{2024_0000 + len(key) * 37 + level}"']
    lines += ["ct = [200, 5]", "pt = [10000, 100]"] if key == "e-grid" else []
    return "\n".join(lines) + "\n"


def _calibration(key: str) -> list[str]:
    if key in {"w-entry", "s-cip"}:
        return []
    due = {"e-mill": "2025-11-30", "g-entry": "2026-03-01"}.get(key, "2027-05-31")
    return ["calibrated = 2024-05-31", f"calibration_due = {due}", f"mandatory = {str(key == 'g-entry').lower()}"]


_SWAPPED = """
[[meter.installation]]
node = "n-pack"
device = "e-line2"
serial = "20190417"
to = 2025-06-15T10:30:00
end_register = 812345600
rollover_wh = 1000000000

[[meter.installation]]
node = "n-pack"
device = "e-line2-b"
serial = "20250601"
from = 2025-06-15T10:30:00
start_register = 0
rollover_wh = 1000000000
"""


@cache
def distillery() -> Site:
    """The site model."""
    return parse_site(site_text(), "site.toml")


def _per_hour(meter: Meter, steps: int, hour: int, day: int) -> int:
    """Day shift runs fully, evening three quarters, night a quarter; on every seventh day only the night's load."""
    if meter.id == "pv-roof":
        return (0, 0, 0, 0, 0, 0, 10, 40, 90, 140, 180, 200, 210, 200, 170, 130, 80, 30, 5, 0, 0, 0, 0, 0)[hour] * 1000
    share = 25 if day % 7 == 0 or hour < 6 else 100 if hour < 18 else 75
    return steps * share // 100


def _use(meter: Meter, steps: int, start_ns: int, end_ns: int, missing: frozenset[int]) -> MeterUse:
    hours: list[tuple[int, int | None]] = []
    total = 0
    for number, span in enumerate(split(start_ns, end_ns, Kind.HOUR, SHANGHAI)):
        local = datetime.fromtimestamp(span.start_ns // 1_000_000_000, UTC).astimezone(SHANGHAI)
        value = _per_hour(meter, steps, local.hour, local.day)
        total += value
        hours.append((span.start_ns, None if number in missing else value))
    expected = 4 * len(hours)
    base = 1_000_000 * (1 + len(meter.id))
    source = meter.installations[-1].source
    return MeterUse(
        meter.id, meter.name, meter.name_zh, meter.carrier, meter.role, meter.level, meter.parent, meter.unit,
        total, False, True, expected - 4 * len(missing), expected, tuple(hours),
        Register(source, start_ns, base), Register(source, end_ns, base + total),
    )  # fmt: skip


def _emissions(uses: Mapping[str, MeterUse], provisional: bool) -> tuple[Emission, ...]:
    """Round figures in the order of the real ones; a report only adds them up."""
    grid, gas = uses["e-grid"].value or 0, uses["g-entry"].value or 0

    def electricity(scope: Scope, grams_per_kwh: int, source: str = "meter:e-grid") -> Emission:
        grams = grid * grams_per_kwh // 1000
        return Emission(source, scope, Category.ELECTRICITY, "co2", grams, grams, provisional, False)

    combustion = gas * 2016 // 1000
    return (
        Emission("meter:g-entry", Scope.SCOPE_1, Category.COMBUSTION, "co2", combustion, combustion, False, False),
        electricity(Scope.SCOPE_2_LOCATION, 156),
        electricity(Scope.SCOPE_2_MARKET, 610, "market:residual"),
        electricity(Scope.SCOPE_2_REPORTING, 571),
        Emission("activity:refrigerant", Scope.SCOPE_1, Category.FUGITIVE, "r410a", 250, 480_875, False, False),
        Emission(
            "activity:wastewater", Scope.SCOPE_1, Category.WASTEWATER, "ch4", 90_000, 2_520_000, False, False
        ),
        Emission(
            "activity:fermentation", Scope.MEMO_BIOGENIC, Category.FERMENTATION, "co2", 88_000_000, 88_000_000,
            False, False,
        ),
    )  # fmt: skip


def _book(period: str) -> ActivityBook:
    year, month = int(period[:4]), int(period[5:])
    last = date(year + month // 12, month % 12 + 1, 1).toordinal() - 1
    start_ns = to_ns(datetime(year, month, 1, tzinfo=SHANGHAI))
    return ActivityBook(
        bills=(
            Bill(
                key=f"b{period}", meter="e-grid", start=date(year, month, 1), end=date.fromordinal(last),
                energy_kwh=Fraction(450_000), demand_kw=Fraction("812.4"), power_factor=Fraction("0.94"),
                amount_yuan=Fraction("288000.5"), source=f"电费结算单 {period}",
            ),
        ),
        productions=(
            Production(
                key=f"p{period}", product="白酒 52% 500 mL", batch=f"B{period}", start_ns=start_ns,
                end_ns=start_ns + 20 * 24 * HOUR_NS, asset="line-1", line="line-1", good=Fraction(96_000),
                scrap=Fraction(400), unit="bottle",
            ),
        ),
        values_added=(ValueAdded(key=f"v{period}", month=period, wan_yuan=Fraction("812.5")),),
        land_areas=(LandArea(key="land", start=date(2024, 1, 1), area_m2=Fraction(66_000)),),
    )  # fmt: skip


@cache
def month(period: str, *, closed: bool = True, gap: bool = False) -> MonthSummary:
    """One month; `gap` takes three days out of the grid entry and makes the month incomplete."""
    site = distillery()
    start = date.fromisoformat(f"{period}-01")
    end = date(start.year + start.month // 12, start.month % 12 + 1, 1)
    start_ns, end_ns = (to_ns(datetime(day.year, day.month, 1, tzinfo=SHANGHAI)) for day in (start, end))
    steps = {row[0]: row[9] for row in _METERS}
    lost = frozenset(range(200, 272)) if gap else frozenset[int]()
    uses = tuple(
        _use(meter, steps[meter.id], start_ns, end_ns, lost if meter.id == "e-grid" else frozenset())
        for meter in site.tree()
    )
    unvalued = (
        Unvalued("meter:e-grid", start_ns + 200 * HOUR_NS, start_ns + 272 * HOUR_NS, Fraction(59_040_000), "Wh", "gap"),
    )
    rows = ("CN-GRID-2023-SC", "TCE-ELEC-EQ")
    table = packaged_factors()
    return MonthSummary(
        period=period,
        version=1 if closed else 0,
        closed=closed,
        site=site,
        meters=uses,
        emissions=_emissions({use.meter: use for use in uses}, provisional=True),
        unvalued=unvalued if gap else (),
        book=_book(period),
        factors=tuple(row for row in table if row.id in rows),
        as_of=AS_OF,
        complete=not gap,
        provisional=True,
        mark=MARK if closed else None,
    )


@cache
def year(period: str = "2025", *, closed: bool = True) -> YearSummary:
    """Twelve months."""
    months = tuple(month(f"{period}-{number:02}", closed=closed) for number in range(1, 13))
    return YearSummary(period, months, MARK if closed else None)


def swapped(summary: MonthSummary, **changes: object) -> MonthSummary:
    """The month with other fields."""
    return replace(summary, **changes)  # pyright: ignore[reportArgumentType] the fields are named by the test
