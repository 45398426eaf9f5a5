"""InfluxDB 1.x, 2.x and 3.x, and servers that speak their write API. See README.md in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from shutan_gateway.config import read_secret
from shutan_gateway.stores.influxdb.mirror import MirrorTransport
from shutan_gateway.stores.influxdb.store import InfluxStore
from shutan_gateway.stores.influxdb.transport import ClientTransport, Http3Transport, HttpTransport

if TYPE_CHECKING:
    from shutan_gateway.config import InfluxStoreConfig
    from shutan_gateway.counters import Counters
    from shutan_gateway.stores.influxdb.transport import Transport

__all__ = ["InfluxStore", "create"]


def create(config: InfluxStoreConfig, counters: Counters) -> InfluxStore:
    """Factory named in the table of stores. Raises ConfigError for a secret, StartError for a missing package."""
    transport = _transport(config)
    if config.mirror:
        transport = MirrorTransport(transport, config.url, timeout_s=config.timeout_s)
    return InfluxStore(config.name, transport, counters, mirror=config.mirror)


def _transport(config: InfluxStoreConfig) -> Transport:
    token = read_secret(config.token_file, "token_file") if config.token_file is not None else None
    if config.version == 2:
        return ClientTransport(
            config.url,
            cast("str", config.org),
            cast("str", config.bucket),
            timeout_s=config.timeout_s,
            gzip=config.gzip,
            token=token,
        )
    database = cast("str", config.database)
    if config.version == 3:
        return Http3Transport(config.url, database, timeout_s=config.timeout_s, gzip=config.gzip, token=token)
    user = None
    if config.username is not None and config.password_file is not None:
        user = (config.username, read_secret(config.password_file, "password_file"))
    return HttpTransport(config.url, database, timeout_s=config.timeout_s, gzip=config.gzip, user=user)
