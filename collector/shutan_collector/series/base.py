"""What the collector asks of a series store: the readings of one counter of one device, exact, in time order."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from shutan_collector.energy.registers import Samples
from shutan_wire.quality import GOOD

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SeriesReader", "Source", "collect"]


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
