"""Position and totals of one store: moved in memory with every batch, committed to the registry now and then.

A commit costs an fsync; a repeat after a crash costs nothing, since every store takes the same rows again as they are.
So while data flows a store's place is committed at most once a second; batches with dead letters are committed at
once, because their letters must be written once. What /metrics shows is the place in memory: at every moment
`position.ordinal == start_ordinal + stored + dead`, in the registry as well as here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shutan_gateway.registry.state import State, StoreProgress
    from shutan_gateway.spool.log import Position

__all__ = ["Progress"]


class Progress:
    """Progress of a registered store; moved by its delivery thread, read by any."""

    def __init__(self, state: State, store: str, interval_s: float) -> None:
        """interval_s: shortest time between two commits. Raises KeyError for a store that is not registered."""
        self._state = state
        self._store = store
        self._interval_s = interval_s
        self._committed = self._now = state.progress()[store]
        self._next_s = float("-inf")

    @property
    def now(self) -> StoreProgress:
        """Progress at this moment."""
        return self._now

    def move(self, position: Position, *, stored: int, dead: int, at_once: bool = False) -> bool:
        """A batch is done; True when everything so far is committed.

        at_once: do not wait with the commit. Raises StateUnavailable; then nothing moved and the batch is repeated.
        """
        before = self._now
        moved = before._replace(position=position, stored=before.stored + stored, dead=before.dead + dead)
        if at_once or time.monotonic() >= self._next_s:
            self._commit(moved)
            self._now = moved
            return True
        self._now = moved
        return False

    def commit(self, *, at_once: bool = False) -> None:
        """Commit what has moved, if it is time to (`at_once`: in any case). Raises StateUnavailable."""
        if self._now is not self._committed and (at_once or time.monotonic() >= self._next_s):
            self._commit(self._now)

    def _commit(self, moved: StoreProgress) -> None:
        old = self._committed
        self._state.commit_delivery(
            self._store, moved.position, stored=moved.stored - old.stored, dead=moved.dead - old.dead
        )
        self._committed = moved
        self._next_s = time.monotonic() + self._interval_s
