"""Virtual meters: exact sums, differences and shares."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.energy.measure import Estimate
from shutan_collector.energy.virtual import flatten, measure_virtual
from shutan_collector.errors import RequestError
from shutan_collector.periods import Kind
from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Site
from support.accounting import SITE, steady
from support.energy import energy_of

START, END = "2026-06-01T00:00", "2026-06-01T06:00"


def site_of(*virtuals: tuple[str, str]) -> Site:
    """The small site with virtual meters of (id, terms)."""
    return parse_site(
        SITE + "".join(f'[[virtual]]\nid = "{name}"\nterms = {terms}\n' for name, terms in virtuals), "site.toml"
    )


ENERGIES = {
    "entry": energy_of(steady(START, 6, 900, 7), START, END, Kind.HOUR),
    "bottling": energy_of(steady(START, 6, 120), START, END, Kind.HOUR),
}


def test_a_difference_and_a_share_of_it() -> None:
    site = site_of(("rest", "{ entry = 1, bottling = -1 }"), ("third", '{ rest = "1/7" }'))
    rest, third = (measure_virtual(site, virtual, ENERGIES) for virtual in site.virtuals)
    assert [figure.value for figure in rest.periods] == [780] * 6
    assert rest.total.value == 4680
    assert third.terms == (("entry", Fraction(1, 7)), ("bottling", Fraction(-1, 7)))
    assert [figure.value for figure in third.periods] == [Fraction(780, 7)] * 6
    assert (third.total.exact, third.total.estimated, third.total.missing) == (True, False, ())
    assert [(figure.start_ns, figure.end_ns) for figure in rest.periods] == [
        (flow.start_ns, flow.end_ns) for flow in ENERGIES["entry"].periods
    ]


def test_what_cancels_out_is_left_out() -> None:
    site = site_of(("a", "{ entry = 1, bottling = 2 }"), ("b", "{ a = 1, bottling = -2 }"))
    assert flatten(site, site.virtuals[1]) == (("entry", Fraction(1)),)


def test_a_meter_without_figure_leaves_a_hole_and_is_named() -> None:
    site = site_of(("rest", "{ entry = 1, bottling = -1 }"))
    readings = [
        reading
        for reading in steady(START, 6, 120)
        if not 7500 < (reading[0] - steady(START, 6, 120)[0][0]) / 1e9 < 13500
    ]
    energies = ENERGIES | {"bottling": energy_of(readings, START, END, Kind.HOUR)}
    found = measure_virtual(site, site.virtuals[0], energies)
    assert [figure.value for figure in found.periods] == [780, 780, None, None, 780, 780]
    assert found.periods[2].missing == ("bottling",)
    assert not found.periods[2].exact
    assert found.total.value == 4680


def test_estimates_and_unknown_amounts_are_told() -> None:
    site = site_of(("rest", "{ entry = 1, bottling = -1 }"))
    all_of_them = steady(START, 6, 120)
    sparse = energy_of([*all_of_them[:16], *all_of_them[21:]], START, END, Kind.HOUR, estimate=Estimate.LINEAR)
    found = measure_virtual(site, site.virtuals[0], ENERGIES | {"bottling": sparse})
    assert [figure.estimated for figure in found.periods] == [flow.estimated for flow in sparse.periods]
    assert {figure.estimated for figure in found.periods} == {True, False}
    reset = [*steady(START, 1, 120, 50_000)[:-1], *steady("2026-06-01T01:00", 5, 120)]
    found = measure_virtual(site, site.virtuals[0], ENERGIES | {"bottling": energy_of(reset, START, END, Kind.HOUR)})
    assert [figure.exact for figure in found.periods] == [False, True, True, True, True, True]


def test_figures_that_do_not_belong_together_are_refused() -> None:
    site = site_of(("rest", "{ entry = 1, bottling = -1 }"))
    with pytest.raises(RequestError, match="virtual rest: needs the figures of bottling"):
        measure_virtual(site, site.virtuals[0], {"entry": ENERGIES["entry"]})
    other = energy_of(steady(START, 6, 120), START, END, Kind.QUARTER)
    with pytest.raises(RequestError, match="measured over different periods"):
        measure_virtual(site, site.virtuals[0], ENERGIES | {"bottling": other})
    nothing = site_of(("none", "{ rest = 1, entry = -1 }"), ("rest", "{ entry = 1 }"))
    with pytest.raises(RequestError, match="needs the figures of at least one meter"):
        measure_virtual(nothing, nothing.virtuals[0], ENERGIES)


@settings(deadline=None, max_examples=60)  # shared machines stall
@given(st.lists(st.fractions(0, 1, max_denominator=97), min_size=1, max_size=6))
def test_shares_and_the_rest_are_the_whole(shares: list[Fraction]) -> None:
    """Any split by shares of which one is the remainder adds up to the meter, in every period."""
    shares = [share for share in shares if share] or [Fraction(1, 2)]
    rest = 1 - sum(shares)
    parts = [*shares, rest] if rest else shares
    site = site_of(*((f"part-{number}", f'{{ entry = "{share}" }}') for number, share in enumerate(parts)))
    found = [measure_virtual(site, virtual, ENERGIES) for virtual in site.virtuals]
    for number, flow in enumerate(ENERGIES["entry"].periods):
        assert sum(item.periods[number].value or 0 for item in found) == flow.value
    assert sum(item.total.value or 0 for item in found) == ENERGIES["entry"].total.value
