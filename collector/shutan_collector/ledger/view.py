"""The ledger in a terminal and as JSON: entries, periods, two versions side by side."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from shutan_collector.units import decimal_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_collector.accounting.documents import JsonObject
    from shutan_collector.ledger.audit import Audit
    from shutan_collector.ledger.closes import Close, PeriodState
    from shutan_collector.ledger.compare import Change, Difference
    from shutan_collector.ledger.entries import Head, Header

__all__ = [
    "audit_object",
    "difference_table",
    "entries_table",
    "head_object",
    "header_object",
    "period_object",
    "periods_table",
]

_HASH_DIGITS: Final = 16


def head_object(head: Head) -> JsonObject:
    """End of the chain."""
    return {"schema": "shutan.head/1", "seq": head.seq, "hash": head.hash}


def header_object(header: Header) -> JsonObject:
    """All fields of an entry but its body."""
    return {
        "seq": header.seq,
        "at": header.at,
        "author": header.author,
        "kind": header.kind,
        "key": header.key,
        "period": header.period,
        "body_sha256": header.body_sha256,
        "previous": header.previous,
        "hash": header.hash,
    }


def period_object(state: PeriodState, close: Close) -> JsonObject:
    """One closed period."""
    return {
        "period": state.period,
        "status": state.status.value,
        "version": state.version,
        "entry": state.entry,
        "hash": close.hash,
        "at": close.at,
        "author": close.author,
        "reason": close.reason,
        "stale": list(state.stale),
        "by_scope": dict(close.totals.by_scope),
    }


def audit_object(found: Audit) -> JsonObject:
    """What an audit found."""
    fault = found.fault
    return {
        "schema": "shutan.audit/1",
        "whole": fault is None,
        "head": {"seq": found.head.seq, "hash": found.head.hash},
        "closes": found.closes,
        "fault": None if fault is None else {"seq": fault.seq, "reason": fault.reason},
    }


def entries_table(headers: Iterable[Header]) -> Table:
    """One row per entry."""
    table = _table("entries 条目", ("entry\n条目", "time UTC\n时间", "author\n人员", "kind\n类别", "key\n键"))
    for name in ("period\n核算期", "hash\n摘要"):
        table.add_column(name, no_wrap=True)
    for item in headers:
        names = (escape(text) for text in (item.author, item.kind, item.key, item.period))
        table.add_row(str(item.seq), _time(item.at), *names, item.hash[:_HASH_DIGITS])
    return table


def periods_table(found: Iterable[tuple[PeriodState, Close]]) -> Table:
    """One row per closed period."""
    names = (
        "period\n核算期",
        "version\n版本",
        "entry\n条目",
        "time UTC\n时间",
        "author\n人员",
        "reason\n原因",
        "state\n状态",
    )
    table = _table("closed periods 已关账", names)
    for state, close in found:
        stale = f"stale 待重关: {', '.join(state.stale)}" if state.stale else "current 现行"
        row = (state.period, str(state.version), str(state.entry), _time(close.at))
        table.add_row(*row, escape(close.author), escape(close.reason), stale)
    return table


def difference_table(difference: Difference, *, everything: bool = False) -> Table:
    """Old and new side by side, by scope, source and meter; everything: the unchanged rows as well."""
    table = _table(f"{difference.period} 新旧对照", ("figure\n项目",))
    for name in ("old\n原", "new\n新", "difference\n差"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("unit\n单位")
    groups = (
        ("scope 范围", difference.scopes),
        ("source 排放源", difference.sources),
        ("energy 用量", difference.energy),
    )
    for title, changes in groups:
        shown = [change for change in changes if everything or change.is_changed]
        if shown:
            table.add_section()
            table.add_row(f"[bold]{title}[/bold]")
        for change in shown:
            table.add_row(escape(change.name), *_figures(change))
    return table


def _figures(change: Change) -> tuple[str, str, str, str]:
    values = (change.old, change.new, change.difference)
    if change.unit == "g":
        old, new, difference = (_kg(value) for value in values)
        return old, new, difference, "kg CO₂e"
    old, new, difference = ("–" if value is None else str(value) for value in values)
    return old, new, difference, change.unit


def _time(at: str) -> str:
    """Day and second on two lines where the terminal is narrow, never cut."""
    return f"{at[:10]} {at[11:19]}"


def _kg(grams: int | None) -> str:
    return "–" if grams is None else decimal_text(Fraction(grams, 1000), 3)


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name)
    return table
