"""Each report is a whole folder: documents, sample arguments that run, and cases worked out by hand."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from shutan_collector.carbon.sectors import Method
from shutan_collector.commands.report import app
from shutan_collector.ledger import summaries
from shutan_collector.reports.registry import REPORTS, Arguments, find_report
from support.places import REPO
from support.summary_year import BUDGET, month, year

FOLDERS = REPO / "collector" / "shutan_collector" / "reports"
PARTS = ("README.md", "build.py", "page.py", "report.typ", "sample.json", "testcases/*.json")
HEADINGS = ("## Figures", "## Run", "## Rules")
CASES = [
    pytest.param(kind.name, path, id=f"{kind.name}-{path.stem}")
    for kind in REPORTS
    for path in sorted((FOLDERS / kind.folder / "testcases").glob("*.json"))
]


def test_every_folder_with_a_template_is_registered() -> None:
    found = {path.parent.name for path in FOLDERS.glob("*/report.typ") if path.parent.name != "layout"}
    assert found == {kind.folder for kind in REPORTS}


@pytest.mark.parametrize("kind", REPORTS, ids=lambda kind: kind.name)
def test_a_folder_has_its_parts(kind: Any) -> None:
    folder = FOLDERS / kind.folder
    assert [part for part in PARTS if not any(folder.glob(part))] == []
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert [heading for heading in HEADINGS if heading not in readme] == []
    sample = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
    assert sample["report"] == kind.name
    assert f"shutan report {' '.join(sample['arguments'])}" in readme


@pytest.mark.parametrize("kind", REPORTS, ids=lambda kind: kind.name)
def test_sample_arguments_run(kind: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def load(ledger: str, period: str, fingerprint: str = "") -> object:
        assert fingerprint == ""
        asked.append((ledger, period))
        return year(period) if len(period) == 4 else month(period)

    monkeypatch.setattr(summaries, "load_summary", load)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "budget.toml").write_text(BUDGET, encoding="utf-8")
    sample = json.loads((FOLDERS / kind.folder / "sample.json").read_text(encoding="utf-8"))
    result = CliRunner().invoke(app, sample["arguments"])
    assert result.exit_code == 0, result.output
    wanted = [
        value for flag, value in zip(sample["arguments"], sample["arguments"][1:], strict=False) if flag == "--out"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*wanted, "budget.toml"])
    assert asked[0][0] == "sqlite:/var/lib/shutan/ledger.db"


@pytest.mark.parametrize(("name", "path"), CASES)
def test_case_worked_out_by_hand(name: str, path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    assert case["source"]
    assert case["expect"]
    document = find_report(name).publish(_arguments(case["given"])).to_document()
    found = [(item["path"], _at(document, item["path"])) for item in case["expect"]]
    assert found == [(item["path"], item["is"]) for item in case["expect"]]


def _arguments(given: dict[str, Any]) -> Arguments:
    period, closed = given["period"], given.get("closed", True)
    summary = (
        year(period, closed=closed) if len(period) == 4 else month(period, closed=closed, gap=given.get("gap", False))
    )
    return Arguments(
        summary,
        before=month(given["before"]) if "before" in given else None,
        method=Method(given["method"]) if "method" in given else None,
    )


def _at(value: Any, path: list[Any]) -> Any:
    """A value by keys, indices, and {field: value} for the first item of a list that has it."""
    for step in path:
        if isinstance(step, dict):
            ((key, wanted),) = cast("dict[str, Any]", step).items()
            value = next(item for item in value if item[key] == wanted)
        else:
            value = value[step]
    return value
