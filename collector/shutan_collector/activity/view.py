"""Activity files, changes and bills for a terminal and as JSON; amounts are exact text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from shutan_collector.activity.documents import row_object
from shutan_collector.activity.kinds import KINDS
from shutan_collector.activity.templates import template_of
from shutan_collector.exact import exact_text
from shutan_collector.units import decimal_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from shutan_collector.activity.book import Imported
    from shutan_collector.activity.documents import Scalar
    from shutan_collector.activity.history import Change, Changes
    from shutan_collector.activity.reconcile import Reconciliation
    from shutan_collector.activity.rows import Row

__all__ = [
    "CHINA",
    "changes_document",
    "changes_tables",
    "check_document",
    "check_table",
    "reconcile_document",
    "reconcile_table",
]

CHINA: Final = ZoneInfo("Asia/Shanghai")  # calendar of files that are read without a site model
_SHOWN: Final = 50  # rows of a table; JSON has them all


def check_document(imported: Imported) -> dict[str, object]:
    """What was read: files with encoding and hash, rows by kind."""
    counts = Counter(row.KIND for row in imported.book)
    return {
        "schema": "shutan.activity.check/1",
        "files": [
            {"file": file.name, "encoding": file.encoding, "sha256": file.sha256, "rows": file.rows}
            for file in imported.files
        ],
        "rows": {kind: counts[kind] for kind in KINDS if counts[kind]},
    }


def check_table(imported: Imported) -> Table:
    """Files that were read."""
    table = Table(title=f"{len(imported.book)} rows in {len(imported.files)} files, no mistake 无错误")
    for heading in ("file 文件", "encoding 编码", "rows 行数", "sha256"):
        table.add_column(heading, justify="right" if heading.startswith("rows") else "left", overflow="fold")
    for file in imported.files:
        table.add_row(file.name, file.encoding, str(file.rows), file.sha256[:16])
    return table


def changes_document(changes: Changes, *, written: bool, removed: bool) -> dict[str, object]:
    """All changes with the old and the new row. removed: rows that are not in the files go out of force."""
    return {
        "schema": "shutan.activity.import/1",
        "written": written,
        "added": [_named(row) for row in changes.added],
        "changed": [
            {"row": item.new.ref, "fields": list(item.fields), "old": row_object(item.old), "new": row_object(item.new)}
            for item in changes.changed
        ],
        "removed" if removed else "kept": [_named(row) for row in changes.removed],
    }


def changes_tables(changes: Changes, *, written: bool, removed: bool) -> Iterator[Table | Text]:
    """Counts by kind, then each changed field old and new side by side."""
    gone = "removed 删除" if removed else "not in the files, kept 保留"
    parts = (("added 新增", changes.added), (gone, changes.removed))
    counts = Counter((row.KIND, name) for name, rows in parts for row in rows)
    counts.update((item.new.KIND, "changed 变更") for item in changes.changed)
    if not counts:
        yield Text("nothing changes: the rows are the ones in force 无变化")
        return
    table = Table(title="imported 已导入" if written else "would change 预览，未写入")
    names = ("added 新增", "changed 变更", gone)
    table.add_column("kind 类别")
    for name in names:
        table.add_column(name, justify="right")
    for kind in KINDS:
        if any(counts[kind, name] for name in names):
            table.add_row(f"{kind} {template_of(kind).zh}", *(str(counts[kind, name]) for name in names))
    yield table
    if changes.changed:
        yield _changed(changes.changed)


def reconcile_document(results: Sequence[Reconciliation]) -> dict[str, object]:
    """Every bill with its figures in kWh as exact text."""
    return {
        "schema": "shutan.activity.reconcile/1",
        "bills": [
            {
                "key": item.bill.key,
                "meter": item.bill.meter,
                "start": item.bill.start.isoformat(),
                "end": item.bill.end.isoformat(),
                "billed_kwh": exact_text(item.bill.energy_kwh),
                "metered_kwh": _exact(item.metered_kwh),
                "difference_kwh": _exact(item.difference_kwh),
                "difference_share": _exact(item.difference_share),
                "rest_kwh": _exact(item.rest_kwh),
                "tolerance": exact_text(item.rule.tolerance),
                "prevails": item.rule.prevails.value,
                "verdict": item.verdict.value,
                "counts_kwh": _exact(item.counts_kwh),
            }
            for item in results
        ],
    }


def reconcile_table(results: Sequence[Reconciliation]) -> Table:
    """Bills and meter side by side."""
    table = Table(title="bills against the entry meter 电费结算单核对, kWh")
    table.add_column("bill 结算单", overflow="fold")
    table.add_column("days 日期", no_wrap=True)
    for heading in ("billed 结算", "metered 计量", "difference 差值"):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("verdict 结论", overflow="fold")
    table.add_column("counts 采用", justify="right", overflow="fold")
    for item in results:
        percent = None if item.difference_share is None else item.difference_share * 100
        table.add_row(
            Text(f"{item.bill.key}\n{item.bill.meter}"),
            f"{item.bill.start}\n{item.bill.end}",
            _rounded(item.bill.energy_kwh),
            _rounded(item.metered_kwh),
            f"{_rounded(item.difference_kwh)}\n{_rounded(percent, 2)} %",
            item.verdict.value,
            f"{_rounded(item.counts_kwh)}\n{item.rule.prevails.value}",
        )
    return table


def _changed(changed: Sequence[Change]) -> Table:
    table = Table(title="changed 变更")
    for heading in ("row 行", "field 字段", "old 原值", "new 新值"):
        table.add_column(heading, overflow="fold")
    for item in changed[:_SHOWN]:
        old, new = row_object(item.old), row_object(item.new)
        for name in item.fields:
            table.add_row(item.new.ref, name, _cell(old[name]), _cell(new[name]))
    if len(changed) > _SHOWN:
        table.add_row(f"and {len(changed) - _SHOWN} more rows (--json has all)", "", "", "")
    return table


def _named(row: Row) -> dict[str, object]:
    return {"row": row.ref, **row_object(row)}


def _cell(value: Scalar) -> Text:
    return Text("" if value is None else str(value))


def _exact(value: Fraction | None) -> str | None:
    return None if value is None else exact_text(value)


def _rounded(value: Fraction | None, places: int = 1) -> str:
    return "-" if value is None else decimal_text(value, places)
