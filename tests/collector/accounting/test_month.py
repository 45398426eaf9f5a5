"""Two months of the distillery: energy is what really passed, carbon is what another way of computing says."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from shutan_collector.accounting.documents import PeriodDocuments
from shutan_collector.accounting.lines import lines_of
from shutan_collector.accounting.month import Basis, account_month
from shutan_collector.accounting.revalue import revalue, site_of
from shutan_collector.accounting.run import account_period, claimed_in
from shutan_collector.accounting.summaries import month_summary
from shutan_collector.accounting.sums import read_totals, sum_totals
from shutan_collector.activity.rows import ManualReading
from shutan_collector.carbon.lines import Line, Scope
from shutan_collector.errors import RequestError
from shutan_collector.ledger.canonical import canonical
from support.accounting import at
from support.closed_year import MONTHS, Months, make_months

HOURS_OF_JANUARY = 31 * 24


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    return make_months(tmp_path_factory.mktemp("months"))


@pytest.fixture(scope="module")
def basis(months: Months) -> Iterator[Basis]:
    with months.basis() as opened:
        yield opened


@pytest.fixture(scope="module")
def january(basis: Basis) -> PeriodDocuments:
    return account_month(basis, MONTHS[0])


def body(documents: PeriodDocuments, name: str) -> dict[str, Any]:
    found = documents.find(name)
    assert found is not None, name
    return cast("dict[str, Any]", found)


def all_lines(documents: PeriodDocuments) -> list[Line]:
    return [line for document in documents.starting("lines/") for line in lines_of(document.body)]


def grams(text: str) -> int:
    return int(Decimal(text).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def test_energy_is_what_really_passed_to_the_unit(months: Months, january: PeriodDocuments) -> None:
    energy = body(january, "totals")["energy"]
    assert len(energy) == len(months.year.truth["meters"])
    for meter, (value, unit, state) in energy.items():
        assert value == sum(months.year.hours(meter)[:HOURS_OF_JANUARY]), meter
        assert unit == months.year.truth["meters"][meter]["unit"]
        assert state == "complete"


def test_carbon_is_what_an_independent_computation_says(months: Months, january: PeriodDocuments) -> None:
    """Sichuan's factor of 2023 and the reporting default of 2022 hour by hour; gas by decimals of 40 digits."""
    hours = months.year.hours("m-entry")[:HOURS_OF_JANUARY]
    by_source = body(january, "totals")["by_source"]
    for scope, factor in (("scope2_location", "0.1564"), ("scope2_reporting", "0.5703")):
        assert by_source[f"meter:m-entry|{scope}"] == sum(grams(str(Decimal(wh) * Decimal(factor))) for wh in hours)
    gas = months.year.hours("g-boiler")[:HOURS_OF_JANUARY]
    # 389.31 GJ/1e4 Nm3 x 15.3 tC/TJ x 99 % x 44/12, over normal litres at 20 degrees: numerator and denominator apart.
    numerator = 27315 * 38931 * 153 * 99 * 44
    denominator = 29315 * 10**9 * 12
    expected = 0
    for litres in gas:
        whole, rest = divmod(litres * numerator, denominator)
        expected += whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2))
    assert by_source["meter:g-boiler|scope1"] == expected


def test_market_based_lines_cover_exactly_what_was_bought(january: PeriodDocuments) -> None:
    bought = body(january, "totals")["energy"]["m-entry"][0]
    market = [line for line in all_lines(january) if line.scope is Scope.SCOPE_2_MARKET]
    assert sum(item.value for line in market for item in line.inputs if item.name == "energy") == bought
    claimed = body(january, "claims")["claims"]
    assert claimed
    assert sum(energy_wh for _, energy_wh, _ in claimed) < bought
    assert {period for *_, period in claimed} == {MONTHS[0]}


def test_totals_are_sums_of_lines(january: PeriodDocuments) -> None:
    totals, lines = body(january, "totals"), all_lines(january)
    assert len({line.id for line in lines}) == len(lines)
    for scope, total in totals["by_scope"].items():
        assert total == sum(line.co2e_g for line in lines if line.scope == scope)
    assert sum(totals["by_source"].values()) == sum(line.co2e_g for line in lines)
    assert sum(pair[0] for pair in totals["by_category"].values()) == sum(line.gas_g for line in lines)


def test_the_same_inputs_give_the_same_bytes(basis: Basis, january: PeriodDocuments) -> None:
    again = account_month(basis, MONTHS[0])
    assert canonical(again.to_object()) == canonical(january.to_object())


def test_the_same_release_gives_the_same_month_byte_for_byte(basis: Basis, january: PeriodDocuments) -> None:
    """A restatement needs no series store: readings and rows are in the documents."""
    again = revalue(january, basis.release, basis.as_of)
    assert canonical(again.to_object()) == canonical(january.to_object())
    assert site_of(january) == basis.site


def test_what_was_not_issued_yet_is_not_used(basis: Basis, january: PeriodDocuments) -> None:
    """As of November 2025 Sichuan's newest factor is that of 2022: 0.1404 instead of 0.1564."""
    earlier = revalue(january, basis.release, date(2025, 11, 1))
    ids = {row["id"] for row in body(earlier, "factors")["rows"]}
    assert "GRID-SC-2022" in ids
    assert "GRID-SC-2023" not in ids
    assert body(earlier, "totals")["provisional"]


def test_a_month_after_another_reads_only_what_is_touched(basis: Basis, january: PeriodDocuments) -> None:
    again = account_month(basis, MONTHS[0], base=january, touched=frozenset({"m-entry"}))
    assert again == january
    kept = {document.name: document.body for document in january.starting("readings/")}
    same = [name for name, document in kept.items() if again.find(name) is document]
    assert len(same) == len(kept) - 1


def test_certificates_of_earlier_months_are_gone(basis: Basis) -> None:
    first, second = (account_month(basis, month) for month in MONTHS)
    assert claimed_in([first]).isdisjoint(claimed_in([second]))
    assert claimed_in([first, second]) == claimed_in([first]) | claimed_in([second])


def test_the_typed_view_says_what_the_documents_say(basis: Basis, january: PeriodDocuments) -> None:
    summary = month_summary(january)
    totals = body(january, "totals")
    assert {scope.value: summary.emission_g(scope) for scope in Scope if summary.emission_g(scope)} == {
        scope: total for scope, total in totals["by_scope"].items() if total
    }
    for use in summary.meters:
        assert use.value == sum(value or 0 for _, value in use.hours) == totals["energy"][use.meter][0]
        assert use.first is not None
        assert use.last is not None
    assert summary.site == basis.site
    assert list(summary.book) == list(basis.book.select(MONTHS[0]))
    assert summary.complete


def test_months_together_are_the_sum_of_months(january: PeriodDocuments) -> None:
    total = body(january, "totals")
    double = cast("dict[str, Any]", sum_totals("2025", [read_totals(total)] * 2).to_object())
    assert double["by_scope"] == {scope: 2 * value for scope, value in total["by_scope"].items()}
    assert double["energy"]["m-entry"] == [2 * total["energy"]["m-entry"][0], "Wh", "complete"]


@pytest.mark.parametrize("period", ["2025-13", "June", "25", "2025-6"])
def test_a_period_that_is_none_is_one_line(basis: Basis, period: str) -> None:
    with pytest.raises(RequestError, match="is not a month; give 2025-06 or a year such as 2025"):
        account_period(basis, period)


def test_a_hole_leaves_the_month_incomplete(months: Months, tmp_path: Path) -> None:
    """The last two days and the first of the next month are away: the month says so, what is known stays exact."""
    lines = months.whole.read_text(encoding="utf-8").splitlines(keepends=True)
    gone = ("2025-01-30", "2025-01-31", "2025-02-01")
    left = [
        line
        for line in lines
        if not (line.startswith(gone) and ",m-entry," in line) or line.startswith("2025-01-30T00:00")
    ]
    holed = tmp_path / "holed.csv"
    holed.write_text("".join(left), encoding="utf-8")
    with Months(months.year, holed, holed).basis() as basis:
        found = body(account_month(basis, MONTHS[0]), "totals")
    assert not found["complete"]
    value, _, state = found["energy"]["m-entry"]
    assert state == "gaps"
    assert value == sum(months.year.hours("m-entry")[: 29 * 24])


def test_registers_that_a_person_read_serve_a_meter_without_instrument(months: Months, tmp_path: Path) -> None:
    """Readings by hand at both ends of January: the month is exact, no hour inside it has a figure."""
    lines = months.whole.read_text(encoding="utf-8").splitlines(keepends=True)
    mute = tmp_path / "mute.csv"
    mute.write_text("".join(line for line in lines if ",m-koji," not in line), encoding="utf-8")
    with Months(months.year, mute, mute).basis() as basis:
        ends = (at("2025-01-01T00:00"), at("2025-02-01T00:00"))
        rows = tuple(
            ManualReading(
                key=f"r{number}",
                place="by hand",
                source="book",
                note="",
                meter="m-koji",
                time_ns=t_ns,
                register=register,
                person="Li Wei",
                photo="IMG_1.jpg",
            )
            for number, (t_ns, register) in enumerate(zip(ends, (4_000_000, 4_123_400), strict=True))
        )
        found = account_month(replace(basis, book=replace(basis.book, readings=rows)), MONTHS[0])
    assert body(found, "totals")["energy"]["m-koji"] == [123_400, "Wh", "complete"]
    readings = body(found, "readings/m-koji")
    assert [item["source"].startswith("manual 抄表") for item in readings["instruments"]] == [True]
    assert [flow[2] for flow in readings["flows"]] == [123_400]
    assert {row["person"] for row in body(found, "activities/manual_reading")["rows"]} == {"Li Wei"}
