"""Link to the broker: one MQTT 3.1.1 session of the Sparkplug host application, kept up for ever.

Order (Sparkplug 3.0.0, chapter 5, host application session): CONNECT with clean session and the STATE will, SUBSCRIBE
to the own STATE and the data topics, then publish STATE online with the timestamp of the will; nothing before it.
The network thread hands messages to the mailbox and stops reading when it is full: TCP passes the pressure on.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import ssl
import threading
import time
from typing import TYPE_CHECKING

from shutan_gateway.config import read_secret
from shutan_gateway.link.mailbox import LINK_UP, Chunk, Mailbox, Message
from shutan_gateway.link.mqtt_client import Connack, Messages, MqttClient
from shutan_wire import ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.config import MqttSection
    from shutan_gateway.counters import Counters

__all__ = ["Link"]

log = logging.getLogger("shutan.link")

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 15.0
_HEALTHY_S = 10.0  # a session this long starts the back-off afresh (two gateways with one client id would not)
_CONNECT_S = 5.0  # for each of TCP with TLS, CONNACK, SUBACK
_POLL_S = 0.5
_PACE_S = 0.005  # let a few milliseconds of messages gather: one read for many
_GOODBYE_S = 2.0  # for the last PUBACK
_MQTT_OVERHEAD = 70_000  # topic and header of a message that is as large as a payload may be
_REFUSED = {
    1: "the protocol version is not accepted",
    2: "the client id is not accepted",
    3: "the broker is not available",
    4: "wrong user name or password",
    5: "not authorised",
}


def _nothing() -> None:
    """No watchdog."""


class Link:
    """The session with the broker; `run` is the network thread, everything else may be called from others."""

    def __init__(
        self, settings: MqttSection, host_id: str, mailbox: Mailbox, counters: Counters, *, payload_limit: int
    ) -> None:
        """Read secrets and certificates. Raises ConfigError when a file does not fit."""
        self._settings = settings
        self._mailbox = mailbox
        self._counters = counters
        self._limit = payload_limit + _MQTT_OVERHEAD
        self._state_topic = ids.state_topic(host_id)
        self._chance = random.Random()  # noqa: S311 - jitter only
        self._stop = threading.Event()
        self.beat: Callable[[], None] = _nothing  # called at each round: systemd's watchdog
        self._client: MqttClient | None = None  # set while the session is complete
        self._broken: set[str] = set()  # why there is no session, as logged
        self._since_s = time.monotonic()
        self._tls = None
        if settings.tls is not None:
            from shutan_gateway.link.tls import Tls  # noqa: PLC0415 - a gateway without TLS does not load it

            self._tls = Tls(settings.tls, counters)
        self._password = None
        if settings.password_file is not None:
            self._password = read_secret(settings.password_file, "mqtt.password_file")

    @property
    def up(self) -> bool:
        """Whether the session is complete: connected, subscribed, STATE sent."""
        return self._client is not None

    @property
    def place(self) -> str:
        """Broker address for people."""
        return f"{self._settings.host}:{self._settings.port}"

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send at QoS 0; False when there is no session."""
        client = self._client
        return client is not None and client.publish(topic, payload)

    def run(self) -> None:
        """Connect, serve, reconnect with jittered back-off until `stop`."""
        pause_s = _FIRST_PAUSE_S
        while not self._stop.is_set():
            self.beat()
            began_s = time.monotonic()
            try:
                self._session()
            except OSError as error:
                self._complain(error)
            if time.monotonic() - began_s > _HEALTHY_S:
                pause_s = _FIRST_PAUSE_S
            self._stop.wait(pause_s * self._chance.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def stop(self) -> None:
        """Say goodbye (STATE offline with the current time) and let `run` end."""
        self._stop.set()

    def _session(self) -> None:
        """One session from CONNECT to its end. Raises OSError."""
        settings = self._settings
        self._counters.inc("shutan_link_attempts_total")
        context = None if self._tls is None else self._tls.context()
        client = MqttClient(settings.host, settings.port, context, _CONNECT_S, self._limit)
        complete = False
        try:
            if self._tls is not None:
                self._tls.saw(client.peer_certificate)
            will_ms = _now_ms()
            will = (self._state_topic, _state(online=False, timestamp_ms=will_ms), 1, True)
            password = None if self._password is None else self._password.reveal()
            client.connect(settings.client_id, settings.keepalive_s, will, settings.username, password)
            try:
                waiting = self._enter(client)
            except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError) as error:
                # A refused certificate ends like this when the broker's alert is lost behind our own CONNECT.
                raise ConnectionRefusedError("closed before an answer to CONNECT; the broker's log says why") from error
            if waiting is None:
                return
            online = _state(online=True, timestamp_ms=will_ms)
            client.publish(self._state_topic, online, 1, retain=True)
            self._arrived(client)
            complete = True
            for messages in waiting:
                self._take(client, messages, online)
            self._serve(client, online)
        finally:
            self._client = None
            self._counters.set("shutan_link_up", 0)
            if complete and not self._stop.is_set():
                self._counters.inc("shutan_link_lost_total")
            client.close(politely=self._stop.is_set())

    def _enter(self, client: MqttClient) -> list[Messages] | None:
        """CONNACK, SUBSCRIBE, SUBACK; returns the messages that came meanwhile, None when stopped."""
        deadline_s = time.monotonic() + _CONNECT_S
        waiting: list[Messages] = []
        entered = False
        while not self._stop.is_set():
            if time.monotonic() > deadline_s:
                raise TimeoutError("no answer to CONNECT or SUBSCRIBE")
            for event in client.poll(0.1):
                if isinstance(event, Messages):
                    waiting.append(event)
                elif isinstance(event, Connack):
                    if event.code:
                        raise ConnectionRefusedError(f"refused: {_REFUSED.get(event.code, event.code)}")
                    client.subscribe(self._filters())
                    deadline_s = time.monotonic() + _CONNECT_S
                elif any(code > 2 for code in event.codes):
                    raise ConnectionRefusedError("subscription refused: give this user read access to spBv1.0/#")
                else:
                    entered = True
            if entered:  # the same read may have brought messages behind the answer
                return waiting
        return None

    def _filters(self) -> list[tuple[str, int]]:
        filters = [(self._state_topic, 1)]
        for group in self._settings.groups:
            filters += [(f"{ids.NAMESPACE}/{group}/{kind}/+", 1) for kind in (ids.NBIRTH, ids.NDATA, ids.NDEATH)]
            filters += [(f"{ids.NAMESPACE}/{group}/{kind}/+/+", 1) for kind in (ids.DBIRTH, ids.DDATA, ids.DDEATH)]
        return filters

    def _serve(self, client: MqttClient, online: bytes) -> None:
        """Read until the session breaks (OSError) or `stop`."""
        while not self._stop.is_set():
            self.beat()
            if self._tls is not None:
                self._tls.watch(time.monotonic())
            if not self._mailbox.wait_room(_PACE_S):
                client.poll(0, read=False)
                continue
            for event in client.poll(_POLL_S):
                if isinstance(event, Messages):
                    self._take(client, event, online)
            self._stop.wait(_PACE_S)
        client.publish(self._state_topic, _state(online=False, timestamp_ms=_now_ms()), 1, retain=True)
        deadline_s = time.monotonic() + _GOODBYE_S
        while not client.confirmed and time.monotonic() < deadline_s:
            client.poll(0.05)

    def _take(self, client: MqttClient, messages: Messages, online: bytes) -> None:
        items, size = messages
        own = [payload for topic, payload in items if topic == self._state_topic]
        if own:
            items = [item for item in items if item[0] != self._state_topic]
        if items:
            self._mailbox.put_chunk(Chunk(items, _now_ms(), time.monotonic()), size)
        if any(map(_says_offline, own)):  # an older will, or another instance that ended, while this one lives
            client.publish(self._state_topic, online, 1, retain=True)

    def _arrived(self, client: MqttClient) -> None:
        self._mailbox.put(Message(LINK_UP, b"", _now_ms()))
        self._client = client
        self._counters.set("shutan_link_up", 1)
        self._counters.inc("shutan_link_connects_total")
        if not self._broken:
            log.info("broker %s: connected", self.place)
        else:
            log.info("broker %s: connected after %.1f s", self.place, time.monotonic() - self._since_s)
            self._broken.clear()

    def _complain(self, error: OSError) -> None:
        """One line when the state changes, not one per attempt; a broker that is back and refuses is a new state."""
        reason = str(error) if self._tls is None else self._tls.refusal(error)
        # An OSError without number is our own: the broker answered, and the answer was no.
        refused = reason != str(error) or (isinstance(error, ConnectionRefusedError) and error.errno is None)
        if self._stop.is_set() or reason in self._broken or (self._broken and not refused):
            return
        log.warning("broker %s: %s; trying again", self.place, reason)
        if not self._broken:
            self._since_s = time.monotonic()
        self._broken.add(reason)


def _state(*, online: bool, timestamp_ms: int) -> bytes:
    return json.dumps({"online": online, "timestamp": timestamp_ms}).encode()


def _says_offline(payload: bytes) -> bool:
    with contextlib.suppress(ValueError):
        state = json.loads(payload)
        return not (isinstance(state, dict) and state.get("online") is True)  # pyright: ignore[reportUnknownMemberType]  # JSON of anyone
    return True


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
