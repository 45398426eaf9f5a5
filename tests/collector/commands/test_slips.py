"""Slips that a first user makes with files, periods and addresses: one line that says what to do instead."""

import socket
import sys
from datetime import date
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from shutan_collector.commands.account import app as account_app
from shutan_collector.commands.api import app as api_app
from shutan_collector.commands.budget import app as budget_app
from shutan_collector.commands.close import app as close_app
from shutan_collector.commands.evidence import app as evidence_app
from shutan_collector.commands.footprint import app as footprint_app
from shutan_collector.ledger.store import open_ledger
from support.year import Year, make_year

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    return make_year(tmp_path_factory.mktemp("year"), date(2025, 1, 1), 1, 3, kinds=())


def said(app: Typer, *arguments: object) -> str:
    """The one line that a refused command tells."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    assert "Errno" not in line
    return line


def inputs(year: Year, **other: object) -> list[object]:
    """Options that name the year's files, some replaced."""
    folder = year.folder
    chosen = {"site": folder / "site.toml", "activity": folder / "activity", "series": year.readings} | other
    return [part for name, value in chosen.items() for part in (f"--{name}", value)]


def test_a_month_that_has_not_begun(year: Year) -> None:
    line = said(account_app, *inputs(year), "--period", "2999-02")
    assert line == "shutan account: --period: 2999-02 has not begun; it begins on 2999-02-01"


def test_a_folder_of_documents_without_documents(year: Year, tmp_path: Path) -> None:
    line = said(account_app, *inputs(year, activity=tmp_path), "--period", "2025-01")
    assert "holds no .csv or .xlsx file" in line


def test_options_that_were_exchanged(year: Year) -> None:
    folder = year.folder
    line = said(account_app, *inputs(year, series=folder / "site.toml"), "--period", "2025-01")
    assert "--series: " in line
    assert "is not a store address" in line
    line = said(account_app, *inputs(year, activity=folder / "site.toml"), "--period", "2025-01")
    assert "is a file; give the folder that holds it" in line


def test_a_store_that_is_not_there_is_not_waited_for(year: Year) -> None:
    line = said(account_app, *inputs(year, series="sqlite:nowhere.db"), "--period", "2025-01")
    assert line == "shutan account: sqlite:nowhere.db: no such file; check the path"


def test_a_close_without_a_name_is_told_before_the_work(year: Year, tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    line = said(close_app, "--ledger", url, "--create", *inputs(year), "--period", "2025-01", "--author", " ")
    assert line == "shutan close: author: is empty; name the person who closes"


def test_files_that_cannot_be_read_say_why(year: Year, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    line = said(budget_app, "status", "--budget", tmp_path / "none.toml", "--actuals", binary)
    assert line.endswith("none.toml: file: cannot be read: No such file or directory")
    line = said(budget_app, "deadlines", "--file", binary)
    assert line.endswith("binary: file: is not text in UTF-8")
    batch = ["--product", "p", "--batch", "b", "--plan"]
    assert said(footprint_app, *inputs(year), *batch, binary).endswith("binary: file: is not text in UTF-8")
    assert said(footprint_app, *inputs(year), *batch, tmp_path).endswith("file: cannot be read: Is a directory")


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    line = said(api_app, "--ledger", f"sqlite:{tmp_path / 'ledger.db'}", "--site", tmp_path / "site.toml")
    assert line == "shutan api: uvicorn is not installed: pip install 'shutan[web]'"
    monkeypatch.delitem(sys.modules, "shutan_collector.evidence.keys", raising=False)
    loaded = [name for name in sys.modules if name.partition(".")[0] == "cryptography"]
    for name in ("cryptography", *loaded):
        monkeypatch.setitem(sys.modules, name, None)
    line = said(evidence_app, "keygen", "--out", tmp_path / "site.key")
    assert line.endswith("is not installed: pip install 'shutan[ledger]'")


def test_an_api_that_cannot_listen_says_why(year: Year, tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    with open_ledger(url, create=True):
        pass
    options = ["--ledger", url, "--site", year.folder / "site.toml"]
    with socket.create_server((HOST, 0)) as busy:
        port = busy.getsockname()[1]
        line = said(api_app, *options, "--port", port)
    assert line == f"shutan api: --host, --port: {HOST}:{port}: Address already in use; choose another"
    line = said(api_app, *options, "--token-file", tmp_path / "none")
    assert line.endswith("none cannot be read: No such file or directory")
    token = tmp_path / "token"
    token.write_bytes(b"\xff" * 40)
    assert said(api_app, *options, "--token-file", token).endswith("token is not text in UTF-8")
