"""What the ledger is made of: records that someone writes, entries that the chain holds.

    hash(n) = SHA-256 of the canonical JSON of {seq, at, author, kind, key, period, body_sha256, previous}
    previous(n) = hash(n - 1), and 64 zeros for the first entry

so that whoever knows the hash of the last entry (the head) can tell any change of any earlier entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from unicodedata import category

from shutan_collector.errors import LedgerError
from shutan_collector.ledger.canonical import canonical, sha256_hex

if TYPE_CHECKING:
    from shutan_collector.accounting.documents import JsonObject

__all__ = [
    "EMPTY",
    "GENESIS",
    "Entry",
    "Head",
    "Header",
    "Record",
    "chain_hash",
    "check_fields",
    "is_line",
    "is_timestamp",
    "now",
    "timestamp",
]

GENESIS: Final = "0" * 64  # `previous` of the first entry
_KIND: Final = re.compile(r"[a-z][a-z_]{0,31}")
_PERIOD: Final = re.compile(r"(\d{4}(-(0[1-9]|1[0-2]))?)?")
_TEXT_LIMIT: Final = 200
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(frozen=True, slots=True)
class Record:
    """What is to be written: `kind` ("document", "close", "proposal"...), `key` within the kind, period, JSON body."""

    kind: str
    key: str
    period: str
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: number and hash of the last entry; (0, 64 zeros) of an empty ledger."""

    seq: int
    hash: str


EMPTY: Final = Head(0, GENESIS)


@dataclass(frozen=True, slots=True)
class Header:
    """An entry without its body: all that the chain is computed from.

    seq   1, 2, 3 ... without a hole        at    UTC, "2026-01-15T08:00:00.000000Z"
    body_sha256, previous, hash: 64 hexadecimal digits
    """

    seq: int
    at: str
    author: str
    kind: str
    key: str
    period: str
    body_sha256: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Entry(Header):
    """One entry of the chain with its body."""

    body: JsonObject


def chain_hash(
    *, seq: int, at: str, author: str, kind: str, key: str, period: str, body_sha256: str, previous: str
) -> str:
    """The hash that an entry with these fields must have."""
    fields: JsonObject = {
        "seq": seq,
        "at": at,
        "author": author,
        "kind": kind,
        "key": key,
        "period": period,
        "body_sha256": body_sha256,
        "previous": previous,
    }
    return sha256_hex(canonical(fields))


def is_line(text: str) -> bool:
    """True for one line of text that every database and reader can hold; Chinese full-width spaces are in order."""
    return bool(text.strip()) and all(sign.isprintable() or category(sign) == "Zs" for sign in text)


def check_fields(record: Record, author: str, at: str) -> None:
    """Raises LedgerError for a field that not every database, reader and line of print can hold."""
    if not _KIND.fullmatch(record.kind):
        raise LedgerError("kind", f"{record.kind!r} is not a word of small letters")
    if not _PERIOD.fullmatch(record.period):
        raise LedgerError("period", f"{record.period!r} is not a month such as 2025-06 or a year such as 2025")
    for name, text in (("key", record.key), ("author", author)):
        if not is_line(text) or len(text) > _TEXT_LIMIT:
            raise LedgerError(name, f"{text!r} is not one line of 1 to {_TEXT_LIMIT} printable characters")
    if not is_timestamp(at):
        raise LedgerError("at", f"{at!r} is not UTC with microseconds such as 2026-01-15T08:00:00.000000Z")


def timestamp(moment: datetime) -> str:
    """`at` of an aware datetime: UTC with microseconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def now() -> str:
    """`at` of this moment."""
    return timestamp(datetime.now(UTC))


def is_timestamp(text: str) -> bool:
    """True for a text that timestamp() can give."""
    if not _TIMESTAMP.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
