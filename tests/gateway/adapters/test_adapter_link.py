"""The adapters' session with a real broker: back-pressure, a broker that dies, TLS and passwords."""

import asyncio
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import aiomqtt
import pytest

from shutan_gateway.adapters.source import AdapterSource
from shutan_gateway.config import GatewayConfig
from shutan_gateway.counters import Counters
from shutan_gateway.errors import ConfigError
from shutan_gateway.intake.offers import Offer, Offers
from shutan_gateway.quarantine import FOLDER, Quarantine
from shutan_gateway.sources import SourceTools
from support.pki import Authority
from support.places import tool
from support.servers import HOST, Server, free_port, wait_until

LIMIT_S = 60.0
TOPIC = "plant/m1"
ADAPTER = {
    "kind": "json",
    "name": "meters",
    "site": "works",
    "topic": "plant/{device}",
    "map": [{"field": "n", "metric": "active_power_w"}],
}


class Gateway:
    """The source as the gateway holds it; what it offers waits here until `settle`."""

    def __init__(self, folder: Path, mqtt: dict[str, object]) -> None:
        tree = {"gateway": {"data_dir": folder}, "mqtt": {"host": HOST, "keepalive_s": 5, **mqtt}, "adapter": [ADAPTER]}
        self.counters = Counters()
        self.offers = Offers(10_000, lambda: None)
        self.quarantine = Quarantine(folder / FOLDER, self.counters)
        self.taken: list[Offer] = []
        tools = SourceTools(self.offers, self.counters, self.quarantine, folder)
        self.source = AdapterSource(GatewayConfig.model_validate(tree, context=folder), tools)

    def up(self) -> bool:
        return self.counters.get("shutan_adapter_link_up") == 1 and self.source.trouble is None

    def settle(self) -> None:
        """As the gateway's intake thread: these are durable now."""
        for offer in self.offers.drain(10_000):
            self.taken.append(offer)
            assert offer.settled is not None
            offer.settled()

    def values(self) -> list[float]:
        return [float(str(offer.metrics[0].value)) for offer in self.taken]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    made: list[Gateway] = []

    def make(**mqtt: object) -> Gateway:
        made.append(Gateway(tmp_path, mqtt))
        made[-1].source.start()
        return made[-1]

    yield make
    for one in made:
        one.source.stop()
        one.quarantine.close()


def publish(port: int, numbers: range) -> None:
    """Messages at QoS 1 in order, each acknowledged by the broker."""

    async def send() -> None:
        async with aiomqtt.Client(HOST, port) as client:
            for number in numbers:
                await client.publish(TOPIC, f'{{"n":{number}}}', qos=1)

    asyncio.run(send())


@pytest.mark.flow
def test_twenty_unacknowledged_messages_stop_delivery_and_none_is_lost(
    mosquitto: Server, gateway: Callable[..., Gateway]
) -> None:
    device = gateway(port=mosquitto.port)
    wait_until(device.up, LIMIT_S, "the session")
    publish(mosquitto.port, range(60))
    wait_until(lambda: len(device.offers) == 20, LIMIT_S, "twenty on their way")
    publish(mosquitto.port, range(60, 70))
    assert len(device.offers) == 20
    wait_until(lambda: device.settle() is None and len(device.taken) == 70, LIMIT_S, "all of them")
    assert device.values() == [float(number) for number in range(70)]
    wait_until(lambda: device.counters.get("shutan_adapter_waiting_messages") == 0, LIMIT_S, "all acknowledged")


@pytest.mark.flow
def test_a_broker_that_dies_costs_nothing_and_repeats_are_known(
    tmp_path: Path, gateway: Callable[..., Gateway]
) -> None:
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    state = f"persistence true\npersistence_location {tmp_path}/\nautosave_on_changes true\nautosave_interval 1\n"
    config.write_text(f"user root\nlistener {port} {HOST}\nallow_anonymous true\nset_tcp_nodelay true\n{state}")
    broker = Server("mosquitto", [tool("mosquitto"), "-c", config], tmp_path, port)
    with broker:
        device = gateway(port=port)
        wait_until(device.up, LIMIT_S, "the session")
        publish(port, range(5))
        wait_until(lambda: len(device.offers) == 5, LIMIT_S, "five on their way")
        broker.stop()  # writes what it holds, as a reboot does
        wait_until(lambda: device.source.trouble is not None, LIMIT_S, "the loss is seen")
        broker.start()
        wait_until(device.up, LIMIT_S, "the session again")
        wait_until(lambda: device.counters.get("shutan_adapter_repeats_total") == 5, LIMIT_S, "the five come again")
        device.settle()
        publish(port, range(5, 8))
        wait_until(lambda: device.settle() is None and len(device.taken) == 8, LIMIT_S, "the rest")
        assert device.values() == [float(number) for number in range(8)]
        assert device.counters.get("shutan_adapter_link_lost_total") == 1


@pytest.mark.flow
def test_tls_and_password_as_the_main_link(tmp_path: Path, gateway: Callable[..., Gateway]) -> None:
    authority = Authority(tmp_path / "pki")
    pem = authority.issue("broker", "localhost", HOST)
    port = free_port()
    passwords = tmp_path / "passwords"
    passwords.write_text("gateway:right\n")
    subprocess.run([tool("mosquitto_passwd"), "-U", passwords], check=True)
    config = tmp_path / "mosquitto.conf"
    tls = f"cafile {authority.file}\ncertfile {pem}\nkeyfile {pem.with_suffix('.key')}\n"
    config.write_text(f"user root\nlistener {port} {HOST}\nallow_anonymous false\npassword_file {passwords}\n{tls}")
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    settings = {"port": port, "username": "gateway", "password_file": secret, "tls": {"ca_file": authority.file}}
    with Server("mosquitto", [tool("mosquitto"), "-c", config], tmp_path, port):
        refused = gateway(**settings)
        wait_until(lambda: "uthori" in str(refused.source.trouble), LIMIT_S, f"refused: {refused.source.trouble}")
        refused.source.stop()
        secret.write_text("right\n")
        wait_until(gateway(**settings).up, LIMIT_S, "the session")


def test_a_broker_that_is_not_there_is_waited_for(gateway: Callable[..., Gateway]) -> None:
    device = gateway(port=free_port())
    wait_until(lambda: device.counters.get("shutan_adapter_link_attempts_total") >= 2, LIMIT_S, "a second attempt")
    assert "refused" in str(device.source.trouble)
    done = threading.Event()
    threading.Thread(target=lambda: (device.source.stop(), done.set())).start()
    assert done.wait(LIMIT_S)


def test_a_certificate_that_does_not_fit_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"mqtt\.tls"):
        Gateway(tmp_path, {"tls": {"ca_file": ca}})


def refusing_broker(listener: socket.socket) -> None:
    """Takes the session, refuses its one subscription, sends a message all the same."""
    link, _ = listener.accept()
    with link:
        received = link.recv(4096)
        link.sendall(bytes([0x20, 2, 0, 0]))  # CONNACK
        while not received.startswith(b"\x82"):  # SUBSCRIBE, of less than 128 bytes
            received = link.recv(4096)
        payload = TOPIC.encode() + b'{"n":1}'
        message = bytes([0x30, len(payload) + 2, 0, len(TOPIC)]) + payload
        link.sendall(bytes([0x90, 3]) + received[2:4] + b"\x80" + message)
        while link.recv(4096):
            pass


def test_a_refused_subscription_is_told_and_stops_nothing_else(
    gateway: Callable[..., Gateway], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server((HOST, 0)) as listener:
        broker = threading.Thread(target=refusing_broker, args=(listener,))
        broker.start()
        device = gateway(port=listener.getsockname()[1])
        wait_until(lambda: len(device.offers) == 1, LIMIT_S, "the message")
        assert "read access" in str(device.source.trouble)
        assert caplog.text.count("read access") == 1
        device.settle()
        device.source.stop()
        broker.join(LIMIT_S)


def test_a_source_that_never_started_can_be_stopped(tmp_path: Path) -> None:
    device = Gateway(tmp_path, {})
    assert "not connected" in str(device.source.trouble)
    device.source.stop()
    device.quarantine.close()
