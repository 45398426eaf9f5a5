"""Sums of ledger lines by source, scope, category and gas."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from shutan_collector.web.models import EmissionItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shutan_collector.accounting.documents import JsonObject

__all__ = ["merged", "sums_of"]


def sums_of(rows: Iterable[JsonObject]) -> tuple[EmissionItem, ...]:
    """The sums of the lines of a document."""
    return merged(
        EmissionItem(
            source=str(row["source"]),
            scope=str(row["scope"]),
            category=str(row["category"]),
            gas=str(row["gas"]),
            gas_g=cast("int", row["gas_g"]),
            co2e_g=cast("int", row["co2e_g"]),
            provisional="provisional" in cast("Sequence[str]", row["marks"]),
            estimated="estimated" in cast("Sequence[str]", row["marks"]),
        )
        for row in rows
    )


def merged(items: Iterable[EmissionItem]) -> tuple[EmissionItem, ...]:
    """Sums of sums, ordered; a mark on one of them stands on the whole."""
    groups: dict[tuple[str, str, str, str], list[EmissionItem]] = {}
    for item in items:
        groups.setdefault((item.source, item.scope, item.category, item.gas), []).append(item)
    return tuple(
        part[0].model_copy(
            update={
                "gas_g": sum(item.gas_g for item in part),
                "co2e_g": sum(item.co2e_g for item in part),
                "provisional": any(item.provisional for item in part),
                "estimated": any(item.estimated for item in part),
            }
        )
        for _, part in sorted(groups.items())
    )
