"""Everything that is in a store, read back row by row: the embedded file by SQL, InfluxDB 1.x by InfluxQL."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from shutan_gateway.stores.influxdb.line import device_of
from shutan_gateway.stores.sqlite import schema

META = ("record", "boot", "received_ms")
ALL_ROWS = 'SELECT * FROM "{}" GROUP BY "site", "node", "device"'
MASK_63 = (1 << 63) - 1


class StoredRow(NamedTuple):
    """One row of a store: a device's samples of one time. ``boot`` is masked to 63 bits, as stores keep it."""

    family: str
    node: str
    device: str
    t_ns: int
    record: int | None
    boot: int | None
    values: dict[str, int | float | str | bool]


def read_sqlite(path: Path) -> Iterator[StoredRow]:
    """All rows of the embedded store, while or after the gateway writes it."""
    connection = schema.open_readonly(path)
    try:
        for series in schema.list_series(connection):
            metrics = list(schema.list_metrics(connection, series))
            rows = schema.read_series(connection, series, [*META[:2], *metrics], -(2**63), 2**63 - 1)
            for t_ns, record, boot, *values in rows:
                present = {m: v for m, v in zip(metrics, values, strict=True) if v is not None}
                yield StoredRow(
                    series.family,
                    series.node,
                    series.device,
                    _integer(t_ns) or 0,
                    _integer(record),
                    _masked(boot),
                    present,
                )
    finally:
        connection.close()


def read_influx(url: str, database: str) -> Iterator[StoredRow]:
    """All rows of an InfluxDB 1.x database; integers come back exact to 2^63 - 1."""
    for family in (row[0] for s in _query(url, database, "SHOW MEASUREMENTS") for row in s["values"]):
        for part in _query(url, database, ALL_ROWS.format(family)):
            names, tags = part["columns"], part["tags"]
            device = device_of(tags["device"])
            for row in part["values"]:
                found = {n: v for n, v in zip(names, row, strict=True) if v is not None}
                meta = {name: _integer(found.pop(name, None)) for name in ("time", *META)}
                yield StoredRow(
                    family, tags["node"], device, meta["time"] or 0, meta["record"], _masked(meta["boot"]), found
                )


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _masked(value: object) -> int | None:
    return value & MASK_63 if isinstance(value, int) else None


def _query(url: str, database: str, text: str) -> list[dict[str, Any]]:  # Any: JSON of InfluxDB's own shape
    asked = urllib.parse.urlencode({"db": database, "q": text, "epoch": "ns"})
    with urllib.request.urlopen(f"{url}/query?{asked}", timeout=60) as answer:  # noqa: S310 - the demo's own loopback server
        found = json.load(answer)
    return found["results"][0].get("series", [])
