"""One day between SQLite and Parquet, both ways. Run as a program, so that the gateway never loads pyarrow:

    python -m shutan_gateway.stores.files.parquet write|load FOLDER DAY

Columns of a file: time (ns, UTC), site, node, device, record, boot, received_ms, then a column per metric, typed, and
`<metric>_q` for qualities that are not good. Column metadata: metric, unit (UCUM), quantity, kind of the catalogue.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from shutan_gateway.rows import Row
from shutan_gateway.stores.files.days import Place, family_of, sync_folder
from shutan_gateway.stores.shapes import META, quality_field
from shutan_gateway.stores.sqlite.schema import QUALITY, Series, columns_of, list_series, open_readonly, read_series
from shutan_gateway.stores.sqlite.store import SqliteStore
from shutan_wire import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_gateway.rows import Value

__all__ = ["load", "main", "write"]

# Modules as values: the package has no complete types.
pa: Any = import_module("pyarrow")
pq: Any = import_module("pyarrow.parquet")
_FAULTS = (OSError, ValueError, KeyError, sqlite3.Error, cast("type[Exception]", pa.ArrowException))

FORMAT: Final = 1
_GROUP_ROWS: Final = 16_384  # rows held as Python objects at once
_MIN_NS, _MAX_NS = -(2**63), 2**63 - 1
_TYPES: Final[dict[str, Any]] = {
    "INTEGER": pa.int64(),
    "REAL": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "TEXT": pa.string(),
}
_TAG: Final[Any] = pa.dictionary(pa.int32(), pa.string())
_KEY: Final = ("time", "site", "node", "device")


class _Column(NamedTuple):
    """A metric column: its name in the file, the metric, the store's type (QUALITY for a quality)."""

    name: str
    metric: str
    type: str


def write(place: Place) -> dict[str, Any]:
    """Write the open day as Parquet files and manifest, each atomically, the manifest last; returns the manifest."""
    conn = open_readonly(place.open)
    try:
        conn.execute("BEGIN")  # one moment for all families, whatever is written meanwhile
        by_family: dict[str, list[Series]] = {}
        for series in list_series(conn):
            by_family.setdefault(series.family, []).append(series)
        place.written.mkdir(parents=True, exist_ok=True)
        files = [_write_family(conn, place, family, by_family[family]) for family in sorted(by_family)]
    finally:
        conn.close()
    manifest = {"format": FORMAT, "day": place.day, "zone": "UTC", "files": files}
    _replace(place.manifest, json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n")
    for path in place.written.glob("*.parquet"):
        if path.name not in {file["name"] for file in files}:
            path.unlink()
    sync_folder(place.written)
    sync_folder(place.folder)
    return manifest


def _write_family(conn: sqlite3.Connection, place: Place, family: str, series: Sequence[Series]) -> dict[str, Any]:
    columns = _columns(conn, series)
    schema = _schema(place.day, family, columns)
    path = place.parquet(family)
    temporary = path.with_name(f".{path.name}.part")
    rows, first, last = 0, _MAX_NS, _MIN_NS
    with pq.ParquetWriter(temporary, schema, compression="zstd", version="2.6") as writer:
        for chunk in _chunks(conn, series, columns):
            writer.write_table(pa.Table.from_arrays(_arrays(chunk, schema), schema=schema))
            rows += len(chunk)
            first = min(first, *(row[0] for row in chunk))
            last = max(last, *(row[0] for row in chunk))
    digest = _digest(temporary)
    _sync(temporary)
    temporary.replace(path)
    sync_folder(place.written)
    named = {"name": path.name, "family": family, "rows": rows, "bytes": path.stat().st_size, "sha256": digest}
    return named | ({"first_ns": first, "last_ns": last} if rows else {})


def _columns(conn: sqlite3.Connection, series: Sequence[Series]) -> list[_Column]:
    """Metric columns of a family, by name; a metric that devices send as several types gets a column for each."""
    types: dict[str, Counter[str]] = {}
    qualities: set[str] = set()
    for table in sorted({one.table_name for one in series}):
        for column in columns_of(conn, table):
            if column.type == QUALITY:
                qualities.add(column.metric)
            else:
                types.setdefault(column.metric, Counter())[column.type] += 1
    found: list[_Column] = []
    for metric in sorted({*types, *qualities}):
        ranked = sorted(types.get(metric, Counter[str]()).items(), key=lambda pair: (-pair[1], pair[0]))
        for place, (kind, _) in enumerate(ranked):
            found.append(_Column(f"{metric}.{kind.lower()}" if place else metric, metric, kind))
        if metric in qualities:
            found.append(_Column(quality_field(metric), metric, QUALITY))
    return found


def _schema(day: str, family: str, columns: Sequence[_Column]) -> Any:
    fields = [pa.field("time", pa.timestamp("ns", tz="UTC"), nullable=False)]
    fields += [pa.field(name, _TAG, nullable=False) for name in ("site", "node", "device")]
    fields += [pa.field(name, pa.int64()) for name in META]
    for column in columns:
        known = catalogue.by_name(column.metric)
        about = {"metric": column.metric, "type": column.type}
        if known is not None and column.type != QUALITY:
            about |= {"unit": known.unit, "quantity": known.quantity, "kind": known.kind}
        kind = pa.int64() if column.type == QUALITY else _TYPES[column.type]
        fields.append(pa.field(column.name, kind, metadata=about))
    return pa.schema(fields, metadata={"shutan.format": str(FORMAT), "shutan.day": day, "shutan.family": family})


def _chunks(
    conn: sqlite3.Connection, series: Sequence[Series], columns: Sequence[_Column]
) -> Iterator[list[tuple[Any, ...]]]:
    """Rows by device and time: (t_ns, site, node, device, meta..., metrics...), some ten thousand at once."""
    chunk: list[tuple[Any, ...]] = []
    for one in sorted(series, key=lambda one: one[2:5]):
        types = {column.metric: column.type for column in columns_of(conn, one.table_name) if column.type != QUALITY}
        wanted = [
            quality_field(column.metric) if column.type == QUALITY else column.metric
            for column in columns
            if column.type == QUALITY or types.get(column.metric) == column.type
        ]
        gaps = [column.type != QUALITY and types.get(column.metric) != column.type for column in columns]
        for t_ns, *found in read_series(conn, one, [*META, *wanted], _MIN_NS, _MAX_NS):
            values = iter(found[len(META) :])
            metrics = [None if gap else next(values) for gap in gaps]
            chunk.append((t_ns, one.site, one.node, one.device, *found[: len(META)], *metrics))
            if len(chunk) >= _GROUP_ROWS:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _arrays(chunk: list[tuple[Any, ...]], schema: Any) -> list[Any]:
    made: list[Any] = []
    for field, values in zip(schema, zip(*chunk, strict=True), strict=True):
        if field.name == "time":
            made.append(pa.array(values, pa.int64()).cast(field.type))
        elif field.type == _TAG:
            made.append(pa.array(values, pa.string()).dictionary_encode().cast(_TAG))
        else:
            made.append(pa.array(values, field.type))
    return made


def load(place: Place) -> int:
    """Read a written day back into an open one, for rows that came late; returns how many rows it has.

    Raises ValueError when a file is not the one that the manifest names. The day becomes open in one step.
    """
    place.forget(place.loading)
    manifest = json.loads(place.manifest.read_text(encoding="utf-8"))
    store = SqliteStore("loading", place.loading)
    count = 0
    try:
        for named in cast("list[dict[str, Any]]", manifest["files"]):
            path = place.written / Path(named["name"]).name
            if _digest(path) != named["sha256"]:
                raise ValueError(f"{path} is not the file that manifest.json names: put it back, or remove the day")
            for rows in _rows(path):
                written = store.write(rows)
                if written.rejected:
                    raise ValueError(f"{path}: {written.rejected[0].reason}")
                count += len(rows)
        if not count:
            store.write([])
    finally:
        store.close()
    if any(place.open.parent.glob(f"{place.loading.name}-*")):
        raise ValueError(f"{place.loading} could not be closed whole: make space on the disk")
    _sync(place.loading)
    place.loading.replace(place.open)
    sync_folder(place.open.parent)
    return count


def _rows(path: Path) -> Iterator[list[Row]]:
    """Rows of a Parquet file, as they were when they were stored."""
    file = pq.ParquetFile(path)
    fields = list(file.schema_arrow)[len(_KEY) + len(META) :]
    about = [(field.metadata[b"metric"].decode(), field.metadata[b"type"].decode()) for field in fields]
    family = family_of(path)
    names: dict[tuple[str, ...], tuple[str, ...]] = {}
    for batch in file.iter_batches(_GROUP_ROWS):
        columns = [batch.column(0).cast(pa.int64()).to_pylist(), *(c.to_pylist() for c in batch.columns[1:])]
        found: list[Row] = []
        for t_ns, site, node, device, record, boot, received_ms, *values in zip(*columns, strict=True):
            metrics: list[str] = []
            kept: list[Value] = []
            qualities: list[tuple[str, int]] = []
            for (metric, kind), value in zip(about, values, strict=True):
                if value is None:
                    continue
                if kind == QUALITY:
                    qualities.append((metric, value))
                else:
                    metrics.append(metric)
                    kept.append(value)
            key = names.setdefault(tuple(metrics), tuple(metrics))
            found.append(
                Row(family, site, node, device, t_ns, record, boot, received_ms, key, tuple(kept), tuple(qualities))
            )
        yield found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    """Put `data` in the place of a file, atomically and durably."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(data)
    _sync(temporary)
    temporary.replace(path)


def main(arguments: Sequence[str]) -> int:
    """`write FOLDER DAY` or `load FOLDER DAY`; one line on stderr and exit code 1 when it cannot be done."""
    verb, folder, day = arguments
    place = Place(Path(folder), day)
    os.nice(10)  # a finished day is never more urgent than what comes in now
    try:
        if verb == "write":
            write(place)
        else:
            load(place)
    except _FAULTS as error:
        print(f"{place.written}: {error}", file=sys.stderr)  # noqa: T201 - read by the store
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
