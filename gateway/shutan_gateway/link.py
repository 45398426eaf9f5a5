"""Link to the broker: one MQTT 3.1.1 session of the Sparkplug host application, kept up for ever.

Order (Sparkplug 3.0.0, chapter 5, host application session): CONNECT with clean session and the STATE will, SUBSCRIBE
to the own STATE and the data topics, then publish STATE online with the timestamp of the will; nothing before it.
The network thread hands messages to the mailbox and waits there when it is full: TCP passes the pressure on.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from shutan_gateway.config import read_secret
from shutan_gateway.errors import ConfigError, Problem
from shutan_gateway.mailbox import LINK_UP, Mailbox, Message
from shutan_wire import ids

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from shutan_gateway.config import MqttSection, TlsSection
    from shutan_gateway.counters import Counters

__all__ = ["Link"]

log = logging.getLogger("shutan.link")

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 15.0
_CONNECT_S = 5.0  # for TCP, TLS and CONNACK
_LOOP_S = 0.5
_GOODBYE_S = 2.0  # for the last PUBACK


class Link:
    """The session with the broker; `run` is the network thread, everything else may be called from others."""

    def __init__(self, settings: MqttSection, host_id: str, mailbox: Mailbox, counters: Counters) -> None:
        self._settings = settings
        self._mailbox = mailbox
        self._counters = counters
        self._state_topic = ids.state_topic(host_id)
        self._chance = random.Random()  # noqa: S311 - jitter only
        self._stop = threading.Event()
        self._will_ms = 0
        self._subscribed = False
        self._goodbye: int | None = None  # packet id of the last STATE
        self._broken: str | None = None  # why there is no session, as last logged
        self._since_s = time.monotonic()
        self._client = self._make_client(host_id)

    @property
    def up(self) -> bool:
        """Whether the session is complete: connected, subscribed, STATE sent."""
        return self._subscribed

    @property
    def place(self) -> str:
        """Broker address for people."""
        return f"{self._settings.host}:{self._settings.port}"

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send at QoS 0; False when there is no session."""
        return self._subscribed and self._client.publish(topic, payload).rc == mqtt.MQTT_ERR_SUCCESS

    def run(self) -> None:
        """Connect, serve, reconnect with jittered back-off until `stop`."""
        pause_s = _FIRST_PAUSE_S
        while not self._stop.is_set():
            if self._connect():
                self._serve()
                if self._subscribed:
                    pause_s = _FIRST_PAUSE_S
                self._lost()
            self._stop.wait(pause_s * self._chance.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def stop(self) -> None:
        """Say goodbye (STATE offline with the current time) and end `run`."""
        if self._subscribed:
            info = self._client.publish(self._state_topic, _state(online=False, timestamp_ms=_now_ms()), 1, retain=True)
            with contextlib.suppress(ValueError, RuntimeError):
                info.wait_for_publish(_GOODBYE_S)
        self._stop.set()
        self._client.disconnect()

    def _make_client(self, host_id: str) -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=True,
            userdata=host_id,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_S
        if settings.username is not None:
            secret = None
            if settings.password_file is not None:
                secret = read_secret(settings.password_file, "mqtt.password_file").reveal()
            client.username_pw_set(settings.username, secret)
        if settings.tls is not None:
            client.tls_set_context(_tls_context(settings.tls))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _connect(self) -> bool:
        self._will_ms = _now_ms()
        self._client.will_set(self._state_topic, _state(online=False, timestamp_ms=self._will_ms), 1, retain=True)
        try:
            self._client.connect(self._settings.host, self._settings.port, self._settings.keepalive_s)
        except (OSError, ValueError) as error:
            self._complain(f"cannot be reached: {error}")
            return False
        return True

    def _serve(self) -> None:
        """Serve the session until it breaks or `stop`."""
        began_s = time.monotonic()
        while self._client.loop(_LOOP_S) == mqtt.MQTT_ERR_SUCCESS:
            if not self._subscribed and time.monotonic() > began_s + _CONNECT_S:
                self._complain("answers neither CONNECT nor SUBSCRIBE")
                return

    def _lost(self) -> None:
        was_up, self._subscribed = self._subscribed, False
        with contextlib.suppress(OSError):
            self._client.disconnect()
        if was_up and not self._stop.is_set():
            self._counters.inc("shutan_link_lost_total")
            self._complain("session lost")
        self._counters.set("shutan_link_up", 0)

    def _complain(self, reason: str) -> None:
        """One line when the state changes, not one per attempt."""
        if self._broken is None:
            log.warning("broker %s %s; trying again", self.place, reason)
            self._since_s = time.monotonic()
        self._broken = reason

    def _on_connect(
        self, client: mqtt.Client, _userdata: Any, _flags: mqtt.ConnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        if reason.is_failure:
            self._complain(f"refuses the connection: {reason}")
            return
        topics = [(self._state_topic, 1)]
        for group in self._settings.groups:
            topics += [(f"{ids.NAMESPACE}/{group}/{kind}/+", 1) for kind in (ids.NBIRTH, ids.NDATA, ids.NDEATH)]
            topics += [(f"{ids.NAMESPACE}/{group}/{kind}/+/+", 1) for kind in (ids.DBIRTH, ids.DDATA, ids.DDEATH)]
        client.subscribe(topics)

    def _on_subscribe(
        self, client: mqtt.Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _p: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._complain("refuses a subscription: give this user read access to spBv1.0/#")
            client.disconnect()
            return
        client.publish(self._state_topic, _state(online=True, timestamp_ms=self._will_ms), 1, retain=True)
        self._mailbox.put(Message(LINK_UP, b"", _now_ms()))
        self._subscribed = True
        self._counters.set("shutan_link_up", 1)
        self._counters.inc("shutan_link_connects_total")
        if self._broken is None:
            log.info("broker %s connected", self.place)
        else:
            log.info("broker %s connected after %.1f s", self.place, time.monotonic() - self._since_s)
            self._broken = None

    def _on_message(self, client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "?"  # counted by intake as a topic fault
        if topic == self._state_topic:
            # An older will or another instance said offline while this one lives.
            if self._subscribed and _says_offline(message.payload):
                client.publish(self._state_topic, _state(online=True, timestamp_ms=self._will_ms), 1, retain=True)
            return
        self._mailbox.put(Message(topic, bytes(message.payload), _now_ms()))


def _state(*, online: bool, timestamp_ms: int) -> bytes:
    return json.dumps({"online": online, "timestamp": timestamp_ms}).encode()


def _says_offline(payload: bytes | bytearray) -> bool:
    try:
        state = json.loads(payload)
    except ValueError:
        return True
    return not (isinstance(state, dict) and state.get("online") is True)  # pyright: ignore[reportUnknownMemberType]  # JSON of anyone


def _tls_context(tls: TlsSection) -> ssl.SSLContext:
    """Checks the broker's name and chain; at least TLS 1.2. Raises ConfigError for files that do not fit."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ssl.SSLError) as error:
        accepted = "PEM files; the key belongs to the certificate"
        raise ConfigError([Problem(str(tls.ca_file.parent), "mqtt.tls", str(error), accepted)]) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
