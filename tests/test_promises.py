"""docs/promises.md is what its sources say; every test it names exists; every fault and every promise is on it."""

import ast
import json
import re
from pathlib import Path

import pytest

import promises

REPO = Path(__file__).resolve().parents[1]
PAGE = promises.PAGE.read_text(encoding="utf-8")
ROWS = promises.read_toml(promises.MATRIX, "row")
RESULT: promises.Row = {
    "id": "C1",
    "part": "",
    "bar": {"recovery_p99_s": "< 2"},
    "measured": {"kills": 500, "recovery_p99_s": 1.25},
    "passed": True,
    "form": "long",
    "note": "from the start of the process",
    "test": "test_c01_x",
    "commit": "abc",
    "date": "2026-01-02T03:04Z",
}


def names_of_tests() -> set[str]:
    found: set[str] = set()
    for path in (REPO / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(node.name)
    return found


def test_the_page_is_what_its_sources_say() -> None:
    assert promises.current() == PAGE, "run `make promises`"


def test_every_named_test_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    assert named - names_of_tests() == set()


def test_every_row_of_the_matrix_is_there_in_order() -> None:
    assert [row["id"] for row in ROWS] == [f"C{n}" for n in range(1, 25)]


def test_no_cell_of_the_matrix_is_empty() -> None:
    lines = [line for line in PAGE.splitlines() if re.match(r"\| C\d", line)]
    assert len(lines) == 24
    assert [line for line in lines if re.search(r"\|\s*\|", line)] == []


def test_every_promise_has_a_test_or_says_not_yet() -> None:
    table = PAGE.partition("| # | promise |")[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines()[2:] if not line.rstrip(" |").endswith(("：", ":"))]
    assert len(lines) >= 7
    assert [line for line in lines if "`test_" not in line and line.split("|")[-2].strip() == ""] == []
    assert {row["number"] for row in promises.read_toml(promises.PROMISES, "promise")} == set(range(1, 8))


def test_every_promise_a_fault_names_is_a_promise() -> None:
    assert {number for row in ROWS for number in row["promise"]} <= set(range(1, 8))


def test_a_row_that_says_nothing_is_refused() -> None:
    with pytest.raises(promises.PageError, match="C9"):
        promises.matrix_line({"id": "C9", "fault": "f", "promise": [1], "bar": "b", "tests": []}, [])


def test_a_result_stands_with_figure_bar_note_date_and_test() -> None:
    row: promises.Row = {"id": "C1", "fault": "f", "promise": [1, 2], "bar": "b", "tests": []}
    line = promises.matrix_line(row, [RESULT])
    wanted = "kills 500; recovery p99 1.25 s (bar < 2). from the start of the process. (2026-01-02, `abc`)"
    assert line == f"| C1 | f | 1, 2 | {wanted} | `test_c01_x` | b |"


def test_a_missed_bar_shows() -> None:
    assert promises.measured({**RESULT, "passed": False}).startswith("**bar missed** ")


def test_a_short_form_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "C01.json").write_text(json.dumps({**RESULT, "form": "short"}))
    with pytest.raises(promises.PageError, match=r"C01\.json"):
        promises.read_results(tmp_path)


def test_a_result_without_a_row_is_refused() -> None:
    with pytest.raises(promises.PageError, match="C99"):
        promises.page([], [], {"C99": [RESULT]})
