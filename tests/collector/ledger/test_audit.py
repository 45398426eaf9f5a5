"""The audit computes every close again: an entry that another program wrote shows even where its hashes fit."""

from collections.abc import Callable
from typing import Any

import pytest

from shutan_collector.accounting.documents import JsonObject
from shutan_collector.ledger.audit import audit
from shutan_collector.ledger.closing import close_month, close_year, months_of_year, restate_month
from shutan_collector.ledger.entries import Record
from shutan_collector.ledger.store import Ledger
from support.ledgers import AT, behind_its_back, month

NAMES = [document.name for document in month().documents]


def append(ledger: Ledger, kind: str, key: str, body: JsonObject, period: str = "2025-06") -> int:
    return ledger.append([Record(kind, key, period, body)], "other program", AT)[0].seq


def close_body(ledger: Ledger, period: str = "2025-06") -> dict[str, Any]:
    entry = ledger.last("close", period=period)
    assert entry is not None
    return dict(entry.body)


def test_a_ledger_of_ours_is_whole(ledger: Ledger) -> None:
    for name in months_of_year("2025"):
        close_month(ledger, month(period=name, claims=(f"GEC-{name}",)), "me", AT)
    close_year(ledger, "2025", "me", AT)
    restate_month(ledger, month(period="2025-05", energy_wh=1), "me", "why", AT)
    restate_month(ledger, month(period="2025-06", claims=("GEC-2025-05",)), "me", "why", AT)
    close_year(ledger, "2025", "me", AT)
    found = audit(ledger)
    assert found.fault is None
    assert (found.closes, found.head) == (16, ledger.head())


def test_the_chain_comes_first(ledger: Ledger, url: str) -> None:
    close_month(ledger, month(), "me", AT)
    with behind_its_back(url) as connection:
        connection.execute("UPDATE ledger_entry SET author = 'x' WHERE seq = 2")
    found = audit(ledger)
    assert found.fault is not None
    assert (found.fault.seq, found.closes) == (2, 0)


NEXT: dict[str, Any] = {"version": 2, "restates": 9, "reason": "x"}
Body = dict[str, Any]
CASES: dict[str, Callable[[Body], Body]] = {
    "version": lambda _: {"version": 3, "restates": 9},
    "restates": lambda _: NEXT | {"restates": 7},
    "reason": lambda _: NEXT | {"reason": ""},
    "totals": lambda body: NEXT | {"totals": dict(body["totals"]) | {"by_scope": {}}},
    "other document": lambda body: NEXT | {"documents": [*body["documents"][:-1], ["totals", 1, "0" * 64]]},
    "no document": lambda body: NEXT | {"documents": [*body["documents"][:-1], ["totals", 99, "0" * 64]]},
    "no totals": lambda body: NEXT | {"documents": body["documents"][:-1]},
    "no lines": lambda body: NEXT | {"documents": [item for item in body["documents"] if "lines/" not in item[0]]},
    "schema": lambda _: {"schema": "shutan.close/2"},
    "form": lambda _: {"documents": None},
}


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("version", "version 3 of 2025-06 does not follow the one before"),
        ("restates", "version 2 of 2025-06 does not follow the one before"),
        ("reason", "version 2 of 2025-06 has no reason"),
        ("totals", "the totals of 2025-06 are not those of its document"),
        ("other document", "is not the document 'totals' meant"),
        ("no document", "document 'totals' of 2025-06 is not in entry 99"),
        ("no totals", "the document 'totals' is missing"),
        ("no lines", "the totals of 2025-06 are not the sums of its lines"),
        ("schema", "schema 'shutan.close/2' is not shutan.close/1"),
        ("form", "is not a close of the form shutan.close/1"),
    ],
)
def test_a_close_that_does_not_fit_is_named(ledger: Ledger, case: str, said: str) -> None:
    assert close_month(ledger, month(), "me", AT).seq == 9
    body = close_body(ledger)
    seq = append(ledger, "close", "2025-06", body | CASES[case](body))
    assert ledger.check_chain() is None
    found = audit(ledger)
    assert found.fault is not None
    assert found.fault.seq == seq
    assert said in found.fault.reason
    assert found.closes == 1


def test_a_second_claim_by_another_program(ledger: Ledger) -> None:
    close_month(ledger, month(claims=("GEC-1",)), "me", AT)
    other = close_month(ledger, month(period="2025-07"), "me", AT)
    claims: JsonObject = {"schema": "shutan.claims/1", "claims": [["GEC-1", 1, "2025-07"]]}
    entry = ledger.append([Record("document", "claims", "2025-07", claims)], "other program", AT)[0]
    body = close_body(ledger, "2025-07")
    documents = [[name, seq, sha] for name, seq, sha in body["documents"] if name != "claims"]
    documents.append(["claims", entry.seq, entry.body_sha256])
    change = {"version": 2, "restates": other.seq, "reason": "x", "documents": documents}
    append(ledger, "close", "2025-07", body | change, "2025-07")
    found = audit(ledger)
    assert found.fault is not None
    assert found.fault.reason == "certificate GEC-1 of 2025-07 is claimed in 2025-06 as well"


def test_a_year_that_is_not_its_months(ledger: Ledger) -> None:
    for name in months_of_year("2025"):
        close_month(ledger, month(period=name), "me", AT)
    year = close_year(ledger, "2025", "me", AT)
    body = close_body(ledger, "2025")
    change = {"version": 2, "restates": year.seq, "reason": "x"}
    totals = dict(body["totals"]) | {"provisional": False}
    append(ledger, "close", "2025", body | change | {"totals": totals}, "2025")
    found = audit(ledger)
    assert found.fault is not None
    assert found.fault.reason == "the totals of 2025 are not the sums of its months"


def test_a_year_over_months_that_were_not_current(ledger: Ledger) -> None:
    for name in months_of_year("2025"):
        close_month(ledger, month(period=name), "me", AT)
    year = close_year(ledger, "2025", "me", AT)
    body = close_body(ledger, "2025")
    restate_month(ledger, month(period="2025-05", energy_wh=1), "me", "why", AT)
    append(ledger, "close", "2025", body | {"version": 2, "restates": year.seq, "reason": "x"}, "2025")
    found = audit(ledger)
    assert found.fault is not None
    assert found.fault.reason == "2025 is not closed over the months that were current"
