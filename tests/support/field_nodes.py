"""Many Sparkplug nodes over one paho client: records kept until acknowledged, sent again when nothing advances.

Several nodes share a TCP connection here, which Sparkplug does not mind at the host's side: every node keeps its own
store, sequence and births. paho is the witness: the gateway itself does not use it.
"""

import threading
import time
from array import array
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from shutan_wire import ids, records
from shutan_wire.decode import decode_payload
from support.servers import HOST, wait_until
from support.sparkplug_node import Packet, SparkplugNode

RESEND_S = 1.0
Values = dict[str, int | float]


def values_of(number: int) -> Values:
    """What record `number` of any node says: the ground truth needs no memory."""
    return {"active_energy_import_wh": 10 * number, "active_power_w": 0.5 * number}


class FieldNode:
    """One node: what it sampled, what it was told, what it still holds."""

    def __init__(self, name: str, store: int) -> None:
        self.wire = SparkplugNode(name, store=store)
        self.kept: set[int] = set()  # records until they are acknowledged
        self.newest = 0  # records 1..newest were sampled
        self.published = array("L")  # every record number in the order of publishing, repeats too
        self.acked = 0
        self.heard_back: list[int] = []
        self.moved_s = time.monotonic()
        self.births = 0

    def sample(self) -> Packet:
        """The next record."""
        self.newest += 1
        self.kept.add(self.newest)
        self.published.append(self.newest)
        return self.wire.data(values=dict(values_of(self.newest)), record=self.newest)

    @property
    def sampled(self) -> dict[int, Values]:
        """Everything that was ever sampled: record -> values."""
        return {number: values_of(number) for number in range(1, self.newest + 1)}

    def again(self, most: int) -> list[Packet]:
        """The oldest records that are not acknowledged."""
        oldest = sorted(self.kept)[:most]
        self.published.extend(oldest)
        return [self.wire.data(values=dict(values_of(n)), record=n, historical=True) for n in oldest]

    def acknowledged(self, upto: int) -> None:
        """Forget what the gateway has."""
        self.heard_back.append(upto)
        if upto > self.acked:
            self.acked = upto
            self.moved_s = time.monotonic()
            self.kept = {number for number in self.kept if number > upto}


class Field:
    """A thread that publishes `rate` records a second over all nodes, and keeps what is not acknowledged.

    resend_s: a node sends again when no acknowledgement has advanced for so long
    """

    def __init__(self, port: int, count: int, rate: float, resend_s: float = RESEND_S) -> None:
        self.nodes = {f"n{i:02d}": FieldNode(f"n{i:02d}", 1000 + i) for i in range(count)}
        self.rate = rate
        self.states: list[tuple[bool, bytes]] = []
        self._port = port
        self._resend_s = resend_s
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._quiet = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="field", clean_session=True)
        self._client.reconnect_delay_set(0.1, 1)  # pyright: ignore[reportArgumentType]  # paho takes fractions
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._client.connect(HOST, self._port)
        self._client.loop_start()
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join(30)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, *_rest: Any) -> None:
        client.subscribe([(f"{ids.NAMESPACE}/plant/NCMD/+", 1), (f"{ids.NAMESPACE}/STATE/+", 1)])
        with self._lock:
            for node in self.nodes.values():
                self._birth(node)

    def _birth(self, node: FieldNode) -> None:
        node.births += 1
        node.wire.first = min(node.kept, default=node.newest + 1)
        self._send(node.wire.births())

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        _, kind, name, _ = ids.parse_topic(message.topic)
        if kind == ids.STATE:
            self.states.append((message.retain, bytes(message.payload)))
            return
        found = {metric.name: metric.value for metric in decode_payload(bytes(message.payload)).metrics}
        node = self.nodes[name]
        with self._lock:
            if found.get(records.REBIRTH) is True:
                self._birth(node)
            upto = found.get(records.ACK)
            if found.get(records.ACK_STORE) == node.wire.store and isinstance(upto, int):
                assert upto <= node.newest, "acknowledged more than was ever sent"
                node.acknowledged(upto)

    def _send(self, packets: list[Packet]) -> None:
        for topic, payload in packets:
            self._client.publish(topic, payload)

    def _run(self) -> None:
        due = 0.0
        names = list(self.nodes)
        turn = 0
        last_s = time.monotonic()
        while not self._stop.wait(0.02):
            now_s = time.monotonic()
            passed_s, last_s = min(0.5, now_s - last_s), now_s
            with self._lock:
                due += 0 if self._quiet.is_set() else self.rate * passed_s
                while due >= 1:
                    due -= 1
                    node = self.nodes[names[turn % len(names)]]
                    turn += 1
                    self._send([node.sample()])
                for node in self.nodes.values():
                    if node.kept and time.monotonic() - node.moved_s > self._resend_s and self._client.is_connected():
                        node.moved_s = time.monotonic()
                        self._send(node.again(200))

    @property
    def sampled(self) -> int:
        """Records sampled by all nodes."""
        return sum(node.newest for node in self.nodes.values())

    @property
    def acked(self) -> int:
        """Records acknowledged to all nodes."""
        return sum(node.acked for node in self.nodes.values())

    def finish(self, limit_s: float) -> None:
        """Sample no more; wait until everything is acknowledged."""
        self._quiet.set()
        wait_until(lambda: self.acked == self.sampled, limit_s, f"all {self.sampled} acknowledged, {self.acked} are")
