"""The store file: its schema, its migrations, and how to read it. One definition for the store and for every reader.

    series        one row per device and family; `table_name` is where its rows are
    shape_column  what each column of a data table holds
    s_<n>         series_id, t_ns, record, boot, received_ms, a column per metric, `<metric>_q` for a quality not good

Readers may be other processes and may come at any time: the file is in WAL mode, a reader sees whole commits only.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from shutan_gateway.errors import StartError
from shutan_gateway.stores.shapes import META, quality_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_gateway.rows import Value

__all__ = [
    "APPLICATION_ID",
    "QUALITY",
    "SCHEMA_VERSION",
    "Column",
    "Series",
    "columns_of",
    "file_version",
    "list_metrics",
    "list_series",
    "migrate",
    "open_readonly",
    "quoted",
    "read_series",
]

# Marks the file as this store's (PRAGMA application_id), so that no other SQLite file is taken for it: "SHU1".
APPLICATION_ID: Final = 0x53485531
QUALITY: Final = "QUALITY"
_MIGRATIONS: Final = sorted(Path(__file__).with_name("migrations").glob("*.sql"))
SCHEMA_VERSION: Final = int(_MIGRATIONS[-1].name[:4])


class Series(NamedTuple):
    """One device in one measurement family; `device` is "" for the node itself."""

    series_id: int
    family: str
    site: str
    node: str
    device: str
    table_name: str


class Column(NamedTuple):
    """A column of a data table. `type`: INTEGER, REAL, BOOLEAN, TEXT, or QUALITY for the code beside a metric."""

    column_name: str
    metric: str
    type: str


def quoted(name: str) -> str:
    """An SQL identifier that is only ever a name, whatever it contains."""
    return '"' + name.replace('"', '""') + '"'


def file_version(conn: sqlite3.Connection) -> int:
    """Schema version of a store file, 0 for an empty file. Raises StartError for a file that is something else."""
    application = int(conn.execute("PRAGMA application_id").fetchone()[0])
    version = int(conn.execute("PRAGMA user_version").fetchone()[0])
    if application == APPLICATION_ID and 0 < version <= SCHEMA_VERSION:
        return version
    if application == APPLICATION_ID:
        raise StartError(f"written by a newer program (schema {version}, this one knows {SCHEMA_VERSION}): upgrade it")
    if application == 0 and conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
        return 0
    raise StartError("an SQLite file, but not a series store: give the store another path")


def migrate(conn: sqlite3.Connection) -> None:
    """Bring a store file to SCHEMA_VERSION, one numbered SQL file after the other, each in one transaction."""
    version = file_version(conn)
    for script in _MIGRATIONS[version:]:
        number = int(script.name[:4])
        conn.executescript(
            f"BEGIN IMMEDIATE;\n{script.read_text(encoding='utf-8')}\n"
            f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {number};\nCOMMIT;"
        )


def open_readonly(path: Path | str) -> sqlite3.Connection:
    """Connection for reading a store file, also while the gateway writes it.

    Raises StartError (with the path) when the file is missing, is something else, or has another schema version.
    """
    path = Path(path)
    try:
        conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise StartError(f"series store {path}: {error}") from error
    try:
        version = file_version(conn)
    except (sqlite3.Error, StartError) as error:
        conn.close()
        raise StartError(f"series store {path}: {error}") from error
    if version != SCHEMA_VERSION:
        conn.close()
        raise StartError(f"series store {path}: schema {version}, {SCHEMA_VERSION} is read: let the gateway upgrade it")
    return conn


def list_series(conn: sqlite3.Connection) -> list[Series]:
    """All series, in the order they first appeared."""
    rows = conn.execute(
        "SELECT series_id, family, site, node, device, table_name FROM series ORDER BY series_id"
    ).fetchall()
    return [Series(*row) for row in rows]


def columns_of(conn: sqlite3.Connection, table_name: str) -> list[Column]:
    """Columns of a data table in their order, quality columns included."""
    rows = conn.execute(
        "SELECT column_name, metric, type FROM shape_column WHERE table_name = ? ORDER BY rowid", (table_name,)
    ).fetchall()
    return [Column(*row) for row in rows]


def list_metrics(conn: sqlite3.Connection, series: Series) -> dict[str, str]:
    """Metrics that a series can have, with type; a table is shared, so some may hold nothing for this series."""
    return {column.metric: column.type for column in columns_of(conn, series.table_name) if column.type != QUALITY}


def read_series(
    conn: sqlite3.Connection, series: Series, metrics: Sequence[str], start_ns: int, end_ns: int
) -> Iterator[tuple[Value | None, ...]]:
    """Rows of a series with start_ns <= t_ns < end_ns, in time order: (t_ns, value, ...), one value per name asked for.

    metrics: metric names; `<metric>_q` for its quality code (None = good); record, boot, received_ms. A name that the
    series never had gives None. Booleans come back as bool. Rows in which all of them are None are left out.
    One transaction: all rows are of one moment. The caller may have begun it, to read several series of that moment.
    """
    own = not conn.in_transaction
    if own:
        conn.execute("BEGIN")
    try:
        yield from _rows(conn, series, metrics, start_ns, end_ns)
    finally:
        if own:
            conn.execute("COMMIT")


def _rows(
    conn: sqlite3.Connection, series: Series, metrics: Sequence[str], start_ns: int, end_ns: int
) -> Iterator[tuple[Value | None, ...]]:
    # Looked up again at each call: a series may have moved to another table since it was listed.
    row = conn.execute("SELECT table_name FROM series WHERE series_id = ?", (series.series_id,)).fetchone()
    if row is None or not metrics:
        return
    columns = {name: name for name in META}
    booleans: set[str] = set()
    for column in columns_of(conn, row[0]):
        name = quality_field(column.metric) if column.type == QUALITY else column.metric
        columns[name] = column.column_name
        if column.type == "BOOLEAN":
            booleans.add(name)
    asked = ", ".join(quoted(columns[name]) if name in columns else "NULL" for name in metrics)
    flags = [index for index, name in enumerate(metrics, 1) if name in booleans]
    found = conn.execute(
        f"SELECT t_ns, {asked} FROM {quoted(row[0])} WHERE series_id = ? AND t_ns >= ? AND t_ns < ?"  # noqa: S608 - names are quoted
        f" AND coalesce({asked}, NULL) IS NOT NULL ORDER BY t_ns",
        (series.series_id, start_ns, end_ns),
    )
    for values in found:
        yield _with_booleans(values, flags) if flags else values


def _with_booleans(values: tuple[Value | None, ...], flags: Sequence[int]) -> tuple[Value | None, ...]:
    mutable = list(values)
    for index in flags:
        value = mutable[index]
        mutable[index] = None if value is None else bool(value)
    return tuple(mutable)
