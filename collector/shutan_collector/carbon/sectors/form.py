"""A sector form as data: its rows, what each sums, and which electricity methods, GWP sets and fuel families it takes.

form.toml names the scopes of electricity by what they are, `electricity` and `export`: the method chosen when the form
is filled says which scope of the ledger that is. A line belongs to the first row that matches it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from shutan_collector.carbon.lines import Category, Scope
from shutan_collector.errors import Problem, SectorError
from shutan_collector.factors.gwp import GWP_SETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shutan_collector.site.model import Site

__all__ = ["ELECTRICITY", "EXPORT", "Kind", "Method", "Row", "Sector", "check_site", "parse_sector"]

ELECTRICITY: Final = "electricity"
EXPORT: Final = "export"
_SCOPES: Final = {
    ELECTRICITY,
    EXPORT,
    Scope.SCOPE_1.value,
    Scope.SCOPE_2_HEAT.value,
    Scope.MEMO_BIOGENIC.value,
    Scope.MEMO_OUTSIDE.value,
}
_TOP: Final = {"title_en", "title_zh", "standards", "methods", "gwp", "fuel_families", "row"}
_ROW: Final = {"code", "title_en", "title_zh", "kind", "scope", "category", "gas", "source", "sum"}


class Method(StrEnum):
    """Which of the figures of electricity a form is filled with."""

    LOCATION = "location"
    MARKET = "market"
    REPORTING = "reporting"

    @property
    def bought(self) -> Scope:
        """Scope of the ledger that bought electricity has in this method."""
        return {
            Method.LOCATION: Scope.SCOPE_2_LOCATION,
            Method.MARKET: Scope.SCOPE_2_MARKET,
            Method.REPORTING: Scope.SCOPE_2_REPORTING,
        }[self]

    @property
    def exported(self) -> Scope | None:
        """Scope that exported electricity has; the market-based method (GHG Protocol) knows no netting of it."""
        return {
            Method.LOCATION: Scope.MEMO_EXPORT,
            Method.MARKET: None,
            Method.REPORTING: Scope.MEMO_EXPORT_REPORTING,
        }[self]


class Kind(StrEnum):
    """What a row does with its lines: add, subtract (净购入), show apart, or sum other rows."""

    ADD = "add"
    NET = "net"
    MEMO = "memo"
    SUM = "sum"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a form.

    scope      what its lines are: a scope, "electricity" or "export"; empty for a sum
    category   only these; empty = any
    gas        only these gas subjects; empty = any
    source     only lines whose source is one of these; empty = any
    parts      codes of the rows that a sum adds up
    """

    code: str
    title_en: str
    title_zh: str
    kind: Kind
    scope: str
    category: tuple[Category, ...]
    gas: tuple[str, ...]
    source: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sector:
    """A form; the first of methods, gwp and fuel_families is what its guideline uses by default."""

    name: str
    title_en: str
    title_zh: str
    standards: tuple[str, ...]
    methods: tuple[Method, ...]
    gwp: tuple[str, ...]
    fuel_families: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def total(self) -> Row:
        """The row that sums up the whole form."""
        return next(row for row in self.rows if row.kind is Kind.TOTAL)


def check_site(sector: Sector, site: Site) -> tuple[Problem, ...]:
    """What of a site's choices the sector's guideline does not take."""
    problems: list[Problem] = []
    if site.gwp not in sector.gwp:
        problems.append(Problem("gwp", f"{site.gwp} is not used in {sector.name}; accepted: {', '.join(sector.gwp)}"))
    if site.fuel_family not in sector.fuel_families:
        accepted = ", ".join(sector.fuel_families)
        problems.append(
            Problem("fuel_family", f"{site.fuel_family} is not used in {sector.name}; accepted: {accepted}")
        )
    return tuple(problems)


def parse_sector(text: str, where: str) -> Sector:
    """The sector of a form.toml in a folder of its name. Raises SectorError with every mistake at once."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SectorError(where, (Problem("file", f"is not TOML: {error}"),)) from None
    reader = _Reader()
    tables = cast("list[dict[str, object]]", found.get("row", []))
    rows = tuple(reader.row(table) for table in tables)
    reader.only(found, _TOP, "file")
    sector = Sector(
        name=where.rsplit("/", 2)[-2] if "/" in where else where,
        title_en=reader.text(found, "title_en", "file"),
        title_zh=reader.text(found, "title_zh", "file"),
        standards=reader.texts(found, "standards", "file"),
        methods=tuple(Method(name) for name in reader.choices(found, "methods", "file", tuple(Method))),
        gwp=reader.choices(found, "gwp", "file", GWP_SETS),
        fuel_families=reader.texts(found, "fuel_families", "file"),
        rows=rows,
    )
    problems = (*reader.problems, *_structure(rows))
    if problems:
        raise SectorError(where, problems)
    return sector


class _Reader:
    """Typed values from TOML; mistakes are collected."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def only(self, table: Mapping[str, object], known: set[str], key: str) -> None:
        for name in sorted(table.keys() - known):
            self.problems.append(Problem(key, f"unknown key {name}; accepted: {', '.join(sorted(known))}"))

    def text(self, table: Mapping[str, object], name: str, key: str, default: str | None = None) -> str:
        value = table.get(name, default)
        if not isinstance(value, str) or (not value and default is None):
            self.problems.append(Problem(key, f"{name} has to be a text"))
            return ""
        return value

    def texts(self, table: Mapping[str, object], name: str, key: str, *, needed: bool = True) -> tuple[str, ...]:
        value = table.get(name, [])
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in items) or (needed and not items):
            self.problems.append(Problem(key, f"{name} has to be a list of texts"))
            return ()
        return tuple(cast("list[str]", items))

    def choices(
        self, table: Mapping[str, object], name: str, key: str, accepted: Sequence[str], *, needed: bool = True
    ) -> tuple[str, ...]:
        found = self.texts(table, name, key, needed=needed)
        if unknown := [item for item in found if item not in accepted]:
            reason = f"{name}: {', '.join(unknown)} is not one of {', '.join(accepted)}"
            self.problems.append(Problem(key, reason))
        return tuple(item for item in found if item in accepted)

    def row(self, table: Mapping[str, object]) -> Row:
        code = self.text(table, "code", "row")
        key = f"row {code}"
        self.only(table, _ROW, key)
        kind = self.text(table, "kind", key, Kind.ADD.value)
        if kind not in tuple(Kind):
            self.problems.append(Problem(key, f"kind {kind} is not one of {', '.join(Kind)}"))
            kind = Kind.ADD.value
        row = Row(
            code=code,
            title_en=self.text(table, "title_en", key),
            title_zh=self.text(table, "title_zh", key),
            kind=Kind(kind),
            scope=self.text(table, "scope", key, ""),
            category=tuple(
                Category(name) for name in self.choices(table, "category", key, tuple(Category), needed=False)
            ),
            gas=self.texts(table, "gas", key, needed=False),
            source=self.texts(table, "source", key, needed=False),
            parts=self.texts(table, "sum", key, needed=False),
        )
        sums = row.kind in {Kind.SUM, Kind.TOTAL}
        if sums == bool(row.scope) or sums != bool(row.parts) or (row.scope and row.scope not in _SCOPES):
            accepted = ", ".join(sorted(_SCOPES))
            self.problems.append(Problem(key, f"a sum names its rows in `sum`, any other row its scope: {accepted}"))
        return row


def _structure(rows: Sequence[Row]) -> Iterator[Problem]:
    """Codes are unique, one row is the total, and it reaches each row but the memo rows exactly once."""
    by_code = {row.code: row for row in rows}
    if len(by_code) != len(rows):
        yield Problem("row", "a code stands twice")
    totals = [row for row in rows if row.kind is Kind.TOTAL]
    if len(totals) != 1:
        yield Problem("row", f"one row has to be the total, found {len(totals)}")
        return
    reached: list[str] = []
    waiting = list(totals[0].parts)
    while waiting:
        code = waiting.pop()
        row = by_code.get(code)
        if row is None or row.kind in {Kind.MEMO, Kind.TOTAL} or code in reached:
            yield Problem(f"row {code}", "is summed twice, is no row, or stands outside the total")
            return
        reached.append(code)
        waiting += row.parts
    wanted = {row.code for row in rows if row.kind not in {Kind.MEMO, Kind.TOTAL}}
    for code in sorted(wanted - set(reached)):
        yield Problem(f"row {code}", "is in no sum: the total would miss its lines")
