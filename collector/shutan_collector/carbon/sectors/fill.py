"""Filling a sector form from ledger lines, so that its total is always the sum of the lines it has to contain.

Every line ends in exactly one place: a row; beside the form (figures of another electricity method, to be shown next
to it); or refused, because the form has no row for it. Nothing is dropped.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shutan_collector.carbon.lines import Category, Scope
from shutan_collector.carbon.sectors.form import ELECTRICITY, EXPORT, Kind, Method, Row, Sector
from shutan_collector.errors import Problem, SectorError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Beside", "Emitted", "Form", "FormRow", "Refused", "fill_form"]

_ELECTRICITY_SCOPES = {
    Scope.SCOPE_2_LOCATION,
    Scope.SCOPE_2_MARKET,
    Scope.SCOPE_2_REPORTING,
    Scope.MEMO_EXPORT_REPORTING,
}


class Emitted(Protocol):
    """What a form needs of an emission: a ledger line, or a sum of lines of one source."""

    @property
    def source(self) -> str:
        """Where it comes from, as the ledger names it: "meter:<id>", "activity:<kind>" or "market:<key>"."""
        ...

    @property
    def scope(self) -> Scope:
        """Scope in the ledger."""
        ...

    @property
    def category(self) -> Category:
        """Kind of activity."""
        ...

    @property
    def gas(self) -> str:
        """Gas subject."""
        ...

    @property
    def gas_g(self) -> int:
        """Mass of the gas, grams."""
        ...

    @property
    def co2e_g(self) -> int:
        """CO2 equivalent, grams."""
        ...


@dataclass(frozen=True, slots=True)
class FormRow:
    """A filled row.

    gases    mass per gas in grams, of its own lines; empty for a sum
    co2e_g   as the row counts in the total: negative for a netted one
    """

    code: str
    title_en: str
    title_zh: str
    kind: Kind
    gases: tuple[tuple[str, int], ...]
    co2e_g: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Emissions that no row of the form takes, summed over one source."""

    source: str
    scope: Scope
    category: Category
    gas: str
    co2e_g: int


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure of a method that the form is not filled with."""

    scope: Scope
    co2e_g: int


@dataclass(frozen=True, slots=True)
class Form:
    """A filled form; `refused` has to be empty before it is filed."""

    sector: Sector
    method: Method
    rows: tuple[FormRow, ...]
    beside: tuple[Beside, ...]
    refused: tuple[Refused, ...]

    @property
    def total_g(self) -> int:
        """The total row."""
        return self.row(self.sector.total.code).co2e_g

    def row(self, code: str) -> FormRow:
        """A row by its code; KeyError if the form has none."""
        for row in self.rows:
            if row.code == code:
                return row
        raise KeyError(code)


def fill_form(sector: Sector, lines: Iterable[Emitted], method: Method | None = None) -> Form:
    """The form of a period from its lines, or from sums of them.

    method   None = the first that the sector's guideline takes

    Raises SectorError for a method that the guideline does not take.
    """
    method = method or sector.methods[0]
    if method not in sector.methods:
        accepted = ", ".join(sector.methods)
        raise SectorError(f"sector {sector.name}", (Problem("method", f"{method} is not taken; accepted: {accepted}"),))
    own: dict[str, int] = defaultdict(int)
    gases: dict[tuple[str, str], int] = defaultdict(int)
    beside: dict[Scope, int] = defaultdict(int)
    refused: dict[tuple[str, Scope, Category, str], int] = defaultdict(int)
    for line in lines:
        if _of_another_method(line, method):
            beside[line.scope] += line.co2e_g
            continue
        row = next((row for row in sector.rows if _takes(row, line, method)), None)
        if row is None:
            refused[line.source, line.scope, line.category, line.gas] += line.co2e_g
            continue
        own[row.code] += -line.co2e_g if row.kind is Kind.NET else line.co2e_g
        gases[row.code, line.gas] += -line.gas_g if row.kind is Kind.NET else line.gas_g
    by_code = {row.code: row for row in sector.rows}
    rows = tuple(
        FormRow(
            row.code,
            row.title_en,
            row.title_zh,
            row.kind,
            tuple(sorted((gas, mass) for (code, gas), mass in gases.items() if code == row.code)),
            _value(row, by_code, own),
        )
        for row in sector.rows
    )
    return Form(
        sector,
        method,
        rows,
        tuple(Beside(scope, grams) for scope, grams in sorted(beside.items())),
        tuple(Refused(*key, grams) for key, grams in sorted(refused.items())),
    )


def _value(row: Row, by_code: dict[str, Row], own: dict[str, int]) -> int:
    return sum((_value(by_code[code], by_code, own) for code in row.parts), own.get(row.code, 0))


def _of_another_method(line: Emitted, method: Method) -> bool:
    if line.scope is Scope.MEMO_EXPORT:
        return line.category is Category.ELECTRICITY and method.exported is not Scope.MEMO_EXPORT
    return line.scope in _ELECTRICITY_SCOPES and line.scope not in {method.bought, method.exported}


def _takes(row: Row, line: Emitted, method: Method) -> bool:
    if row.scope == ELECTRICITY:
        fits = line.scope is method.bought
    elif row.scope == EXPORT:
        # Heat has one factor in every method, its export is always MEMO_EXPORT.
        fits = line.scope in {method.exported, Scope.MEMO_EXPORT}
    else:
        fits = row.scope == line.scope.value
    return (
        fits
        and (not row.category or line.category in row.category)
        and (not row.gas or line.gas in row.gas)
        and (not row.source or line.source in row.source)
    )
