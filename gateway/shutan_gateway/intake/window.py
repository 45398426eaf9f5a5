"""Conflict rule: a device's sample time seen again with other values is kept beside the first, not over it.

A clock that stepped back makes a node measure the same milliseconds twice. The series key is (device, metric, time), so
the later record gets digits below the millisecond, decided once at intake and stored with the record. The window holds
the newest `size` times of one device and some older ones, in 16 bytes each.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shutan_gateway.payload.decode import Group

__all__ = ["Verdict", "Window", "Windows"]

SUB_NS_MAX = 999_999
_NAMES_KNOWN = 10_000
_NAMES_BITS = 20  # of a key below its time: the number of a set of names
_NAMES_MASK = (1 << _NAMES_BITS) - 1
_ANY_NAMES = 0  # number of sets beyond those that have one; it may be any of them, so nothing under it is a repeat


class Verdict(NamedTuple):
    """sub_ns: digits for the record; repeat: every sample is known already; conflict: new digits were needed."""

    sub_ns: int
    repeat: bool
    conflict: bool


class _Names:
    """Small numbers for sets of metric names, so that the window needs no objects."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}
        self._sets: list[frozenset[str]] = [frozenset()]
        # By identity, since a tuple works out its hash each time; the tuple itself is kept, so its id stays taken.
        self.known: dict[int, tuple[tuple[str, ...], int]] = {}

    def number(self, names: tuple[str, ...]) -> int:
        known = self.known.get(id(names))
        return self._learn(names) if known is None else known[1]

    def _learn(self, names: tuple[str, ...]) -> int:
        found = self._numbers.get(names)
        if found is None:
            if len(self._sets) > _NAMES_MASK:
                return _ANY_NAMES
            found = self._numbers[names] = len(self._sets)
            self._sets.append(frozenset(names))
        if len(self.known) >= _NAMES_KNOWN:
            self.known.clear()
        self.known[id(names)] = (names, found)
        return found

    def overlap(self, one: int, other: int) -> bool:
        return one == other or _ANY_NAMES in {one, other} or not self._sets[one].isdisjoint(self._sets[other])


_NAMES = _Names()


def _unknown() -> int | None:
    return None


class Window:
    """Recent sample times of one device."""

    __slots__ = ("_digits", "_hashes", "_keys", "_most", "_newest", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._most = size + size // 16
        self._newest = -1
        self._keys = array("q")  # ascending: time and number of the names
        self._hashes = array("q")  # of the values
        self._digits: dict[tuple[int, int], int] = {}  # of (key, hash), where they are not 0

    def goes_on(self, t_ms: int, names: Sequence[tuple[str, ...]], content: int) -> bool:
        """The normal case: the time is later than all known ones, so nothing is repeated and nothing conflicts.

        names: those of each group of samples; content: a hash of all values (`shape_lanes.Checked`).
        True: the window remembers the samples; False: nothing was done, `judge` must decide.
        """
        if t_ms <= self._newest:
            return False
        self._newest = t_ms
        known = _NAMES.known
        for some in names:
            found = known.get(id(some))
            self._keys.append(t_ms << _NAMES_BITS | (found[1] if found else _NAMES.number(some)))
            self._hashes.append(content)
        if len(names) > 1:
            self._keys[-len(names) :] = array("q", sorted(self._keys[-len(names) :]))
        if len(self._keys) > self._most:
            self._trim()
        return True

    def judge(self, groups: Sequence[Group], content: Callable[[], int | None] = _unknown) -> Verdict:
        """Digits for a record with these samples; the window remembers them.

        content: what `goes_on` would be told of them, asked for only when a time is known already.
        """
        items = [
            (t_ms << _NAMES_BITS | _NAMES.number(metrics), hash((family, values, qualities)))
            for family, t_ms, metrics, values, qualities in groups
        ]
        known = [self._find(key, (full,)) for key, full in items]
        if any(digit is None and after for digit, after in known):
            short = content()  # of them, if the first came the short way
            known = [self._find(key, (full, short)) for key, full in items]
        digits = [digit for digit, _ in known if digit is not None]
        sub_ns = max((after if digit is None else digit for digit, after in known), default=0)
        apart = any(digit != sub_ns for digit in digits)  # the digits of one known sample may be another's conflict
        sub_ns = min(max(after for _, after in known) if apart else sub_ns, SUB_NS_MAX)
        repeat = bool(items) and len(digits) == len(items)
        if apart or not repeat:
            for item in items:
                self._insert(*item, sub_ns)
        return Verdict(sub_ns, repeat, conflict=sub_ns > 0 and (apart or not repeat))

    def _find(self, key: int, contents: tuple[int | None, ...]) -> tuple[int | None, int]:
        """(digits of an equal entry or None, first free digits at that time for these names)."""
        time = key >> _NAMES_BITS
        names = key & _NAMES_MASK
        index = bisect_left(self._keys, time << _NAMES_BITS)
        found, free = None, 0
        while index < len(self._keys) and self._keys[index] >> _NAMES_BITS == time:
            known, content = self._keys[index], self._hashes[index]
            digits = self._digits.get((known, content), 0) if self._digits else 0
            if known == key and names != _ANY_NAMES and content in contents:
                found = max(found or 0, digits)
            if _NAMES.overlap(known & _NAMES_MASK, names):
                free = max(free, digits + 1)
            index += 1
        return found, free

    def _insert(self, key: int, content: int, digits: int) -> None:
        index = bisect_right(self._keys, key)
        if content not in self._hashes[bisect_left(self._keys, key) : index]:
            self._keys.insert(index, key)
            self._hashes.insert(index, content)
            self._newest = max(self._newest, key >> _NAMES_BITS)
        if digits:
            self._digits[key, content] = digits
        if len(self._keys) > self._most:
            self._trim()

    def _trim(self) -> None:
        """Forget the oldest, some at once: moving what stays costs more than forgetting one."""
        surplus = len(self._keys) - self._size
        if self._digits:
            self._spare(surplus)
            for entry in zip(self._keys[:surplus], self._hashes[:surplus], strict=True):
                self._digits.pop(entry, None)
        del self._keys[:surplus], self._hashes[:surplus]

    def _spare(self, surplus: int) -> None:
        """Put last, at the time that is forgotten in part only, the entries that tell which digits are free.

        A clock that stands still has one time for ever: forgotten digits would be given again.
        """
        time = self._keys[surplus] >> _NAMES_BITS
        start = bisect_left(self._keys, time << _NAMES_BITS)
        stop = bisect_left(self._keys, time + 1 << _NAMES_BITS)
        entries = list(zip(self._keys[start:stop], self._hashes[start:stop], strict=True))
        highest: dict[int, int] = {}
        for key, content in entries:
            highest[key] = max(highest.get(key, 0), self._digits.get((key, content), 0))

        def worth(entry: tuple[int, int]) -> tuple[bool, int]:
            digits = self._digits.get(entry, 0)
            return digits == highest[entry[0]], digits

        entries.sort(key=worth)
        gone = max(0, surplus - start)
        entries = entries[:gone] + sorted(entries[gone:], key=itemgetter(0))
        self._keys[start:stop] = array("q", [key for key, _ in entries])
        self._hashes[start:stop] = array("q", [content for _, content in entries])


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
