"""Indicators of a zero-carbon factory (零碳工厂指标), those that can be computed; the others say what is missing.

Source: the five-ministry guidance on zero-carbon factories (January 2026) and the guide to digital energy-carbon
management centres (工信厅节〔2025〕13号). Nothing is estimated to fill a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.accounting.summary import YearSummary
from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.factors.table import packaged_factors
from shutan_collector.reports.consumption import consumption
from shutan_collector.reports.emissions import METHODS, SCOPE_NAMES, total_g
from shutan_collector.reports.heading import heading_of
from shutan_collector.reports.metering.build import automatic_collection
from shutan_collector.reports.table import Both, NoData

if TYPE_CHECKING:
    from shutan_collector.accounting.summary import MonthSummary
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.reports.consumption import Consumption
    from shutan_collector.reports.heading import Heading

__all__ = ["FUNCTIONS", "SCHEMA", "Evidence", "Indicator", "Part", "ZeroCarbonModel", "build_zero_carbon"]

SCHEMA: Final = "shutan.report.zero_carbon/1"
FUNCTIONS: Final = 13  # functions of a digital energy-carbon management centre in the Guide
_G_PER_T: Final = 1_000_000
_KWH_PER_MWH: Final = 1000
_KWH_PER_WAN: Final = 10_000
_KG_PER_T: Final = 1000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What no meter and no document of the ledger says, where a person states it; None = not stated.

    efficient_kw, installed_kw   rated power of energy-saving equipment (节能设备), and of all
    footprints                   products with a published footprint; None = not stated
    functions                    functions of the Guide that are fulfilled, of 13
    """

    efficient_kw: Fraction | None = None
    installed_kw: Fraction | None = None
    footprints: frozenset[str] | None = None
    functions: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Numerator or denominator of an indicator."""

    name: Both
    value: Fraction | NoData
    unit: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """One row: value = upper / lower (× 100 for percent), or what is missing for it."""

    key: str
    name: Both
    unit: str
    upper: Part
    lower: Part

    @property
    def value(self) -> Fraction | NoData:
        """The quotient, exact; no data where a part is missing or the denominator is zero."""
        if isinstance(self.upper.value, NoData):
            return self.upper.value
        if isinstance(self.lower.value, NoData):
            return self.lower.value
        if self.lower.value == 0:
            return NoData(Both(f"{self.lower.name.zh}为零", f"{self.lower.name.en} is zero"))
        quotient = self.upper.value / self.lower.value
        return quotient * 100 if self.unit == "%" else quotient


@dataclass(frozen=True, slots=True)
class ZeroCarbonModel:
    """The sheet."""

    heading: Heading
    indicators: tuple[Indicator, ...]

    def find(self, key: str) -> Indicator:
        """The indicator of that key; KeyError if there is none."""
        return {item.key: item for item in self.indicators}[key]


def build_zero_carbon(
    summary: MonthSummary | YearSummary, evidence: Evidence | None = None, factors: FactorTable | None = None
) -> ZeroCarbonModel:
    """The sheet of a month or year; factors: None = the packaged table."""
    used = consumption(summary, factors or packaged_factors())
    parts = _Parts(summary, used, evidence or Evidence())
    return ZeroCarbonModel(heading_of(summary, SCHEMA), tuple(parts.indicators()))


class _Parts:
    """Numerators and denominators of one period."""

    def __init__(self, summary: MonthSummary | YearSummary, used: Consumption, evidence: Evidence) -> None:
        self._summary = summary
        self._months = summary.months if isinstance(summary, YearSummary) else (summary,)
        self._used = used
        self._evidence = evidence
        self._energy = self._comprehensive()

    def indicators(self) -> list[Indicator]:
        """All rows in the order of the sheet."""
        energy, value_added, area = self._energy, self._value_added(), self._area()
        rows: list[Indicator] = []
        for scope in METHODS:
            if any(item.scope is scope for item in self._summary.emissions):
                carbon = self._carbon(SCOPE_NAMES[scope], Fraction(total_g(self._summary, scope), _G_PER_T))
                name = Both(
                    f"单位综合能耗碳排放 I = C/E，{SCOPE_NAMES[scope].zh}",
                    f"carbon per energy, {SCOPE_NAMES[scope].en}",
                )
                rows.append(Indicator(f"carbon_per_energy_{scope.value}", name, "tCO2e/tce", carbon, energy))
                name = Both(
                    f"单位增加值碳排放，{SCOPE_NAMES[scope].zh}", f"carbon per value added, {SCOPE_NAMES[scope].en}"
                )
                rows.append(Indicator(f"carbon_per_value_{scope.value}", name, "tCO2e/万元", carbon, value_added))
        rows += [
            Indicator(
                "non_fossil", Both("非化石能源占比 r = R/E", "non-fossil share"), "%", self._non_fossil(), energy
            ),
            Indicator(
                "traceable_electricity",
                Both("物理可溯源非化石电力占比", "physically traceable non-fossil electricity"), "%",
                self._traceable(), self._electricity(),
            ),
            Indicator(
                "energy_per_value", Both("单位工业增加值能耗", "energy per value added"), "tce/万元", energy,
                value_added,
            ),
            Indicator("energy_per_area", Both("单位用地面积能耗", "energy per land area"), "tce/m2", energy, area),
            self._efficient_equipment(),
            self._footprints(),
            self._collection(),
            self._functions(),
        ]  # fmt: skip
        return rows

    def _comprehensive(self) -> Part:
        name = Both("综合能耗 E(当量值)", "comprehensive energy E, calorific")
        lacking = [item for item in self._used.carriers if item.missing]
        if lacking or not self._used.complete:
            what = "、".join(item.name.zh for item in lacking)
            reasons = "; ".join(item.missing.en for item in lacking if item.missing)
            return Part(name, NoData(Both(f"{what} 无法折标", reasons)), "tce")
        return Part(name, self._used.tce, "tce")

    def _carbon(self, name: Both, tonnes: Fraction) -> Part:
        label = Both(f"碳排放 C，{name.zh}", f"emission C, {name.en}")
        if not self._summary.complete:
            return Part(label, NoData(Both("碳排放数据不完整", "emissions are not complete")), "tCO2e")
        return Part(label, tonnes, "tCO2e")

    def _claimed_kwh(self) -> Fraction:
        """Certificates retired for the period and green power delivered in it; a certificate of green power once."""
        book = _book(self._months)
        wanted = {self._summary.period, *(month.period for month in self._months)}
        power = [row for row in book.green_powers if row.month in wanted]
        carried = {row.certificate for row in power}
        certificates = [
            row
            for row in book.certificates
            if row.claimed_for in wanted and row.retired_on is not None and row.key not in carried
        ]
        mwh = sum((row.mwh for row in (*power, *certificates)), Fraction())
        return mwh * _KWH_PER_MWH

    def _own_kwh(self) -> Fraction:
        """Non-fossil power made and used on site: what is exported can only have been made here."""
        made = sum(
            (item.used * _KWH_PER_WAN for item in self._used.carriers if item.non_fossil and item.used), Fraction()
        )
        out = sum((item.handed_out * _KWH_PER_WAN for item in self._used.carriers if item.electric), Fraction())
        return max(made - out, Fraction())

    def _non_fossil(self) -> Part:
        """Own photovoltaic power, and claimed certificates, at the calorific coefficient of electricity."""
        name = Both("非化石能源 R(自产与绿证绿电)", "non-fossil energy R")
        grid, own, claimed = self._used.find("electricity"), self._own_kwh(), self._claimed_kwh()
        known = [item.coefficient for item in self._used.carriers if item.electric and item.coefficient is not None]
        if not known and (own or claimed):
            return Part(name, NoData(Both("缺电力折标系数", "no coefficient of electricity")), "tce")
        bought = grid.purchased * _KWH_PER_WAN if grid is not None else Fraction()
        return Part(name, (own + min(claimed, bought)) * (known[0] if known else 0) / _KG_PER_T, "tce")

    def _traceable(self) -> Part:
        """Only what is made on site reaches the loads by a wire of its own; bought green power does so by contract."""
        return Part(Both("自产自用非化石电力", "non-fossil electricity made and used on site"), self._own_kwh(), "kWh")

    def _electricity(self) -> Part:
        name = Both("用电量", "electricity used")
        if any(item.electric and item.used is None for item in self._used.carriers):
            return Part(name, NoData(Both("电表期初或期末无表底", "an electricity meter lacks a register")), "kWh")
        return Part(name, self._used.electricity_kwh, "kWh")

    def _value_added(self) -> Part:
        name = Both("工业增加值", "industrial value added")
        rows = {row.month: row for row in _book(self._months).values_added}
        missing = [month.period for month in self._months if month.period not in rows]
        if missing:
            what = ", ".join(missing)
            return Part(name, NoData(Both(f"缺 {what} 工业增加值", f"no value added for {what}")), "万元")
        return Part(name, sum((rows[month.period].wan_yuan for month in self._months), Fraction()), "万元")

    def _area(self) -> Part:
        """Land in force at the end of the period."""
        name = Both("用地面积", "land area")
        rows = sorted(_book(self._months).land_areas, key=lambda row: row.start)
        if not rows:
            return Part(name, NoData(Both("缺用地面积", "no land area")), "m2")
        return Part(name, rows[-1].area_m2, "m2")

    def _efficient_equipment(self) -> Indicator:
        stated = self._evidence
        lacking = NoData(Both("缺设备能效等级台账", "no register of equipment by energy efficiency"))
        return Indicator(
            "efficient_equipment", Both("节能设备占比(按额定功率)", "energy-saving equipment by rated power"), "%",
            Part(Both("节能设备功率", "energy-saving"), _or(stated.efficient_kw, lacking), "kW"),
            Part(Both("设备总功率", "all equipment"), _or(stated.installed_kw, lacking), "kW"),
        )  # fmt: skip

    def _footprints(self) -> Indicator:
        products = {row.product for row in _book(self._months).productions}
        known = self._evidence.footprints
        with_footprint = None if known is None else Fraction(len(products & known))
        lacking = NoData(Both("未提供产品碳足迹清单", "no list of products with a footprint"))
        none_made = NoData(Both("缺产量资料", "no production records"))
        return Indicator(
            "footprints", Both("主要产品碳足迹覆盖率", "main products with a footprint"), "%",
            Part(Both("已核算碳足迹的产品", "products with a footprint"), _or(with_footprint, lacking), "种 kinds"),
            Part(
                Both("产品种类", "products"), _or(Fraction(len(products)) if products else None, none_made), "种 kinds"
            ),
        )  # fmt: skip

    def _collection(self) -> Indicator:
        found = automatic_collection(self._summary)
        return Indicator(
            "collection", Both("关键能源数据自动采集率 Rz = Nz/Nj", "automatic collection of key energy data"), "%",
            Part(Both("有效自动采集计量器具 Nz", "valid automatic meters"), Fraction(found.valid), "台 pcs"),
            Part(Both("应配计量器具 Nj", "meters required"), Fraction(found.required), "台 pcs"),
        )  # fmt: skip

    def _functions(self) -> Indicator:
        stated = self._evidence.functions
        lacking = NoData(Both("未填自评结果", "no self-evaluation was given"))
        return Indicator(
            "functions", Both("能碳管理中心功能实现率", "functions of the energy-carbon centre"), "%",
            Part(Both("已实现功能", "fulfilled"), _or(None if stated is None else Fraction(stated), lacking), "项"),
            Part(Both("功能总数", "functions in the guide"), Fraction(FUNCTIONS), "项"),
        )  # fmt: skip


def _book(months: tuple[MonthSummary, ...]) -> ActivityBook:
    """All activity rows of the months, each once: a row that spans months stands in the book of each."""
    rows = {row.ref: row for month in months for row in month.book}
    return ActivityBook.of(rows.values(), months[0].book.zone)


def _or(value: Fraction | None, lacking: NoData) -> Fraction | NoData:
    return lacking if value is None else value
