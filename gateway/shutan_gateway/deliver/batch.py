"""One batch on its way to a store: its rows, which spool record each came from, and what became of the records."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Protocol

from shutan_gateway.deliver.dead_letters import Letter, record_letter, row_letter
from shutan_gateway.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.payload.recent import Samples
    from shutan_gateway.rows import Row
    from shutan_gateway.spool.log import SpoolRecord

__all__ = ["Batch", "Reader"]


class Reader(Protocol):
    """What makes rows of spool records (`rows.RowReader`); used by one thread."""

    def rows(self, record: SpoolRecord) -> list[Row]:
        """All rows of a record. Raises Refusal when there never will be any."""
        ...

    def rows_of(self, record: SpoolRecord, samples: Samples) -> list[Row]:
        """The same of a record whose samples are known."""
        ...


class Batch:
    """Spool records as rows; `dead` are the indexes of the records that gave none or of which a row was refused."""

    __slots__ = ("_starts", "dead", "letters", "rows")

    def __init__(
        self, records: Sequence[SpoolRecord], reader: Reader, samples: Sequence[Samples] | None = None
    ) -> None:
        """samples: those of each record, where they are known."""
        self.rows: list[Row] = []
        self.dead: set[int] = set()
        self.letters: list[Letter] = []
        self._starts: list[int] = []  # of each record: its first row
        for index, record in enumerate(records):
            self._starts.append(len(self.rows))
            try:
                self.rows += reader.rows(record) if samples is None else reader.rows_of(record, samples[index])
            except Refusal as refusal:
                self.dead.add(index)
                self.letters.append(record_letter(record, str(refusal)))

    def refuse(self, index: int, reason: str) -> None:
        """Row `index` will never be stored."""
        # The last record that starts at or before the row: those without rows start where their successor does.
        self.dead.add(bisect_right(self._starts, index) - 1)
        self.letters.append(row_letter(self.rows[index], reason))
