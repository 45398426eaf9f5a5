"""Series stores, one folder each. A new store is one more folder and one more line in `STORES`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from shutan_gateway.stores.base import Rejected, Store, StoreRefused, Written

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.config import StoreConfig
    from shutan_gateway.counters import Counters

__all__ = ["NORTHBOUND", "STORES", "Rejected", "Store", "StoreRefused", "Written", "open_store"]

# kind in the configuration -> factory(config, counters). Imported when used: a gateway loads only the stores it has.
STORES: dict[str, str] = {
    "files": "shutan_gateway.stores.files:create",
    "influxdb": "shutan_gateway.stores.influxdb:create",
    "sqlite": "shutan_gateway.stores.sqlite:create",
}
# What carries records on to others; fed like a store (docs/adr/0018), but nobody reads series from it.
NORTHBOUND: dict[str, str] = {
    "hj212": "shutan_gateway.northbound.hj212:create",
    "key_energy": "shutan_gateway.northbound.key_energy:create",
    "uns": "shutan_gateway.northbound.uns:create",
}


def open_store(config: StoreConfig, counters: Counters) -> Store:
    """Make the store that one [[store]] table describes; nothing is contacted before the first write.

    Raises StartError when a part of the program is not installed or a secret cannot be read.
    """
    module, _, name = (STORES | NORTHBOUND)[config.kind].partition(":")
    # The table holds names, so the type is stated here; the conformance suite opens every entry.
    factory = cast("Callable[[StoreConfig, Counters], Store]", getattr(import_module(module), name))
    return factory(config, counters)
