"""C9: the broker is killed, stands still, or is heard on one side only; both sides notice, return, and nothing is lost.

Real MicroPython nodes, the real gateway, mosquitto. Times are those of the slowest node and of the gateway.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.harness import Fault
from support.bad_link import DOWN, UP
from support.servers import wait_until
from support.swarm_line import SwarmLine, swarm_line

pytestmark = [pytest.mark.flow, pytest.mark.fault]

INTERVAL_S = 10
KEEPALIVE_S = {"short": 5, "long": 15}
NOTE = "keep-alive {} s on both sides; {}; real MicroPython nodes, each reading and each record number compared"


def back(line: SwarmLine, fault: Fault, again: Callable[[], None] | None = None) -> tuple[float, float]:
    """Seconds until the gateway has a new session, and until the last node has one.

    Counted from now or, with `again`, from its end (it brings the broker back).
    """
    sessions, births = line.gateway.number("shutan_link_connects_total"), line.swarm.births()
    if again:
        again()
    began_s = time.monotonic()
    found = {"gateway": 0.0, "nodes": 0.0}

    def done() -> bool:
        now_s = time.monotonic() - began_s
        if not found["gateway"] and line.gateway.number("shutan_link_connects_total") > sessions:
            found["gateway"] = now_s
        if not found["nodes"] and all(count > births[name] for name, count in line.swarm.births().items()):
            found["nodes"] = now_s
        fault.progress(f"back after {found}")
        return min(found.values()) > 0

    wait_until(done, 120, "new sessions of the gateway and of every node", 0.05)
    return found["gateway"], found["nodes"]


def flowing(line: SwarmLine, readings: int) -> None:
    """Wait until so many readings of the average node are stored."""
    whole = readings * len(line.swarm.names)
    wait_until(lambda: line.rows() >= whole, 240, f"{whole} readings stored", 0.1)


def calm(fault: Fault, keepalive_s: float) -> None:
    """A node's back-off begins afresh when a session was up for two keep-alives, as sessions mostly are."""
    until_s = time.monotonic() + fault.size(0.0, 2.0 * keepalive_s + 2.0)
    wait_until(lambda: time.monotonic() >= until_s, 300, "calm sessions", 0.1)


def finish(line: SwarmLine) -> dict[str, int]:
    """All readings; the counts of the comparison."""
    line.wait_stored(300)
    assert line.swarm.dead() == {}
    line.swarm.stop()
    return line.compare()


def test_c09_broker_is_killed_and_back(tmp_path: Path, fault: Fault) -> None:
    rounds, keepalive_s = fault.size(short=1, long=20), KEEPALIVE_S[fault.form]
    with swarm_line(
        tmp_path,
        count=fault.size(short=4, long=40),
        readings=fault.size(short=10, long=200),
        interval_s=INTERVAL_S,
        rate=fault.size(short=40, long=20),
        keepalive_s=keepalive_s,
        gateway_keepalive_s=keepalive_s,
    ) as line:
        line.swarm.start()
        slowest = [0.0, 0.0]
        for number in range(rounds):
            flowing(line, 2 + number)
            away_s = 0.1 + number * 0.5

            def again(away_s: float = away_s) -> None:
                line.broker.kill()
                time.sleep(away_s)  # how long it is away is the point
                line.broker.start()

            slowest = [max(pair) for pair in zip(slowest, back(line, fault, again), strict=True)]
        counts = finish(line)
        fault.record(
            "C9",
            part="kill",
            measured={
                "kills": rounds,
                **counts,
                "gateway_back_s": round(slowest[0], 2),
                "last_node_back_s": round(slowest[1], 2),
            },
            bar={"readings_lost": "== 0", "records_lost": "== 0"},
            long_bar={
                "gateway_back_s": f"<= {1.5 * keepalive_s}",
                "last_node_back_s": f"<= {1.5 * keepalive_s}",
            },
            note=NOTE.format(keepalive_s, "away 0.1 s to 9.6 s; back is counted from the broker listening again"),
        )


def test_c09_broker_stands_still(tmp_path: Path, fault: Fault) -> None:
    """SIGSTOP: connections stay open and nobody answers."""
    keepalive_s, still_s = KEEPALIVE_S[fault.form], fault.size(short=0.0, long=90.0)
    with swarm_line(
        tmp_path,
        count=fault.size(short=4, long=40),
        readings=fault.size(short=12, long=300),
        interval_s=INTERVAL_S,
        rate=20,
        keepalive_s=keepalive_s,
        gateway_keepalive_s=keepalive_s,
    ) as line:
        line.swarm.start()
        flowing(line, 1)
        noticed = {"gateway": 0.0, "nodes": 0.0}
        os.kill(line.broker.pid, signal.SIGSTOP)
        began_s = time.monotonic()

        def both() -> bool:
            now_s = time.monotonic() - began_s
            if not noticed["gateway"] and line.gateway.number("shutan_link_up") == 0:
                noticed["gateway"] = now_s
            if not noticed["nodes"] and all(line.swarm.says(name, "link_down") for name in line.swarm.names):
                noticed["nodes"] = now_s
            return min(noticed.values()) > 0

        try:
            wait_until(both, 120, "the gateway and every node notice", 0.1)
            wait_until(lambda: time.monotonic() - began_s >= still_s, 120, "the broker stood still")
        except BaseException:
            os.kill(line.broker.pid, signal.SIGCONT)
            raise
        gateway_s, nodes_s = back(line, fault, lambda: os.kill(line.broker.pid, signal.SIGCONT))
        counts = finish(line)
        fault.record(
            "C9",
            part="stop",
            measured={
                "stood_still_s": still_s,
                **counts,
                "gateway_noticed_s": round(noticed["gateway"], 2),
                "last_node_noticed_s": round(noticed["nodes"], 2),
                "gateway_back_s": round(gateway_s, 2),
                "last_node_back_s": round(nodes_s, 2),
            },
            bar={"readings_lost": "== 0", "records_lost": "== 0"},
            long_bar={
                "stood_still_s": ">= 90",
                "gateway_noticed_s": f"<= {1.5 * keepalive_s}",
                "last_node_noticed_s": f"<= {1.5 * keepalive_s}",
                "gateway_back_s": f"<= {1.5 * keepalive_s}",
                "last_node_back_s": f"<= {1.5 * keepalive_s}",
            },
            note=NOTE.format(keepalive_s, "noticed is counted from SIGSTOP, back from SIGCONT"),
        )


def test_c09_link_is_cut_in_one_direction(tmp_path: Path, fault: Fault) -> None:
    """Bytes of one direction vanish, on every connection that is open, and nothing is closed."""
    keepalive_s = KEEPALIVE_S[fault.form]
    directions = fault.size(short=(DOWN,), long=(DOWN, UP) * 3)
    with swarm_line(
        tmp_path,
        bad=True,
        count=fault.size(short=4, long=40),
        readings=fault.size(short=12, long=800),
        interval_s=INTERVAL_S,
        rate=20,
        keepalive_s=keepalive_s,
        gateway_keepalive_s=keepalive_s,
    ) as line:
        line.swarm.start()
        slowest: dict[str, list[float]] = {DOWN: [0.0, 0.0], UP: [0.0, 0.0]}
        cut = 0
        for number, direction in enumerate(directions):
            flowing(line, 1 + number)
            calm(fault, keepalive_s)
            cut += sum(link.deafen(direction) for link in line.links)
            times = back(line, fault)
            slowest[direction] = [max(pair) for pair in zip(slowest[direction], times, strict=True)]
        counts = finish(line)
        measured = {
            f"{who}_cut_{direction}_s": round(slowest[direction][place], 2)
            for direction in dict.fromkeys(directions)
            for place, who in enumerate(("gateway_back", "last_node_back"))
        }
        fault.record(
            "C9",
            part="one_way",
            measured={"connections_cut": cut, **counts, **measured},
            bar={"readings_lost": "== 0", "records_lost": "== 0"},
            long_bar=dict.fromkeys(measured, f"<= {1.5 * keepalive_s}"),
            note=NOTE.format(
                keepalive_s, "up = towards the broker; a user-space proxy swallows one direction; from the cut"
            ),
        )
