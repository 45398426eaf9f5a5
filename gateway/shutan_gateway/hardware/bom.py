"""The bill of materials of a board: one line a reference, with the class that a part must meet and its insulation."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shutan_gateway.hardware.board import Board

__all__ = ["BomLine", "bom", "bom_csv"]


class BomLine(NamedTuple):
    """One line. insulation: kind and test voltage (1 minute) of a part between two circuits."""

    ref: str
    quantity: int
    kind: str
    title: str
    title_zh: str
    value: str
    examples: str
    circuits: str
    insulation: str
    clearance_mm: str
    creepage_mm: str
    rated_v: str
    note: str


def bom(board: Board) -> list[BomLine]:
    """Lines in the order of the profile."""
    found: list[BomLine] = []
    for part in board.part:
        known = board.class_of(part)
        both = len(part.domains) == 2
        found.append(
            BomLine(
                ref=part.ref,
                quantity=part.quantity,
                kind=part.kind,
                title=known.title,
                title_zh=known.title_zh,
                value=part.value,
                examples=known.examples,
                circuits=" | ".join(part.domains),
                insulation=f"{known.insulation} {known.isolation_vrms} V" if both else "",
                clearance_mm=f"{known.clearance_mm:g}" if both else "",
                creepage_mm=f"{known.creepage_mm:g}" if both else "",
                rated_v=str(known.rated_v or ""),
                note=part.note,
            )
        )
    return found


def bom_csv(board: Board) -> str:
    """The same as CSV (RFC 4180, line feeds, UTF-8)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(BomLine._fields)
    writer.writerows(bom(board))
    return out.getvalue()
