"""What the collector asks of a series store: the readings of one counter of one device, exact, in time order."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, Self

from shutan_collector.samples import Samples
from shutan_wire.quality import GOOD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Fingerprint", "SeriesReader", "Source", "collect", "fingerprints_of"]

# Of one interval: good readings, sum of their registers, sum of their whole milliseconds since the interval's start.
Fingerprint = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a counter's samples are filed: measurement family, Sparkplug group, edge node and device ("" = node)."""

    family: str
    site: str
    node: str
    device: str

    def __str__(self) -> str:
        return f"{self.site}/{self.node}/{self.device or '-'}"


class SeriesReader(Protocol):
    """An open series store. Errors: StoreUnavailableError (try again later), SeriesError (not a counter)."""

    def read(self, source: Source, metric: str, start_ns: int, end_ns: int) -> Samples:
        """Good readings with start_ns <= time < end_ns; none if the store does not know the series."""
        ...

    def fingerprints(self, source: Source, metric: str, day_edges_ns: Sequence[int]) -> tuple[Fingerprint, ...]:
        """One fingerprint per interval between neighbouring edges (rising, at least two), over good readings.

        A reading that came late, went away or changed shows in the fingerprint of its day, and what did not change
        needs no reading: a store that can count does so where the readings are. (Two changes that cancel out in both
        sums at once do not show.) An unknown series is (0, 0, 0) everywhere.
        """
        ...

    def close(self) -> None:
        """Give back connections."""
        ...

    def __enter__(self) -> Self:
        """The reader itself."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        ...


def collect(rows: Iterable[tuple[int, int, int | None]]) -> Samples:
    """Columns from rows (UTC nanoseconds, register, quality code or None for good); bad readings are counted only."""
    times_ns, values, bad = array("q"), array("q"), 0
    for t_ns, value, quality in rows:
        if quality is None or quality == GOOD:
            times_ns.append(t_ns)
            values.append(value)
        else:
            bad += 1
    return Samples(times_ns, values, bad)


def fingerprints_of(samples: Samples, day_edges_ns: Sequence[int]) -> tuple[Fingerprint, ...]:
    """Fingerprints from readings, for a store that cannot count by itself."""
    times_ns, values = samples.times_ns, samples.values
    places = [bisect_left(times_ns, edge) for edge in day_edges_ns]
    return tuple(
        (after - first, sum(values[first:after]), sum((t_ns - edge) // 1_000_000 for t_ns in times_ns[first:after]))
        for edge, (first, after) in zip(day_edges_ns, pairwise(places), strict=False)
    )
