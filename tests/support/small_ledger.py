"""A plant of two or three meters in memory, for closing its months in a moment: entry, bottling line, boiler gas."""

from collections.abc import Mapping
from datetime import date

from shutan_collector.accounting.month import Basis
from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.factors.release import Release, load_release
from shutan_collector.site.file import parse_site
from support.accounting import SITE, Key, MemoryReader, Readings, steady

AS_OF = date(2026, 1, 15)
AT = "2026-01-15T08:00:00.000000Z"
AUTHOR = "Li Wei"
ENTRY: Key = ("n01", "m-entry", "active_energy_import_wh")
BOTTLING: Key = ("n02", "m-bottling", "active_energy_import_wh")
GAS: Key = ("n03", "g-boiler", "gas_volume_l")


def steady_series(start: str, hours: int, interval_s: int = 600) -> dict[Key, Readings]:
    """Constant consumption of all three meters; readings every ten minutes."""
    return {
        ENTRY: steady(start, hours, 60_000, 1_000, interval_s),
        BOTTLING: steady(start, hours, 6_000, 0, interval_s),
        GAS: steady(start, hours, 1_200, 500, interval_s),
    }


def small_basis(
    series: Mapping[Key, Readings],
    book: ActivityBook | None = None,
    *,
    site_text: str = SITE,
    release: Release | None = None,
    as_of: date = AS_OF,
) -> Basis:
    """Everything that figures of the small plant are computed from."""
    return Basis(
        site=parse_site(site_text, "site.toml"),
        site_text=site_text,
        tariff_text="",
        book=book or ActivityBook(),
        reader=MemoryReader(series),
        release=release or load_release("2026.1"),
        as_of=as_of,
    )
