"""The power budget: what each rail gives, from the parts up to the outside source, in whole milliamperes rounded up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shutan_gateway.hardware.board import Board, PartClass, Rail

__all__ = ["RailBudget", "budget"]


class RailBudget(NamedTuple):
    """One rail. limit_ma: of its regulator or of the outside source; heat: of a linear regulator, else 0."""

    rail: str
    volts_mv: int
    typical_ma: int
    peak_ma: int
    limit_ma: int
    regulator: str
    heat_mw: int
    heat_limit_mw: int


def _own(board: Board, rail: str) -> tuple[int, int]:
    """Typical and peak current of the parts that a rail feeds itself."""
    typical = peak = 0
    for part in board.part:
        known = board.class_of(part)
        pairs = ((known.typical_ma, known.peak_ma), (known.far_typical_ma, known.far_peak_ma))
        for name, (low, high) in zip(part.rails, pairs, strict=False):
            if name == rail:
                typical += low * part.quantity
                peak += high * part.quantity
    return typical, peak


def _regulator(board: Board, rail: Rail) -> PartClass | None:
    part = next((one for one in board.part if one.ref == rail.regulator), None)
    return None if part is None else board.class_of(part)


def _upward(current_ma: int, rail: Rail, source_mv: int, efficiency_percent: int) -> int:
    """What a rail draws from its source: a linear regulator passes the current, a switching one the power."""
    if not efficiency_percent:
        return current_ma
    return -(-current_ma * rail.volts_mv * 100 // (source_mv * efficiency_percent))


def budget(board: Board) -> list[RailBudget]:
    """Every rail in the order of the profile. A rail's peak holds the peaks of all rails that hang on it."""
    sums = {rail.name: list(_own(board, rail.name)) for rail in board.rail}
    found: list[RailBudget] = []
    for rail in reversed(board.rail):
        typical, peak = sums[rail.name]
        known = _regulator(board, rail)
        source = board.rail_named(rail.source)
        heat = 0
        if source is not None:
            efficiency = known.efficiency_percent if known else 0
            sums[source.name][0] += _upward(typical, rail, source.volts_mv, efficiency)
            sums[source.name][1] += _upward(peak, rail, source.volts_mv, efficiency)
            heat = 0 if efficiency else (source.volts_mv - rail.volts_mv) * typical // 1000
        limit = known.limit_ma if known else rail.limit_ma
        limit_mw = known.heat_mw if known else 0
        found.append(RailBudget(rail.name, rail.volts_mv, typical, peak, limit, rail.regulator, heat, limit_mw))
    return found[::-1]
