"""A node of another maker: the gateway stores every sample of it, reports its faults, asks for births, goes on."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.peers import Talk, talk
from support.servers import HOST, Server, free_port, wait_until

GROUP, NODE, DEVICE = "peers", "n1", "meter"
SAMPLES = 50
STEP_MS = 1_000
T0_MS = 1_780_243_200_000
ENERGY0_WH = 2**53 + 1  # a float would lose its last digit
LIMIT_S = 20.0

CONFIG = """\
[gateway]
data_dir = "data"
[mqtt]
port = {mqtt}
[intake]
reorder_s = 0.3
rebirth_min_interval_s = 0.1
[[store]]
kind = "sqlite"
name = "local"
path = "store.sqlite"
[http]
port = {http}
"""


class Gateway(Server):
    """The gateway as installed, with its counters."""

    def counters(self) -> Counter[str]:
        """Every counter by name, summed over its labels; and by name and labels."""
        found: Counter[str] = Counter()
        for line in self.get("/metrics").decode().splitlines():
            match = re.fullmatch(r"(\w+)(\{.*\})? (\S+)", line)
            if match:
                name, labels, value = match[1], match[2], round(float(match[3]))
                found[name] += value
                if labels:
                    found[name + labels] = value
        return found

    def reports(self, name: str, least: int) -> None:
        """Wait until a counter has reached a value."""
        wait_until(lambda: self.counters()[name] >= least, LIMIT_S, f"{name} >= {least}")

    def troubles(self) -> int:
        """Faults seen plus messages refused."""
        counters = self.counters()
        return counters["shutan_faults_total"] + counters["shutan_rejected_total"]


@pytest.fixture
def gateway(mosquitto: Server, tmp_path: Path) -> Iterator[Gateway]:
    port = free_port()
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(mqtt=mosquitto.port, http=port))
    command = [Path(sys.executable).with_name("shutan"), "gateway", "--config", config]
    with Gateway("gateway", command, tmp_path, port) as server:
        server.reports("shutan_link_up", 1)
        yield server


@pytest.fixture
def node(mosquitto: Server) -> Iterator[Talk]:
    with talk("edge_node.py", [HOST, str(mosquitto.port), GROUP, NODE]) as found:
        yield found


def _send(node: Talk, first: int, count: int) -> None:
    for number in range(first, first + count):
        node.ask({"op": "data", "t_ms": T0_MS + number * STEP_MS, "energy_wh": ENERGY0_WH + number})


def _stored(gateway: Gateway) -> dict[int, list[object]]:
    """(energy, power) of the device by sample number, from the store's own file."""
    if not gateway.counters()["shutan_store_stored_total"]:
        return {}
    metrics = ("active_energy_import_wh", "active_power_w")
    with closing(open_readonly(gateway.folder / "store.sqlite")) as conn:
        series = [one for one in list_series(conn) if (one.node, one.device, one.family) == (NODE, DEVICE, "energy")]
        rows = [row for one in series for row in read_series(conn, one, metrics, T0_MS * 10**6, 2**63 - 1)]
    return {int(str(t_ns)) // 10**6 // STEP_MS - T0_MS // STEP_MS: [*values] for t_ns, *values in rows}


def _stored_all(gateway: Gateway) -> None:
    def done() -> bool:
        counters = gateway.counters()
        return counters["shutan_store_pending"] == 0 and counters["shutan_accepted_total"] > 0

    wait_until(done, LIMIT_S, "all accepted records in the store")


def _expected(numbers: range) -> dict[int, list[object]]:
    return {number: [ENERGY0_WH + number, -1234.5] for number in numbers}


def _accounts_balance(gateway: Gateway) -> None:
    count = gateway.counters()
    ended = count["shutan_duplicates_total"] + count["shutan_rejected_total"] + count["shutan_accepted_total"]
    assert count["shutan_received_total"] == ended
    assert count["shutan_store_accepted_total"] == count["shutan_store_stored_total"] + count["shutan_store_dead_total"]


@pytest.mark.flow
def test_every_sample_of_a_foreign_node_is_stored(gateway: Gateway, node: Talk) -> None:
    node.ask({"op": "birth"})
    _send(node, 0, SAMPLES)
    gateway.reports("shutan_accepted_total", SAMPLES)
    _stored_all(gateway)
    found = _stored(gateway)
    assert {number: values for number, values in found.items() if number >= 0} == _expected(range(SAMPLES))
    _accounts_balance(gateway)


FAULTS = [
    {"op": "before_birth", "t_ms": T0_MS - STEP_MS},
    {"op": "unknown_alias", "t_ms": T0_MS - STEP_MS},
    {"op": "jump", "t_ms": T0_MS - STEP_MS},
    {"op": "garbage"},
]


@pytest.mark.flow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["op"])
def test_a_fault_is_reported_and_the_node_is_served_on(gateway: Gateway, node: Talk, fault: dict[str, object]) -> None:
    if fault["op"] != "before_birth":
        node.ask({"op": "birth"})
        _send(node, 0, 3)
        gateway.reports("shutan_accepted_total", 3)
    before = gateway.troubles()
    node.ask(fault)
    wait_until(lambda: gateway.troubles() > before, LIMIT_S, f"{fault['op']} in the counters")
    node.ask({"op": "birth"})
    _send(node, 3, SAMPLES)
    wait_until(lambda: set(range(3, 3 + SAMPLES)) <= set(_stored(gateway)), LIMIT_S, "the samples after the fault")
    assert gateway.process.poll() is None
    _stored_all(gateway)
    _accounts_balance(gateway)
    assert "Traceback" not in gateway.log_tail(1000)


@pytest.mark.flow
def test_data_without_birth_asks_for_one(gateway: Gateway, node: Talk) -> None:
    asked = gateway.counters()["shutan_rebirth_requests_total"]
    node.ask({"op": "before_birth", "t_ms": T0_MS})
    gateway.reports("shutan_rebirth_requests_total", asked + 1)
    node.ask({"op": "birth"})  # the node hears commands only while its own session is up
    node.ask({"op": "jump", "t_ms": T0_MS + STEP_MS})
    wait_until(lambda: _rebirths(node) > 0, LIMIT_S, "a rebirth command at the node")


@pytest.mark.flow
def test_death_with_another_sessions_number_ends_nothing(gateway: Gateway, node: Talk) -> None:
    node.ask({"op": "birth"})
    _send(node, 0, 1)
    node.ask({"op": "leave"})  # this client writes the bdSeq of its next session into the NDEATH
    node.ask({"op": "birth"})
    _send(node, 1, SAMPLES)
    wait_until(lambda: set(range(1 + SAMPLES)) <= set(_stored(gateway)), LIMIT_S, "samples of both sessions")
    assert gateway.counters()["shutan_births_total"] == 4
    _accounts_balance(gateway)


@pytest.mark.flow
def test_doctor_lists_the_faults_of_a_foreign_node(gateway: Gateway, node: Talk) -> None:
    node.ask({"op": "before_birth", "t_ms": T0_MS - STEP_MS})
    gateway.reports('shutan_faults_total{kind="data_before_birth"}', 1)
    node.ask({"op": "birth"})
    _send(node, 0, SAMPLES)
    node.ask({"op": "unknown_alias", "t_ms": T0_MS - STEP_MS})
    node.ask({"op": "jump", "t_ms": T0_MS - STEP_MS})
    gateway.reports('shutan_faults_total{kind="unknown_alias"}', 1)
    gateway.reports('shutan_faults_total{kind="sequence_gap"}', 1)
    wait_until(lambda: set(range(SAMPLES)) <= set(_stored(gateway)), LIMIT_S, "every sample all the same")
    command = [
        Path(sys.executable).with_name("shutan"),
        "doctor",
        "--config",
        gateway.folder / "gateway.toml",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    findings = json.loads(done.stdout)
    listed = {one["subject"]: one["facts"]["kinds"] for one in findings["findings"] if one["kind"] == "node.faults"}
    assert set(listed) == {f"{GROUP}/{NODE}"}
    assert {kind.split()[0] for kind in listed[f"{GROUP}/{NODE}"].split(", ")} >= {
        "data_before_birth",
        "unknown_alias",
        "sequence_gap",
    }


def _rebirths(node: Talk) -> int:
    return int(node.ask({"op": "nothing"})["rebirths"])
