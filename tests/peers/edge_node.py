"""An edge node played by the independent client, with faults on demand. JSON lines in, JSON lines out.

Usage: edge_node.py HOST PORT GROUP NODE

| order                                      | what the node does                                            |
| {"op": "before_birth", "t_ms": ms}         | device data of a node that has no birth yet                   |
| {"op": "birth"}                            | connects (again): NBIRTH, then DBIRTH of the device `meter`   |
| {"op": "data", "t_ms": ms, "energy_wh": n} | DDATA with every metric of the meter                          |
| {"op": "unknown_alias", "t_ms": ms}        | NDATA, next in sequence, with an alias that no birth declared |
| {"op": "jump", "t_ms": ms}                 | DDATA a hundred sequence numbers ahead                        |
| {"op": "garbage"}                          | NDATA whose payload is not protobuf                           |
| {"op": "nothing"}                          | only answers                                                  |
| {"op": "leave"}                            | NDEATH (with the bdSeq of its *next* session), DISCONNECT     |

Every order is answered with {"seq": the next sequence number, "rebirths": rebirth commands received until now}.
"""

import json
import sys
import threading
from dataclasses import dataclass
from typing import Any

import pysparkplug as peer

LIMIT_S = 30
REBIRTH = "Node Control/Rebirth"
DEVICE = "meter"
ALIAS = 4711
JUMP = 100


def meter_metrics(t_ms: int, energy_wh: int) -> tuple[peer.Metric, ...]:
    """All metrics of the device at one moment: a counter, a gauge, a signed state, a text, a flag."""
    values = (
        ("active_energy_import_wh", peer.DataType.UINT64, energy_wh),
        ("active_power_w", peer.DataType.FLOAT, -1234.5),
        ("vendor_offset", peer.DataType.INT16, -7),
        ("vendor_mode", peer.DataType.STRING, "自动"),
        ("vendor_door_open", peer.DataType.BOOLEAN, True),
    )
    return tuple(peer.Metric(timestamp=t_ms, name=name, datatype=kind, value=value) for name, kind, value in values)


@dataclass
class Garbage:
    """A payload that is not protobuf, in the shape of the client's payloads."""

    def encode(self, *, include_dtypes: bool = False) -> bytes:
        """A length that reaches far beyond the end."""
        return b"\x12\xff\xff\x7f" + bytes([include_dtypes])

    @classmethod
    def decode(cls, raw: bytes, *, birth: object = None) -> "Garbage":
        """Nobody decodes it."""
        raise NotImplementedError(raw, birth)


class Node:
    """The client's own EdgeNode, and a second connection for what an EdgeNode would never send."""

    def __init__(self, host: str, port: int, group: str, name: str) -> None:
        self.host, self.port, self.group, self.name = host, port, group, name
        self.seq = self.rebirths = 0
        self._here = False
        connected, self._born = threading.Event(), threading.Event()
        self._side = peer.Client(client_id=f"{name}-side")
        self._side.subscribe(
            self._topic(peer.MessageType.DBIRTH, DEVICE),
            peer.QoS.AT_MOST_ONCE,
            lambda _client, _message: self._born.set(),
        )
        probe = self._topic(peer.MessageType.DCMD, "probe")
        self._side.subscribe(probe, peer.QoS.AT_MOST_ONCE, lambda _client, _message: connected.set())
        self._side.connect(host, port=port, callback=lambda _client: self._publish(probe, peer.DCmd(0, ())))
        self._wait(connected, "message to ourselves, which comes after every SUBACK")
        rebirth = peer.Metric(timestamp=0, name=REBIRTH, datatype=peer.DataType.BOOLEAN, value=False)
        self._edge = peer.EdgeNode(group, name, (rebirth,), cmd_callback=self._command)
        self._edge.register(peer.Device(DEVICE, meter_metrics(0, 0)))

    @staticmethod
    def _wait(event: threading.Event, what: str) -> None:
        if not event.wait(LIMIT_S):
            raise TimeoutError(f"no {what} within {LIMIT_S} s")

    def _command(self, _node: peer.EdgeNode, message: peer.Message) -> None:
        if isinstance(message.payload, peer.NCmd):
            self.rebirths += any(metric.name == REBIRTH and metric.value for metric in message.payload.metrics)

    def _topic(self, kind: peer.MessageType, device: str | None = None) -> peer.Topic:
        return peer.Topic(message_type=kind, group_id=self.group, edge_node_id=self.name, device_id=device)

    def _publish(self, topic: peer.Topic, payload: Any) -> None:
        message = peer.Message(topic=topic, payload=payload, qos=peer.QoS.AT_MOST_ONCE, retain=False)
        self._side.publish(message, include_dtypes=False)

    def before_birth(self, order: dict[str, Any]) -> None:
        """Device data that nobody announced."""
        payload = peer.DData(timestamp=order["t_ms"], seq=9, metrics=meter_metrics(order["t_ms"], 1))
        self._publish(self._topic(peer.MessageType.DDATA, DEVICE), payload)

    def birth(self, _order: dict[str, Any]) -> None:
        """A new session; returns when the broker has relayed the device's birth."""
        self.leave(_order)
        self._born.clear()
        self._edge.connect(self.host, port=self.port)
        self._here = True
        self._wait(self._born, "DBIRTH")
        self.seq = 2

    def data(self, order: dict[str, Any]) -> None:
        """One reading of the whole meter."""
        self._edge.update_device(DEVICE, meter_metrics(order["t_ms"], order["energy_wh"]))
        self.seq = (self.seq + 1) % 256

    def unknown_alias(self, order: dict[str, Any]) -> None:
        """A metric that no birth declared."""
        metric = peer.Metric(timestamp=order["t_ms"], name=None, datatype=peer.DataType.UINT64, value=1, alias=ALIAS)
        payload = peer.NData(timestamp=order["t_ms"], seq=self.seq, metrics=(metric,))
        self._publish(self._topic(peer.MessageType.NDATA), payload)

    def jump(self, order: dict[str, Any]) -> None:
        """A reading far ahead in the sequence."""
        metrics = meter_metrics(order["t_ms"], 2)
        payload = peer.DData(timestamp=order["t_ms"], seq=(self.seq + JUMP) % 256, metrics=metrics)
        self._publish(self._topic(peer.MessageType.DDATA, DEVICE), payload)

    def garbage(self, _order: dict[str, Any]) -> None:
        """Not protobuf."""
        self._publish(self._topic(peer.MessageType.NDATA), Garbage())

    def nothing(self, _order: dict[str, Any]) -> None:
        """Only the answer."""

    def leave(self, _order: dict[str, Any]) -> None:
        """Clean end of the session."""
        if self._here:
            self._edge.disconnect()
        self._here = False

    def close(self) -> None:
        """End both connections."""
        self.leave({})
        self._side.disconnect()


def main() -> None:
    """Carry out each line of stdin."""
    host, port, group, name = sys.argv[1:]
    node = Node(host, int(port), group, name)
    try:
        for line in sys.stdin:
            order: dict[str, Any] = json.loads(line)
            getattr(node, order["op"])(order)
            sys.stdout.write(json.dumps({"seq": node.seq, "rebirths": node.rebirths}) + "\n")
            sys.stdout.flush()
    finally:
        node.close()


main()
