"""Meters wired to the gateway: buses of `[[serial]]`, read with `shutan_meters`, offered to intake."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shutan_gateway.config import GatewayConfig
    from shutan_gateway.serial.source import SerialSource
    from shutan_gateway.sources import SourceTools

__all__ = ["create"]


def create(config: GatewayConfig, tools: SourceTools) -> SerialSource:
    """The source of all wired meters. Raises ConfigError."""
    from shutan_gateway.serial.source import SerialSource  # noqa: PLC0415 - pyserial only where meters are wired

    return SerialSource(config.serial, tools)
