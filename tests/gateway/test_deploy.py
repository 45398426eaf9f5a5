"""The sample files of a real installation: the broker takes them, and a node can speak for itself only."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from shutan_gateway.config import SpoolSection, load_config
from support.gateway_process import gateway_process
from support.places import REPO, tool
from support.servers import HOST, Server, free_port, wait_until
from support.sparkplug_node import SparkplugNode

DEPLOY = REPO / "gateway/deploy"


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Server]:
    """mosquitto with the sample configuration; only paths and port are changed."""
    port = free_port()
    text = (DEPLOY / "mosquitto.conf").read_text()
    text = text.replace("listener 1883", f"listener {port}").replace("/var/lib/mosquitto/", f"{tmp_path}/")
    text = text.replace("/etc/mosquitto/shutan.passwords", f"{tmp_path}/passwords")
    text = text.replace("/etc/mosquitto/shutan.acl", f"{DEPLOY}/mosquitto.acl")
    assert "/etc/" not in re.sub(r"(?m)^#.*", "", text)
    (tmp_path / "mosquitto.conf").write_text(f"user root\n{text}")
    for option, user in (("-c", "gateway"), (None, "n01"), (None, "n02")):
        command = [tool("mosquitto_passwd"), "-b", option, tmp_path / "passwords", user, f"secret-{user}"]
        subprocess.run([part for part in command if part], check=True, capture_output=True)
    command = [tool("mosquitto"), "-c", tmp_path / "mosquitto.conf"]
    with Server("mosquitto", command, tmp_path, port) as server:
        yield server


def client_of(port: int, user: str, password: str) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=user)
    client.username_pw_set(user, password)
    client.connect(HOST, port)
    client.loop_start()
    return client


@pytest.mark.flow
def test_spoofed_node_is_refused_and_the_real_one_is_served(secured: Server, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret-gateway\n")
    more = f'[mqtt]\nport = {secured.port}\nusername = "gateway"\npassword_file = "password"\n'
    gateway = gateway_process(tmp_path, secured.port)
    config = tmp_path / "gateway.toml"
    config.write_text(re.sub(r"\[mqtt\]\n.*\n.*\n", more, config.read_text()))
    with gateway:
        wait_until(lambda: gateway.number("shutan_link_up") == 1, 30, "the gateway is let in")
        spoof = client_of(secured.port, "n02", "secret-n02")
        real = client_of(secured.port, "n01", "secret-n01")
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


def test_the_broker_settings_are_those_that_keep_data() -> None:
    settings = dict(
        line.split(maxsplit=1)
        for line in (DEPLOY / "mosquitto.conf").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert settings["allow_anonymous"] == "false"
    assert settings["max_queued_messages"] == "100000"
    assert (settings["persistence"], settings["autosave_on_changes"], settings["autosave_interval"]) == (
        "true",
        "true",
        "1",
    )


def test_the_unit_starts_what_there_is() -> None:
    unit = (DEPLOY / "shutan-gateway.service").read_text()
    assert "ExecStart=/opt/shutan/.venv/bin/shutan gateway --config /etc/shutan/gateway.toml" in unit
    assert "NoNewPrivileges=true" in unit
