"""What a new import changes: rows added, changed and removed, by kind and key. The old rows stay in the ledger."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from shutan_collector.activity.kinds import ActivityBook

if TYPE_CHECKING:
    from shutan_collector.activity.rows import Row

__all__ = ["Change", "Changes", "diff", "merged"]

_NOT_CONTENT = frozenset({"place"})  # a row that moved to another line of the file says the same


@dataclass(frozen=True, slots=True)
class Change:
    """A row that says something else than before; `fields` names what differs."""

    old: Row
    new: Row
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """From one book to the next, each part in the order of its book; a row that only moved is not listed.

    removed   rows that only the old book has
    """

    added: tuple[Row, ...]
    changed: tuple[Change, ...]
    removed: tuple[Row, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def diff(old: ActivityBook, new: ActivityBook) -> Changes:
    """Changes that lead from the old book to the new one."""
    before = {row.ref: row for row in old}
    after = {row.ref: row for row in new}
    changed = (
        Change(before[ref], row, names)
        for ref, row in after.items()
        if ref in before and (names := _differ(before[ref], row))
    )
    return Changes(
        added=tuple(row for ref, row in after.items() if ref not in before),
        changed=tuple(changed),
        removed=tuple(row for ref, row in before.items() if ref not in after),
    )


def merged(old: ActivityBook, new: ActivityBook) -> ActivityBook:
    """The new rows, and the old ones whose key the new book does not have; an old row keeps its place in the order."""
    after = {row.ref: row for row in new}
    kept = [after.pop(row.ref, row) for row in old]
    return ActivityBook.of((*kept, *after.values()), new.zone)


def _differ(old: Row, new: Row) -> tuple[str, ...]:
    names = (field.name for field in fields(new))
    return tuple(name for name in names if name not in _NOT_CONTENT and getattr(old, name) != getattr(new, name))
