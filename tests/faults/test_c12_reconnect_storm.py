"""C12: the broker is killed under many real nodes and comes back; all of them return, spread by their jitter."""

import os
import time
from pathlib import Path

import pytest

from faults.harness import Fault
from support.process_watch import ProcessWatch, slope_mib_per_h
from support.servers import wait_until
from support.swarm_line import SwarmLine, swarm_line

pytestmark = [pytest.mark.flow, pytest.mark.fault]

NODES = int(os.environ.get("SHUTAN_NODES", "1000"))
AWAY_S = 5.0
INTERVAL_S = 10


def storm(line: SwarmLine, fault: Fault, away_s: float) -> list[float]:
    """Kill the broker, start it again; seconds from its return until each node's births are out again, sorted."""
    before = line.swarm.births()
    line.broker.kill()
    wait_until(lambda: line.gateway.number("shutan_link_up") == 0, 30, "the gateway sees the loss")
    time.sleep(away_s)  # how long the broker is away is the point
    line.broker.start()
    began_s = time.monotonic()
    back: dict[str, float] = {}

    def all_back() -> bool:
        now_s = time.monotonic() - began_s
        for name, count in line.swarm.births().items():
            if count > before[name]:
                back.setdefault(name, now_s)
        fault.progress(f"{len(back)} of {len(before)} nodes are back")
        return len(back) == len(before)

    wait_until(all_back, fault.size(short=40, long=300), "every node back", 0.1)
    return sorted(back.values())


def busiest(back: list[float], span_s: float = 1.0) -> int:
    """Most nodes that came back within a second."""
    return max(sum(at <= other < at + span_s for other in back) for at in back)


def test_c12_reconnect_storm_of_real_nodes(tmp_path: Path, fault: Fault) -> None:
    rate, readings = fault.size(short=(40, 10), long=(1, 60))
    limit_s = fault.size(short=40.0, long=1200.0)
    with swarm_line(
        tmp_path,
        count=fault.size(short=20, long=NODES),
        readings=readings,
        interval_s=INTERVAL_S,
        rate=rate,
        keepalive_s=fault.size(short=5, long=30),
        calm=fault.long,
    ) as line:
        with ProcessWatch(line.gateway.pid, 5) as gateway:
            line.swarm.start(lambda count: fault.progress(f"{count} nodes started"))
            began_s = time.monotonic()
            wait_until(lambda: min(line.swarm.births().values()) > 0, limit_s, "births of all nodes", 0.2)
            births_s = time.monotonic() - began_s
            wait_until(lambda: line.rows() >= len(line.swarm.names) * readings // 4, limit_s, "a quarter", 0.5)
            pss_kb = line.swarm.pss_kb()
            back = storm(line, fault, fault.size(short=0.2, long=AWAY_S))
            with ProcessWatch(line.broker.pid, 5) as broker:
                began_s = time.monotonic()

                def whole() -> bool:
                    rows = line.rows()
                    fault.progress(f"{rows} of {len(line.swarm.names) * readings} readings stored")
                    return rows >= len(line.swarm.names) * readings

                wait_until(whole, limit_s, "every reading stored", fault.size(short=0.1, long=2.0))
        assert line.swarm.dead() == {}, "a node ended by itself"
        cpu_s = line.swarm.cpu_s()
        line.swarm.stop()
        line.wait_stored(120)
        counts = line.compare()
        fault.record(
            "C12",
            measured={
                **counts,
                "first_births_s": round(births_s, 1),
                "broker_away_s": fault.size(short=0.2, long=AWAY_S),
                "first_back_s": round(back[0], 1),
                "half_back_s": round(back[len(back) // 2], 1),
                "all_back_s": round(back[-1], 1),
                "most_back_in_one_second": busiest(back),
                "node_pss_kb_max": max(pss_kb.values()),
                "node_pss_kb_mean": round(sum(pss_kb.values()) / len(pss_kb)),
                "nodes_cpu_s": round(cpu_s, 1),
                "broker_cpu_percent": round(100 * broker.cpu_share(), 1),
                "gateway_cpu_percent": round(100 * gateway.cpu_share(), 1),
                "gateway_rss_mib_max": round(max(one.rss_kb for one in gateway.looks) / 1024, 1),
                "gateway_rss_slope_mib_per_h": round(slope_mib_per_h(gateway.after(fault.size(short=0, long=300))), 2),
            },
            bar={"readings_lost": "== 0", "records_lost": "== 0"},
            long_bar={"nodes": ">= 1000", "all_back_s": "<= 120", "node_pss_kb_max": "< 1024"},
            note="real MicroPython nodes with the meter inside the process, a reading every "
            f"{INTERVAL_S} s of a clock {rate} times as fast; back = from the broker listening again until the node "
            "said that its births are out; the broker's CPU is that after the storm; the slope is a least squares line "
            "over looks every 5 s, the first 5 minutes left out (C22 is the long one)",
        )
