"""What the spool holds and how far each store is, read beside a running gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.registry.view import RegistryView
from shutan_gateway.spool.view import end_of, records, segments
from shutan_gateway.upkeep.thin import LIST as THINNED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shutan_gateway.registry.state import StoreProgress
    from shutan_gateway.spool.view import SegmentView

__all__ = ["Status", "StoreStatus", "status_of"]


class StoreStatus(NamedTuple):
    """How far a store is, in records. oldest_pending_ms: receive time (UTC ms), None when all is delivered."""

    name: str
    configured: bool
    delivered_to: int
    pending: int
    oldest_pending_ms: int | None
    stored: int
    dead: int


class Status(NamedTuple):
    """The spool at one moment.

    | field | meaning |
    |---|---|
    | segments, bytes | files, and what they take on the disk |
    | max_bytes | the configured limit |
    | first, end | ordinal of the oldest record that is held, and behind the newest |
    | first_ms, last_ms | receive times of these two, UTC ms; None in an empty spool |
    | thinned_values | gauge values dropped because the spool was full (when_full = "thin"), ever |
    """

    folder: str
    segments: int
    bytes: int
    max_bytes: int
    first: int
    end: int
    first_ms: int | None
    last_ms: int | None
    thinned_values: int
    stores: tuple[StoreStatus, ...]

    def tree(self) -> dict[str, object]:
        """As JSON."""
        return {**self._asdict(), "stores": [store._asdict() for store in self.stores]}


def status_of(data_dir: Path, max_bytes: int, configured: Sequence[str]) -> Status:
    """Read the spool and the registry. Raises StartError when one of them cannot be read."""
    with RegistryView(data_dir / "registry.sqlite") as registry:
        progress = registry.progress()  # first: the spool can only grow until it is read
    found = segments(data_dir / "spool")
    known = max((one.position.ordinal for one in progress.values()), default=0)
    end = max(end_of(found), known)
    first = next((taken for one in found for taken in records(one)), None)
    last = next((taken for one in reversed(found) for taken in reversed(list(records(one)))), None)
    stores = [_store(name, name in configured, place, found, end) for name, place in sorted(progress.items())]
    stores += [StoreStatus(name, True, 0, end, None, 0, 0) for name in configured if name not in progress]
    return Status(
        str(data_dir / "spool"),
        len(found),
        sum(one.taken_bytes for one in found),
        max_bytes,
        end if first is None else first.ordinal,
        end,
        None if first is None else first.record.received_ms,
        None if last is None else last.record.received_ms,
        _thinned(data_dir / "spool" / THINNED),
        tuple(stores),
    )


def _thinned(path: Path) -> int:
    """Values in the list of thinned segments; a torn last line is not there yet."""
    if not path.is_file():
        return 0
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    return sum(int(json.loads(line)["values"]) for line in lines if line.endswith("}\n"))


def _store(name: str, configured: bool, place: StoreProgress, found: Sequence[SegmentView], end: int) -> StoreStatus:
    position = place.position
    pending = end - position.ordinal
    oldest = None
    if pending > 0:
        behind = [one for one in found if one.number >= position.segment]
        ahead = (
            taken
            for one in behind
            for taken in records(one, *((position.offset,) if one.number == position.segment else ()))
        )
        oldest = next((taken.record.received_ms for taken in ahead if taken.ordinal >= position.ordinal), None)
    return StoreStatus(name, configured, position.ordinal, pending, oldest, place.stored, place.dead)
