"""Sparkplug messages of this node, built in one preallocated buffer."""

from shutan_node import record
from shutan_node.console import unload
from shutan_wire import records
from shutan_wire.command import read_command
from shutan_wire.encode import Writer
from shutan_wire.mqtt import publish_head

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node.clock import Clock
    from shutan_node.columns import Columns
    from shutan_node.store import Store

HEAD_ROOM = 128  # MQTT header: 5 bytes and the longest topic of our own, 2 + 8 + 32 + 7 + 32 + 33 bytes


class Edge:
    """The node on the wire.

    prefix: topics up to the kind; node: its id; devices: Columns by slot, 0 = the node itself;
    size: bytes for the largest payload. `seq` is the number of the next message.
    """

    def __init__(  # noqa: PLR0917 - once at start
        self, prefix: str, node: str, devices: "list[Columns]", store: "Store", clock: "Clock", size: int
    ) -> None:
        self._prefix = prefix
        self._node = "/" + node
        self.devices = devices
        self.store = store
        self.clock = clock
        self._buffer = memoryview(bytearray(HEAD_ROOM + size))
        self._head = bytearray(HEAD_ROOM)
        self.writer = Writer(self._buffer[HEAD_ROOM:])
        self.seq = 0
        self.rebirth = False
        self._rebirth = records.REBIRTH
        self._ack_store = records.ACK_STORE
        self._ack = records.ACK

    def ready(self) -> bool:
        """Whether anything may be sent: not before the clock is set."""
        return self.clock.offset is not None

    def open(self) -> "tuple[int, int]":
        """Begin a payload; its time in halves."""
        now = self.clock.now()[0]
        hi = now >> 21
        lo = now & 0x1FFFFF
        self.writer.reset()
        self.writer.head(hi, lo)
        return hi, lo

    def close(self, kind: str, device: "str | None") -> memoryview:
        """Finish a payload with its seq: the whole PUBLISH, valid until the next message is begun."""
        self.writer.seq(self.seq)
        self.seq = self.seq + 1 & 255
        topic = self._prefix + kind + self._node
        if device is not None:
            topic += "/" + device
        size = publish_head(self._head, topic.encode(), self.writer.pos)
        start = HEAD_ROOM - size
        self._buffer[start:HEAD_ROOM] = memoryview(self._head)[:size]
        return self._buffer[start : HEAD_ROOM + self.writer.pos]

    def data(self, number: int, body: memoryview, historical: bool) -> memoryview:
        """NDATA or DDATA of a record."""
        columns = self.devices[body[1]]
        self.open()
        time = record.time_of(body)
        hi = time >> 21
        lo = time & 0x1FFFFF
        self.writer.metric_int(columns.slot * 256, hi, lo, number >> 21, number & 0x1FFFFF, historical)
        if body[0] & record.GAP:
            from shutan_node import gaps

            gaps.emit(self, body, hi, lo, historical)
            unload("shutan_node.gaps", "shutan_wire.records")
        else:
            record.emit(body, columns, self.writer, historical)
        return self.close("NDATA" if columns.name is None else "DDATA", columns.name)

    def command(self, payload: bytes) -> "tuple[int, int] | None":
        """Read an NCMD: sets `rebirth`; (store id, number) of an acknowledgement, else None.

        Unknown metrics are passed over. WireError for a malformed payload.
        """
        store_id = number = None
        for name, _, value in read_command(payload):
            if name == self._rebirth:
                self.rebirth = self.rebirth or value is True
            elif name == self._ack_store:
                store_id = value
            elif name == self._ack:
                number = value
        return (store_id, number) if isinstance(store_id, int) and isinstance(number, int) else None
