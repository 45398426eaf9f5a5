"""What two factor tables differ in, row by row and column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shutan_collector.factors.rows import Factor
    from shutan_collector.factors.table import FactorTable

__all__ = ["Change", "Difference", "compare"]


@dataclass(frozen=True, slots=True)
class Change:
    """One cell of a row that is in both tables."""

    id: str
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows that came, rows that went, cells that changed; each in the order of its table."""

    added: tuple[Factor, ...]
    removed: tuple[Factor, ...]
    changed: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def compare(old: FactorTable, new: FactorTable) -> Difference:
    """The difference from an old table to a new one."""
    before, after = {row.id: row for row in old}, {row.id: row for row in new}
    return Difference(
        tuple(row for row in new if row.id not in before),
        tuple(row for row in old if row.id not in after),
        tuple(
            Change(row.id, column, text, now)
            for row in old
            if row.id in after
            for (column, text), (_, now) in zip(row.cells(), after[row.id].cells(), strict=True)
            if text != now
        ),
    )
