"""Files of a real installation: the broker takes them, and a node can speak for itself only."""

import re
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from shutan_gateway.commands.broker import write_files
from shutan_gateway.config import SpoolSection, load_config
from shutan_gateway.operation.broker import Account, BrokerPlan
from support.gateway_process import gateway_process
from support.places import REPO, tool
from support.servers import HOST, Server, free_port, wait_until
from support.sparkplug_node import SparkplugNode

DEPLOY = REPO / "gateway/deploy"


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Server]:
    """mosquitto with generated files; nodes log in by password, on loopback."""
    port = free_port()
    accounts = (Account("n01"), Account("n02"))
    plan = BrokerPlan(tmp_path, tmp_path, local_port=port, tls_port=0, certificates=False, accounts=accounts)
    write_files(plan, tmp_path)
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"user root\n{config.read_text()}")
    with Server("mosquitto", [tool("mosquitto"), "-c", config], tmp_path, port) as server:
        yield server


def secret_of(user: str, folder: Path) -> str:
    return (folder / "secrets" / f"{user}.password").read_text().strip()


def client_of(port: int, user: str, password: str) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=user)
    client.username_pw_set(user, password)
    client.connect(HOST, port)
    client.loop_start()
    return client


@pytest.mark.flow
def test_spoofed_node_is_refused_and_the_real_one_is_served(secured: Server, tmp_path: Path) -> None:
    more = f'[mqtt]\nport = {secured.port}\nusername = "gateway"\npassword_file = "secrets/gateway.password"\n'
    gateway = gateway_process(tmp_path, secured.port)
    config = tmp_path / "gateway.toml"
    config.write_text(re.sub(r"\[mqtt\]\n.*\n.*\n", more, config.read_text()))
    with gateway:
        wait_until(lambda: gateway.number("shutan_link_up") == 1, 30, "the gateway is let in")
        spoof = client_of(secured.port, "n02", secret_of("n02", tmp_path))
        real = client_of(secured.port, "n01", secret_of("n01", tmp_path))
        stranger = paho.Client(CallbackAPIVersion.VERSION2)
        stranger.connect(HOST, secured.port)
        stranger.loop_start()
        wait_until(lambda: real.is_connected() and spoof.is_connected(), 20, "both nodes")
        try:
            node = SparkplugNode("n01")
            for pretender in (spoof, stranger):
                for topic, payload in [*node.births(), node.data(record=7)]:
                    pretender.publish(topic, payload)
            for topic, payload in [*node.births(), node.data(record=1)]:
                real.publish(topic, payload)
            wait_until(lambda: gateway.number("shutan_accepted_total") == 1, 20, "the real node's record")
            assert gateway.number("shutan_births_total") == 2
        finally:
            for client in (spoof, real, stranger):
                client.disconnect()
                client.loop_stop()


def test_the_sample_configuration_names_every_default() -> None:
    config = load_config(DEPLOY / "gateway.toml")
    assert config.spool == SpoolSection()
    assert config.intake.tick_ms == 20
