"""What every series store gives and how it answers, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shutan_gateway.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.rows import Row

__all__ = ["BOOT_MASK", "MAX_INT", "MAX_NS", "MIN_INT", "MIN_NS", "Rejected", "Store", "StoreRefused", "Written"]

MAX_INT = 2**63 - 1
MIN_INT = -(2**63)
# InfluxDB keeps the two ends of the signed range for itself (models.MinNanoTime, MaxNanoTime); so do all.
MAX_NS = 2**63 - 2
MIN_NS = -(2**63) + 2
# A boot id is 64 random bits and no store has unsigned integers: every store keeps the low 63 bits.
BOOT_MASK = 2**63 - 1


class StoreRefused(StoreUnavailable):
    """The store answers, but not as configured (credentials, database, not a store file).

    The rows are kept and offered again, since a person can mend it while the gateway runs; the message says what.
    """


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that this store will never take. `reason` is `<class>: <detail>`; the class is one of a small set."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """Outcome of one write call.

    | field         | meaning |
    |---------------|---------|
    | accepted      | how many leading rows are settled: durable in the store, or named in `rejected` |
    | rejected      | rows among them that will never succeed, by index, ascending; each is refused whole |
    | retry_after_s | the store asked to wait before the rest is offered again; None = go on now |
    """

    accepted: int
    rejected: tuple[Rejected, ...] = ()
    retry_after_s: float | None = None


class Store(Protocol):
    """A series store. Used by one thread; writing the same rows again changes nothing."""

    @property
    def name(self) -> str:
        """Name from the configuration, label of its counters."""
        ...

    def write(self, rows: Sequence[Row]) -> Written:
        """Store rows. Raises StoreUnavailable when none could be settled; StoreRefused when a person must act."""
        ...

    def close(self) -> None:
        """Give back connections and files; may be called twice."""
        ...
