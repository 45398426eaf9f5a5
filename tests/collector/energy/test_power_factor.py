"""Power factor: exact squares, a root only for display."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.energy.power_factor import PowerFactor, power_factors
from shutan_collector.energy.source import measure_meter
from shutan_collector.periods import Kind
from shutan_collector.site.file import parse_site
from support.accounting import SITE, MemoryReader, at, steady
from support.energy import energy_of

START, END = "2026-06-01T00:00", "2026-06-01T03:00"


@pytest.mark.parametrize(
    ("active", "reactive", "squared", "text"),
    [
        (4, 3, Fraction(16, 25), "0.800"),
        (1, 0, Fraction(1), "1.000"),
        (0, 1, Fraction(0), "0.000"),
        (0, 0, None, ""),
        (1, 1, Fraction(1, 2), "0.707"),
        (999_999, 1_000, Fraction(999_999**2, 999_999**2 + 1_000**2), "1.000"),
    ],
)
def test_cases(active: int, reactive: int, squared: Fraction | None, text: str) -> None:
    found = PowerFactor(active, reactive)
    assert found.squared == squared
    assert found.text() == text


def test_the_text_goes_to_the_nearest() -> None:
    assert PowerFactor(7, 24).text(1) == "0.3"  # 0.28
    assert PowerFactor(15, 112).text(0) == "0"
    assert PowerFactor(3, 4).text(0) == "1"


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 9))
def test_the_text_is_the_root_rounded(active: int, reactive: int, places: int) -> None:
    if active == reactive == 0:
        return
    with localcontext() as context:
        context.prec = 60
        root = Decimal(active) / Decimal(active**2 + reactive**2).sqrt()
        assert abs(Decimal(PowerFactor(active, reactive).text(places)) - root) <= Decimal(5) / 10 ** (places + 1)


def test_import_and_export_of_reactive_energy_count_by_amount() -> None:
    active = energy_of(steady(START, 3, 6000), START, END, Kind.HOUR)
    lagging = energy_of(steady(START, 3, 3600), START, END, Kind.HOUR)
    leading = energy_of(steady(START, 3, 900), START, END, Kind.HOUR)
    assert power_factors(active, [lagging, leading]) == (PowerFactor(6000, 4500),) * 3
    assert power_factors(active, [lagging]) == (PowerFactor(6000, 3600),) * 3
    assert power_factors(active, []) == (None,) * 3


def test_a_period_without_a_register_has_none() -> None:
    active = energy_of(steady(START, 3, 6000), START, END, Kind.HOUR)
    lagging = energy_of(steady(START, 2, 3600), START, END, Kind.HOUR)
    found = power_factors(active, [lagging])
    assert found[:2] == (PowerFactor(6000, 3600),) * 2
    assert found[2] is None


def test_a_period_across_a_reset_of_the_active_register_has_none() -> None:
    reset = [*steady(START, 1, 6000, 50_000)[:-1], *steady("2026-06-01T01:00", 2, 6000)]
    active = energy_of(reset, START, END, Kind.HOUR)
    lagging = energy_of(steady(START, 3, 3600), START, END, Kind.HOUR)
    assert power_factors(active, [lagging]) == (None, PowerFactor(6000, 3600), PowerFactor(6000, 3600))


def test_reactive_registers_are_read_from_the_same_instruments() -> None:
    """A swap record speaks of the active register: across it the reactive one is not exact, and has no power factor."""
    text = SITE.replace(
        'node = "n01"\ndevice = "m-entry"\nct = [200, 5]\nrollover_wh = 40000000000\n',
        "stuck_after_s = 60\n"
        '[[meter.installation]]\nnode = "n01"\ndevice = "m-entry"\nto = 2026-06-01T01:30:00\nend_register = 9000\n'
        '[[meter.installation]]\nnode = "n01"\ndevice = "m-new"\nfrom = 2026-06-01T01:30:00\nstart_register = 0\n',
    )
    site = parse_site(text, "site.toml")
    reader = MemoryReader(
        {
            ("n01", "m-entry", "active_energy_import_wh"): steady(START, 3, 6000)[:9],
            ("n01", "m-new", "active_energy_import_wh"): steady(START, 3, 6000, -9000)[9:],
            ("n01", "m-entry", "reactive_energy_import_varh"): steady(START, 3, 3600)[:9],
            ("n01", "m-new", "reactive_energy_import_varh"): steady(START, 3, 3600)[9:],
        }
    )
    active, reactive = (
        measure_meter(site, site.meters[0], reader, at(START), at(END), kind=Kind.HOUR, metric=metric)
        for metric in ("", "reactive_energy_import_varh")
    )
    assert [flow.value for flow in active.periods] == [6000] * 3
    assert [flow.value for flow in reactive.periods] == [
        3600,
        3000,
        3600,
    ]  # ten minutes of it lie between two instruments
    assert [event.kind.value for event in reactive.events] == ["swap"]
    assert power_factors(active, [reactive]) == (PowerFactor(6000, 3600), None, PowerFactor(6000, 3600))
