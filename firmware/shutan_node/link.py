"""The one connection to the broker: session after session, each begun with births, with jittered back-off between."""

import asyncio
import os

from shutan_node import hal
from shutan_node.console import unload
from shutan_wire.errors import WireError
from shutan_wire.mqtt import PINGREQ, PUBLISH, PacketDecoder, parse_publish

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from socket import socket

    from shutan_node import shapes
    from shutan_node.columns import Columns
    from shutan_node.console import Console
    from shutan_node.delivery import Delivery
    from shutan_node.edge import Edge

_LIMIT = 2048  # bytes of one packet from the broker
_IDLE_MS = 40  # between two looks for something to do
_BACK_OFF_MS = 500  # first delay, doubled after every failure
_PROGRESS_MS = 5000  # between two looks at what the console should hear
_RARE = ("shutan_node.handshake", "shutan_node.births", "shutan_node.gaps", "shutan_wire.records")


class Link:
    """Task that owns the connection.

    edge, delivery, console: see there; broker: host, port, keepalive_s and the prepared packets of the handshake;
    boot: boot id. `beat` is the real time of its last step, for the watchdog.
    """

    def __init__(
        self, edge: "Edge", delivery: "Delivery", console: "Console", broker: "shapes.Broker", boot: int
    ) -> None:
        self.edge = edge
        self.delivery = delivery
        self.console = console
        self.broker = broker
        self.boot = boot
        self.keepalive_ms = broker["keepalive_s"] * 1000
        self.socket: socket | None = None
        self.decoder = PacketDecoder(_LIMIT)
        self.beat = 0
        self.sessions = 0
        self.host_ms = -1
        self.host_online = False
        self._inbox = memoryview(bytearray(128))
        self._heard_ms = 0
        self._pinged_ms = 0
        self._said_ms = 0
        self._acked = edge.store.acked
        self._journaled = edge.store.journal.last
        self._gap_ms = -1
        self._down = False

    def tick(self, now: int) -> None:
        """Four times a second, also without a connection: flash, progress on the console."""
        self.delivery.tick(now)
        store = self.edge.store
        if store.gap_ms != self._gap_ms:
            self._gap_ms = store.gap_ms
            self.console.say("gap", low=store.holes[-1][0], high=store.holes[-1][1])
        if now - self._said_ms >= _PROGRESS_MS:
            self._said_ms = now
            if store.journal.last != self._journaled:
                self._journaled = store.journal.last
                self.console.say("journal")
            if store.acked != self._acked:
                self._acked = store.acked
                self.console.say("ack")

    async def run(self, _node: object) -> None:
        """Keep a session up for ever."""
        delay_ms = _BACK_OFF_MS
        while True:
            wait_ms = 250
            self.beat = began = hal.real_ms()
            if self.edge.ready() and hal.online():
                try:
                    await self._session()
                except (OSError, WireError) as error:
                    if not self._down:  # once, not at every attempt
                        self._down = True
                        self.console.say("link_down", reason=str(error))
                finally:
                    self._close()
                if hal.real_ms() - began > 2 * self.keepalive_ms:
                    delay_ms = _BACK_OFF_MS
                wait_ms = delay_ms + (os.urandom(1)[0] * delay_ms >> 8)
                delay_ms = min(2 * delay_ms, self.keepalive_ms // 2)
            while wait_ms > 0:
                self.beat = hal.real_ms()
                await asyncio.sleep_ms(min(wait_ms, 1000))
                wait_ms -= 1000

    async def _session(self) -> None:
        """One connection, from the number of its death to its loss."""
        store = self.edge.store
        store.bdseq = store.bdseq + 1 & 255
        store.save()  # before CONNECT: the next session must not repeat it
        self.decoder = PacketDecoder(_LIMIT)
        self._heard_ms = self._pinged_ms = hal.real_ms()
        self.host_online = not self.broker["state"]
        from shutan_node import handshake

        await handshake.shake(self)
        del handshake
        unload(*_RARE)
        self.sessions += 1
        self._down = False
        self.console.say("link_up")
        while True:
            if self.poll() is None and not await self._step():
                await asyncio.sleep_ms(_IDLE_MS)

    def _close(self) -> None:
        self.delivery.end()
        for columns in self.edge.devices:
            columns.born = False
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _line(self) -> "socket":
        """The connection of this session."""
        if self.socket is None:
            raise OSError("closed")
        return self.socket

    def poll(self) -> "tuple[int, int, bytes] | None":
        """Take in one packet, if there is one, act on it and return it. OSError when the connection is lost."""
        self.beat = now = hal.real_ms()
        line = self._line()
        packet = self.decoder.next()
        if packet is None:
            size = line.readinto(self._inbox)
            if size:
                self._heard_ms = now
                self.decoder.feed(self._inbox[:size])
                packet = self.decoder.next()
            elif size is not None:
                raise OSError("broker closed the connection")
            elif now - self._heard_ms > self.keepalive_ms:
                raise OSError("broker silent")
        if packet is not None and packet[0] == PUBLISH:
            self._incoming(packet)
        return packet

    async def send(self, packet: "shapes.Body") -> None:
        """Hand a whole packet to the connection."""
        line = self._line()
        sent = line.write(packet)
        while sent != len(packet):
            if sent:
                packet = packet[sent:]
            self.poll()
            await asyncio.sleep_ms(_IDLE_MS)
            sent = line.write(packet)
        self.console.note()

    async def _step(self) -> bool:  # noqa: C901, PLR0911 - a coroutine more would be heap at every step
        """Send one thing that is due; False when there is none."""
        now = self.beat
        if now - self._pinged_ms >= self.keepalive_ms // 3:
            self._pinged_ms = now
            await self.send(PINGREQ)
        edge = self.edge
        if not self.host_online:
            if edge.devices[0].born:
                from shutan_node import handshake

                handshake.leave(self)
                raise OSError("primary host offline")
            return False
        if edge.rebirth or not edge.devices[0].born:
            await self._births(None)
            return True
        for columns in edge.devices:
            if columns.alive and not columns.born:
                await self._births(columns)
                return True
            if columns.born and not columns.alive and not self.delivery.replaying():
                edge.open()
                columns.born = False
                await self.send(edge.close("DDEATH", columns.name))
                return True
        item = self.delivery.next(now)
        if item is None:
            return False
        columns = edge.devices[item[1][1]]
        if not columns.born:  # replay for an instrument that is silent now
            await self._births(columns)
            item = edge.store.seek(item[0])  # the buffer may have served for something else
            if item is None:
                return True
            await self.send(edge.data(item[0], item[1], True))
        else:
            await self.send(edge.data(item[0], item[1], item[2]))
        return True

    async def _births(self, columns: "Columns | None") -> None:
        """Birth of one device, or of everything."""
        from shutan_node import births

        if columns is None:
            await births.all_of(self)
            self.delivery.begin(hal.real_ms())
            self.console.say("birth")
        else:
            await self.send(births.device(self.edge, columns))
        del births
        unload(*_RARE)

    def _incoming(self, packet: "tuple[int, int, bytes]") -> None:
        """A command or a STATE; what is not understood is counted and changes nothing."""
        topic, payload, qos, _, _, packet_id = parse_publish(packet[1], packet[2])
        if qos:
            self._line().write(b"\x40\x02" + packet_id.to_bytes(2, "big"))
        try:
            if topic == self.broker["state"]:
                from shutan_node import handshake

                handshake.state(self, payload)
            else:
                found = self.edge.command(payload)
                if found is not None:
                    self.delivery.ack(found[0], found[1], self.beat)
        except (WireError, IndexError, ValueError, TypeError, KeyError):
            self.console.rejected += 1
