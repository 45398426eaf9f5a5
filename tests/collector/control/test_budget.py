"""Budgets from TOML and CSV: exact plans, every mistake at once."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.control.actuals import Basis
from shutan_collector.control.budget import (
    MONTHS,
    TEMPLATE_CSV,
    Budget,
    load_budget,
    parse_budget,
    parse_budget_csv,
    write_template,
)
from shutan_collector.errors import ControlError, RequestError

HEAD = '[budget]\nyear = 2025\ncovers = "scope 1"\n'
TONNE = 1_000_000
_ONE = '[[line]]\nkey = "a"\nbasis = "total"\nannual = 1\n'


def _budget(lines: str, head: str = HEAD) -> Budget:
    return parse_budget(head + lines, "budget.toml")


def _mistakes(lines: str, head: str = HEAD) -> list[str]:
    with pytest.raises(ControlError) as told:
        _budget(lines, head)
    return [str(problem) for problem in told.value.problems]


@given(st.integers(1, 10**9), st.sampled_from([2024, 2025]))
def test_a_year_is_planned_by_days_without_rest(tonnes: int, year: int) -> None:
    head = HEAD.replace("2025", str(year))
    [line] = _budget(f'[[line]]\nkey = "site"\nbasis = "total"\nannual = {tonnes}\n', head).lines
    assert sum(line.months) == line.annual == tonnes * TONNE
    assert line.months[1] / line.months[0] == Fraction(29 if year == 2024 else 28, 31)


def test_months_alone_make_the_year() -> None:
    [line] = _budget(f'[[line]]\nkey = "site"\nbasis = "total"\nmonths = [{", ".join(["0.1"] * 12)}]\n').lines
    assert line.annual == Fraction(12, 10) * TONNE
    assert len(line.months) == MONTHS


def test_intensity_of_the_year_holds_for_each_month_land_adds_up() -> None:
    lines = (
        '[[line]]\nkey = "p"\nbasis = "product"\nproduct = "x"\nannual = "0.85"\n'
        '[[line]]\nkey = "v"\nbasis = "value_added"\nannual = "1/3"\n'
        '[[line]]\nkey = "l"\nbasis = "land_area"\nannual = 365\n'
    )
    product, value, land = _budget(lines).lines
    assert set(product.months) == {Fraction(850)}
    assert set(value.months) == {Fraction(TONNE, 3)}
    assert (land.months[0], sum(land.months)) == (31_000, 365_000)
    assert (product.unit, value.unit, land.unit) == ("kg/unit", "t/万元", "kg/m2")


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ("", "line: is needed"),
        ('[[line]]\nkey = "a"\nbasis = "total"\n', "line[1].annual: is needed, or months"),
        (
            '[[line]]\nkey = "a"\nbasis = "sum"\nannual = 1\n',
            "line[1].basis: found 'sum'; accepted: total, product, value_ad",
        ),
        ('[[line]]\nkey = "a"\nbasis = "total"\nannual = -1\n', "line[1].annual: found -1; accepted: 0 or more"),
        ('[[line]]\nkey = "a"\nbasis = "total"\nannual = "1e9"\n', "line[1].annual: found '1e9'; accepted: a number"),
        (
            '[[line]]\nkey = "a"\nbasis = "total"\nannual = 1e999999\n',
            "line[1].annual: found Decimal('1E+999999'); accept",
        ),
        ('[[line]]\nkey = "a"\nbasis = "total"\nannual = true\n', "line[1].annual: found True; accepted: a number"),
        (
            '[[line]]\nkey = "a"\nbasis = "total"\nmonths = [1, 2]\n',
            "line[1].months: must be 12 values, none below zero",
        ),
        (
            '[[line]]\nkey = "a"\nbasis = "total"\nannual = 1\nyear = 2\n',
            "line[1].year: unknown key; accepted: annual, area",
        ),
        ('[[line]]\nkey = "a"\nbasis = "product"\nannual = 1\n', "line[1].product: is needed"),
        (
            '[[line]]\nkey = "a"\nbasis = "total"\nproduct = "x"\nannual = 1\n',
            "line[1].product: has no meaning for total",
        ),
        (
            '[[line]]\nkey = "a"\nbasis = "total"\nannual = 13\nmonths = [1,1,1,1,1,1,1,1,1,1,1,1]\n',
            "line[1].annual: is not the sum of the months, 12 t; leave one of the two out",
        ),
        (
            '[[line]]\nkey = "a"\nbasis = "total"\nannual = 1\n[[line]]\nkey = "b"\nbasis = "total"\nannual = 2\n',
            "line[2]: budgets the same as 'a'",
        ),
        (
            _ONE + '[[line]]\nkey = "a"\narea = "x"\nbasis = "total"\nannual = 2\n',
            "line[2].key: 'a' stands twice",
        ),
        (
            '[[line]]\nkey = "a"\nbasis = "value_added"\nannual = 1\nvolume = { basis = "value_added", annual = 1 }\n',
            "line[1].volume: belongs to a line with basis total",
        ),
    ],
)
def test_mistake_in_a_line_is_told(lines: str, mistake: str) -> None:
    assert _mistakes(lines)[0].startswith(mistake)


def test_all_mistakes_are_told_at_once() -> None:
    found = _mistakes('[[line]]\nkey = ""\nbasis = "total"\nannual = "x"\nmore = 1\n', "[budget]\nyear = 25\n[extra]\n")
    assert [text.partition(":")[0] for text in found] == [
        "budget.year",
        "budget.covers",
        "line[1].key",
        "line[1].annual",
        "line[1].more",
        "extra",
    ]


@pytest.mark.parametrize("text", ["[budget", "budget = 5", "line = 3\n[budget]\nyear=2025\ncovers='x'", ""])
def test_what_is_not_a_budget(text: str) -> None:
    with pytest.raises(ControlError):
        parse_budget(text, "budget.toml")


def test_planned_volume_of_a_total() -> None:
    volume_text = 'volume = { basis = "product", product = "p", annual = 365 }\n'
    lines = f'[[line]]\nkey = "a"\nbasis = "total"\nannual = 1\n{volume_text}'
    volume = _budget(lines).lines[0].volume
    assert volume is not None
    assert (volume.basis, volume.product, volume.months[0], sum(volume.months)) == (Basis.PRODUCT, "p", 31, 365)


def test_csv_says_the_same_as_toml(tmp_path: Path) -> None:
    path = tmp_path / "budget.csv"
    write_template(path)
    by_csv = load_budget(path, 2025).lines
    lines = (
        '[[line]]\nkey = "site"\nbasis = "total"\nannual = 5200\n'
        '[[line]]\nkey = "bottling"\narea = "bottling"\nbasis = "product"\nproduct = "baijiu-500"\nannual = "0.85"\n'
    )
    assert by_csv == _budget(lines).lines
    with pytest.raises(ControlError, match="a CSV budget does not state its year"):
        load_budget(path)
    with pytest.raises(RequestError, match="exists"):
        write_template(path)
    for wrong in (tmp_path / "b.toml", tmp_path / "no" / "b.csv"):
        with pytest.raises(RequestError):
            write_template(wrong)
    with pytest.raises(ControlError, match="cannot be read"):
        load_budget(tmp_path / "nowhere.toml")


def test_csv_months_and_mistakes() -> None:
    header = TEMPLATE_CSV.splitlines()[0]
    [line] = parse_budget_csv(f"{header}\nsite,,total,,,{','.join('1' * 12)}\n", "b.csv", 2025).lines
    assert line.annual == 12 * TONNE
    with pytest.raises(ControlError) as told:
        parse_budget_csv(f"{header}\nsite,,total,,x,1,2\n", "b.csv", 2025)
    assert [str(problem) for problem in told.value.problems][:2] == [
        "row 2.annual: found 'x'; accepted: a number such as 1234.5, without its unit",
        "row 2.03: found ''; accepted: a number such as 1234.5, without its unit",
    ]
    for text in ("", "key,nonsense\n", "key,key,basis\n"):
        with pytest.raises(ControlError, match="the columns must be key, area, basis"):
            parse_budget_csv(text, "b.csv", 2025)
