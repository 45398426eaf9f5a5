"""The embedded store: one SQLite file. See README.md in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from shutan_gateway.config import SqliteStoreConfig
    from shutan_gateway.counters import Counters

__all__ = ["SqliteStore", "create"]


def create(config: SqliteStoreConfig, counters: Counters) -> SqliteStore:
    """Factory named in the table of stores; the file is opened at the first write."""
    return SqliteStore(config.name, config.path, counters)
