"""The metrics of one device (or of the node itself) as columns: a value is 8 raw bytes, not an object."""

from array import array
from struct import pack_into, unpack_from  # pyright: ignore[reportUnknownVariableType] - its stub names `array` without a type

from shutan_wire.quality import BAD, GOOD

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import TypeAlias

    Rules: TypeAlias = "tuple[array[float], array[int], array[int], array[int], bytearray]"

_FLOAT = 9
_DOUBLE = 10
_FORMATS = {_FLOAT: "<f", _DOUBLE: "<d"}

NO_VALUE = 0x8000  # beside a quality in `Columns.quality` and in records: there is no value, only this quality
_KNOWN = 1  # state bits: a value has been read
_SENT = 2  # a value has been recorded in this boot


class Columns:
    """Columns of a device.

    slot: alias base / 256; name: device id, None = the node; names: catalogue names, separated by blanks; ids, types:
    catalogue number and Sparkplug datatype of each column; image: the values read last, 8 bytes a column,
    little-endian; due: columns for the next record; time_ms, relative: when they were read; alive: the instrument
    answers; born: the last message about it was a birth.
    """

    def __init__(self, slot: int, name: "str | None", names: str, ids: bytes, types: bytes) -> None:
        count = len(ids)
        self.slot = slot
        self.name = name
        self.names = names
        self.ids = ids
        self.types = types
        self.image = bytearray(8 * count)
        self.quality = array("H", [GOOD] * count)
        self.due = bytearray(count)
        self._state = bytearray(count)
        self._rules: Rules | None = None
        self.time_ms = 0
        self.relative = True
        self.alive = name is None
        self.born = False

    def rule(self, column: int, deadband: float, silence_s: int, interval_s: int) -> None:
        """Record a column by exception: on a change above `deadband` or after `silence_s`, at most every `interval_s`.

        deadband < 0: every time that it is due. silence_s 0: no limit.
        """
        rules = self._rules
        if rules is None:
            count = len(self.due)
            rules = self._rules = (
                array("f", [-1.0] * count),
                array("H", bytes(2 * count)),
                array("H", bytes(2 * count)),
                array("I", bytes(4 * count)),
                bytearray(8 * count),
            )
        rules[0][column] = deadband
        rules[1][column] = silence_s
        rules[2][column] = interval_s

    def set(self, column: int, value: "int | float", quality: int = GOOD) -> None:
        """Store a value; ValueError for a number that its datatype cannot hold."""
        at = 8 * column
        form = _FORMATS.get(self.types[column])
        if form:
            if value - value != 0:  # NaN and infinity
                raise ValueError("column " + str(column))
            pack_into("<Q", self.image, at, 0)
            pack_into(form, self.image, at, value)
        else:
            value = int(value)
            if not -(1 << 63) <= value < 1 << 64:
                raise ValueError("column " + str(column))
            pack_into("<q" if value < 0 else "<Q", self.image, at, value)
        self.quality[column] = quality
        self._state[column] |= _KNOWN

    def poor(self, column: int, quality: int) -> None:
        """The sensor has no value, for the reason that the quality names."""
        self.quality[column] = quality | NO_VALUE

    def known(self, column: int) -> bool:
        """Whether there is a value that was read since boot."""
        return self._state[column] & _KNOWN != 0 and not self.quality[column] & NO_VALUE

    def spoil(self) -> None:
        """Mark every value as no longer current (the instrument is silent)."""
        for column in range(len(self.quality)):
            self.quality[column] = BAD

    def select(self, fresh: "bytearray | None", now_s: int, slack_s: int) -> int:
        """Mark the columns that go into the record of this reading; their count.

        fresh: which columns were read just now, None = all. now_s: uptime. slack_s: how early a column's own interval
        may be taken as over (half the reading interval).
        """
        count = 0
        rules = self._rules
        for column in range(len(self.due)):
            due = fresh is None or fresh[column]
            if due and rules is not None and self._state[column] & _SENT:
                due = self._is_due(rules, column, now_s, slack_s)
            self.due[column] = 1 if due else 0
            if due:
                count += 1
                self._state[column] |= _SENT
                if rules is not None:
                    rules[3][column] = now_s & 0x3FFFFFFF
                    rules[4][8 * column : 8 * column + 8] = self.image[8 * column : 8 * column + 8]
        return count

    def _is_due(self, rules: "Rules", column: int, now_s: int, slack_s: int) -> bool:
        deadbands, silences, intervals, sent_s, sent = rules
        waited_s = (now_s - sent_s[column]) & 0x3FFFFFFF
        if intervals[column] and waited_s + slack_s < intervals[column]:
            return False
        if deadbands[column] < 0 or (silences[column] and waited_s + slack_s >= silences[column]):
            return True
        at = 8 * column
        form = _FORMATS.get(self.types[column], "<q")
        before = unpack_from(form, sent, at)[0]
        now = unpack_from(form, self.image, at)[0]
        return self.quality[column] != GOOD or abs(now - before) > deadbands[column]
