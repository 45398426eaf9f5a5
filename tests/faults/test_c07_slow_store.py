"""C7: a store that answers after 2 s and reads 1 KB/s: intake does not feel it and memory does not grow."""

import time
from pathlib import Path

import pytest

from faults.harness import Fault
from support.balance import check_balance, pending
from support.field_nodes import Field
from support.gateway_process import GatewayProcess, gateway_process
from support.line_sink import LineSink
from support.process_watch import MIB, look
from support.scripted_http import Request, Say
from support.servers import Server, wait_until

pytestmark = [pytest.mark.flow, pytest.mark.fault]

BYTES_PER_S = 1000


class Watch:
    """Records not yet acknowledged and memory, over a while."""

    def __init__(self, field: Field, gateway: GatewayProcess, seconds: float, fault: Fault) -> None:
        self.waiting: list[int] = []
        self.rss_mib: list[float] = []
        began_s, sampled, acked = time.monotonic(), field.sampled, field.acked
        while time.monotonic() - began_s < seconds:
            check_balance(gateway)
            self.waiting.append(field.sampled - field.acked)
            self.rss_mib.append(look(gateway.pid).rss_kb / MIB)
            fault.progress(f"{time.monotonic() - began_s:.0f} of {seconds:g} s, RSS {self.rss_mib[-1]:.1f} MiB")
            time.sleep(0.2)  # between two looks
        self.share = (field.acked - acked) / max(1, field.sampled - sampled)

    @property
    def behind(self) -> int:
        """Records that waited for their acknowledgement: the 99th percentile of all looks."""
        return sorted(self.waiting)[int(len(self.waiting) * 0.99)]


def test_c07_slow_store(fault: Fault, mosquitto: Server, tmp_path: Path) -> None:
    """Intake goes on as before, memory stays, and the store gets everything when it is quick again."""
    rate = fault.size(short=200, long=1000)
    with (
        LineSink() as sink,
        Field(mosquitto.port, count=20, rate=rate) as field,
        gateway_process(tmp_path, mosquitto.port, sink.config(more="timeout_s = 10")) as gateway,
    ):
        wait_until(lambda: sink.records > rate, 60, "the line flows")
        before = Watch(field, gateway, fault.size(short=0.5, long=20), fault)
        taken, refused = sink.records, gateway.number('shutan_store_retries_total{store="sink"}')
        latency_s = fault.size(short=0.5, long=2.0)

        def slow(_request: Request) -> Say | None:
            time.sleep(latency_s)  # the server is slow: that is what is tested
            return None

        sink.fail = slow
        sink.pace(BYTES_PER_S)
        during = Watch(field, gateway, fault.size(short=1.5, long=240), fault)
        taken = sink.records - taken
        broke_off = gateway.number('shutan_store_retries_total{store="sink"}') - refused
        waiting = int(pending(gateway))
        sink.fail = lambda _request: None
        sink.pace(0)
        field.finish(fault.size(short=60, long=300))
        wait_until(lambda: pending(gateway) == 0, 300, "everything delivered", step_s=0.1)
        numbers = check_balance(gateway)
        assert numbers["shutan_accepted_total"] == field.sampled
        assert "Traceback" not in gateway.log_tail(10_000)
        missing = sum(sink.missing(name, node.newest) for name, node in field.nodes.items())
    fault.record(
        "C7",
        measured={
            "records": field.sampled,
            "taken_while_slow": taken,
            "broken_off_while_slow": int(broke_off),
            "waiting_at_its_end": waiting,
            "not_delivered": missing,
            "acked_of_sampled_percent": round(100 * during.share),
            "unacknowledged_p99_before": before.behind,
            "unacknowledged_p99_while_slow": during.behind,
            "unacknowledged_more_s": round(max(0, during.behind - before.behind) / rate, 2),
            "rss_before_mib": round(before.rss_mib[-1], 1),
            "rss_growth_mib": round(max(during.rss_mib) - before.rss_mib[-1], 1),
        },
        bar={"not_delivered": "== 0", "rss_growth_mib": "<= 64", "waiting_at_its_end": "> 0"},
        long_bar={"acked_of_sampled_percent": ">= 99", "unacknowledged_more_s": "<= 0.5"},
        note="the store reads 1,000 B/s and answers 2 s later for 240 s (long form); 1,000 records/s come in",
    )
