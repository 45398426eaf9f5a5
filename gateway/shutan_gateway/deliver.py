"""Delivery: one thread per store takes spool records from its own position to the store, each exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from shutan_gateway.backoff import Backoff
    from shutan_gateway.counters import Counters
    from shutan_gateway.rows import RowReader
    from shutan_gateway.spool import Position, Spool
    from shutan_gateway.state import State
    from shutan_gateway.stores.base import Store

__all__ = ["Deliverer", "Limits"]


class Limits(NamedTuple):
    """Bounds of one batch and of the dead-letter files."""

    batch_bytes: int = 1_000_000
    batch_rows: int = 5_000
    dead_file_bytes: int = 16_000_000
    dead_files: int = 4


class Deliverer:
    """The delivery thread of one store. The store must be registered in the state (`add_store`) before `start`."""

    def __init__(
        self,
        store: Store,
        *,
        spool: Spool,
        reader: RowReader,
        state: State,
        counters: Counters,
        dead_dir: Path,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def position(self) -> Position:
        """Committed position: everything before it is stored or a dead letter."""
        raise NotImplementedError

    @property
    def trouble(self) -> str | None:
        """Why nothing is delivered now, one line; None while the store takes rows."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the thread."""
        raise NotImplementedError

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Ask the thread to end after the write in progress, wait for it and close the store; True when it ended."""
        raise NotImplementedError
