"""What lines refer to, as documents: the factor rows used ("factors"), the formulas ("formulas"), the site ("site")."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.formulas import FORMULAS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from shutan_collector.accounting.documents import Json, JsonObject
    from shutan_collector.carbon.lines import Line
    from shutan_collector.factors.release import Release
    from shutan_collector.factors.table import Factor
    from shutan_collector.site.model import Site

__all__ = ["factor_row", "factors_document", "formulas_document", "site_document"]

FACTORS: Final = "shutan.factors/1"
FORMULA_TEXTS: Final = "shutan.formulas/1"
SITE: Final = "shutan.site/1"


def factors_document(release: Release, lines: Iterable[Line], as_of: date) -> JsonObject:
    """The rows of the release that lines used, each once, ordered by id."""
    ids = {use.id for line in lines for use in line.factors}
    return {
        "schema": FACTORS,
        "release": {"name": release.name, "sha256": release.sha256},
        "as_of": as_of.isoformat(),
        "rows": [factor_row(release.table.by_id(factor_id)) for factor_id in sorted(ids)],
    }


def factor_row(factor: Factor) -> dict[str, Json]:
    """One row as text, the value as it was printed."""
    return {
        "id": factor.id,
        "category": factor.category,
        "subject": factor.subject,
        "name_zh": factor.name_zh,
        "name_en": factor.name_en,
        "parameter": factor.parameter,
        "value": factor.text,
        "unit": factor.unit,
        "valid_from": _day(factor.valid_from),
        "valid_to": _day(factor.valid_to),
        "known_from": _day(factor.known_from),
        "region": factor.region,
        "source": factor.source,
        "confidence": factor.confidence,
    }


def formulas_document(names: Iterable[str]) -> JsonObject:
    """The formulas that lines used, with their text and clause."""
    rows = (FORMULAS[name] for name in sorted(set(names)))
    return {
        "schema": FORMULA_TEXTS,
        "rows": [
            {"name": row.name, "text_en": row.text_en, "text_zh": row.text_zh, "source": row.source} for row in rows
        ],
    }


def site_document(site: Site, text: str, tariff_text: str) -> JsonObject:
    """The site model as it stood: its text, and what decides about factors and calendar."""
    return {
        "schema": SITE,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "text": text,
        "tariff_text": tariff_text,
        "zone": site.zone.key,
        "region": site.region,
        "fuel_family": site.fuel_family,
        "gwp": site.gwp,
        "sector": site.sector,
    }


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
