"""Words that a cell may hold: fuels, gases and materials of the factor table, and the meters of a site.

A word is accepted as its id ("natural_gas"), or as its Chinese name in the factor table (天然气) where that is unique.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shutan_collector.factors.table import packaged_factors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Meter, Site

__all__ = ["Vocabulary", "Words"]


@dataclass(frozen=True, slots=True)
class Words:
    """Ids of one kind, each with the other names that stand for it."""

    ids: tuple[str, ...]
    aliases: Mapping[str, str]

    def find(self, text: str) -> str | None:
        """The id meant by a text; None if it is none of these."""
        if text in self.ids:
            return text
        return self.aliases.get(text) or self.aliases.get(text.lower())


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Everything that names of a cell are checked against.

    fuel_unit   unit of each fuel's net calorific value: "t" or "1e4Nm3"
    meters      by id; None where no site model was given, then any id is accepted
    """

    fuels: Words
    fuel_unit: Mapping[str, str]
    gases: Words
    materials: Words
    meters: Mapping[str, Meter] | None

    @classmethod
    def of(cls, site: Site | None = None, factors: FactorTable | None = None) -> Vocabulary:
        """Vocabulary of a factor table (default: the packaged one) and a site."""
        units: dict[str, str] = {}
        names: dict[str, dict[str, set[str]]] = {"combustion": {}, "gwp": {}, "process": {}}
        for row in factors or packaged_factors():
            if row.category == "combustion" and row.parameter == "ncv":
                units[row.subject] = row.unit.partition("/")[2]
            elif row.category != "gwp" and (row.category, row.parameter) != ("process", "co2_process"):
                continue
            names[row.category].setdefault(row.subject, set()).add(row.name_zh)
        return cls(
            fuels=_words(names["combustion"]),
            fuel_unit=units,
            gases=_words(names["gwp"]),
            materials=_words(names["process"]),
            meters={meter.id: meter for meter in site.meters} if site else None,
        )


def _words(names: Mapping[str, set[str]]) -> Words:
    """Ids with their Chinese names; a name that stands for two ids is none. "R-410A(…)" is known as "R-410A" too."""
    owners: dict[str, set[str]] = {}
    for subject, titles in names.items():
        owners.setdefault(subject.lower(), set()).add(subject)
        for title in titles:
            for text in {title, title.partition("(")[0].strip()}:
                owners.setdefault(text, set()).add(subject)
                owners.setdefault(text.lower(), set()).add(subject)
    aliases = {text: next(iter(found)) for text, found in owners.items() if len(found) == 1 and text}
    return Words(tuple(sorted(names)), aliases)
