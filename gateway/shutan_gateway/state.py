"""Registry of the gateway in SQLite (WAL, FULL): schemas, sessions, watermarks, totals and store positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from shutan_gateway.spool import Position

__all__ = ["State", "StoreProgress"]


class StoreProgress(NamedTuple):
    """How far one store is: `position.ordinal == start_ordinal + stored + dead` at every commit (records)."""

    position: Position
    start_ordinal: int
    stored: int
    dead: int


class State:
    """One connection behind a lock; every method is one transaction and thread-safe."""

    @classmethod
    def open(cls, path: Path) -> State:
        """Open or create `registry.sqlite`. Raises StartError when the file cannot be used."""
        raise NotImplementedError

    def add_store(self, store: str, start: Position) -> None:
        """Register a store at `start`; a store already known keeps its position."""
        raise NotImplementedError

    def position_of(self, store: str) -> Position:
        """Next position to deliver to a registered store. Raises KeyError for another name."""
        raise NotImplementedError

    def progress(self) -> dict[str, StoreProgress]:
        """Progress of all stores at one moment."""
        raise NotImplementedError

    def commit_delivery(self, store: str, position: Position, *, stored: int, dead: int) -> None:
        """Move a store's position and its totals in one transaction. Raises StateUnavailable; then nothing changed."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the database."""
        raise NotImplementedError
