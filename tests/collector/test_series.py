"""One conformance suite over every series reader, each behind the gateway's own store; then what each one may meet."""

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shutan_collector.errors import RequestError, SeriesError, StoreUnavailableError
from shutan_collector.samples import Samples
from shutan_collector.series import influxql, open_reader
from shutan_collector.series.base import Source
from shutan_gateway.counters import Counters
from shutan_gateway.rows import Row
from shutan_gateway.stores.influxdb.store import InfluxStore
from shutan_gateway.stores.influxdb.transport import HttpTransport
from support.accounting import SECOND, at, fill_sqlite, rows, steady
from support.servers import HOST, Server, influx_query

WH = "active_energy_import_wh"
START = at("2026-06-01")
END = at("2026-06-02")
ENTRY = Source("energy", "jiuniang", "n01", "m-entry")
Fill = Callable[[Sequence[Row]], str]


@pytest.fixture(params=["sqlite", pytest.param("influxdb1", marks=pytest.mark.flow)])
def fill(request: pytest.FixtureRequest, tmp_path: Path) -> Fill:
    """Writes rows through the gateway's store; returns the address to read them from."""
    if request.param == "sqlite":
        return lambda batch: _fill_sqlite(tmp_path / "series.db", batch)
    server: Server = request.getfixturevalue("influxd")
    database: str = request.getfixturevalue("influx_database")
    return lambda batch: _fill_influx(server, database, batch)


def _fill_sqlite(path: Path, batch: Sequence[Row]) -> str:
    fill_sqlite(path, [batch])
    return f"sqlite:{path}"


def _fill_influx(server: Server, database: str, batch: Sequence[Row]) -> str:
    transport = HttpTransport(server.url, database, timeout_s=10, gzip=False, user=None)
    store = InfluxStore("test", transport, Counters(), mirror=False)
    assert not store.write(batch).rejected
    store.close()
    return f"influxdb1:{server.url}/{database}"


def _read(address: str, source: Source = ENTRY, metric: str = WH, start: int = START, end: int = END) -> Samples:
    with open_reader(address) as reader:
        return reader.read(source, metric, start, end)


def test_readings_come_back_exactly_in_order_and_half_open(fill: Fill) -> None:
    readings = [(START, 0), (START + 1, 2**53 + 1), (START + 2, 2**63 - 1), (END - 1, 7), (END, 8)]
    found = _read(fill(rows("n01", "m-entry", WH, [*readings[2:], *readings[:2]])))
    assert list(zip(found.times_ns, found.values, strict=True)) == readings[:-1]
    assert found.bad_quality == 0


def test_only_the_asked_device_and_metric(fill: Fill) -> None:
    batch = rows("n01", "m-entry", WH, [(START, 1)])
    batch += rows("n01", "m-other", WH, [(START, 2)])
    batch += rows("n02", "m-entry", WH, [(START, 3)])
    batch += rows("n01", "", "gas_volume_l", [(START, 4)])
    batch += rows("n01", "m-entry", "active_energy_export_wh", [(START + SECOND, 5)])
    address = fill(batch)
    assert list(_read(address).values) == [1]
    assert list(_read(address, Source("energy", "jiuniang", "n01", ""), "gas_volume_l").values) == [4]
    assert list(_read(address, metric="active_energy_export_wh").values) == [5]


def test_what_the_store_does_not_know_is_empty(fill: Fill) -> None:
    address = fill(rows("n01", "m-entry", WH, [(START, 1)]))
    for source, metric in (
        (Source("energy", "jiuniang", "n09", "m-entry"), WH),
        (Source("equipment", "jiuniang", "n01", "m-entry"), WH),
        (ENTRY, "gas_volume_l"),
    ):
        found = _read(address, source, metric)
        assert (list(found.times_ns), list(found.values), found.bad_quality) == ([], [], 0)
    assert not len(_read(address, start=START + 1).values)


def test_bad_quality_is_left_out_and_counted(fill: Fill) -> None:
    readings = steady("2026-06-01", 1, 600)
    bad = {readings[2][0]: 0, readings[3][0]: 500}
    found = _read(fill(rows("n01", "m-entry", WH, readings, bad)))
    assert found.bad_quality == 2
    assert list(found.values) == [value for t_ns, value in readings if t_ns not in bad]


def test_a_counter_stored_as_float_is_refused(fill: Fill) -> None:
    row = rows("n01", "m-entry", WH, [(START, 1)])[0]._replace(values=(1.0,))
    address = fill([row])
    with pytest.raises(SeriesError, match=r"jiuniang/n01/m-entry active_energy_import_wh: is stored as"):
        _read(address)


def test_names_with_every_sign_are_found(fill: Fill) -> None:
    device = 'it\'s a "meter", a=b \\ c'
    row = rows("n01", device, WH, [(START, 5)])[0]
    assert list(_read(fill([row]), Source("energy", "jiuniang", "n01", device)).values) == [5]


def test_many_readings_come_in_chunks(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influxql, "CHUNK", 7)
    readings = steady("2026-06-01", 3, 3600, interval_s=60)
    found = _read(fill(rows("n01", "m-entry", WH, readings)))
    assert list(zip(found.times_ns, found.values, strict=True)) == readings


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("series.db", "is not a store address"),
        ("postgres:x", "is not a store address"),
        ("sqlite:", "is not a store address"),
        ("influxdb1:localhost:8086/db", "give influxdb1:http://HOST:PORT/DATABASE"),
        ("influxdb1:http://localhost:8086", "give influxdb1:http://HOST:PORT/DATABASE"),
        ("influxdb1:http://localhost:99999/db", "give influxdb1:http://HOST:PORT/DATABASE"),
        ("influxdb1:http://user:secret@localhost/db", "no password in an address"),
    ],
)
def test_an_address_that_says_nothing_is_refused(address: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        open_reader(address)
    assert caught.value.where == "--store"
    assert "secret" not in str(caught.value)


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"series\.db: no such file"):
        open_reader(f"sqlite:{tmp_path / 'series.db'}")
    (tmp_path / "text.db").write_text("this is not a database, and long enough to be read as a header of one")
    with pytest.raises(RequestError, match=r"text\.db"):
        open_reader(f"sqlite:{tmp_path / 'text.db'}")
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE t (x)").close()
    with pytest.raises(RequestError, match="not a series store"):
        open_reader(f"sqlite:{tmp_path / 'other.db'}")


WRITER = """
import sys
from pathlib import Path
from support.accounting import rows
from shutan_gateway.stores.sqlite.store import SqliteStore
store = SqliteStore("writer", Path(sys.argv[1]))
step = 0
while True:  # one commit holds one reading of each of two meters
    batch = [row for device in ("a", "b") for row in rows("n01", device, "active_energy_import_wh", [(step, step)])]
    assert not store.write(batch).rejected
    step += 1
    if step == 5:
        print("writing", flush=True)
"""


@pytest.mark.flow
def test_a_report_sees_whole_commits_while_another_process_writes(tmp_path: Path, repo: Path) -> None:
    path = tmp_path / "series.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=repo / "tests"
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        lengths: list[int] = []
        while len(lengths) < 30 or lengths[-1] == lengths[0]:
            with open_reader(f"sqlite:{path}") as reader:
                first, second, again = (
                    reader.read(Source("energy", "jiuniang", "n01", device), WH, 0, 10**9) for device in "aba"
                )
            assert list(first.values) == list(second.values) == list(again.values) == list(range(len(first.values)))
            lengths.append(len(first.values))
        assert lengths == sorted(lengths)
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait()
        if writer.stdout is not None:
            writer.stdout.close()


@pytest.mark.flow
def test_influxdb_says_when_there_is_no_such_database(influxd: Server) -> None:
    with pytest.raises(StoreUnavailableError, match="database not found: nowhere"):
        _read(f"influxdb1:{influxd.url}/nowhere")


@pytest.mark.flow
def test_fields_that_differ_between_shards_are_refused(influxd: Server, influx_database: str) -> None:
    """InfluxDB accepts another type in another shard: then neither is a counter that can be trusted."""
    lines = [
        f"energy,device=m-entry,node=n01,site=jiuniang {WH}=1i {START}",
        f"energy,device=m-entry,node=n01,site=jiuniang {WH}=1.5 {at('2020-01-01')}",
    ]
    for line in lines:
        influxd.post("/write", line.encode(), db=influx_database)
    assert influx_query(influxd, "SHOW FIELD KEYS", influx_database)
    with pytest.raises(SeriesError, match=r"is stored as (float and integer|integer and float)"):
        _read(f"influxdb1:{influxd.url}/{influx_database}")


def test_a_server_that_is_away_is_named(free_port: Callable[[], int]) -> None:
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        _read(f"influxdb1:http://{HOST}:{free_port()}/db")


KEYS = {"results": [{"series": [{"columns": ["fieldKey", "fieldType"], "values": [[WH, "integer"]]}]}]}
PART = {"results": [{"series": [{"values": [[START, 1, None]], "partial": True}], "partial": True}]}
LAST = {"results": [{"series": [{"values": [[START + 1, 2, None]]}]}]}


@pytest.fixture
def fake_influx() -> Iterator[tuple[str, list[bytes], list[str | None]]]:
    """A server that gives the prepared bodies one after the other; also what authorisation it was shown."""
    bodies: list[bytes] = []
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            body = bodies.pop(0)
            self.send_response(401 if body == b"401" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"influxdb1:http://{HOST}:{server.server_port}/db", bodies, seen
    server.shutdown()
    thread.join()
    server.server_close()


def _lines(*documents: object) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def test_an_answer_in_parts_is_read_to_the_last_one(fake_influx: tuple[str, list[bytes], list[str | None]]) -> None:
    address, bodies, seen = fake_influx
    bodies += [_lines(KEYS), _lines(PART, LAST)]
    assert list(_read(address).values) == [1, 2]
    assert seen == [None, None]


@pytest.mark.parametrize("body", [_lines(PART), b"", _lines(PART) + _lines(LAST)[:20]])
def test_an_answer_that_breaks_off_is_never_a_shorter_series(
    fake_influx: tuple[str, list[bytes], list[str | None]], body: bytes
) -> None:
    address, bodies, _ = fake_influx
    bodies += [_lines(KEYS), body]
    with pytest.raises(StoreUnavailableError, match="broke off"):
        _read(address)


def test_credentials_come_from_the_environment(
    fake_influx: tuple[str, list[bytes], list[str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, bodies, seen = fake_influx
    (tmp_path / "password").write_text("s3cret\n")
    monkeypatch.setenv(influxql.USER, "reader")
    monkeypatch.setenv(influxql.PASSWORD_FILE, str(tmp_path / "password"))
    bodies += [_lines(KEYS), b"401"]
    with pytest.raises(StoreUnavailableError, match="HTTP 401") as caught:
        _read(address)
    assert seen == ["Basic cmVhZGVyOnMzY3JldA=="] * 2
    assert "s3cret" not in str(caught.value)
    monkeypatch.setenv(influxql.PASSWORD_FILE, str(tmp_path / "nowhere"))
    with pytest.raises(RequestError, match="cannot be read"):
        open_reader(address)
