"""TLS of the link: context from files that may be replaced at any time, warnings before anything expires.

New files are noticed within a minute and used from the next connection on; a pair that does not fit yet (a certificate
without its key) is left alone until it does, and the old one goes on. The gateway looks at its own certificate, the CA,
the revocation list and the certificate that the broker showed last.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from shutan_gateway.errors import ConfigError, Problem
from shutan_gateway.link.certificates import Certificate, CertificateError, next_update, parse_certificate, pem_blocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shutan_gateway.config import TlsSection
    from shutan_gateway.counters import Counters

__all__ = ["Tls"]

log = logging.getLogger("shutan.tls")

_LOOK_S = 60.0
_DAY_S = 86_400
_WARN_DAYS = (30, 7, 1, 0)
_NAMES = {
    "gateway": "the gateway's own certificate",
    "ca": "the CA certificate",
    "crl": "the revocation list",
    "broker": "the broker's certificate",
}
# OpenSSL's words for what a person has to do something about
_ALERTS: dict[str | None, str] = {
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS 1.2 or newer; upgrade the broker",
    "WRONG_VERSION_NUMBER": "it speaks no TLS 1.2 or newer, or no TLS at all, on this port",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks no TLS 1.2 or newer; upgrade the broker",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of the gateway: set mqtt.tls.cert_file and key_file",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it refuses the gateway's certificate: expired; renew it",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it refuses the gateway's certificate: revoked; issue another",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses the gateway's certificate; issue one by the broker's CA",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it refuses the gateway's certificate; issue one by the broker's CA",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the CA of the gateway's certificate",
}

T = TypeVar("T")
Signature = tuple[tuple[int, int, int] | None, ...]


class _Loaded(NamedTuple):
    """What the files held when they were read, without certificates that the small reader does not know."""

    context: ssl.SSLContext
    own: list[Certificate]
    trusted: list[Certificate]
    updates: list[int | None]  # of revocation lists


class Tls:
    """Files of `[mqtt.tls]`. Belongs to the network thread."""

    def __init__(self, settings: TlsSection, counters: Counters, clock: Callable[[], float] = time.time) -> None:
        """Load everything. Raises ConfigError for files that do not fit. clock: Unix seconds."""
        self._settings = settings
        self._counters = counters
        self._clock = clock
        self._signature = self._look()
        try:
            self._loaded = self._load()
        except (OSError, ssl.SSLError, CertificateError) as error:
            folder = str(settings.ca_file.parent)
            accepted = "PEM files; the key belongs to the certificate"
            raise ConfigError([Problem(folder, "mqtt.tls", str(error), accepted)]) from error
        self._refused: Signature | None = None
        self._broker: Certificate | None = None
        self._told: dict[str, tuple[int, int]] = {}  # of what -> (its end, days of the last warning)
        self._looked_s = -_LOOK_S

    def context(self) -> ssl.SSLContext:
        """Context for a new connection, from the files as they are now."""
        self._renew()
        return self._loaded.context

    def saw(self, der: bytes | None) -> None:
        """The certificate that the broker showed in a handshake."""
        try:
            self._broker = None if der is None else parse_certificate(der)
        except CertificateError:  # OpenSSL took it: a form that this small reader does not know
            self._broker = None
        self._looked_s = -_LOOK_S

    @staticmethod
    def refusal(error: OSError) -> str:
        """A failed connection in words for a person."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the broker's certificate is refused: {error.verify_message}"
        if isinstance(error, ssl.SSLError) and error.reason in _ALERTS:
            return _ALERTS[error.reason]
        return str(error)

    def watch(self, now_s: float) -> None:
        """Look at files and times once a minute; now_s: monotonic."""
        if now_s - self._looked_s < _LOOK_S:
            return
        self._looked_s = now_s
        self._renew()
        for what, end_s in self._ends().items():
            left_s = end_s - int(self._clock())
            self._counters.set("shutan_certificate_expiry_seconds", left_s, of=what)
            self._warn(what, end_s, left_s)

    def _look(self) -> Signature:
        return tuple(_signature(path) for path in self._files())

    def _files(self) -> list[Path]:
        tls = self._settings
        return [path for path in (tls.ca_file, tls.cert_file, tls.key_file, tls.crl_file) if path is not None]

    def _load(self) -> _Loaded:
        tls = self._settings
        context = ssl.create_default_context(cafile=tls.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
        lists: list[bytes] = []
        if tls.crl_file is not None:
            lists = pem_blocks(tls.crl_file.read_bytes(), "X509 CRL")
            if not lists:
                raise CertificateError(f"{tls.crl_file}: no PEM block X509 CRL")
            context.load_verify_locations(tls.crl_file)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        own = [] if tls.cert_file is None else pem_blocks(tls.cert_file.read_bytes(), "CERTIFICATE")
        trusted = pem_blocks(tls.ca_file.read_bytes(), "CERTIFICATE")
        return _Loaded(
            context, _known(parse_certificate, own), _known(parse_certificate, trusted), _known(next_update, lists)
        )

    def _renew(self) -> None:
        """Take replaced files; those that do not fit together are told once and looked at again when they change."""
        found = self._look()
        if found in (self._signature, self._refused):
            return
        try:
            self._loaded = self._load()
        except (OSError, ssl.SSLError, CertificateError) as error:
            self._refused = found
            log.warning("new files of mqtt.tls do not fit, the old ones are used: %s", error)
            return
        self._signature, self._refused = found, None
        self._looked_s = -_LOOK_S
        log.info("new files of mqtt.tls are used from the next connection on")

    def _ends(self) -> dict[str, int]:
        """Unix seconds at which each certificate and the revocation list end."""
        _, own, trusted, updates = self._loaded
        ends: dict[str, int] = {}
        if self._broker is not None:
            ends["broker"] = self._broker.not_after_s
        if own:
            ends["gateway"] = min(one.not_after_s for one in own)
        if trusted:
            # While a CA is being replaced, the old and the new one stand side by side.
            issuers = [one for one in trusted if self._broker is not None and one.subject == self._broker.issuer]
            ends["ca"] = max(one.not_after_s for one in issuers or trusted)
        dated = [update for update in updates if update is not None]
        if dated:
            ends["crl"] = min(dated)
        return ends

    def _warn(self, what: str, end_s: int, left_s: int) -> None:
        """One line at each threshold of each certificate."""
        reached = [days for days in _WARN_DAYS if left_s <= days * _DAY_S]
        told = self._told.get(what)
        if not reached or (told is not None and told[0] == end_s and told[1] <= reached[-1]):
            return
        self._told[what] = (end_s, reached[-1])
        day = time.strftime("%Y-%m-%d", time.gmtime(end_s))
        if left_s <= 0:
            log.error("%s ended on %s: new connections fail; renew it", _NAMES[what], day)
        else:
            log.warning("%s ends in %d days, on %s: renew it", _NAMES[what], -(-left_s // _DAY_S), day)


def _known(parse: Callable[[bytes], T], blocks: list[bytes]) -> list[T]:
    found: list[T] = []
    for der in blocks:
        with contextlib.suppress(CertificateError):  # OpenSSL took it; there is no warning about this one
            found.append(parse(der))
    return found


def _signature(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced or written."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
