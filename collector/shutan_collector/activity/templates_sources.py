"""Templates of direct sources: fuels, refrigerants, process inputs, fermentation, waste water."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.columns import Choice, Column, Context, Finding, Template, Type, Values
from shutan_collector.activity.common import KEY, dated, reversed_days, tail
from shutan_collector.activity.fuel_units import FUEL_UNITS, NCV_UNITS, fuel_amount, fuel_ncv, gas_state
from shutan_collector.activity.quantity import CARBON_TC_PER_TJ, KG, MASS_T, PERCENT
from shutan_collector.activity.rows import (
    Clinker,
    Direction,
    Fermentation,
    FuelMovement,
    FuelQuality,
    ProcessInput,
    Refrigerant,
    RefrigerantMethod,
    Wastewater,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SOURCE_TEMPLATES"]

_FUEL: Final = Column("fuel", "燃料", Type.FUEL, "bituminous", note="id or Chinese name of the factor table")
_DAY: Final = Column("day", "日期", Type.DAY, "2025-06-30")
_QUANTITY: Final = (
    Column("quantity", "数量", Type.NUMBER, "412.6"),
    Column("unit", "单位", Type.UNIT, "t", choices=FUEL_UNITS),
)
_STATE: Final = (
    Column(
        "density",
        "密度 kg/L",
        Type.NUMBER,
        required=False,
        field="",
        low=Fraction("0.3"),
        high=Fraction("1.5"),
        note="needed for litres",
    ),
    Column(
        "temperature_c",
        "计量温度 °C",
        Type.NUMBER,
        required=False,
        field="",
        low=Fraction(-60),
        high=Fraction(100),
        note="reference condition of the gas meter, needed for m3",
    ),
    Column(
        "pressure_kpa",
        "计量绝对压力 kPa",
        Type.NUMBER,
        required=False,
        field="",
        low=Fraction(50),
        high=Fraction(10_000),
        note="absolute, needed for m3",
    ),
)
_STOCKS: Final = ("opening", "bought", "closing", "recovered")


def _movement(values: Values, context: Context) -> Iterator[Finding]:
    yield from fuel_amount(values, context)


def _quality(values: Values, context: Context) -> Iterator[Finding]:
    yield from reversed_days(values, context)
    state = gas_state(values)
    yield from fuel_amount(values, context)
    yield from fuel_ncv(values, context, state)


def _refrigerant(values: Values, context: Context) -> Iterator[Finding]:
    """The masses of the method are needed, the others stay empty and become zero."""
    yield from reversed_days(values, context)
    method = values.text("method")
    needed = _STOCKS if method == RefrigerantMethod.STOCK_BALANCE else ("topped_up",)
    for name in (*_STOCKS, "topped_up"):
        mass = values.number(name)
        if name in needed and mass is None:
            yield name, f"is needed for {method}; write 0 if there was none"
        if name not in needed and mass:
            yield name, f"has no meaning for {method}; leave it empty"
        values.found[name] = mass or Fraction(0)
    opening, bought, closing, recovered = (values.number(name) or Fraction(0) for name in _STOCKS)
    if opening + bought - closing - recovered < 0:
        yield "closing", "opening + bought - closing - recovered is negative: more is there than ever came"


def _clinker(values: Values, _context: Context) -> Iterator[Finding]:
    for oxide in ("cao", "mgo"):
        total, other = values.number(oxide), values.number(f"{oxide}_non_carbonate")
        if total is not None and other is not None and other > total:
            yield f"{oxide}_non_carbonate", f"is more than {oxide}"
    if (values.number("cao") or 0) + (values.number("mgo") or 0) > 1:
        yield "mgo", "cao and mgo together are more than 1"


def _wastewater(values: Values, context: Context) -> Iterator[Finding]:
    yield from reversed_days(values, context)
    if (values.number("sludge_cod") or 0) > (values.number("cod_removed") or 0):
        yield "sludge_cod", "is more than cod_removed"


def _share(name: str, zh: str, example: str, note: str = "") -> Column:
    return Column(name, zh, Type.SHARE, example, note=note)


def _mass(name: str, zh: str, example: str, field: str, **units: bool) -> Column:
    return Column(name, zh, Type.NUMBER, example, units=KG if units.get("kg") else MASS_T, field=field)


SOURCE_TEMPLATES: Final = (
    Template(
        FuelMovement,
        "Fuel bought, in stock, handed on",
        "燃料购入与库存",
        "Opening stock on a period's first day, closing stock on its last. Litres need density, m3 a state.",
        (
            KEY,
            _FUEL,
            _DAY,
            Column(
                "direction",
                "方向",
                Type.CHOICE,
                "purchase",
                choices=(
                    Choice(Direction.PURCHASE, ("购入",)),
                    Choice(Direction.OPENING_STOCK, ("期初库存",)),
                    Choice(Direction.CLOSING_STOCK, ("期末库存",)),
                    Choice(Direction.TRANSFER_OUT, ("调出", "外供")),
                ),
            ),
            *_QUANTITY,
            *_STATE,
            Column("supplier", "供应商", Type.TEXT, required=False),
            *tail("INV-C-0612"),
        ),
        _movement,
    ),
    Template(
        FuelQuality,
        "Fuel quality, own measurement",
        "燃料实测值",
        "Measured values of a batch as received; they take precedence over defaults, weighed by quantity.",
        (
            KEY,
            _FUEL,
            *dated("2025-06-01", "2025-06-30"),
            Column("batch", "批次", Type.TEXT, "B-06"),
            *_QUANTITY,
            Column("ncv", "低位发热量", Type.NUMBER, "22.35", low=Fraction(1, 100), note="as received 收到基"),
            Column("ncv_unit", "发热量单位", Type.UNIT, "GJ/t", field="", choices=NCV_UNITS),
            Column(
                "carbon_content",
                "单位热值含碳量",
                Type.NUMBER,
                required=False,
                units=CARBON_TC_PER_TJ,
                low=Fraction(12),
                high=Fraction(71),
            ),
            Column(
                "oxidation_rate",
                "碳氧化率",
                Type.NUMBER,
                required=False,
                units=PERCENT,
                low=Fraction(50),
                high=Fraction(100),
            ),
            *_STATE,
            Column("laboratory", "检测机构", Type.TEXT, required=False),
            *tail("LAB-2025-118"),
        ),
        _quality,
    ),
    Template(
        Refrigerant,
        "Refrigerant and SF6",
        "制冷剂与六氟化硫",
        "stock_balance: opening, bought, closing, recovered. top_up: topped_up.",
        (
            KEY,
            Column("gas", "气体", Type.GAS, "r410a"),
            Column("equipment", "设备", Type.TEXT, "chiller-1"),
            *dated("2025-01-01", "2025-12-31"),
            Column(
                "method",
                "方法",
                Type.CHOICE,
                "top_up",
                choices=(
                    Choice(RefrigerantMethod.STOCK_BALANCE, ("库存平衡", "质量平衡")),
                    Choice(RefrigerantMethod.TOP_UP, ("补充量", "充装量")),
                ),
            ),
            *(
                Column(name, zh, Type.NUMBER, example, required=False, units=KG, field=f"{name}_kg")
                for name, zh, example in (
                    ("opening", "期初", ""),
                    ("bought", "购入", ""),
                    ("closing", "期末", ""),
                    ("recovered", "回收", ""),
                    ("topped_up", "补充", "3.2"),
                )
            ),
            *tail("SRV-88"),
        ),
        _refrigerant,
    ),
    Template(
        ProcessInput,
        "Process input",
        "工艺投入物",
        "Carbonates, electrodes, shielding gas; purity and conversion as shares (write 1 where all of it reacts).",
        (
            KEY,
            Column("material", "物料", Type.MATERIAL, "calcium_carbonate"),
            _DAY,
            _mass("mass", "质量", "36.5", "mass_t"),
            _share("purity", "纯度", "0.96"),
            _share("conversion", "转化率", "1"),
            *tail("WH-0630"),
        ),
    ),
    Template(
        Clinker,
        "Cement clinker",
        "水泥熟料",
        "Mass shares of CaO and MgO, in all and the part that does not come from carbonates.",
        (
            KEY,
            _DAY,
            _mass("mass", "熟料产量", "5200", "mass_t"),
            _share("cao", "CaO含量", "0.653"),
            _share("mgo", "MgO含量", "0.021"),
            _share("cao_non_carbonate", "非碳酸盐CaO", "0.008"),
            _share("mgo_non_carbonate", "非碳酸盐MgO", "0.002"),
            *tail("LAB-CL-06"),
        ),
        _clinker,
    ),
    Template(
        Fermentation,
        "Fermentation",
        "发酵",
        "Ethanol made, as pure ethanol; its CO2 is biogenic and shown apart.",
        (KEY, _DAY, _mass("ethanol", "乙醇产量", "118.4", "ethanol_t"), *tail("WH-E-06")),
    ),
    Template(
        Wastewater,
        "Waste water, anaerobic",
        "废水厌氧处理",
        "COD removed and COD taken out with sludge; mcf is the methane correction factor of the treatment.",
        (
            KEY,
            *dated("2025-06-01", "2025-06-30"),
            _mass("cod_removed", "去除COD", "18600", "cod_removed_kg", kg=True),
            _mass("sludge_cod", "污泥COD", "1200", "sludge_cod_kg", kg=True),
            _share("mcf", "甲烷修正因子", "0.3"),
            _mass("recovered_ch4", "甲烷回收", "0", "recovered_ch4_kg", kg=True),
            *tail("EP-06"),
        ),
        _wastewater,
    ),
)
