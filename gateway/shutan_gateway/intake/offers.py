"""Offers: samples that do not come over the Sparkplug link, on their way to the same spool.

A wired meter or an adapter puts an `Offer` into the bounded queue; the intake thread makes of it the record that a
foreign Sparkplug node's data message would be, so that repeats, conflicts, delivery and counters are the same for all.
Full queue: the producer keeps its samples and acknowledges nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from shutan_wire import datatypes as dt
from shutan_wire import quality
from shutan_wire.model import Metric

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Offer", "Offers", "sample"]


class Offer(NamedTuple):
    """Samples of one device, taken at one moment or a few.

    | field            | meaning |
    |------------------|---------|
    | site, node, device | ids of the contract ([A-Za-z0-9_-]{1,32}); the node is a virtual one: a bus, an adapter |
    | metrics          | made by `sample`; names of the catalogue keep their family |
    | received_ms      | when the gateway got them, UTC ms |
    | settled          | called once by the intake thread when the samples are durable, are an exact repeat, or are |
    |                  | refused for good and counted: now an acknowledgement may go out; None = nobody waits |
    """

    site: str
    node: str
    device: str
    metrics: tuple[Metric, ...]
    received_ms: int
    settled: Callable[[], None] | None = None


def sample(name: str, datatype: int, value: bool | float | str | None, t_ms: int, code: int = quality.GOOD) -> Metric:
    """One sample: datatype of `shutan_wire.datatypes`, UTC ms, Sparkplug quality code; value None = there is none."""
    properties = None if code == quality.GOOD else {quality.PROPERTY: (dt.INT32, code)}
    return Metric(name, None, t_ms, datatype, value, is_null=value is None, properties=properties)  # pyright: ignore[reportArgumentType]  # a set of plain properties is one


class Offers:
    """Many producers, one consumer (intake). `wake` is called when something was added."""

    def __init__(self, limit: int, wake: Callable[[], None]) -> None:
        self._limit = limit
        self._wake = wake
        self._items: deque[Offer] = deque()
        self._room = threading.Condition()
        self._closed = False
        self.refused = 0  # times that a producer was told to wait

    def __len__(self) -> int:
        return len(self._items)

    def put(self, offer: Offer, timeout_s: float) -> bool:
        """Add an offer, waiting up to `timeout_s` for room; False: full or closed, keep it and try again later."""
        with self._room:
            self._room.wait_for(lambda: self._closed or len(self._items) < self._limit, timeout_s)
            if self._closed or len(self._items) >= self._limit:
                self.refused += 1
                return False
            self._items.append(offer)
        self._wake()
        return True

    def drain(self, most: int) -> list[Offer]:
        """Take up to `most` offers."""
        with self._room:
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            if taken:
                self._room.notify_all()
        return taken

    def close(self) -> None:
        """Nothing more is taken; what is inside can still be drained."""
        with self._room:
            self._closed = True
            self._room.notify_all()
