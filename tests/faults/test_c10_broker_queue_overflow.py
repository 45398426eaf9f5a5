"""C10: the gateway is away or stands still while every node makes thousands of records; all of them arrive later."""

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from faults.harness import Fault
from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.balance import check_balance, pending
from support.gateway_process import SQLITE, GatewayProcess, gateway_process
from support.load import Load
from support.servers import wait_until
from support.swarm_line import broker, configure, swarm_line
from support.sys_topics import DROPPED, RECEIVED, SysTopics

pytestmark = [pytest.mark.flow, pytest.mark.fault]

LIMIT_S = 900.0


def test_c10_gateway_is_away(tmp_path: Path, fault: Fault) -> None:
    """Killed; the nodes publish to nobody, put their records on flash, and send them again when it is back."""
    readings = fault.size(short=60, long=5000)
    with swarm_line(
        tmp_path,
        count=fault.size(short=3, long=10),
        readings=readings,
        interval_s=1,
        rate=30,
        keepalive_s=10,
        settings={"node_interval_s": 3600, "store": {"ram_window_s": 1}},
    ) as line:
        line.swarm.start()
        wait_until(lambda: line.rows() > 0, 60, "the first readings")
        line.gateway.kill()
        whole = readings * len(line.swarm.names)

        def far_enough() -> bool:
            names = line.swarm.names
            if fault.long:
                return all(line.swarm.says(name, "death") for name in names)  # the meters have no more to give
            return all(line.swarm.flash_bytes(name) for name in names)

        wait_until(far_enough, LIMIT_S, "records on flash, in the long form all of them", fault.size(0.1, 2.0))
        held = whole - line.count()
        line.gateway.start()

        def all_there() -> bool:
            rows = line.rows()
            fault.progress(f"{rows} of {whole} readings stored")
            return rows >= whole

        wait_until(all_there, LIMIT_S, "everything sent again", 0.2)
        line.wait_stored(60)
        line.swarm.stop()
        fault.record(
            "C10",
            part="away",
            measured={"records_per_node": readings, "readings_held_by_the_nodes": held, **line.compare()},
            bar={"readings_lost": "== 0", "records_lost": "== 0"},
            long_bar={"records_per_node": ">= 5000"},
            note="real MicroPython nodes; the gateway is killed (SIGKILL) after the first readings and started again "
            "when every node has made all of its own (short form: when every node has some on flash)",
        )


def test_c10_broker_drops_from_its_queue(tmp_path: Path, fault: Fault) -> None:
    """The gateway stands still behind an open connection: the broker's queue for it overflows in silence."""
    nodes, records = fault.size(short=4, long=10), fault.size(short=1000, long=5000)
    more = fault.size(short="", long=SQLITE)
    server = broker(tmp_path, queued=1000)
    gateway = gateway_process(tmp_path, server.port, more)
    configure(gateway, keepalive_s=600)
    with server, gateway, SysTopics(server.port) as says:
        wait_until(lambda: gateway.number("shutan_link_up") == 1, 30, "the gateway is connected")
        os.kill(gateway.pid, signal.SIGSTOP)
        try:
            with Load(server.port, nodes=nodes, records=records, window=records) as load:
                wait_until(lambda: says.figures[RECEIVED] >= load.records, 300, "every record sent once", 0.1)
                os.kill(gateway.pid, signal.SIGCONT)
                totals = load.totals(LIMIT_S)
        finally:
            os.kill(gateway.pid, signal.SIGCONT)
        wait_until(lambda: pending(gateway) == 0, LIMIT_S, "everything delivered")
        numbers = check_balance(gateway)
        wait_until(lambda: says.figures[DROPPED] > 0 or not fault.long, 30, "the broker's count of dropped messages")
        assert numbers["shutan_conflicts_total"] == 0
        lost = load.records - int(numbers["shutan_accepted_total"])
        if more:
            lost = max(lost, nodes * records - stored_records(gateway))
        fault.record(
            "C10",
            part="overflow",
            measured={
                "nodes": nodes,
                "messages_per_node": records,
                "dropped_by_the_broker": says.figures[DROPPED],
                "sent_again": totals["resent"],
                "duplicates": int(numbers["shutan_duplicates_total"]),
                "records_lost": lost,
            },
            bar={"records_lost": "== 0"},
            long_bar={"messages_per_node": ">= 5000", "dropped_by_the_broker": "> 0"},
            note="bench/_load.py, 50 values a message; SIGSTOP of the gateway, whose keep-alive is 600 s so that the "
            "broker keeps its connection, max_queued_messages 1000; nodes send again what is not acknowledged in 2 s",
        )


def stored_records(gateway: GatewayProcess) -> int:
    """Different record numbers in the store, of all nodes together."""
    found: set[tuple[str, object]] = set()
    with closing(open_readonly(gateway.folder / "series.sqlite")) as conn:
        for series in list_series(conn):
            found.update((series.node, row[1]) for row in read_series(conn, series, ("record",), 0, 2**63 - 1))
    return len(found)
