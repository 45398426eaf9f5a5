"""The real servers that flow tests use: they start, answer, survive a kill and stop."""

import shutil
from pathlib import Path

import pytest

from support.servers import Server, free_port, influx_query, listens

DAY = "1780243200"  # 2026-06-01 UTC, as epoch seconds


@pytest.mark.flow
def test_mosquitto_is_killed_and_started_again_on_its_port(mosquitto: Server) -> None:
    pids = [mosquitto.pid]
    mosquitto.kill()
    assert not listens(mosquitto.port)
    mosquitto.start()
    pids.append(mosquitto.pid)
    assert listens(mosquitto.port)
    assert pids[0] != pids[1]
    assert "ld-linux" in Path(f"/proc/{mosquitto.pid}/exe").readlink().name or shutil.which("mosquitto")


@pytest.mark.flow
def test_influxd_keeps_large_integers(influxd: Server, influx_database: str) -> None:
    largest = 2**63 - 1
    influxd.post("/write", f"energy,node=n01 wh={largest}i {DAY}".encode(), db=influx_database, precision="s")
    series = influx_query(influxd, "SELECT wh FROM energy", influx_database, epoch="s")
    assert series[0]["values"] == [[int(DAY), largest]]


@pytest.mark.flow
def test_influx_databases_are_empty(influxd: Server, influx_database: str) -> None:
    assert influx_query(influxd, "SHOW MEASUREMENTS", influx_database) == []


@pytest.mark.flow
def test_victoria_metrics_stores_a_repeat_once(victoria_metrics: Server) -> None:
    for _ in range(2):
        victoria_metrics.post("/write", f"energy,node=n01 wh=7 {DAY}".encode(), precision="s")
    victoria_metrics.get("/internal/force_flush")
    query = {"match[]": "energy_wh", "start": DAY, "end": str(int(DAY) + 60)}
    assert b'"values":[7]' in victoria_metrics.get("/api/v1/export", **query)


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    server = Server("broken", ["sh", "-c", "echo the reason; exit 3"], tmp_path, free_port())
    with pytest.raises(AssertionError, match="ended with code 3") as caught:
        server.start()
    assert "the reason" in caught.value.__notes__[0]
