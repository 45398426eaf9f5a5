"""The independent edge node says on the wire what its orders say (so that a flow test can lean on it)."""

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from shutan_wire.decode import decode_payload
from shutan_wire.errors import WireError
from support.peers import talk
from support.servers import HOST, Server, wait_until

GROUP, NODE = "peers", "n1"
T_MS = 1_780_243_200_000
ORDERS = [
    {"op": "before_birth", "t_ms": T_MS},
    {"op": "birth"},
    {"op": "data", "t_ms": T_MS, "energy_wh": 2**63 + 1},
    {"op": "unknown_alias", "t_ms": T_MS},
    {"op": "jump", "t_ms": T_MS},
    {"op": "garbage"},
    {"op": "leave"},
]


@pytest.mark.flow
def test_every_order_reaches_the_broker(mosquitto: Server) -> None:
    seen: dict[str, bytes] = {}

    def note(_client: Client, _data: object, message: MQTTMessage) -> None:
        if "/DCMD/" not in message.topic:  # the node's message to itself, by which it knows that it is connected
            seen.setdefault(f"{message.topic} {len(seen)}", bytes(message.payload))

    witness = Client(CallbackAPIVersion.VERSION2)
    witness.on_message = note
    witness.connect(HOST, mosquitto.port)
    witness.subscribe("spBv1.0/#")
    witness.loop_start()
    try:
        witness.publish("spBv1.0/ready")
        wait_until(lambda: bool(seen), 10, "our own message, after SUBACK")
        seen.clear()
        with talk("edge_node.py", [HOST, str(mosquitto.port), GROUP, NODE]) as node:
            for number, order in enumerate(ORDERS):
                node.ask(order)
                messages = number + 1 + (number > 0)  # a birth is two messages
                wait_until(lambda least=messages: len(seen) >= least, 10, f"message of {order['op']}")
    finally:
        witness.disconnect()
        witness.loop_stop()
    kinds = [topic.split()[0].split("/")[2] for topic in seen]
    assert kinds == ["DDATA", "NBIRTH", "DBIRTH", "DDATA", "NDATA", "DDATA", "NDATA", "NDEATH"]
    raw = list(seen.values())
    assert [decode_payload(payload).seq for payload in raw[:6]] == [9, 0, 1, 2, 3, 103]
    assert decode_payload(raw[3]).metrics[0].value == 2**63 + 1
    assert decode_payload(raw[4]).metrics[0].alias == 4711
    with pytest.raises(WireError):
        decode_payload(raw[6])
    births, death = decode_payload(raw[1]).metrics, decode_payload(raw[7]).metrics
    assert births[-1].name == death[0].name == "bdSeq"
