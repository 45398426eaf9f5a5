"""Templates of what is bought over a meter or a contract: electricity and heat, and readings taken by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.columns import Choice, Column, Context, Finding, Template, Type, Values
from shutan_collector.activity.common import KEY, dated, reversed_days, tail
from shutan_collector.activity.quantity import (
    ELECTRICITY_KWH,
    ELECTRICITY_MWH,
    EMISSION_KG_PER_KWH,
    ENTHALPY_KJ_KG,
    HEAT_GJ,
    MASS_T,
    MONEY_YUAN,
    POWER_KW,
    REGISTER_STEPS,
    TEMPERATURE_C,
)
from shutan_collector.activity.rows import (
    Bill,
    Certificate,
    DeclaredMissing,
    GreenPower,
    HeatForm,
    HeatPurchase,
    ManualReading,
    MissingMethod,
    PowerContract,
)
from shutan_collector.site.model import Carrier, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["POWER_TEMPLATES"]

_METER: Final = Column("meter", "计量点", Type.METER, "entry")
_REGISTER_END: Final = 2**63  # readings rest as 64-bit integers, in the stores as in memory
_PARTS: Final = (("sharp", "尖"), ("peak", "峰"), ("flat", "平"), ("valley", "谷"))
_READING_UNITS: Final = tuple(
    Choice(unit, tuple(alias for alias, meant in units.aliases.items() if meant == unit))
    for units in REGISTER_STEPS.values()
    for unit in units.factors
)
_TECHNOLOGIES: Final = (
    Choice("wind", ("风电",)),
    Choice("solar", ("光伏", "太阳能")),
    Choice("hydro", ("水电",)),
    Choice("biomass", ("生物质",)),
    Choice("geothermal", ("地热",)),
    Choice("ocean", ("海洋能",)),
)


def _bill(values: Values, context: Context) -> Iterator[Finding]:
    yield from reversed_days(values, context)
    parts = [values.number(name) for name, _ in _PARTS]
    energy = values.number("energy") or Fraction(0)
    if sum(part or 0 for part in parts) > energy:
        yield "energy", "sharp, peak, flat and valley together are more than the energy of the bill"
    meter = (context.vocabulary.meters or {}).get(values.text("meter"))
    if meter is not None and (meter.carrier is not Carrier.ELECTRICITY or meter.role is not Role.ENTRY):
        yield "meter", f"{meter.id!r} is not an entry meter of electricity, which a utility bills"


def _reading(values: Values, context: Context) -> Iterator[Finding]:
    """Register on the primary side in the metric's step: display × multiplier × unit, which must come out whole."""
    unit = values.text("unit")
    step, factor = next((step, units.factors[unit]) for step, units in REGISTER_STEPS.items() if unit in units.factors)
    meter = (context.vocabulary.meters or {}).get(values.text("meter"))
    if meter is not None and meter.unit.value != step:
        yield "unit", f"found {unit!r}; {meter.id!r} counts in {', '.join(REGISTER_STEPS[meter.unit.value].factors)}"
    register = (values.number("register") or 0) * (values.number("multiplier") or 1) * factor
    if register.denominator != 1:
        yield "register", f"is finer than the step of the register, 1 {step}"
    if register >= _REGISTER_END:
        yield "register", f"is more than any register holds ({_REGISTER_END - 1} {step})"
    values.keep("register", unit=unit)
    values.keep("multiplier")
    values.found["register"] = int(register)


def _heat(values: Values, context: Context) -> Iterator[Finding]:
    yield from reversed_days(values, context)
    needs = {
        HeatForm.HEAT.value: ("heat",),
        HeatForm.STEAM.value: ("mass", "enthalpy"),
        HeatForm.HOT_WATER.value: ("mass", "temperature"),
    }[values.text("form")]
    for name in ("heat", "mass", "enthalpy", "temperature"):
        given = values.number(name) is not None
        if name in needs and not given:
            yield name, f"is needed for {values.text('form')}"
        elif given and name not in needs:
            yield name, f"has no meaning for {values.text('form')}; leave it empty"


def _certificate(values: Values, _context: Context) -> Iterator[Finding]:
    start, end, retired = (values.day(name) for name in ("vintage_start", "vintage_end", "retired_on"))
    if start and end and end < start:
        yield "vintage_end", f"{end} is before vintage_start {start}"
    if start and retired and retired < start:
        yield "retired_on", f"{retired} is before the power was made ({start})"


POWER_TEMPLATES: Final = (
    Template(
        Bill,
        "Electricity bill",
        "电费结算单",
        "One row per settlement statement and entry meter, with the bill's own dates (for example 26th to 25th).",
        (
            KEY,
            _METER,
            *dated("2025-05-26", "2025-06-25"),
            Column("energy", "电量", Type.NUMBER, "152340", units=ELECTRICITY_KWH, field="energy_kwh"),
            *(
                Column(name, f"{zh}时段电量", Type.NUMBER, required=False, units=ELECTRICITY_KWH, field=f"{name}_kwh")
                for name, zh in _PARTS
            ),
            Column("demand", "最大需量", Type.NUMBER, required=False, units=POWER_KW, field="demand_kw"),
            Column("power_factor", "功率因数", Type.SHARE, required=False),
            Column("amount", "电费", Type.NUMBER, required=False, units=MONEY_YUAN, field="amount_yuan", low=None),
            *tail("INV-0625"),
        ),
        _bill,
    ),
    Template(
        ManualReading,
        "Manual meter reading",
        "抄表记录",
        "A display read by a person. register = display; multiplier = CT × PT where the display is secondary (倍率).",
        (
            KEY,
            _METER,
            Column("time", "抄表时间", Type.MOMENT, "2025-07-01 08:00", field="time_ns"),
            Column("register", "表底", Type.NUMBER, "48213.5"),
            Column("unit", "单位", Type.UNIT, "kWh", choices=_READING_UNITS, field=""),
            Column("multiplier", "倍率", Type.NUMBER, "40", required=False, field="", note="1 if empty"),
            Column("person", "抄表人", Type.TEXT, "Li Wei"),
            Column("photo", "照片", Type.TEXT, "photos/0701-entry.jpg", required=False),
            *tail(""),
        ),
        _reading,
        unique=("meter", "time"),
    ),
    Template(
        HeatPurchase,
        "Heat bought",
        "外购热力",
        "heat: heat. steam: mass and enthalpy. hot_water: mass and temperature.",
        (
            KEY,
            *dated("2025-06-01", "2025-06-30"),
            Column(
                "form",
                "形式",
                Type.CHOICE,
                "steam",
                choices=(
                    Choice(HeatForm.HEAT, ("热量", "热力")),
                    Choice(HeatForm.STEAM, ("蒸汽",)),
                    Choice(HeatForm.HOT_WATER, ("热水",)),
                ),
            ),
            Column("heat", "热量", Type.NUMBER, required=False, units=HEAT_GJ, field="heat_gj"),
            Column("mass", "质量", Type.NUMBER, "820", required=False, units=MASS_T, field="mass_t"),
            Column(
                "enthalpy",
                "比焓",
                Type.NUMBER,
                "2763",
                required=False,
                units=ENTHALPY_KJ_KG,
                field="enthalpy_kj_per_kg",
                low=Fraction(84),
                high=Fraction(4000),
            ),
            Column(
                "temperature",
                "水温",
                Type.NUMBER,
                required=False,
                units=TEMPERATURE_C,
                field="temperature_c",
                low=Fraction(20),
                high=Fraction(200),
            ),
            Column("supplier", "供应商", Type.TEXT, required=False),
            *tail("INV-H-06"),
        ),
        _heat,
    ),
    Template(
        PowerContract,
        "Electricity contract",
        "购电合同",
        "Power bought from a named supply. emission_factor only where the contract states one.",
        (
            KEY,
            *dated("2025-01-01", "2025-12-31"),
            Column("energy", "电量", Type.NUMBER, "1200", units=ELECTRICITY_MWH, field="mwh"),
            Column("supplier", "供应商", Type.TEXT, "Shu Power Trading"),
            Column(
                "emission_factor",
                "合同排放因子",
                Type.NUMBER,
                required=False,
                units=EMISSION_KG_PER_KWH,
                field="kg_co2_per_kwh",
                high=Fraction(2),
            ),
            *tail("HT-2025-031"),
        ),
        reversed_days,
    ),
    Template(
        Certificate,
        "Green electricity certificate",
        "绿证",
        "The key is the certificate's number in its registry. claimed_for stays empty while it is held unclaimed.",
        (
            KEY,
            Column("energy", "电量", Type.NUMBER, "1", units=ELECTRICITY_MWH, field="mwh"),
            Column("vintage_start", "电量生产起始日", Type.DAY, "2025-04-01"),
            Column("vintage_end", "电量生产截止日", Type.DAY, "2025-04-30"),
            Column("technology", "技术类型", Type.CHOICE, "wind", choices=_TECHNOLOGIES),
            Column("registry", "登记机构", Type.TEXT, "国家可再生能源信息管理中心"),
            Column("retired_on", "核销日期", Type.DAY, "2025-07-05", required=False),
            Column("claimed_for", "声明期间", Type.PERIOD, "2025-06", required=False),
            *tail(""),
        ),
        _certificate,
    ),
    Template(
        GreenPower,
        "Green power delivered",
        "绿电",
        "Green power of a month with the number of the certificate that came with it (a row of certificate).",
        (
            KEY,
            Column("month", "月份", Type.MONTH, "2025-06"),
            Column("energy", "电量", Type.NUMBER, "80", units=ELECTRICITY_MWH, field="mwh"),
            Column("certificate", "绿证编号", Type.TEXT, "GEC-0001"),
            Column("supplier", "供应商", Type.TEXT, required=False),
            *tail("HT-GP-07"),
        ),
    ),
    Template(
        DeclaredMissing,
        "Readings declared missing",
        "缺数声明",
        "A person states that readings are missing, so that a period can close; method none leaves the gap.",
        (
            KEY,
            _METER,
            *dated("2025-06-10", "2025-06-12"),
            Column(
                "method",
                "处理方法",
                Type.CHOICE,
                "none",
                choices=(Choice(MissingMethod.NONE, ("不补",)), Choice(MissingMethod.LINEAR, ("线性",))),
            ),
            Column("person", "声明人", Type.TEXT, "Li Wei"),
            Column("reason", "原因", Type.TEXT, "node without power"),
            *tail(""),
        ),
        reversed_days,
    ),
)
