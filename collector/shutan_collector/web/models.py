"""What the API answers, typed. Counters, grams and times are integers; every other number is exact text.

Times: `*_ns` are UTC nanoseconds since 1970, the ISO 8601 text beside them is in the site's zone.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "CategoryTotal",
    "DocumentReference",
    "EmissionItem",
    "EmissionList",
    "EnergyItem",
    "EnergyList",
    "EnergyTotal",
    "Hour",
    "LedgerHead",
    "Marks",
    "Model",
    "MonthItem",
    "PeriodDetail",
    "PeriodItem",
    "PeriodList",
    "Problem",
    "ReadingItem",
    "ScopeTotal",
    "Service",
    "SourceTotal",
    "Totals",
    "UnvaluedItem",
    "Version",
]


class Model(BaseModel):
    """What all answers have in common: frozen, and no field beside the stated ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Model):
    """What is wrong with a request (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class LedgerHead(Model):
    """The end of the chain: number and hash of the last entry; 0 and 64 zeros of an empty ledger."""

    seq: int
    hash: str


class Service(Model):
    """What answers here."""

    service: str = "shutan api"
    version: str
    site: str
    name: str
    name_zh: str
    head: LedgerHead


class Marks(Model):
    """What stands beside every figure of a period. provisional 暂用: an earlier year's factor was used."""

    complete: bool
    provisional: bool


class PeriodItem(Model):
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


class PeriodList(Model):
    """A page of closed periods."""

    head: LedgerHead
    total: int
    offset: int
    limit: int
    periods: tuple[PeriodItem, ...]


class ScopeTotal(Model):
    """Sum of a scope, grams of CO2 equivalent; memo items 备注项 are in no total."""

    scope: str
    memo: bool
    co2e_g: int


class SourceTotal(Model):
    """Sum of a source in a scope."""

    source: str
    scope: str
    co2e_g: int


class CategoryTotal(Model):
    """Sum of a gas in a category and scope."""

    scope: str
    category: str
    gas: str
    gas_g: int
    co2e_g: int


class EnergyTotal(Model):
    """What passed a meter, in its step; state: complete, estimated 估算, inexact, gaps."""

    meter: str
    value: int
    unit: str
    state: str


class Totals(Model):
    """Sums of a period's lines and flows."""

    by_scope: tuple[ScopeTotal, ...]
    by_source: tuple[SourceTotal, ...]
    by_category: tuple[CategoryTotal, ...]
    energy: tuple[EnergyTotal, ...]


class Version(Model):
    """One closing or restatement."""

    version: int
    entry: int
    hash: str
    at: str
    author: str
    reason: str
    restates: int | None


class MonthItem(Model):
    """A month that a year was summed from."""

    period: str
    version: int
    entry: int


class DocumentReference(Model):
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


class EmissionItem(Model):
    """Sum of the lines of one source, scope, category and gas."""

    source: str
    scope: str
    category: str
    gas: str
    gas_g: int
    co2e_g: int
    provisional: bool
    estimated: bool


class UnvaluedItem(Model):
    """Activity that no line could hold."""

    source: str
    start_ns: int
    end_ns: int
    value: str
    unit: str
    reason: str


class EmissionList(Model):
    """Emissions of a closed period."""

    period: str
    version: int
    head: LedgerHead
    marks: Marks
    emissions: tuple[EmissionItem, ...]
    unvalued: tuple[UnvaluedItem, ...]


class ReadingItem(Model):
    """One register reading with its instrument."""

    source: str
    t_ns: int
    time: str
    register_value: int = Field(serialization_alias="register")


class Hour(Model):
    """One hour of a meter; value is null where a boundary has no reading."""

    start_ns: int
    start: str
    value: int | None


class EnergyItem(Model):
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


class EnergyList(Model):
    """Consumption by meter."""

    period: str
    version: int
    head: LedgerHead
    meters: tuple[EnergyItem, ...]
