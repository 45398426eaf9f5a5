"""Daily files: when a day is written, what is in it, late rows, and ends of the process at any moment."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq
import pytest

from shutan_gateway.counters import Counters
from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.stores.base import StoreRefused, Written
from shutan_gateway.stores.files import FilesStore, parquet
from shutan_gateway.stores.files.days import DAY_S, Place, day_of, open_days
from support.places import REPO
from support.store_rigs_more import samples_in
from support.store_rows import SECOND_NS, T0_NS, row, series

DAY = "2026-11-18"
DAY_END_S = 1_795_046_400
LATENESS_S, SETTLE_S = 7200.0, 900.0
KEY = ("energy", "jiuniang", "n01", "m-entry")


class Clock:
    """The time of a store, moved by hand."""

    def __init__(self) -> None:
        self.now_s = T0_NS / 1e9

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def store(tmp_path: Path, clock: Clock, counters: Counters) -> Iterator[FilesStore]:
    made = FilesStore("archive", tmp_path, counters, lateness_s=LATENESS_S, settle_s=SETTLE_S, now_s=clock)
    yield made
    made.close()


def manifest(folder: Path, day: str = DAY) -> Any:  # JSON
    return json.loads((folder / day / "manifest.json").read_text(encoding="utf-8"))


def test_the_utc_day_of_a_time() -> None:
    assert [day_of(t_ns) for t_ns in (0, -1, DAY_END_S * SECOND_NS - 1, DAY_END_S * SECOND_NS)] == [
        "1970-01-01",
        "1969-12-31",
        DAY,
        "2026-11-19",
    ]
    assert day_of(2**70) == day_of(2**63 - 2)
    assert Place(Path(), DAY).end_s == DAY_END_S


def test_a_day_is_written_when_it_is_over_late_and_quiet(
    store: FilesStore, tmp_path: Path, clock: Clock, counters: Counters
) -> None:
    assert store.write(series(3)) == Written(3)
    clock.now_s = DAY_END_S + LATENESS_S - 1
    assert store.write_due() == []
    assert store.write(series(1, first=4)) == Written(1)
    clock.now_s += SETTLE_S - 1
    assert store.write_due() == [], "a row came a moment ago"
    clock.now_s += 1
    assert store.write_due() == [DAY]
    assert open_days(tmp_path) == []
    assert [path.name for path in (tmp_path / "open").iterdir()] == ["lock"]
    assert counters.get("shutan_files_days_written_total", store="archive") == 1
    (file,) = manifest(tmp_path)["files"]
    path = tmp_path / DAY / file["name"]
    assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (file["rows"], file["bytes"]) == (4, path.stat().st_size)
    assert (file["first_ns"], file["last_ns"]) == (T0_NS + SECOND_NS, T0_NS + 4 * SECOND_NS)
    assert sorted(samples_in(tmp_path)[KEY]) == [T0_NS + n * SECOND_NS for n in range(1, 5)]


def test_columns_are_typed_and_say_their_unit(store: FilesStore, tmp_path: Path) -> None:
    rows = [row({"active_energy_import_wh": 5, "active_power_w": 1.5, "on_b": True, "state_s": "läuft"}), row({}, at=1)]
    assert [entry.index for entry in store.write(rows).rejected] == [1]
    parquet.write(Place(tmp_path, DAY))
    path = tmp_path / DAY / "energy.parquet"
    schema = cast("Any", pq.read_schema(path))  # pyright: ignore[reportUnknownMemberType] - pyarrow has no full types
    kinds = {field.name: str(field.type) for field in schema}
    assert kinds["time"] == "timestamp[ns, tz=UTC]"
    assert [kinds[name] for name in ("active_energy_import_wh", "active_power_w", "on_b", "state_s")] == [
        "int64",
        "double",
        "bool",
        "string",
    ]
    about = schema.field("active_energy_import_wh").metadata
    assert (about[b"unit"], about[b"kind"]) == (b"W.h", b"counter")
    assert schema.metadata[b"shutan.day"] == DAY.encode()
    about = cast("Any", pq.ParquetFile(path)).metadata
    assert about.row_group(0).column(0).compression == "ZSTD"


def test_late_rows_join_a_written_day_and_a_trickle_does_not_put_it_off_for_ever(
    store: FilesStore, tmp_path: Path, clock: Clock
) -> None:
    store.write(series(3))
    clock.now_s = DAY_END_S + LATENESS_S
    assert store.write_due() == [DAY]
    first = manifest(tmp_path)
    written: list[str] = []
    started_s = clock.now_s
    late = 10
    while not written:
        assert clock.now_s <= started_s + DAY_S, "the trickle goes on for a day"
        assert store.write([*series(1), *series(1, first=late)]) == Written(2)
        late += 1
        clock.now_s += SETTLE_S - 1
        written = store.write_due()
    second = manifest(tmp_path)
    assert second["files"][0]["rows"] == 3 + late - 10
    assert second["files"][0]["sha256"] != first["files"][0]["sha256"]


def test_rows_that_come_while_a_day_is_written_are_in_the_next_writing(
    store: FilesStore, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(series(3))
    clock.now_s = DAY_END_S + LATENESS_S
    child = store._child  # pyright: ignore[reportPrivateUsage] - the moment between snapshot and end is wanted

    def slowly(verb: str, place: Place) -> str | None:
        said = child(verb, place)
        store.write(series(1, first=4))
        return said

    monkeypatch.setattr(store, "_child", slowly)
    assert store.write_due() == [DAY]
    assert manifest(tmp_path)["files"][0]["rows"] == 3
    assert [place.day for place in open_days(tmp_path)] == [DAY]
    monkeypatch.setattr(store, "_child", child)
    clock.now_s += SETTLE_S
    assert store.write_due() == [DAY]
    assert manifest(tmp_path)["files"][0]["rows"] == 4
    assert open_days(tmp_path) == []


def test_a_day_left_open_by_an_earlier_process_is_written_by_the_next(
    store: FilesStore, tmp_path: Path, clock: Clock, counters: Counters
) -> None:
    store.write(series(3))
    store.close()
    os.utime(tmp_path / "open" / f"{DAY}.sqlite", (clock.now_s, clock.now_s))
    clock.now_s = DAY_END_S + LATENESS_S
    later = FilesStore("archive", tmp_path, counters, lateness_s=LATENESS_S, settle_s=SETTLE_S, now_s=clock)
    assert later.write_due() == [DAY]
    later.close()
    assert len(samples_in(tmp_path)[KEY]) == 3


def test_what_a_crash_left_of_reading_a_day_back_is_void(store: FilesStore, tmp_path: Path, clock: Clock) -> None:
    store.write(series(3))
    clock.now_s = DAY_END_S + LATENESS_S
    store.write_due()
    store.close()
    for name in (f"{DAY}.loading", f"{DAY}.loading-wal", f"{DAY}.sqlite-wal"):
        (tmp_path / "open" / name).write_bytes(b"half of it")
    later = FilesStore("archive", tmp_path, Counters(), lateness_s=0, settle_s=0, now_s=clock)
    assert later.write(series(1, first=9)) == Written(1)
    assert later.write_due() == [DAY]
    later.close()
    assert len(samples_in(tmp_path)[KEY]) == 4
    assert [path.name for path in (tmp_path / "open").iterdir()] == ["lock"]


def test_a_written_day_that_was_changed_by_hand_is_not_taken_for_ours(
    store: FilesStore, tmp_path: Path, clock: Clock
) -> None:
    store.write(series(3))
    clock.now_s = DAY_END_S + LATENESS_S
    store.write_due()
    path = tmp_path / DAY / "energy.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"?")
    with pytest.raises(StoreRefused, match=r"energy\.parquet is not the file that manifest\.json names"):
        store.write(series(1, first=4))
    path.write_bytes(content)
    assert store.write(series(1, first=4)) == Written(1)


def test_a_day_that_cannot_be_written_keeps_its_rows_and_is_tried_again(
    store: FilesStore, tmp_path: Path, clock: Clock, counters: Counters
) -> None:
    store.write(series(3))
    clock.now_s = DAY_END_S + LATENESS_S
    (tmp_path / DAY).write_bytes(b"a file where the folder should be")
    assert store.write_due() == []
    assert counters.get("shutan_files_errors_total", store="archive") == 1
    assert store.write_due() == []
    assert counters.get("shutan_files_errors_total", store="archive") == 1, "not at once again"
    (tmp_path / DAY).unlink()
    clock.now_s += 300
    assert store.write_due() == [DAY]
    assert len(samples_in(tmp_path)[KEY]) == 3


def test_a_folder_that_is_none_keeps_the_rows(tmp_path: Path, counters: Counters) -> None:
    (tmp_path / "archive").write_bytes(b"")
    store = FilesStore("archive", tmp_path / "archive", counters)
    with pytest.raises(StoreUnavailable):
        store.write(series(1))
    store.close()


def test_a_second_program_is_kept_out_of_the_folder(store: FilesStore, tmp_path: Path) -> None:
    store.write(series(1))
    other = FilesStore("other", tmp_path, Counters())
    with pytest.raises(StoreRefused, match="another program writes here; stop it first"):
        other.write(series(1))
    other.close()
    store.close()
    assert other.write(series(1)) == Written(1)
    other.close()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from shutan_gateway.counters import Counters
from shutan_gateway.stores.files import FilesStore
from support.store_rows import series
store = FilesStore("archive", Path({folder!r}), Counters())
for n in range(20):
    store.write(series(50, first=1 + 50 * n))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_rows_of_the_open_day_survive_kill_9(tmp_path: Path) -> None:
    script = KILLED.format(tests=str(REPO / "tests"), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (place,) = open_days(tmp_path)
    parquet.write(place)
    assert len(samples_in(tmp_path)[KEY]) == 1000


def test_a_day_can_be_removed_by_hand(store: FilesStore, tmp_path: Path, clock: Clock) -> None:
    store.write(series(3))
    clock.now_s = DAY_END_S + LATENESS_S
    store.write_due()
    shutil.rmtree(tmp_path / DAY)
    assert store.write(series(1)) == Written(1)
    clock.now_s += LATENESS_S
    assert store.write_due() == [DAY]
    assert len(samples_in(tmp_path)[KEY]) == 1
