"""VictoriaMetrics as a mirror: what it needs is asked of it, what it cannot say is known."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from shutan_gateway.stores.base import Written
from support.places import tool
from support.scripted_http import ScriptedHttp
from support.servers import HOST, Server, free_port
from support.store_rigs import VictoriaRig, holds
from support.store_rows import row, series

pytestmark = pytest.mark.flow


@pytest.fixture
def plain_victoria(tmp_path: Path) -> Iterator[Server]:
    """VictoriaMetrics as it starts without any flag about repeats."""
    port = free_port()
    command = [
        tool("victoria-metrics"),
        f"-httpListenAddr={HOST}:{port}",
        f"-storageDataPath={tmp_path}/data",
        "-retentionPeriod=100y",
    ]
    with Server("victoria-metrics", command, tmp_path, port) as server:
        yield server


def test_a_mirror_that_keeps_repeats_is_said_once(plain_victoria: Server, caplog: pytest.LogCaptureFixture) -> None:
    rig = VictoriaRig(plain_victoria)
    for _ in range(3):
        assert rig.store.write(series(2)) == Written(2)
    rig.store.close()
    messages = [entry.getMessage() for entry in caplog.records if entry.name == "shutan.store"]
    assert messages == [f"mirror {plain_victoria.url} stores repeats twice: start it with -dedup.minScrapeInterval=1ms"]
    with pytest.raises(AssertionError, match="one sample became two"):
        holds(rig, series(2))


def test_a_mirror_that_drops_repeats_needs_no_word(victoria_metrics: Server, caplog: pytest.LogCaptureFixture) -> None:
    rig = VictoriaRig(victoria_metrics)
    for _ in range(3):
        assert rig.store.write(series(2)) == Written(2)
    rig.store.close()
    assert [entry for entry in caplog.records if entry.name == "shutan.store"] == []
    assert holds(rig, series(2))


def test_a_server_without_flags_is_not_suspected(caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedHttp() as server:
        rig = VictoriaRig(Server("scripted", [], Path(), server.port))
        assert rig.store.write(series(2)) == Written(2)
        rig.store.close()
    assert [entry for entry in caplog.records if entry.levelno >= logging.WARNING] == []


def test_what_a_mirror_cannot_hold_is_left_out_and_counted(victoria_metrics: Server) -> None:
    rig = VictoriaRig(victoria_metrics)
    rows = [row({"state_s": "running", "total_i": 2**60, "level_f": 1.5}), row({"state_s": "off"}, device="other")]
    assert rig.store.write(rows) == Written(2)
    rig.store.close()
    assert rig.counters.get("shutan_store_omitted_values_total", store="mirror") == 3
    assert holds(rig, rows)
