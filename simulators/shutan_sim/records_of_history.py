"""History of one node as Sparkplug messages: births and numbered records, encoded at the wire.

Record n is a function of n, so nothing is kept for a resend. Its store is one of its own, with an id that follows from
what the history is (site, node, seed, times): the node's live records keep their numbers, and the same history sent
twice is the same store, whose records the gateway knows already.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from shutan_sim.instruments.instrument import Instrument
from shutan_sim.truth import Truth
from shutan_wire import records
from shutan_wire.catalogue import by_name
from shutan_wire.datatypes import BOOLEAN, DATETIME, FLOAT, INT64, UINT64
from shutan_wire.encode import Writer
from shutan_wire.epoch import split
from shutan_wire.ids import topic

_BUFFER = 16_384
_INTEGER = struct.Struct("<Q")
_FLOAT = struct.Struct("<f")


class _Column(NamedTuple):
    """One metric of a device: name, alias, datatype."""

    metric: str
    alias: int
    datatype: int


@dataclass(frozen=True, slots=True)
class Span:
    """Sample times: the last `count` multiples of `interval_ms` before `start_ms`, where the live plant begins."""

    start_ms: int
    interval_ms: int
    count: int

    @classmethod
    def before(cls, start_ms: int, days: int, interval_s: int) -> "Span":
        """`days` days up to the last multiple of the interval before `start_ms`."""
        return cls(start_ms, interval_s * 1000, days * 86_400 // interval_s)

    def time_ms(self, index: int) -> int:
        """Time of sample 0 .. count-1."""
        last = (self.start_ms - 1) // self.interval_ms * self.interval_ms
        return last - (self.count - 1 - index) * self.interval_ms


def _columns(instrument: Instrument, index: int) -> tuple[_Column, ...]:
    """Columns of device `index` (1..) in catalogue order."""
    found: list[_Column] = []
    for name in instrument.device.metrics:
        metric = by_name(name)
        if metric is None:
            raise ValueError(name)
        found.append(_Column(name, records.alias_of(index, metric.id), metric.datatype))
    return tuple(found)


class NodeHistory:
    """Messages of one node. total: records 1..total, each one sample of one device, in time order."""

    def __init__(self, site: str, node: str, instruments: list[Instrument], span: Span, seed: int) -> None:
        self.node = node
        self.span = span
        self.total = span.count * len(instruments)
        self.store_id = _number(f"history store/{site}/{node}/{seed}/{span}")
        self._boot_id = _number(f"history boot/{site}/{node}/{seed}/{span}")
        self._site = site
        self._instruments = instruments
        self._columns = [_columns(instrument, index) for index, instrument in enumerate(instruments, 1)]
        self._topics = [topic(site, "DDATA", node, instrument.device.id) for instrument in instruments]
        self._buffer = bytearray(_BUFFER)
        self._writer = Writer(self._buffer)
        self._image = bytearray(8)
        self._noted = 0

    def will(self, bdseq: int) -> tuple[str, bytes]:
        """NDEATH, which is also the planned farewell."""
        hi, lo = split(self.span.start_ms)
        self._writer.reset()
        self._writer.head(hi, lo)
        self._writer.named_int(records.BDSEQ, None, hi, lo, INT64, bdseq)
        return topic(self._site, "NDEATH", self.node), self._message()

    def births(self, bdseq: int, acknowledged: int, now_ms: int) -> list[tuple[str, bytes]]:
        """NBIRTH and all DBIRTHs, seq 0.. in this order."""
        hi, lo = split(now_ms)
        writer = self._writer
        writer.reset()
        writer.head(hi, lo)
        writer.named_int(records.BDSEQ, None, hi, lo, INT64, bdseq)
        writer.named_int(records.REBIRTH, None, hi, lo, BOOLEAN, 0)
        for name, value in (
            (records.STORE_ID, self.store_id),
            (records.BOOT_ID, self._boot_id),
            (records.STORE_FIRST, 1),
            (records.UNSAVED, 0),
            (records.ACK_STORE, self.store_id),
            (records.ACK, acknowledged),
        ):
            writer.named_int(name, None, hi, lo, UINT64, value)
        writer.named(records.RECORD, records.RECORD_METRIC_ID, hi, lo, UINT64)
        for name, alias, datatype in (
            (records.GAP_FROM, records.GAP_FROM_ID, UINT64),
            (records.GAP_TO, records.GAP_TO_ID, UINT64),
            (records.GAP_START, records.GAP_START_ID, DATETIME),
            (records.GAP_END, records.GAP_END_ID, DATETIME),
            (records.GAP_UNSAVED, records.GAP_UNSAVED_ID, BOOLEAN),
        ):
            writer.named(name, alias, hi, lo, datatype)
        writer.seq(0)
        born = [(topic(self._site, "NBIRTH", self.node), self._message())]
        born += [self._device_birth(index, hi, lo) for index in range(len(self._instruments))]
        return born

    def record(self, number: int, seq: int, truth: Truth | None = None) -> tuple[str, bytes]:
        """Topic and payload of record `number` (1..total); noted in `truth` the first time."""
        sample, which = divmod(number - 1, len(self._instruments))
        t_ms = self.span.time_ms(sample)
        hi, lo = split(t_ms)
        instrument = self._instruments[which]
        first_time = number > self._noted
        self._noted = max(self._noted, number)
        writer = self._writer
        writer.reset()
        writer.head(hi, lo)
        writer.metric_int(records.alias_of(which + 1, 0), hi, lo, *split(number), historical=True)
        for column in self._columns[which]:
            if column.datatype == FLOAT:
                _FLOAT.pack_into(self._image, 0, instrument.gauges.value(column.metric, t_ms))
            else:
                value = self._counter(instrument, column.metric, t_ms, truth if first_time else None)
                _INTEGER.pack_into(self._image, 0, value)
            writer.metric(column.alias, hi, lo, column.datatype, self._image, 0, historical=True)
        writer.seq(seq)
        return self._topics[which], self._message()

    def _counter(self, instrument: Instrument, metric: str, t_ms: int, truth: Truth | None) -> int:
        register = instrument.registers.get(metric)
        if register is None:  # a state or event: the instruments here have none but quiet alarms
            return round(instrument.gauges.value(metric, t_ms))
        value = register.value(t_ms)
        if truth is not None:
            truth.note(register.meter, metric, t_ms, value)
        return value

    def _device_birth(self, which: int, hi: int, lo: int) -> tuple[str, bytes]:
        writer = self._writer
        writer.reset()
        writer.head(hi, lo)
        writer.named(records.RECORD, records.alias_of(which + 1, 0), hi, lo, UINT64)
        for column in self._columns[which]:
            writer.named(column.metric, column.alias, hi, lo, column.datatype)
        writer.seq(which + 1)
        return topic(self._site, "DBIRTH", self.node, self._instruments[which].device.id), self._message()

    def _message(self) -> bytes:
        return bytes(self._buffer[: self._writer.pos])


def _number(text: str) -> int:
    """A 64-bit id that follows from a text."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")
