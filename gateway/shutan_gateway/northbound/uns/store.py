"""The unified namespace as a store: a row is settled when the broker has acknowledged its values (QoS 1, retained)."""

from __future__ import annotations

import ssl
import threading
import time
from typing import TYPE_CHECKING, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from shutan_gateway.config import read_secret
from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.northbound.uns.topics import Topics, segment
from shutan_gateway.stores.base import Rejected, StoreRefused, Written
from shutan_gateway.stores.shapes import row_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.client import ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from shutan_gateway.config import TlsSection
    from shutan_gateway.config.northbound import UnsConfig
    from shutan_gateway.counters import Counters
    from shutan_gateway.rows import Row

__all__ = ["UnsStore"]

_WINDOW: Final = 500  # messages on the way at once
_KEEPALIVE_S: Final = 30
_AHEAD_NS: Final = 86_400 * 10**9


class UnsStore:
    """Store kind "uns". A connection that is lost is opened again by the next write."""

    def __init__(self, config: UnsConfig, counters: Counters) -> None:
        self.name = config.name
        self._config = config
        self._counters = counters
        self._topics = Topics(config.enterprise, config.place)
        self._status = f"{config.enterprise}/_gateway/{segment(config.name)}"
        self._password = None if config.password_file is None else read_secret(config.password_file, "password_file")
        self._client: Client | None = None
        self._answered = threading.Event()
        self._refusal: str | None = None

    def write(self, rows: Sequence[Row]) -> Written:
        """Publish the newest value of each metric among rows. Raises StoreUnavailable; then all are offered again."""
        rejected = [Rejected(n, fault) for n, row in enumerate(rows) if (fault := row_fault(row)) is not None]
        bad = {entry.index for entry in rejected}
        sound = [row for n, row in enumerate(rows) if n not in bad] if bad else rows
        now_ns = time.time_ns()
        # A node whose clock is far ahead would otherwise speak last for as long.
        oldest_ns, newest_ns = now_ns - int(self._config.max_age_s * 1e9), now_ns + _AHEAD_NS
        messages, history = self._topics.messages(sound, oldest_ns, newest_ns)
        client = self._connected() if messages else None
        for start in range(0, len(messages), _WINDOW):
            assert client is not None  # noqa: S101 - there are messages
            sent = [
                client.publish(one.topic, one.payload, qos=1, retain=True) for one in messages[start : start + _WINDOW]
            ]
            end_s = time.monotonic() + self._config.timeout_s
            for info in sent:
                if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                    info.wait_for_publish(max(0.01, end_s - time.monotonic()))
                if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS or not info.is_published():
                    self.close()
                    raise StoreUnavailable(f"{self._place()}: a value was not acknowledged")
        self._counters.inc("shutan_uns_published_total", len(messages), store=self.name)
        if history:
            self._counters.inc("shutan_uns_history_total", history, store=self.name)
        return Written(len(rows), tuple(rejected))

    def close(self) -> None:
        """Say goodbye and close the connection."""
        client, self._client = self._client, None
        if client is not None:
            if client.is_connected():
                client.publish(self._status, b"offline", qos=1, retain=True).wait_for_publish(1.0)
                client.disconnect()
            client.loop_stop()

    def _place(self) -> str:
        return f"mqtt://{self._config.host}:{self._config.port}"

    def _connected(self) -> Client:
        if self._client is not None and self._client.is_connected():
            return self._client
        self.close()
        config = self._config
        client = Client(
            CallbackAPIVersion.VERSION2, f"shutan-uns-{config.name}", clean_session=True, reconnect_on_failure=False
        )
        client.max_inflight_messages_set(_WINDOW)
        client.connect_timeout = config.timeout_s
        if config.username is not None:
            client.username_pw_set(config.username, None if self._password is None else self._password.reveal())
        client.will_set(self._status, b"offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        self._answered.clear()
        try:
            if config.tls is not None:
                client.tls_set_context(_context(config.tls))  # pyright: ignore[reportUnknownMemberType] - paho's `context: Any`
            client.connect(config.host, config.port, _KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise StoreUnavailable(f"{self._place()}: {error or type(error).__name__}") from error
        self._client = client
        client.loop_start()
        if not self._answered.wait(config.timeout_s) or not client.is_connected():
            refusal = self._refusal
            self.close()
            if refusal is not None:
                raise StoreRefused(f"{self._place()}: {refusal}: check user, password and what the user may write")
            raise StoreUnavailable(f"{self._place()}: no answer")
        client.publish(self._status, b"online", qos=1, retain=True)
        return client

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._refusal = str(code) if code.is_failure else None
        self._answered.set()

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, _code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._answered.set()


def _context(tls: TlsSection) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.cert_file is not None and tls.key_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context
