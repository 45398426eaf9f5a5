"""What one tick of intake adds: spool records, and the counters that move at the moment they are durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.counters import Key

if TYPE_CHECKING:
    from shutan_gateway.payload.decode import Group
    from shutan_gateway.payload.recent import Samples
    from shutan_gateway.spool.log import SpoolRecord

__all__ = ["Batch"]

_RECEIVED = Key("shutan_received_total")
_DUPLICATES = Key("shutan_duplicates_total")
_ACCEPTED = Key("shutan_accepted_total")
_VALUES = Key("shutan_values_total")


class Batch:
    """Records and counter deltas of one tick."""

    def __init__(self) -> None:
        self.records: list[SpoolRecord] = []
        self.samples: list[Samples] = []  # of each record, for deliveries that keep up
        self.received = 0
        self.duplicates = 0
        self.values = 0
        self._others: dict[Key, int] = {}

    def accept(self, record: SpoolRecord, groups: list[Group]) -> None:
        """A record for the spool with its samples."""
        self.records.append(record)
        self.samples.append(groups)
        self.received += 1
        self.values += sum([len(group.values) for group in groups])

    def duplicate(self) -> None:
        """A repeat of a record that is on disk or in this batch."""
        self.received += 1
        self.duplicates += 1

    def reject(self, reason: str) -> None:
        """A record dropped for good."""
        self.received += 1
        self.count("shutan_rejected_total", reason=reason)

    def count(self, name: str, n: int = 1, **labels: str) -> None:
        """Add to any other counter."""
        key = Key(name, tuple(sorted(labels.items())))
        self._others[key] = self._others.get(key, 0) + n

    def deltas(self) -> list[tuple[Key, int]]:
        """All changes, to be applied at one moment: received = duplicates + rejected + accepted holds in each batch."""
        totals = [
            (_RECEIVED, self.received),
            (_DUPLICATES, self.duplicates),
            (_ACCEPTED, len(self.records)),
            (_VALUES, self.values),
        ]
        return [(key, n) for key, n in [*totals, *self._others.items()] if n]

    def __bool__(self) -> bool:
        return bool(self.records or self.received or self._others)
