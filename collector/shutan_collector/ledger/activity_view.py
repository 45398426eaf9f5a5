"""The history of one activity row, for a terminal and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from shutan_collector.activity.documents import row_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_collector.ledger.activities import Version

__all__ = ["history_document", "history_table"]


def history_document(ref: str, versions: Sequence[Version]) -> dict[str, object]:
    """Every state, oldest first; "row" is null where it was removed."""
    return {
        "schema": "shutan.activity.history/1",
        "row": ref,
        "versions": [
            {
                "entry": version.seq,
                "at": version.at,
                "author": version.author,
                "file": version.file,
                "sha256": version.sha256,
                "row": row_object(version.row) if version.row else None,
            }
            for version in versions
        ],
    }


def history_table(ref: str, versions: Sequence[Version]) -> Table:
    """What each state changed, oldest first."""
    table = Table(title=Text(ref))
    for heading in ("entry 条目", "at 时间", "author 人", "file 文件", "what 内容"):
        table.add_column(heading, overflow="fold")
    before: dict[str, object] = {}
    for version in versions:
        now: dict[str, object] = dict(row_object(version.row)) if version.row else {}
        differing = (f"{name} = {value}" for name, value in now.items() if before.get(name) != value and value)
        what = ", ".join(differing) if version.row else "removed 删除"
        table.add_row(
            str(version.seq), version.at[:19].replace("T", " "), version.author, Text(version.file), Text(what)
        )
        before = now
    return table
