"""Back-fill: a Sparkplug session for each node sends its history, paced by the gateway's acknowledgements.

At most `WINDOW` records of a node are on their way. When the acknowledgement stands still, everything behind it is sent
again after new births: a message at QoS 0 may vanish, and a gateway that started late asks for a birth anyway.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiomqtt

from shutan_sim.errors import HistoryError, SetupError
from shutan_sim.records_of_history import NodeHistory
from shutan_sim.truth import Truth
from shutan_wire import records
from shutan_wire.decode import decode_payload
from shutan_wire.errors import WireError
from shutan_wire.ids import topic

WINDOW = 600  # about what a gateway acknowledges in a second; 10 nodes stay far below its queue
STALL_S = 4.0
_STALLS_MAX = 8
_BREATH = 64  # records between two looks at the inbox
_KEEPALIVE_S = 30
_BDSEQ = 0

Acknowledged = Callable[[int], None]  # how many records more are acknowledged


@dataclass(frozen=True, slots=True)
class Target:
    """Where the history goes: the broker, and the Sparkplug group."""

    host: str
    port: int
    site: str


class _Session:
    """One node's session with the gateway."""

    def __init__(self, target: Target, history: NodeHistory, truth: Truth, progress: Acknowledged) -> None:
        self._target = target
        self._history = history
        self._truth = truth
        self._progress = progress
        self._seq = 0
        self._acknowledged = 0
        self._rebirth = False
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Send everything. Raises HistoryError, SetupError."""
        target, history = self._target, self._history
        will_topic, will_payload = history.will(_BDSEQ)
        try:
            async with aiomqtt.Client(
                target.host,
                target.port,
                identifier=f"history-{target.site}-{history.node}",
                keepalive=_KEEPALIVE_S,
                will=aiomqtt.Will(will_topic, will_payload, qos=1),
            ) as client:
                await client.subscribe(topic(target.site, "NCMD", history.node), qos=1)
                listener = asyncio.create_task(self._listen(client))
                try:
                    await self._send_all(client)
                finally:
                    listener.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await listener
                await client.publish(will_topic, will_payload, qos=1)
        except aiomqtt.MqttError as error:
            raise SetupError(f"broker {target.host}:{target.port}", str(error), "start the broker first") from error

    async def _send_all(self, client: aiomqtt.Client) -> None:
        history = self._history
        following, stalls = 1, 0
        await self._be_born(client)
        while self._acknowledged < history.total:
            if self._rebirth:
                await self._be_born(client)
            while following <= min(self._acknowledged + WINDOW, history.total) and not self._rebirth:
                end = min(following + _BREATH, history.total + 1)
                for number in range(following, end):
                    await self._publish(client, number)
                following = max(end, self._acknowledged + 1)  # a gateway may know much of it already
            before = self._acknowledged
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), STALL_S)
            if self._acknowledged > before or self._rebirth:
                stalls = 0
                continue
            stalls += 1
            if stalls > _STALLS_MAX:
                raise HistoryError(history.node, self._acknowledged, history.total)
            await self._be_born(client)
            following = self._acknowledged + 1
        if self._rebirth:  # it came together with the last acknowledgement, and is answered all the same
            await self._be_born(client)

    async def _publish(self, client: aiomqtt.Client, number: int) -> None:
        self._seq = (self._seq + 1) & 255
        await client.publish(*self._history.record(number, self._seq, self._truth))

    async def _be_born(self, client: aiomqtt.Client) -> None:
        self._rebirth = False
        born = self._history.births(_BDSEQ, self._acknowledged, time.time_ns() // 1_000_000)
        for where, payload in born:
            await client.publish(where, payload)
        self._seq = len(born) - 1

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            try:
                payload = decode_payload(bytes(message.payload))
            except (WireError, TypeError):
                continue
            values = {metric.name: metric.value for metric in payload.metrics}
            if values.get(records.REBIRTH):
                self._rebirth = True
                self._news.set()
            upto = values.get(records.ACK)
            if values.get(records.ACK_STORE) == self._history.store_id and isinstance(upto, int):
                self._take(min(upto, self._history.total))

    def _take(self, upto: int) -> None:
        if upto > self._acknowledged:
            self._progress(upto - self._acknowledged)
            self._acknowledged = upto
            self._news.set()


async def send(target: Target, histories: list[NodeHistory], truth: Truth, progress: Acknowledged) -> None:
    """Send all histories at the same time. Raises HistoryError or SetupError of the first that fails."""
    sessions = [_Session(target, history, truth, progress) for history in histories]
    tasks = [asyncio.create_task(session.run()) for session in sessions]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        truth.flush()
