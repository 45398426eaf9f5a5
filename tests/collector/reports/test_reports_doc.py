"""docs/reports.md names every report, every option and every mark."""

from typer.main import get_command

from shutan_collector.commands.report import app
from shutan_collector.reports.heading import MARKS
from shutan_collector.reports.registry import REPORTS
from support.places import REPO

PAGE = (REPO / "docs" / "reports.md").read_text(encoding="utf-8")


def test_every_report_and_option_is_documented() -> None:
    group = get_command(app)
    assert [kind.name for kind in REPORTS if f"`shutan report {kind.name}`" not in PAGE] == []
    commands = getattr(group, "commands", {})
    options = {option for kind in REPORTS for one in commands[kind.name].params for option in one.opts}
    assert "--ledger" in options
    assert sorted(option for option in options - {"--help"} if option not in PAGE) == []


def test_every_mark_is_documented() -> None:
    assert [mark for mark, _ in MARKS if mark not in PAGE] == []


def test_the_page_names_the_parts_of_a_folder() -> None:
    assert [
        part
        for part in ("README.md", "build.py", "page.py", "report.typ", "sample.json", "testcases")
        if part not in PAGE
    ] == []
