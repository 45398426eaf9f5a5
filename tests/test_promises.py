"""docs/promises.md names tests; each of them exists, and each promise of the design is on the page."""

import ast
import re
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
PAGE = (REPO / "docs" / "promises.md").read_text(encoding="utf-8")


def names_of_tests() -> set[str]:
    found: set[str] = set()
    for path in (REPO / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(node.name)
    return found


def test_every_named_test_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    assert named - names_of_tests() == set()


def test_every_line_has_a_test_or_says_not_yet() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| #", "| 1 "))]
    assert len(lines) >= 7
    assert [line for line in lines if "`test_" not in line and line.split("|")[-2].strip() == ""] == []
