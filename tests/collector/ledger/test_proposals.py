"""Late samples after closing: a proposal that a person accepts or rejects, never a silent change."""

from collections.abc import Callable
from typing import Any

import pytest

from shutan_collector.errors import IncompleteError, LedgerError
from shutan_collector.ledger.closing import (
    accept_proposal,
    close_month,
    current,
    history,
    proposals,
    propose,
    reject_proposal,
    restate_month,
    state,
)
from shutan_collector.ledger.proposals import ChangedDay, Proposal, ProposalState
from shutan_collector.ledger.store import Ledger
from support.ledgers import AT, month

CAUSE = "96 late samples of m-entry on 2025-06-17"


def offer(ledger: Ledger, **changes: Any) -> Proposal:
    proposal = propose(ledger, "2025-06", month(**changes), CAUSE, AT)
    assert proposal is not None
    return proposal


def refused(call: Callable[[], object], said: str, ledger: Ledger) -> None:
    head = ledger.head()
    with pytest.raises(LedgerError) as caught:
        call()
    assert said in str(caught.value)
    assert ledger.head() == head


def test_a_proposal_changes_no_figure(ledger: Ledger) -> None:
    close = close_month(ledger, month(), "me", AT)
    proposal = offer(ledger, energy_wh=3_000_000)
    assert state(ledger, "2025-06").entry == close.seq
    assert current(ledger, "2025-06").to_object() == month().to_object()
    assert proposals(ledger, "2025-06") == (proposal,) == proposals(ledger)
    assert proposals(ledger, "2025-07") == ()
    assert (proposal.state, proposal.base, proposal.cause) == (ProposalState.OPEN, close.seq, CAUSE)
    assert proposal.changed == ("lines/meter:m-entry", "readings/m-entry", "totals")
    assert proposal.before == close.totals
    assert proposal.after.by_scope == {"scope2_location": 469_200 * 30}
    assert proposal.author == "shutan"


def test_a_proposal_names_the_days_that_changed(ledger: Ledger) -> None:
    close_month(ledger, month(days=29, declared=True), "me", AT)
    proposal = offer(ledger, declared=True)
    assert proposal.days == (ChangedDay("m-entry", "2025-06-30", None, (96, 2_966_400 * 29, 4_104_000_000)),)
    second = offer(ledger, declared=True, energy_wh=1)
    assert len(second.days) == 29  # on the first day the register stood at 0 in both
    assert second.days[0] == ChangedDay("m-entry", "2025-06-02", (96, 2_966_400, 4_104_000_000), (96, 1, 4_104_000_000))


def test_an_accepted_proposal_is_the_next_version(ledger: Ledger) -> None:
    close = close_month(ledger, month(), "me", AT)
    proposal = offer(ledger, energy_wh=3_000_000)
    before = ledger.head().seq
    accepted = accept_proposal(ledger, proposal.seq, "曾工", "node n01 was offline", AT)
    assert (accepted.version, accepted.restates, accepted.proposal) == (2, close.seq, proposal.seq)
    assert (accepted.author, accepted.reason) == ("曾工", "node n01 was offline")
    assert accepted.totals == proposal.after
    assert ledger.head().seq == before + 1
    assert current(ledger, "2025-06").to_object() == month(energy_wh=3_000_000).to_object()
    assert proposals(ledger)[0].state is ProposalState.ACCEPTED
    assert [item.version for item in history(ledger, "2025-06")] == [1, 2]
    assert ledger.check_chain() is None


def test_a_rejected_proposal_keeps_its_reason(ledger: Ledger) -> None:
    close = close_month(ledger, month(), "me", AT)
    proposal = offer(ledger, energy_wh=3_000_000)
    entry = reject_proposal(ledger, proposal.seq, "曾工", "test bench, not the plant", AT)
    assert (entry.kind, entry.period, entry.author) == ("rejection", "2025-06", "曾工")
    assert entry.body == {
        "schema": "shutan.rejection/1",
        "proposal": proposal.seq,
        "reason": "test bench, not the plant",
    }
    assert proposals(ledger)[0].state is ProposalState.REJECTED
    assert state(ledger, "2025-06").entry == close.seq


def test_a_decision_is_made_once_and_with_a_reason(ledger: Ledger) -> None:
    close_month(ledger, month(), "me", AT)
    proposal = offer(ledger, energy_wh=3_000_000)
    for decide in (accept_proposal, reject_proposal):
        refused(lambda decide=decide: decide(ledger, proposal.seq, "me", " ", AT), "a reason is needed", ledger)
        refused(lambda decide=decide: decide(ledger, 1, "me", "why", AT), "proposal 1: there is none", ledger)
    reject_proposal(ledger, proposal.seq, "me", "why", AT)
    for decide in (accept_proposal, reject_proposal):
        refused(
            lambda decide=decide: decide(ledger, proposal.seq, "me", "why", AT), "is rejected; only an open", ledger
        )


def test_the_same_proposal_is_written_once(ledger: Ledger) -> None:
    close_month(ledger, month(), "me", AT)
    proposal = offer(ledger, energy_wh=3_000_000)
    head = ledger.head()
    assert offer(ledger, energy_wh=3_000_000) == proposal
    assert ledger.head() == head


def test_no_difference_no_proposal(ledger: Ledger) -> None:
    close_month(ledger, month(), "me", AT)
    head = ledger.head()
    assert propose(ledger, "2025-06", month(), CAUSE, AT) is None
    assert ledger.head() == head


def test_a_newer_proposal_replaces_an_open_one(ledger: Ledger) -> None:
    close_month(ledger, month(), "me", AT)
    first = offer(ledger, energy_wh=3_000_000)
    second = offer(ledger, energy_wh=3_100_000)
    assert [item.state for item in proposals(ledger)] == [ProposalState.OUTDATED, ProposalState.OPEN]
    refused(lambda: accept_proposal(ledger, first.seq, "me", "why", AT), "is outdated", ledger)
    accept_proposal(ledger, second.seq, "me", "why", AT)
    assert [item.state for item in proposals(ledger)] == [ProposalState.OUTDATED, ProposalState.ACCEPTED]


def test_a_restatement_outdates_a_proposal(ledger: Ledger) -> None:
    close_month(ledger, month(), "me", AT)
    proposal = offer(ledger, energy_wh=3_000_000)
    restate_month(ledger, month(energy_wh=1), "me", "why", AT)
    assert proposals(ledger)[0].state is ProposalState.OUTDATED
    refused(lambda: accept_proposal(ledger, proposal.seq, "me", "why", AT), "is outdated", ledger)


def test_a_proposal_is_checked_when_it_is_accepted(ledger: Ledger) -> None:
    close_month(ledger, month(), "me", AT)
    lost = offer(ledger, days=29)
    with pytest.raises(IncompleteError, match="meter m-entry: has no reading"):
        accept_proposal(ledger, lost.seq, "me", "why", AT)
    claiming = offer(ledger, claims=("GEC-1",))
    close_month(ledger, month(period="2025-07", claims=("GEC-1",)), "me", AT)
    refused(lambda: accept_proposal(ledger, claiming.seq, "me", "why", AT), "GEC-1 is claimed in 2025-07", ledger)
    assert state(ledger, "2025-06").version == 1


def test_a_proposal_needs_a_closed_month_and_a_cause(ledger: Ledger) -> None:
    refused(lambda: offer(ledger), "period 2025-06: is open: there is nothing to restate", ledger)
    close_month(ledger, month(), "me", AT)
    refused(lambda: propose(ledger, "2025-06", month(days=29), "", AT), "a reason is needed", ledger)
    refused(lambda: propose(ledger, "2025-07", month(), CAUSE, AT), "the documents are of 2025-06", ledger)
