"""Activity rows in the ledger (活动数据历史): what is in force, and how each row came to be what it is.

Each row is an entry of kind "activity" with the key "<kind>/<key>". A row that changes is a new entry, a row that is
taken out of force is an entry that says so; the old ones stay, with author, time and the file they came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from shutan_collector.activity.book_checks import check_book
from shutan_collector.activity.documents import row_from, row_object
from shutan_collector.activity.history import Changes, diff, merged
from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.errors import ActivityError, LedgerError
from shutan_collector.ledger.entries import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from shutan_collector.activity.book import Imported
    from shutan_collector.activity.rows import Row
    from shutan_collector.ledger.entries import Entry
    from shutan_collector.ledger.store import Ledger, Reader

__all__ = ["KIND", "ActivityStore", "Version"]

KIND: Final = "activity"
SCHEMA: Final = "shutan.activity/1"


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a row; row is None where it was removed.

    file, sha256   the file that said so; "" for a removal
    """

    seq: int
    at: str
    author: str
    row: Row | None
    file: str
    sha256: str


class ActivityStore:
    """The activity rows of a ledger."""

    def __init__(self, ledger: Ledger, zone: ZoneInfo) -> None:
        self._ledger = ledger
        self._zone = zone

    def current(self) -> ActivityBook:
        """The rows in force, each kind in the order in which its rows were first written. Raises LedgerError."""
        return self._current(self._ledger)

    def history(self, ref: str) -> tuple[Version, ...]:
        """Every state of the row "<kind>/<key>", oldest first. Raises LedgerError if there never was one."""
        versions = tuple(_version(entry) for entry in self._ledger.entries(kind=KIND, key=ref))
        if not versions:
            raise LedgerError(ref, "no such activity row in this ledger; give <kind>/<key>, for example bill/INV-0625")
        return versions

    def preview(self, imported: Imported, *, remove: bool = False) -> Changes:
        """What importing these files would change. Raises ActivityError as `replace` does."""
        current = self.current()
        _check(current, imported, remove=remove)
        return diff(current, imported.book)

    def replace(self, imported: Imported, author: str, at: str, *, remove: bool = False) -> Changes:
        """Put the files' rows in force: one transaction, only what differs is written.

        remove   rows whose key is not in the files go out of force; without it they stay, listed as `removed`
        Two imports at the same time follow one another: what is in force is read inside the transaction.
        Raises ActivityError if rows that stay contradict the new ones (bills that overlap), and nothing is written.
        """
        hashes = {file.name: file.sha256 for file in imported.files}
        with self._ledger.writing(author, at) as writer:
            current = self._current(writer)
            _check(current, imported, remove=remove)
            changes = diff(current, imported.book)
            rows = (*changes.added, *(change.new for change in changes.changed))
            records = [_record(row, imported, hashes) for row in rows]
            gone = changes.removed if remove else ()
            records += [Record(KIND, row.ref, "", {"schema": SCHEMA, "removed": True}) for row in gone]
            writer.append(records)
        return changes

    def _current(self, reader: Reader) -> ActivityBook:
        rows: dict[str, Row] = {}
        for entry in reader.entries(kind=KIND):
            version = _version(entry)
            if version.row is None:
                rows.pop(entry.key, None)
            else:
                rows[entry.key] = version.row
        return ActivityBook.of(rows.values(), self._zone)


def _check(current: ActivityBook, imported: Imported, *, remove: bool) -> None:
    """The rows of the files are consistent among themselves already."""
    if not remove and (problems := check_book(merged(current, imported.book))):
        raise ActivityError("with the rows in force", problems)


def _record(row: Row, imported: Imported, hashes: Mapping[str, str]) -> Record:
    file = imported.file_of(row)
    name = file.name if file else ""
    body = {"schema": SCHEMA, "row": row_object(row), "file": name, "sha256": hashes.get(name, "")}
    return Record(KIND, row.ref, "", body)


def _version(entry: Entry) -> Version:
    body = entry.body
    where = f"ledger entry {entry.seq}"
    if body.get("schema") != SCHEMA:
        raise LedgerError(where, f"{body.get('schema')!r} is not {SCHEMA}")
    row = None
    if not body.get("removed"):
        kind = entry.key.partition("/")[0]
        row = row_from(kind, cast("Mapping[str, object]", body["row"]))
    file, sha256 = (str(body.get(name) or "") for name in ("file", "sha256"))
    return Version(entry.seq, entry.at, entry.author, row, file, sha256)
