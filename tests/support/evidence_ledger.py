"""A ledger in memory for tests of the evidence, written from the definition of the chain; and signed archives of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from shutan_collector.evidence.bundle import Evidence, export
from shutan_collector.evidence.keys import SiteKey
from shutan_collector.ledger.entries import Header

Documents = dict[str, dict[str, Any]]


def dump(value: Any) -> bytes:
    """Canonical JSON, spelled out once more."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


class MemoryLedger:
    """Entries in a list; what an export reads of a ledger."""

    def __init__(self) -> None:
        self.chain: list[Header] = []
        self.bodies: list[bytes] = []

    def add(self, kind: str, key: str, period: str, body: Any) -> Header:
        """Append one entry."""
        content = dump(body)
        previous = self.chain[-1].hash if self.chain else "0" * 64
        fields: dict[str, Any] = {
            "seq": len(self.chain) + 1,
            "at": f"2026-01-15T08:00:{len(self.chain) % 60:02d}.000000Z",
            "author": "王会计",
            "kind": kind,
            "key": key,
            "period": period,
            "body_sha256": sha256(content).hexdigest(),
            "previous": previous,
        }
        header = Header(**fields, hash=sha256(dump(fields)).hexdigest())
        self.chain.append(header)
        self.bodies.append(content)
        return header

    def close_month(
        self, period: str, documents: Documents, *, restates: int | None = None, version: int = 1
    ) -> Header:
        """Documents and their closing entry."""
        headers = [self.add("document", name, period, documents[name]) for name in sorted(documents)]
        body = {
            "schema": "shutan.close/1",
            "period": period,
            "version": version,
            "documents": [[header.key, header.seq, header.body_sha256] for header in headers],
            "totals": documents["totals"],
            "restates": restates,
            "reason": "corrected" if restates else "",
        }
        return self.add("close", period, period, body)

    def headers(self, *, kind: str | None = None, key: str | None = None) -> Iterator[Header]:
        """Entries without bodies, chosen as a ledger chooses them."""
        for header in self.chain:
            if kind in {None, header.kind} and key in {None, header.key}:
                yield header

    def body_bytes(self, seq: int) -> bytes:
        """Canonical bytes of a body."""
        return self.bodies[seq - 1]


def closed(documents: Documents, period: str = "2025-06", *, before: Sequence[str] = ("note",)) -> MemoryLedger:
    """A ledger with some entries of no concern, and one closed month."""
    ledger = MemoryLedger()
    for number, kind in enumerate(before):
        ledger.add(kind, f"{kind}/{number}", "", {"text": "开账"})
    ledger.close_month(period, documents)
    return ledger


def evidence_of(documents: Documents, key: SiteKey, period: str = "2025-06") -> Evidence:
    """The signed evidence of one month; EvidenceError if it would not verify."""
    return export(closed(documents, period), period, key)


@dataclass(frozen=True)
class Forged:
    """Files as an owner of the key can sign them, whether they verify or not."""

    archive: bytes
    signature: bytes
    public_pem: bytes
