"""The helper that every fault test reports through: a missed bar fails, a result file says what was run."""

import json
from pathlib import Path

import pytest

from faults.harness import LONG, SHORT, Fault, Settings, commit_now, file_name, misses, row_id


def a_fault(form: str, folder: Path | None) -> Fault:
    said: list[str] = []
    return Fault(Settings(form, folder, said.append, commit_now()), "test_c01_sample")


def test_a_missed_bar_fails_and_is_written_as_missed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="lost is 1, the bar == 0"):
        a_fault(SHORT, tmp_path).record("C1", measured={"lost": 1}, bar={"lost": "== 0"})
    assert json.loads((tmp_path / "C01.json").read_text())["passed"] is False


def test_long_bars_bind_the_long_form_only(tmp_path: Path) -> None:
    figures = {"lost": 0, "recovery_p99_s": 3.5}
    a_fault(SHORT, None).record("C1", measured=figures, bar={"lost": "== 0"}, long_bar={"recovery_p99_s": "< 2"})
    with pytest.raises(AssertionError, match=r"recovery_p99_s is 3\.5"):
        a_fault(LONG, tmp_path).record("C1", measured=figures, bar={"lost": "== 0"}, long_bar={"recovery_p99_s": "< 2"})


def test_a_result_says_what_was_run(tmp_path: Path) -> None:
    a_fault(LONG, tmp_path).record("C05", part="eio", measured={"lost": 0}, bar={"lost": "== 0"}, note="scaled")
    result = json.loads((tmp_path / "C05-eio.json").read_text())
    assert (result["id"], result["part"], result["form"], result["passed"]) == ("C5", "eio", "long", True)
    assert result["command"] == 'make faults ARGS="-k test_c01_sample"'
    assert result["commit"]
    assert result["date"].endswith("Z")


@pytest.mark.parametrize("form", [SHORT, LONG])
def test_size_follows_the_form(form: str) -> None:
    assert a_fault(form, None).size(short=5, long=500) == {SHORT: 5, LONG: 500}[form]


@pytest.mark.parametrize(
    ("value", "bar", "missed"),
    [(0, "== 0", 0), (1, "== 0", 1), (2, "< 2", 1), (2, "<= 2", 0), (9, ">= 10", 1), (10, ">= 10", 0), (1.5, "> 1", 0)],
)
def test_bars(value: float, bar: str, missed: int) -> None:
    assert len(misses({"x": value}, {"x": bar})) == missed


@pytest.mark.parametrize(("measured", "bar"), [({"x": 1}, {}), ({"x": 1}, {"y": "== 1"}), ({"x": 1}, {"x": "about 1"})])
def test_a_bar_that_judges_nothing_is_refused(measured: dict[str, int], bar: dict[str, str]) -> None:
    with pytest.raises(AssertionError):
        misses(measured, bar)


@pytest.mark.parametrize("row", ["C0", "C25", "D1", "1"])
def test_rows_outside_the_matrix_are_refused(row: str) -> None:
    with pytest.raises(AssertionError):
        row_id(row)


def test_file_names_sort_as_the_rows() -> None:
    assert [file_name(row, "") for row in ("C9", "C09", "C10")] == ["C09.json", "C09.json", "C10.json"]
