"""The site's signing key (签名密钥): Ed25519, made once per site and kept by it alone.

The private key rests in a PEM file (PKCS #8) that only its owner can read, with a passphrase if the site wants one.
The public key lies beside it. People know it by its fingerprint (公钥指纹): SHA-256 of the 32 raw public bytes, in
groups of 8 hex digits, as printed on every report and label; a forgery signed with another key shows another one.
Nothing here prints, logs or represents the private key.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from shutan_collector.errors import EvidenceError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SiteKey", "create_key", "grouped", "load_key", "public_path", "read_fingerprint", "read_passphrase"]

_GROUP: Final = 8
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class SiteKey:
    """A private key that can sign and tell its public side, and nothing else."""

    __slots__ = ("_private", "public_pem", "public_raw")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        public = private.public_key()
        self.public_raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public_pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def __repr__(self) -> str:
        return f"SiteKey({self.fingerprint[:_GROUP]}…)"

    def __reduce__(self) -> str:
        message = "a signing key is not copied or pickled"
        raise TypeError(message)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the 32 raw public bytes, 64 hex digits."""
        return hashlib.sha256(self.public_raw).hexdigest()

    def sign(self, data: bytes) -> bytes:
        """The raw Ed25519 signature (RFC 8032), 64 bytes; the same data always give the same bytes."""
        return self._private.sign(data)


def grouped(fingerprint: str) -> str:
    """A fingerprint as people compare it: groups of 8 hex digits."""
    return " ".join(fingerprint[at : at + _GROUP] for at in range(0, len(fingerprint), _GROUP))


def public_path(path: Path) -> Path:
    """Where the public key lies: site.key -> site.key.pub."""
    return path.with_name(path.name + ".pub")


def create_key(path: Path, passphrase: bytes | None = None) -> SiteKey:
    """Make a new key, write it (mode 600) and its public side beside it; nothing existing is touched.

    passphrase   not empty; None writes the key in the clear, protected by the file's mode alone
    Raises EvidenceError if either file is there already or cannot be written.
    """
    for there in (path, public_path(path)):
        if there.exists():
            raise EvidenceError(str(there), "is there already; a site's key is never overwritten, choose another name")
    private = Ed25519PrivateKey.generate()
    cipher = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    key = SiteKey(private)
    _write_new(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, cipher), 0o600)
    _write_new(public_path(path), key.public_pem, 0o644)
    return key


def load_key(path: Path, passphrase: bytes | None = None) -> SiteKey:
    """The key of a file. Raises EvidenceError that says what to change; the file's content is never part of it."""
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as error:
        raise EvidenceError(
            str(path), f"cannot be read: {error.strerror}; make one by `shutan evidence keygen`"
        ) from None
    if os.name == "posix" and mode & _OTHERS:
        raise EvidenceError(str(path), f"others may read it (mode {stat.S_IMODE(mode):o}); run chmod 600 on it")
    try:
        private = load_pem_private_key(pem, passphrase)
    except TypeError:
        wanted = "has no passphrase; leave out the passphrase file" if passphrase else "wants its passphrase file"
        raise EvidenceError(str(path), f"the key {wanted}") from None
    except (ValueError, UnsupportedAlgorithm):
        hint = " or the passphrase is wrong" if passphrase else ""
        raise EvidenceError(str(path), f"is not a private key in PEM{hint}") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise EvidenceError(str(path), "is not an Ed25519 key; `shutan evidence keygen` makes one")
    return SiteKey(private)


def read_fingerprint(path: Path) -> str:
    """Fingerprint of a public key in PEM, as it is printed on reports and labels. Raises EvidenceError."""
    try:
        public = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise EvidenceError(str(path), f"cannot be read: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise EvidenceError(str(path), "is not a public key in PEM; give the site's key with .pub at its end") from None
    if not isinstance(public, Ed25519PublicKey):
        raise EvidenceError(str(path), "is not an Ed25519 key; `shutan evidence keygen` makes one")
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def read_passphrase(path: Path) -> bytes:
    """The first line of a file, without its line end. Raises EvidenceError if there is none."""
    try:
        line = path.read_bytes().split(b"\n", 1)[0].removesuffix(b"\r")
    except OSError as error:
        raise EvidenceError(str(path), f"cannot be read: {error.strerror}") from None
    if not line:
        raise EvidenceError(str(path), "its first line is empty; it has to hold the passphrase")
    return line


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that did not exist, readable by nobody else at any moment, and safe on the disk."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise EvidenceError(str(path), "is there already; choose another name") from None
    except OSError as error:
        raise EvidenceError(str(path), f"cannot be written: {error.strerror}") from None
