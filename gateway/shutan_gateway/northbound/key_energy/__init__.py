"""The provincial platform for key energy users (重点用能单位能耗在线监测). See README.md in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.northbound.key_energy.store import KeyEnergyStore

if TYPE_CHECKING:
    from shutan_gateway.config.northbound import KeyEnergyConfig
    from shutan_gateway.counters import Counters

__all__ = ["KeyEnergyStore", "create"]


def create(config: KeyEnergyConfig, counters: Counters) -> KeyEnergyStore:
    """Factory named in the table of stores. Raises ConfigError for a secret; sending begins at once."""
    store = KeyEnergyStore(config, counters)
    store.start()
    return store
