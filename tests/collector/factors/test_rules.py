"""What a table refuses, what a day's knowledge hides, and that four electricity factors are four types."""

import subprocess
import sys
from datetime import date
from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.errors import FactorError
from shutan_collector.factors.gwp import SevenGas, seven_gas
from shutan_collector.factors.table import Factor, FactorTable, factor_of_row, packaged_factors
from support.places import REPO

TEXT = (resources.files("shutan_collector") / "factors" / "data" / "emission_factors.csv").read_text(encoding="utf-8")
HEAD = TEXT.splitlines()[0]


def _grid(name: str, value: str, first: str, last: str, known: str) -> str:
    return f"{name},grid_electricity,electricity,省,P,co2_average,{value},kgCO2/kWh,{first},{last},{known},CN-SC,n,high"


def _table(*rows: str) -> FactorTable:
    return FactorTable.parse("\n".join([HEAD, *rows]), "test.csv")


OLD = _grid("OLD", "0.1", "2023-01-01", "2023-12-31", "2025-12-31")
NEW = _grid("NEW", "0.2", "2023-01-01", "2023-12-31", "2026-03-01")


def test_a_row_issued_later_for_the_same_year_corrects_the_earlier_one() -> None:
    table = _table(OLD, NEW)
    assert table.grid_co2("CN-SC", 2023, date(2026, 2, 28)).row.id == "OLD"
    assert table.grid_co2("CN-SC", 2023, date(2026, 3, 1)).row.id == "NEW"


def test_two_rows_of_one_year_and_one_day_are_ambiguous() -> None:
    with pytest.raises(FactorError, match="ambiguous: OLD, TWIN"):
        _table(OLD, OLD.replace("OLD", "TWIN")).grid_co2("CN-SC", 2023, date(2026, 6, 1))


def test_a_row_without_an_end_serves_every_later_year_and_is_not_provisional() -> None:
    found = _table(_grid("OPEN", "0.1", "2023-01-01", "", "")).grid_co2("CN-SC", 2031, date(2026, 6, 1))
    assert (found.row.id, found.provisional) == ("OPEN", False)


def test_a_province_without_a_row_is_not_replaced_by_its_grid_or_the_nation() -> None:
    with pytest.raises(FactorError) as caught:
        packaged_factors().grid_co2("CN-XZ", 2023, date(2026, 6, 1))
    assert "co2_average for CN-XZ 2023" in str(caught.value)
    assert "the table has no row for CN-XZ, only for CN, CN-AH, " in str(caught.value)


def test_a_view_of_a_day_names_what_was_issued_later() -> None:
    early = packaged_factors().known(date(2024, 6, 30))
    with pytest.raises(FactorError, match="PCF-ELEC-CN-2023 serves 2023-01-01 to 2023-12-31, issued 2025-01-31"):
        early.electricity_footprint(2025, date(2026, 6, 1))


def test_a_year_before_the_first_row_says_what_exists() -> None:
    with pytest.raises(FactorError, match="GRID-SC-2021 serves 2021-01-01 to 2021-12-31, issued 2024-04-12"):
        packaged_factors().grid_co2("CN-SC", 2020, date(2026, 6, 1))


def test_families_are_not_mixed() -> None:
    with pytest.raises(FactorError, match=r"FUELA naphtha ncv: no such factor.*not mixed in \(FUELB-NAPHTHA-NCV\)"):
        packaged_factors().fuel("FUELA", "naphtha", date(2025, 6, 30))


def test_a_range_of_standard_coal_is_chosen_by_id() -> None:
    with pytest.raises(FactorError, match=r"choose one by its id: TCE-NG-LO \(1.1000 kgce/m3\), TCE-NG-HI"):
        packaged_factors().coal("natural_gas", "2020", date(2025, 6, 30))
    with pytest.raises(FactorError, match="no factor is valid on 2025-06-30"):
        packaged_factors().coal("fresh_water", "2008", date(2025, 6, 30))
    with pytest.raises(FactorError, match="standard coal of electricity, GB/T 2589-2031: no such factor"):
        packaged_factors().coal("electricity", "2031", date(2025, 6, 30))


def test_heat_steam_and_process_rows() -> None:
    table, day = packaged_factors(), date(2025, 6, 30)
    assert table.heat(day).t_co2_per_gj == Fraction("0.11")
    assert table.steam_deduction(day).value == Fraction("83.74")
    assert table.process("calcium_carbonate", day).t_co2_per_t == Fraction("0.440")
    assert table.wastewater_bo(day).value == Fraction("0.25")
    with pytest.raises(FactorError, match="process/co2_process of unobtainium: no such factor"):
        table.process("unobtainium", day)
    with pytest.raises(FactorError, match="no factor is valid on 2012-01-01"):
        table.heat(date(2012, 1, 1))


def test_a_gas_that_a_set_lacks_is_named_with_the_set() -> None:
    with pytest.raises(FactorError, match="GWP of r410a in AR4: the set has no such gas; it has c2f6, "):
        packaged_factors().gwp("AR4").of("r410a")
    with pytest.raises(FactorError, match="GWP set AR7: no such set; accepted: AR2, AR4, AR5, AR6"):
        packaged_factors().gwp("AR7")


def test_every_gas_of_the_table_but_hcfc_22_is_one_of_the_seven() -> None:
    gases = {gas for name in ("AR2", "AR4", "AR5", "AR6") for gas in packaged_factors().gwp(name).gases}
    assert {gas for gas in gases if seven_gas(gas) is None} == {"hcfc-22"}
    assert {seven_gas(gas) for gas in gases} - {None} == set(SevenGas)


@given(as_of=st.dates(date(2019, 1, 1), date(2027, 1, 1)))
def test_nothing_issued_later_is_known(as_of: date) -> None:
    table = packaged_factors()
    known = table.known(as_of)
    assert {row.id for row in known} == {row.id for row in table if row.known_from is None or row.known_from <= as_of}


@given(year=st.integers(2019, 2030), as_of=st.dates(date(2019, 1, 1), date(2027, 1, 1)))
def test_a_served_factor_was_issued_and_never_describes_a_later_year(year: int, as_of: date) -> None:
    try:
        found = packaged_factors().grid_co2("CN-SC", year, as_of)
    except FactorError:
        assert year < 2021 or as_of < date(2024, 4, 12)
        return
    row = found.row
    assert row.known_from is not None
    assert row.known_from <= as_of
    assert row.years[0] <= year
    assert found.provisional == (row.years[1] < year)


def test_a_row_survives_its_document() -> None:
    for row in packaged_factors():
        cells = dict(row.cells())
        assert factor_of_row(cells) == row
        subject = cells.pop("fuel_or_energy")
        assert factor_of_row({**cells, "subject": subject}) == row


def test_a_document_row_with_another_column_is_refused() -> None:
    cells = dict(next(iter(packaged_factors())).cells())
    with pytest.raises(FactorError, match="unknown columns: colour"):
        factor_of_row({**cells, "colour": "red"})


def test_known_from_is_never_before_the_source_says() -> None:
    for row in packaged_factors():
        if row.category in {"grid_electricity", "electricity_footprint"} and row.parameter != "co2_reporting_default":
            assert row.known_from is not None
            assert str(row.known_from.year) in row.source
            assert row.valid_from is not None
            assert row.known_from > row.valid_from


WRONG = [
    ("kwh = Fraction(1) * use(TABLE.electricity_footprint(2024, DAY))", "ElectricityFootprintFactor"),
    ("kwh = use(TABLE.grid_residual(2024, DAY))", "ResidualMixFactor"),
    ("kwh = use(TABLE.grid_reporting(2024, DAY))", "ReportingGridFactor"),
    ("kwh = TABLE.electricity_footprint(2024, DAY).kg_co2_per_kwh", "kg_co2_per_kwh"),
]
SNIPPET = """
from datetime import date
from fractions import Fraction
from shutan_collector.factors.table import GridCo2Factor, packaged_factors

DAY = date(2026, 1, 15)
TABLE = packaged_factors()


def use(factor: GridCo2Factor) -> Fraction:
    return factor.kg_co2_per_kwh


kwh = use(TABLE.grid_co2("CN-SC", 2024, DAY))
"""


def test_a_type_checker_refuses_one_electricity_factor_for_another(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(SNIPPET, encoding="utf-8")
    for number, (line, _) in enumerate(WRONG):
        (tmp_path / f"wrong{number}.py").write_text(f"{SNIPPET}{line}\n", encoding="utf-8")
    paths = f'["{REPO}/collector", "{REPO}/firmware"]'
    (tmp_path / "pyproject.toml").write_text(f"[tool.basedpyright]\nextraPaths = {paths}\n", encoding="utf-8")
    run = [sys.executable, "-m", "basedpyright", "-p", str(tmp_path), "--pythonpath", sys.executable]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if " error: " in line]
    assert not [line for line in errors if "right.py" in line], done.stdout
    for number, (_, said) in enumerate(WRONG):
        assert [line for line in errors if f"wrong{number}.py" in line and said in line], done.stdout


def test_a_factor_is_frozen() -> None:
    row: Factor = packaged_factors().by_id("HEAT-CN")
    with pytest.raises(AttributeError):
        row.text = "0"  # pyright: ignore[reportAttributeAccessIssue] - this is what is tested
