"""Closing and restating: a closed figure changes by a restatement with author and reason, and in no other way."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from shutan_collector.accounting.documents import Document, JsonObject, PeriodDocuments
from shutan_collector.accounting.sums import Energy, Gas
from shutan_collector.errors import IncompleteError, LedgerError
from shutan_collector.ledger.canonical import canonical
from shutan_collector.ledger.closing import (
    PeriodState,
    Status,
    claimed_elsewhere,
    close_month,
    close_year,
    compare,
    current,
    current_closes,
    history,
    months_of_year,
    restate_month,
    state,
    version_of,
)
from shutan_collector.ledger.compare import compare_totals
from shutan_collector.ledger.store import Ledger
from support.ledgers import AT, month

LATER = "2026-03-01T08:00:00.000000Z"
DAILY_G = 463_945


def with_document(documents: PeriodDocuments, name: str, body: JsonObject) -> PeriodDocuments:
    """The same documents with one of them replaced or added."""
    kept = tuple(item for item in documents.documents if item.name != name)
    return replace(documents, documents=(*kept, Document(name, body)))


def refused(call: Callable[[], object], said: str, ledger: Ledger) -> None:
    """The call raises LedgerError with this text, and nothing has been written."""
    head = ledger.head()
    with pytest.raises(LedgerError) as caught:
        call()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ledger.head() == head


def test_a_month_closes(ledger: Ledger) -> None:
    documents = month()
    assert state(ledger, "2025-06") == PeriodState("2025-06", Status.OPEN, 0, None)
    close = close_month(ledger, documents, "曾工", AT)
    assert state(ledger, "2025-06") == PeriodState("2025-06", Status.CLOSED, 1, close.seq)
    assert (close.version, close.restates, close.reason, close.author, close.at) == (1, None, "", "曾工", AT)
    assert current(ledger, "2025-06").to_object() == documents.to_object()
    assert close.totals.by_scope == {"scope2_location": DAILY_G * 30}
    entry = ledger.entry(close.seq)
    assert (entry.kind, entry.key, entry.period) == ("close", "2025-06", "2025-06")
    names = [document.name for document in documents.documents]
    held = list(ledger.headers(kind="document"))
    assert entry.body == {
        "schema": "shutan.close/1",
        "period": "2025-06",
        "version": 1,
        "documents": [[header.key, header.seq, header.body_sha256] for header in held],
        "totals": documents.find("totals"),
        "restates": None,
        "reason": "",
    }
    assert [header.key for header in held] == names
    assert ledger.check_chain() is None


def test_a_second_close_is_refused(ledger: Ledger) -> None:
    close = close_month(ledger, month(), "me", AT)
    said = f"period 2025-06: is closed already (version 1, entry {close.seq}, {AT}); restate it with a reason"
    refused(lambda: close_month(ledger, month(), "me", LATER), said, ledger)
    refused(lambda: close_month(ledger, month(energy_wh=1), "me", LATER), said, ledger)


def test_a_restatement_keeps_both_versions(ledger: Ledger) -> None:
    first, second = month(), month(energy_wh=3_120_000)
    close_month(ledger, first, "me", AT)
    before = ledger.head().seq
    close = restate_month(ledger, second, "审核员", "CT ratio was wrong", LATER, version=1)
    assert (close.version, close.restates, close.reason, close.author) == (2, before, "CT ratio was wrong", "审核员")
    assert current(ledger, "2025-06").to_object() == second.to_object()
    assert version_of(ledger, "2025-06", 1).to_object() == first.to_object()
    assert [item.version for item in history(ledger, "2025-06")] == [1, 2]
    assert state(ledger, "2025-06").version == 2
    # Only what differs is written again.
    written = [header.key for header in ledger.headers(kind="document", after=before)]
    assert written == ["lines/meter:m-entry", "readings/m-entry", "totals"]


def test_going_back_repeats_nothing(ledger: Ledger) -> None:
    first = month()
    close_month(ledger, first, "me", AT)
    restate_month(ledger, month(energy_wh=3_120_000), "me", "late samples", LATER)
    before = ledger.head().seq
    close = restate_month(ledger, first, "me", "the late samples were of a test", LATER)
    assert close.version == 3
    assert ledger.head().seq == before + 1
    assert current(ledger, "2025-06").to_object() == first.to_object()


@pytest.mark.parametrize("reason", ["", " ", "\n", "a\nb", "\udc80"])
def test_a_restatement_needs_a_reason(ledger: Ledger, reason: str) -> None:
    close_month(ledger, month(), "me", AT)
    refused(
        lambda: restate_month(ledger, month(energy_wh=1), "me", reason, LATER),
        "period 2025-06: a reason is needed",
        ledger,
    )


def test_a_restatement_needs_an_author(ledger: Ledger) -> None:
    close_month(ledger, month(), "me", AT)
    refused(lambda: restate_month(ledger, month(energy_wh=1), " ", "why", LATER), "author: ' '", ledger)
    refused(lambda: close_month(ledger, month(period="2025-07"), "", AT), "author: ''", ledger)


def test_a_restatement_of_the_wrong_version_is_refused(ledger: Ledger) -> None:
    refused(lambda: restate_month(ledger, month(), "me", "why", AT), "period 2025-06: is open: close it first", ledger)
    close_month(ledger, month(), "me", AT)
    restate_month(ledger, month(energy_wh=1000), "me", "why", AT, version=1)
    refused(
        lambda: restate_month(ledger, month(energy_wh=2000), "me", "why", AT, version=1),
        "period 2025-06: version 2 is current, not 1",
        ledger,
    )


def test_a_restatement_that_changes_nothing_is_refused(ledger: Ledger) -> None:
    close_month(ledger, month(), "me", AT)
    refused(
        lambda: restate_month(ledger, month(), "me", "why", AT),
        "period 2025-06: nothing differs from version 1",
        ledger,
    )


def test_an_incomplete_meter_keeps_the_month_open(ledger: Ledger) -> None:
    refused(
        lambda: close_month(ledger, month(days=29), "me", AT),
        "period 2025-06: meter m-entry: has no reading for the time after 2025-06-30T00:00:00+08:00: let the missing",
        ledger,
    )
    close_month(ledger, month(days=29, declared=True), "me", AT)
    assert state(ledger, "2025-06").status is Status.CLOSED


def test_every_incomplete_meter_is_named(ledger: Ledger) -> None:
    documents = month(days=0)
    sub = dict(documents.find("readings/m-sub") or {})
    flows = [[n, n + 1, 24_000, 96, 96] for n in range(30)]
    cases = {
        "has no reading for the time before 2025-06-03T00:00:00+08:00": flows[2:],
        "has no consumption from 2025-06-15T00:00:00+08:00 to 2025-06-16T00:00:00+08:00": flows[:14] + flows[15:],
        "has no reading for the time after 2025-06-30T00:00:00+08:00": flows[:-1],
    }
    for said, left in cases.items():
        with pytest.raises(IncompleteError) as caught:
            close_month(ledger, with_document(documents, "readings/m-sub", sub | {"flows": left}), "me", AT)
        lines = caught.value.lines()
        assert len(lines) == 2
        assert lines[0].startswith("period 2025-06: meter m-entry: has no readings: let the missing")
        assert lines[1].startswith(f"period 2025-06: meter m-sub: {said}: let the missing")
    assert ledger.head().seq == 0


def test_a_gap_that_a_flow_encloses_is_no_hole(ledger: Ledger) -> None:
    documents = month()
    sub = dict(documents.find("readings/m-sub") or {})
    flows = [[n, n + 1, 24_000, 96, 96] for n in range(30)]
    flows[10:13] = [[10, 13, 72_000, 0, 288]]
    close_month(ledger, with_document(documents, "readings/m-sub", sub | {"flows": flows}), "me", AT)


def test_a_declaration_has_to_be_among_the_documents(ledger: Ledger) -> None:
    documents = month(days=29, declared=True)
    none: JsonObject = {"schema": "shutan.activities/1", "rows": []}
    refused(
        lambda: close_month(ledger, with_document(documents, "activities/declared_missing", none), "me", AT),
        "the declaration 'declared_missing/d1' is not among the month's activities",
        ledger,
    )


def test_a_certificate_is_claimed_once(ledger: Ledger) -> None:
    close = close_month(ledger, month(claims=("GEC-1", "GEC-2")), "me", AT)
    refused(
        lambda: close_month(ledger, month(period="2025-07", claims=("GEC-3", "GEC-2")), "me", AT),
        f"period 2025-07: certificate GEC-2 is claimed in 2025-06 already (entry {close.seq}, version 1)",
        ledger,
    )
    refused(
        lambda: close_month(ledger, month(period="2025-07", claims=("GEC-3", "GEC-3")), "me", AT),
        "period 2025-07: certificate GEC-3 is claimed twice in the month",
        ledger,
    )
    close_month(ledger, month(period="2025-07", claims=("GEC-3",)), "me", AT)
    refused(
        lambda: restate_month(ledger, month(claims=("GEC-1", "GEC-3")), "me", "why", AT),
        "certificate GEC-3 is claimed in 2025-07",
        ledger,
    )
    assert claimed_elsewhere(ledger, "2025-06") == {"GEC-3"}
    assert claimed_elsewhere(ledger, "2025-08") == {"GEC-1", "GEC-2", "GEC-3"}


def test_a_certificate_that_a_restatement_gave_up_is_free(ledger: Ledger) -> None:
    close_month(ledger, month(claims=("GEC-1",)), "me", AT)
    restate_month(ledger, month(), "me", "claimed by mistake", AT)
    close_month(ledger, month(period="2025-07", claims=("GEC-1",)), "me", AT)
    refused(
        lambda: restate_month(ledger, month(claims=("GEC-1",)), "me", "back", AT),
        "certificate GEC-1 is claimed in 2025-07",
        ledger,
    )


def test_text_that_is_not_unicode_is_refused(ledger: Ledger) -> None:
    documents = with_document(month(), "site", {"zone": "Asia/Shanghai", "text": "\udc80"})
    refused(lambda: close_month(ledger, documents, "me", AT), "document 'site' holds text that is not Unicode", ledger)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("totals", None, "totals.by_scope['scope2_location'] is 1, the lines add up to 13918350"),
        ("totals", {"schema": "other"}, "schema 'other' is not shutan.totals/1"),
        ("totals", {"schema": "shutan.totals/1"}, "not of the form shutan.totals/1: 'by_category'"),
        ("lines/x", {"lines": [{"scope": "scope1"}]}, "a line is not of the form shutan.lines/1: 'gas_g'"),
    ],
)
def test_documents_that_contradict_are_refused(ledger: Ledger, name: str, body: JsonObject | None, said: str) -> None:
    totals = dict(month().find("totals") or {})
    changed = totals | {"by_scope": {"scope2_location": 1}} if body is None else body
    refused(lambda: close_month(ledger, with_document(month(), name, changed), "me", AT), said, ledger)


def test_documents_that_are_not_a_month_are_refused(ledger: Ledger) -> None:
    documents = month()
    twice = replace(documents, documents=(*documents.documents, documents.documents[0]))
    none = replace(documents, documents=documents.documents[:-1])
    other = with_document(documents, "totals", month(period="2025-07", days=30).find("totals") or {})
    for wrong, said in (
        (twice, "document 'activities/declared_missing' is there twice"),
        (none, "the document 'totals' is missing"),
        (other, "the document 'totals' is of 2025-07"),
        (replace(documents, period="2025"), "is not a month"),
    ):
        refused(lambda wrong=wrong: close_month(ledger, wrong, "me", AT), said, ledger)


def close_all(ledger: Ledger, year: str = "2025") -> None:
    for number, name in enumerate(months_of_year(year), 1):
        close_month(ledger, month(period=name, energy_wh=24_000 * number), "me", AT)


def test_a_year_is_twelve_closed_months(ledger: Ledger) -> None:
    close_all(ledger)
    close = close_year(ledger, "2025", "me", AT)
    months = [current_closes(ledger)[name] for name in months_of_year("2025")]
    assert [(item.month, item.seq, item.version) for item in close.months] == [(m.period, m.seq, 1) for m in months]
    for scope, grams in close.totals.by_scope.items():
        assert grams == sum(item.totals.by_scope[scope] for item in months)
    hours = [item.totals.energy["m-sub"].value for item in months]
    assert close.totals.energy["m-sub"] == Energy(sum(hours), "Wh", "complete") == Energy(8_760_000, "Wh", "complete")
    co2 = close.totals.by_category["scope2_location|electricity|co2"]
    assert co2 == Gas(close.totals.by_scope["scope2_location"], close.totals.by_scope["scope2_location"])
    assert close.totals.by_source["meter:m-entry|scope2_location"] == co2.co2e_g
    assert (close.version, close.restates, close.documents) == (1, None, ())
    assert state(ledger, "2025") == PeriodState("2025", Status.CLOSED, 1, close.seq)
    refused(lambda: current(ledger, "2025"), "period 2025: is a year", ledger)


def test_a_year_with_open_months_is_refused(ledger: Ledger) -> None:
    refused(lambda: close_year(ledger, "2025", "me", AT), "period 2025: has open months: 2025-01, 2025-02", ledger)
    for name in months_of_year("2025")[:-2]:
        close_month(ledger, month(period=name), "me", AT)
    refused(
        lambda: close_year(ledger, "2025", "me", AT),
        "period 2025: has open months: 2025-11, 2025-12; close them first",
        ledger,
    )
    refused(lambda: close_year(ledger, "2025-06", "me", AT), "period 2025-06: is not a year", ledger)


def test_a_restated_month_makes_the_year_stale(ledger: Ledger) -> None:
    close_all(ledger)
    first = close_year(ledger, "2025", "me", AT)
    refused(lambda: close_year(ledger, "2025", "me", LATER), "is closed already (version 1", ledger)
    restate_month(ledger, month(period="2025-03", energy_wh=84_000), "me", "late samples", LATER)
    assert state(ledger, "2025") == PeriodState("2025", Status.CLOSED, 1, first.seq, ("2025-03",))
    second = close_year(ledger, "2025", "me", LATER)
    assert (second.version, second.restates, second.reason) == (2, first.seq, "restated: 2025-03 (version 2)")
    assert state(ledger, "2025") == PeriodState("2025", Status.CLOSED, 2, second.seq)
    difference = compare_totals(first.totals, second.totals)
    (energy,) = (item for item in difference.energy if item.is_changed)
    assert (energy.name, energy.difference, energy.unit) == ("m-entry", 12_000 * 31, "Wh")
    assert history(ledger, "2025")[0].totals == first.totals


def test_months_whose_meters_count_differently_do_not_add_up(ledger: Ledger) -> None:
    close_all(ledger)
    documents = month(period="2025-05", energy_wh=120_000)
    totals = dict(documents.find("totals") or {})
    energy = {"m-entry": [120_000 * 31, "kJ", "complete"]}
    restate_month(ledger, with_document(documents, "totals", totals | {"energy": energy}), "me", "why", AT)
    refused(
        lambda: close_year(ledger, "2025", "me", AT), "period 2025: meter m-entry counts Wh in one month and kJ", ledger
    )


def test_the_state_of_a_year_is_that_of_its_worst_month(ledger: Ledger) -> None:
    for name in months_of_year("2025"):
        documents = month(period=name)
        if name == "2025-02":
            energy = {"m-entry": [1, "Wh", "estimated"], "m-sub": [1, "Wh", "complete"]}
            changed = {**(documents.find("totals") or {}), "energy": energy, "complete": False, "provisional": False}
            documents = with_document(documents, "totals", changed)
        close_month(ledger, documents, "me", AT)
    totals = close_year(ledger, "2025", "me", AT).totals
    assert (totals.energy["m-entry"].state, totals.energy["m-sub"].state) == ("estimated", "complete")
    assert (totals.complete, totals.provisional) == (False, True)


def test_old_and_new_side_by_side() -> None:
    difference = compare(month(), month(energy_wh=3_120_000))
    (scope,) = difference.scopes
    assert (scope.name, scope.old, scope.new, scope.difference) == ("scope2_location", 13_918_350, 14_639_040, 720_690)
    assert [(item.name, item.difference, item.unit) for item in difference.energy] == [
        ("m-entry", 4_608_000, "Wh"),
        ("m-sub", 0, "Wh"),
    ]
    assert difference.documents == ("lines/meter:m-entry", "readings/m-entry", "totals")
    assert not difference.is_empty
    assert compare(month(), month()).is_empty
    assert canonical(difference.to_object()).startswith(b'{"documents":["lines/meter:m-entry"')


def test_what_is_new_or_gone_has_one_side_only() -> None:
    gone = compare(month(), month(days=0))
    assert [(item.old, item.new, item.difference) for item in gone.sources] == [(13918350, None, -13918350)]
    new = compare(month(days=0), month())
    assert [(item.old, item.new, item.difference) for item in new.scopes] == [(None, 13918350, 13918350)]
    with pytest.raises(LedgerError, match="cannot be compared with 2025-07"):
        compare(month(period="2025-07"), month())
    with pytest.raises(LedgerError, match="'totals' is missing"):
        compare(replace(month(), documents=()), month())


def test_a_period_that_is_open_has_no_documents(ledger: Ledger) -> None:
    refused(lambda: current(ledger, "2025-06"), "period 2025-06: is open", ledger)
    refused(lambda: version_of(ledger, "2025-06", 1), "period 2025-06: has no version 1; it has 0", ledger)
    assert history(ledger, "2025-06") == ()
    assert current_closes(ledger) == {}
