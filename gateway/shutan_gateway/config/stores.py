"""[[store]]: where accepted records go. A new kind is one class here and one line in `StoreConfig`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shutan_gateway.config.fields import ExistingFile, FilePath, HttpUrl, Id, Section

__all__ = ["InfluxStoreConfig", "SqliteStoreConfig", "StoreConfig"]


class SqliteStoreConfig(Section):
    """`[[store]] kind = "sqlite"`: the embedded store, one file."""

    kind: Literal["sqlite"]
    name: Id
    path: FilePath


class InfluxStoreConfig(Section):
    """`[[store]] kind = "influxdb"`: InfluxDB 1.x (database), 2.x (org, bucket, token_file), or a mirror of its API.

    mirror: the server answers 204 to everything and rounds integers above 2^53 (VictoriaMetrics).
    """

    kind: Literal["influxdb"]
    name: Id
    url: HttpUrl
    version: Literal[1, 2] = 1
    database: str | None = None
    org: str | None = None
    bucket: str | None = None
    username: str | None = None
    password_file: ExistingFile | None = None
    token_file: ExistingFile | None = None
    mirror: bool = False
    timeout_s: float = Field(default=10.0, gt=0, le=600)
    gzip: bool = False


StoreConfig = Annotated[SqliteStoreConfig | InfluxStoreConfig, Field(discriminator="kind")]
