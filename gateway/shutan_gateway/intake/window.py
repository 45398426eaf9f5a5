"""Conflict rule: a device's sample time seen again with other values is kept beside the first, not over it.

A clock that stepped back makes a node measure the same milliseconds twice. The series key is (device, metric, time), so
the later record gets digits below the millisecond, decided once at intake and stored with the record. The window holds
the newest `size` times of one device and some older ones, in 24 bytes each.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.payload.decode import Group

__all__ = ["Verdict", "Window", "Windows"]

SUB_NS_MAX = 999_999
_NAMES_KNOWN = 10_000


class Verdict(NamedTuple):
    """sub_ns: digits for the record; repeat: every sample is known already; conflict: digits were needed."""

    sub_ns: int
    repeat: bool
    conflict: bool


class _Names:
    """Small numbers for sets of metric names, so that the window needs no objects."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}
        self._sets: list[frozenset[str]] = []
        # By identity, since a tuple works out its hash each time; the tuple itself is kept, so its id stays taken.
        self.known: dict[int, tuple[tuple[str, ...], int]] = {}

    def number(self, names: tuple[str, ...]) -> int:
        known = self.known.get(id(names))
        return self._learn(names) if known is None else known[1]

    def _learn(self, names: tuple[str, ...]) -> int:
        found = self._numbers.get(names)
        if found is None:
            found = self._numbers[names] = len(self._sets)
            self._sets.append(frozenset(names))
        if len(self.known) >= _NAMES_KNOWN:
            self.known.clear()
        self.known[id(names)] = (names, found)
        return found

    def overlap(self, one: int, other: int) -> bool:
        return one == other or not self._sets[one].isdisjoint(self._sets[other])


_NAMES = _Names()


class Window:
    """Recent sample times of one device."""

    __slots__ = ("_digits", "_hashes", "_most", "_names", "_size", "_times")

    def __init__(self, size: int) -> None:
        self._size = size
        self._most = size + size // 16
        self._times = array("q")  # ascending
        self._digits = array("I")
        self._names = array("I")
        self._hashes = array("q")

    def goes_on(self, groups: Sequence[Group]) -> bool:
        """The normal case: every time is later than all known ones, so nothing is repeated and nothing conflicts.

        True: the window remembers the samples; False: nothing was done, `judge` must decide.
        """
        times = self._times
        if times:
            newest = times[-1]
            for group in groups:
                if group[1] <= newest:
                    return False
        if len(groups) > 1:
            groups = sorted(groups, key=_time_of)
        known = _NAMES.known
        for family, t_ms, names, values, qualities in groups:
            found = known.get(id(names))
            times.append(t_ms)
            self._digits.append(0)
            self._names.append(found[1] if found else _NAMES.number(names))
            self._hashes.append(hash((family, values, qualities)))
        if len(times) > self._most:
            self._trim()
        return True

    def judge(self, groups: Sequence[Group]) -> Verdict:
        """Digits for a record with these samples; the window remembers them."""
        if groups and self.goes_on(groups):
            return Verdict(0, repeat=False, conflict=False)
        items = [
            (t_ms, _NAMES.number(metrics), hash((family, values, qualities)))
            for family, t_ms, metrics, values, qualities in groups
        ]
        known = [self._find(*item) for item in items]
        if items and all(digit is not None for digit, _ in known):
            return Verdict(max(digit or 0 for digit, _ in known), repeat=True, conflict=False)
        sub_ns = min(max((after for _, after in known), default=0), SUB_NS_MAX)
        for item in items:
            self._insert(bisect_right(self._times, item[0]), *item, sub_ns)
        return Verdict(sub_ns, repeat=False, conflict=sub_ns > 0)

    def _find(self, t_ms: int, names: int, content: int) -> tuple[int | None, int]:
        """(digits of an equal entry or None, first free digits at that time for these names)."""
        index = bisect_left(self._times, t_ms)
        free = 0
        while index < len(self._times) and self._times[index] == t_ms:
            if self._names[index] == names and self._hashes[index] == content:
                return self._digits[index], 0
            if _NAMES.overlap(self._names[index], names):
                free = max(free, self._digits[index] + 1)
            index += 1
        return None, free

    def _insert(self, index: int, t_ms: int, names: int, content: int, digits: int) -> None:
        self._times.insert(index, t_ms)
        self._digits.insert(index, digits)
        self._names.insert(index, names)
        self._hashes.insert(index, content)
        if len(self._times) > self._most:
            self._trim()

    def _trim(self) -> None:
        """Forget the oldest, some at once: moving what stays costs more than forgetting one."""
        surplus = len(self._times) - self._size
        for column in (self._times, self._digits, self._names, self._hashes):
            del column[:surplus]


def _time_of(group: Group) -> int:
    return group[1]


class Windows:
    """The windows of all devices; when there are too many they start again empty, which `cleared` counts."""

    def __init__(self, size: int, most: int) -> None:
        self._size = size
        self._most = most
        self._windows: dict[tuple[str, str, str], Window] = {}
        self.cleared = 0

    def of(self, site: str, node: str, device: str) -> Window:
        """The window of a device."""
        key = (site, node, device)
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= self._most:
                self._windows.clear()
                self.cleared += 1
            window = self._windows[key] = Window(self._size)
        return window
