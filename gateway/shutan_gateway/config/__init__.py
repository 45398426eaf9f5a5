"""Configuration: one TOML file, checked as a whole; every mistake is reported at once with file, key, found, accepted.

Relative paths are relative to the folder of the file. Passwords and tokens stand in files of their own, never here.
"""

from __future__ import annotations

from shutan_gateway.config.load import load_config
from shutan_gateway.config.secret import Secret, read_secret
from shutan_gateway.config.sections import (
    GatewaySection,
    HttpSection,
    IntakeSection,
    MqttSection,
    SpoolSection,
    TlsSection,
)
from shutan_gateway.config.stores import FilesStoreConfig, InfluxStoreConfig, SqliteStoreConfig, StoreConfig
from shutan_gateway.config.tree import GatewayConfig

__all__ = [
    "FilesStoreConfig",
    "GatewayConfig",
    "GatewaySection",
    "HttpSection",
    "InfluxStoreConfig",
    "IntakeSection",
    "MqttSection",
    "Secret",
    "SpoolSection",
    "SqliteStoreConfig",
    "StoreConfig",
    "TlsSection",
    "load_config",
    "read_secret",
]
