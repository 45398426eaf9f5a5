"""Signed releases of the factor table (因子库版本).

A release is a folder of three files:

| file | content |
|---|---|
| `emission_factors.csv` | the rows |
| `manifest.json` | canonical JSON: name, day of issue, SHA-256 and number of the rows, the release before it |
| `manifest.sig` | Ed25519 signature (RFC 8032) over the bytes of the manifest, 64 bytes |

A release is used only if a trusted key signed its manifest and its rows are the ones the manifest names: one changed
byte in any of the three files refuses it. Trusted are the keys in `factors/data/keys`, those given by the caller, and
those in the folder that SHUTAN_FACTOR_KEYS names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from shutan_collector.errors import FactorError
from shutan_collector.factors.table import FactorTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["KEYS_VARIABLE", "Manifest", "Release", "load_release", "packaged_names", "write_release"]

KEYS_VARIABLE: Final = "SHUTAN_FACTOR_KEYS"
ROWS: Final = "emission_factors.csv"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
_SCHEMA: Final = "shutan.factor-release/1"
_DATA: Final = Path(str(resources.files("shutan_collector"))) / "factors" / "data"
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the signature speaks for.

    sha256     of the bytes of emission_factors.csv, 64 hex digits
    previous   name and sha256 of the release that this one follows, None for the first
    """

    name: str
    issued: date
    rows: int
    sha256: str
    previous: tuple[str, str] | None

    def to_bytes(self) -> bytes:
        """Canonical JSON: keys sorted, no white space, one line without an end."""
        previous = {"name": self.previous[0], "sha256": self.previous[1]} if self.previous else None
        value = {
            "schema": _SCHEMA,
            "name": self.name,
            "issued": self.issued.isoformat(),
            "file": ROWS,
            "rows": self.rows,
            "sha256": self.sha256,
            "previous": previous,
        }
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Manifest:
        """The inverse of to_bytes(). Raises FactorError for anything that to_bytes() does not write."""
        try:
            value = cast("dict[str, str]", json.loads(data))
            before = cast("dict[str, str] | None", value["previous"])
            found = cls(
                value["name"],
                date.fromisoformat(value["issued"]),
                cast("int", value["rows"]),
                value["sha256"],
                (before["name"], before["sha256"]) if before else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FactorError(where, f"is not a manifest of the form {_SCHEMA}") from None
        if found.to_bytes() != data:
            raise FactorError(where, f"is not a manifest of the form {_SCHEMA}")
        return found


@dataclass(frozen=True, slots=True)
class Release:
    """A release whose signature and rows were checked.

    sha256   of the rows' file
    key      fingerprint of the key that signed it: SHA-256 of the 32 raw public bytes
    """

    manifest: Manifest
    key: str
    table: FactorTable

    @property
    def name(self) -> str:
        """Name, such as 2026.1."""
        return self.manifest.name

    @property
    def sha256(self) -> str:
        """SHA-256 of emission_factors.csv, 64 hex digits."""
        return self.manifest.sha256

    @property
    def issued(self) -> date:
        """Day of issue of the release; when each row was issued is in the row."""
        return self.manifest.issued

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.manifest.rows


def packaged_names() -> tuple[str, ...]:
    """Names of the releases that ship with the package, the current one first."""
    return tuple(_packaged())


def load_release(name_or_path: str | Path, keys: Iterable[Path] = ()) -> Release:
    """A packaged release by name, or any release by its folder or one of its files.

    keys   public keys (PEM) that are trusted besides the packaged ones
    Raises FactorError: not there, not signed by a trusted key, changed, or malformed rows.
    """
    folder = _folder(name_or_path)
    manifest_bytes, signature, rows = (_read(folder / name) for name in (MANIFEST, SIGNATURE, ROWS))
    signed = _signer(manifest_bytes, signature, _trusted(keys))
    if signed is None:
        remedy = "a byte was changed, or give the public key of its issuer (--key)"
        raise FactorError(str(folder / SIGNATURE), f"no trusted key signed {MANIFEST}: {remedy}")
    manifest = Manifest.from_bytes(manifest_bytes, str(folder / MANIFEST))
    if hashlib.sha256(rows).hexdigest() != manifest.sha256:
        raise FactorError(str(folder / ROWS), f"is not the file that release {manifest.name} names: a byte was changed")
    table = _table(rows, folder / ROWS)
    if len(table) != manifest.rows:
        raise FactorError(str(folder / MANIFEST), f"names {manifest.rows} rows, the file has {len(table)}")
    return Release(manifest, signed, table)


def write_release(
    folder: Path, name: str, issued: date, previous: Release | None, sign: Callable[[bytes], bytes]
) -> Manifest:
    """Write manifest and signature beside the rows of a folder; the rows are parsed first.

    sign   signs bytes with the issuer's private key
    Raises FactorError for a bad name or malformed rows; nothing is written then.
    """
    if not _NAME.fullmatch(name):
        raise FactorError("--name", f"{name!r} is not a name; give letters, digits, dots: 2026.1")
    rows = _read(folder / ROWS)
    before = (previous.name, previous.sha256) if previous else None
    count = len(_table(rows, folder / ROWS))
    manifest = Manifest(name, issued, count, hashlib.sha256(rows).hexdigest(), before)
    data = manifest.to_bytes()
    signature = sign(data)
    for file, content in ((MANIFEST, data), (SIGNATURE, signature)):
        fresh = folder / f"{file}.new"
        try:
            fresh.write_bytes(content)
            fresh.replace(folder / file)
        except OSError as error:
            raise FactorError(str(folder / file), f"cannot be written: {error.strerror}") from None
    return manifest


def _table(rows: bytes, path: Path) -> FactorTable:
    try:
        return FactorTable.parse(rows.decode(), path.name)
    except UnicodeDecodeError as error:
        raise FactorError(str(path), f"is not UTF-8 at byte {error.start}") from None


def _packaged() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in (_DATA / MANIFEST, *sorted(_DATA.glob(f"*/{MANIFEST}"), reverse=True)):
        if path.is_file():
            found[Manifest.from_bytes(path.read_bytes(), str(path)).name] = path.parent
    return found


def _folder(name_or_path: str | Path) -> Path:
    packaged = _packaged()
    if str(name_or_path) in packaged:
        return packaged[str(name_or_path)]
    path = Path(name_or_path)
    if path.is_dir():
        return path
    if path.is_file():
        return path.parent
    there = ", ".join(packaged)
    raise FactorError(str(name_or_path), f"no such factor release; packaged: {there}; or give a folder with {MANIFEST}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FactorError(
            str(path), f"cannot be read: {error.strerror}; a release has {ROWS}, {MANIFEST} and {SIGNATURE}"
        ) from None


def _trusted(given: Iterable[Path]) -> list[Ed25519PublicKey]:
    paths = sorted((_DATA / "keys").glob("*.pem"))
    if folder := os.environ.get(KEYS_VARIABLE):
        paths += sorted(Path(folder).glob("*.pem"))
    return [_public_key(path) for path in (*paths, *given)]


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(_read_key(path))
    except (ValueError, UnsupportedAlgorithm):
        raise FactorError(str(path), "is not a public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise FactorError(str(path), "is not an Ed25519 public key")
    return key


def _read_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FactorError(str(path), f"cannot be read: {error.strerror}") from None


def _signer(data: bytes, signature: bytes, keys: Sequence[Ed25519PublicKey]) -> str | None:
    for key in keys:
        try:
            key.verify(signature, data)
        except InvalidSignature:
            continue
        return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()
    return None
