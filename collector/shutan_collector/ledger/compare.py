"""Old and new figures of a period side by side: what a restatement changes, or would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shutan_collector.accounting.sums import Totals, read_totals
from shutan_collector.errors import LedgerError
from shutan_collector.ledger.canonical import canonical, sha256_hex
from shutan_collector.ledger.checks import totals_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shutan_collector.accounting.documents import JsonObject, PeriodDocuments

__all__ = ["Change", "Difference", "compare", "compare_totals"]


@dataclass(frozen=True, slots=True)
class Change:
    """One figure, before and after; None where it does not exist. unit: "g" of CO2 equivalent, or the meter's step."""

    name: str
    old: int | None
    new: int | None
    unit: str

    @property
    def difference(self) -> int:
        """New minus old, in the unit."""
        return (self.new or 0) - (self.old or 0)

    @property
    def is_changed(self) -> bool:
        """False where both are the same."""
        return self.old != self.new


@dataclass(frozen=True, slots=True)
class Difference:
    """All figures of a period, the unchanged ones too.

    scopes      "scope1"                      sources   "meter:m-entry|scope2_location"
    energy      "m-entry"                     documents names of the documents that differ
    """

    period: str
    scopes: tuple[Change, ...]
    sources: tuple[Change, ...]
    energy: tuple[Change, ...]
    documents: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True if no figure and no document differs."""
        return not self.documents and not any(
            change.is_changed for change in (*self.scopes, *self.sources, *self.energy)
        )

    def to_object(self) -> JsonObject:
        """As JSON; figures are integers in their unit."""
        return {
            "schema": "shutan.difference/1",
            "period": self.period,
            "scopes": [_object(change) for change in self.scopes],
            "sources": [_object(change) for change in self.sources],
            "energy": [_object(change) for change in self.energy],
            "documents": list(self.documents),
        }


def compare(old: PeriodDocuments, new: PeriodDocuments) -> Difference:
    """Figures of two computations of one period. Raises LedgerError if they are not of one period or have no totals."""
    if old.period != new.period:
        raise LedgerError(f"period {new.period}", f"cannot be compared with {old.period}")
    before, after = _hashes(old), _hashes(new)
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return compare_totals(_totals(old), _totals(new), tuple(names))


def compare_totals(old: Totals, new: Totals, documents: tuple[str, ...] = ()) -> Difference:
    """Figures of two totals of one period, months or years."""
    energy = (
        Change(
            meter,
            old.energy[meter].value if meter in old.energy else None,
            new.energy[meter].value if meter in new.energy else None,
            (new.energy.get(meter) or old.energy[meter]).unit,
        )
        for meter in sorted(old.energy.keys() | new.energy.keys())
    )
    return Difference(
        period=new.period,
        scopes=_changes(old.by_scope, new.by_scope),
        sources=_changes(old.by_source, new.by_source),
        energy=tuple(energy),
        documents=documents,
    )


def _changes(old: Mapping[str, int], new: Mapping[str, int]) -> tuple[Change, ...]:
    return tuple(Change(key, old.get(key), new.get(key), "g") for key in sorted(old.keys() | new.keys()))


def _hashes(documents: PeriodDocuments) -> Mapping[str, str]:
    return {document.name: sha256_hex(canonical(document.body)) for document in documents.documents}


def _totals(documents: PeriodDocuments) -> Totals:
    try:
        return read_totals(totals_of(documents))
    except ValueError as error:
        raise LedgerError(f"period {documents.period}", str(error)) from error


def _object(change: Change) -> JsonObject:
    return {
        "name": change.name,
        "old": change.old,
        "new": change.new,
        "difference": change.difference,
        "unit": change.unit,
    }
