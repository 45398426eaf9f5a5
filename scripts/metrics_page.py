"""docs/metrics.md from the help texts of the gateway's numbers and the labels that the code gives them.

`make metrics` writes the page; a test holds it against the code, so that no number is without words.
"""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

from shutan_gateway.counters import HELP, PERSISTENT

REPO = Path(__file__).resolve().parents[1]
PAGE = REPO / "docs/metrics.md"
GATEWAY = REPO / "gateway/shutan_gateway"
_CALLS = {"inc", "set", "get", "observe", "count", "fault"}
# Where a label comes out of a table at run time, which reading the code does not show.
_BY_TABLE = {
    "shutan_store_accepted_total": {"store"},
    "shutan_store_stored_total": {"store"},
    "shutan_store_dead_total": {"store"},
    "shutan_store_pending": {"store"},
    "shutan_serial_silent_total": {"bus", "meter"},
    "shutan_serial_damaged_total": {"bus", "meter"},
    "shutan_serial_late_total": {"bus", "meter"},
}
HEAD = """\
# Numbers of the gateway 网关指标

`http://127.0.0.1:8463/metrics` (Prometheus text 0.0.4; `[http]` in the configuration). Totals count **records** (data
messages) unless the text says otherwise. At every moment `received = duplicates + rejected + accepted`, and for each
store `accepted = stored + dead + pending`. "kept" = goes on counting after a restart. Written by `make metrics`.

| number | kind | labels | what it says | kept |
|---|---|---|---|---|
"""


@functools.cache
def calls() -> list[ast.Call]:
    """Every call in the gateway's code."""
    return [
        node
        for path in sorted(GATEWAY.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args
    ]


def labels() -> dict[str, set[str]]:
    """Label names that the code gives to each number, read from its calls."""
    found = {name: set(_BY_TABLE.get(name, ())) for name in HELP}
    for node in calls():
        first = node.args[0]
        names = [part.value for part in ast.walk(first) if isinstance(part, ast.Constant) and part.value in found]
        if isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS:
            for name in names:
                found[str(name)] |= {word.arg for word in node.keywords if word.arg and word.arg != "n"}
        elif isinstance(node.func, ast.Name) and node.func.id == "Key" and len(node.args) > 1:
            pairs = [part.elts[0] for part in ast.walk(node.args[1]) if isinstance(part, ast.Tuple) and part.elts]
            for name in names:
                found[str(name)] |= {str(one.value) for one in pairs if isinstance(one, ast.Constant)}
    return found


def observed() -> set[str]:
    """Numbers that are histograms."""
    return {
        str(node.args[0].value)
        for node in calls()
        if isinstance(node.func, ast.Attribute)
        and node.func.attr.startswith("observe")
        and isinstance(node.args[0], ast.Constant)
    }


def page() -> str:
    """The whole page."""
    names, histograms = labels(), observed()
    rows: list[str] = []
    for name, text in HELP.items():
        kind = "histogram" if name in histograms else "counter" if name.endswith("_total") else "gauge"
        marks = ", ".join(f"`{label}`" for label in sorted(names[name]))
        rows.append(f"| `{name}` | {kind} | {marks} | {text} | {'yes' if name in PERSISTENT else ''} |")
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(REPO)}: {len(HELP)} numbers\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
