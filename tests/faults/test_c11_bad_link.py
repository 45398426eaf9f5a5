"""C11: the radio link of the nodes and the gateway's own link lose segments and are slow; all totals stay exact."""

import time
from pathlib import Path

import pytest

from faults.harness import Fault
from support.bad_link import Weather
from support.servers import wait_until
from support.swarm_line import swarm_line

pytestmark = [pytest.mark.flow, pytest.mark.fault]

INTERVAL_S = 10
WEATHER = {
    "loss_5": Weather(0.05, (0.01, 0.05)),
    "loss_20": Weather(0.2, (0.01, 0.05)),
    "loss_50": Weather(0.5, (0.01, 0.05)),
    "slow": Weather(0.0, (0.2, 2.0)),
    "loss_20_slow": Weather(0.2, (0.2, 2.0)),
}


def test_c11_lossy_and_slow_link(tmp_path: Path, fault: Fault) -> None:
    for name in fault.size(short=("loss_20",), long=tuple(WEATHER)):
        folder = tmp_path / name
        folder.mkdir()
        under(WEATHER[name], name, folder, fault)


def under(weather: Weather, name: str, folder: Path, fault: Fault) -> None:
    """One kind of weather, from the start of the nodes until everything is stored, and its result."""
    readings = fault.size(short=8, long=300)
    with swarm_line(
        folder,
        bad=True,
        count=fault.size(short=4, long=20),
        readings=readings,
        interval_s=INTERVAL_S,
        rate=fault.size(short=40, long=20),
        keepalive_s=15,
        gateway_keepalive_s=15,
    ) as line:
        for link in line.links:
            link.weather = weather
        line.swarm.start()
        began_s = time.monotonic()
        whole = len(line.swarm.names) * readings

        def all_there() -> bool:
            rows = line.rows()
            fault.progress(f"{name}: {rows} of {whole} readings stored")
            return rows >= whole

        wait_until(all_there, 900, "every reading stored over the bad link", 0.1)
        took_s = time.monotonic() - began_s
        for link in line.links:
            link.weather = Weather()
        line.wait_stored(120)
        line.swarm.stop()
        counts = line.compare()
        numbers = line.gateway.numbers()
        fault.record(
            "C11",
            part=name,
            measured={
                **counts,
                "took_s": round(took_s, 1),
                "sampling_took_s": readings * INTERVAL_S / fault.size(short=40, long=20),
                "connections": sum(link.opened for link in line.links),
                "connections_killed_by_loss": sum(link.died for link in line.links),
                "gateway_sessions": int(numbers["shutan_link_connects_total"]),
            },
            bar={"readings_lost": "== 0", "records_lost": "== 0"},
            note="nodes and gateway each reach the broker through a user-space proxy; a lost segment is a stall of "
            "0.2 s, doubled each time it is lost again, eight in a row kill the connection; "
            f"loss {weather.loss:.0%}, latency {weather.latency_s[0]} to {weather.latency_s[1]} s one way",
        )
