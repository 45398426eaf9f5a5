"""HJ 212-2025 and 2017: pollutant data to an environmental authority. See README.md in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.northbound.hj212.store import Hj212Store

if TYPE_CHECKING:
    from shutan_gateway.config.northbound import Hj212Config
    from shutan_gateway.counters import Counters

__all__ = ["Hj212Store", "create"]


def create(config: Hj212Config, counters: Counters) -> Hj212Store:
    """Factory named in the table of stores. Raises ConfigError for a secret; sending begins at once."""
    store = Hj212Store(config, counters)
    store.start()
    return store
