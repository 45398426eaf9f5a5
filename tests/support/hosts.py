"""A small host application on paho: checks what nodes publish against Sparkplug 3.0 and acknowledges records.

It shares nothing with the gateway but the contract package, so that it can be a witness of its own.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from shutan_wire import quality, records
from shutan_wire.datatypes import UINT64, resolve
from shutan_wire.decode import decode_payload
from shutan_wire.encode import encode_payload
from shutan_wire.ids import parse_topic, topic
from shutan_wire.model import Metric, Payload
from support.servers import HOST, wait_until

ACK_EVERY_S = 0.3

Sample = tuple[str, str, int, object]  # device ("" = node), metric, ms, value


class NodeView:
    """What a host knows of one node.

    held: record number -> samples, across sessions; twice: numbers that came again; gaps: (from, to, unsaved)
    historical: numbers that came with is_historical; faults: broken rules, in words
    """

    def __init__(self) -> None:
        self.store_id = 0
        self.first = 1
        self.boots: list[int] = []
        self.births: list[str] = []
        self.deaths: list[str] = []
        self.held: dict[int, list[Sample]] = {}
        self.twice: list[int] = []
        self.historical: set[int] = set()
        self.gaps: list[tuple[int, int, bool]] = []
        self.faults: list[str] = []
        self.unsaved: list[int] = []
        self.poor: set[tuple[str, str, int]] = set()  # device, metric, quality of DATA that was not good
        self.bdseq: list[int] = []
        self.order: list[int] = []
        self.blind = False  # the host was away: what it knew of the session is void until the next NBIRTH
        self.wants_birth = False
        self.due = False  # it should hear the watermark: after its births and after every record, new or not
        self._seq = -1
        self._names: dict[int, tuple[str, str, int]] = {}
        self._born: set[str] = set()

    @property
    def watermark(self) -> int:
        """Highest contiguous record, gaps closed."""
        closed = {number for low, high, _ in self.gaps for number in range(low, high + 1)}
        number = self.first - 1
        while number + 1 in self.held or number + 1 in closed:
            number += 1
        return number

    def take(self, kind: str, device: str, payload: Payload) -> None:
        """One message of the node."""
        if kind == "NDEATH":
            self.deaths.append("")
            if payload.seq is not None or [m.name for m in payload.metrics] != [records.BDSEQ]:
                self.faults.append("NDEATH is more than its bdSeq")
            elif payload.metrics[0].value == (self.bdseq[-1] if self.bdseq else None):
                self._seq = -1
            return
        if kind == "NBIRTH":
            self._seq = -1
            self._born.clear()
            self.blind = self.wants_birth = False
        if self.blind:
            self.wants_birth = True  # the node sends everything unacknowledged again after it
            return
        if payload.seq != (self._seq + 1) % 256:
            self.faults.append(f"{kind} {device}: seq {payload.seq} after {self._seq}")
        self._seq = payload.seq or 0
        if payload.timestamp is None:
            self.faults.append(f"{kind} {device}: no timestamp")
        if kind in ("NBIRTH", "DBIRTH"):
            self._birth(kind, device, payload)
        elif kind == "DDEATH":
            self.deaths.append(device)
            self._born.discard(device)
        else:
            self._data(kind, device, payload)

    def _birth(self, kind: str, device: str, payload: Payload) -> None:
        self.births.append(device)
        if kind == "DBIRTH" and "" not in self._born:
            self.faults.append(f"DBIRTH {device} before NBIRTH")
        self._born.add(device)
        for metric in payload.metrics:
            if not metric.name or not metric.datatype or metric.timestamp is None:
                self.faults.append(f"{kind} {device}: metric without name, datatype or timestamp: {metric!r}")
            elif metric.alias is not None:
                known = self._names.get(metric.alias)
                if known is not None and known[:2] != (device, metric.name):
                    self.faults.append(f"alias {metric.alias} is {known} and {device} {metric.name}")
                self._names[metric.alias] = (device, metric.name, metric.datatype)
        names = {metric.name: metric for metric in payload.metrics}
        if records.RECORD not in names:
            self.faults.append(f"{kind} {device} does not declare {records.RECORD}")
        if kind == "NBIRTH":
            store_id = int(str(names[records.STORE_ID].value))
            if store_id != self.store_id:
                self.store_id = store_id
                self.held.clear()
                self.gaps.clear()
                self.first = int(str(names[records.STORE_FIRST].value))
            self.boots.append(int(str(names[records.BOOT_ID].value)))
            self.unsaved.append(int(str(names[records.UNSAVED].value)))
            self.due = True
            self.bdseq.append(int(str(names[records.BDSEQ].value)))
            if names[records.REBIRTH].alias is not None:
                self.faults.append("Rebirth has an alias")

    def _data(self, kind: str, device: str, payload: Payload) -> None:
        if device not in self._born:
            self.faults.append(f"{kind} {device!r} before its birth")
            return
        number = 0
        samples: list[Sample] = []
        gap: dict[str, object] = {}
        aliased = [(metric, *self._names.get(metric.alias or 0, ("?", "?", 0))) for metric in payload.metrics]
        for metric, owner, name, datatype in aliased:
            if metric.alias is None:
                continue
            if owner != device:
                self.faults.append(f"{kind} {device}: alias {metric.alias} belongs to {owner!r}")
                return
            value = None if metric.is_null else resolve(datatype, metric.value)
            if metric.properties and quality.PROPERTY in metric.properties:
                self.poor.add((device, name, int(str(metric.properties[quality.PROPERTY][1]))))
            if name == records.RECORD:
                number = int(str(value))
            elif name.startswith("Store/Gap"):
                gap[name] = value
            else:
                samples.append((device, name, metric.timestamp or 0, value))
        self._keep(f"{kind} {device}", number, samples, gap)
        if any(metric.is_historical for metric in payload.metrics):
            self.historical.add(number)

    def _keep(self, what: str, number: int, samples: list[Sample], gap: dict[str, object]) -> None:
        """A record of the node."""
        if not number:
            self.faults.append(f"{what}: no record number")
            return
        self.order.append(number)
        self.due = True
        if number in self.held:
            self.twice.append(number)
            if self.held[number] != samples:
                self.faults.append(f"record {number} came with other content")
        self.held[number] = samples
        if gap:
            entry = (int(str(gap[records.GAP_FROM])), int(str(gap[records.GAP_TO])), bool(gap[records.GAP_UNSAVED]))
            if entry not in self.gaps:
                self.gaps.append(entry)


class FakeHost:
    """The host application: `nodes` by name; `acking` False makes it a foreign host; `lose` drops messages unseen."""

    def __init__(self, port: int, *, acking: bool = True) -> None:
        self.acking = acking
        self.lose: Callable[[str, str, Payload], bool] = lambda _kind, _device, _payload: False
        self.nodes: defaultdict[str, NodeView] = defaultdict(NodeView)
        self.acks: list[int] = []
        self._group = ""
        self._port = port
        self._stop = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self._client.on_connect = self._connected
        self._client.on_message = self._message
        self._client.reconnect_delay_set(1, 1)
        self._thread = threading.Thread(target=self._acknowledge, daemon=True)
        self._ready = threading.Event()

    def _connected(self, client: paho.Client, *_more: object) -> None:
        client.subscribe("spBv1.0/#", 1)
        for node in self.nodes.values():
            node.blind = True
        self._ready.set()

    def _message(self, _client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
        group, kind, node, device = parse_topic(message.topic)
        if kind in ("NCMD", "DCMD", "STATE"):
            return
        self._group = group
        payload = decode_payload(message.payload)
        if not self.lose(kind, device or "", payload):
            self.nodes[node].take(kind, device or "", payload)

    def _acknowledge(self) -> None:
        while not self._stop.wait(ACK_EVERY_S):
            for name, node in list(self.nodes.items()):
                if node.wants_birth:
                    node.wants_birth = False
                    self.rebirth(name)
                if self.acking and node.due and self._client.is_connected():
                    node.due = False  # before the look: what comes now is told next time
                    self.ack(name, node.store_id, node.watermark)

    def ack(self, node: str, store_id: int, number: int) -> None:
        """Send an acknowledgement, right or wrong."""
        self.acks.append(number)
        now = int(time.time() * 1000)
        both = [(records.ACK_STORE, store_id), (records.ACK, number)]
        metrics = [Metric(name=name, timestamp=now, datatype=UINT64, value=value) for name, value in both]
        self.command(node, encode_payload(Payload(timestamp=now, metrics=metrics)))

    def rebirth(self, node: str) -> None:
        """Ask for births, as hosts do: without a datatype."""
        payload = Payload(timestamp=1, metrics=[Metric(name=records.REBIRTH, value=True)])
        self.command(node, encode_payload(payload))

    def command(self, node: str, payload: bytes) -> None:
        """Publish an NCMD."""
        self._client.publish(topic(self._group, "NCMD", node), payload, 0)

    def publish(self, where: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish anything."""
        self._client.publish(where, payload, 1, retain=retain).wait_for_publish(5)

    def __enter__(self) -> Self:
        self._client.connect_async(HOST, self._port)
        self._client.loop_start()
        assert self._ready.wait(10), "no broker"
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join(5)
        self._client.disconnect()
        self._client.loop_stop()

    def wait(self, condition: Callable[[], bool], what: str, limit_s: float = 30.0) -> None:
        """Wait for something to have arrived."""
        wait_until(condition, limit_s, what)
