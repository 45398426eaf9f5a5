"""The broker as a client meets it: TCP, TLS, login, what may be heard; and how many days the TLS files have left."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING

from shutan_gateway.config import read_secret
from shutan_gateway.link.certificates import Certificate, CertificateError, parse_certificate, pem_blocks
from shutan_gateway.operation.doctor.finding import Finding
from shutan_wire import ids, mqtt
from shutan_wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shutan_gateway.config import GatewayConfig, MqttSection

__all__ = ["broker_findings", "tls_findings"]

_TIMEOUT_S = 5.0
_HEAR_S = 2.0
_WARN_DAYS = 30
_NOBODY = "shutan-doctor"
_DROPPED = "$SYS/broker/publish/messages/dropped"
_REFUSED = {4: "wrong user name or password", 5: "not authorised"}


def tls_findings(config: GatewayConfig) -> Iterator[Finding]:
    """Days left of the certificates that the configuration names."""
    tls = config.mqtt.tls
    for path in (tls.ca_file, tls.cert_file) if tls else ():
        if path is not None:
            yield from _file(path)


def _file(path: Path) -> Iterator[Finding]:
    try:
        blocks = pem_blocks(path.read_bytes(), "CERTIFICATE")
        found = parse_certificate(blocks[0] if blocks else b"")
    except (OSError, CertificateError) as error:
        yield Finding("tls.unreadable", str(path), {"path": path, "reason": error})
        return
    yield from _days(str(path), found)


def _days(place: str, found: Certificate) -> Iterator[Finding]:
    now_s = time.time()
    days = int((found.not_after_s - now_s) // 86_400)
    date = time.strftime("%Y-%m-%d", time.gmtime(found.not_after_s))
    if now_s < found.not_before_s:
        date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(found.not_before_s))
        yield Finding("tls.early", place, {"path": place, "date": date})
    elif now_s > found.not_after_s:
        yield Finding("tls.expired", place, {"path": place, "date": date})
    elif days < _WARN_DAYS:
        yield Finding("tls.expires", place, {"path": place, "date": date, "days": days})


def broker_findings(config: GatewayConfig, *, running: bool) -> Iterator[Finding]:
    """Log in beside the gateway, under a client id of our own. running: its STATE must be there to be heard."""
    settings = config.mqtt
    place = f"{settings.host}:{settings.port}"
    about = {"place": place}
    try:
        line = socket.create_connection((settings.host, settings.port), _TIMEOUT_S)
    except OSError as error:
        yield Finding("broker.unreachable", "", {**about, "reason": error.strerror or error})
        return
    with line:
        if settings.tls is None:
            yield from _session(line, config, place, running=running)
            return
        try:
            context = ssl.create_default_context(cafile=settings.tls.ca_file)
            if settings.tls.cert_file is not None:
                context.load_cert_chain(settings.tls.cert_file, settings.tls.key_file)
            with context.wrap_socket(line, server_hostname=settings.host) as secured:
                der = secured.getpeercert(binary_form=True)
                if der is not None:
                    yield from _days(f"of the broker {place}", parse_certificate(der))
                yield from _session(secured, config, place, running=running)
        except (OSError, CertificateError) as error:
            reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or error
            yield Finding("broker.tls", "", {**about, "reason": reason})


def _session(line: socket.socket, config: GatewayConfig, place: str, *, running: bool) -> Iterator[Finding]:
    try:
        yield from _talk(_Client(line), config, place, running=running)
    except (OSError, WireError) as error:
        yield Finding("broker.unreachable", "", {"place": place, "reason": str(error) or "no answer"})


def _talk(client: _Client, config: GatewayConfig, place: str, *, running: bool) -> Iterator[Finding]:
    code = client.log_in(config.mqtt)
    if code:
        yield Finding("broker.login", "", {"place": place, "reason": _REFUSED.get(code, f"code {code}")})
        return
    state = ids.state_topic(config.gateway.host_id)
    # A node that does not exist: the right is asked for, the traffic of all nodes is not.
    nobody = [f"{ids.NAMESPACE}/{group}/{ids.DDATA}/{_NOBODY}/+" for group in config.mqtt.groups]
    refused = client.subscribe([state, *nobody])
    client.subscribe([_DROPPED])
    heard = client.hear([state, _DROPPED] if running else [_DROPPED])
    client.leave()
    if running and state not in heard:
        refused.append(state)
    for topic in refused:
        yield Finding("broker.rights", topic, {"topic": topic})
    dropped = heard.get(_DROPPED, b"0")
    if dropped.isdigit() and int(dropped):
        yield Finding("broker.dropped", "", {"count": int(dropped)})


class _Client:
    """Just enough MQTT 3.1.1 to look around; every method raises OSError or WireError."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.settimeout(_TIMEOUT_S)
        self._decoder = mqtt.PacketDecoder(1_000_000)
        self._waiting: list[tuple[int, int, bytes]] = []
        self._heard: dict[str, bytes] = {}

    def log_in(self, settings: MqttSection) -> int:
        """CONNECT; the code of the answer, 0 = accepted."""
        password = None
        if settings.password_file is not None:
            password = read_secret(settings.password_file, "mqtt.password_file").reveal()
        client_id = f"{settings.client_id[:24]}-doctor"
        self._line.sendall(mqtt.connect(client_id, 60, True, settings.username, password))
        return mqtt.parse_connack(self._next(mqtt.CONNACK))[1]

    def subscribe(self, topics: list[str]) -> list[str]:
        """SUBSCRIBE; the filters that were refused."""
        self._line.sendall(mqtt.subscribe(1, [(topic, 0) for topic in topics]))
        codes = mqtt.parse_suback(self._next(mqtt.SUBACK))[1]
        return [topic for topic, code in zip(topics, codes, strict=False) if code > 2]

    def hear(self, topics: list[str]) -> dict[str, bytes]:
        """Retained messages of these topics, as far as they come within two seconds."""
        end_s = time.monotonic() + _HEAR_S
        while any(topic not in self._heard for topic in topics) and time.monotonic() < end_s:
            self._line.settimeout(max(0.05, end_s - time.monotonic()))
            try:
                self._next(mqtt.PUBLISH)
            except TimeoutError:
                break
        return self._heard

    def leave(self) -> None:
        """DISCONNECT."""
        self._line.sendall(mqtt.DISCONNECT)

    def _next(self, wanted: int) -> bytes:
        """Body of the next packet of a kind; messages met on the way are kept."""
        while True:
            while self._waiting:
                kind, flags, body = self._waiting.pop(0)
                if kind == mqtt.PUBLISH:
                    topic, payload, *_ = mqtt.parse_publish(flags, body)
                    self._heard[topic] = bytes(payload)
                if kind == wanted:
                    return bytes(body)
            data = self._line.recv(65_536)
            if not data:
                raise ConnectionResetError("closed by the broker")
            self._decoder.feed(data)
            self._waiting += [(kind, flags, bytes(body)) for kind, flags, body in self._decoder.packets()]
