"""InfluxDB 3 as documented (support/influxdb3.py), and the reader of InfluxDB 2 that the conformance suite uses."""

from pathlib import Path

import pytest

from shutan_gateway.stores.base import StoreRefused
from support import influxdb2
from support.store_rigs import holds
from support.store_rigs_more import Influx3Rig
from support.store_rows import series


def test_influxdb_3_names_a_hundred_refused_lines_at_a_time(tmp_path: Path) -> None:
    three = Influx3Rig(tmp_path)
    try:
        rows = series(1000)
        three.store.write(rows[:1])
        bad = set(range(5, 905, 4))
        offered = [one._replace(values=(0.5, one.values[1])) if n in bad else one for n, one in enumerate(rows)]
        written = three.store.write(offered)
        assert {entry.index for entry in written.rejected} == bad
        assert all(entry.reason.startswith("type conflict: ") for entry in written.rejected)
        assert holds(three, [one for n, one in enumerate(rows) if n not in bad])
        # Each request names a hundred; the lines set aside are then asked for alone, by halves.
        assert len(three.server.requests) <= 3 * len(bad)
    finally:
        three.store.close()
        three.end()


def test_influxdb_3_without_a_token_keeps_the_rows(tmp_path: Path) -> None:
    three = Influx3Rig(tmp_path)
    try:
        (tmp_path / "influxdb3.token").write_text("another")
        three.reopen()
        with pytest.raises(StoreRefused, match=r"HTTP 401.*check the token"):
            three.store.write(series(1))
    finally:
        three.store.close()
        three.end()


def test_samples_of_influxdb_2_are_read_from_its_annotated_csv() -> None:
    """The form of the answer is the one in the documentation of InfluxDB 2.x ("Annotated CSV")."""
    text = (
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string\r\n"
        ",result,table,_start,_stop,_time,_value,_field,_measurement\r\n"
        ",,0,1970-01-01T00:00:00Z,2200-01-01T00:00:00Z,2026-11-18T08:00:00.000000001Z,1.5,x_f,energy\r\n"
        "\r\n"
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,long,string,string\r\n"
        ",result,table,_start,_stop,_time,_value,_field,_measurement\r\n"
        ",,1,1970-01-01T00:00:00Z,2200-01-01T00:00:00Z,2026-11-18T08:00:00Z,7,n_i,energy\r\n"
    )
    at = 1_794_988_800 * 10**9
    assert influxdb2.parse_csv(text) == {at + 1: {"x_f": 1.5}, at: {"n_i": 7}}
