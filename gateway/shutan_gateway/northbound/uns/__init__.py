"""Unified namespace: the last value of every metric as retained JSON. See README.md in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.northbound.uns.store import UnsStore

if TYPE_CHECKING:
    from shutan_gateway.config.northbound import UnsConfig
    from shutan_gateway.counters import Counters

__all__ = ["UnsStore", "create"]


def create(config: UnsConfig, counters: Counters) -> UnsStore:
    """Factory named in the table of stores. Raises ConfigError for a secret; nothing is contacted yet."""
    return UnsStore(config, counters)
