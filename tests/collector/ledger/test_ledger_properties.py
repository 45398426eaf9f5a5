"""Whatever people do in whatever order: the chain is whole, closed figures change by restatement only."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shutan_collector.accounting.documents import JsonObject
from shutan_collector.errors import LedgerError
from shutan_collector.ledger.audit import audit
from shutan_collector.ledger.closing import (
    accept_proposal,
    claimed_elsewhere,
    close_month,
    close_year,
    current,
    current_closes,
    history,
    months_of_year,
    proposals,
    propose,
    reject_proposal,
    restate_month,
    state,
    version_of,
)
from shutan_collector.ledger.entries import Head
from shutan_collector.ledger.proposals import ProposalState
from shutan_collector.ledger.store import Ledger, open_ledger
from support.ledgers import AT, MonthPlan, month
from support.postgres import Postgres

PERIODS = st.sampled_from(["2025-05", "2025-06", "2025-07"])
ENERGY = st.integers(1, 4).map(lambda n: n * 24_000)
CLAIMS = st.sets(st.sampled_from(["GEC-1", "GEC-2", "GEC-3"]), max_size=2).map(lambda keys: tuple(sorted(keys)))
DAYS = st.sampled_from([None, None, None, 20])


class LedgerMachine(RuleBasedStateMachine):
    """The ledger beside a model of it: per period, the plans of all versions."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.ledger = open_ledger(f"sqlite:{Path(self.folder.name) / 'ledger.db'}", create=True)
        self.versions: dict[str, list[JsonObject]] = {}
        self.claims: dict[str, frozenset[str]] = {}
        self.heads: list[Head] = []

    def allowed(self, plan: MonthPlan) -> bool:
        """What may become a version: complete, and no certificate of another closed period."""
        return plan.days is None and not self.claimed_beside(plan.period).intersection(plan.claims)

    def claimed_beside(self, period: str) -> frozenset[str]:
        """Certificates of the other closed periods."""
        return frozenset(key for other, keys in self.claims.items() if other != period for key in keys)

    def written(self, plan: MonthPlan) -> None:
        self.versions.setdefault(plan.period, []).append(month(plan).to_object())
        self.claims[plan.period] = frozenset(plan.claims)

    @rule(period=PERIODS, energy=ENERGY, claims=CLAIMS, days=DAYS)
    def close(self, period: str, energy: int, claims: tuple[str, ...], days: int | None) -> None:
        plan = MonthPlan(period=period, energy_wh=energy, claims=claims, days=days)
        possible = period not in self.versions and self.allowed(plan)
        try:
            close = close_month(self.ledger, month(plan), "me", AT)
        except LedgerError:
            assert not possible
        else:
            assert possible
            assert close.version == 1
            self.written(plan)

    @rule(period=PERIODS, energy=ENERGY, claims=CLAIMS, days=DAYS)
    def restate(self, period: str, energy: int, claims: tuple[str, ...], days: int | None) -> None:
        plan = MonthPlan(period=period, energy_wh=energy, claims=claims, days=days)
        known = self.versions.get(period)
        possible = known is not None and known[-1] != month(plan).to_object() and self.allowed(plan)
        try:
            restate_month(self.ledger, month(plan), "me", "why", AT)
        except LedgerError:
            assert not possible
        else:
            assert possible
            self.written(plan)

    @precondition(lambda self: self.versions)
    @rule(data=st.data(), energy=ENERGY, claims=CLAIMS)
    def offer(self, data: st.DataObject, energy: int, claims: tuple[str, ...]) -> None:
        period = data.draw(st.sampled_from(sorted(self.versions)))
        documents = month(period=period, energy_wh=energy, claims=claims)
        proposal = propose(self.ledger, period, documents, "late samples", AT)
        assert (proposal is None) == (documents.to_object() == self.versions[period][-1])

    @rule(data=st.data(), accepted=st.booleans())
    def decide(self, data: st.DataObject, accepted: bool) -> None:
        known = [item for item in proposals(self.ledger) if item.state is ProposalState.OPEN]
        if not known:
            return
        proposal = data.draw(st.sampled_from(known))
        if not accepted:
            reject_proposal(self.ledger, proposal.seq, "me", "why", AT)
            return
        claims = frozenset(str(key) for key in self.claimed_by(proposal.seq))
        others = self.claimed_beside(proposal.period)
        try:
            close = accept_proposal(self.ledger, proposal.seq, "me", "why", AT)
        except LedgerError:
            assert claims & others
        else:
            assert not claims & others
            assert close.totals == proposal.after
            self.versions[proposal.period].append(current(self.ledger, proposal.period).to_object())
            self.claims[proposal.period] = claims

    def claimed_by(self, seq: int) -> list[Any]:
        body: Any = self.ledger.entry(seq).body
        claims = next(number for name, number, _ in body["documents"] if name == "claims")
        document: Any = self.ledger.entry(claims).body
        return [claim[0] for claim in document["claims"]]

    @invariant()
    def the_chain_is_whole(self) -> None:
        assert self.ledger.check_chain() is None
        self.heads.append(self.ledger.head())
        for head in self.heads[-3:]:
            assert self.ledger.check_chain(head) is None

    @invariant()
    def every_version_is_what_it_was(self) -> None:
        for period, versions in self.versions.items():
            assert current(self.ledger, period).to_object() == versions[-1]
            assert [item.version for item in history(self.ledger, period)] == list(range(1, len(versions) + 1))
            assert version_of(self.ledger, period, 1).to_object() == versions[0]
        assert sorted(current_closes(self.ledger)) == sorted(self.versions)

    @invariant()
    def certificates_are_claimed_once(self) -> None:
        claimed = [key for keys in self.claims.values() for key in keys]
        assert len(claimed) == len(set(claimed))
        assert claimed_elsewhere(self.ledger, "2025-01") == frozenset(claimed)

    def teardown(self) -> None:
        found = audit(self.ledger)
        assert found.fault is None
        assert found.closes == sum(map(len, self.versions.values()))
        self.ledger.close()
        self.folder.cleanup()


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)


def a_year_of_work(ledger: Ledger) -> tuple[Head, list[JsonObject]]:
    """Closing, restating, proposing, deciding; the head and the totals of all periods."""
    for number, name in enumerate(months_of_year("2025"), 1):
        close_month(ledger, month(period=name, energy_wh=24_000 * number, claims=(f"GEC-{number}",)), "曾工", AT)
    close_year(ledger, "2025", "曾工", AT)
    restate_month(ledger, month(period="2025-03", energy_wh=1), "曾工", "CT 变比更正", AT)
    for energy_wh, decide in ((2, accept_proposal), (3, reject_proposal)):
        proposal = propose(ledger, "2025-09", month(period="2025-09", energy_wh=energy_wh), "迟到数据", AT)
        assert proposal is not None
        decide(ledger, proposal.seq, "审核员", "已核实", AT)
    close_year(ledger, "2025", "曾工", AT)
    assert state(ledger, "2025").stale == ()
    return ledger.head(), [close.totals.to_object() for close in current_closes(ledger).values()]


def test_both_databases_give_the_same_hashes_and_totals(tmp_path: Path, postgres_server: Postgres) -> None:
    results: list[tuple[Head, list[JsonObject]]] = []
    for url in (f"sqlite:{tmp_path / 'ledger.db'}", postgres_server.url(postgres_server.new_database())):
        with open_ledger(url, create=True) as ledger:
            results.append(a_year_of_work(ledger))
            assert audit(ledger).fault is None
    assert results[0] == results[1]
    assert len(results[0][1]) == 13


def test_a_year_is_the_sum_of_its_months_after_any_work(ledger: Ledger) -> None:
    a_year_of_work(ledger)
    closes = dict(current_closes(ledger))
    year = closes.pop("2025").totals
    for scope, grams in year.by_scope.items():
        assert grams == sum(close.totals.by_scope[scope] for close in closes.values())
    assert year.energy["m-entry"].value == sum(close.totals.energy["m-entry"].value for close in closes.values())
