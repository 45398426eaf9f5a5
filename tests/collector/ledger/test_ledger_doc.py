"""docs/ledger.md is what the program does: its commands, its kinds of entries, and the check by hand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from shutan_collector.commands.ledger import app
from shutan_collector.ledger import closes, proposals
from shutan_collector.ledger.activities import KIND as ACTIVITY
from shutan_collector.ledger.closing import close_month
from shutan_collector.ledger.store import open_ledger
from support.ledgers import AT, behind_its_back, month
from support.places import REPO

TEXT = (REPO / "docs/ledger.md").read_text(encoding="utf-8")


def test_every_command_is_shown() -> None:
    shown = set(re.findall(r"^shutan ledger (\w+)", TEXT, re.MULTILINE))
    assert shown == {
        str(command.name or command.callback.__name__) for command in app.registered_commands if command.callback
    }


def test_every_kind_and_schema_is_listed() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (?:`(shutan\.[\w/.]+)`)?", TEXT, re.MULTILINE))
    for kind, schema in (
        (closes.DOCUMENT, ""),
        (closes.CLOSE, closes.SCHEMA),
        (proposals.PROPOSAL, proposals.SCHEMA),
        (proposals.REJECTION, proposals.REJECTION_SCHEMA),
        (ACTIVITY, "shutan.activity/1"),
    ):
        assert listed[kind] == schema


@pytest.mark.parametrize("tampered", [False, True])
def test_the_check_by_hand(tmp_path: Path, tampered: bool) -> None:
    path = tmp_path / "ledger.db"
    with open_ledger(f"sqlite:{path}", create=True) as ledger:
        close_month(ledger, month(), "曾工", AT)
        head = ledger.head()
    if tampered:
        with behind_its_back(f"sqlite:{path}") as connection:
            connection.execute("UPDATE ledger_entry SET author = '某人' WHERE seq = 4")
    (script,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-I", "-c", script, path], capture_output=True, text=True, check=False)
    expected = (1, "", "entry 4 is not what was written\n") if tampered else (0, f"{head.seq}:{head.hash}\n", "")
    assert (done.returncode, done.stdout, done.stderr) == expected
