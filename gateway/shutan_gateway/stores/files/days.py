"""Where the rows of a day are: the open day, the written day, and which UTC day a time belongs to.

| path below the folder     | what it holds |
|---------------------------|---------------|
| `open/2026-11-18.sqlite`  | rows that are not written yet, or that came late; durable, one per key |
| `open/2026-11-18.loading` | a written day on its way back into an open one; void after a crash |
| `2026-11-18/energy.parquet` | a family of the written day |
| `2026-11-18/manifest.json`  | names, sizes and SHA-256 of its files; written last |
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path  # noqa: TC003 - a field of a NamedTuple
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from shutan_gateway.stores.base import MAX_NS, MIN_NS

__all__ = ["DAY_S", "Place", "day_of", "family_of", "open_days", "sync_folder"]

DAY_S: Final = 86_400
_DAY_NS: Final = DAY_S * 1_000_000_000
_EPOCH: Final = date(1970, 1, 1)
_SIDES: Final = ("-wal", "-shm", "-journal")


class Place(NamedTuple):
    """The files of one UTC day (`day`: ISO date) below the folder of the store."""

    folder: Path
    day: str

    @property
    def open(self) -> Path:
        """SQLite file of the open day."""
        return self.folder / "open" / f"{self.day}.sqlite"

    @property
    def loading(self) -> Path:
        """SQLite file that a written day is read back into before it becomes the open one."""
        return self.folder / "open" / f"{self.day}.loading"

    @property
    def written(self) -> Path:
        """Folder of the written day."""
        return self.folder / self.day

    @property
    def manifest(self) -> Path:
        """The list of the written day's files; a day without it was never written whole."""
        return self.written / "manifest.json"

    @property
    def end_s(self) -> float:
        """Unix time of the day's end."""
        return datetime.combine(date.fromisoformat(self.day), datetime.min.time(), UTC).timestamp() + DAY_S

    def parquet(self, family: str) -> Path:
        """File of one family; signs that a file name should not have stand as %XX."""
        return self.written / f"{quote(family, safe='')}.parquet"

    def changed_s(self) -> float:
        """Unix time of the last change of the open day, by its files."""
        paths = [self.open, self.open.with_name(f"{self.open.name}-wal")]
        return max((path.stat().st_mtime for path in paths if path.is_file()), default=0.0)

    def forget(self, path: Path) -> None:
        """Delete an SQLite file of this day, then what stands beside it: a log without its file is never applied."""
        for side in ("", *_SIDES):
            path.with_name(path.name + side).unlink(missing_ok=True)


def day_of(t_ns: int) -> str:
    """ISO date of the UTC day of a time; a time that no store keeps belongs to the nearest day that has one."""
    return (_EPOCH + timedelta(days=min(max(t_ns, MIN_NS), MAX_NS) // _DAY_NS)).isoformat()


def family_of(path: Path) -> str:
    """The family behind the name of a Parquet file."""
    return unquote(path.name.removesuffix(".parquet"))


def open_days(folder: Path) -> list[Place]:
    """The open days of a store, oldest first; what a crash left of a loading or of a written day is removed."""
    found: list[Place] = []
    for path in sorted((folder / "open").glob("????-??-??.*")):
        place = Place(folder, path.name[:10])
        if path == place.open:
            found.append(place)
        elif path == place.loading:
            place.forget(path)
        elif not path.name.startswith(place.open.name) or not place.open.is_file():
            path.unlink(missing_ok=True)
    return found


def sync_folder(folder: Path) -> None:
    """New, renamed and deleted names of a folder on stable storage."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
