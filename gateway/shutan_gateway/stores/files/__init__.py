"""Daily Parquet files for archives and data scientists. See README.md in this folder."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from shutan_gateway.errors import StartError
from shutan_gateway.stores.files.store import FilesStore

if TYPE_CHECKING:
    from shutan_gateway.config import FilesStoreConfig
    from shutan_gateway.counters import Counters

__all__ = ["FilesStore", "create"]


def create(config: FilesStoreConfig, counters: Counters) -> FilesStore:
    """Factory named in the table of stores. Raises StartError for a missing package, looked for, not loaded."""
    if find_spec("pyarrow") is None:
        raise StartError("store kind = \"files\" needs pyarrow: pip install 'shutan[parquet]'")
    store = FilesStore(config.name, config.folder, counters, lateness_s=config.lateness_s, settle_s=config.settle_s)
    store.start()
    return store
