"""Sector forms (行业核算表): plugin folders, registered here by name and nowhere else.

A folder holds README.md, form.toml and testcases/*.json. To add one: make the folder, add its name below.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from shutan_collector.carbon.sectors.fill import Beside, Form, FormRow, Refused, fill_form
from shutan_collector.carbon.sectors.form import Kind, Method, Row, Sector, check_site, parse_sector
from shutan_collector.errors import Problem, SectorError

__all__ = [
    "SECTORS",
    "Beside",
    "Form",
    "FormRow",
    "Kind",
    "Method",
    "Refused",
    "Row",
    "Sector",
    "check_site",
    "fill_form",
    "load_sector",
    "parse_sector",
]

SECTORS: Final = ("general", "food_drink", "cement")


@cache
def load_sector(name: str) -> Sector:
    """The form of a registered sector. Raises SectorError for another name or a form with mistakes."""
    if name not in SECTORS:
        raise SectorError(
            f"sector {name!r}", (Problem("sector", f"is not registered; accepted: {', '.join(SECTORS)}"),)
        )
    path = resources.files(__name__) / name / "form.toml"
    return parse_sector(path.read_text(encoding="utf-8"), f"sectors/{name}/form.toml")
