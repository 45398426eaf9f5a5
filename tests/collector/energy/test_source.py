"""From a store to a counter: what is read, and how many bad readings are told."""

from shutan_collector.energy.registers import EventKind
from shutan_collector.energy.source import measure_meter, read_counter
from shutan_collector.periods import NS_PER_S, Kind
from shutan_collector.samples import Samples
from shutan_collector.series.base import Source
from shutan_collector.site.file import parse_site
from support.accounting import SITE, MemoryReader, at, steady

POWER = ("n01", "m-entry", "active_energy_import_wh")
HOUR_NS = 3600 * NS_PER_S


class CountingReader(MemoryReader):
    """One bad reading every hour on the hour besides the good ones; remembers what was asked for."""

    def __init__(self, *args: dict[tuple[str, str, str], list[tuple[int, int]]]) -> None:
        super().__init__(*args)
        self.asked: list[tuple[str, int, int]] = []

    def read(self, source: Source, metric: str, start_ns: int, end_ns: int) -> Samples:
        self.asked.append((metric, start_ns, end_ns))
        good = super().read(source, metric, start_ns, end_ns)
        return Samples(good.times_ns, good.values, -(-end_ns // HOUR_NS) - -(-start_ns // HOUR_NS))


def test_bad_readings_are_those_around_the_request_also_where_a_limit_of_standing_still_looks_farther_back() -> None:
    start, end = at("2026-06-02"), at("2026-06-03")
    plain = parse_site(SITE, "site.toml")
    limited = parse_site(
        SITE.replace('device = "m-entry"\n', 'device = "m-entry"\nstuck_after_s = 43200\n'), "site.toml"
    )
    found: list[tuple[int, int]] = []
    for site in (plain, limited):
        reader = CountingReader({POWER: steady("2026-06-01", 72, 6000)})
        _, bad_quality = read_counter(site, site.meters[0], reader, start, end)
        found.append((bad_quality, (start - reader.asked[0][1]) // NS_PER_S))
    margin_s = 4 * 3600 + 900
    assert found == [(33, margin_s), (33, margin_s + 43_200)]  # 24 h and the margins of 255 min: 19:45 to 04:15


def test_another_register_of_the_same_instruments_is_read_by_name() -> None:
    site = parse_site(SITE.replace('device = "m-entry"\n', 'device = "m-entry"\nstuck_after_s = 3600\n'), "site.toml")
    reader = CountingReader({POWER: steady("2026-06-01", 24, 6000), (*POWER[:2], "reactive_energy_import_varh"): []})
    start, end = at("2026-06-01"), at("2026-06-02")
    energy = measure_meter(
        site, site.meters[0], reader, start, end, kind=Kind.DAY, metric="reactive_energy_import_varh"
    )
    assert reader.asked == [("reactive_energy_import_varh", start - 15_300 * NS_PER_S, end + 15_300 * NS_PER_S)]
    assert (energy.total.value, energy.events) == (None, ())


def test_the_day_of_a_shift_report_is_the_calendar_of_the_site() -> None:
    shift = '[[shift]]\nname = "day"\nstart = "08:00"\nend = "20:00"\n'
    site = parse_site(SITE + shift, "site.toml")
    reader = MemoryReader({POWER: steady("2026-06-01", 24, 6000)})
    energy = measure_meter(site, site.meters[0], reader, at("2026-06-01"), at("2026-06-02"), kind=Kind.SHIFT)
    assert [flow.value for flow in energy.periods] == [48_000, 72_000, 24_000]
    assert not [event for event in energy.events if event.kind is EventKind.STUCK]
