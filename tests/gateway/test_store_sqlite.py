"""The embedded store: its schema contract, how tables grow, faults of the file, and a model of its merge rule."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.errors import StartError, StoreUnavailable
from shutan_gateway.rows import Row, Value
from shutan_gateway.stores.base import StoreRefused, Written
from shutan_gateway.stores.sqlite import SqliteStore, schema, store, tables
from shutan_gateway.stores.sqlite.schema import list_metrics, list_series, open_readonly, quoted, read_series
from support.store_rows import SECOND_NS, T0_NS, row, series

EVER = (-(2**63), 2**63 - 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def local(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore("local", path)
    yield made
    made.close()


def content(path: Path, device: str, *metrics: str) -> list[tuple[Value | None, ...]]:
    """(t, values...) of a device of family energy, t in whole seconds after T0."""
    conn = open_readonly(path)
    try:
        (one,) = [one for one in list_series(conn) if (one.family, one.device) == ("energy", device)]
        found = list(read_series(conn, one, metrics, *EVER))
    finally:
        conn.close()
    return [((at - T0_NS) // SECOND_NS if isinstance(at, int) else None, *values) for at, *values in found]


def table_of(path: Path, device: str) -> str:
    conn = open_readonly(path)
    try:
        return next(one.table_name for one in list_series(conn) if one.device == device)
    finally:
        conn.close()


def test_the_file_keeps_its_contract_with_readers(path: Path, local: SqliteStore) -> None:
    """Plain SQL on the documented tables, without the schema module."""
    one = row({"active_energy_import_wh": 5, "voltage_l1_v": 230.5}, qualities={"voltage_l1_v": 0}, record=9)
    local.write([one, row({"uptime_s": 3}, family="node", device="")])
    conn = sqlite3.connect(path)
    found = conn.execute("SELECT series_id, family, site, node, device, table_name FROM series ORDER BY 1").fetchall()
    assert found == [(1, "energy", "jiuniang", "n01", "m-entry", "s_1"), (2, "node", "jiuniang", "n01", "", "s_2")]
    columns = conn.execute("SELECT column_name, metric, type FROM shape_column WHERE table_name = 's_1'").fetchall()
    assert sorted(columns) == [
        ("active_energy_import_wh", "active_energy_import_wh", "INTEGER"),
        ("voltage_l1_v", "voltage_l1_v", "REAL"),
        ("voltage_l1_v_q", "voltage_l1_v", "QUALITY"),
    ]
    text = 'SELECT series_id, t_ns, record, boot, received_ms, "active_energy_import_wh", "voltage_l1_v_q" FROM "s_1"'
    assert conn.execute(text).fetchall() == [(1, T0_NS, 9, 5, one.received_ms, 5, 0)]
    assert conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    conn.close()


def test_reading_gives_none_false_and_only_what_was_asked(path: Path, local: SqliteStore) -> None:
    local.write([row({"a_i": 1, "b_b": False}), row({"a_i": 2}, at=SECOND_NS), row({"c_s": "x"}, at=2 * SECOND_NS)])
    assert content(path, "m-entry", "a_i", "b_b", "never_f") == [(0, 1, False, None), (1, 2, None, None)]
    assert content(path, "m-entry", "never_f") == []
    assert content(path, "m-entry", "c_s", "record", "a_i_q") == [
        (0, None, 1, None),
        (1, None, 1, None),
        (2, "x", 1, None),
    ]
    assert content(path, "m-entry") == []
    conn = open_readonly(path)
    (one,) = list_series(conn)
    assert list_metrics(conn, one) == {"a_i": "INTEGER", "b_b": "BOOLEAN", "c_s": "TEXT"}
    inside = list(read_series(conn, one, ["a_i"], T0_NS, T0_NS + SECOND_NS))
    assert inside == [(T0_NS, 1)], "the end is not included"
    assert type(next(read_series(conn, one, ["b_b"], *EVER))[1]) is bool
    assert not conn.in_transaction
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        conn.execute("DELETE FROM series")
    conn.close()


def test_devices_of_one_shape_share_a_table_and_others_do_not(path: Path, local: SqliteStore) -> None:
    wide = {f"m{n}_f": 1.5 for n in range(40)}
    local.write([row(wide, device="a"), row(wide, device="b"), row({"m0_f": 1.5}, device="c")])
    local.write([row({"m0_f": 2}, device="d"), row(wide, device="e", family="equipment")])
    assert table_of(path, "a") == table_of(path, "b")
    assert len({table_of(path, name) for name in "acde"}) == 4, "too narrow, another type, another family"


def test_a_new_metric_is_a_new_column(path: Path, local: SqliteStore) -> None:
    local.write(series(3))
    local.write([row({"voltage_l1_v": 230.5}, at=2 * SECOND_NS), row({"voltage_l2_v": 231.5}, at=9 * SECOND_NS)])
    expected = [(1, 1001, None), (2, 1002, 230.5), (3, 1003, None)]
    assert content(path, "m-entry", "active_energy_import_wh", "voltage_l1_v") == expected
    assert table_of(path, "m-entry") == "s_1"


def test_names_that_differ_by_case_only_keep_columns_of_their_own(path: Path, local: SqliteStore) -> None:
    local.write([row({"Temp_f": 1.5, "temp_f": 2.5, "TEMP_F_f": 3.5}), row({"tEmp_f": 4.5, "RECORD": 7})])
    assert content(path, "m-entry", "Temp_f", "temp_f", "TEMP_F_f", "tEmp_f", "RECORD") == [(0, 1.5, 2.5, 3.5, 4.5, 7)]


@pytest.mark.parametrize(
    "name", ['"; DROP TABLE series; --', "a\0b", "sqlite_x", "rowid", "select", "x' OR 1", "[", "?1", ":a", "\x1b[2J"]
)
def test_a_metric_may_have_any_name(path: Path, local: SqliteStore, name: str) -> None:
    assert local.write([row({name: 1.5}), row({"plain_f": 2.5}, at=SECOND_NS)]) == Written(2)
    assert content(path, "m-entry", name, "plain_f") == [(0, 1.5, None), (1, None, 2.5)]
    assert local.write([row({name: 1.5})]) == Written(1)


def test_a_series_that_outgrows_its_shared_table_moves_with_its_rows(
    path: Path, local: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_SHARED_COLUMNS", 4)
    shape = {"a_i": 1, "b_i": 2, "c_b": True}
    local.write(
        [row(shape, device="x"), row(shape, device="y"), row({"a_i": 3}, device="x", qualities={"b_i": 0}, at=1)]
    )
    assert table_of(path, "x") == table_of(path, "y")
    # Rows planned for the old table stand before and after the one that makes the series move.
    batch = [
        row(shape, device="x", at=2 * SECOND_NS),
        row({"d_i": 4, "e_i": 5}, device="x", at=3 * SECOND_NS),
        row(shape, device="x", at=4 * SECOND_NS),
    ]
    assert local.write(batch) == Written(3)
    assert table_of(path, "x") != table_of(path, "y")
    found = content(path, "x", "a_i", "b_i_q", "c_b", "e_i")
    assert found == [
        (0, 1, None, True, None),
        (0, 3, 0, None, None),
        (2, 1, None, True, None),
        (3, None, None, None, 5),
        (4, 1, None, True, None),
    ]
    assert content(path, "y", "a_i", "c_b") == [(0, 1, True)]
    local.close()
    assert local.write(batch) == Written(3)
    conn = sqlite3.connect(path)
    old = conn.execute(f"SELECT count(*) FROM {quoted(table_of(path, 'y'))}").fetchone()  # noqa: S608 - name is quoted
    conn.close()
    assert old == (1,)


def test_a_device_with_too_many_metrics_is_refused_and_others_are_not(
    path: Path, local: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_COLUMNS", 10)
    wide = row({f"m{n}_i": n for n in range(11)}, device="wide")
    fits = row({f"m{n}_i": n for n in range(8)})
    written = local.write([wide, fits, row({f"n{n}_i": n for n in range(3)}, at=SECOND_NS), row({"n0_i": 1}, at=1)])
    assert [entry.index for entry in written.rejected] == [0, 2]
    assert all(entry.reason.startswith("columns: ") for entry in written.rejected)
    assert content(path, "m-entry", "m7_i", "n0_i") == [(0, 7, None), (0, None, 1)]


def test_many_metrics_of_one_device_are_stored(path: Path, local: SqliteStore) -> None:
    names = [f"metric_{n}_f" for n in range(1500)]
    assert local.write([row(dict.fromkeys(names, 1.5))]) == Written(1)
    assert content(path, "m-entry", names[0], names[-1]) == [(0, 1.5, 1.5)]


def test_plans_are_forgotten_when_too_many_shapes_pass(path: Path, local: SqliteStore) -> None:
    local._shapes._limit = 4  # pyright: ignore[reportPrivateUsage] # a bound that no test could reach in time
    for n in range(40):
        local.write([row({f"m{n % 7}_i": n, f"m{n % 11}_f": 1.5}, at=n * SECOND_NS)])
    assert len(content(path, "m-entry", "record")) == 40
    assert len(local._shapes) <= 8  # pyright: ignore[reportPrivateUsage] # as above


def test_a_locked_file_is_unavailable_and_nothing_of_the_batch_stays(
    path: Path, local: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_BUSY_S", 0.05)
    local.write(series(1))
    local.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked") as caught:
        local.write(series(3))
    assert not isinstance(caught.value, StoreRefused)
    other.execute("ROLLBACK")
    other.close()
    assert local.write(series(3)) == Written(3)


@pytest.mark.parametrize("kind", ["garbage", "folder", "another program's", "newer"])
def test_a_file_that_is_not_a_store_is_left_alone_and_told(path: Path, local: SqliteStore, kind: str) -> None:
    if kind == "garbage":
        path.write_bytes(b"not a database" * 1000)
    elif kind == "folder":
        path.mkdir()
    else:
        conn = sqlite3.connect(path)
        conn.execute("CREATE TABLE mine (x)")
        if kind == "newer":
            conn.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            conn.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
        conn.close()
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreRefused, match=r"store\.sqlite"):
        local.write(series(1))
    with pytest.raises(StartError, match=r"store\.sqlite"):
        open_readonly(path)
    if path.is_file():
        assert path.read_bytes() == before
        path.unlink()
        assert local.write(series(1)) == Written(1), "mended while the gateway runs"


def test_readers_are_told_about_a_missing_or_empty_file(path: Path) -> None:
    with pytest.raises(StartError, match=r"store\.sqlite"):
        open_readonly(path)
    path.touch()
    with pytest.raises(StartError, match="schema 0"):
        open_readonly(path)


def test_the_schema_is_made_by_every_numbered_migration(path: Path, local: SqliteStore) -> None:
    local.write(series(1))
    conn = sqlite3.connect(path)
    assert conn.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA_VERSION,)
    assert conn.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
    conn.close()
    numbers = [int(script.name[:4]) for script in sorted(Path(schema.__file__).with_name("migrations").glob("*.sql"))]
    assert numbers == list(range(1, schema.SCHEMA_VERSION + 1))


def test_readers_come_at_any_time_and_see_whole_batches(path: Path, local: SqliteStore) -> None:
    local.write(series(10))
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set() or not seen:
            seen.append(len(content(path, "m-entry", "record")))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for n in range(1, 40):
            local.write(series(10, first=1 + 10 * n))
    finally:
        done.set()
        reader.join()
    assert all(count % 10 == 0 for count in seen), "a reader saw half of a commit"
    assert seen == sorted(seen)


CHILD = """
import resource, signal, sys
from pathlib import Path
from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.stores.sqlite import SqliteStore
from support.store_rows import series
store = SqliteStore("local", Path(sys.argv[1]))
"""
WRITE_FOR_EVER = (
    CHILD
    + """
n = 0
while True:
    store.write(series(20, first=1 + 20 * n))
    n += 1
    print(n, flush=True)
"""
)
FULL_DISK = (
    CHILD
    + """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
n = 0
try:
    while True:
        store.write(series(20, first=1 + 20 * n))
        n += 1
except StoreUnavailable as error:
    print(n, type(error).__name__, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.write(series(20, first=1 + 20 * n))
store.close()
"""
)


def child(script: str, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{script}", str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.fault
def test_kill_9_while_writing_keeps_every_written_batch_whole(path: Path, local: SqliteStore) -> None:
    acknowledged = 0
    for _ in range(5):
        with child(WRITE_FOR_EVER, path) as writer:
            assert writer.stdout is not None
            for _ in range(7):
                acknowledged = max(acknowledged, int(writer.stdout.readline()))
            writer.send_signal(signal.SIGKILL)
        count = len(content(path, "m-entry", "record"))
        assert count >= 20 * acknowledged
        assert count % 20 == 0
    assert local.write(series(20 * acknowledged)) == Written(20 * acknowledged)
    conn = sqlite3.connect(path)
    assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    conn.close()


@pytest.mark.fault
def test_disk_full_keeps_what_was_written_and_goes_on_with_space(path: Path) -> None:
    with child(FULL_DISK, path) as writer:
        output, _ = writer.communicate(timeout=60)
    assert writer.returncode == 0
    batches, error = output.split()[:2]
    assert error == "StoreUnavailable", output
    assert int(batches) > 0
    assert len(content(path, "m-entry", "record")) == 20 * (int(batches) + 1)


# A small world, so that keys and metrics meet often: a value is (metric, value, quality).
SAMPLES = st.dictionaries(
    st.sampled_from(["a_i", "b_i", "c_f"]), st.tuples(st.sampled_from([1, 2]), st.sampled_from([None, 0])), min_size=1
)
ROWS = st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 2), SAMPLES)


Drawn = tuple[str, int, dict[str, tuple[int, int | None]]]


def made(drawn: Drawn) -> Row:
    device, at, samples = drawn
    values = {name: value + 0.5 if name == "c_f" else value for name, (value, _) in samples.items()}
    qualities = {name: quality for name, (_, quality) in samples.items() if quality is not None}
    return row(values, device=device, at=at * SECOND_NS, qualities=qualities)


@settings(max_examples=60, deadline=None)
@given(batches=st.lists(st.lists(ROWS, min_size=1, max_size=6), min_size=1, max_size=5), reopen=st.booleans())
def test_the_first_statement_about_a_sample_stays(batches: list[list[Drawn]], *, reopen: bool) -> None:
    """Model: a field is set once; a row that contradicts any set field is refused whole and sets nothing."""
    folder = Path(tempfile.mkdtemp())
    local = SqliteStore("local", folder / "store.sqlite")
    model: dict[tuple[str, int], dict[str, tuple[Value, int | None]]] = {}
    for batch in batches:
        rows = [made(drawn) for drawn in batch]
        refused = {entry.index for entry in local.write(rows).rejected}
        # Rows of one shape are compared after all of them went in, so either of two contradicting rows of a batch may
        # be first; the store's choice is taken over by the model if it is a sound one.
        order = [n for n in range(len(rows)) if n not in refused] + sorted(refused)
        for n in order:
            codes = dict(rows[n].qualities)
            fields = {
                name: (value, codes.get(name)) for name, value in zip(rows[n].metrics, rows[n].values, strict=True)
            }
            known = model.setdefault((rows[n].device, rows[n].t_ns), {})
            clash = any(known.get(name, field) != field for name, field in fields.items())
            assert clash == (n in refused)
            if not clash:
                known.update(fields)
        if reopen:
            local.close()
    local.close()
    conn = open_readonly(folder / "store.sqlite")
    for one in list_series(conn):
        for at, a, aq, b, bq, c, cq in read_series(conn, one, ["a_i", "a_i_q", "b_i", "b_i_q", "c_f", "c_f_q"], *EVER):
            found = {name: (v, q) for name, v, q in (("a_i", a, aq), ("b_i", b, bq), ("c_f", c, cq)) if v is not None}
            assert isinstance(at, int)
            assert found == model.pop((one.device, at))
    conn.close()
    shutil.rmtree(folder)
    assert not any(model.values()), "a stored sample is missing"
