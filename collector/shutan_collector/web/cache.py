"""A bounded cache for things that never change, shared by threads; what is being made is made once."""

from __future__ import annotations

from collections import OrderedDict
from threading import Event, Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Cache"]

T = TypeVar("T")


class Cache(Generic[T]):
    """Values by key up to a total weight; the ones not asked for longest go first.

    hits, misses   how often a value was there or had to be made
    """

    def __init__(self, capacity: int) -> None:
        """capacity: sum of the weights that are kept, in the unit that `make` gives."""
        self._capacity = capacity
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._making: dict[Hashable, Event] = {}
        self._weight = 0
        self.hits = self.misses = 0

    @property
    def weight(self) -> int:
        """Sum of the weights kept."""
        return self._weight

    def get(self, key: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """The value of a key; make() gives it and its weight, and is called by one thread at a time for a key.

        An error of make() goes to the thread that called it; the next one tries again.
        """
        while True:
            with self._lock:
                held = self._kept.get(key)
                if held is not None:
                    self._kept.move_to_end(key)
                    self.hits += 1
                    return held[0]
                other = self._making.get(key)
                if other is None:
                    own = self._making[key] = Event()
                    self.misses += 1
                    break
            other.wait()
        try:
            value, weight = make()
            self._keep(key, value, weight)
            return value
        finally:
            with self._lock:
                del self._making[key]
            own.set()

    def _keep(self, key: Hashable, value: T, weight: int) -> None:
        with self._lock:
            if weight > self._capacity:
                return
            self._kept[key] = (value, weight)
            self._weight += weight
            while self._weight > self._capacity:
                _, (_, gone) = self._kept.popitem(last=False)
                self._weight -= gone
