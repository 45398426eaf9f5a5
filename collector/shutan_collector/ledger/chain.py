"""Checking the chain from the first entry to the last: which entry is the first that is not what was written.

The chain alone shows every change that leaves a later entry as it was. Whoever can rewrite all entries to the end, or
drop the last ones, is shown by a head that was noted elsewhere (the witness): on a report, a label or in evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shutan_collector.ledger.bodies import unpack
from shutan_collector.ledger.canonical import parse_object
from shutan_collector.ledger.entries import EMPTY, Head, Header, chain_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Row

__all__ = ["Fault", "first_fault"]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that is not what was written, and what is wrong with it."""

    seq: int
    reason: str

    def __str__(self) -> str:
        return f"entry {self.seq}: {self.reason}"


def first_fault(rows: Iterable[Row[Any]], witness: Head | None = None) -> Fault | None:
    """Check rows (the fields of Header, then the packed body) from entry 1 on; None if all is as it was written.

    witness   a head noted earlier: the ledger must still hold that entry with that hash
    """
    end = EMPTY
    for row in rows:
        *fields, packed = row
        header = Header(*fields)
        reason = _header_fault(header, end) or _body_fault(header, packed)
        if reason is None and witness is not None and witness.seq == header.seq and witness.hash != header.hash:
            reason = f"has another hash than was noted ({witness.hash}): the ledger has been rewritten"
        if reason is not None:
            # Of a missing entry the next one is at hand; the missing one is named.
            return Fault(min(header.seq, end.seq + 1), reason)
        end = Head(header.seq, header.hash)
    if witness is not None and witness.seq > end.seq:
        return Fault(end.seq + 1, f"is missing: entries up to {witness.seq} have been seen, the ledger ends before")
    return None


def _header_fault(header: Header, end: Head) -> str | None:
    if header.seq != end.seq + 1:
        return f"is missing: entry {header.seq} follows"
    if header.previous != end.hash:
        return f"does not continue entry {end.seq}: one of the two is not what was written"
    own = chain_hash(
        seq=header.seq,
        at=header.at,
        author=header.author,
        kind=header.kind,
        key=header.key,
        period=header.period,
        body_sha256=header.body_sha256,
        previous=header.previous,
    )
    if own != header.hash:
        return "its fields or its hash are not what was written"
    return None


def _body_fault(header: Header, packed: bytes) -> str | None:
    try:
        parse_object(unpack(packed, header.body_sha256))
    except ValueError as error:
        return str(error)
    return None
