"""Delivery to real servers that are killed, restarted and late: everything arrives once."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from shutan_gateway.deliver.deliverer import Limits
from shutan_gateway.stores.influxdb import InfluxStore
from support.delivery import LIMIT_S, Line, record, records
from support.servers import Server, influx_query, wait_until
from support.servers import influxd as new_influxd
from support.store_rigs import InfluxRig, Rig, SqliteRig, VictoriaRig, holds
from support.store_rows import series

pytestmark = pytest.mark.flow


@pytest.fixture
def own_influxd(tmp_path: Path) -> Iterator[Server]:
    """An InfluxDB that a test may kill."""
    folder = tmp_path / "influxd"
    folder.mkdir()
    with new_influxd(folder) as server:
        influx_query(server, "CREATE DATABASE plant")
        yield server


@pytest.mark.fault
def test_influxdb_killed_while_it_is_fed_gets_everything(tmp_path: Path, own_influxd: Server) -> None:
    rig = InfluxRig(own_influxd, "plant", timeout_s=2)
    rows = series(12_000)
    store = rig.store
    with Line(tmp_path, store, limits=Limits(linger_s=0, batch_bytes=30_000)) as line:
        kills = 0
        for part in range(6):
            done = 2000 * part
            line.append(records(rows[done : done + 2000]))
            if part % 2 == 0:
                wait_until(lambda done=done: line.totals("plant")[0] > done, LIMIT_S, "it is being fed")
                own_influxd.kill()
                kills += 1
                wait_until(lambda: line.deliverers[0].trouble is not None, LIMIT_S, "the loss is noticed")
                own_influxd.start()
        line.wait_delivered()
        assert line.totals("plant") == (12_000, 0, 0)
        assert line.deliverers[0].trouble is None
    assert kills == 3
    assert holds(rig, rows)


def test_three_stores_get_the_same_and_a_bad_row_dies_where_it_is_bad(
    tmp_path: Path, influxd: Server, influx_database: str, victoria_metrics: Server
) -> None:
    rigs: list[Rig] = [SqliteRig(tmp_path), InfluxRig(influxd, influx_database), VictoriaRig(victoria_metrics)]
    rows = series(1000)
    twisted = rows[500]._replace(values=(1.5, rows[500].values[1]), t_ns=rows[500].t_ns + 1_000_000)
    with Line(tmp_path, *(rig.store for rig in rigs)) as line:
        line.append([*records(rows[:700]), record(twisted, number=9999), *records(rows[700:])])
        line.wait_delivered()
        assert line.totals("local") == (1000, 1, 0)
        assert line.totals("plant") == (1000, 1, 0)
        assert line.totals("mirror") == (1001, 0, 0), "a mirror takes everything: it is never a ledger's source"
        assert [letter["reason"] for letter in line.letters("local")] == [
            "type conflict: active_energy_import_wh is INTEGER in the store, REAL in the row"
        ]
        assert "type conflict: HTTP 400" in str(line.letters("plant")[0]["reason"])
    for rig in rigs[:2]:
        assert holds(rig, rows)


@pytest.mark.fault
def test_a_store_that_is_not_there_yet_gets_all_when_it_comes(tmp_path: Path) -> None:
    folder = tmp_path / "late"
    folder.mkdir()
    server = new_influxd(folder)
    rig = InfluxRig(server, "plant")
    rows = series(3000)
    with contextlib.ExitStack() as stack:
        line = stack.enter_context(Line(tmp_path, SqliteRig(tmp_path).store, rig.store))
        stack.callback(server.stop)
        line.append(records(rows))
        wait_until(lambda: line.totals("local") == (3000, 0, 0), LIMIT_S, "the store at hand is done")
        wait_until(lambda: line.deliverers[1].trouble is not None, LIMIT_S, "the other is missed")
        server.start()
        wait_until(lambda: "database not found" in (line.deliverers[1].trouble or ""), LIMIT_S, "a person is told")
        influx_query(server, "CREATE DATABASE plant")
        line.wait_delivered()
        assert line.totals("plant") == (3000, 0, 0)
        assert holds(rig, rows)


def requests_of(rig: InfluxRig) -> int:
    assert isinstance(rig.store, InfluxStore)
    return rig.store.requests


def test_influxdb_that_takes_small_bodies_only_gets_everything(tmp_path: Path) -> None:
    """InfluxDB 1.6 answers 413 to a body above max-body-size and cuts the connection while it is being sent."""
    folder = tmp_path / "strict"
    folder.mkdir()
    server = new_influxd(folder)
    config = folder / "influxdb.conf"
    config.write_text(config.read_text().replace("[http]", "[http]\n  max-body-size = 150000"))
    rows = series(12_000)
    with server:
        influx_query(server, "CREATE DATABASE plant")
        rig = InfluxRig(server, "plant")
        line = Line(tmp_path, rig.store)
        line.append(records(rows))
        with line:
            line.wait_delivered()
            assert line.totals("plant") == (12_000, 0, 0)
            assert requests_of(rig) > 12_000 * 100 / 150_000, "no body was cut"
            assert holds(rig, rows)
