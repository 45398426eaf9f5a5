"""The ledger as one request sees it: at one head, through caches of what never changes.

Entries are immutable, so a parsed body is kept by its number; what is current is kept by the hash of the head.
A writer that closes or restates meanwhile changes the head, and with it what the next request sees; it waits for no
reader, and no reader waits for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from shutan_collector.ledger.canonical import parse_object
from shutan_collector.ledger.closing import current_closes
from shutan_collector.web.cache import Cache
from shutan_collector.web.emissions import sums_of
from shutan_collector.web.models import LedgerHead, UnvaluedItem
from shutan_collector.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shutan_collector.accounting.documents import JsonObject
    from shutan_collector.accounting.summary import MonthSummary
    from shutan_collector.ledger.closing import Close, Reference
    from shutan_collector.ledger.entries import Head
    from shutan_collector.ledger.store import Reader
    from shutan_collector.web.models import EmissionItem

__all__ = ["Caches", "Lines", "Snapshot"]

_PERIOD: Final = re.compile(r"\d{4}(?:-(?:0[1-9]|1[0-2]))?", re.ASCII)
_MB: Final = 1 << 20
_CLOSE_WEIGHT: Final = 16 << 10  # a close entry with its references, about


@dataclass(frozen=True, slots=True)
class Lines:
    """A document of lines, where each line stands in it, and their sums by source, scope, category and gas.

    A restatement writes again only the documents that it changes, so that the sums of all others are known already.
    """

    rows: tuple[JsonObject, ...]
    places: Mapping[str, int]
    sums: tuple[EmissionItem, ...]
    unvalued: tuple[UnvaluedItem, ...]


class Caches:
    """What requests share. Bodies weigh their canonical bytes; parsed they take about eight times as much."""

    def __init__(self) -> None:
        self.bodies: Cache[JsonObject] = Cache(8 * _MB)
        self.lines: Cache[Lines] = Cache(8 * _MB)
        self.closes: Cache[Mapping[str, Close]] = Cache(4 * _MB)
        self.figures: Cache[MonthSummary] = Cache(64 * _MB)
        self.answers: Cache[bytes] = Cache(16 * _MB)


class Snapshot:
    """A ledger at one head."""

    def __init__(self, ledger: Reader, head: Head, caches: Caches) -> None:
        self.ledger = ledger
        self.head = head
        self.caches = caches

    @property
    def mark(self) -> LedgerHead:
        """The head as it is answered."""
        return LedgerHead(seq=self.head.seq, hash=self.head.hash)

    @property
    def closes(self) -> Mapping[str, Close]:
        """The current version of every closed period."""

        def make() -> tuple[Mapping[str, Close], int]:
            found = current_closes(self.ledger)
            return found, _CLOSE_WEIGHT * max(len(found), 1)

        return self.caches.closes.get(self.head.hash, make)

    def close(self, period: str) -> Close | None:
        """The current version of a period, None while it is open. ProblemError for what is no period."""
        if not _PERIOD.fullmatch(period):
            detail = f"{period!r} is not a period; ask for a month such as 2025-06 or a year such as 2025"
            raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
        return self.closes.get(period)

    def closed(self, period: str) -> Close:
        """The current version of a closed period. ProblemError while it is open."""
        close = self.close(period)
        if close is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"period {period} is open: it has figures once it is closed")
        return close

    def month(self, period: str) -> Close:
        """The current version of a closed month. ProblemError for a year."""
        close = self.closed(period)
        if close.months:
            detail = f"{period} is a year: ask for one of its months, such as {close.months[0].month}"
            raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
        return close

    def body(self, reference: Reference) -> JsonObject:
        """The document that a close refers to."""

        def make() -> tuple[JsonObject, int]:
            content = self.ledger.body_bytes(reference.seq)
            return parse_object(content), len(content)

        return self.caches.bodies.get(reference.seq, make)

    def document(self, close: Close, name: str) -> JsonObject | None:
        """A document of a month by name."""
        reference = close.find(name)
        return None if reference is None else self.body(reference)

    def lines(self, reference: Reference) -> Lines:
        """The lines of a document."""

        def make() -> tuple[Lines, int]:
            content = self.ledger.body_bytes(reference.seq)
            body = parse_object(content)
            rows = tuple(cast("list[JsonObject]", body["lines"]))
            places = {str(row["id"]): place for place, row in enumerate(rows)}
            unvalued = tuple(map(UnvaluedItem.model_validate, cast("list[JsonObject]", body["unvalued"])))
            return Lines(rows, places, sums_of(rows), unvalued), len(content)

        return self.caches.lines.get(reference.seq, make)
