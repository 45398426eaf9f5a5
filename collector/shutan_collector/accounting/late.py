"""Late samples: which meters of an accounted month have other readings in the series store than were used.

Per local day the store gives count and sums (`SeriesReader.fingerprints`), which are compared with the ones that the
month's documents keep. Only what differs is computed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from shutan_collector.accounting.month import fingerprint

if TYPE_CHECKING:
    from shutan_collector.accounting.documents import Json, PeriodDocuments
    from shutan_collector.series.base import SeriesReader
    from shutan_collector.site.model import Site

__all__ = ["ChangedDay", "changed_days"]


@dataclass(frozen=True, slots=True)
class ChangedDay:
    """A day of one meter whose raw readings are not those of the accounted month.

    before, after   readings of the day, then and now; equal numbers mean that registers or times differ
    """

    meter: str
    day: str
    before: int
    after: int


def changed_days(site: Site, documents: PeriodDocuments, reader: SeriesReader) -> tuple[ChangedDay, ...]:
    """All changed days of one month, by meter, then day. Raises StoreUnavailableError, SeriesError."""
    bodies = {document.name: cast("dict[str, Json]", document.body) for document in documents.documents}
    found: list[ChangedDay] = []
    for meter in site.tree():
        body = bodies.get(f"readings/{meter.id}")
        kept = {day[0]: day[1:] for day in cast("list[list[str | int]]", body["fingerprint"])} if body else {}
        for now in fingerprint(site, meter, reader, documents.period):
            before = kept.get(now.day, [0, 0, 0])
            if before != [now.count, now.registers, now.offsets_ms]:
                found.append(ChangedDay(meter.id, now.day, int(before[0]), now.count))
    return tuple(found)
