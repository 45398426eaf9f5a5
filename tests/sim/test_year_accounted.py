"""The collector takes the year's files without a complaint, and its energy is what really passed, to the Wh."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from shutan_collector.activity.book import load_activities
from shutan_collector.activity.kinds import ActivityBook, Bill, Certificate
from shutan_collector.control.actuals import Basis
from shutan_collector.control.budget import load_budget
from shutan_collector.energy.source import measure_meter
from shutan_collector.periods import Kind
from shutan_collector.series import open_reader
from shutan_collector.series.base import SeriesReader
from shutan_collector.site.file import load_site
from shutan_collector.site.model import Carrier, Role, Site
from support.year import Year, make_year, store_readings

START, DAYS = date(2025, 5, 25), 60


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    """Sixty days with everything planted; late rows are in."""
    made = make_year(tmp_path_factory.mktemp("year"), START, DAYS)
    late = (made.folder / "late.csv").read_text(encoding="utf-8").partition("\n")[2]
    with made.readings.open("a", encoding="utf-8") as file:
        file.write(late)
    return made


@pytest.fixture(scope="module")
def site(year: Year) -> Site:
    return load_site(year.folder / "site.toml")


@pytest.fixture(scope="module", params=["csv", "sqlite"])
def reader(
    request: pytest.FixtureRequest, year: Year, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SeriesReader]:
    """The same readings from the file and from the gateway's store."""
    address = f"csv:{year.readings}"
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("store") / "series.db"
        store_readings([year.readings], path)
        address = f"sqlite:{path}"
    with open_reader(address) as opened:
        yield opened


def test_hours_are_what_really_passed(year: Year, site: Site, reader: SeriesReader) -> None:
    """Each hour to the unit, except within a reset, a negative step, a gap or a stuck stretch; the sum always."""
    equal = 0
    for meter in site.meters:
        energy = measure_meter(site, meter, reader, year.truth["start_ns"], year.truth["end_ns"], kind=Kind.HOUR)
        touched = [
            event for event in year.events(meter.id) if event["kind"] in {"reset", "negative_step", "gap", "stuck"}
        ]
        for flow, passed in zip(energy.periods, year.hours(meter.id), strict=True):
            if not any(event["start_ns"] <= flow.end_ns and flow.start_ns <= event["end_ns"] for event in touched):
                assert flow.value == passed
                equal += 1
        assert energy.measured == year.total(meter.id) - year.lost(meter.id)
        assert energy.total.exact is not any(event["kind"] in {"reset", "negative_step"} for event in touched)
    assert equal > 40 * DAYS * 24 * 98 // 100


def test_the_site_is_whole(site: Site) -> None:
    assert len(site.meters) == 40
    assert site.sector == "food_drink"
    assert {meter.carrier for meter in site.meters} == set(Carrier) - {Carrier.HEAT, Carrier.DIESEL, Carrier.COAL}
    assert {meter.role for meter in site.meters} == set(Role) - {Role.BOUNDARY}
    assert {meter.level for meter in site.meters} == {1, 2, 3}
    assert all(meter.calibrated and meter.calibration_due and meter.accuracy_class for meter in site.meters)
    assert any(meter.calibration_due and meter.calibration_due < START for meter in site.meters)
    assert site.tariff is not None
    assert site.shifts
    assert site.virtuals
    gas = [meter for meter in site.meters if meter.carrier is Carrier.NATURAL_GAS]
    assert [meter.gas_reference.temperature_c for meter in gas if meter.gas_reference] == [20]
    assert sum(len(meter.installations) == 2 for meter in site.meters) == 2


def test_the_activities_are_read_without_a_complaint(year: Year, site: Site) -> None:
    book = load_activities(year.folder / "activity", site.zone, site)
    kinds = {row.KIND for row in book}
    assert kinds >= {
        "bill", "fuel_movement", "refrigerant", "fermentation", "wastewater", "certificate", "green_power",
        "production", "value_added", "land_area", "supplier_input",
    }  # fmt: skip
    assert _billed_kwh(book) * 1000 <= year.truth["meters"]["m-entry"]["passed"][0] // 60


def _billed_kwh(book: ActivityBook) -> int:
    return sum(int(row.energy_kwh) for row in book if isinstance(row, Bill))


def test_the_budget_is_read_without_a_complaint(year: Year) -> None:
    budget = load_budget(year.folder / "budget.toml")
    assert [line.basis for line in budget.lines] == [Basis.TOTAL, Basis.PRODUCT]
    assert budget.year == START.year


def test_certificates_never_hold_more_than_what_is_bought(year: Year, site: Site) -> None:
    book = load_activities(year.folder / "activity", site.zone, site)
    claimed = [row for row in book if isinstance(row, Certificate) and row.claimed_for]
    assert claimed
    assert sum(row.mwh for row in claimed) * 1_000_000 < year.total("m-entry")


@pytest.mark.parametrize("meters", [1, 2, 5, 10, 20, 33])
def test_fewer_meters_are_a_whole_site_too(tmp_path: Path, meters: int) -> None:
    made = make_year(tmp_path, date(2025, 3, 30), 3, meters)
    site = load_site(made.folder / "site.toml")
    assert len(site.meters) == meters
    load_activities(made.folder / "activity", site.zone, site)
