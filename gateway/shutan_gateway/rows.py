"""Rows: what a series store receives, one per family, device and sample time.

`RowReader` turns one spool record into rows, by itself: the registry holds the birth that explains the raw payload, so
every delivery of the same record to any store gives the same rows with the same nanosecond timestamps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shutan_gateway.errors import Refusal
from shutan_gateway.payload.decode import Value
from shutan_gateway.payload.decoder import Decoder, Shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.payload.definition import Definition
    from shutan_gateway.payload.recent import Samples
    from shutan_gateway.payload.shape import Layout
    from shutan_gateway.registry.state import State
    from shutan_gateway.spool.log import SpoolRecord

__all__ = ["Row", "RowReader", "Value"]

_tuple = cast("Callable[..., Any]", tuple.__new__)
_REMEMBERED = 5_000  # births and sessions kept in memory


class Row(NamedTuple):
    """Samples of one device at one time in one measurement family.

    | field       | meaning |
    |-------------|---------|
    | family      | measurement: energy, environment, equipment, node, or `unmapped` for names outside the catalogue |
    | site, node  | Sparkplug group and edge node |
    | device      | Sparkplug device, "" for the node itself |
    | t_ns        | UTC nanoseconds since 1970; sub-millisecond digits only where a conflict was kept |
    | record      | record number of the node's store, None for foreign nodes |
    | boot        | boot id of the session that sent it (unsigned 64 bit), None for foreign nodes |
    | received_ms | receive time of the gateway, UTC ms |
    | metrics     | field names, safe for every store; rows of one payload shape share the same tuple object |
    | values      | one value per name: int (signed 64 bit), finite float, bool or str |
    | qualities   | (name, Sparkplug quality code) only where not good; a name here may have no value in `metrics` |
    """

    family: str
    site: str
    node: str
    device: str
    t_ns: int
    record: int | None
    boot: int | None
    received_ms: int
    metrics: tuple[str, ...]
    values: tuple[Value, ...]
    qualities: tuple[tuple[str, int], ...]


class RowReader:
    """Decoder of spool records. Not thread-safe: every delivery thread owns one."""

    def __init__(self, state: State, shapes: Shapes | None = None) -> None:
        """shapes: what the process has learned about payloads; shared, it is learned once."""
        self._state = state
        self._shapes = shapes or Shapes()
        self._decoder = Decoder(self._shapes)
        self._schemas: dict[int, tuple[str, str, str, Definition, list[Layout]]] = {}
        self._places: dict[tuple[int, int], tuple[str, str, str, int | None]] = {}

    def rows(self, record: SpoolRecord) -> list[Row]:
        """All rows of one spool record, in payload order.

        An empty list is possible (a record that carries only protocol metrics): it counts as stored.
        Raises Refusal when the record cannot be decoded (its birth is not in the registry): it counts as dead.
        """
        schema = self._schemas.get(record.schema_id) or self._load_schema(record.schema_id)
        return self.rows_of(record, self._decoder.decode(schema[3], record.raw, record.received_ms, schema[4]).groups)

    def rows_of(self, record: SpoolRecord, samples: Samples) -> list[Row]:
        """All rows of a record whose samples, or the lanes that read them, are known. Raises Refusal as `rows` does."""
        _, schema_id, session_id, number, received_ms, sub_ns, raw = record
        place = self._places.get((schema_id, session_id))
        if place is None:
            place = self._load_place(schema_id, session_id)
        site, node, device, boot = place
        groups = samples if isinstance(samples, list) else samples.groups(raw)
        number = number or None
        # The same named tuple as from its class, without the function that the class goes through.
        return [
            _tuple(
                Row,
                (
                    family,
                    site,
                    node,
                    device,
                    t_ms * 1_000_000 + sub_ns,
                    number,
                    boot,
                    received_ms,
                    metrics,
                    values,
                    qualities,
                ),
            )
            for family, t_ms, metrics, values, qualities in groups
        ]

    @property
    def decoded(self) -> int:
        """Records decoded here; those that intake had just decoded are not among them."""
        return self._decoder.hits + self._decoder.misses

    def _load_schema(self, schema_id: int) -> tuple[str, str, str, Definition, list[Layout]]:
        row = self._state.schema(schema_id)
        if row is None:
            raise Refusal("no_schema", f"birth {schema_id} is not in registry.sqlite")
        if len(self._schemas) >= _REMEMBERED:
            self._schemas.clear()
        try:
            definition = self._shapes.definition(row.definition)
        except (ValueError, TypeError) as error:
            raise Refusal("no_schema", f"birth {schema_id} in registry.sqlite is damaged") from error
        found = self._schemas[schema_id] = (row.site, row.node, row.device, definition, [])
        return found

    def _load_place(self, schema_id: int, session_id: int) -> tuple[str, str, str, int | None]:
        """Site, node, device and boot id of a birth's records in a session."""
        site, node, device = (self._schemas.get(schema_id) or self._load_schema(schema_id))[:3]
        session = self._state.session(session_id) if session_id else None
        if len(self._places) >= _REMEMBERED:
            self._places.clear()
        place = self._places[schema_id, session_id] = (site, node, device, None if session is None else session.boot_id)
        return place
