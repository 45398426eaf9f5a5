"""Further rigs of the conformance suite: daily files, InfluxDB 3 (scripted), InfluxDB 2 (where there is one)."""

from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq

from shutan_gateway.rows import Row
from shutan_gateway.stores.files import parquet
from shutan_gateway.stores.files.days import family_of, open_days
from shutan_gateway.stores.influxdb.line import name_of
from support import influxdb2
from support.influxdb3 import InfluxDB3
from support.store_rigs import BaseRig, Fields, tags_of

TOKEN = "a-token-of-a-test"  # noqa: S105 - no secret


class FilesRig(BaseRig):
    """Daily files, read from the Parquet files that the open days become."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "archive"
        self._changed: object = None
        self._samples: dict[tuple[str, ...], dict[int, Fields]] = {}
        super().__init__(kind="files", name="archive", folder=self._folder)

    def read(self, row: Row) -> dict[int, Fields]:
        changed = [(place.day, place.changed_s(), place.open.stat().st_size) for place in open_days(self._folder)]
        if changed != self._changed:
            for place in open_days(self._folder):
                parquet.write(place)
            self._samples = samples_in(self._folder)
            self._changed = changed
        return self._samples.get(row[:4], {})


def samples_in(folder: Path) -> dict[tuple[str, ...], dict[int, Fields]]:
    """All samples in the Parquet files of a folder: (family, site, node, device) -> time in ns -> fields."""
    found: dict[tuple[str, ...], dict[int, Fields]] = {}
    for path in folder.glob("*/*.parquet"):
        table = cast("Any", pq.read_table(path))  # pyright: ignore[reportUnknownMemberType] - pyarrow has no full types
        columns = [table.column("time").cast("int64").to_pylist(), *(c.to_pylist() for c in table.columns[1:])]
        names = [name.partition(".")[0] for name in table.column_names[4:]]
        for t_ns, site, node, device, *values in zip(*columns, strict=True):
            samples = found.setdefault((family_of(path), site, node, device), {})
            assert t_ns not in samples, "one sample became two"
            samples[t_ns] = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    return found


class Influx3Rig(BaseRig):
    """InfluxDB 3 as documented (support/influxdb3.py)."""

    def __init__(self, folder: Path) -> None:
        self.server = InfluxDB3("plant", TOKEN)
        self.server.__enter__()
        secret = folder / "influxdb3.token"
        secret.write_text(TOKEN)
        super().__init__(
            kind="influxdb", name="three", url=self.server.url, version=3, database="plant", token_file=secret
        )

    def read(self, row: Row) -> dict[int, Fields]:
        found = self.server.points.get((row.family, tuple(sorted(tags_of(row).items()))), {})
        return {at: {name_of(name): value for name, value in fields.items()} for at, fields in found.items()}

    def end(self) -> None:
        """Stop the server."""
        self.server.__exit__()


class Influx2Rig(BaseRig):
    """A real InfluxDB 2.x, read by Flux."""

    def __init__(self, access: influxdb2.Access, folder: Path) -> None:
        self._access = access
        secret = folder / "influxdb2.token"
        secret.write_text(access.token)
        super().__init__(
            kind="influxdb",
            name="two",
            url=access.url,
            version=2,
            org=access.org,
            bucket=access.bucket,
            token_file=secret,
        )

    def read(self, row: Row) -> dict[int, Fields]:
        found = influxdb2.samples(self._access, row.family, tags_of(row))
        return {at: {name_of(name): value for name, value in fields.items()} for at, fields in found.items()}
