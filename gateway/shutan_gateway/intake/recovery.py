"""Start of intake: watermarks, totals and conflict windows as if the process had never ended.

The checkpoint in the registry holds for a spool position. Every record behind it is read again, so what is recognised
as a repeat after kill -9 is exactly what is on disk.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.counters import PERSISTENT, Counters, Key
from shutan_gateway.errors import Refusal
from shutan_gateway.intake.sessions import Stream
from shutan_gateway.intake.watermarks import Watermark
from shutan_gateway.payload.decode import decode
from shutan_gateway.registry.state import SessionRow, State, WatermarkRow
from shutan_gateway.spool.log import GAP, Position, Spool, SpoolRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_gateway.intake.host import Host
    from shutan_gateway.payload.decoder import Shapes
    from shutan_gateway.payload.definition import Definition
    from shutan_gateway.payload.shape import Layout

__all__ = ["durable_position", "recover", "save"]

_SEEDED_RECORDS = 5_000  # newest records whose times the conflict windows learn again
_READ_BYTES = 4_000_000


def durable_position(state: State) -> Position:
    """The newest position that the registry knows to be on disk."""
    positions = [progress.position for progress in state.progress().values()]
    return max([state.load_checkpoint().position, *positions], key=lambda position: position.ordinal)


class _Births(NamedTuple):
    """Definitions and sessions by their registry numbers, read once each."""

    state: State
    shapes: Shapes
    schemas: dict[int, tuple[str, str, str, Definition] | None]
    sessions: dict[int, SessionRow | None]

    def schema(self, schema_id: int) -> tuple[str, str, str, Definition] | None:
        if schema_id not in self.schemas:
            row = self.state.schema(schema_id)
            found = None
            if row is not None:
                with contextlib.suppress(ValueError, TypeError):
                    found = (row.site, row.node, row.device, self.shapes.definition(row.definition))
            self.schemas[schema_id] = found
        return self.schemas[schema_id]

    def session(self, session_id: int) -> SessionRow | None:
        if session_id not in self.sessions:
            self.sessions[session_id] = self.state.session(session_id)
        return self.sessions[session_id]


def recover(state: State, spool: Spool, counters: Counters, host: Host) -> None:
    """Bring host and counters to the durable end of the spool, then save that. Raises StateUnavailable."""
    spool.discard_unsynced()
    checkpoint = state.load_checkpoint()
    births = _Births(state, host.shapes, {}, {})
    streams = {
        (mark.site, mark.node, mark.store_id): Stream(
            mark.site, mark.node, mark.store_id, Watermark(mark.upto, mark.above), mark.floor
        )
        for mark in checkpoint.watermarks
    }
    totals = {Key(name): 0 for name in PERSISTENT if name != "shutan_rejected_total"} | checkpoint.totals
    position = checkpoint.position
    while position.ordinal < spool.end.ordinal:
        batch, position = spool.read(position, _READ_BYTES)
        for record in batch:
            _replay(record, births, streams, totals)
    rejected = sum(n for key, n in totals.items() if key.name == "shutan_rejected_total")
    accepted = spool.end.ordinal
    totals[Key("shutan_accepted_total")] = accepted
    totals[Key("shutan_received_total")] = accepted + rejected + totals[Key("shutan_duplicates_total")]
    counters.load(totals)
    host.known(state.nodes(), streams.values())
    _seed(spool, births, host)
    save(state, spool.end, streams.values(), counters)


def _replay(
    record: SpoolRecord, births: _Births, streams: dict[tuple[str, str, int], Stream], totals: dict[Key, int]
) -> None:
    """What a spool record did to watermarks and totals when it was accepted."""
    if record.sub_ns:
        totals[Key("shutan_conflicts_total")] += 1
    session = births.session(record.session_id)
    if session is None or not record.record:
        return
    key = (session.site, session.node, session.store_id)
    stream = streams.get(key)
    if stream is None:
        stream = streams[key] = Stream(*key)
    stream.dirty = True
    if record.kind == GAP:
        schema = births.schema(record.schema_id)
        if schema is not None:
            with contextlib.suppress(Refusal):
                gap = decode(schema[3], record.raw, record.received_ms).gap
                if gap is not None:
                    never = stream.close_gap(gap.first, gap.last)
                    totals[Key("shutan_gap_unsaved_total" if gap.unsaved else "shutan_gap_overwritten_total")] += never
    stream.mark.add(record.record)


def _seed(spool: Spool, births: _Births, host: Host) -> None:
    """Let the conflict windows know the newest records."""
    wanted = spool.end.ordinal - _SEEDED_RECORDS
    position = spool.position_before(wanted)
    decoder = host.acceptor.decoder
    layouts: dict[int, list[Layout]] = {}
    while position.ordinal < spool.end.ordinal:
        batch, following = spool.read(position, _READ_BYTES)
        skipped = max(0, wanted - position.ordinal)
        for record in batch[skipped:]:
            schema = births.schema(record.schema_id)
            if schema is not None:
                recent = layouts.setdefault(record.schema_id, [])
                with contextlib.suppress(Refusal):
                    host.acceptor.seed(*schema[:3], decoder.decode(schema[3], record.raw, record.received_ms, recent))
        position = following


def save(state: State, position: Position, streams: Iterable[Stream], counters: Counters) -> None:
    """Checkpoint: changed watermarks and the persistent totals hold for `position`. Raises StateUnavailable."""
    changed = [stream for stream in streams if stream.dirty]
    marks = [WatermarkRow(s.site, s.node, s.store_id, s.mark.upto, s.mark.above, s.floor) for s in changed]
    totals = {key: value for key, value in counters.snapshot().items() if key.name in PERSISTENT}
    state.checkpoint(position, marks, totals)
    for stream in changed:
        stream.dirty = False
