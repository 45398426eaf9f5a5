"""Bills against the entry meter, and registers read by a person."""

from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.activity.manual import MANUAL, compare_readings, manual_counter
from shutan_collector.activity.reconcile import (
    BillRule,
    Prevails,
    Verdict,
    bill_rule,
    bill_span,
    reconcile,
    reconcile_from,
    unbilled,
)
from shutan_collector.activity.rows import Bill, ManualReading
from shutan_collector.energy.counter import Counter, Installed
from shutan_collector.energy.registers import RegisterRule, track
from shutan_collector.errors import RequestError
from shutan_collector.periods import to_ns
from shutan_collector.samples import Samples
from shutan_collector.site.file import parse_site
from support.activities import CHINA

SITE = parse_site(
    """
[site]
id = "s"
region = "CN-SC"
[[meter]]
id = "entry"
carrier = "electricity"
role = "entry"
level = 1
node = "n"
device = "d"
rollover_wh = 1000000000000
""",
    "site.toml",
)
STRICT = BillRule(Prevails.METER)
HOUR_NS = 3600 * 10**9


def _ns(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=CHINA))


def _bill(energy: str, start: str = "2025-05-26", end: str = "2025-06-25", **parts: Fraction) -> Bill:
    bill = Bill(
        key=f"B-{start}",
        meter="entry",
        start=date.fromisoformat(start),
        end=date.fromisoformat(end),
        energy_kwh=Fraction(energy),
    )
    return replace(bill, **parts)  # pyright: ignore[reportArgumentType] - the parts are energies


def _counter(*readings: tuple[str, int]) -> Counter:
    samples = Samples([_ns(at) for at, _ in readings], [register for _, register in readings])
    return Counter([Installed("n/d", track(samples, RegisterRule(10**12)))])


def test_a_bill_covers_both_of_its_days() -> None:
    span = bill_span(_bill("1"), CHINA)
    assert (span.start_ns, span.end_ns) == (_ns("2025-05-26"), _ns("2025-06-26"))


@pytest.mark.parametrize(
    ("billed", "verdict"),
    [
        ("100", Verdict.AGREES),
        ("98.5", Verdict.AGREES),
        ("102", Verdict.AGREES),
        ("97", Verdict.DIFFERS),
        ("103", Verdict.DIFFERS),
    ],
)
def test_bill_within_two_percent_agrees(billed: str, verdict: Verdict) -> None:
    counter = _counter(("2025-05-26", 5_000), ("2025-06-10", 60_000), ("2025-06-26", 105_000))
    [found] = reconcile([_bill(billed)], {"entry": counter}, SITE, STRICT)
    assert found.metered_kwh == 100
    assert found.difference_kwh == 100 - Fraction(billed)
    assert found.difference_share == (100 - Fraction(billed)) / Fraction(billed)
    assert found.verdict is verdict


def test_tolerance_bound_itself_agrees() -> None:
    counter = _counter(("2025-05-26", 0), ("2025-06-26", 98_000))
    for tolerance, verdict in ((Fraction(2, 100), Verdict.AGREES), (Fraction(1999, 100_000), Verdict.DIFFERS)):
        [found] = reconcile([_bill("100")], {"entry": counter}, SITE, BillRule(Prevails.METER, tolerance))
        assert found.verdict is verdict


def test_the_figure_that_counts_is_the_stated_one_whatever_the_verdict() -> None:
    counter = _counter(("2025-05-26", 0), ("2025-06-26", 98_000))
    for billed in ("98", "150"):
        by_meter = reconcile([_bill(billed)], {"entry": counter}, SITE, BillRule(Prevails.METER))[0]
        by_bill = reconcile([_bill(billed)], {"entry": counter}, SITE, BillRule(Prevails.BILL))[0]
        assert (by_meter.counts_kwh, by_bill.counts_kwh) == (98, Fraction(billed))


def test_without_a_reading_at_a_boundary_nothing_is_estimated() -> None:
    counter = _counter(("2025-05-26", 0), ("2025-06-20", 90_000), ("2025-07-02", 120_000))
    [found] = reconcile([_bill("100")], {"entry": counter}, SITE, STRICT)
    assert (found.verdict, found.metered_kwh, found.counts_kwh) == (Verdict.NOT_MEASURED, None, None)
    [without] = reconcile([_bill("100")], {}, SITE, BillRule(Prevails.BILL))
    assert (without.verdict, without.counts_kwh) == (Verdict.NOT_MEASURED, 100)


def test_an_unknown_amount_is_neither_agreement_nor_difference() -> None:
    counter = _counter(("2025-05-26", 900_000), ("2025-06-10", 950_000), ("2025-06-26", 100_000))
    [found] = reconcile([_bill("150")], {"entry": counter}, SITE, STRICT)
    assert found.verdict is Verdict.NOT_EXACT


def test_bill_over_nothing() -> None:
    counter = _counter(("2025-05-26", 7), ("2025-06-26", 7))
    [found] = reconcile([_bill("0")], {"entry": counter}, SITE, STRICT)
    assert (found.verdict, found.difference_kwh, found.difference_share) == (Verdict.AGREES, 0, None)


def test_rest_beside_sharp_peak_flat_valley() -> None:
    bill = _bill("100", peak_kwh=Fraction(40), valley_kwh=Fraction(59))
    assert reconcile([bill], {}, SITE, STRICT)[0].rest_kwh == 1
    assert reconcile([_bill("100")], {}, SITE, STRICT)[0].rest_kwh is None


def test_a_year_of_bills_adds_up_to_the_meter() -> None:
    starts = [date(2024, 12, 26)] + [date(2025, month, 26) for month in range(1, 12)]
    ends = [date(2025, month, 25) for month in range(1, 13)]
    edges = [f"{day:%Y-%m-%d}" for day in starts] + ["2025-12-26"]
    counter = _counter(*((day, number * number * 1_000_000) for number, day in enumerate(edges)))
    bills = [_bill("1", f"{start}", f"{end}") for start, end in zip(starts, ends, strict=True)]
    results = reconcile(reversed(bills), {"entry": counter}, SITE, STRICT)
    assert [item.bill.start for item in results] == starts
    assert sum(item.metered_kwh or 0 for item in results) == 12 * 12 * 1000


def test_days_without_a_bill() -> None:
    bills = [_bill("1", "2025-02-01", "2025-02-28"), _bill("1", "2025-04-01", "2025-04-30")]
    assert unbilled(bills, "entry", date(2025, 1, 1), date(2025, 5, 2)) == (
        (date(2025, 1, 1), date(2025, 1, 31)),
        (date(2025, 3, 1), date(2025, 3, 31)),
        (date(2025, 5, 1), date(2025, 5, 2)),
    )
    assert unbilled(bills, "entry", date(2025, 2, 3), date(2025, 2, 28)) == ()
    assert unbilled([], "entry", date(2025, 2, 3), date(2025, 2, 3)) == ((date(2025, 2, 3), date(2025, 2, 3)),)


@pytest.mark.parametrize(
    ("prevails", "tolerance", "where"),
    [("both", "2", "--prevails"), ("meter", "x", "--tolerance"), ("meter", "21", "--tolerance")],
)
def test_rule_is_stated_by_a_person(prevails: str, tolerance: str, where: str) -> None:
    with pytest.raises(RequestError) as told:
        bill_rule(prevails, tolerance)
    assert told.value.where == where
    assert bill_rule("bill", "1.5") == BillRule(Prevails.BILL, Fraction(15, 1000))


def test_bills_of_meters_the_site_does_not_have_are_not_measured() -> None:
    class Nothing:
        def read(self, *_args: object) -> Samples:
            return Samples()

    bill = replace(_bill("1"), meter="elsewhere")
    results = reconcile_from([bill, _bill("1")], SITE, Nothing(), STRICT)  # pyright: ignore[reportArgumentType] - reads only
    assert {item.verdict for item in results} == {Verdict.NOT_MEASURED}


def _row(at: str, register: int, meter: str = "entry") -> ManualReading:
    return ManualReading(key=at, meter=meter, time_ns=_ns(at), register=register, person="Li")


def test_manual_readings_are_a_counter_of_their_own() -> None:
    rows = [_row("2025-06-30T23:50", 900), _row("2025-05-31T23:55", 200), _row("2025-06-15", 5, meter="other")]
    counter = manual_counter(SITE.meters[0], rows)
    assert len(counter) == 2
    assert counter.between(0, 1) == 700
    assert counter.reading(0).source == MANUAL


def test_a_swap_joins_manual_readings_as_it_does_instruments() -> None:
    old, new = (replace(SITE.meters[0].installations[0], serial=serial) for serial in ("1", "2"))
    swap_ns = _ns("2025-06-10")
    meter = replace(SITE.meters[0], installations=(replace(old, end_ns=swap_ns), replace(new, start_ns=swap_ns)))
    rows = [_row("2025-05-31", 900), _row("2025-06-09", 950), _row("2025-06-11", 3), _row("2025-06-30", 53)]
    counter = manual_counter(meter, rows)
    assert counter.between(0, 3) == 50 + 50
    assert not counter.exact(0, 3)
    assert counter.reading(3).source == f"{MANUAL} #2"


@given(st.permutations([("2025-06-01", 10), ("2025-06-02", 20), ("2025-06-03", 25)]))
def test_order_of_manual_readings_changes_nothing(rows: list[tuple[str, int]]) -> None:
    counter = manual_counter(SITE.meters[0], [_row(at, register) for at, register in rows])
    assert [counter.reading(index).register for index in range(len(counter))] == [10, 20, 25]


def test_manual_reading_beside_the_instruments() -> None:
    counter = _counter(("2025-06-01T08:00", 100), ("2025-06-01T08:15", 140))
    near, far = compare_readings([_row("2025-06-02", 500), _row("2025-06-01T08:10", 150)], counter, HOUR_NS)
    assert near.instrument is not None
    assert (near.instrument.register, near.difference) == (140, 10)
    assert (far.instrument, far.difference) == (None, None)
