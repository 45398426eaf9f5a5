"""Store folders: each is whole, its sample loads, and its test cases (rows as dead letters have them) hold."""

import json
from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq
import pytest

from shutan_gateway import stores
from shutan_gateway.config import load_config
from shutan_gateway.counters import Counters
from shutan_gateway.rows import Row
from shutan_gateway.stores import STORES
from shutan_gateway.stores.files import FilesStore, parquet
from shutan_gateway.stores.files.days import open_days
from shutan_gateway.stores.influxdb.answers import Kind, TypeConflict, read_answer
from shutan_gateway.stores.influxdb.line import LineEncoder, RowFault
from shutan_gateway.stores.sqlite import SqliteStore
from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series

ROOT = Path(stores.__file__).parent
FOLDERS = sorted(path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("_"))
HEADINGS = ["## Settings", "## When something is wrong"]


def cases(pattern: str) -> list[Any]:
    """Test cases of all folders as parameters; Any: JSON."""
    found = sorted(ROOT.glob(pattern))
    assert found, f"no test case {pattern}"
    return [pytest.param(json.loads(path.read_text(encoding="utf-8")), id=path.stem) for path in found]


def row_of(body: dict[str, Any]) -> Row:
    """The row behind a dead letter or a test case."""
    metrics, qualities = body["metrics"], body.get("qualities", {})
    key = [body[name] for name in Row._fields[:8]]
    return Row._make([*key, tuple(metrics), tuple(metrics.values()), tuple(qualities.items())])


def test_the_table_of_stores_names_every_folder() -> None:
    assert [folder.name for folder in FOLDERS] == sorted(STORES)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_is_whole(folder: Path) -> None:
    sample = (folder / "sample.toml").read_text(encoding="utf-8")
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert f"```toml\n{sample}```" in text, "the read-me shows the sample as it is"
    assert [heading for heading in HEADINGS if heading not in text] == []
    assert list(folder.glob("testcases/*.json")) != []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_sample_is_a_sound_configuration(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    sample = (folder / "sample.toml").read_text(encoding="utf-8")
    path.write_text(f'[gateway]\ndata_dir = "data"\n{sample}')
    tables = load_config(path).store
    assert {table.kind for table in tables} == {folder.name}


@pytest.mark.parametrize("case", cases("influxdb/testcases/line_*.json"))
def test_lines(case: dict[str, Any]) -> None:
    encoder = LineEncoder()
    rows = [row_of(body) for body in case["rows"]]
    if "refused" in case:
        for row in rows:
            with pytest.raises(RowFault, match=case["refused"]):
                encoder.line(row)
    else:
        assert [encoder.line(row).decode() for row in rows] == case["lines"]


@pytest.mark.parametrize("case", cases("influxdb/testcases/answer_*.json"))
def test_answers(case: dict[str, Any]) -> None:
    expected = dict(case["answer"])
    answer = read_answer(case["status"], case["headers"], case["body"].encode())
    assert answer.kind is Kind[expected.pop("kind")]
    if expected.get("conflict"):
        expected["conflict"] = TypeConflict(*expected["conflict"])
    assert {name: getattr(answer, name) for name in expected} == expected


@pytest.mark.parametrize("case", cases("sqlite/testcases/*.json"))
def test_sqlite(case: dict[str, Any], tmp_path: Path) -> None:
    local = SqliteStore("local", tmp_path / "store.sqlite")
    refused = [
        [number, entry.index, entry.reason]
        for number, batch in enumerate(case["batches"])
        for entry in local.write([row_of(body) for body in batch]).rejected
    ]
    local.close()
    assert refused == case["refused"]
    conn = open_readonly(tmp_path / "store.sqlite")
    (series,) = list_series(conn)
    names = sorted({name for sample in case["content"] for name in sample} - {"t_ns"})
    found = [dict(zip(["t_ns", *names], values, strict=True)) for values in read_series(conn, series, names, 0, 2**62)]
    conn.close()
    assert found == [dict.fromkeys(names) | sample for sample in case["content"]]


@pytest.mark.parametrize("case", cases("files/testcases/*.json"))
def test_files(case: dict[str, Any], tmp_path: Path) -> None:
    """Between two batches every day is written, so that the second one meets written days."""
    archive = FilesStore("archive", tmp_path, Counters())
    refused: list[tuple[int, int, str]] = []
    for number, batch in enumerate(case["batches"]):
        written = archive.write([row_of(body) for body in batch])
        refused += [(number, entry.index, entry.reason) for entry in written.rejected]
        archive.close()
        for place in open_days(tmp_path):
            parquet.write(place)
            place.forget(place.open)
        archive = FilesStore("archive", tmp_path, Counters())
    archive.close()
    assert refused == [tuple(entry) for entry in case["refused"]]
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for path in tmp_path.glob("*/*.parquet"):
        table = cast("Any", pq.read_table(path))  # pyright: ignore[reportUnknownMemberType] - pyarrow has no full types
        times = table.column("time").cast("int64").to_pylist()
        rows = table.drop(["time", "site", "node", "boot", "received_ms"]).to_pylist()
        found.setdefault(path.parent.name, {})[path.stem] = [
            {"t_ns": t_ns} | {name: value for name, value in one.items() if value is not None}
            for t_ns, one in zip(times, rows, strict=True)
        ]
    assert found == case["days"]
