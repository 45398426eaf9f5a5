"""A small MQTT 3.1.1 client on the packets of `shutan_wire.mqtt`, for one thread that reads and many that publish.

It reads what the socket holds in one go and acknowledges QoS 1 in one write, which costs a tenth of a packet-by-packet
client (bench/gateway.py). Only the thread that calls `poll` touches the socket, so TLS needs no lock; `publish` leaves
bytes in a bounded buffer and wakes it. Keep-alive goes on while the caller does not read: a gateway under back-pressure
keeps its session.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.link.mqtt_stream import Stream
from shutan_wire import mqtt
from shutan_wire.errors import WireError

if TYPE_CHECKING:
    from shutan_gateway.link.mqtt_stream import Packet

__all__ = ["Connack", "Messages", "MqttClient", "Suback"]

_READ_BYTES = 131_072  # of a poll, about: little enough to stay in the processor's cache until intake has it
_VERDICT_S = 0.5
_OUT_BYTES = 4_000_000  # what may wait to be sent


class Connack(NamedTuple):
    """Answer to CONNECT: 0 = accepted."""

    code: int


class Suback(NamedTuple):
    """Answer to SUBSCRIBE: granted QoS per filter, 128 = refused."""

    codes: list[int]


class Messages(NamedTuple):
    """(topic, payload) of all messages of a poll, in order, and how many bytes were read for them."""

    items: list[tuple[str, bytes]]
    size: int


Event = Connack | Suback | Messages


class MqttClient:
    """One connection. Every method raises OSError when it is broken; then only `close` is left to call."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float, limit_bytes: int) -> None:
        """Open TCP and TLS. Raises OSError."""
        self._socket = socket.create_connection((host, port), timeout_s)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                self._socket = tls.wrap_socket(self._socket, server_hostname=host)
            self._socket.setblocking(False)
            if isinstance(self._socket, ssl.SSLSocket):
                _hear_verdict(self._socket)
        except BaseException:
            self._socket.close()
            raise
        self._stream = Stream(limit_bytes)
        self._lock = threading.Lock()
        self._out = bytearray()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._keepalive_s = 60.0
        self._wrote_s = self._heard_s = time.monotonic()
        self._asked_s: float | None = None  # since when an answer to PINGREQ is missing
        self._next_id = 0
        self._unconfirmed: set[int] = set()

    @property
    def peer_certificate(self) -> bytes | None:
        """The broker's certificate (DER), None without TLS."""
        return self._socket.getpeercert(binary_form=True) if isinstance(self._socket, ssl.SSLSocket) else None

    def connect(
        self,
        client_id: str,
        keepalive_s: int,
        will: tuple[str, bytes, int, bool],
        username: str | None,
        password: str | None,
    ) -> None:
        """Send CONNECT; the answer is a Connack event.

        The broker is told four fifths of `keepalive_s`. Where only the way to it is cut, messages still come in and
        nothing here looks silent: it is the broker that ends the session, at 1.5 x what it was told.
        """
        self._keepalive_s = keepalive_s
        self.send(mqtt.connect(client_id, max(1, keepalive_s * 4 // 5), True, username, password, will=will))

    def subscribe(self, filters: list[tuple[str, int]]) -> None:
        """Send SUBSCRIBE; the answer is a Suback event."""
        self.send(mqtt.subscribe(self._packet_id(), filters))

    def publish(self, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False) -> bool:
        """Leave a message to be sent; False when too much waits already. Any thread."""
        packet_id = 0
        if qos:
            packet_id = self._packet_id()
            self._unconfirmed.add(packet_id)
        return self.send(mqtt.publish(topic, payload, qos, retain, packet_id))

    @property
    def confirmed(self) -> bool:
        """Whether the broker has every QoS 1 message."""
        return not self._unconfirmed

    def send(self, packet: bytes) -> bool:
        """Leave bytes to be sent by `poll`. Any thread."""
        with self._lock:
            if len(self._out) + len(packet) > _OUT_BYTES:
                return False
            idle = not self._out
            self._out += packet
        if idle:
            with contextlib.suppress(BlockingIOError, OSError):
                self._wake_out.send(b"\0")
        return True

    def _packet_id(self) -> int:
        with self._lock:
            self._next_id = self._next_id % 65535 + 1
            return self._next_id

    def poll(self, timeout_s: float, *, read: bool = True) -> list[Event]:
        """Send what waits, keep the session alive, and (`read`) take what comes within `timeout_s`."""
        self._keep_alive(read=read)
        readers: list[socket.socket] = [self._wake_in]
        if read:
            readers.append(self._socket)
            if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
                timeout_s = 0
        readable, _, _ = select.select(readers, [self._socket] if self._out else [], [], timeout_s)
        if self._wake_in in readable:
            with contextlib.suppress(BlockingIOError):
                self._wake_in.recv(4096)
        self._flush()
        return self._read() if read else []

    def _read(self) -> list[Event]:
        """What the socket holds: answers of the broker first, then at most one Messages."""
        events: list[Event] = []
        found: list[tuple[str, bytes]] = []
        acks = bytearray()
        size = 0
        while size < _READ_BYTES:  # TLS gives 16 KiB at once
            data = self._receive(first=not size)
            if not data:
                break
            self._heard_s = time.monotonic()
            self._asked_s = None
            size += len(data)
            try:
                messages, packets = self._stream.take(data, acks)
                events += [event for event in map(self._answer, packets) if event is not None]
            except WireError as error:
                raise ConnectionAbortedError(f"the broker sent a malformed packet: {error}") from error
            found += messages
            if len(data) < _READ_BYTES and not isinstance(self._socket, ssl.SSLSocket):
                break
        if found:
            events.append(Messages(found, size))
        if acks:
            self.send(bytes(acks))
            with contextlib.suppress(OSError):  # met again by the next poll
                self._flush()
        return events

    def _receive(self, *, first: bool) -> bytes:
        """Bytes from the socket, none when there are no more now.

        What came before an end counts: only the first read of a poll raises it, the later ones leave it to the next.
        """
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except OSError:
            if first:
                raise
            return b""
        if not data and first:
            raise ConnectionResetError("closed by the broker")
        return data

    def _answer(self, packet: Packet) -> Event | None:
        kind, body = packet
        if kind == mqtt.PUBACK:
            self._unconfirmed.discard(mqtt.parse_puback(body))
        elif kind == mqtt.CONNACK:
            return Connack(mqtt.parse_connack(body)[1])
        elif kind == mqtt.SUBACK:
            return Suback(mqtt.parse_suback(body)[1])
        return None

    def _flush(self) -> None:
        with self._lock:
            while self._out:
                try:
                    sent = self._socket.send(self._out)
                except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    return
                del self._out[:sent]
                self._wrote_s = time.monotonic()

    def _keep_alive(self, *, read: bool) -> None:
        now_s = time.monotonic()
        if not read:  # an answer cannot be seen: no verdict about silence
            self._heard_s, self._asked_s = now_s, None
        if now_s - self._wrote_s >= self._keepalive_s / 2 or (
            self._asked_s is None and now_s - self._heard_s >= self._keepalive_s
        ):
            self._wrote_s = now_s
            self._asked_s = self._asked_s or now_s
            self.send(mqtt.PINGREQ)
        if self._asked_s is not None and now_s - self._asked_s >= self._keepalive_s / 2:
            raise TimeoutError(f"no answer for {now_s - self._asked_s:.0f} s")

    def close(self, *, politely: bool) -> None:
        """Close; politely = with DISCONNECT, so that the broker drops the will."""
        if politely:
            with contextlib.suppress(OSError):
                self.send(mqtt.DISCONNECT)
                self._flush()
        for end in (self._socket, self._wake_in, self._wake_out):
            with contextlib.suppress(OSError):
                end.close()


def _hear_verdict(secure: ssl.SSLSocket) -> None:
    """Raise what the broker says about our certificate: in TLS 1.3 it comes behind the client's handshake.

    A broker that accepts sends tickets then (RFC 8446, 4.6.1). Without this wait its alert is lost when the connection
    ends under our CONNECT, and nobody knows why.
    """
    if secure.version() == "TLSv1.3" and select.select([secure], [], [], _VERDICT_S)[0]:
        with contextlib.suppress(ssl.SSLWantReadError):
            secure.recv(1)
