"""From instruments to records: the bus, the schedule, the task that reads, and what becomes of a reading."""

import asyncio

from shutan_meters.errors import MeterError, NoAnswer
from shutan_node import hal, record
from shutan_wire.quality import RANGE, SENSOR_FAULT, WARMING_UP

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from shutan_meters.master import Device
    from shutan_node import board, shapes, totals
    from shutan_node.clock import Clock
    from shutan_node.columns import Columns
    from shutan_node.console import Console
    from shutan_node.delivery import Delivery
    from shutan_node.drivers.driver import Driver
    from shutan_node.store import Store

_LIMIT = 512  # bytes of one answer, noise included
_DEAD_AFTER = 3  # readings without an answer
_MAX_BACK_OFF = 32  # intervals
_TOLD = (SENSOR_FAULT, WARMING_UP, RANGE)  # qualities that are recorded without a value


class Bus:
    """Half-duplex serial bus.

    line: has write(bytes) and read() -> bytes or None; char_ms: time of one character, rounded up.
    """

    def __init__(self, line: "shapes.Line", char_ms: int) -> None:
        self._line = line
        self._char_ms = char_ms
        self.now_ms = hal.uptime_ms

    async def transact(
        self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int
    ) -> bytearray:
        """Send `request` (nothing if empty), collect until `complete(buffer)` > 0 or the time is over.

        Returns what came, noise included; NoAnswer if nothing did.
        """
        line = self._line
        line.read()  # late bytes of an earlier answer
        if request:
            line.write(request)
        limit = hal.real_ms() + timeout_ms + len(request) * self._char_ms
        buffer = bytearray()
        while True:
            data = line.read()
            if data:
                buffer += data
                if len(buffer) >= _LIMIT or complete(buffer) > 0:
                    return buffer
            elif hal.real_ms() >= limit:
                if buffer:
                    return buffer
                raise NoAnswer("bus", "silent")
            else:
                await asyncio.sleep_ms(4 * self._char_ms)

    def totals(self, name: str, count: int) -> "totals.Totals":
        """See shutan_node.totals."""
        from shutan_node import totals

        return totals.of(name, count)


class Instrument:
    """A meter with its columns and its schedule.

    meter: shutan_meters.master.Device or a driver; columns: its Columns; items: item of each column, 255 = none any
    more; wanted: mask of items to ask for, None = all; interval_ms: between readings, process
    time; `silent`: readings without an answer since the last one.
    """

    def __init__(
        self,
        meter: "Device | Driver",
        columns: "Columns",
        items: bytes,
        wanted: "bytes | None",
        interval_ms: int,
    ) -> None:
        self.meter = meter
        self.columns = columns
        self.interval_ms = interval_ms
        self.due_ms = 0
        self._items = items
        self._wanted = wanted
        self._fresh = bytearray(len(items))
        self.silent = 0

    async def read(self, bus: "Any", clock: "Clock") -> int:
        """Ask the meter; how many columns are due for a record. MeterError when it gave no usable answer."""
        meter = self.meter
        columns = self.columns
        time_ms, relative = clock.now()
        uptime_s = clock.uptime_ms() // 1000
        try:
            await meter.read(bus, self._wanted)
        except MeterError:
            self.silent += 1
            if self.silent == _DEAD_AFTER:
                columns.alive = False
                columns.spoil()
            raise
        self.silent = 0
        columns.alive = True
        columns.time_ms = time_ms
        columns.relative = relative
        for column in range(len(self._items)):
            item = self._items[column]
            value = None if item == 255 else meter.values[item]
            self._fresh[column] = 0 if value is None else 1
            if value is not None:
                columns.set(column, value, meter.qualities[item])
                meter.values[item] = None  # a boxed number less to keep
            elif item != 255 and meter.qualities[item] in _TOLD:
                columns.poor(column, meter.qualities[item])
                self._fresh[column] = 1
        return columns.select(self._fresh, uptime_s, self.interval_ms // 2000)

    def plan(self, clock: "Clock") -> None:
        """Set the next reading: at a multiple of the interval in UTC, later and later while the meter is silent."""
        step = self.interval_ms
        if self.silent >= _DEAD_AFTER:
            step *= min(1 << (self.silent - _DEAD_AFTER + 1), _MAX_BACK_OFF)
        now = clock.uptime_ms()
        self.due_ms = now + step - (now + (clock.offset or 0)) % step


class Recorder:
    """Where readings become records. Shared by all samplers. size: bytes for the longest body.

    dropped: records that could not be kept.
    """

    def __init__(self, console: "Console", clock: "Clock", store: "Store", delivery: "Delivery", size: int) -> None:
        self.console = console
        self.clock = clock
        self.dropped = 0
        self._store = store
        self._delivery = delivery
        self._body = memoryview(bytearray(size))

    def record(self, columns: "Columns") -> None:
        """Make a record of the columns that are due."""
        body = self._body
        size = record.encode(body, columns)
        if self.clock.offset is not None:
            record.stamp(body, self.clock.offset)  # the first sync came while the meter was asked
        try:
            self._store.add(body[:size])
        except OSError as error:
            self.dropped += 1
            self.console.error("store", error)
            return
        self.console.samples += sum(columns.due)
        self._delivery.added(hal.real_ms())


class Sampler:
    """Task of one bus: reads its instruments when they are due. A dead one is asked less and less and holds up nobody.

    `beat` is the real time of its last step, for the watchdog.
    """

    def __init__(self, bus: "Bus | board.Bus", instruments: "list[Instrument]", recorder: Recorder) -> None:
        self._bus = bus
        self.instruments = instruments
        self._recorder = recorder
        self.beat = 0

    async def run(self, _node: object) -> None:
        """Read for ever."""
        recorder = self._recorder
        clock = recorder.clock
        while True:
            self.beat = hal.real_ms()
            nearest = self.instruments[0]
            for instrument in self.instruments:
                if instrument.due_ms < nearest.due_ms:
                    nearest = instrument
            wait_ms = nearest.due_ms - clock.uptime_ms()
            if wait_ms > 0:
                await asyncio.sleep_ms(min(wait_ms // hal.RATE + 1, 1000))
                continue
            columns = nearest.columns
            alive = columns.alive
            try:
                due = await nearest.read(self._bus, clock)
                if not alive:
                    recorder.console.say("birth", device=columns.name)
                if due:
                    recorder.record(columns)
            except MeterError as error:
                if nearest.silent == _DEAD_AFTER:
                    recorder.console.say("death", device=columns.name, reason=str(error))
            nearest.plan(clock)
