"""Evidence of a closed period as one archive that anyone can verify offline (docs/evidence.md).

    F.zip      canonical stored zip: manifest.json, chain.jsonl, documents/<seq>.json, README.txt
    F.zip.sig  Ed25519 signature over all bytes of F.zip, 64 raw bytes
    F.zip.pub  the public key, PEM

A month brings its closing entry and the documents that it names; a year its own closing entry, those of its twelve
months, and all their documents. chain.jsonl holds the headers of every entry from the first of the ledger to the
closing entry, so the archive of one closing has the same bytes whenever it is exported.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata, resources
from typing import TYPE_CHECKING, Final, Protocol, cast

from shutan_collector.errors import EvidenceError
from shutan_collector.evidence.archive import build_archive
from shutan_collector.evidence.readme import README
from shutan_collector.ledger.canonical import canonical, parse_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shutan_collector.accounting.documents import JsonObject
    from shutan_collector.evidence.keys import SiteKey
    from shutan_collector.ledger.entries import Header

__all__ = ["SCHEMA", "Evidence", "LedgerReader", "collect", "export", "verifier"]

SCHEMA: Final = "shutan.evidence/1"
_YEAR: Final = 4  # length of "2025"


class LedgerReader(Protocol):
    """What of a ledger an export reads; `shutan_collector.ledger.store.Ledger` is one."""

    def headers(self, *, kind: str | None = None, key: str | None = None) -> Iterator[Header]:
        """Entries without their bodies, by number."""
        ...

    def body_bytes(self, seq: int) -> bytes:
        """The canonical bytes of an entry's body. Raises LedgerError."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """An archive with its signature.

    period, version   of the closing
    head_seq          number of the closing entry; head_hash its hash, 64 hex digits: the head of the chain in it
    """

    period: str
    version: int
    head_seq: int
    head_hash: str
    fingerprint: str
    archive: bytes
    signature: bytes
    public_pem: bytes

    def files(self, name: str) -> tuple[tuple[str, bytes], ...]:
        """What to write, by name; the signature is last, so that a set with one is whole."""
        return ((name, self.archive), (f"{name}.pub", self.public_pem), (f"{name}.sig", self.signature))


def verifier() -> bytes:
    """verify.py, the stand-alone program."""
    return (resources.files("shutan_collector") / "evidence" / "verify.py").read_bytes()


def export(ledger: LedgerReader, period: str, key: SiteKey) -> Evidence:
    """The signed evidence of a closed month ("2025-06") or year ("2025").

    Raises EvidenceError if the period is not closed or the evidence would not verify: what the verifier of tomorrow
    refuses, nobody gets today. Raises LedgerError if the ledger is damaged.
    """
    close, members = collect(ledger, period, key.fingerprint)
    archive = build_archive(members)
    evidence = Evidence(
        period=period,
        version=cast("int", parse_object(members[_document(close.seq)])["version"]),
        head_seq=close.seq,
        head_hash=close.hash,
        fingerprint=key.fingerprint,
        archive=archive,
        signature=key.sign(archive),
        public_pem=key.public_pem,
    )
    _refuse_unless_verified(evidence)
    return evidence


def collect(ledger: LedgerReader, period: str, fingerprint: str) -> tuple[Header, dict[str, bytes]]:
    """The latest closing of a period and the members of its archive, by name. Raises EvidenceError, LedgerError."""
    closings = list(ledger.headers(kind="close", key=period))
    if not closings:
        raise EvidenceError(period, "the period is not closed; evidence is exported from closed periods only")
    close = closings[-1]
    headers = _until(ledger.headers(), close.seq)
    bodies = {close.seq: ledger.body_bytes(close.seq)}
    body = parse_object(bodies[close.seq])
    if len(period) == _YEAR:
        months = [number for _, number, _ in _rows(body["months"])]
        bodies |= {number: ledger.body_bytes(number) for number in months}
    else:
        months = [close.seq]
    formulas: set[str] = set()
    for number in months:
        for name, seq, _ in _rows(parse_object(bodies[number])["documents"]):
            bodies[seq] = bodies.get(seq) or ledger.body_bytes(seq)
            if name == "formulas":
                rows = cast("list[dict[str, str]]", parse_object(bodies[seq])["rows"])
                formulas |= {row["name"] for row in rows}
    members = {_document(seq): content for seq, content in bodies.items()}
    members["chain.jsonl"] = b"".join(canonical(_header(header)) + b"\n" for header in headers)
    members["README.txt"] = README.encode()
    manifest: JsonObject = {
        "schema": SCHEMA,
        "period": period,
        "version": cast("int", body["version"]),
        "close": close.seq,
        "head": {"seq": close.seq, "hash": close.hash},
        "key_fingerprint": fingerprint,
        "members": {name: [sha256(content).hexdigest(), len(content)] for name, content in members.items()},
        "verifier": {"file": "verify.py", "sha256": sha256(verifier()).hexdigest()},
        "software": f"shutan {metadata.version('shutan')}",
        "formulas": sorted(formulas),
    }
    members["manifest.json"] = canonical(manifest)
    return close, members


def _refuse_unless_verified(evidence: Evidence) -> None:
    """Run the verifier over the evidence before anyone sees it."""
    from shutan_collector.evidence import verify  # noqa: PLC0415 - a program of its own, needed for an export only

    verdict = verify.examine(evidence.archive, evidence.signature, evidence.public_pem, "evidence")
    if not verdict["ok"]:
        found = json.dumps(verdict["difference"], ensure_ascii=False)
        if "[Errno " in found:  # the disk is full, openssl is not there: the machine, not the evidence
            raise EvidenceError(evidence.period, f"cannot be verified on this machine, and is not written: {found}")
        raise EvidenceError(evidence.period, f"the evidence does not verify, and is not written: {found}")


def _until(headers: Iterable[Header], last: int) -> Iterator[Header]:
    for header in headers:
        yield header
        if header.seq == last:
            return


def _document(seq: int) -> str:
    return f"documents/{seq}.json"


def _header(header: Header) -> JsonObject:
    return {
        "seq": header.seq,
        "at": header.at,
        "author": header.author,
        "kind": header.kind,
        "key": header.key,
        "period": header.period,
        "body_sha256": header.body_sha256,
        "previous": header.previous,
        "hash": header.hash,
    }


def _rows(value: object) -> list[tuple[str, int, str]]:
    return cast("list[tuple[str, int, str]]", value)
