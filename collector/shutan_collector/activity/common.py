"""Columns and relations that several templates share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_collector.activity.columns import Column, Context, Finding, Type, Values

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KEY", "dated", "reversed_days", "tail"]

KEY: Final = Column("key", "编号", Type.KEY, "EXAMPLE-1", note="stays when a row is corrected")


def dated(start: str, end: str) -> tuple[Column, Column]:
    """First and last day, both inclusive, with example days."""
    return (
        Column("start", "起始日", Type.DAY, start),
        Column("end", "截止日", Type.DAY, end, note="inclusive"),
    )


def tail(source: str) -> tuple[Column, Column]:
    """What every row ends with: the document it comes from, and a note."""
    return (
        Column("source", "来源凭证", Type.TEXT, source, required=False),
        Column("note", "备注", Type.TEXT, required=False),
    )


def reversed_days(values: Values, _context: Context) -> Iterator[Finding]:
    """Refuses an end before its start."""
    start, end = values.day("start"), values.day("end")
    if start and end and end < start:
        yield "end", f"{end} is before start {start}"
