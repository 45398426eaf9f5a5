"""The unified namespace at a real broker: retained last values, acknowledgements, a broker that goes and comes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from shutan_gateway.config.northbound import UnsConfig, UnsPlace
from shutan_gateway.counters import Counters
from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.northbound import uns
from shutan_gateway.northbound.uns import UnsStore
from shutan_gateway.northbound.uns.topics import Topics
from shutan_gateway.stores.base import StoreRefused, Written
from shutan_gateway.upkeep.letters import row_of
from support import servers
from support.servers import Server, free_port, wait_until
from support.store_rows import T0_NS, row

CASE: Any = json.loads((Path(uns.__file__).parent / "testcases" / "places.json").read_text(encoding="utf-8"))
ENTERPRISE = "jiuniang"


def config(port: int, **more: Any) -> UnsConfig:
    tree: dict[str, Any] = {"kind": "uns", "name": "ns", "port": port, "enterprise": ENTERPRISE, "timeout_s": 5}
    return UnsConfig.model_validate({**tree, "max_age_s": 10**9, **more})


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def store(mosquitto: Server, counters: Counters) -> Iterator[UnsStore]:
    made = UnsStore(config(mosquitto.port), counters)
    yield made
    made.close()


def retained(port: int, count: int) -> dict[str, Any]:
    """The retained messages that a client which comes now is given; waits for so many."""
    found: dict[str, Any] = {}
    client = Client(CallbackAPIVersion.VERSION2, "reader")

    def take(_client: Client, _data: object, message: MQTTMessage) -> None:
        assert message.retain
        found[message.topic] = message.payload.decode()

    client.on_message = take
    client.connect("127.0.0.1", port)
    client.subscribe(f"{ENTERPRISE}/#", qos=1)
    client.loop_start()
    try:
        wait_until(lambda: len(found) >= count, 30, f"{count} retained messages")
    finally:
        client.disconnect()
        client.loop_stop()
    return found


def test_topics_and_payloads() -> None:
    topics = Topics(CASE["enterprise"], [UnsPlace.model_validate(one) for one in CASE["places"]])
    messages, history = topics.messages([row_of(body) for body in CASE["rows"]], 0, 2**63)
    assert {one.topic: json.loads(one.payload) for one in messages} == CASE["messages"]
    assert history == 0


def test_old_samples_are_history(store: UnsStore, counters: Counters, mosquitto: Server) -> None:
    fresh = time.time_ns() - T0_NS
    store._config = config(mosquitto.port, max_age_s=3600)  # pyright: ignore[reportPrivateUsage] - the age alone differs
    rows = [row({"x_f": 1.5}, at=fresh - 3700 * 10**9), row({"x_f": 2.5}, at=fresh), row({"x_f": 3.5}, at=2**62)]
    assert store.write(rows) == Written(3)
    assert counters.get("shutan_uns_history_total", store="ns") == 2
    found = retained(mosquitto.port, 2)
    assert json.loads(found[f"{ENTERPRISE}/jiuniang/n01/m-entry/x_f"])["value"] == 2.5


def test_last_values_are_retained_and_acknowledged(store: UnsStore, counters: Counters, mosquitto: Server) -> None:
    rows = [row({f"x{k}_f": n + k / 10 for k in range(40)}, at=n * 10**9) for n in range(30)]
    assert store.write(rows) == Written(30)
    assert counters.get("shutan_uns_published_total", store="ns") == 40
    found = retained(mosquitto.port, 41)
    assert found[f"{ENTERPRISE}/_gateway/ns"] == "online"
    assert json.loads(found[f"{ENTERPRISE}/jiuniang/n01/m-entry/x7_f"])["value"] == 29.7
    store.close()
    wait_until(lambda: retained(mosquitto.port, 41)[f"{ENTERPRISE}/_gateway/ns"] == "offline", 20, "offline is told")


def test_rows_that_nobody_takes_are_named(store: UnsStore, mosquitto: Server) -> None:
    written = store.write([row({"x_f": 1.5}), row({"x_f": float("nan")}, at=1), row({"x_i": 2**63}, at=2)])
    assert [entry.index for entry in written.rejected] == [1, 2]
    assert len(retained(mosquitto.port, 2)) == 2


def test_a_broker_that_goes_and_comes(store: UnsStore, mosquitto: Server) -> None:
    assert store.write([row({"x_f": 1.5})]) == Written(1)
    mosquitto.stop()
    with pytest.raises(StoreUnavailable):
        store.write([row({"x_f": 2.5}, at=1)])
    mosquitto.start()
    assert store.write([row({"x_f": 2.5}, at=1)]) == Written(1)
    assert json.loads(retained(mosquitto.port, 2)[f"{ENTERPRISE}/jiuniang/n01/m-entry/x_f"])["value"] == 2.5


def test_a_place_where_nobody_listens(counters: Counters) -> None:
    store = UnsStore(config(free_port()), counters)
    with pytest.raises(StoreUnavailable, match="mqtt://127"):
        store.write([row({"x_f": 1.5})])
    assert store.write([]) == Written(0)
    store.close()


def test_a_broker_that_refuses_is_for_a_person(tmp_path: Path, counters: Counters) -> None:
    with servers.mosquitto(tmp_path) as broker:
        lines = broker.folder / "mosquitto.conf"
        lines.write_text(lines.read_text().replace("allow_anonymous true", "allow_anonymous false"))
        broker.stop()
        broker.start()
        store = UnsStore(config(broker.port), counters)
        with pytest.raises(StoreRefused, match="check user, password"):
            store.write([row({"x_f": 1.5})])
        store.close()
