"""Documents of a period as JSON or XML, the fill-in file, and what an answer means; no network here.

Form (version 1, our own: the platforms' forms differ from province to province and are given to those who connect):

    {"version": 1, "unit_code": "...", "kind": "day", "period": "2026-11-18",
     "items": [{"code": "...", "value": "1234.50", "unit": "kWh", "input": "auto", "completeness": "1.000"}],
     "missing": ["..."]}
"""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from shutan_gateway.northbound.key_energy.periods import Item

__all__ = ["Filled", "document", "read_fill", "refusal"]

VERSION: Final = 1
_PERIOD: Final = re.compile(r"\d{4}-\d{2}(-\d{2})?")
_TAKEN: Final = {0, 200, "0", "200", "success"}


class Filled(NamedTuple):
    """A line of the fill-in file: an indicator's consumption in a day (YYYY-MM-DD) or month (YYYY-MM)."""

    code: str
    period: str
    value: str


def document(
    form: str, *, unit_code: str, kind: str, period: str, items: Sequence[Item], missing: Sequence[str]
) -> str:
    """The text that is sent for a period."""
    if form == "json":
        tree = {
            "version": VERSION,
            "unit_code": unit_code,
            "kind": kind,
            "period": period,
            "items": [item._asdict() for item in items],
            "missing": list(missing),
        }
        return json.dumps(tree, ensure_ascii=False)
    root = ET.Element("upload", version=str(VERSION), unit_code=unit_code, kind=kind, period=period)
    for item in items:
        ET.SubElement(root, "item", item._asdict())
    for code in missing:
        ET.SubElement(root, "missing", code=code)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def read_fill(path: Path, codes: Collection[str]) -> tuple[list[Filled], list[str]]:
    """The fill-in file (CSV: period, code, value; a line that begins with # is a remark) and what is wrong in it."""
    found: list[Filled] = []
    wrong: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, cells in enumerate(csv.reader(file), 1):
            if not cells or cells[0].startswith("#") or cells[0].strip() == "period":
                continue
            fault = _fault(cells, codes)
            if fault is None:
                period, code, value = (cell.strip() for cell in cells[:3])
                found.append(Filled(code, period, value))
            else:
                wrong.append(f"line {number}: {fault}")
    return found, wrong


def _fault(cells: Sequence[str], codes: Collection[str]) -> str | None:
    if len(cells) < 3:
        return "period, code and value expected"
    period, code, value = (cell.strip() for cell in cells[:3])
    if _PERIOD.fullmatch(period) is None:
        return f"{period!r} is no day (YYYY-MM-DD) and no month (YYYY-MM)"
    if code not in codes:
        return f"{code!r} is no configured indicator"
    try:
        sound = Decimal(value).is_finite() and Decimal(value) >= 0
    except InvalidOperation:
        sound = False
    return None if sound else f"{value!r} is no consumption"


def refusal(status: int, body: bytes) -> str | None:
    """Why an answer is no acknowledgement; None when it is one: 2xx, and no JSON in it that says otherwise."""
    text = " ".join(body[:2000].decode("utf-8", "replace").split())[:200]
    if not 200 <= status < 300:
        return f"HTTP {status}: {text}" if text else f"HTTP {status}"
    try:
        tree: Any = json.loads(body)
    except ValueError:
        return None
    if not isinstance(tree, dict):
        return None
    fields = cast("dict[str, Any]", tree)
    if fields.get("success") is False or ("code" in fields and fields["code"] not in _TAKEN):
        return f"refused: {text}"
    return None
