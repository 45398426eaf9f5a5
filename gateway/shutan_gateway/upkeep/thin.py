"""`[spool] when_full = "thin"`: where undelivered records fill the spool, gauges of the oldest go, registers stay.

A segment is written again with the same groups and the same records, each without its gauges of the catalogue. States,
events, whatever is not in the catalogue, record numbers and gaps stay as well, so energy is exact and accounting holds.
Every value that goes is counted and every segment is listed in thinned.jsonl.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.errors import StateUnavailable
from shutan_gateway.payload.definition import UNMAPPED, Role
from shutan_gateway.spool import segment as layout
from shutan_gateway.spool.retention import Thinned
from shutan_gateway.spool.segment import FIRST_GROUP
from shutan_wire import catalogue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.counters import Counters
    from shutan_gateway.payload.decoder import Shapes
    from shutan_gateway.payload.definition import Definition, Field
    from shutan_gateway.registry.state import State
    from shutan_gateway.spool.opening import Segment
    from shutan_gateway.spool.segment import SpoolRecord

__all__ = ["LIST", "Thinner", "without"]

log = logging.getLogger("shutan.spool")

LIST = "thinned.jsonl"
_DATA = 1  # the kind of spool records that hold samples beside their birth (spool.DATA)
_METRIC = 2  # field of Payload
_NAME, _ALIAS = 1, 2  # fields of Metric


class _Gauges(NamedTuple):
    """How the gauges of a birth are called in payloads."""

    aliases: frozenset[int]
    names: frozenset[bytes]


_NONE = _Gauges(frozenset(), frozenset())


class Thinner:
    """Used by the spool's writer. A segment that would not become smaller is left alone for good."""

    def __init__(self, state: State, shapes: Shapes, counters: Counters) -> None:
        self._state = state
        self._shapes = shapes
        self._counters = counters
        self._done: set[int] = set()
        self._gauges: dict[int, _Gauges] = {}

    def thin(self, segments: Sequence[Segment]) -> Thinned | None:
        """Thin the oldest of these segments that can be; None when none can. Raises OSError; then nothing changed."""
        for segment in segments:
            if segment.number not in self._done:
                thinned = self._thin(segment)
                self._done.add(segment.number)
                if thinned is not None:
                    return thinned
        return None

    def _thin(self, segment: Segment) -> Thinned | None:
        data = segment.path.read_bytes()
        seed = layout.seed_of(segment.number)
        parts = [data[:FIRST_GROUP]]
        at, count, dropped = FIRST_GROUP, 0, 0
        while (group := layout.parse_group(data, at, seed)) is not None:
            records = [self._record(record) for record in group.records]
            dropped += sum(values for _, values in records)
            count += len(records)
            parts.append(layout.encode_group([record for record, _ in records], group.ordinal, seed))
            at = group.stop
        if not dropped or data[at : segment.size].strip(b"\0"):
            return None  # nothing to gain, or damage, which is left as it is for what can be saved of it
        content = b"".join(parts)
        temporary = segment.path.with_suffix(".thin")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._note(segment, count, dropped, len(content))
        temporary.replace(segment.path)
        self._counters.inc("shutan_spool_thinned_total", dropped)
        log.warning(
            "spool full: segment %d has lost %d undelivered gauge values to make room; its registers are kept",
            segment.number,
            dropped,
        )
        return Thinned(segment, segment._replace(size=len(content)))

    def _note(self, segment: Segment, records: int, dropped: int, size: int) -> None:
        """A line in the list, durable before anything goes."""
        facts = {
            "at_ms": time.time_ns() // 1_000_000,
            "segment": segment.number,
            "first_ordinal": segment.first_ordinal,
            "records": records,
            "values": dropped,
            "bytes": [segment.size, size],
        }
        with (segment.path.parent / LIST).open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _record(self, record: SpoolRecord) -> tuple[SpoolRecord, int]:
        """A record without its gauges, and how many values that were; births and gaps stay whole."""
        if record.kind != _DATA:
            return record, 0
        gauges = self._gauges.get(record.schema_id) or self._learn(record.schema_id)
        raw, dropped = without(record.raw, gauges.aliases, gauges.names)
        return (record._replace(raw=raw), dropped) if dropped else (record, 0)

    def _learn(self, schema_id: int) -> _Gauges:
        """The gauges of a birth; none for a birth that cannot be had now, whose records stay as they are."""
        definition: Definition | None = None
        with contextlib.suppress(StateUnavailable, ValueError, TypeError):
            row = self._state.schema(schema_id)
            definition = None if row is None else self._shapes.definition(row.definition)
        if definition is None:
            return _NONE
        aliases = [alias for alias, field in definition.by_alias.items() if _is_gauge(field)]
        names = [name.encode() for name, field in definition.by_name.items() if _is_gauge(field)]
        found = self._gauges[schema_id] = _Gauges(frozenset(aliases), frozenset(names))
        return found


def _is_gauge(field: Field) -> bool:
    known = catalogue.by_name(field.name)
    return field.role == Role.SAMPLE and field.family != UNMAPPED and known is not None and known.kind == "gauge"


def without(raw: bytes, aliases: frozenset[int], names: frozenset[bytes]) -> tuple[bytes, int]:
    """A Sparkplug payload without the metrics of these aliases and names, and how many were left out.

    Every other byte stays as it is. A payload that cannot be walked comes back whole.
    """
    kept: list[bytes] = []
    dropped, at = 0, 0
    try:
        while at < len(raw):
            start = at
            tag, at = _varint(raw, at)
            value, at = _skip(raw, at, tag & 7)
            if tag >> 3 == _METRIC and value is not None and _is_among(value, aliases, names):
                dropped += 1
            else:
                kept.append(raw[start:at])
    except (IndexError, ValueError):
        return raw, 0
    return b"".join(kept), dropped


def _is_among(metric: bytes, aliases: frozenset[int], names: frozenset[bytes]) -> bool:
    at = 0
    while at < len(metric):
        tag, at = _varint(metric, at)
        if tag == _ALIAS << 3:
            return _varint(metric, at)[0] in aliases
        value, at = _skip(metric, at, tag & 7)
        if tag >> 3 == _NAME and value is not None and value in names:
            return True
    return False


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a varint of more than ten bytes")


def _skip(data: bytes, at: int, kind: int) -> tuple[bytes | None, int]:
    """What follows a tag: the bytes of a length-delimited field, else None; and where it ends."""
    if kind == 0:
        return None, _varint(data, at)[1]
    if kind == 2:
        length, at = _varint(data, at)
        end = at + length
        value: bytes | None = data[at:end]
    elif kind in {1, 5}:
        value, end = None, at + (8 if kind == 1 else 4)
    else:
        raise ValueError("a wire type that Sparkplug does not use")
    if end > len(data):
        raise IndexError(end)
    return value, end
