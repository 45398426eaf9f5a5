"""C17 spoof: nobody speaks for another device, whatever topic, user name or will is tried at the real broker."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from faults.harness import Fault
from shutan_gateway.operation.broker import Account, BrokerPlan, acl_text, conf_text, password_entry
from shutan_wire import ids, records
from shutan_wire.encode import encode_payload
from shutan_wire.model import Metric, Payload
from support.balance import check_balance
from support.gateway_process import GatewayProcess, gateway_process
from support.places import tool
from support.servers import HOST, Server, free_port, wait_until
from support.sparkplug_node import T0_MS, Packet, SparkplugNode

pytestmark = pytest.mark.flow

VICTIM, INSIDER = "n01", "n02"
WILDCARDS = ("+", "#", "n01/m1", "%u")  # user names that try to widen a rule for `%u`
WAIT_S = 30.0


def secret(user: str) -> str:
    return f"secret of {user}"


def secured(folder: Path, accounts: tuple[Account, ...]) -> Server:
    """mosquitto with generated settings, rights and passwords; accounts empty: one rule for every user."""
    plan = BrokerPlan(folder, folder, local_port=free_port(), tls_port=0, accounts=accounts)
    (folder / "mosquitto.conf").write_text(f"user root\n{conf_text(plan)}")
    (folder / "acl").write_text(acl_text(plan))
    users = ("gateway", VICTIM, INSIDER, *WILDCARDS)
    (folder / "passwords").write_text("".join(password_entry(user, secret(user)) for user in users))
    return Server("mosquitto", [tool("mosquitto"), "-c", folder / "mosquitto.conf"], folder, plan.local_port)


class Client:
    """One MQTT client; `codes` are the broker's answers to CONNECT."""

    def __init__(self, port: int, user: str, password: str, *, client_id: str = "", will: Packet | None = None) -> None:
        self.codes: list[bool] = []
        self.heard: list[Packet] = []
        self.paho = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=False)
        self.paho.on_connect = lambda _c, _u, _f, code, _p: self.codes.append(not code.is_failure)
        self.paho.on_message = lambda _c, _u, message: self.heard.append((message.topic, bytes(message.payload)))
        if user:
            self.paho.username_pw_set(user, password)
        if will is not None:
            self.paho.will_set(will[0], will[1], qos=1)
        self.paho.connect(HOST, port)
        self.paho.loop_start()
        wait_until(lambda: bool(self.codes), WAIT_S, f"an answer to {user}")

    @property
    def let_in(self) -> bool:
        """Whether the broker accepted it."""
        return self.codes[0]

    def send(self, packets: list[Packet]) -> None:
        """Publish at QoS 1 and wait for the last PUBACK, which comes for refused messages as well."""
        for topic, payload in packets:
            self.paho.publish(topic, payload, qos=1).wait_for_publish(WAIT_S)

    def vanish(self) -> None:
        """Drop the connection without DISCONNECT, so that the broker publishes the will."""
        sock = self.paho.socket()
        assert sock is not None
        cast("socket.socket", sock).shutdown(socket.SHUT_RDWR)
        wait_until(lambda: not self.paho.is_connected(), WAIT_S, "the connection ends")

    def close(self) -> None:
        """Say goodbye."""
        self.paho.disconnect()
        self.paho.loop_stop()


def lies(node: SparkplugNode) -> list[Packet]:
    """What a thief would say in the victim's name or to it, one message of each kind."""
    ack = [Metric(records.ACK_STORE, datatype=8, value=node.store), Metric(records.ACK, datatype=8, value=2**40)]
    command = encode_payload(Payload(T0_MS, ack))
    state = json.dumps({"online": False, "timestamp": 2**50}).encode()
    return [
        *node.births(T0_MS + 77),
        node.data(record=7),
        (node.topic(ids.NDATA), node.data(record=8)[1]),
        node.device_death("m1"),
        node.node_death(),
        (node.topic(ids.NCMD), command),
        (node.topic(ids.DCMD, "m1"), command),
        (ids.state_topic("shutan"), state),
    ]


@pytest.fixture(params=["one rule for all", "rules by name"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    accounts = () if request.param == "one rule for all" else (Account(VICTIM, "plant"), Account(INSIDER, "plant"))
    folder = tmp_path / "broker"
    folder.mkdir()
    with secured(folder, accounts) as server:
        yield server


def gateway_for(folder: Path, port: int) -> GatewayProcess:
    (folder / "password").write_text(f"{secret('gateway')}\n")
    (folder / "password").chmod(0o600)
    gateway = gateway_process(folder, port)
    config = folder / "gateway.toml"
    access = f'port = {port}\nusername = "gateway"\npassword_file = "password"\n'
    config.write_text(config.read_text().replace(f"port = {port}\n", access, 1))
    return gateway


def attack(port: int, rounds: int, said: set[Packet]) -> tuple[int, int]:
    """(attempts, attempts that the broker let in although the password was wrong or absent); `said` gets the lies."""
    attempts = let_in = 0
    for number in range(rounds):
        victim = SparkplugNode(VICTIM, bd_seq=number % 256, store=0xBAD + number)
        for user in (INSIDER, *WILDCARDS):
            death = victim.node_death()
            thief = Client(port, user, secret(user), client_id=f"thief-{user.encode().hex()}", will=death)
            if thief.let_in:
                packets = lies(victim)
                said |= {death, *packets}
                thief.send(packets)
                attempts += len(packets)
                thief.vanish()
            attempts += 1
            thief.close()
        for user, password in (("", ""), (VICTIM, secret(INSIDER)), (VICTIM, ""), ("gateway", "gateway")):
            stranger = Client(port, user, password)
            attempts += 1
            let_in += stranger.let_in
            stranger.close()
    return attempts, let_in


def test_c17_spoof(fault: Fault, broker: Server, tmp_path: Path) -> None:
    rounds = fault.size(short=1, long=100)
    with gateway_for(tmp_path, broker.port) as gateway:
        wait_until(lambda: gateway.number("shutan_link_up") == 1, WAIT_S, "the gateway is let in")
        witness = Client(broker.port, "gateway", secret("gateway"), client_id="witness")
        node = Client(broker.port, VICTIM, secret(VICTIM), client_id=VICTIM)
        for client in (witness, node):
            client.paho.subscribe("spBv1.0/#", qos=1)
        real = SparkplugNode(VICTIM)
        told = [*real.births(), real.data(), real.data()]
        wait_until(lambda: any("/STATE/" in topic for topic, _ in node.heard), WAIT_S, "the node hears its host")
        node.send(told[:3])
        wait_until(lambda: gateway.number("shutan_accepted_total") == 1, WAIT_S, "the first record")
        said: set[Packet] = set()
        attempts, let_in = attack(broker.port, rounds, said)
        node.send(told[3:])  # the queue of the broker keeps the order: what comes before it has arrived
        wait_until(lambda: gateway.number("shutan_accepted_total") == 2, WAIT_S, "the second record")
        wait_until(lambda: set(told) <= set(witness.heard), WAIT_S, "the witness hears it as well")
        numbers = check_balance(gateway)
        for client in (witness, node):
            client.close()
    assert not said & set(told)
    assert numbers["shutan_received_total"] == 2
    assert numbers["shutan_births_total"] == 2
    assert numbers.get("shutan_deaths_total", 0) == 0
    reached = sum(packet in said for packet in [*witness.heard, *node.heard])
    fault.record(
        "C17",
        part="spoof_by_name" if "user n01" in (broker.folder / "acl").read_text() else "spoof",
        measured={
            "attempts": attempts,
            "let_in_without_password": let_in,
            "reached_anybody": reached,
            "refused_percent": 100.0 * (attempts - reached - let_in) / attempts,
        },
        bar={"reached_anybody": "== 0", "let_in_without_password": "== 0", "refused_percent": "== 100"},
        long_bar={"attempts": ">= 1000"},
        note="a node with its own password, user names with wildcards, wrong and no passwords; births, data, deaths, "
        "wills, acknowledgements, device commands and the host's state in another's name",
    )
