# Types of the node for type checkers alone: nothing imports this at run time, no build compiles it.
#
# Rows of the plan are JSON arrays, so lists when it is read; here they are tuples, which have a type for every place.

from collections.abc import Callable, Mapping
from typing import Any, NotRequired, Protocol, TypeAlias, TypedDict

from shutan_meters.master import Device
from shutan_node.drivers.driver import Driver

Body: TypeAlias = bytes | bytearray | memoryview
Window: TypeAlias = bytearray | memoryview

# of one device in the configuration, see each driver
DriverOptions: TypeAlias = Mapping[str, Any]

# id, first number, last number, bytes: see journal
Segment: TypeAlias = list[int]

# uart, baud, format, pins tx, rx, de
LineRow: TypeAlias = tuple[int, int, str, int | None, int | None, int | None]

# column, deadband, max_silence_s, interval_s
RuleRow: TypeAlias = tuple[int, float, int, int]

# kind of a bus of sensors and its numbers and pins, see plan
BoardRow: TypeAlias = list[str | int]

# slot, index of its profile, address, ct, pt, hex of items, hex of wanted, interval_ms, rules;
# of a driver its name instead of the index and its options instead of ct
MeterRow: TypeAlias = tuple[
    int, int | str, str | int, list[int] | DriverOptions, list[int], str, str, int, list[RuleRow]
]

# name, protocol, baud, line, timeout_ms; hex of reads, ids, in_read, at, forms, flags, singles; num, den, low, high
ProfileRow: TypeAlias = tuple[
    str, str, int, str, int, str, str, str, str, str, str, str, list[int], list[int], list[float], list[float]
]

BusRow: TypeAlias = tuple[LineRow | BoardRow, list[MeterRow]]

# device or "" for the node, hex of ids, hex of datatypes, names
SlotRow: TypeAlias = list[str]

# what start makes of a MeterRow: Device or Driver, slot, items, wanted, interval_ms, rules
Meter: TypeAlias = tuple[Device | Driver, int, bytes, bytes | None, int, list[RuleRow]]
Bus: TypeAlias = tuple[LineRow | BoardRow, list[Meter]]

class Address(TypedDict):
    host: str
    port: int

# in the plan, packets in hex
class PackedBroker(Address):
    keepalive_s: int
    state: str
    connect: str
    at: int
    subscribe: str
    death: str

# of a running node; state: topic of the primary host or ""; at: place of bdSeq in `connect`
class Broker(Address):
    keepalive_s: int
    state: str
    connect: bytearray
    at: int
    subscribe: bytearray
    death: bytearray

class StoreOptions(TypedDict):
    ram_window_s: int
    ram_records: int
    ram_bytes: int
    flash_bytes: int
    foreign_after_s: int

# `plan.json`; the start takes out what it has used up
class Plan(TypedDict):
    crc: int
    was: int
    slots: NotRequired[list[SlotRow]]
    profiles: NotRequired[list[ProfileRow]]
    buses: NotRequired[list[BusRow]]
    prefix: str
    node: str
    broker: PackedBroker
    time: Address
    store: StoreOptions
    wifi: dict[str, str] | None
    node_interval_s: int

# see journal.Files
class Files(Protocol):
    def names(self, folder: str, /) -> list[str]: ...
    def size(self, name: str, /) -> int: ...
    def read(self, name: str, offset: int, out: Window, /) -> int: ...
    def append(self, name: str, data: Body, /) -> None: ...
    def replace(self, name: str, data: bytes, /) -> None: ...
    def remove(self, name: str, /) -> None: ...

# see hal.Line
class Line(Protocol):
    @property
    def read(self) -> Callable[[], bytes | None]: ...
    def write(self, data: bytes, /) -> None: ...

# the RTC's memory: without an argument its bytes, else keep these; see totals
class Memory(Protocol):
    def __call__(self, data: bytes = ..., /) -> bytes | None: ...
