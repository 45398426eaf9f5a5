"""What a certificate or a revocation list says about its time: just enough of X.509 (RFC 5280, DER) for warnings.

A full parser costs 20 MB of memory and a dependency; the check of signatures and names is OpenSSL's, at each handshake.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import NamedTuple

__all__ = ["Certificate", "CertificateError", "next_update", "parse_certificate", "pem_blocks"]

_SEQUENCE = 0x30
_VERSION = 0xA0  # [0] EXPLICIT
_INTEGER = 0x02
_UTC_TIME = 0x17
_GENERAL_TIME = 0x18
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)-----END \1-----", re.DOTALL)


class CertificateError(ValueError):
    """Bytes that are no certificate or revocation list."""


class Certificate(NamedTuple):
    """Times as Unix seconds, names as their DER bytes."""

    not_before_s: int
    not_after_s: int
    issuer: bytes
    subject: bytes


def pem_blocks(text: bytes, label: str) -> list[bytes]:
    """DER of all PEM blocks with a label such as CERTIFICATE or X509 CRL."""
    try:
        return [base64.b64decode(body) for name, body in _BLOCK.findall(text) if name == label.encode()]
    except binascii.Error as error:
        raise CertificateError(f"not base64: {error}") from error


def parse_certificate(der: bytes) -> Certificate:
    """Validity and names of a certificate. Raises CertificateError."""
    parts = _fields(der)
    if parts and parts[0][0] == _VERSION:
        del parts[0]
    # serial number, signature algorithm, issuer, validity, subject, ...
    if len(parts) < 5:
        raise CertificateError("no certificate: too few fields")
    times = _children(parts[3][1])
    if len(times) != 2:
        raise CertificateError("no certificate: its validity is not two times")
    return Certificate(_time(*times[0]), _time(*times[1]), parts[2][1], parts[4][1])


def next_update(der: bytes) -> int | None:
    """When a revocation list has to be replaced, Unix seconds; None when it does not say. Raises CertificateError."""
    parts = _fields(der)
    if parts and parts[0][0] == _INTEGER:
        del parts[0]
    # signature algorithm, issuer, this update, next update or the revoked ones
    if len(parts) < 3:
        raise CertificateError("no revocation list: too few fields")
    if len(parts) > 3 and parts[3][0] in {_UTC_TIME, _GENERAL_TIME}:
        return _time(*parts[3])
    return None


def _fields(der: bytes) -> list[tuple[int, bytes]]:
    """(tag, contents) of what is signed: the first element inside the outermost."""
    outer = _children(der)
    inner = _children(outer[0][1]) if len(outer) == 1 and outer[0][0] == _SEQUENCE else []
    if not inner or inner[0][0] != _SEQUENCE:
        raise CertificateError("not DER of a signed object")
    return _children(inner[0][1])


def _children(data: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise CertificateError("truncated")
        tag, size = data[at], data[at + 1]
        at += 2
        if size > 127:
            digits = size & 127
            if not 1 <= digits <= 4 or at + digits > len(data):
                raise CertificateError("a length that DER does not allow")
            size = int.from_bytes(data[at : at + digits], "big")
            at += digits
        if size > len(data) - at:
            raise CertificateError("truncated")
        found.append((tag, data[at : at + size]))
        at += size
    return found


def _time(tag: int, text: bytes) -> int:
    """RFC 5280, 4.1.2.5: YYMMDDHHMMSSZ (50..99 are 19xx) or YYYYMMDDHHMMSSZ."""
    try:
        digits = text.decode("ascii")
        if tag == _UTC_TIME:
            digits = ("19" if int(digits[:2]) >= 50 else "20") + digits
        elif tag != _GENERAL_TIME:
            raise CertificateError("no time where one belongs")
        return int(datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp())
    except (UnicodeDecodeError, ValueError) as error:
        raise CertificateError(f"no time: {text[:20]!r}") from error
