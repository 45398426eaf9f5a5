"""C8: one point in 5,000 that a store will never take: it alone becomes a dead letter, found with few requests."""

import http.client
import random
from collections.abc import Callable
from functools import partial
from math import log2
from pathlib import Path

import pytest

from faults.harness import Fault
from shutan_gateway.deliver.deliverer import Limits
from shutan_gateway.rows import Row
from support.delivery import Line, records
from support.scripted_http import Request, Say, ScriptedHttp
from support.servers import Server
from support.store_rigs import InfluxRig, Rig, SqliteRig, holds
from support.store_rows import series

pytestmark = [pytest.mark.flow, pytest.mark.fault]

COUNT = 5_000
MOST_REQUESTS = int(2 * log2(COUNT) + 1)

BAD: dict[str, Callable[[Row], Row]] = {
    "type_conflict": lambda row: row._replace(metrics=row.metrics, values=(1.5, row.values[1])),
    "bad_utf8": lambda row: row._replace(metrics=("note",), values=("\udc80",)),
    "far_future": lambda row: row._replace(t_ns=2**63),
}


def passed_on(server: Server, request: Request) -> Say:
    """The real server's answer."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    try:
        names = {name: value for name, value in request.headers.items() if name not in {"host", "connection"}}
        connection.request("POST", request.path, request.body, names)
        answer = connection.getresponse()
        body = answer.read()
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in {"content-length", "date", "connection"}}
        return Say(answer.status, body, headers)
    finally:
        connection.close()


class RelayedRig(InfluxRig):
    """InfluxDB 1.6, written through a relay that counts, read directly."""

    def __init__(self, server: Server, database: str, relay: ScriptedHttp) -> None:
        super().__init__(server, database)
        self._table["url"] = relay.url
        self.reopen()


class Figures:
    """The worst of all batches with one bad point."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._chance = random.Random(8)  # noqa: S311 - the same places each time
        self.batches = self.requests = self.wrongly_dead = self.read_back = self.unlike_one = 0

    def run(self, rig: Rig, folder: Path, requests: Callable[[Line], int]) -> None:
        """Batches with each kind of bad point at several places."""
        name = rig.store.name
        seen = requests_before = 0
        for kind, spoil in BAD.items():
            for turn in range(self._fault.size(short=1, long=25)):
                rows = series(COUNT, device=f"{kind}-{turn}")
                place = self._chance.randrange(1, COUNT)
                bad = spoil(rows[place])
                own = folder / f"{name}-{kind}-{turn}"
                own.mkdir()
                limits = Limits(batch_bytes=10_000_000, batch_rows=COUNT, linger_s=0)
                with Line(own, rig.store, limits=limits) as line:
                    requests_before = requests(line)
                    line.append(records([*rows[:place], bad, *rows[place + 1 :]]), group=COUNT)
                    line.wait_delivered()
                    stored, dead, pending = line.totals(name)
                    assert stored + dead + pending == COUNT
                    seen = requests(line) - requests_before
                    letters = line.letters(name)
                self.batches += 1
                self.requests = max(self.requests, seen)
                self.unlike_one += dead != 1 or len(letters) != 1
                self.wrongly_dead += dead - 1
                assert holds(rig, [*rows[:place], *rows[place + 1 :]])
                self.read_back += COUNT - 1
                rig.reopen()
                self._fault.progress(f"{name}: {kind} {turn + 1}, {seen} requests for {COUNT} points")


def test_c08_one_bad_point_in_5000(fault: Fault, tmp_path: Path, influxd: Server, influx_database: str) -> None:
    """InfluxDB 1.6 and the embedded store: type conflict, text that is no UTF-8, a time that no store can hold."""
    influx, sqlite = Figures(fault), Figures(fault)
    with ScriptedHttp() as counting:
        counting.answer = partial(passed_on, influxd)
        rig = RelayedRig(influxd, influx_database, counting)
        influx.run(rig, tmp_path, lambda _line: len(counting.requests))
        rig.store.close()
    local = SqliteRig(tmp_path)
    sqlite.run(local, tmp_path, lambda line: int(line.counters.get("shutan_store_requests_total", store="local")))
    local.store.close()
    fault.record(
        "C8",
        measured={
            "batches": influx.batches + sqlite.batches,
            "points_each": COUNT,
            "requests_influxdb": influx.requests,
            "requests_sqlite": sqlite.requests,
            "batches_with_other_than_one_dead_letter": influx.unlike_one + sqlite.unlike_one,
            "good_points_dead": influx.wrongly_dead + sqlite.wrongly_dead,
            "good_points_read_back": influx.read_back + sqlite.read_back,
        },
        bar={
            "requests_influxdb": f"<= {MOST_REQUESTS}",
            "requests_sqlite": f"<= {MOST_REQUESTS}",
            "batches_with_other_than_one_dead_letter": "== 0",
            "good_points_dead": "== 0",
        },
        long_bar={"batches": ">= 150"},
        note="type conflict, text that is no UTF-8, a time behind 2262; the most requests for one batch: those that a "
        "relay before InfluxDB 1.6 counted, write calls for SQLite",
    )
