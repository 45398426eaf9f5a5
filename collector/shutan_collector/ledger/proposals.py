"""Proposals of restatement (重述建议): what late samples would change in a closed month, for a person to decide.

The series store may change after a month was closed; its ledger does not. What would come out now is written beside the
closed version, with its cause, the days whose readings differ and the totals before and after. Accepted, exactly these
documents become the next version; rejected, the reason stays. A newer proposal replaces an open one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from shutan_collector.accounting.sums import Totals, read_totals
from shutan_collector.errors import LedgerError
from shutan_collector.ledger.checks import check_claims, check_complete, check_documents, totals_of
from shutan_collector.ledger.closes import CLOSE, Close, Reference, documents_of, last_close
from shutan_collector.ledger.entries import Record
from shutan_collector.ledger.versions import check_reason, seal_documents, write_documents, write_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shutan_collector.accounting.documents import JsonObject, PeriodDocuments
    from shutan_collector.ledger.entries import Entry
    from shutan_collector.ledger.store import Ledger, Reader

__all__ = [
    "PROPOSAL",
    "REJECTION",
    "ChangedDay",
    "Proposal",
    "ProposalState",
    "accept_proposal",
    "proposals",
    "propose",
    "reject_proposal",
]

PROPOSAL: Final = "proposal"  # kinds of entries
REJECTION: Final = "rejection"
SCHEMA: Final = "shutan.proposal/1"
REJECTION_SCHEMA: Final = "shutan.rejection/1"


class ProposalState(StrEnum):
    """What has become of a proposal."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    OUTDATED = "outdated"  # the month has been restated, or a newer proposal stands in its place


@dataclass(frozen=True, slots=True)
class ChangedDay:
    """A day of a meter whose readings in the series store are not those that the closed month rests on.

    before, after   count of readings, sum of registers, sum of times since midnight (ms); None = no such day
    """

    meter: str
    day: str
    before: tuple[int, int, int] | None
    after: tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal; base is the close entry that it would restate."""

    seq: int
    at: str
    author: str
    period: str
    state: ProposalState
    base: int
    cause: str
    changed: tuple[str, ...]
    days: tuple[ChangedDay, ...]
    before: Totals
    after: Totals
    references: tuple[Reference, ...]


def propose(
    ledger: Ledger, period: str, documents: PeriodDocuments, cause: str, at: str, *, author: str = "shutan"
) -> Proposal | None:
    """Write down what would change in a closed month; nothing of its figures changes.

    None if nothing would change. The open proposal itself if it says the same already. Raises LedgerError.
    """
    where = f"period {period}"
    cause = check_reason(where, cause)
    if documents.period != period:
        raise LedgerError(where, f"the documents are of {documents.period}")
    totals = check_documents(documents)
    sealed = seal_documents(documents)
    wanted = {item.record.key: item.body_sha256 for item in sealed}
    with ledger.writing(author, at) as writer:
        close = last_close(writer, period)
        if close is None:
            raise LedgerError(where, "is open: there is nothing to restate, account it again instead")
        held = {item.name: item.sha256 for item in close.documents}
        if held == wanted:
            return None
        for known in proposals(writer, period):
            if known.state is ProposalState.OPEN and {r.name: r.sha256 for r in known.references} == wanted:
                return known
        changed = sorted(name for name in held.keys() | wanted.keys() if held.get(name) != wanted.get(name))
        references = write_documents(writer, period, sealed)
        old, new = (
            documents_of(writer, period, [item for item in version if item.name in changed])
            for version in (close.documents, references)
        )
        body: JsonObject = {
            "schema": SCHEMA,
            "period": period,
            "base": close.seq,
            "version": close.version,
            "cause": cause,
            "documents": [[item.name, item.seq, item.sha256] for item in references],
            "changed": changed,
            "fingerprint": [[day.meter, day.day, day.before, day.after] for day in _changed_days(old, new)],
            "before": close.totals.to_object(),
            "after": totals.to_object(),
        }
        return _read(writer.append([Record(PROPOSAL, period, period, body)])[0], ProposalState.OPEN)


def proposals(reader: Reader, period: str | None = None) -> tuple[Proposal, ...]:
    """All proposals, of one month or of all, oldest first, with what has become of them."""
    entries = tuple(reader.entries(kind=PROPOSAL, period=period))
    if not entries:
        return ()
    rejected = {cast("int", entry.body["proposal"]) for entry in reader.entries(kind=REJECTION, period=period)}
    newest = {entry.period: entry.seq for entry in entries}
    current = {name: last_close(reader, name) for name in newest}
    accepted = {
        cast("int", entry.body["proposal"])
        for entry in reader.entries(kind=CLOSE, period=period)
        if "proposal" in entry.body
    }
    found: list[Proposal] = []
    for entry in entries:
        close = current[entry.period]
        if entry.seq in accepted:
            became = ProposalState.ACCEPTED
        elif entry.seq in rejected:
            became = ProposalState.REJECTED
        elif entry.seq != newest[entry.period] or close is None or close.seq != entry.body["base"]:
            became = ProposalState.OUTDATED
        else:
            became = ProposalState.OPEN
        found.append(_read(entry, became))
    return tuple(found)


def accept_proposal(ledger: Ledger, seq: int, author: str, reason: str, at: str) -> Close:
    """Make an open proposal the next version of its month, with exactly the documents it was made of.

    Raises LedgerError if it is not open, not complete, or claims a certificate that another month has claimed since.
    """
    reason = check_reason(f"proposal {seq}", reason)
    with ledger.writing(author, at) as writer:
        proposal = _open_proposal(writer, seq)
        close = last_close(writer, proposal.period)
        documents = documents_of(writer, proposal.period, proposal.references)
        check_complete(documents)
        check_claims(writer, documents)
        return write_version(
            writer,
            close,
            proposal.period,
            proposal.references,
            totals_of(documents),
            reason=reason,
            proposal=proposal.seq,
        )


def reject_proposal(ledger: Ledger, seq: int, author: str, reason: str, at: str) -> Entry:
    """Write down why the closed figures stand. Raises LedgerError if the proposal is not open."""
    reason = check_reason(f"proposal {seq}", reason)
    with ledger.writing(author, at) as writer:
        proposal = _open_proposal(writer, seq)
        body: JsonObject = {"schema": REJECTION_SCHEMA, "proposal": seq, "reason": reason}
        return writer.append([Record(REJECTION, proposal.period, proposal.period, body)])[0]


def _open_proposal(reader: Reader, seq: int) -> Proposal:
    found = next((item for item in proposals(reader) if item.seq == seq), None)
    if found is None:
        raise LedgerError(f"proposal {seq}", "there is none with this number; `shutan proposal list` shows them")
    if found.state is not ProposalState.OPEN:
        raise LedgerError(f"proposal {seq}", f"is {found.state.value}; only an open proposal can be decided")
    return found


def _read(entry: Entry, became: ProposalState) -> Proposal:
    body = entry.body
    days = cast("Sequence[tuple[str, str, Sequence[int] | None, Sequence[int] | None]]", body["fingerprint"])
    return Proposal(
        seq=entry.seq,
        at=entry.at,
        author=entry.author,
        period=entry.period,
        state=became,
        base=cast("int", body["base"]),
        cause=cast("str", body["cause"]),
        changed=tuple(cast("Sequence[str]", body["changed"])),
        days=tuple(ChangedDay(meter, day, _sums(before), _sums(after)) for meter, day, before, after in days),
        before=read_totals(cast("JsonObject", body["before"])),
        after=read_totals(cast("JsonObject", body["after"])),
        references=tuple(Reference(*item) for item in cast("Sequence[tuple[str, int, str]]", body["documents"])),
    )


def _changed_days(old: PeriodDocuments, new: PeriodDocuments) -> Iterator[ChangedDay]:
    """Old and new hold the same documents: those that differ."""
    before, after = _fingerprints(old), _fingerprints(new)
    for meter, day in sorted(before.keys() | after.keys()):
        if before.get((meter, day)) != after.get((meter, day)):
            yield ChangedDay(meter, day, before.get((meter, day)), after.get((meter, day)))


def _fingerprints(documents: PeriodDocuments) -> Mapping[tuple[str, str], tuple[int, int, int]]:
    return {
        (cast("str", document.body["meter"]), cast("str", day)): (int(count), int(registers), int(times))
        for document in documents.starting("readings/")
        for day, count, registers, times in cast("Sequence[Sequence[int | str]]", document.body["fingerprint"])
    }


def _sums(value: Sequence[int] | None) -> tuple[int, int, int] | None:
    return None if value is None else (value[0], value[1], value[2])
