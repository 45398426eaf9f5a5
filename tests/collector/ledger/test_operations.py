"""From files to closed periods; late samples and other factors open or make restatements, never silent changes."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.activity.rows import DeclaredMissing, MissingMethod
from shutan_collector.errors import CollectorError, LedgerError
from shutan_collector.factors.release import Release, load_release, write_release
from shutan_collector.ledger.closes import Status, state
from shutan_collector.ledger.closing import accept_proposal, claimed_elsewhere, current
from shutan_collector.ledger.operations import close_period, find_late, restate
from shutan_collector.ledger.store import Ledger, open_ledger
from shutan_collector.series import open_reader
from support.closed_year import AT, LATE_DAY, MONTHS, Months, make_months

AUTHOR = "Li Wei"


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    return make_months(tmp_path_factory.mktemp("months"))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(f"sqlite:{tmp_path / 'ledger.db'}", create=True) as opened:
        yield opened


def declaration(meter: str, start: date, end: date) -> DeclaredMissing:
    """Somebody's word that a meter's readings will not come."""
    return DeclaredMissing(
        key=f"d-{meter}",
        place="by hand",
        source="note",
        note="",
        meter=meter,
        start=start,
        end=end,
        method=MissingMethod.LINEAR,
        person=AUTHOR,
        reason="node without power",
    )


def declared(book: ActivityBook) -> ActivityBook:
    """The book with a word about the missing day of the entry meter."""
    day = date.fromisoformat(LATE_DAY)
    return replace(book, declared_missing=(declaration("m-entry", day, day),))


def close_late(months: Months, ledger: Ledger) -> None:
    """Both months without the entry meter's late day, which somebody has declared missing."""
    with months.basis(whole=False) as basis:
        for month in MONTHS:
            close_period(ledger, replace(basis, book=declared(basis.book)), month, AUTHOR, AT)


def scopes(ledger: Ledger, month: str) -> dict[str, int]:
    totals = current(ledger, month).find("totals")
    assert totals is not None
    return dict(cast("dict[str, int]", totals["by_scope"]))


def test_months_are_closed_in_order_and_claims_are_kept(months: Months, ledger: Ledger) -> None:
    seen: list[str] = []
    with months.basis() as basis:
        closes = [close_period(ledger, basis, month, AUTHOR, AT, done=seen.append)[0] for month in MONTHS]
    assert seen == list(MONTHS)
    assert [close.version for close in closes] == [1, 1]
    assert ledger.check_chain() is None
    assert claimed_elsewhere(ledger, MONTHS[1])
    assert claimed_elsewhere(ledger, MONTHS[1]).isdisjoint(claimed_elsewhere(ledger, MONTHS[0]))


def test_a_closed_month_is_not_closed_again(months: Months, ledger: Ledger) -> None:
    with months.basis() as basis:
        close_period(ledger, basis, MONTHS[0], AUTHOR, AT)
        head = ledger.head()
        with pytest.raises(LedgerError, match="is closed already"):
            close_period(ledger, basis, MONTHS[0], AUTHOR, AT)
    assert ledger.head() == head


def test_a_year_with_months_that_cannot_be_closed_says_which_meters(months: Months, ledger: Ledger) -> None:
    """The files end in February: January and February are closed, March says which meters it lacks."""
    with months.basis() as basis, pytest.raises(CollectorError) as caught:
        close_period(ledger, basis, "2025", AUTHOR, AT)
    told = " ".join(caught.value.lines())
    assert "2025-03" in told
    assert "m-entry" in told
    assert [state(ledger, month).status for month in (*MONTHS, "2025-03")] == [
        Status.CLOSED,
        Status.CLOSED,
        Status.OPEN,
    ]


def test_a_hole_inside_a_month_costs_no_energy(months: Months, ledger: Ledger) -> None:
    """The registers on both sides enclose the missing day: the month is exact, the day's hours have no figure."""
    with months.basis(whole=False) as basis:
        close_period(ledger, basis, MONTHS[1], AUTHOR, AT)
    body = cast("dict[str, Any]", current(ledger, MONTHS[1]).find("readings/m-entry"))
    assert sum(flow[2] for flow in body["flows"]) == sum(months.year.hours("m-entry")[31 * 24 :])
    assert sum(flow[1] > flow[0] + 1 for flow in body["flows"]) == 1


def test_a_hole_over_the_months_end_keeps_it_open_until_declared(
    months: Months, ledger: Ledger, tmp_path: Path
) -> None:
    gone = ("2025-01-31T2", "2025-02-01T0")
    holed = tmp_path / "holed.csv"
    lines = months.whole.read_text(encoding="utf-8").splitlines(keepends=True)
    holed.write_text("".join(line for line in lines if not line.startswith(gone)), encoding="utf-8")
    with Months(months.year, holed, holed).basis() as basis:
        with pytest.raises(CollectorError) as caught:
            close_period(ledger, basis, MONTHS[0], AUTHOR, AT)
        assert len(caught.value.lines()) == len(basis.site.meters)
        assert ledger.head().seq == 0
        rows = tuple(declaration(meter.id, date(2025, 1, 31), date(2025, 2, 1)) for meter in basis.site.meters)
        whole = replace(basis, book=replace(basis.book, declared_missing=rows))
        closes = [close_period(ledger, whole, month, AUTHOR, AT)[0] for month in MONTHS]
    both = [close.totals.energy["m-entry"].value for close in closes]
    assert sum(both) == sum(months.year.hours("m-entry"))


def test_a_late_day_opens_a_proposal_and_changes_nothing_by_itself(months: Months, ledger: Ledger) -> None:
    close_late(months, ledger)
    before = scopes(ledger, MONTHS[1])
    with open_reader(str(months.whole)) as reader:
        (found,) = find_late(ledger, reader, AT)
    assert found.period == MONTHS[1]
    assert [(day.meter, day.day) for day in found.days] == [("m-entry", LATE_DAY)]
    assert (found.days[0].before, found.days[0].after) == (0, 96)
    assert scopes(ledger, MONTHS[1]) == before
    assert state(ledger, MONTHS[1]).version == 1

    proposal = found.proposal
    assert proposal is not None
    accept_proposal(ledger, proposal.seq, AUTHOR, "the node's store was read out", AT)
    after = state(ledger, MONTHS[1])
    assert (after.version, after.status) == (2, Status.CLOSED)
    body = cast("dict[str, Any]", current(ledger, MONTHS[1]).find("readings/m-entry"))
    passed = months.year.hours("m-entry")[31 * 24 :]
    assert [flow[2] for flow in body["flows"]] == passed
    with open_reader(str(months.whole)) as reader:
        assert list(find_late(ledger, reader, AT)) == []


def test_a_late_day_touches_only_its_own_documents(months: Months, ledger: Ledger) -> None:
    close_late(months, ledger)
    with open_reader(str(months.whole)) as reader:
        (found,) = find_late(ledger, reader, AT, "2025-02")
    assert found.proposal is not None
    assert set(found.proposal.changed) <= {"readings/m-entry", "lines/meter:m-entry", "lines/market", "totals"}
    assert "readings/m-entry" in found.proposal.changed


def test_the_estimate_of_a_declared_day_keeps_the_month_whole(months: Months, ledger: Ledger) -> None:
    """A straight line over the missing day: the month's sum is exact, the hours on it are marked."""
    close_late(months, ledger)
    totals = cast("dict[str, Any]", current(ledger, MONTHS[1]).find("totals"))
    value, unit, mark = totals["energy"]["m-entry"]
    assert (value, unit, mark) == (sum(months.year.hours("m-entry")[31 * 24 :]), "Wh", "estimated")


def changed_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """A release of the site's own, in which Sichuan's factor of 2023 is another."""
    source = Path(str(resources.files("shutan_collector"))) / "factors" / "data" / "emission_factors.csv"
    folder, keys = tmp_path / "release", tmp_path / "keys"
    folder.mkdir()
    keys.mkdir()
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    place = rows[0].index("value")
    for row in rows:
        if row[0] == "GRID-SC-2023":
            row[place] = "0.2000"
    with (folder / "emission_factors.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    key = Ed25519PrivateKey.generate()
    (keys / "own.pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    monkeypatch.setenv("SHUTAN_FACTOR_KEYS", str(keys))
    write_release(folder, "own-1", date(2026, 1, 1), None, key.sign)
    return load_release(str(folder))


def test_restating_dry_shows_old_and_new_and_writes_nothing(
    months: Months, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with months.basis() as basis:
        for month in MONTHS:
            close_period(ledger, basis, month, AUTHOR, AT)
    release = changed_release(tmp_path, monkeypatch)
    head = ledger.head()
    found = list(restate(ledger, "2025", release))
    assert ledger.head() == head
    assert [item.difference.period for item in found] == list(MONTHS)
    changed = {change.name for change in found[0].difference.scopes if change.is_changed}
    assert changed == {"scope2_location", "memo_export"} & {change.name for change in found[0].difference.scopes}
    by_name = {change.name: change for change in found[0].difference.scopes}
    hours = months.year.hours("m-entry")[: 31 * 24]
    assert by_name["scope2_location"].new == sum(round(wh * 2000 / 10_000) for wh in hours)

    written = list(restate(ledger, MONTHS[0], release, commit=(AUTHOR, "the province's correction", AT)))
    assert written[0].close is not None
    assert written[0].close.version == 2
    assert scopes(ledger, MONTHS[0])["scope2_location"] == by_name["scope2_location"].new
    assert ledger.check_chain() is None


def test_restating_with_the_same_release_changes_nothing(months: Months, ledger: Ledger) -> None:
    with months.basis() as basis:
        close_period(ledger, basis, MONTHS[0], AUTHOR, AT)
    head = ledger.head()
    (found,) = restate(ledger, MONTHS[0], load_release("2026.1"), commit=(AUTHOR, "to see", AT))
    assert found.difference.is_empty
    assert found.close is None
    assert ledger.head() == head


def test_nothing_to_restate_is_one_line(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="has no closed month"):
        list(restate(ledger, "2025", load_release("2026.1")))
