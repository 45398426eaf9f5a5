"""C23: nodes sample 2, 5 and 10 times as fast as the gateway can take; it slows them down and loses nothing.

The gateway gets a small share of a processor, so that generator and broker have room to be ten times as fast. What it
can take is measured first, with the same nodes and no pause between their messages.
"""

import contextlib
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from faults.harness import Fault, Figure
from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.balance import check_balance, pending
from support.field_nodes import Field
from support.gateway_process import GatewayProcess, gateway_process
from support.load import Load
from support.process_watch import look
from support.servers import wait_until
from support.swarm_line import broker
from support.sys_topics import DROPPED, SysTopics
from support.throttle import Throttle

pytestmark = [pytest.mark.flow, pytest.mark.fault]

SHARE = 0.08
RESEND_S = 30.0  # two keep-alives of 15 s, as a node begins with; sooner, what is sent again adds to the overload
PROBE_HZ = 5.0
HEALTHY_LAG_S = 2.0  # of a node that samples five times a second: its acknowledgements are so far behind
LIMIT_S = 900.0


@dataclass
class Phase:
    """What one overload showed."""

    factor: int
    offered_per_s: float
    accepted_per_s: float = 0.0
    lag_s: float = 0.0
    recovered_s: float = 0.0
    drained_s: float = 0.0
    totals: dict[str, int] = field(default_factory=dict[str, int])


def lag_s(probe: Field) -> float:
    """How far the acknowledgements of the calm node are behind."""
    return (probe.sampled - probe.acked) / PROBE_HZ


@dataclass
class Overload:
    """The gateway, its nodes, and how many records each of them has made so far."""

    gateway: GatewayProcess
    port: int
    probe: Field
    nodes: int
    window: int
    made: int = 0

    def load(self, records: int, rate: float = 1e9) -> Load:
        """The nodes, with so many more records each."""
        found = Load(
            self.port,
            nodes=self.nodes,
            records=records,
            window=self.window,
            rate=rate,
            made=self.made,
            resend_s=RESEND_S,
        )
        self.made += records
        return found

    def accepted(self) -> float:
        """Records on the gateway's disk."""
        return self.gateway.number("shutan_accepted_total")

    def capacity(self, records: int) -> float:
        """Records a second that the gateway takes from nodes which do not pause."""
        first = self.accepted()
        seen_s = time.monotonic()

        def begun() -> bool:
            nonlocal seen_s
            seen_s = time.monotonic()  # before the question: an answer takes a while from a process that is held back
            return self.accepted() > first + self.nodes

        with self.load(records) as load:
            wait_until(begun, LIMIT_S, "the load's start", 0.01)
            began_s = seen_s
            load.totals(LIMIT_S)
            return (self.accepted() - first) / (time.monotonic() - began_s)

    def run(self, phase: Phase, for_s: float, fault: Fault) -> None:
        """Offer too much for a while, and wait until the calm node is served as before and everything is there."""
        before, began_s = self.accepted(), time.monotonic()
        with self.load(int(phase.offered_per_s * for_s / self.nodes), phase.offered_per_s) as load:

            def over() -> bool:
                phase.lag_s = max(phase.lag_s, lag_s(self.probe))
                fault.progress(f"{phase.factor} x, the calm node is {lag_s(self.probe):.1f} s behind")
                return time.monotonic() - began_s >= for_s

            wait_until(over, LIMIT_S, "the end of the overload", 0.1)
            ended_s = time.monotonic()
            phase.accepted_per_s = (self.accepted() - before) / (ended_s - began_s)

            def drained() -> bool:
                behind_s = lag_s(self.probe)
                fault.progress(f"{phase.factor} x is over, the calm node is {behind_s:.1f} s behind")
                if not phase.recovered_s and behind_s <= HEALTHY_LAG_S:
                    phase.recovered_s = time.monotonic() - ended_s
                return not load.running() and phase.recovered_s > 0

            wait_until(drained, LIMIT_S, "every record acknowledged", 0.1)
            phase.drained_s = time.monotonic() - ended_s
            phase.totals = load.totals(30)


def stored_records(gateway: GatewayProcess) -> set[tuple[str, object]]:
    """(node, record) of every row of the load's nodes that has all its counters."""
    found: set[tuple[str, object]] = set()
    with closing(open_readonly(gateway.folder / "series.sqlite")) as conn:
        for series in list_series(conn):
            if series.site == "bench":
                names = ("record", "active_energy_import_wh")
                found.update((series.node, row[1]) for row in read_series(conn, series, names, 0, 2**63 - 1) if row[2])
    return found


def connected(gateway: GatewayProcess) -> contextlib.AbstractContextManager[None]:
    """Wait for the gateway's session: births that it does not hear cost a rejected message each."""
    wait_until(lambda: gateway.number("shutan_link_up") == 1, 30, "the gateway is connected")
    return contextlib.nullcontext()


def figures(phase: Phase) -> dict[str, Figure]:
    """What a phase adds to the result."""
    key = f"x{phase.factor}"
    return {
        f"{key}_accepted_per_s": round(phase.accepted_per_s),
        f"{key}_records": phase.totals["newest"],
        f"{key}_sent_again": phase.totals["resent"],
        f"{key}_calm_node_behind_s_max": round(phase.lag_s, 1),
        f"{key}_recovered_s": round(phase.recovered_s, 1),
        f"{key}_backlog_drained_s": round(phase.drained_s, 1),
    }


def test_c23_overload(tmp_path: Path, fault: Fault) -> None:
    for_s = fault.size(short=0.5, long=15.0)
    nodes, window = fault.size(short=(6, 100), long=(20, 300))
    server = broker(tmp_path)
    phases: list[Phase] = []
    with (
        server,
        gateway_process(tmp_path, server.port) as gateway,
        SysTopics(server.port) as says,
        connected(gateway),
        Field(server.port, 1, PROBE_HZ, RESEND_S) as probe,
    ):
        with Throttle(gateway.pid, SHARE):
            run = Overload(gateway, server.port, probe, nodes, window)
            wait_until(lambda: probe.acked > 0, 60, "the calm node is served")
            took = run.capacity(fault.size(short=200, long=1500))
            start_kb = look(gateway.pid).rss_kb
            for factor in fault.size(short=(5,), long=(2, 5, 10)):
                phases.append(Phase(factor, factor * took))
                run.run(phases[-1], for_s, fault)
                check_balance(gateway)
        probe.finish(60)
        wait_until(lambda: pending(gateway) == 0, LIMIT_S, "everything delivered", 0.2)
        numbers = check_balance(gateway)
        fault.record(
            "C23",
            measured={
                "capacity_per_s": round(took),
                "records": nodes * run.made,
                "records_lost": nodes * run.made - len(stored_records(gateway)) + probe.sampled - probe.acked,
                "rejected": int(
                    sum(value for key, value in numbers.items() if key.startswith("shutan_rejected_total"))
                ),
                "shed_by_the_broker": says.figures[DROPPED],
                "times_the_gateway_stopped_reading": int(numbers["shutan_queue_blocked_total"]),
                "sessions_lost": int(numbers.get("shutan_link_lost_total", 0)),
                "gateway_rss_grown_mib": round((look(gateway.pid).rss_kb - start_kb) / 1024, 1),
                **{name: value for phase in phases for name, value in figures(phase).items()},
            },
            bar={"records_lost": "== 0", "rejected": "== 0"},
            long_bar={
                "gateway_rss_grown_mib": "< 64",
                **{f"x{phase.factor}_recovered_s": "< 30" for phase in phases},
            },
            note=f"the gateway gets {SHARE:.0%} of a processor (stopped and continued every 50 ms); {nodes} nodes with "
            f"50 values a message sample that many times its capacity for {for_s:g} s, each leaves at most {window} "
            "records unacknowledged and keeps the rest; recovered = from the end of that until a node with "
            f"{PROBE_HZ:g} records a second is at most {HEALTHY_LAG_S:g} s behind with its acknowledgements; the "
            f"gateway sheds nothing, a message that the broker drops is sent again after {RESEND_S:g} s",
        )
