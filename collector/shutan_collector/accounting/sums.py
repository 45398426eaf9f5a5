"""Totals of a period, typed: sums of grams by scope, source and category, and of energy by meter.

The document "totals" (shutan.totals/1) of a month is read into Totals; a year's totals are the sums of its months'.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shutan_collector.accounting.documents import JsonObject

__all__ = ["Energy", "Gas", "Totals", "line_totals", "read_totals", "sum_totals"]

SCHEMA: Final = "shutan.totals/1"
# What a sum of months is called when the months are not all the same; the first that occurs is said.
_STATES: Final = ("gaps", "inexact", "estimated", "complete")


@dataclass(frozen=True, slots=True)
class Energy:
    """Consumption of one meter in its step; state: complete, estimated 估算, inexact, gaps."""

    value: int
    unit: str
    state: str


@dataclass(frozen=True, slots=True)
class Gas:
    """Mass of one gas and its CO2 equivalent, grams."""

    gas_g: int
    co2e_g: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the lines of a period, grams of CO2 equivalent.

    by_scope      "scope1" -> g                       by_source  "meter:m-entry|scope2_location" -> g
    by_category   "scope1|combustion|co2" -> gas      energy     "m-entry" -> consumption
    """

    period: str
    complete: bool
    provisional: bool
    by_scope: Mapping[str, int]
    by_source: Mapping[str, int]
    by_category: Mapping[str, Gas]
    energy: Mapping[str, Energy]

    def to_object(self) -> JsonObject:
        """The document."""
        return {
            "schema": SCHEMA,
            "period": self.period,
            "complete": self.complete,
            "provisional": self.provisional,
            "by_scope": dict(self.by_scope),
            "by_source": dict(self.by_source),
            "by_category": {key: [gas.gas_g, gas.co2e_g] for key, gas in self.by_category.items()},
            "energy": {key: [item.value, item.unit, item.state] for key, item in self.energy.items()},
        }


def read_totals(body: JsonObject) -> Totals:
    """The typed view of a document. Raises ValueError if it is not a totals document."""
    if body.get("schema") != SCHEMA:
        raise ValueError(f"schema {body.get('schema')!r} is not {SCHEMA}")
    try:
        gases = cast("Mapping[str, tuple[int, int]]", body["by_category"])
        energy = cast("Mapping[str, tuple[int, str, str]]", body["energy"])
        return Totals(
            period=cast("str", body["period"]),
            complete=cast("bool", body["complete"]),
            provisional=cast("bool", body["provisional"]),
            by_scope=dict(cast("Mapping[str, int]", body["by_scope"])),
            by_source=dict(cast("Mapping[str, int]", body["by_source"])),
            by_category={key: Gas(*pair) for key, pair in gases.items()},
            energy={key: Energy(*item) for key, item in energy.items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not of the form {SCHEMA}: {error}") from error


def sum_totals(period: str, parts: Sequence[Totals]) -> Totals:
    """Totals of a longer period, from those of its parts; grams add up as integers, so that they add up exactly."""
    gases: dict[str, Gas] = {}
    energy: dict[str, Energy] = {}
    for key, gas in chain.from_iterable(part.by_category.items() for part in parts):
        known = gases.get(key, Gas(0, 0))
        gases[key] = Gas(known.gas_g + gas.gas_g, known.co2e_g + gas.co2e_g)
    for key, item in chain.from_iterable(part.energy.items() for part in parts):
        before = energy.get(key)
        if before is None:
            energy[key] = item
        elif before.unit != item.unit:
            raise ValueError(f"meter {key} counts {before.unit} in one month and {item.unit} in another")
        else:
            state = min(before.state, item.state, key=_rank)
            energy[key] = Energy(before.value + item.value, item.unit, state)
    return Totals(
        period=period,
        complete=all(part.complete for part in parts),
        provisional=any(part.provisional for part in parts),
        by_scope=_sum(part.by_scope for part in parts),
        by_source=_sum(part.by_source for part in parts),
        by_category=gases,
        energy=energy,
    )


def line_totals(bodies: Iterable[JsonObject]) -> tuple[Mapping[str, int], Mapping[str, int], Mapping[str, Gas]]:
    """By scope, by source, by category: the sums over the lines of lines documents. Raises ValueError."""
    scopes: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    masses: Counter[str] = Counter()
    equivalents: Counter[str] = Counter()
    try:
        for body in bodies:
            for line in cast("Sequence[Mapping[str, str]]", body["lines"]):
                scope, gas_g, co2e_g = line["scope"], cast("int", line["gas_g"]), cast("int", line["co2e_g"])
                category = f"{scope}|{line['category']}|{line['gas']}"
                scopes[scope] += co2e_g
                sources[f"{line['source']}|{scope}"] += co2e_g
                masses[category] += gas_g
                equivalents[category] += co2e_g
    except (KeyError, TypeError) as error:
        raise ValueError(f"a line is not of the form shutan.lines/1: {error}") from error
    return scopes, sources, {key: Gas(masses[key], equivalents[key]) for key in masses}


def _rank(state: str) -> int:
    return _STATES.index(state) if state in _STATES else -1


def _sum(parts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    total: dict[str, int] = {}
    for key, value in chain.from_iterable(part.items() for part in parts):
        total[key] = total.get(key, 0) + value
    return total
