"""Opening what a computation rests on: site model, activity files, series store, factor release."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from shutan_collector.accounting.month import Basis, month_span, months_of
from shutan_collector.activity.book import load_activities
from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.errors import RequestError
from shutan_collector.factors.release import load_release
from shutan_collector.periods import from_ns
from shutan_collector.series import open_reader
from shutan_collector.site.file import load_site, tariff_path

if TYPE_CHECKING:
    from collections.abc import Generator

    from shutan_collector.site.model import Site

__all__ = ["DEFAULT_RELEASE", "Places", "open_basis", "parse_day"]

DEFAULT_RELEASE = "2026.1"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the inputs lie.

    site       site.toml
    activity   folder of activity files; empty = none
    series     address of the series store, or a readings.csv
    release    factor release: a packaged name or a path
    as_of      report date, ISO; empty = today, but never before the end of the period
    """

    site: str
    activity: str
    series: str
    release: str = DEFAULT_RELEASE
    as_of: str = ""


@contextmanager
def open_basis(places: Places, period: str) -> Generator[Basis]:
    """Everything opened for one period; the series store is closed at the end.

    Raises SiteError, ActivityError, FactorError, RequestError, StoreUnavailableError.
    """
    path = Path(places.site)
    site = load_site(path)
    book = load_activities(Path(places.activity), site.zone, site) if places.activity else ActivityBook()
    _refuse_future(site, period)
    release = load_release(places.release)
    as_of = _as_of(places.as_of, site, period)
    site_text = path.read_text(encoding="utf-8")
    tariff = tariff_path(site_text, path)
    with open_reader(places.series, "--series") as reader:
        yield Basis(
            site=site,
            site_text=site_text,
            tariff_text=tariff.read_text(encoding="utf-8") if tariff else "",
            book=book,
            reader=reader,
            release=release,
            as_of=as_of,
        )


def parse_day(text: str, where: str) -> date:
    """A date in ISO form; `where` names the option in the RequestError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RequestError(where, f"{text!r} is not a date; give 2026-06-01") from None


def _refuse_future(site: Site, period: str) -> None:
    """A period that has not begun has no figures: zeros would pass for an answer."""
    begins = from_ns(month_span(months_of(period)[0], site.zone).start_ns, site.zone)
    if begins > datetime.now(UTC):
        raise RequestError("--period", f"{period} has not begun; it begins on {begins.date()}")


def _as_of(text: str, site: Site, period: str) -> date:
    if text:
        return parse_day(text, "--as-of")
    end_ns = month_span(months_of(period)[-1], site.zone).end_ns
    return max(datetime.now(UTC).astimezone(site.zone).date(), from_ns(end_ns, site.zone).date())
