"""A month once more with other factors, from its own documents: readings and rows stay, lines and totals are new."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from shutan_collector.accounting.month import Basis
from shutan_collector.accounting.valuation import Valuation, value_month
from shutan_collector.activity.documents import PREFIX, book_of
from shutan_collector.errors import FactorError
from shutan_collector.factors.release import load_release
from shutan_collector.site.file import parse_site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shutan_collector.accounting.documents import JsonObject, PeriodDocuments
    from shutan_collector.factors.release import Release
    from shutan_collector.series.base import SeriesReader
    from shutan_collector.site.model import Site

__all__ = ["as_of_of", "basis_of", "revalue", "site_of"]

_KEPT = ("site", "readings/", "activities/")


def site_of(documents: PeriodDocuments) -> Site:
    """The site model that a month was accounted with."""
    body = _body(documents, "site")
    return _site(str(body["text"]), str(body["tariff_text"]))


@lru_cache(maxsize=4)  # the months of a year have mostly one model, and reading one takes as long as a meter's month
def _site(text: str, tariff_text: str) -> Site:
    return parse_site(text, "site.toml in the ledger", tariff_text=tariff_text or None)


def as_of_of(documents: PeriodDocuments) -> date:
    """The report date that a month was accounted with."""
    return date.fromisoformat(str(_body(documents, "factors")["as_of"]))


def revalue(
    documents: PeriodDocuments, release: Release, as_of: date, claimed: frozenset[str] = frozenset()
) -> PeriodDocuments:
    """The documents of the same month, valued with a release as a report of `as_of` has to use it.

    claimed   certificates that other closed periods have claimed

    With the release and date that a month was closed with, the result is the same, byte for byte.
    Raises FactorError, ActivityError, ClaimError.
    """
    kept = {document.name: document.body for document in documents.documents if document.name.startswith(_KEPT)}
    return value_month(Valuation(site_of(documents), release, as_of), documents.period, kept, claimed)


def _body(documents: PeriodDocuments, name: str) -> JsonObject:
    body = documents.find(name)
    if body is None:
        message = f"{documents.period} has no document {name!r}"
        raise ValueError(message)  # account_month writes all of them
    return body


def basis_of(documents: PeriodDocuments, reader: SeriesReader) -> Basis:
    """What a month was accounted with, but for the series: for reading its meters once more.

    Raises FactorError if the factor release is not at hand any more.
    """
    site, text = site_of(documents), _body(documents, "site")
    stated = cast("Mapping[str, str]", _body(documents, "factors")["release"])
    release = load_release(stated["name"])
    if release.sha256 != stated["sha256"]:
        raise FactorError(f"factor release {release.name}", f"is not the one that {documents.period} was closed with")
    rows = {document.name: document.body for document in documents.starting(PREFIX)}
    return Basis(
        site=site,
        site_text=str(text["text"]),
        tariff_text=str(text["tariff_text"]),
        book=book_of(rows, site.zone),
        reader=reader,
        release=release,
        as_of=as_of_of(documents),
    )
