"""C1: the gateway is killed (SIGKILL) at random moments, while it works and while it starts."""

import random
import time
from pathlib import Path

import pytest

from faults.harness import Fault
from support.balance import check_balance, pending
from support.field_check import RIGHT, compare
from support.field_nodes import Field
from support.gateway_process import SQLITE, GatewayProcess, gateway_process
from support.line_sink import LineSink, is_subsequence
from support.servers import Server, wait_until

pytestmark = [pytest.mark.flow, pytest.mark.fault]

NODES = 20


def restart(gateway: GatewayProcess, field: Field, early: float | None) -> float:
    """Start the killed gateway; seconds from the start of its process to the first new acknowledgement at a node.

    early: it is killed once more so many seconds after that start, before anything was waited for.
    """
    if early is not None:
        gateway.start(wait=False)
        time.sleep(early)  # the moment of the kill is the point
        gateway.kill()
    time.sleep(0.05)  # what the broker still had to pass on of the life before
    acked = field.acked
    began_s = time.monotonic()
    gateway.start()
    wait_until(lambda: field.acked > acked, 60, "acknowledgements flow again", step_s=0.002)
    return time.monotonic() - began_s


def test_c01_kill9_of_the_gateway(fault: Fault, mosquitto: Server, tmp_path: Path) -> None:
    """Nothing acknowledged is lost, nothing is stored twice, what came in order is delivered in order."""
    wanted = fault.size(short=2, long=500)
    chance = random.Random(1)  # noqa: S311 - moments of the kills
    recovery_s: list[float] = []
    kills = at_start = 0
    with (
        LineSink() as sink,
        Field(mosquitto.port, count=NODES, rate=fault.size(short=400, long=1000)) as field,
        gateway_process(tmp_path, mosquitto.port, SQLITE + sink.config()) as gateway,
    ):
        began_s = time.monotonic()
        wait_until(lambda: field.acked > 0, 60, "acknowledgements flow")
        while kills < wanted:
            time.sleep(chance.uniform(0, 1.0))  # the moment of the kill is the point
            check_balance(gateway)
            gateway.kill()
            early = chance.uniform(0, 1.0) if chance.random() < 0.2 else None
            kills += 1 if early is None else 2
            at_start += early is not None
            recovery_s.append(restart(gateway, field, early))
            fault.progress(f"{kills} of {wanted} kills, {field.sampled} records, slowest start {max(recovery_s):.2f} s")
        rate = field.sampled / (time.monotonic() - began_s)
        field.finish(fault.size(short=60, long=300))
        wait_until(lambda: pending(gateway) == 0, 120, "everything delivered")
        numbers = check_balance(gateway)
        assert numbers["shutan_accepted_total"] == field.sampled
        assert "Traceback" not in gateway.log_tail(100_000)
        disordered = [
            name for name, node in field.nodes.items() if not is_subsequence(sink.order[name.encode()], node.published)
        ]
        missed = sum(
            len(set(range(1, n.newest + 1)) - set(sink.order[name.encode()])) for name, n in field.nodes.items()
        )
    recovery_s.sort()
    fault.record(
        "C1",
        measured={
            "kills": kills,
            "kills_while_starting": at_start,
            "records": field.sampled,
            "rate_per_s": round(rate),
            **compare(tmp_path / "series.sqlite", field),
            "missed_by_second_store": missed,
            "nodes_out_of_order": len(disordered),
            "sent_again": int(numbers["shutan_duplicates_total"]),
            "recovery_p50_s": round(recovery_s[len(recovery_s) // 2], 2),
            "recovery_p99_s": round(recovery_s[int(len(recovery_s) * 0.99)], 2),
        },
        bar={
            **RIGHT,
            "missed_by_second_store": "== 0",
            "nodes_out_of_order": "== 0",
        },
        long_bar={"kills": ">= 500", "rate_per_s": ">= 900", "recovery_p99_s": "< 2"},
        note="recovery from the start of the process to the first new acknowledgement heard by a node; "
        "order seen by a second store (line protocol) against the order of publishing",
    )
