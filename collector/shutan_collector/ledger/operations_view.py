"""Closings, restatements and late samples in a terminal and as JSON."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from shutan_collector.units import decimal_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shutan_collector.accounting.documents import JsonObject
    from shutan_collector.ledger.closes import Close
    from shutan_collector.ledger.compare import Change
    from shutan_collector.ledger.operations import Late, Restatement
    from shutan_collector.ledger.proposals import Proposal

__all__ = [
    "closes_document",
    "closes_table",
    "late_document",
    "late_table",
    "proposals_document",
    "proposals_table",
    "restatement_document",
    "restatement_table",
]

_HASH_DIGITS: Final = 8
_SCOPES: Final = {
    "scope1": "scope 1\n范围一",
    "scope2_heat": "heat\n热力",
    "scope2_location": "location\n基于位置",
    "scope2_market": "market\n基于市场",
}


def closes_document(closes: Sequence[Close]) -> JsonObject:
    """Every close entry with its totals."""
    return {
        "schema": "shutan.closes/1",
        "closes": [
            {
                "period": item.period,
                "version": item.version,
                "seq": item.seq,
                "hash": item.hash,
                "at": item.at,
                "author": item.author,
                "reason": item.reason,
                "totals": item.totals.to_object(),
            }
            for item in closes
        ],
    }


def closes_table(closes: Sequence[Close]) -> Table:
    """One row per close entry."""
    table = Table(title="closed 已关账, t CO₂e", title_justify="left")
    for name in ("period\n核算期", "v\n版", "entry\n条目", "hash\n摘要"):
        table.add_column(name, no_wrap=True)
    for name in _SCOPES.values():
        table.add_column(name, justify="right", no_wrap=True)
    for item in closes:
        grams = [_tonnes(item.totals.by_scope.get(scope)) for scope in _SCOPES]
        table.add_row(item.period, str(item.version), str(item.seq), item.hash[:_HASH_DIGITS], *grams)
    return table


def restatement_document(found: Iterable[Restatement]) -> JsonObject:
    """Old and new side by side, per month."""
    return {
        "schema": "shutan.restatements/1",
        "months": [
            {**item.difference.to_object(), "version": item.close.version if item.close else None} for item in found
        ],
    }


def restatement_table(found: Sequence[Restatement]) -> Table:
    """Every scope of every month, old and new; unchanged months as one row."""
    table = Table(title="restatement 重述: old and new 新旧对照", title_justify="left")
    for name in ("period\n核算期", "scope\n范围"):
        table.add_column(name, no_wrap=True)
    for name in ("old 原\nkg CO₂e", "new 新\nkg CO₂e", "difference 差\nkg CO₂e"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state\n状态")
    for item in found:
        state = f"version {item.close.version}" if item.close else "dry run 试算"
        changed = [change for change in item.difference.scopes if change.is_changed]
        if not changed:
            table.add_row(item.difference.period, "–", "", "", "", "unchanged 无变化" if not item.close else state)
        for change in changed:
            table.add_row(item.difference.period, change.name, *_side_by_side(change), state)
    return table


def late_document(found: Iterable[Late]) -> JsonObject:
    """The days that changed and the proposals that were opened."""
    return {
        "schema": "shutan.late/1",
        "months": [
            {
                "period": item.period,
                "days": [[day.meter, day.day, day.before, day.after] for day in item.days],
                "proposal": item.proposal.seq if item.proposal else None,
                "before": item.proposal.before.to_object() if item.proposal else None,
                "after": item.proposal.after.to_object() if item.proposal else None,
            }
            for item in found
        ],
    }


def late_table(found: Sequence[Late]) -> Table:
    """One row per closed month with other readings now."""
    table = Table(title="late samples 迟到数据", title_justify="left")
    for name in ("period\n核算期", "meters\n计量点", "days\n天", "proposal\n重述提案"):
        table.add_column(name)
    for item in found:
        meters = ", ".join(sorted({day.meter for day in item.days}))
        proposal = f"entry {item.proposal.seq}" if item.proposal else "no figure changes 数值不变"
        table.add_row(item.period, escape(meters), str(len(item.days)), proposal)
    return table


def proposals_document(found: Iterable[Proposal]) -> JsonObject:
    """Every proposal with its state and both totals."""
    return {
        "schema": "shutan.proposals/1",
        "proposals": [
            {
                "seq": item.seq,
                "period": item.period,
                "state": item.state.value,
                "cause": item.cause,
                "before": item.before.to_object(),
                "after": item.after.to_object(),
            }
            for item in found
        ],
    }


def proposals_table(found: Iterable[Proposal]) -> Table:
    """One row per proposal."""
    table = Table(title="restatement proposals 重述提案", title_justify="left")
    for name in ("entry\n条目", "period\n核算期", "state\n状态", "cause\n原因"):
        table.add_column(name)
    for item in found:
        table.add_row(str(item.seq), item.period, item.state.value, escape(item.cause))
    return table


def _side_by_side(change: Change) -> tuple[str, str, str]:
    return _kg(change.old), _kg(change.new), _kg(change.difference)


def _tonnes(grams: int | None) -> str:
    return "–" if grams is None else decimal_text(Fraction(grams, 1_000_000), 3)


def _kg(grams: int | None) -> str:
    return "–" if grams is None else decimal_text(Fraction(grams, 1000), 3)
