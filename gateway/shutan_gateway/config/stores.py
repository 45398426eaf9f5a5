"""[[store]]: where accepted records go. A new kind is one class here and one line in `StoreConfig`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shutan_gateway.config.fields import ExistingFile, FilePath, HttpUrl, Id, Section
from shutan_gateway.config.northbound import Hj212Config, KeyEnergyConfig, UnsConfig

__all__ = ["FilesStoreConfig", "InfluxStoreConfig", "SqliteStoreConfig", "StoreConfig"]


class SqliteStoreConfig(Section):
    """`[[store]] kind = "sqlite"`: the embedded store, one file."""

    kind: Literal["sqlite"]
    name: Id
    path: FilePath


class InfluxStoreConfig(Section):
    """`[[store]] kind = "influxdb"`: InfluxDB 1.x (database), 2.x (org, bucket), 3.x (database), or a mirror.

    mirror: the server answers 204 to everything and rounds integers above 2^53 (VictoriaMetrics).
    """

    kind: Literal["influxdb"]
    name: Id
    url: HttpUrl
    version: Literal[1, 2, 3] = 1
    database: str | None = None
    org: str | None = None
    bucket: str | None = None
    username: str | None = None
    password_file: ExistingFile | None = None
    token_file: ExistingFile | None = None
    mirror: bool = False
    timeout_s: float = Field(default=10.0, gt=0, le=600)
    gzip: bool = False


class FilesStoreConfig(Section):
    """`[[store]] kind = "files"`: a folder a day with one Parquet file a family, written when the day is over.

    lateness_s: how long after its end (UTC) a day waits for late rows; settle_s: how long after the last late row a day
    that was written before is written again.
    """

    kind: Literal["files"]
    name: Id
    folder: FilePath
    lateness_s: float = Field(default=7200.0, ge=0, le=7 * 86_400)
    settle_s: float = Field(default=900.0, ge=0, le=86_400)


StoreConfig = Annotated[
    SqliteStoreConfig | InfluxStoreConfig | FilesStoreConfig | UnsConfig | Hj212Config | KeyEnergyConfig,
    Field(discriminator="kind"),
]
