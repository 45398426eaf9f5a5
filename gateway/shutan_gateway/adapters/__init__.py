"""Adapters: plain-MQTT devices of others, one folder each. Nothing here is imported before an adapter is configured."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from shutan_gateway.adapters.table import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shutan_gateway.adapters.readings import Adapter
    from shutan_gateway.config import GatewayConfig
    from shutan_gateway.config.adapters import AdapterConfig
    from shutan_gateway.sources import Source, SourceTools

__all__ = ["KINDS", "create", "open_adapter"]


def create(config: GatewayConfig, tools: SourceTools) -> Source:
    """The source of all `[[adapter]]` tables. Raises StartError or ConfigError."""
    from shutan_gateway.adapters.source import AdapterSource  # noqa: PLC0415 - paho comes with it

    return AdapterSource(config, tools)


def open_adapter(settings: AdapterConfig, notes: Mapping[str, str]) -> Adapter:
    """Make the adapter of one `[[adapter]]` table; notes: what it wrote down before."""
    module = import_module(f"shutan_gateway.adapters.{KINDS[settings.kind].folder}")
    # The table holds names, so the type is stated here; the conformance suite opens every entry.
    factory = cast("Callable[[AdapterConfig, Mapping[str, str]], Adapter]", module.create)
    return factory(settings, notes)
