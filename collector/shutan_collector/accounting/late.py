"""Late samples: which meters of an accounted month have other readings in the series store than were used.

Per local day the store gives count and sums (`SeriesReader.fingerprints`), which are compared with the ones that the
month's readings documents keep. Only what differs is computed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shutan_collector.accounting.month import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def changed_days(
    site: Site, month: str, kept: Mapping[str, Sequence[Sequence[str | int]]], reader: SeriesReader
) -> tuple[ChangedDay, ...]:
    """All changed days of one month, by meter, then day. Raises StoreUnavailableError, SeriesError.

    kept   by meter the "fingerprint" of its readings document
    """
    found: list[ChangedDay] = []
    for meter in site.tree():
        before_of = {day[0]: list(day[1:]) for day in kept.get(meter.id, ())}
        for now in fingerprint(site, meter, reader, month):
            before = before_of.get(now.day, [0, 0, 0])
            if before != [now.count, now.registers, now.offsets_ms]:
                found.append(ChangedDay(meter.id, now.day, int(before[0]), now.count))
    return tuple(found)
