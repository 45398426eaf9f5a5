"""All rules over one board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.errors import ConfigError
from shutan_gateway.hardware.board import find
from shutan_gateway.hardware.finding import Finding
from shutan_gateway.hardware.rules_board import insulation_findings, power_findings
from shutan_gateway.hardware.rules_pins import bus_findings, pin_findings

if TYPE_CHECKING:
    from shutan_gateway.hardware.board import Board

__all__ = ["check_board", "check_named"]


def check_board(board: Board) -> list[Finding]:
    """Every finding of a board whose form is sound."""
    return [
        *pin_findings(board),
        *bus_findings(board),
        *power_findings(board),
        *insulation_findings(board),
    ]  # fmt: skip


def check_named(name: str) -> list[Finding]:
    """Findings of a packaged board or of a file; mistakes of form are findings, too. Raises OSError for the file."""
    try:
        return check_board(find(name))
    except ConfigError as error:
        return [
            Finding(one.file, one.key, "form", f"found {one.found}", f"accepted: {one.accepted}")
            for one in error.problems
        ]  # fmt: skip
