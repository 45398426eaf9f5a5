"""Births, deaths and gap records. Loaded for the message and dropped after it."""

from shutan_node.columns import NO_VALUE
from shutan_wire import records
from shutan_wire.quality import BAD, GOOD

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node.columns import Columns
    from shutan_node.edge import Edge
    from shutan_node.link import Link

# of shutan_wire.datatypes, which would need 2 KB of heap at the narrowest moment
_INT64 = 4
_UINT64 = 8
_BOOLEAN = 11
_DATETIME = 13


async def all_of(link: "Link") -> None:
    """NBIRTH and the DBIRTH of every device that answers."""
    edge = link.edge
    edge.rebirth = False
    await link.send(_node(edge, link.boot))
    for columns in edge.devices:
        if columns.name is not None:
            columns.born = False
            if columns.alive:
                await link.send(device(edge, columns))


def _node(edge: "Edge", boot: int) -> memoryview:
    """NBIRTH; seq begins again."""
    store = edge.store
    edge.seq = 0
    hi, lo = edge.open()
    writer = edge.writer
    writer.named_int(records.BDSEQ, None, hi, lo, _INT64, store.bdseq)
    writer.named_int(records.REBIRTH, None, hi, lo, _BOOLEAN, 0)
    for name, value in (
        (records.STORE_ID, store.id),
        (records.BOOT_ID, boot),
        (records.STORE_FIRST, store.first),
        (records.UNSAVED, store.unsaved),
        (records.ACK_STORE, store.id),
        (records.ACK, store.acked),
    ):
        writer.named_int(name, None, hi, lo, _UINT64, value)
    for name, alias, datatype in (
        (records.GAP_FROM, records.GAP_FROM_ID, _UINT64),
        (records.GAP_TO, records.GAP_TO_ID, _UINT64),
        (records.GAP_START, records.GAP_START_ID, _DATETIME),
        (records.GAP_END, records.GAP_END_ID, _DATETIME),
        (records.GAP_UNSAVED, records.GAP_UNSAVED_ID, _BOOLEAN),
    ):
        writer.named(name, alias, hi, lo, datatype, None)
    _columns(edge, edge.devices[0], hi, lo)
    edge.devices[0].born = True
    return edge.close("NBIRTH", None)


def device(edge: "Edge", columns: "Columns") -> memoryview:
    """DBIRTH with every metric that the device may send."""
    hi, lo = edge.open()
    _columns(edge, columns, hi, lo)
    columns.born = True
    return edge.close("DBIRTH", columns.name)


def _columns(edge: "Edge", columns: "Columns", hi: int, lo: int) -> None:
    writer = edge.writer
    base = columns.slot * 256
    writer.named(records.RECORD, base, hi, lo, _UINT64, None)
    if not columns.relative:
        hi = columns.time_ms >> 21
        lo = columns.time_ms & 0x1FFFFF
    names = columns.names.split(" ")
    for column in range(len(names)):
        image = columns.image if columns.known(column) else None
        quality = columns.quality[column] & 0x7FFF if columns.alive else BAD
        writer.named(
            names[column],
            base + columns.ids[column],
            hi,
            lo,
            columns.types[column],
            image,
            8 * column,
            quality if image or columns.quality[column] & NO_VALUE else GOOD,
        )
