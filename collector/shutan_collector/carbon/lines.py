"""Lines of the carbon ledger (碳排放台账): what a durable ledger stores, what a report sums, what a verifier repeats.

A line is one meter over one hour of the site's calendar, or over a gap or edge that no hour can be cut out of. Its
emission is computed in fractions and quantised once, here, to grams, half to even. Everything above a line is a sum
of lines, so that hours, days, months and meters add up exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fractions import Fraction

    from shutan_collector.energy.counter import Piece
    from shutan_collector.energy.measure import Part
    from shutan_collector.units import GasReference, Unit

__all__ = ["FORMULA_ELECTRICITY", "FORMULA_GAS", "LedgerLine", "Scope", "Unvalued", "quantise_g", "recount"]

# A formula's version changes when the same inputs would give another gram.
FORMULA_ELECTRICITY: Final = "scope2-location/1"
FORMULA_GAS: Final = "scope1-carbon-balance/1"


class Scope(StrEnum):
    """Where an emission is reported."""

    SCOPE_1 = "scope1"
    SCOPE_2_LOCATION = "scope2_location"


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One emission with everything needed to compute it again.

    value           activity (活动水平) in `unit`, from the registers in `pieces`
    gas_reference   state of the metered gas volume, None for other carriers
    factor_ids      rows of the factor table
    provisional     暂用: computed with an earlier year's factor, to be recalculated
    estimated       a boundary was interpolated: `pieces` then reach beyond the line, and do not add up to `value`
    exact           False if an unknown amount passed besides
    kg              the emission before quantising
    """

    site: str
    meter: str
    scope: Scope
    part: Part
    start_ns: int
    end_ns: int
    value: int
    unit: Unit
    gas_reference: GasReference | None
    pieces: tuple[Piece, ...]
    factor_ids: tuple[str, ...]
    formula: str
    provisional: bool
    estimated: bool
    exact: bool
    kg: Fraction
    emission_g: int


@dataclass(frozen=True, slots=True)
class Unvalued:
    """Activity that no line can hold, with the reason; a total without it says that it is not complete."""

    meter: str
    start_ns: int
    end_ns: int
    value: int
    unit: Unit
    reason: str


def quantise_g(kg: Fraction) -> int:
    """Whole grams, half to even; called once per ledger line and nowhere else."""
    return round(kg * 1000)


def recount(line: LedgerLine) -> int:
    """The activity from the line's own evidence, for a line without an estimated boundary, in its unit."""
    return sum(piece.counted for piece in line.pieces)
