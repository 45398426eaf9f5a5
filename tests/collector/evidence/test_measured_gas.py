"""Gas through a meter with the site's own analyses: closed, exported and verified; no value that nobody measured."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import pytest

from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.activity.rows import FuelQuality
from shutan_collector.evidence import verify
from shutan_collector.evidence.bundle import export
from shutan_collector.evidence.keys import SiteKey
from shutan_collector.ledger.closing import current
from shutan_collector.ledger.operations import close_period
from shutan_collector.ledger.store import Ledger, open_ledger
from support.evidence_ledger import Documents
from support.small_ledger import AT, AUTHOR, small_basis, steady_series

MONTH = "2025-06"
LITRES = 1_200  # in each hour


def analysis(key: str, days: tuple[date, date], quantity: str, ncv: str, carbon: str) -> FuelQuality:
    return FuelQuality(
        key=key,
        place="quality.csv:2",
        source="report",
        note="",
        fuel="natural_gas",
        start=days[0],
        end=days[1],
        batch=key,
        quantity=Fraction(quantity),
        unit="1e4Nm3",
        ncv=Fraction(ncv),
        carbon_content=Fraction(carbon),
    )


BOOK = ActivityBook(
    fuel_qualities=(
        analysis("Q1", (date(2025, 6, 1), date(2025, 6, 15)), "3", "360.5", "15.2"),
        # Half of these twenty days are July's, and with them half of its weight.
        analysis("Q2", (date(2025, 6, 21), date(2025, 7, 10)), "2", "371.25", "15.4"),
    )
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(f"sqlite:{tmp_path / 'ledger.db'}", create=True) as opened:
        close_period(opened, small_basis(steady_series("2025-05-31T22:00", 24 * 31), BOOK), MONTH, AUTHOR, AT)
        yield opened


def plain(ledger: Ledger) -> Documents:
    return {item.name: cast("dict[str, Any]", item.body) for item in current(ledger, MONTH).documents}


def check(documents: Documents) -> None:
    verify.Month(MONTH, {name: (name, body) for name, body in documents.items()}).check()


def gas_lines(documents: Documents) -> list[dict[str, Any]]:
    return documents["lines/meter:boiler-gas"]["lines"]


def test_a_month_of_measured_gas_verifies_with_the_grams_of_its_analyses(ledger: Ledger, key: SiteKey) -> None:
    evidence = export(ledger, MONTH, key)
    verdict = verify.examine(evidence.archive, evidence.signature, evidence.public_pem, "F.zip", evidence.fingerprint)
    assert verdict["ok"], verdict
    lines = gas_lines(plain(ledger))
    assert len(lines) == 30 * 24
    ncv = (3 * Fraction("360.5") + Fraction("371.25")) / 4
    carbon = (3 * Fraction("15.2") + Fraction("15.4")) / 4
    normal = Fraction(LITRES, 1000) * Fraction("273.15") / Fraction("293.15") / 10_000
    grams = round(normal * ncv * carbon / 1000 * Fraction(99, 100) * 44 / 12 * 10**6)
    assert {line["gas_g"] for line in lines} == {grams}
    assert {tuple(line["activities"]) for line in lines} == {("fuel_quality/Q1", "fuel_quality/Q2")}


def _invented(line: dict[str, Any]) -> None:
    for item in line["inputs"]:
        if item[0] == "ncv":
            item[1] = "1"


def _default(line: dict[str, Any]) -> None:
    line["inputs"] = [item for item in line["inputs"] if item[0] != "ncv"]
    line["factors"].insert(0, ["ncv", "FUELB-NATURALGAS-NCV"])


def _nobody(line: dict[str, Any]) -> None:
    line["activities"] = []


@pytest.mark.parametrize(
    ("forge", "field"), [(_invented, "input ncv"), (_default, "measured values"), (_nobody, "activities")]
)
def test_a_value_that_the_analyses_do_not_give_is_found(ledger: Ledger, forge: Any, field: str) -> None:
    documents = deepcopy(plain(ledger))
    check(documents)
    forge(gas_lines(documents)[5])
    if field == "measured values":
        documents["factors"]["rows"].append({"id": "FUELB-NATURALGAS-NCV", "unit": "GJ/1e4Nm3", "value": "389.31",
            "category": "combustion", "parameter": "ncv", "subject": "natural_gas", "known_from": "",
            "valid_from": "2024-01-01", "valid_to": "", "region": "CN"})  # fmt: skip
    with pytest.raises(verify.Difference) as found:
        check(documents)
    assert found.value.field == field


def test_a_value_measured_by_nobody_is_found(ledger: Ledger) -> None:
    """Without analyses the default has to stand: an invented calorific value is no input."""
    documents = deepcopy(plain(ledger))
    documents["activities/fuel_quality"]["rows"] = []
    with pytest.raises(verify.Difference) as found:
        check(documents)
    assert found.value.field == "measured values"


def test_more_recovered_than_there_was_is_no_emission_below_zero(documents: Documents) -> None:
    """A balance below zero would take away what other sources emit."""
    row = next(row for row in documents["activities/refrigerant"]["rows"] if row["key"] == "R1")
    row["recovered_kg"] = "500"
    line = next(
        line for line in documents["lines/activity:refrigerant"]["lines"] if line["activities"] == ["refrigerant/R1"]
    )
    recovered = next(item for item in line["inputs"] if item[0] == "recovered")
    recovered[1] = str(Fraction(500) * Fraction(30, 91))
    with pytest.raises(verify.Difference) as found:
        check(documents)
    assert found.value.field == "mass of gas"


def test_consumption_is_not_hidden_in_a_break_where_the_register_rises(ledger: Ledger) -> None:
    """A negative step counts nothing: where the register did not fall it would swallow an hour."""
    documents = deepcopy(plain(ledger))
    body = documents["readings/bottling"]
    body["breaks"] = [{"at": 3, "kind": "negative_step", "counted": 0, "exact": False}]
    body["flows"][2][2] = 0
    documents["totals"]["energy"]["bottling"][0] -= 6_000
    documents["totals"]["energy"]["bottling"][2] = "inexact"
    with pytest.raises(verify.Difference) as found:
        check(documents)
    assert found.value.field == "register 3 after a negative_step"
