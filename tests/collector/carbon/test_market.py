"""Market-based scope 2: cover in order, nothing beyond what was bought, over- and double claims refused by name."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.activity.rows import Certificate, GreenPower, PowerContract, Row
from shutan_collector.carbon.lines import Scope
from shutan_collector.carbon.market import VINTAGE, Claim, MarketResult, VintageRule, market_lines
from shutan_collector.errors import ClaimError
from shutan_collector.factors.table import packaged_factors
from shutan_collector.site.file import parse_site
from support.accounting import SHANGHAI, SITE

MWH = 1_000_000
THE_SITE = parse_site(SITE, "site.toml")


def certificate(key: str, mwh: str, claimed_for: str = "2025-06") -> Certificate:
    return Certificate(
        key=key,
        mwh=Fraction(mwh),
        vintage_start=date(2025, 5, 1),
        vintage_end=date(2025, 5, 31),
        technology="wind",
        registry="国家可再生能源信息管理中心",
        retired_on=date(2025, 7, 10),
        claimed_for=claimed_for,
    )


def green(key: str, mwh: str, of: str, month: str = "2025-06") -> GreenPower:
    return GreenPower(key=key, month=month, mwh=Fraction(mwh), certificate=of)


def contract(key: str, mwh: str, rate: str | None, end: date = date(2025, 6, 30)) -> PowerContract:
    kg = None if rate is None else Fraction(rate)
    return PowerContract(key=key, start=date(2025, 6, 1), end=end, mwh=Fraction(mwh), supplier="s", kg_co2_per_kwh=kg)


def covered(
    *rows: Row, bought_wh: int = 100 * MWH, claimed: Sequence[str] = (), month: str = "2025-06"
) -> MarketResult:
    book = ActivityBook.of(rows, SHANGHAI)
    return market_lines(THE_SITE, month, bought_wh, book, frozenset(claimed), packaged_factors(), date(2026, 1, 15))


def energies(result: MarketResult) -> dict[str, Fraction]:
    return {line.source: line.inputs[0].value for line in result.lines}


def refused(*rows: Row, bought_wh: int = 100 * MWH, claimed: Sequence[str] = (), month: str = "2025-06") -> list[str]:
    with pytest.raises(ClaimError) as caught:
        covered(*rows, bought_wh=bought_wh, claimed=claimed, month=month)
    assert caught.value.where == f"claims of {month}"
    return [str(problem) for problem in caught.value.problems]


def test_without_any_instrument_all_is_residual_mix() -> None:
    result = covered()
    (line,) = result.lines
    assert (line.source, line.scope, line.formula) == (
        "market:residual",
        Scope.SCOPE_2_MARKET,
        "electricity.average/1",
    )
    assert [use.id for use in line.factors] == ["GRID-CN-2023-RES"]
    assert (line.co2e_g, line.provisional) == (60_960_000, True)
    assert result.claims == ()


def test_nothing_bought_makes_no_line() -> None:
    assert covered(bought_wh=0) == MarketResult((), ())


def test_order_of_cover_and_the_exact_rest() -> None:
    result = covered(
        contract("K", "50", "0.3"),
        certificate("Y", "5", "2025"),
        certificate("C", "10"),
        certificate("G", "20", ""),
        green("gp", "20", "G"),
        certificate("held", "7", ""),
    )
    assert list(energies(result).items()) == [
        ("market:G", 20 * MWH),
        ("market:C", 10 * MWH),
        ("market:Y", 5 * MWH),
        ("market:contract/K", 50 * MWH),
        ("market:residual", 15 * MWH),
    ]
    assert [line.co2e_g for line in result.lines] == [0, 0, 0, 15_000_000, 9_144_000]
    assert result.claims == tuple(Claim(key, mwh * MWH, "2025-06") for key, mwh in (("G", 20), ("C", 10), ("Y", 5)))
    assert result.lines[0].activities == ("certificate/G", "green_power/gp")
    assert {line.formula for line in result.lines[:4]} == {"electricity.instrument/1"}


def test_green_power_and_its_certificate_count_once() -> None:
    both = covered(certificate("G", "20"), green("a", "12", "G"), green("b", "8", "G"))
    assert energies(both) == {"market:G": 20 * MWH, "market:residual": 80 * MWH}
    part = covered(certificate("G", "20", ""), green("a", "12", "G"))
    assert energies(part) == {"market:G": 12 * MWH, "market:residual": 88 * MWH}


def test_a_certificate_claimed_in_another_closed_period_is_refused() -> None:
    found = refused(certificate("C", "10"), certificate("D", "10"), claimed=["C"])
    (first,) = found
    assert first == (
        "certificate/C: another closed period has claimed it: one certificate is claimed once; "
        "take it out of this period"
    )
    assert refused(certificate("G", "10", ""), green("gp", "3", "G"), claimed=["G"])[0].startswith("certificate/G:")


def test_claims_beyond_use_are_refused_by_name_and_with_the_remedy() -> None:
    found = refused(certificate("A", "60"), certificate("B", "40.5"))
    (first,) = found
    assert first == (
        "certificate/B: its 40.5 MWh go beyond use: of 100 MWh bought in 2025-06 only 40 MWh are not covered yet; "
        "claim it for a later month of the year"
    )
    assert refused(certificate("A", "1"), bought_wh=0)[0].startswith("certificate/A: its 1 MWh go beyond use")


def test_green_power_above_its_certificate_is_refused() -> None:
    found = refused(certificate("G", "20", ""), green("a", "12", "G"), green("b", "9", "G"))
    assert found == ["certificate/G: green power of 2025-06 is more than its 20 MWh: correct the delivery"]


def test_green_power_without_its_certificate_is_refused() -> None:
    found = refused(green("a", "12", "G"))
    assert found == ["green_power/a: its certificate G is not among the certificates: import it first"]


def test_green_power_with_a_certificate_for_another_period_is_refused() -> None:
    found = refused(certificate("G", "20", "2025-07"), green("a", "12", "G"))
    assert found == ["certificate/G: it is claimed for 2025-07: claim it for 2025-06, or deliver another one"]


@pytest.mark.parametrize(
    ("day", "said"), [(None, "not retired"), (date(2026, 1, 16), "retired on 2026-01-16, after 2026-01-15")]
)
def test_a_certificate_that_is_not_retired_is_refused(day: date | None, said: str) -> None:
    (found,) = refused(replace(certificate("C", "10"), retired_on=day))
    assert (
        found == f"certificate/C: it is {said}: retire it at its registry and enter the day, or leave claimed_for empty"
    )


@pytest.mark.parametrize(
    ("start", "end", "accepted"),
    [
        ("2024-07-01", "2024-07-31", True),
        ("2024-06-30", "2024-07-31", False),
        ("2026-03-01", "2026-03-31", True),
        ("2026-03-01", "2026-04-01", False),
    ],
)
def test_the_vintage_is_close_to_the_year(start: str, end: str, accepted: bool) -> None:
    row = replace(certificate("C", "10"), vintage_start=date.fromisoformat(start), vintage_end=date.fromisoformat(end))
    if accepted:
        assert covered(row).claims == (Claim("C", 10 * MWH, "2025-06"),)
    else:
        (found,) = refused(row)
        assert found == (
            f"certificate/C: its power was made {start} to {end}; for 2025 it has to be from 2024-07-01 on and before "
            "2026-04-01"
        )


def test_the_window_of_a_vintage_rule() -> None:
    assert VINTAGE.window(2025) == (date(2024, 7, 1), date(2026, 4, 1))
    assert VintageRule(0, 0).window(2025) == (date(2025, 1, 1), date(2026, 1, 1))


def test_a_certificate_of_own_power_covers_nothing_bought() -> None:
    (found,) = refused(replace(certificate("C", "10"), registry="自发自用"))
    assert found.startswith("certificate/C: it is for power made and used on site, which is 0 already")


def test_a_claim_for_the_year_fills_the_months_in_order() -> None:
    rows = [certificate(key, mwh, "2025") for key, mwh in (("A", "60"), ("B", "70"), ("C", "30"), ("D", "1"))]
    claimed: list[str] = []
    found: list[list[str]] = []
    for month in ("2025-01", "2025-02", "2025-03"):
        result = covered(*rows, month=month, claimed=claimed)
        assert sum(energies(result).values()) == 100 * MWH
        found.append([claim.certificate for claim in result.claims])
        claimed += found[-1]
    assert found == [["A", "C", "D"], ["B"], []]


def test_a_claim_for_the_year_that_no_month_holds_is_refused_in_december() -> None:
    rows = [certificate("A", "60", "2025"), certificate("B", "101", "2025")]
    assert energies(covered(*rows, month="2025-11")) == {"market:A": 60 * MWH, "market:residual": 40 * MWH}
    assert refused(*rows, month="2025-12", claimed=["A"]) == [
        "certificate/B: no month of 2025 has 101 MWh left for it: claim fewer, or by month"
    ]


def test_contracts_take_their_days_of_the_month_up_to_the_rest() -> None:
    longer = contract("K", "61", "0.3", end=date(2025, 7, 31))  # 30 of 61 days
    assert energies(covered(longer)) == {"market:contract/K": 30 * MWH, "market:residual": 70 * MWH}
    assert energies(covered(contract("K", "500", "0.3"))) == {"market:contract/K": 100 * MWH}
    assert energies(covered(contract("K", "50", None))) == {"market:residual": 100 * MWH}


def test_a_contract_that_states_zero_needs_a_certificate() -> None:
    assert refused(contract("K", "50", "0")) == [
        "power_contract/K: it states 0 kg/kWh without a certificate: enter it as green power with its certificate"
    ]


def test_all_refusals_are_told_at_once() -> None:
    found = refused(
        certificate("A", "1"),
        replace(certificate("B", "1"), retired_on=None),
        certificate("C", "200"),
        contract("K", "1", "0"),
        claimed=["A"],
    )
    assert [text.split(":")[0] for text in found] == [
        "certificate/A",
        "certificate/B",
        "certificate/C",
        "power_contract/K",
    ]


def test_marks_of_what_was_bought_are_marks_of_the_rest() -> None:
    book = ActivityBook.of((certificate("C", "10"),), SHANGHAI)
    result = market_lines(
        THE_SITE, "2025-06", 100 * MWH, book, (), packaged_factors(), date(2026, 1, 15), estimated=True, exact=False
    )
    assert [(line.estimated, line.exact) for line in result.lines] == [(False, True), (True, False)]


amounts = st.integers(0, 40_000_000)  # Wh


@settings(deadline=None, max_examples=150)
@given(
    bought_wh=st.integers(0, 60_000_000),
    of_month=st.lists(amounts, max_size=3),
    of_year=st.lists(amounts, max_size=3),
    delivered=st.lists(amounts, max_size=2),
    contracts=st.lists(st.tuples(amounts, st.integers(1, 900)), max_size=2),
)
def test_cover_is_never_above_use_and_rest_and_cover_are_what_was_bought(
    bought_wh: int,
    of_month: list[int],
    of_year: list[int],
    delivered: list[int],
    contracts: list[tuple[int, int]],
) -> None:
    def mwh(energy_wh: int) -> str:
        return str(Fraction(energy_wh, MWH))

    rows: list[Row] = [certificate(f"M{number}", mwh(wh)) for number, wh in enumerate(of_month)]
    rows += [certificate(f"Y{number}", mwh(wh), "2025") for number, wh in enumerate(of_year)]
    for number, wh in enumerate(delivered):
        rows += [certificate(f"G{number}", mwh(wh), ""), green(f"g{number}", mwh(wh), f"G{number}")]
    rows += [contract(f"K{number}", mwh(wh), f"0.{rate:03}") for number, (wh, rate) in enumerate(contracts)]
    if sum(of_month) + sum(delivered) > bought_wh:
        assert all("go beyond use" in text for text in refused(*rows, bought_wh=bought_wh))
        return
    result = covered(*rows, bought_wh=bought_wh)
    assert sum(energies(result).values()) == bought_wh
    claims = {claim.certificate: claim.energy_wh for claim in result.claims}
    assert sum(claims.values()) <= bought_wh
    assert {f"M{number}": wh for number, wh in enumerate(of_month)}.items() <= claims.items()
    assert len(claims) == len(result.claims)
    assert [line.co2e_g for line in result.lines if line.source.removeprefix("market:") in claims] == [0] * len(claims)
