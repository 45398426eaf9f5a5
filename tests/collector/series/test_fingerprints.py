"""Fingerprints of days: the same from every reader as from the readings themselves, and another when a day changes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.errors import SeriesError
from shutan_collector.periods import iso
from shutan_collector.samples import Samples
from shutan_collector.series import open_reader
from shutan_collector.series.base import Fingerprint, Source, fingerprints_of
from shutan_gateway.counters import Counters
from shutan_gateway.rows import Row
from shutan_gateway.stores.influxdb.store import InfluxStore
from shutan_gateway.stores.influxdb.transport import HttpTransport
from support.accounting import SECOND, SHANGHAI, at, fill_sqlite, rows
from support.servers import Server

WH = "active_energy_import_wh"
ENTRY = Source("energy", "jiuniang", "n01", "m-entry")
DAY = 86_400 * SECOND
START = at("2025-06-01")
EDGES = [START + DAY * number for number in range(4)]
NOTHING: tuple[Fingerprint, ...] = ((0, 0, 0),) * 3
Fill = Callable[[Sequence[Row]], str]


@pytest.fixture(params=["sqlite", "csv", pytest.param("influxdb1", marks=pytest.mark.flow)])
def fill(request: pytest.FixtureRequest, tmp_path: Path) -> Fill:
    """Writes rows into a store; returns the address to read them from."""
    if request.param == "sqlite":
        return lambda batch: _fill_sqlite(tmp_path / "series.db", batch)
    if request.param == "csv":
        return lambda batch: _fill_csv(tmp_path / "readings.csv", batch)
    server: Server = request.getfixturevalue("influxd")
    database: str = request.getfixturevalue("influx_database")
    return lambda batch: _fill_influx(server, database, batch)


def _fill_sqlite(path: Path, batch: Sequence[Row]) -> str:
    fill_sqlite(path, [batch])
    return f"sqlite:{path}"


def _fill_csv(path: Path, batch: Sequence[Row]) -> str:
    lines = ["time,node,device,metric,register,quality"]
    for row in batch:
        quality = row.qualities[0][1] if row.qualities else ""
        lines.append(f"{iso(row.t_ns, SHANGHAI)},{row.node},{row.device},{row.metrics[0]},{row.values[0]},{quality}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def _fill_influx(server: Server, database: str, batch: Sequence[Row]) -> str:
    transport = HttpTransport(server.url, database, timeout_s=10, gzip=False, user=None)
    store = InfluxStore("test", transport, Counters(), mirror=False)
    assert not store.write(batch).rejected
    store.close()
    return f"influxdb1:{server.url}/{database}"


def fingerprints(address: str, source: Source = ENTRY, metric: str = WH) -> tuple[Fingerprint, ...]:
    with open_reader(address) as reader:
        return reader.fingerprints(source, metric, EDGES)


def test_each_day_is_counted_exactly(fill: Fill) -> None:
    readings = [
        (START - 1, 9),
        (START, 2**62),
        (START + 1_999_999, 2**62 + 1),  # together above 64 bits
        (START + DAY - 1, 2**62),
        (EDGES[2], 5),
        (EDGES[3], 7),
    ]
    expected = ((3, 3 * 2**62 + 1, 0 + 1 + 86_399_999), (0, 0, 0), (1, 5, 0))
    assert fingerprints(fill(rows("n01", "m-entry", WH, readings))) == expected


def test_only_good_readings_of_that_series_count(fill: Fill) -> None:
    batch = rows("n01", "m-entry", WH, [(START, 3), (START + SECOND, 4)], {START + SECOND: 0})
    batch += rows("n01", "m-other", WH, [(START, 5)])
    batch += rows("n01", "m-entry", "active_energy_export_wh", [(START + 2 * SECOND, 6)])
    address = fill(batch)
    assert fingerprints(address) == ((1, 3, 0), (0, 0, 0), (0, 0, 0))
    assert fingerprints(address, Source("energy", "jiuniang", "n09", "m-entry")) == NOTHING
    assert fingerprints(address, metric="gas_volume_l") == NOTHING


def test_they_are_those_of_the_readings(fill: Fill) -> None:
    readings = [(START + number * 7_777 * SECOND + number, 10**11 + number**3) for number in range(40)]
    address = fill(rows("n01", "m-entry", WH, readings))
    with open_reader(address) as reader:
        samples = reader.read(ENTRY, WH, EDGES[0], EDGES[-1])
        assert reader.fingerprints(ENTRY, WH, EDGES) == fingerprints_of(samples, EDGES)
    assert sum(count for count, _, _ in fingerprints(address)) == len(samples.times_ns)


def test_a_counter_stored_as_float_is_refused(tmp_path: Path) -> None:
    row = rows("n01", "m-entry", WH, [(START, 1)])[0]._replace(values=(1.0,))
    with pytest.raises(SeriesError, match=r"is stored as REAL; a counter is an integer"):
        fingerprints(_fill_sqlite(tmp_path / "series.db", [row]))


@given(
    st.lists(st.tuples(st.integers(0, 3 * 86_400_000 - 1), st.integers(0, 2**63 - 1)), unique_by=lambda item: item[0]),
    st.data(),
)
def test_one_changed_reading_changes_its_day_and_no_other(readings: list[tuple[int, int]], data: st.DataObject) -> None:
    before = sorted((START + t_ms * 1_000_000, value) for t_ms, value in readings)
    after = list(before)
    change = data.draw(st.sampled_from(["add", "drop", "value"] if before else ["add"]))
    if change == "add":
        place = (START + data.draw(st.integers(0, 3 * 86_400_000 - 1)) * 1_000_000 + 1, data.draw(st.integers(0, 9)))
        after.append(place)
        after.sort()
    else:
        place = data.draw(st.sampled_from(before))
        after.remove(place)
        if change == "value":
            after.append((place[0], place[1] + 1))
            after.sort()
    old, new = (fingerprints_of(Samples([t for t, _ in one], [v for _, v in one]), EDGES) for one in (before, after))
    changed = [number for number in range(3) if old[number] != new[number]]
    assert changed == [(place[0] - START) // DAY]
