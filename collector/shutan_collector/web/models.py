"""What the API answers, typed. Counters, grams and times are integers; every other number is exact text.

Times: `*_ns` are UTC nanoseconds since 1970, the ISO 8601 text beside them is in the site's zone.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = [
    "CategoryTotal",
    "DocumentReference",
    "EmissionItem",
    "EmissionList",
    "EnergyItem",
    "EnergyList",
    "EntryItem",
    "EntryList",
    "FactorItem",
    "FactorList",
    "FlowTrace",
    "FormulaItem",
    "Hour",
    "InputItem",
    "LedgerHead",
    "LineItem",
    "LineList",
    "Marks",
    "MonthItem",
    "PeriodDetail",
    "PeriodItem",
    "PeriodList",
    "Problem",
    "ReadingItem",
    "ScopeTotal",
    "Service",
    "SourceTotal",
    "Step",
    "Totals",
    "Trace",
    "UnvaluedItem",
    "UsedFactor",
    "Version",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(_Model):
    """What is wrong with a request (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class LedgerHead(_Model):
    """The end of the chain: number and hash of the last entry; 0 and 64 zeros of an empty ledger."""

    seq: int
    hash: str


class Service(_Model):
    """What answers here."""

    service: str = "shutan api"
    version: str
    site: str
    name: str
    name_zh: str
    head: LedgerHead


class Marks(_Model):
    """What stands beside every figure of a period. provisional 暂用: an earlier year's factor was used."""

    complete: bool
    provisional: bool


class PeriodItem(_Model):
    """Where a period stands. version: 0 while open; stale: months restated since their year was closed."""

    period: str
    kind: Literal["month", "year"]
    state: Literal["open", "closed"]
    version: int
    entry: int | None
    closed_at: str | None
    author: str | None
    marks: Marks | None
    stale: tuple[str, ...] = ()


class PeriodList(_Model):
    """A page of closed periods."""

    head: LedgerHead
    total: int
    offset: int
    limit: int
    periods: tuple[PeriodItem, ...]


class ScopeTotal(_Model):
    """Sum of a scope, grams of CO2 equivalent; memo items 备注项 are in no total."""

    scope: str
    memo: bool
    co2e_g: int


class SourceTotal(_Model):
    """Sum of a source in a scope."""

    source: str
    scope: str
    co2e_g: int


class CategoryTotal(_Model):
    """Sum of a gas in a category and scope."""

    scope: str
    category: str
    gas: str
    gas_g: int
    co2e_g: int


class EnergyTotal(_Model):
    """What passed a meter, in its step; state: complete, estimated 估算, inexact, gaps."""

    meter: str
    value: int
    unit: str
    state: str


class Totals(_Model):
    """Sums of a period's lines and flows."""

    by_scope: tuple[ScopeTotal, ...]
    by_source: tuple[SourceTotal, ...]
    by_category: tuple[CategoryTotal, ...]
    energy: tuple[EnergyTotal, ...]


class Version(_Model):
    """One closing or restatement."""

    version: int
    entry: int
    hash: str
    at: str
    author: str
    reason: str
    restates: int | None


class MonthItem(_Model):
    """A month that a year was summed from."""

    period: str
    version: int
    entry: int


class DocumentReference(_Model):
    """A document of a closed month: the entry that holds it and the hash of its canonical bytes."""

    name: str
    entry: int
    sha256: str


class PeriodDetail(PeriodItem):
    """A period with its totals, versions and documents; totals are null while it is open."""

    head: LedgerHead
    totals: Totals | None
    months: tuple[MonthItem, ...]
    versions: tuple[Version, ...]
    documents: tuple[DocumentReference, ...]


class EmissionItem(_Model):
    """Sum of the lines of one source, scope, category and gas."""

    source: str
    scope: str
    category: str
    gas: str
    gas_g: int
    co2e_g: int
    provisional: bool
    estimated: bool


class UnvaluedItem(_Model):
    """Activity that no line could hold."""

    source: str
    start_ns: int
    end_ns: int
    value: str
    unit: str
    reason: str


class EmissionList(_Model):
    """Emissions of a closed period."""

    period: str
    version: int
    head: LedgerHead
    marks: Marks
    emissions: tuple[EmissionItem, ...]
    unvalued: tuple[UnvaluedItem, ...]


class ReadingItem(_Model):
    """One register reading with its instrument."""

    source: str
    t_ns: int
    time: str
    register_value: int = Field(serialization_alias="register")


class Hour(_Model):
    """One hour of a meter; value is null where a boundary has no reading."""

    start_ns: int
    start: str
    value: int | None


class EnergyItem(_Model):
    """One meter over a period; hours only where one meter and a month were asked for."""

    meter: str
    name: str
    name_zh: str
    carrier: str
    role: str
    level: int
    parent: str
    unit: str
    value: int | None
    estimated: bool
    exact: bool
    present: int
    expected: int | None
    first: ReadingItem | None
    last: ReadingItem | None
    hours: tuple[Hour, ...] | None = None


class EnergyList(_Model):
    """Consumption by meter."""

    period: str
    version: int
    head: LedgerHead
    meters: tuple[EnergyItem, ...]


class InputItem(_Model):
    """A quantity that a formula used and that is no factor row."""

    name: str
    value: str
    unit: str


class LineItem(_Model):
    """One line of the ledger 台账. marks: provisional 暂用, estimated 估算, inexact."""

    id: str
    source: str
    scope: str
    category: str
    gas: str
    start_ns: int
    end_ns: int
    start: str
    end: str
    inputs: tuple[InputItem, ...]
    factors: tuple[tuple[str, str], ...]
    formula: str
    flow: int | None
    activities: tuple[str, ...]
    marks: tuple[str, ...]
    gas_g: int
    co2e_g: int


class LineList(_Model):
    """A page of a month's lines."""

    period: str
    version: int
    head: LedgerHead
    total: int
    offset: int
    limit: int
    lines: tuple[LineItem, ...]


class Step(_Model):
    """What was counted from one reading to the next: a run, or a break such as a rollover or a swap."""

    kind: str
    counted: int
    exact: bool


class FlowTrace(_Model):
    """The registers that a metered line rests on.

    value      what passed, in `unit`; the sum of the steps unless a boundary was interpolated
    readings   every reading from the one before the start to the one after the end; steps lie between neighbours
    estimated  a boundary was interpolated 估算 between two readings
    """

    meter: str
    name: str
    name_zh: str
    unit: str
    start_ns: int
    end_ns: int
    value: int
    present: int
    expected: int | None
    estimated: bool
    readings: tuple[ReadingItem, ...]
    steps: tuple[Step, ...]
    instruments: tuple[dict[str, JsonValue], ...]


class FactorItem(_Model):
    """A row of the factor table; value is the decimal as printed, dates are inclusive, "" = open."""

    id: str
    category: str
    subject: str
    name_zh: str
    name_en: str
    parameter: str
    value: str
    unit: str
    valid_from: str
    valid_to: str
    known_from: str
    region: str
    source: str
    confidence: str


class UsedFactor(_Model):
    """A factor row in the role that a formula gives it."""

    role: str
    factor: FactorItem


class FormulaItem(_Model):
    """A formula with its version."""

    name: str
    text_en: str
    text_zh: str
    source: str


class Trace(_Model):
    """A line opened down to registers or documents, factor rows and formula.

    exact_kg   CO2 equivalent before the one rounding to grams, as exact text; null where this program no longer knows
               the version of the formula
    """

    period: str
    version: int
    entry: int
    head: LedgerHead
    line: LineItem
    flow: FlowTrace | None
    activities: tuple[dict[str, JsonValue], ...]
    factors: tuple[UsedFactor, ...]
    formula: FormulaItem
    exact_kg: str | None


class FactorList(_Model):
    """A page of factor rows."""

    release: str
    total: int
    offset: int
    limit: int
    factors: tuple[FactorItem, ...]


class EntryItem(_Model):
    """The header of a ledger entry; hash is SHA-256 over the canonical JSON of the other fields."""

    seq: int
    at: str
    author: str
    kind: str
    key: str
    period: str
    body_sha256: str
    previous: str
    hash: str


class EntryList(_Model):
    """A page of the chain; next: ask again with after=next, null at the end."""

    head: LedgerHead
    next: int | None
    entries: tuple[EntryItem, ...]
