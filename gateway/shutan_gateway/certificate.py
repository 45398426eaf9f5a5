"""From when until when a certificate is valid, read out of its DER without any library for cryptography.

Only the path to `validity` is walked (RFC 5280, 4.1): Certificate, tbsCertificate; behind version, serial, algorithm
and issuer. Whether a certificate is trusted is for TLS to say; this is for warnings long before it refuses.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.errors import GatewayError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CertificateError", "Validity", "read_validity", "validity_of"]

_SEQUENCE, _UTC_TIME, _GENERAL_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_FILE_BYTES = 1_000_000


class CertificateError(GatewayError):
    """A file or text that holds no certificate which can be read."""


class Validity(NamedTuple):
    """Unix seconds, both inclusive."""

    not_before_s: float
    not_after_s: float


def read_validity(path: Path) -> Validity:
    """Of the first certificate of a PEM file. Raises CertificateError."""
    try:
        with path.open("rb") as file:
            text = file.read(_FILE_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise CertificateError(error.strerror or str(error)) from error
    begin = text.find(_BEGIN)
    end = text.find(_END, begin)
    if begin < 0 or end < 0:
        raise CertificateError("no certificate in it")
    try:
        der = ssl.PEM_cert_to_DER_cert(text[begin : end + len(_END)])
    except ValueError as error:
        raise CertificateError("damaged base64") from error
    return validity_of(der)


def validity_of(der: bytes) -> Validity:
    """Of a certificate in DER. Raises CertificateError."""
    try:
        _, whole, _ = _element(der, 0)
        _, body, _ = _element(whole, 0)
        at = 0
        tag, _, after = _element(body, at)
        if tag == _VERSION:
            at = after
        for _ in range(3):  # serial number, algorithm, issuer
            _, _, at = _element(body, at)
        tag, times, _ = _element(body, at)
        if tag != _SEQUENCE:
            raise CertificateError("not a certificate")
        first, begin, at = _element(times, 0)
        second, end, _ = _element(times, at)
        return Validity(_seconds(first, begin), _seconds(second, end))
    except (IndexError, ValueError) as error:
        raise CertificateError("not a certificate") from error


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content and end of the element at a place. Raises IndexError when it is cut off."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > len(data):
        raise IndexError(at)
    return tag, data[at : at + length], at + length


def _seconds(tag: int, content: bytes) -> float:
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 50 and above are of the last century (RFC 5280, 4.1.2.5.1)
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERAL_TIME:
        raise ValueError(tag)
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
