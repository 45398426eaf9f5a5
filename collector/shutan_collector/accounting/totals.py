"""Totals of one period as a document ("totals"): sums of ledger lines and of flows, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shutan_collector.accounting.documents import Json, JsonObject
    from shutan_collector.carbon.lines import Line

__all__ = ["SCHEMA", "STATES", "MeterTotal", "meter_total", "totals_document"]

SCHEMA: Final = "shutan.totals/1"
STATES: Final = ("complete", "estimated", "inexact", "gaps")  # of a meter's energy, the worst last


@dataclass(frozen=True, slots=True)
class MeterTotal:
    """What passed one meter in the period.

    value   sum of the flows, in the meter's step; what lies in a declared hole is not in it
    state   complete | estimated 估算 | inexact (a reset, unsealed swap or negative step lies inside) | gaps
    """

    meter: str
    value: int
    unit: str
    state: str


def meter_total(readings: JsonObject) -> MeterTotal:
    """The total of a readings document, from its flows."""
    flows = _lists(readings["flows"])
    boundaries = _lists(readings["boundaries"])
    ends = (boundaries[0], boundaries[-1]) if boundaries else (None, None)
    used = [boundary for boundary in boundaries if boundary]
    if None in ends:
        state = "gaps"
    elif any(boundary[1] != boundary[2] for boundary in used):
        state = "estimated"
    elif not all(cut["exact"] for cut in _tables(readings["breaks"])):
        state = "inexact"
    else:
        state = "complete"
    return MeterTotal(str(readings["meter"]), sum(flow[2] for flow in flows), str(readings["unit"]), state)


def totals_document(
    period: str, lines: Iterable[Line], meters: Sequence[MeterTotal], *, complete: bool, provisional: bool
) -> JsonObject:
    """Sums by scope, by source and scope, by scope, category and gas; energy by meter."""
    by_scope: dict[str, int] = {}
    by_source: dict[str, int] = {}
    by_category: dict[str, list[int]] = {}
    for line in lines:
        scope = line.scope.value
        by_scope[scope] = by_scope.get(scope, 0) + line.co2e_g
        source = f"{line.source}|{scope}"
        by_source[source] = by_source.get(source, 0) + line.co2e_g
        sums = by_category.setdefault(f"{scope}|{line.category.value}|{line.gas}", [0, 0])
        sums[0] += line.gas_g
        sums[1] += line.co2e_g
    return {
        "schema": SCHEMA,
        "period": period,
        "complete": complete,
        "provisional": provisional,
        "by_scope": dict(by_scope),
        "by_source": dict(by_source),
        "by_category": {key: list(sums) for key, sums in by_category.items()},
        "energy": {item.meter: [item.value, item.unit, item.state] for item in meters},
    }


def _lists(value: Json) -> list[list[int]]:
    return cast("list[list[int]]", value)


def _tables(value: Json) -> list[dict[str, Json]]:
    return cast("list[dict[str, Json]]", value)
