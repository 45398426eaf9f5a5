"""The documents of an accounting period (核算期): what is copied into the ledger and into the evidence.

A document is a JSON object of integers, text, booleans, null, lists and objects; quantities that are not integers are
exact text ("12.5" or "1/3"). What each document holds is stated by its "schema" member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

__all__ = ["Document", "Json", "JsonObject", "PeriodDocuments"]

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Document:
    """One document; `name` is unique within its period ("site", "readings/m-entry", "totals")."""

    name: str
    body: JsonObject


@dataclass(frozen=True, slots=True)
class PeriodDocuments:
    """All documents of one period, in the order in which they are written ("2025-06" is a calendar month)."""

    period: str
    documents: tuple[Document, ...]

    def find(self, name: str) -> JsonObject | None:
        """Body of the document with this name, if there is one."""
        return next((document.body for document in self.documents if document.name == name), None)

    def starting(self, prefix: str) -> tuple[Document, ...]:
        """The documents whose name starts with a prefix such as "readings/"."""
        return tuple(document for document in self.documents if document.name.startswith(prefix))

    def to_object(self) -> JsonObject:
        """As one JSON object, so that a whole period can be written as canonical JSON."""
        pairs = [[document.name, document.body] for document in self.documents]
        return {"schema": "shutan.period/1", "period": self.period, "documents": pairs}

    @classmethod
    def from_object(cls, value: JsonObject) -> PeriodDocuments:
        """The inverse of to_object(). Raises ValueError for another shape."""
        if value.get("schema") != "shutan.period/1":
            raise ValueError(f"schema {value.get('schema')!r} is not shutan.period/1")
        pairs = cast("Sequence[tuple[str, JsonObject]]", value["documents"])
        return cls(cast("str", value["period"]), tuple(Document(name, body) for name, body in pairs))
