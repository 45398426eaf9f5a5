"""A minimal Sparkplug host for the simulator's tests: keeps records in memory and acknowledges the contiguous ones."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable

import aiomqtt

from shutan_wire import records
from shutan_wire.decode import decode_payload
from shutan_wire.encode import encode_payload
from shutan_wire.ids import parse_topic, topic
from shutan_wire.model import Metric, Payload

UINT64 = 8
BOOLEAN = 11
ACK_S = 0.05

Values = dict[str, object]


class AckHost:
    """What every node sent.

    records: (node, store id) -> record number -> (device, sample time ms, metric -> raw value, historical)
    lose:    says of (node, record number) whether this host never saw the message
    """

    def __init__(self, client: aiomqtt.Client, lose: Callable[[str, int], bool] = lambda _node, _record: False) -> None:
        self.records: defaultdict[tuple[str, int], dict[int, tuple[str, int, Values, bool]]] = defaultdict(dict)
        self.repeats = 0
        self.stores: dict[str, int] = {}
        self.deaths: list[str] = []
        self.births: defaultdict[str, int] = defaultdict(int)
        self.acknowledge = True
        self._client = client
        self._lose = lose
        self._names: dict[str, dict[int, str]] = defaultdict(dict)
        self._groups: dict[str, str] = {}
        self._upto: defaultdict[tuple[str, int], int] = defaultdict(int)

    async def listen(self) -> None:
        async for message in self._client.messages:
            group, kind, node, device = parse_topic(str(message.topic))
            if kind in {"STATE", "NCMD", "DCMD"}:
                continue
            payload = decode_payload(message.payload)
            self._groups[node] = group
            if kind == "NDEATH":
                self.deaths.append(node)
            elif kind.endswith("BIRTH"):
                self._birth(kind, node, payload)
            elif kind.endswith("DATA"):
                self._data(node, device or "", payload)

    def _birth(self, kind: str, node: str, payload: Payload) -> None:
        for metric in payload.metrics:
            if metric.name is not None and metric.alias is not None:
                self._names[node][metric.alias] = metric.name
            if kind == "NBIRTH" and metric.name == records.STORE_ID and isinstance(metric.value, int):
                self.stores[node] = metric.value
                self.births[node] += 1

    def _data(self, node: str, device: str, payload: Payload) -> None:
        names, store = self._names[node], self.stores.get(node)
        values: Values = {}
        for metric in payload.metrics:
            name = metric.name if metric.alias is None else names.get(metric.alias, "")
            values[name or ""] = metric.value
        number = values.pop(records.RECORD, None)
        if store is None or not isinstance(number, int) or self._lose(node, number):
            return
        held = self.records[node, store]
        self.repeats += number in held
        first = payload.metrics[0]
        held[number] = (device, first.timestamp or 0, values, first.is_historical)

    async def answer(self) -> None:
        while True:
            await asyncio.sleep(ACK_S)
            for node, store in list(self.stores.items()):
                upto = self._upto[node, store]
                while upto + 1 in self.records[node, store]:
                    upto += 1
                self._upto[node, store] = upto
                if self.acknowledge:
                    await self.command(node, (records.ACK_STORE, UINT64, store), (records.ACK, UINT64, upto))

    async def command(self, node: str, *metrics: tuple[str, int, int | bool]) -> None:
        now = int(time.time() * 1000)
        payload = Payload(now, [Metric(n, timestamp=now, datatype=t, value=v) for n, t, v in metrics])
        await self._client.publish(topic(self._groups[node], "NCMD", node), encode_payload(payload))

    async def rebirth(self, node: str) -> None:
        await self.command(node, (records.REBIRTH, BOOLEAN, True))


@contextlib.asynccontextmanager
async def ack_host(
    port: int, lose: Callable[[str, int], bool] = lambda _node, _record: False
) -> AsyncGenerator[AckHost]:
    """A host that is connected and answers while the block runs."""
    async with aiomqtt.Client("127.0.0.1", port, identifier="ack-host") as client:
        await client.subscribe("spBv1.0/#", qos=1)
        host = AckHost(client, lose)
        tasks = [asyncio.create_task(host.listen()), asyncio.create_task(host.answer())]
        try:
            yield host
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
