"""Rows: what a series store receives, one per family, device and sample time.

`RowReader` turns one spool record into rows, by itself: the registry holds the birth that explains the raw payload, so
every delivery of the same record to any store gives the same rows with the same nanosecond timestamps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shutan_gateway.spool import SpoolRecord
    from shutan_gateway.state import State

__all__ = ["Row", "RowReader", "Value"]

Value = int | float | bool | str


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

    def __init__(self, state: State) -> None:
        self._state = state

    def rows(self, record: SpoolRecord) -> list[Row]:
        """All rows of one spool record, in payload order.

        An empty list is possible (a record that carries only protocol metrics): it counts as stored.
        Raises Refusal when the record cannot be decoded (its birth is not in the registry): it counts as dead.
        """
        raise NotImplementedError
