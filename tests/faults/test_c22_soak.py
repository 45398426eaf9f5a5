"""C22: a thousand real nodes for an hour and more; the gateway's memory and descriptors stay where they are.

The long form takes SHUTAN_WARM_S + SHUTAN_SOAK_S (20 min + 60 min) with SHUTAN_NODES (1,000) nodes.
"""

import os
import time
from pathlib import Path

import pytest

from faults.harness import Fault, Figure
from support.process_watch import Look, ProcessWatch, slope_mib_per_h
from support.servers import wait_until
from support.swarm_line import swarm_line

pytestmark = [pytest.mark.flow, pytest.mark.fault]

NODES = int(os.environ.get("SHUTAN_NODES", "1000"))
WARM_S = float(os.environ.get("SHUTAN_WARM_S", "1200"))
SOAK_S = float(os.environ.get("SHUTAN_SOAK_S", "3600"))
INTERVAL_S = 10
CONFLICT_WINDOW = 16  # samples a device; fills within the warm-up, the default of 1,024 takes 2.8 h at this interval
LOOK_EVERY_S = 10.0


def quarters(looks: list[Look]) -> list[float]:
    """Mean resident memory of each quarter of the soak in MiB: shows a slope that is none of the whole."""
    size = max(1, len(looks) // 4)
    parts = [looks[at : at + size] for at in range(0, 4 * size, size)]
    return [round(sum(one.rss_kb for one in part) / len(part) / 1024, 2) for part in parts if part]


def watched(gateway: ProcessWatch, broker: ProcessWatch, warm_s: float) -> dict[str, Figure]:
    """Memory, descriptors and CPU time of both after the warm-up."""
    looks, broker_looks = gateway.after(warm_s), broker.after(warm_s)
    return {
        "looks": len(looks),
        "gateway_rss_slope_mib_per_h": round(slope_mib_per_h(looks), 3),
        "gateway_rss_mib_quarters": " ".join(str(mib) for mib in quarters(looks)),
        "gateway_rss_mib_max": round(max(one.rss_kb for one in gateway.looks) / 1024, 2),
        "gateway_descriptors_grown": looks[-1].fds - looks[0].fds,
        "gateway_descriptors": looks[-1].fds,
        "gateway_cpu_percent": round(100 * gateway.cpu_share(), 1),
        "broker_rss_slope_mib_per_h": round(slope_mib_per_h(broker_looks), 3),
        "broker_descriptors_grown": broker_looks[-1].fds - broker_looks[0].fds,
        "broker_cpu_percent": round(100 * broker.cpu_share(), 1),
    }


def test_c22_soak_of_real_nodes(tmp_path: Path, fault: Fault) -> None:
    warm_s, soak_s = fault.size(short=(1.0, 2.0), long=(WARM_S, SOAK_S))
    rate = fault.size(short=40, long=1)
    readings = int((warm_s + soak_s) * rate / INTERVAL_S)
    with swarm_line(
        tmp_path,
        intake=f"conflict_window = {CONFLICT_WINDOW}",
        count=fault.size(short=8, long=NODES),
        readings=readings,
        interval_s=INTERVAL_S,
        rate=rate,
        keepalive_s=30,
        gateway_keepalive_s=15,
        calm=fault.long,
    ) as line:
        line.swarm.start(lambda count: fault.progress(f"{count} nodes started"))
        wait_until(lambda: min(line.swarm.births().values()) > 0, 300, "births of all nodes", 0.2)
        pss_kb = line.swarm.pss_kb()
        every_s = fault.size(short=0.25, long=LOOK_EVERY_S)
        with ProcessWatch(line.gateway.pid, every_s) as gateway, ProcessWatch(line.broker.pid, every_s) as broker:
            end_s = time.monotonic() + warm_s + soak_s

            def over() -> bool:
                left_s = end_s - time.monotonic()
                mib = round(gateway.looks[-1].rss_kb / 1024, 2) if gateway.looks else 0.0
                fault.progress(f"{left_s:.0f} s left, gateway {mib} MiB, {len(gateway.looks)} looks")
                return left_s <= 0

            wait_until(over, warm_s + soak_s + 60, "the end of the soak", fault.size(short=0.05, long=1.0))
        assert line.swarm.dead() == {}, "a node ended by itself"
        cpu_s = line.swarm.cpu_s()
        line.wait_stored(300)
        line.swarm.stop()
        fault.record(
            "C22",
            measured={
                **line.compare(),
                "warm_up_s": warm_s,
                "soak_s": soak_s,
                **watched(gateway, broker, warm_s),
                "node_pss_kb_max": max(pss_kb.values()),
                "nodes_cpu_s": round(cpu_s, 1),
                "sessions_lost": int(line.gateway.number("shutan_link_lost_total")),
            },
            bar={"readings_lost": "== 0", "records_lost": "== 0", "broker_descriptors_grown": "== 0"},
            long_bar={
                "nodes": ">= 1000",
                "soak_s": ">= 3600",
                "gateway_rss_slope_mib_per_h": "< 1",
                "gateway_descriptors_grown": "<= 1",
                "node_pss_kb_max": "< 1024",
            },
            note=f"the slope is a least squares line through VmRSS every {every_s:g} s after a warm-up of {warm_s:g} s "
            f"in which the conflict windows fill: [intake] conflict_window = {CONFLICT_WINDOW}; with the default of "
            "1,024 they grow for 2.8 h at a reading every 10 s, by at most 26 KB a device; one descriptor may come and "
            "go with the spool's segments",
        )
