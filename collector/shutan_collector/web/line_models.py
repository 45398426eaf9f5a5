"""Answers about lines, factors and the chain, typed as in `models`."""

from __future__ import annotations

from pydantic import JsonValue  # noqa: TC002 - pydantic reads the annotations

from shutan_collector.web.models import LedgerHead, Model, ReadingItem

__all__ = [
    "EntryItem",
    "EntryList",
    "FactorItem",
    "FactorList",
    "FlowTrace",
    "FormulaItem",
    "InputItem",
    "LineItem",
    "LineList",
    "Step",
    "Trace",
    "UsedFactor",
]


class InputItem(Model):
    """A quantity that a formula used and that is no factor row."""

    name: str
    value: str
    unit: str


class LineItem(Model):
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


class LineList(Model):
    """A page of a month's lines."""

    period: str
    version: int
    head: LedgerHead
    total: int
    offset: int
    limit: int
    lines: tuple[LineItem, ...]


class Step(Model):
    """What was counted from one reading to the next: a run, or a break such as a rollover or a swap."""

    kind: str
    counted: int
    exact: bool


class FlowTrace(Model):
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


class FactorItem(Model):
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


class UsedFactor(Model):
    """A factor row in the role that a formula gives it."""

    role: str
    factor: FactorItem


class FormulaItem(Model):
    """A formula with its version."""

    name: str
    text_en: str
    text_zh: str
    source: str


class Trace(Model):
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


class FactorList(Model):
    """A page of factor rows."""

    release: str
    total: int
    offset: int
    limit: int
    factors: tuple[FactorItem, ...]


class EntryItem(Model):
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


class EntryList(Model):
    """A page of the chain; next: ask again with after=next, null at the end."""

    head: LedgerHead
    next: int | None
    entries: tuple[EntryItem, ...]
