"""A gateway with a store of every kind, killed in between: all end with the same samples, none waits for another."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from shutan_gateway.stores.files import parquet
from shutan_gateway.stores.files.days import open_days
from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.balance import pending
from support.field_nodes import Field
from support.gateway_process import SQLITE, gateway_process
from support.hj212_host import Host
from support.servers import Server, free_port, wait_until
from support.store_rigs_more import samples_in

LIMIT_S = 60.0
MORE = """
[[store]]
kind = "files"
name = "archive"
folder = "archive"
lateness_s = 604800
[[store]]
kind = "uns"
name = "namespace"
port = {mqtt}
enterprise = "works"
max_age_s = 1e9
[[store]]
kind = "hj212"
name = "epa"
host = "127.0.0.1"
port = {host}
mn = "010000A8900016F000169DC0"
password_file = "epa.password"
state = "epa.sqlite"
[[store.factor]]
code = "w01001"
site = "plant"
node = "n01"
device = "m1"
metric = "active_power_w"
[[store]]
kind = "key_energy"
name = "platform"
unit_code = "u1"
url = "http://127.0.0.1:{nobody}"
state = "platform.sqlite"
[[store.indicator]]
code = "e1"
site = "plant"
node = "n01"
device = "m1"
metric = "active_energy_import_wh"
"""
Samples = dict[tuple[object, ...], tuple[object, ...]]


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as made:
        yield made


def in_sqlite(path: Path) -> Samples:
    metrics = ("active_energy_import_wh", "active_power_w", "record")
    with closing(open_readonly(path)) as conn:
        return {
            (*series[1:5], values[0]): values[1:]
            for series in list_series(conn)
            for values in read_series(conn, series, metrics, 0, 2**63 - 1)
        }


def in_files(folder: Path) -> Samples:
    for place in open_days(folder):
        parquet.write(place)
    return {
        (*key, t_ns): tuple(fields.get(name) for name in ("active_energy_import_wh", "active_power_w", "record"))
        for key, samples in samples_in(folder).items()
        for t_ns, fields in samples.items()
    }


def published(port: int, least: int) -> set[str]:
    found: set[str] = set()
    client = Client(CallbackAPIVersion.VERSION2, "reader")

    def take(_client: Client, _data: object, message: MQTTMessage) -> None:
        found.add(message.topic)

    client.on_message = take
    client.connect("127.0.0.1", port)
    client.subscribe("works/#", qos=1)
    client.loop_start()
    try:
        wait_until(lambda: len(found) >= least, LIMIT_S, f"{least} topics")
    finally:
        client.disconnect()
        client.loop_stop()
    return found


@pytest.mark.flow
def test_all_kinds_at_once_over_a_kill(mosquitto: Server, host: Host, tmp_path: Path) -> None:
    (tmp_path / "epa.password").write_text("100000")
    more = SQLITE + MORE.format(mqtt=mosquitto.port, host=host.port, nobody=free_port())
    with (
        Field(mosquitto.port, count=2, rate=100) as field,
        gateway_process(tmp_path, mosquitto.port, more) as gateway,
    ):
        wait_until(lambda: field.acked > 100, LIMIT_S, "acknowledgements flow")
        gateway.kill()
        gateway.start()
        field.finish(60)
        wait_until(lambda: pending(gateway) == 0, LIMIT_S, "everything delivered to all stores")
        assert gateway.numbers()['shutan_store_dead_total{store="platform"}'] == 0
    samples = in_sqlite(tmp_path / "series.sqlite")
    assert len([key for key in samples if key[0] == "energy"]) == sum(len(n.sampled) for n in field.nodes.values())
    assert in_files(tmp_path / "archive") == samples
    topics = published(mosquitto.port, 3)
    assert {"works/plant/n01/m1/active_power_w", "works/_gateway/namespace"} <= topics
    assert host.of("2011", "2051", "2061", "2031") == [], "the samples are of months ago: too late for the authority"
