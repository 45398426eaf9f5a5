"""Every store behind one face for the conformance suite: the store as the gateway opens it, and a reader of its own."""

import json
import math
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from shutan_gateway.config import GatewayConfig, StoreConfig
from shutan_gateway.counters import Counters
from shutan_gateway.rows import Row, Value
from shutan_gateway.stores import Store, open_store
from shutan_gateway.stores.influxdb.line import coded, device_tag, name_of
from shutan_gateway.stores.shapes import META
from shutan_gateway.stores.sqlite import schema
from support.servers import Server, influx_query

Fields = dict[str, Value]


class Rig(Protocol):
    """A store under test.

    judges: it says which rows it refuses.
    smallest_int, largest_int: between them integers come back exact. keeps_text: strings come back.
    """

    store: Store
    counters: Counters
    judges: bool
    smallest_int: int
    largest_int: int
    keeps_text: bool

    def read(self, row: Row) -> dict[int, Fields]:
        """All samples of the row's series by time in ns: fields with metrics, qualities, record, boot, received_ms."""
        ...

    def reopen(self) -> None:
        """Close the store and open it again."""
        ...


def opened(counters: Counters, **table: object) -> Store:
    """A store from its configuration table, as the gateway opens it."""
    return open_store(config_of(**table), counters)


def config_of(**table: object) -> StoreConfig:
    """One checked [[store]] table."""
    tree = {"gateway": {"data_dir": "data"}, "store": [table]}
    return GatewayConfig.model_validate(tree).store[0]


class BaseRig:
    """What all rigs have: the store from its table, opened again from the same."""

    judges = True
    smallest_int = -(2**63)
    largest_int = 2**63 - 1
    keeps_text = True

    def __init__(self, **table: object) -> None:
        self._table = table
        self.counters = Counters()
        self.store = opened(self.counters, **table)

    def reopen(self) -> None:
        self.store.close()
        self.store = opened(self.counters, **self._table)


class SqliteRig(BaseRig):
    """The embedded store, read through its own schema module by another connection."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "series" / "store.sqlite"
        super().__init__(kind="sqlite", name="local", path=self._path)

    def read(self, row: Row) -> dict[int, Fields]:
        conn = schema.open_readonly(self._path)
        try:
            found = [series for series in schema.list_series(conn) if series[1:5] == row[:4]]
            if not found:
                return {}
            (series,) = found
            names = list(schema.list_metrics(conn, series))
            names += [f"{name}_q" for name in names] + [f"{name}_q" for name, _ in row.qualities if name not in names]
            names += META
            return {
                cast("int", t_ns): {name: value for name, value in zip(names, values, strict=True) if value is not None}
                for t_ns, *values in schema.read_series(conn, series, names, -(2**63), 2**63 - 1)
            }
        finally:
            conn.close()


class InfluxRig(BaseRig):
    """InfluxDB 1.6, read by InfluxQL."""

    def __init__(self, server: Server, database: str, **table: object) -> None:
        self._server = server
        self._database = database
        super().__init__(kind="influxdb", name="plant", url=server.url, database=database, **table)

    def read(self, row: Row) -> dict[int, Fields]:
        tags = tags_of(row)
        where = " AND ".join(f"{tag} = '{_quoted(text, chr(39))}'" for tag, text in tags.items())
        statement = f'SELECT *::field FROM "{_quoted(row.family, chr(34))}" WHERE {where}'  # noqa: S608 - InfluxQL of a test
        found: dict[int, Fields] = {}
        for series in influx_query(self._server, statement, self._database, epoch="ns"):
            columns = cast("list[str]", series["columns"])
            for values in cast("list[list[Any]]", series["values"]):
                fields = {
                    name_of(name): value for name, value in zip(columns, values, strict=True) if value is not None
                }
                at = fields.pop("time")
                found[at] = fields
        return found


class VictoriaRig(BaseRig):
    """VictoriaMetrics through influxdb-client's v2 API, read by its export; times are in its milliseconds."""

    judges = False
    smallest_int = -(2**53)
    largest_int = 2**53
    keeps_text = False

    def __init__(self, server: Server) -> None:
        self._server = server
        super().__init__(
            kind="influxdb", name="mirror", url=server.url, version=2, org="shutan", bucket="shutan", mirror=True
        )

    def read(self, row: Row) -> dict[int, Fields]:
        self._server.get("/internal/force_flush")
        match = ",".join(f"{tag}={json.dumps(text)}" for tag, text in tags_of(row).items())
        body = self._server.get("/api/v1/export", **{"match[]": f"{{{match}}}", "start": "0", "end": "4000000000"})
        found: dict[int, Fields] = {}
        for line in body.decode().splitlines():
            series = json.loads(line)
            family, _, field = series["metric"]["__name__"].partition("_")
            if family != row.family:
                continue
            for time_ms, value in zip(series["timestamps"], series["values"], strict=True):
                at = found.setdefault(time_ms * 1_000_000, {})
                assert name_of(field) not in at, "one sample became two"
                at[name_of(field)] = value
        return found


def tags_of(row: Row) -> dict[str, str]:
    """The tags of a row in line protocol."""
    return {"site": coded(row.site), "node": coded(row.node), "device": device_tag(row.device)}


def _quoted(text: str, quote: str) -> str:
    return re.sub(rf"([\\{quote}])", r"\\\1", text)


def expected(row: Row, rig: Rig) -> Fields:
    """The fields of a row as this store keeps them."""
    fields: Fields = {name: value for name, value in zip(row.metrics, row.values, strict=True) if _kept(value, rig)}
    fields.update({f"{name}_q": code for name, code in row.qualities})
    if row.record is not None:
        fields["record"] = row.record
    if row.boot is not None and rig.judges:
        fields["boot"] = row.boot & (2**63 - 1)
    fields["received_ms"] = row.received_ms
    return fields


def _kept(value: Value, rig: Rig) -> bool:
    if isinstance(value, str):
        return rig.keeps_text
    return isinstance(value, float) or rig.smallest_int <= value <= rig.largest_int


def same(found: Mapping[str, Value], wanted: Mapping[str, Value]) -> bool:
    """Equal fields; floats need to be the same float32 or the same double."""
    return found.keys() == wanted.keys() and all(_alike(found[name], wanted[name]) for name in wanted)


def _alike(found: Value, wanted: Value) -> bool:
    if isinstance(wanted, float):
        single: Callable[[float], bytes] = struct.Struct("<f").pack
        return found == wanted or (abs(wanted) < 3e38 and single(float(found)) == single(wanted))
    return found == wanted and not (isinstance(found, float) and math.isnan(found))


def holds(rig: Rig, rows: Iterable[Row]) -> bool:
    """Whether the store holds exactly these rows of their series and nothing else in them."""
    wanted: dict[tuple[str, ...], dict[int, Fields]] = {}
    one: dict[tuple[str, ...], Row] = {}
    for row in rows:
        wanted.setdefault(row[:4], {}).setdefault(row.t_ns, {}).update(expected(row, rig))
        one[row[:4]] = row
    for key, samples in wanted.items():
        found = rig.read(one[key])
        if found.keys() != samples.keys() or not all(same(found[at], samples[at]) for at in samples):
            raise AssertionError(f"{key}: {_difference(found, samples)}")
    return True


def _difference(found: dict[int, Fields], wanted: dict[int, Fields]) -> str:
    for at in sorted(found.keys() | wanted.keys()):
        if not same(found.get(at, {}), wanted.get(at, {})):
            return f"at {at}: found {found.get(at)}, wanted {wanted.get(at)}"
    return "no difference"
