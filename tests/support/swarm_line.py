"""Broker, time server, gateway with its embedded store, a swarm of real nodes, and the exact comparison at the end."""

import contextlib
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.bad_link import BadLink
from support.balance import check_balance, pending
from support.gateway_process import GatewayProcess, gateway_process
from support.nodes import TimeServer
from support.places import tool
from support.servers import Server, free_port, wait_until
from support.swarm import Swarm

METRICS = ("active_energy_import_wh", "active_power_w")
BROKER = """\
user root
listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_queued_messages {queued}
sys_interval 1
"""


@dataclass
class SwarmLine:
    """The whole line, in one folder."""

    folder: Path
    broker: Server
    gateway: GatewayProcess
    swarm: Swarm
    links: tuple[BadLink, ...] = ()  # of the nodes, of the gateway
    _begun: bool = False

    def stored(self) -> dict[str, list[tuple[int, int, float]]]:
        """(record, Wh, W) of every row of each node's meter, in the order of their times."""
        found: dict[str, list[tuple[int, int, float]]] = {}
        with closing(open_readonly(self.gateway.folder / "series.sqlite")) as conn:
            for series in list_series(conn):
                if series.family == "energy":
                    rows = read_series(conn, series, ("record", *METRICS), 0, 2**63 - 1)
                    found.setdefault(series.node, []).extend(cast("tuple[int, int, float]", row[1:]) for row in rows)
        return found

    def records(self) -> dict[str, set[int]]:
        """Record numbers of each node that stand in the store, of its meter and of the node itself."""
        found: dict[str, set[int]] = {}
        with closing(open_readonly(self.gateway.folder / "series.sqlite")) as conn:
            for series in list_series(conn):
                rows = read_series(conn, series, ("record",), 0, 2**63 - 1)
                found.setdefault(series.node, set()).update(cast("int", row[1]) for row in rows)
        return found

    def rows(self) -> int:
        """Rows of all meters in the store so far; the gateway is asked only until there are some."""
        if not self._begun:  # the file may be half made
            self._begun = self.gateway.number('shutan_store_stored_total{store="local"}') > 0
        return self.count() if self._begun else 0

    def count(self) -> int:
        """Rows of all meters in a store that has some."""
        with closing(open_readonly(self.gateway.folder / "series.sqlite")) as conn:
            tables = {series.table_name for series in list_series(conn) if series.family == "energy"}
            return sum(conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)  # noqa: S608

    def wait_stored(self, limit_s: float, step_s: float = 0.2) -> None:
        """Wait until the store holds as many rows as the meters gave readings, and nothing is on its way."""
        whole = len(self.swarm.names) * self.swarm.readings
        wait_until(lambda: self.rows() >= whole and pending(self.gateway) == 0, limit_s, "every reading stored", step_s)

    def compare(self) -> dict[str, int]:
        """Registers and record numbers, exactly: what each node gave against what the store holds.

        The nodes must have stopped, the gateway must run. AssertionError for anything that is there twice or that
        no meter showed. Lost are: readings that are not in the store, acknowledged records that are not; the node's own
        newest records may lie on its flash when it stops, not acknowledged.
        """
        numbers = check_balance(self.gateway)
        stored, records, words = self.stored(), self.records(), self.swarm.last_words()
        truth = list(range(1, self.swarm.readings + 1))
        lost_readings = lost_records = held = 0
        for name in self.swarm.names:
            registers = [wh for _, wh, _ in stored.get(name, [])]
            assert len(set(registers)) == len(registers), f"{name}: a register is stored twice"
            assert set(registers) <= set(truth), f"{name}: a register that no meter showed"
            assert all(watt == wh for _, wh, watt in stored.get(name, [])), f"{name}: values of different readings"
            lost_readings += len(truth) - len(registers)
            newest, acked = words[name]
            here = records.get(name, set())
            assert here <= set(range(1, newest + 1)), f"{name}: a record that the node never made"
            lost_records += len(set(range(1, acked + 1)) - here)
            held += newest - acked
        assert numbers["shutan_conflicts_total"] == 0
        assert "Traceback" not in self.gateway.log_tail(10_000)
        return {
            "nodes": len(self.swarm.names),
            "readings": len(truth) * len(self.swarm.names),
            "records": sum(newest for newest, _ in words.values()),
            "readings_lost": lost_readings,
            "records_lost": lost_records,
            "records_left_on_flash": held,
            "sent_again": int(numbers["shutan_duplicates_total"]),
        }


def broker(folder: Path, queued: int = 100_000) -> Server:
    """A broker that keeps so many messages for a client that does not read; it says its figures every second."""
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(BROKER.format(port=port, queued=queued))
    return Server("mosquitto", [tool("mosquitto"), "-c", config], folder, port)


def configure(gateway: GatewayProcess, keepalive_s: int, intake: str = "") -> None:
    """Write another keep-alive, and further lines of [intake], into the file of a gateway that does not run yet."""
    config = gateway.folder / "gateway.toml"
    text = config.read_text(encoding="utf-8")
    for old, new in (("keepalive_s = 5\n", f"keepalive_s = {keepalive_s}\n"), ("[intake]\n", f"[intake]\n{intake}\n")):
        assert old in text
        text = text.replace(old, new)
    config.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def swarm_line(
    folder: Path,
    *,
    bad: bool = False,
    rate: int = 1,
    keepalive_s: int = 30,
    gateway_keepalive_s: int = 5,
    intake: str = "",
    **swarm: Any,
) -> Generator[SwarmLine]:
    """Start all but the nodes.

    bad: nodes and gateway reach the broker over proxies; intake: more lines of [intake]; others: as Swarm
    """
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(broker(folder))
        links = [stack.enter_context(BadLink(server.port, seed)) for seed in (1, 2)] if bad else []
        clock = stack.enter_context(TimeServer(rate))
        gateway = gateway_process(folder, links[1].port if bad else server.port)
        configure(gateway, gateway_keepalive_s, intake)
        stack.enter_context(gateway)
        port = links[0].port if bad else server.port
        nodes = Swarm(
            folder / "nodes", port=port, time_port=clock.port, rate=rate, keepalive_s=keepalive_s, **swarm
        )  # fmt: skip
        yield SwarmLine(folder, server, gateway, stack.enter_context(nodes), tuple(links))
