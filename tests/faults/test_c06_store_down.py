"""C6: the store is away for long, in every way that stores are away; then it drains while the plant goes on."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.harness import Fault, Figure
from support.balance import check_balance, pending
from support.field_nodes import Field
from support.gateway_process import GatewayProcess, gateway_process
from support.line_sink import LineSink
from support.process_watch import MIB, look
from support.scripted_http import Say
from support.servers import Server, wait_until

pytestmark = [pytest.mark.flow, pytest.mark.fault]

LIVE_PER_S = 100  # 1,000 nodes with a record every 10 s
WATCHED = "n00"  # the node whose newest sample is looked for in the store


class Outage:
    """One way of being away: `begin` and `end` act on the sink."""

    def __init__(self, sink: LineSink, name: str, retry_after_s: int) -> None:
        self._sink = sink
        self._release = threading.Event()
        wish = {"Retry-After": str(retry_after_s)}
        ways: dict[str, Callable[[], None]] = {
            "refused": sink.refuse,
            "hanging": lambda: self._answer(Say(503, after=self._release)),
            "503": lambda: self._answer(Say(503, headers=wish)),
            "429": lambda: self._answer(Say(429, headers=wish)),
        }
        self.begin = ways[name]
        self._refused = name == "refused"

    def _answer(self, say: Say) -> None:
        self._sink.fail = lambda _request: say

    def end(self) -> None:
        if self._refused:
            self._sink.listen()
        else:
            self._sink.fail = lambda _request: None
            self._release.set()


class Drain:
    """What is seen from the return of the store until it has all but the newest records."""

    def __init__(self, field: Field, sink: LineSink, gateway: GatewayProcess) -> None:
        self._field, self._sink, self._gateway = field, sink, gateway
        self.backlog = int(pending(gateway))
        self.resumed_s = self.seconds = self.behind_s = self.rss_mib = 0.0
        self.delivered = 0

    def watch(self, limit_s: float, say: Callable[[str], None]) -> None:
        """Until pending is what comes in a second."""
        node, published = self._field.nodes[WATCHED], [(time.monotonic(), 0)]
        before, back_s = self._sink.records, time.monotonic()
        wait_until(lambda: self._sink.records > before, 120, "the store is used again", step_s=0.005)
        first_s = time.monotonic()
        self.resumed_s = first_s - back_s
        base, live_from = int(self._numbers()["stored"]), node.newest
        while (left := self._numbers())["pending"] > self._field.rate:
            now_s = time.monotonic()
            assert now_s - first_s < limit_s, f"{left['pending']:.0f} records are left after {limit_s:g} s"
            published.append((now_s, node.newest))
            stored = self._sink.newest[WATCHED.encode()]
            if stored > live_from:
                told_s = next(at_s for at_s, newest in published if newest >= stored)
                self.behind_s = max(self.behind_s, now_s - told_s)
            elif now_s - first_s > self.behind_s:
                self.behind_s = now_s - first_s
            self.rss_mib = max(self.rss_mib, look(self._gateway.pid).rss_kb / MIB)
            say(f"{left['pending']:.0f} records left, live {self.behind_s:.1f} s behind")
            time.sleep(0.1)  # between two looks
        self.seconds = time.monotonic() - first_s
        self.delivered = int(self._numbers()["stored"]) - base

    def _numbers(self) -> dict[str, float]:
        numbers = check_balance(self._gateway)
        label = '{store="sink"}'
        return {
            "pending": numbers[f"shutan_store_pending{label}"],
            "stored": numbers[f"shutan_store_stored_total{label}"],
        }


def test_c06_store_down_for_days(fault: Fault, mosquitto: Server, tmp_path: Path) -> None:
    """Nothing is lost, the backlog drains much faster than the plant adds to it, and live data is not kept waiting."""
    backlog = fault.size(short=150, long=90_000)
    figures: dict[str, Figure] = {}
    ratios: list[float] = []
    behind: list[float] = []
    most_mib: list[float] = []
    with (
        LineSink() as sink,
        Field(mosquitto.port, count=20, rate=LIVE_PER_S) as field,
        gateway_process(tmp_path, mosquitto.port, sink.config(more="timeout_s = 1")) as gateway,
    ):
        for name in fault.size(short=("refused", "429"), long=("refused", "hanging", "503", "429")):
            wait_until(lambda: sink.records > 0 and pending(gateway) < LIVE_PER_S, 60, "the line flows")
            outage = Outage(sink, name, retry_after_s=fault.size(short=1, long=5))
            posts = sink.posts
            outage.begin()
            field.rate = fault.size(short=500, long=1500)
            wait_until(lambda: pending(gateway) >= backlog, 600, f"{backlog} records wait", step_s=0.1)
            field.rate = LIVE_PER_S
            figures[f"requests_while_{name}"] = sink.posts - posts
            drain = Drain(field, sink, gateway)
            outage.end()
            drain.watch(600, lambda text, name=name: fault.progress(f"{name}: {text}"))
            ratios.append(drain.delivered / drain.seconds / LIVE_PER_S)
            behind.append(drain.behind_s)
            most_mib.append(max(drain.rss_mib, look(gateway.pid).rss_kb / MIB))
            figures[f"resumed_after_{name}_s"] = round(drain.resumed_s, 1)
        field.finish(fault.size(short=60, long=300))
        wait_until(lambda: pending(gateway) == 0, 60, "everything delivered")
        numbers = check_balance(gateway)
        assert numbers["shutan_accepted_total"] == field.sampled
        assert "Traceback" not in gateway.log_tail(10_000)
        missing = sum(sink.missing(name, node.newest) for name, node in field.nodes.items())
    fault.record(
        "C6",
        measured={
            "backlog_each": backlog,
            "hours_each_at_live_rate": round(backlog / LIVE_PER_S / 3600, 2),
            "records": field.sampled,
            "not_delivered": missing,
            "dead": int(numbers['shutan_store_dead_total{store="sink"}']),
            "drain_of_live_rate_times": round(min(ratios), 1),
            "live_behind_while_draining_s": round(max(behind), 1),
            "rss_most_mib": round(max(most_mib), 1),
            "rss_growth_after_the_first_outage_mib": round(max(0.0, max(most_mib) - most_mib[0]), 1),
            **figures,
        },
        bar={"not_delivered": "== 0", "dead": "== 0"},
        long_bar={
            "drain_of_live_rate_times": ">= 10",
            "live_behind_while_draining_s": "< 60",
            "rss_growth_after_the_first_outage_mib": "<= 16",
        },
        note="72 h of 1,000 nodes with a record every 10 s (100 records/s) scaled 1:288: after each way of being away "
        "90,000 records wait, which came in at 1,500/s; the slowest drain and the worst lag of the four",
    )
