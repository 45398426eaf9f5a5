"""The adapters' own MQTT session: persistent, QoS 1, acknowledged by hand after the samples are durable.

A second connection beside the Sparkplug link, since that one must begin clean (Sparkplug 3.0.0, chapter 5) and this one
must not: the broker keeps the messages of devices while the gateway is away. One thread reads, works and writes, by
paho's interface for foreign event loops, so that nothing here needs a lock.
"""

from __future__ import annotations

import contextlib
import logging
import select
import ssl
import threading
import time
from typing import TYPE_CHECKING

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from shutan_gateway.adapters.readings import Inbound
from shutan_gateway.backoff import Backoff
from shutan_gateway.config import read_secret
from shutan_gateway.link.tls import Tls

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from paho.mqtt.client import SocketLike
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from shutan_gateway.adapters.intake import AdapterIntake
    from shutan_gateway.config import MqttSection
    from shutan_gateway.counters import Counters

__all__ = ["AdapterLink"]

log = logging.getLogger("shutan.adapters")

_CONNECT_S = 5.0
_POLL_S = 0.5
_HEALTHY_S = 10.0  # a session this long starts the back-off afresh
_GOODBYE_S = 3.0  # for what is on its way to the disk
_FILTERS_AT_ONCE = 50


class AdapterLink:
    """Keeps the session up; `run` is its thread. `wake` may be called by any thread."""

    def __init__(self, settings: MqttSection, intake: AdapterIntake, counters: Counters, *, known: set[str]) -> None:
        """known: filters that the session holds from an earlier run. Raises ConfigError when a file does not fit."""
        self._settings = settings
        self._intake = intake
        self._counters = counters
        self._subscribed = set(known)
        self._first = True
        self._stop = threading.Event()
        self._awake = threading.Event()
        self._poke: Callable[[], None] | None = None
        self._backoff = Backoff(first_s=0.2, cap_s=15.0)
        self._broken: str | None = "not connected yet"
        self._told = False
        self._client: Client | None = None
        self._session = 0
        self._refused: str | None = None
        self._denied: str | None = None
        self._password = None
        if settings.password_file is not None:
            self._password = read_secret(settings.password_file, "mqtt.password_file")
        self._tls = None if settings.tls is None else Tls(settings.tls, counters)
        counters.set("shutan_adapter_link_up", 0)

    @property
    def trouble(self) -> str | None:
        """Why there is no session or not all of it, None while there is one."""
        return self._broken or self._denied

    @property
    def subscribed(self) -> frozenset[str]:
        """Filters that the session holds."""
        return frozenset(self._subscribed)

    def wake(self) -> None:
        """Something settled: work now."""
        self._awake.set()
        poke = self._poke
        if poke is not None:
            poke()

    def stop(self) -> None:
        """Let `run` end: it takes nothing more, acknowledges what becomes durable in a moment, says goodbye."""
        self._stop.set()
        self.wake()

    def run(self) -> None:
        """Connect, serve, reconnect with jittered back-off until `stop`."""
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                self._serve()
            except OSError as error:
                self._complain(self._refused or Tls.refusal(error) or type(error).__name__)
            except ValueError as error:  # paho, for a server that does not speak MQTT
                self._complain(str(error))
            if time.monotonic() - began_s > _HEALTHY_S:
                self._backoff.reset()
            self._pause(self._backoff.next_s())

    def _pause(self, wait_s: float) -> None:
        """Wait, but go on committing what settles meanwhile."""
        end_s = time.monotonic() + wait_s
        while not self._stop.is_set() and (left_s := end_s - time.monotonic()) > 0:
            due_s = self._intake.wait_s
            if self._awake.wait(min(left_s, _POLL_S if due_s is None else due_s)):
                self._awake.clear()
            self._intake.work()

    def _serve(self) -> None:
        """One session from CONNECT to its end. Raises OSError."""
        settings = self._settings
        self._counters.inc("shutan_adapter_link_attempts_total")
        client = self._client = Client(
            CallbackAPIVersion.VERSION2,
            f"{settings.client_id}-adapters",
            clean_session=False,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = _CONNECT_S
        if settings.username is not None:
            client.username_pw_set(settings.username, None if self._password is None else self._password.reveal())
        if self._tls is not None:
            context = self._tls.context()  # from the files as they are now: certificates are renewed while we run
            client.tls_set_context(context)  # pyright: ignore[reportUnknownMemberType] - paho's `context: Any`
        client.on_connect = self._connected
        client.on_subscribe = self._answered
        client.on_message = self._message
        client.on_disconnect = self._lost
        self._refused = None
        self._session += 1
        client.connect(settings.host, settings.port, settings.keepalive_s)
        reader, writer = _pipe()
        self._poke = lambda: _send(writer)
        try:
            self._loop(client, reader)
        finally:
            self._poke = None
            reader.close()
            writer.close()
            self._counters.set("shutan_adapter_link_up", 0)
            self._close(client)

    def _loop(self, client: Client, reader: socket.socket) -> None:
        """Read and work until the session breaks (OSError) or `stop` has been asked for."""
        deadline_s = time.monotonic() + _CONNECT_S
        while not self._stop.is_set():
            sock = client.socket()
            if sock is None or self._refused is not None:
                raise ConnectionError(self._refused or "the broker closed the connection")
            if self._broken is not None and time.monotonic() > deadline_s and not client.is_connected():
                raise TimeoutError("no answer to CONNECT")
            self._turn(client, sock, reader, reading=not self._intake.busy)
            self._renew(client)
        end_s = time.monotonic() + _GOODBYE_S
        while not self._intake.idle and time.monotonic() < end_s and (sock := client.socket()) is not None:
            self._turn(client, sock, reader, reading=False)

    def _turn(self, client: Client, sock: SocketLike, reader: socket.socket, *, reading: bool) -> None:
        waiting = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        wanted = [sock, reader] if reading else [reader]
        writing = [sock] if client.want_write() else []
        wait_s = self._intake.wait_s
        least_s = _POLL_S if wait_s is None else min(wait_s, _POLL_S)
        readable, writable, _ = select.select(wanted, writing, [], 0 if waiting and reading else least_s)
        if reader in readable:
            reader.recv(4096)
        if reading and (sock in readable or waiting):
            _check(client.loop_read())
        if writable and client.socket() is not None:
            _check(client.loop_write())
        _check(client.loop_misc())
        self._intake.work()

    def _connected(
        self, client: Client, _data: object, flags: ConnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._refused = f"refused: {code}"
            return
        self._denied = None
        self._intake.new_session(kept=flags.session_present)
        wanted = self._wanted()
        if not flags.session_present:
            self._subscribed.clear()
        # At the first connection everything is subscribed again: the broker then sends what it has retained.
        self._subscribe(client, wanted if self._first else wanted - self._subscribed)
        self._unsubscribe(client, self._subscribed - wanted)
        self._first = False
        self._counters.inc("shutan_adapter_link_connects_total")
        self._counters.set("shutan_adapter_link_up", 1)
        kept = "its messages were kept" if flags.session_present else "a new session"
        log.info("broker %s:%d: adapters connected, %s", self._settings.host, self._settings.port, kept)
        self._broken, self._told = None, False

    def _wanted(self) -> set[str]:
        return {one for adapter in self._intake.adapters for one in adapter.filters}

    def _renew(self, client: Client) -> None:
        """Follow what the adapters want now (discovery announces topics)."""
        if self._broken is None and (wanted := self._wanted()) != self._subscribed:
            self._subscribe(client, wanted - self._subscribed)
            self._unsubscribe(client, self._subscribed - wanted)

    def _subscribe(self, client: Client, filters: set[str]) -> None:
        ordered = sorted(filters)
        for start in range(0, len(ordered), _FILTERS_AT_ONCE):
            client.subscribe([(one, 1) for one in ordered[start : start + _FILTERS_AT_ONCE]])
        self._subscribed |= filters

    def _unsubscribe(self, client: Client, filters: set[str]) -> None:
        ordered = sorted(filters)
        for start in range(0, len(ordered), _FILTERS_AT_ONCE):
            client.unsubscribe(ordered[start : start + _FILTERS_AT_ONCE])
        self._subscribed -= filters

    def _answered(
        self, _client: Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if any(code.is_failure for code in codes) and self._denied is None:  # the other topics go on
            self._denied = "a subscription is refused: give this user read access to the topics of the adapters"
            log.warning("broker %s:%d: adapters: %s", self._settings.host, self._settings.port, self._denied)

    def _message(self, client: Client, _data: object, message: MQTTMessage) -> None:
        acknowledge = self._answer(client, message.mid) if message.qos else None
        try:
            topic = message.topic
        except UnicodeDecodeError:  # MQTT 3.1.1, 1.5.3: the broker should have refused it
            self._counters.inc("shutan_faults_total", kind="topic")
            if acknowledge is not None:
                acknowledge()
            return
        received_ms = time.time_ns() // 1_000_000
        inbound = Inbound(topic, bytes(message.payload), received_ms, message.retain)
        self._intake.take(inbound, again=message.dup, acknowledge=acknowledge)

    def _answer(self, client: Client, number: int) -> Callable[[], None]:
        """The acknowledgement of one message; it belongs to this session only."""
        session = self._session

        def acknowledge() -> None:
            if self._session == session and client.socket() is not None:
                client.ack(number, 1)

        return acknowledge

    def _lost(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if not self._stop.is_set():
            self._complain(self._refused or str(code))

    def _close(self, client: Client) -> None:
        with contextlib.suppress(OSError, ValueError):
            client.disconnect()
            if client.socket() is not None:
                client.loop_write()
        if (sock := client.socket()) is not None:
            sock.close()

    def _complain(self, reason: str) -> None:
        """One line when the state changes, not one per attempt."""
        if not self._told and not self._stop.is_set():
            log.warning("broker %s:%d: adapters: %s; trying again", self._settings.host, self._settings.port, reason)
            if self._broken is None:
                self._counters.inc("shutan_adapter_link_lost_total")
            self._told = True
        self._broken = f"broker: {reason}"


def _check(code: MQTTErrorCode) -> None:
    if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
        raise ConnectionError(f"connection lost ({code.name.removeprefix('MQTT_ERR_').lower()})")


def _pipe() -> tuple[socket.socket, socket.socket]:
    import socket  # noqa: PLC0415 - the name above is for types only

    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    return reader, writer


def _send(writer: socket.socket) -> None:
    with contextlib.suppress(OSError):  # full: it will wake anyway; closed: the session has just ended
        writer.send(b".")
