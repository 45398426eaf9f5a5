"""Lines of documents: each kind against a figure by hand, stocks, own measured values, double counting."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.activity.rows import (
    Clinker,
    Direction,
    Fermentation,
    FuelMovement,
    FuelQuality,
    HeatForm,
    HeatPurchase,
    ProcessInput,
    Refrigerant,
    RefrigerantMethod,
    Row,
    Wastewater,
)
from shutan_collector.carbon.activities import activity_lines, month_ns
from shutan_collector.carbon.lines import Category, Line, Scope
from shutan_collector.errors import ActivityError, FactorError
from shutan_collector.factors.table import packaged_factors
from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Site
from support.accounting import SHANGHAI, SITE, at

JUNE = (date(2025, 6, 1), date(2025, 6, 30))
ELECTRIC = SITE.split('[[meter]]\nid = "boiler-gas"', maxsplit=1)[0]


def the_site(text: str = ELECTRIC, **changes: str) -> Site:
    return replace(parse_site(text, "site.toml"), **changes)


def lines_of(*rows: Row, month: str = "2025-06", site: Site | None = None) -> tuple[Line, ...]:
    book = ActivityBook.of(rows, SHANGHAI)
    lines, unvalued = activity_lines(site or the_site(), book, month, packaged_factors(), date(2026, 1, 15))
    assert unvalued == ()
    return lines


def fuel(
    key: str, direction: str, quantity: str, day: str = "2025-06-10", *, of: str = "diesel", unit: str = "t"
) -> Row:
    return FuelMovement(
        key=key,
        fuel=of,
        day=date.fromisoformat(day),
        direction=Direction(direction),
        quantity=Fraction(quantity),
        unit=unit,
    )


def problems_of(*rows: Row, site: Site | None = None) -> list[str]:
    with pytest.raises(ActivityError) as caught:
        lines_of(*rows, site=site)
    assert caught.value.where == "activities of 2025-06"
    return [str(problem) for problem in caught.value.problems]


def t_co2_per_t(fuel_name: str) -> Fraction:
    rows = {row.parameter: row for row in packaged_factors() if row.id.startswith(f"FUELB-{fuel_name}-")}
    return rows["ncv"].value * rows["carbon_content"].value * rows["oxidation_rate"].value * 44 / 1_200_000


def test_a_fuel_is_one_line_of_the_month_from_stocks_and_purchases() -> None:
    rows = (
        fuel("o", "opening_stock", "10", "2025-06-01"),
        fuel("p1", "purchase", "4.5"),
        fuel("p2", "purchase", "3.5", "2025-06-20"),
        fuel("t", "transfer_out", "1"),
        fuel("c", "closing_stock", "6", "2025-06-30"),
    )
    (line,) = lines_of(*rows, fuel("before", "closing_stock", "99", "2025-05-31"))
    assert (line.inputs[0].value, line.inputs[0].unit) == (Fraction(11), "t")
    assert line.co2e_g == line.gas_g == round(11 * t_co2_per_t("DIESEL") * 1_000_000)
    assert line.activities == tuple(row.ref for row in rows)
    assert line.id == "activity:fuel_movement/diesel|scope1|2025-06"
    assert (line.source, line.scope, line.category) == ("activity:fuel_movement", Scope.SCOPE_1, Category.COMBUSTION)
    assert (line.estimated, line.exact, line.flow) == (False, True, None)
    assert (line.start_ns, line.end_ns) == (at("2025-06-01"), at("2025-07-01")) == month_ns("2025-06", the_site())


@pytest.mark.parametrize("stock", [(), ("opening_stock",), ("closing_stock",)])
def test_a_missing_stock_is_treated_as_bought_and_marked(stock: tuple[str, ...]) -> None:
    days = {"opening_stock": "2025-06-01", "closing_stock": "2025-06-30"}
    stocks = [fuel(name, name, "2", days[name]) for name in stock]
    (line,) = lines_of(fuel("p", "purchase", "4"), *stocks)
    assert line.inputs[0].value == 4
    assert line.estimated


def test_gas_from_a_pipe_has_no_stock_and_no_mark() -> None:
    (line,) = lines_of(fuel("p", "purchase", "1", of="natural_gas", unit="1e4Nm3"))
    assert not line.estimated
    assert line.co2e_g == 21_621_888  # 389.31 x 15.3/1000 x 99/100 x 44/12 = 21.62188809 t


def test_fuels_stand_apart_and_in_order() -> None:
    lines = lines_of(fuel("a", "purchase", "1", of="gasoline"), fuel("b", "purchase", "1"))
    assert [line.id.split("|")[0] for line in lines] == [
        "activity:fuel_movement/diesel",
        "activity:fuel_movement/gasoline",
    ]


def test_contradicting_stocks_are_told_all_at_once() -> None:
    found = problems_of(
        fuel("p", "purchase", "1"),
        fuel("o", "opening_stock", "1", "2025-06-01"),
        fuel("c", "closing_stock", "5", "2025-06-30"),
        fuel("g1", "closing_stock", "5", "2025-06-15", of="gasoline"),
        fuel("g2", "closing_stock", "5", "2025-06-30", of="gasoline"),
        fuel("l", "purchase", "1", of="lpg"),
        fuel("l2", "purchase", "1", of="lpg", unit="1e4Nm3"),
        fuel("k", "purchase", "1", of="kerosene", unit="1e4Nm3"),
    )
    assert found == [
        "fuel_movement/c: diesel: closing stock and transfers exceed opening stock and purchases by 3 t",
        "fuel_movement/g2: a second closing_stock of gasoline in the month (2025-06-15, 2025-06-30): keep one",
        "fuel_movement/k: kerosene is counted in 1e4Nm3, its factors are per t",
        "fuel_movement/l2: lpg is counted in t in fuel_movement/l, here in 1e4Nm3",
    ]


def test_gas_bought_by_invoice_and_metered_is_refused() -> None:
    row = fuel("INV-1", "purchase", "1", of="natural_gas", unit="1e4Nm3")
    (found,) = problems_of(row, site=the_site(SITE))
    assert found == (
        "fuel_movement/INV-1: natural_gas is metered at boiler-gas as well, it would count twice: "
        "remove these rows, or give the meter another role than entry"
    )
    as_sub = SITE.replace('carrier = "natural_gas"\nrole = "entry"', 'carrier = "natural_gas"\nrole = "sub"')
    assert len(lines_of(row, site=the_site(as_sub))) == 1
    once = 'node = "n03"\ndevice = "g-boiler"\nrollover_l = 429496729600\n'
    removed = SITE.replace(once, "") + f"\n[[meter.installation]]\n{once}to = 2025-05-31T12:00:00\n"
    assert len(lines_of(row, site=the_site(removed))) == 1


@pytest.mark.parametrize(
    ("form", "carrier", "metric", "refused"),
    [
        ("steam", "steam", "steam_heat_kj", True),
        ("heat", "steam", "steam_heat_kj", True),
        ("heat", "heat", "heat_kj", True),
        ("hot_water", "heat", "heat_kj", True),
        ("hot_water", "steam", "steam_heat_kj", False),
        ("steam", "heat", "heat_kj", False),
    ],
)
def test_heat_bought_by_invoice_and_metered_is_refused(form: str, carrier: str, metric: str, refused: bool) -> None:
    meter = (
        f'\n[[meter]]\nid = "heat-in"\ncarrier = "{carrier}"\nrole = "entry"\nlevel = 1\n'
        f'metric = "{metric}"\nnode = "n"\ndevice = "d"\n'
    )
    site = the_site(ELECTRIC + meter)
    row = heat(form)
    if refused:
        (found,) = problems_of(row, site=site)
        assert found.startswith(f"heat_purchase/h: bought {form} is metered at heat-in as well, it would count twice")
    else:
        assert len(lines_of(row, site=site)) == 1


def heat(form: str, start: date = JUNE[0], end: date = JUNE[1]) -> HeatPurchase:
    return HeatPurchase(
        key="h",
        start=start,
        end=end,
        form=HeatForm(form),
        heat_gj=Fraction(10) if form == "heat" else None,
        mass_t=None if form == "heat" else Fraction(10),
        enthalpy_kj_per_kg=Fraction(2763) if form == "steam" else None,
        temperature_c=Fraction(95) if form == "hot_water" else None,
    )


@pytest.mark.parametrize(
    ("form", "grams"),
    [
        ("heat", 1_100_000),  # 10 GJ x 0.11
        ("steam", 2_947_186),  # 10 t x (2763 - 83.74)/1000 = 26.7926 GJ
        ("hot_water", 345_411),  # 10 t x 75 K x 4.1868/1000 = 3.1401 GJ
    ],
)
def test_bought_heat(form: str, grams: int) -> None:
    (line,) = lines_of(heat(form))
    assert (line.scope, line.co2e_g, line.activities) == (Scope.SCOPE_2_HEAT, grams, ("heat_purchase/h",))


def test_heat_without_its_state_is_refused() -> None:
    row = replace(heat("steam"), enthalpy_kj_per_kg=None)
    assert problems_of(row) == ["heat_purchase/h: steam needs heat_gj, or mass_t with its enthalpy or temperature"]


def test_own_measured_values_come_before_defaults() -> None:
    def batch(key: str, quantity: str, ncv: str, cc: str | None) -> FuelQuality:
        return FuelQuality(
            key=key,
            fuel="bituminous",
            start=JUNE[0],
            end=JUNE[1],
            batch=key,
            quantity=Fraction(quantity),
            unit="t",
            ncv=Fraction(ncv),
            carbon_content=Fraction(cc) if cc else None,
        )

    coal = fuel("c", "purchase", "100", of="bituminous")
    (line,) = lines_of(coal, batch("b1", "30", "22", "26"), batch("b2", "10", "24", "25"))
    assert [(item.name, item.value, item.unit) for item in line.inputs] == [
        ("fc", 100, "t"),
        ("ncv", Fraction("22.5"), "GJ/t"),
        ("cc", Fraction("25.75"), "tC/TJ"),
    ]
    assert [use.role for use in line.factors] == ["of"]
    assert line.activities == ("fuel_movement/c", "fuel_quality/b1", "fuel_quality/b2")
    of = packaged_factors().by_id(line.factors[0].id).value
    assert line.co2e_g == round(100 * Fraction("22.5") * Fraction("25.75") * of * 44 / 1_200_000 * 1_000_000)
    (other,) = lines_of(coal, batch("b1", "30", "22", "26"), batch("b2", "10", "24", None))
    assert [use.role for use in other.factors] == ["cc", "of"]  # one batch is silent: the default stands for all


def test_process_inputs_and_clinker() -> None:
    carbonate = ProcessInput(
        key="p",
        material="calcium_carbonate",
        day=date(2025, 6, 3),
        mass_t=Fraction(2),
        purity=Fraction("0.9"),
        conversion=Fraction(1),
    )
    kiln = Clinker(
        key="k",
        day=date(2025, 6, 30),
        mass_t=Fraction(1000),
        cao=Fraction("0.65"),
        mgo=Fraction("0.02"),
        cao_non_carbonate=Fraction("0.01"),
        mgo_non_carbonate=Fraction(0),
    )
    first, second = lines_of(carbonate, kiln, replace(carbonate, key="july", day=date(2025, 7, 1)))
    assert (first.co2e_g, first.source) == (792_000, "activity:process_input")
    # 1000 t x (0.64 x 44/56 + 0.02 x 44/40) = 502.857142... + 22
    assert (second.co2e_g, second.source) == (524_857_143, "activity:clinker")
    assert (first.category, second.category) == (Category.PROCESS, Category.PROCESS)
    bad = replace(kiln, cao_non_carbonate=Fraction("0.7"))
    assert problems_of(bad)[0].startswith("clinker/k: the balance is below zero: the oxides not from carbonates")


def gas(key: str, of: str, method: str, *masses: str, start: date = JUNE[0], end: date = JUNE[1]) -> Refrigerant:
    opening, bought, closing, recovered, topped_up = (Fraction(mass) for mass in masses)
    return Refrigerant(
        key=key,
        gas=of,
        equipment="e",
        start=start,
        end=end,
        method=RefrigerantMethod(method),
        opening_kg=opening,
        bought_kg=bought,
        closing_kg=closing,
        recovered_kg=recovered,
        topped_up_kg=topped_up,
    )


def test_refrigerants_by_balance_and_top_up_with_the_named_gwp_set() -> None:
    rows = (
        gas("1", "hfc-134a", "top_up", "0", "0", "0", "0", "2"),
        gas("2", "sf6", "stock_balance", "12.5", "2", "14.1", "0.25", "0"),
        gas("3", "hcfc-22", "top_up", "0", "0", "0", "0", "0.9"),
    )
    one, two, three = lines_of(*rows)
    assert (one.scope, one.gas, one.gas_g, one.co2e_g) == (Scope.SCOPE_1, "hfc-134a", 2_000, 2_600_000)
    assert (two.scope, two.gas, two.gas_g, two.co2e_g) == (Scope.SCOPE_1, "sf6", 150, 3_525_000)
    assert (three.scope, three.gas, three.gas_g, three.co2e_g) == (Scope.MEMO_OUTSIDE, "hcfc-22", 900, 1_584_000)
    (ar4,) = lines_of(rows[0], site=the_site(gwp="AR4"))
    assert (ar4.gas_g, ar4.co2e_g) == (2_000, 2_860_000)
    with pytest.raises(FactorError, match="GWP of hcfc-22 in AR4: the set has no such gas"):
        lines_of(rows[2], site=the_site(gwp="AR4"))


def test_a_balance_below_zero_is_refused() -> None:
    row = gas("1", "sf6", "stock_balance", "1", "0", "2", "0", "0")
    assert problems_of(row)[0].startswith("refrigerant/1: the balance is below zero: what was recovered and is left")


def test_waste_water_and_fermentation() -> None:
    water = Wastewater(
        key="w",
        start=JUNE[0],
        end=JUNE[1],
        cod_removed_kg=Fraction(10_000),
        sludge_cod_kg=Fraction(800),
        mcf=Fraction("0.3"),
        recovered_ch4_kg=Fraction(90),
    )
    brew = Fermentation(key="f", day=date(2025, 6, 30), ethanol_t=Fraction(23))
    methane, biogenic = lines_of(water, brew)
    # (10000 - 800) x 0.25 x 0.3 - 90 = 600 kg; AR5 non-fossil 28
    assert (methane.gas, methane.gas_g, methane.co2e_g) == ("ch4", 600_000, 16_800_000)
    assert (methane.scope, methane.category) == (Scope.SCOPE_1, Category.WASTEWATER)
    assert (biogenic.scope, biogenic.co2e_g) == (Scope.MEMO_BIOGENIC, 22_000_000)
    (ar6,) = lines_of(water, site=the_site(gwp="AR6"))
    assert [use.id for use in ar6.factors] == ["PROC-WW-BO", "GWP-CH4_BIO-AR6"]
    (ar2,) = lines_of(water, site=the_site(gwp="AR2"))
    assert (ar2.factors[1].id, ar2.co2e_g) == ("GWP-CH4-AR2", 12_600_000)
    assert problems_of(replace(water, recovered_ch4_kg=Fraction(691)))[0].startswith("wastewater/w: the balance is")


@settings(deadline=None)
@given(st.dates(date(2024, 1, 1), date(2026, 12, 31)), st.integers(0, 200), st.integers(1, 10**6))
def test_a_row_over_several_months_is_divided_and_nothing_is_lost(start: date, more: int, mass_g: int) -> None:
    end = date.fromordinal(start.toordinal() + more)
    row = replace(gas("1", "hfc-32", "top_up", "0", "0", "0", "0", "0"), start=start, end=end)
    row = replace(row, topped_up_kg=Fraction(mass_g, 1000))
    months = sorted({f"{date.fromordinal(day):%Y-%m}" for day in range(start.toordinal(), end.toordinal() + 1)})
    lines = [line for month in months for line in lines_of(row, month=month)]
    assert sum(line.inputs[0].value for line in lines) == row.topped_up_kg
    assert abs(sum(line.gas_g for line in lines) - mass_g) * 2 <= len(lines)
    assert all(before.end_ns == after.start_ns for before, after in pairwise(lines))


def test_the_ledgers_copy_of_the_rows_gives_the_same_lines() -> None:
    """Only the month's own rows count, so that a closed month repeats without the rest of the book."""
    rows: tuple[Row, ...] = (
        fuel("o", "opening_stock", "10", "2025-06-01"),
        fuel("p", "purchase", "4"),
        fuel("c", "closing_stock", "6", "2025-06-30"),
        fuel("next", "opening_stock", "6", "2025-07-01"),
        gas("1", "hfc-134a", "top_up", "0", "0", "0", "0", "2", start=date(2025, 5, 1), end=date(2025, 7, 31)),
    )
    book = ActivityBook.of(rows, SHANGHAI)
    assert lines_of(*rows) == lines_of(*book.select("2025-06"))
    assert lines_of(*rows, month="2025-08") == ()


def test_an_unknown_material_is_an_error_that_names_it() -> None:
    row = ProcessInput(
        key="p",
        material="moon_dust",
        day=date(2025, 6, 3),
        mass_t=Fraction(2),
        purity=Fraction(1),
        conversion=Fraction(1),
    )
    with pytest.raises(FactorError, match="moon_dust"):
        lines_of(row)


@pytest.mark.parametrize(
    "row",
    [
        replace(heat("hot_water"), temperature_c=Fraction(12)),
        replace(heat("steam"), enthalpy_kj_per_kg=Fraction(80)),
        replace(heat("heat"), heat_gj=Fraction(-1)),
    ],
)
def test_bought_heat_takes_nothing_away(row: HeatPurchase) -> None:
    """Water below 20 °C and steam below its feed water are no heat: a line below zero would hide other ones."""
    assert problems_of(row)[0].startswith(f"heat_purchase/{row.key}: the balance is below zero")
