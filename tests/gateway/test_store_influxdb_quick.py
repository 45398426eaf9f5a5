"""The quick way of the InfluxDB store, for rows that intake has checked: the same outcome as the general way."""

import pytest

from shutan_gateway.counters import Counters
from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.payload.shape_lanes import SoundNames
from shutan_gateway.rows import Row
from shutan_gateway.stores.base import Rejected, Written
from shutan_gateway.stores.influxdb.store import InfluxStore
from shutan_gateway.stores.influxdb.transport import Reply
from support.line_parser import parse_lines
from support.servers import Server
from support.store_rigs import InfluxRig, holds
from support.store_rows import series

CONFLICT = b'{"error":"partial write: field type conflict: input field \\"x\\" on measurement \\"energy\\" dropped=1"}'


class Scripted:
    """A transport: refuses bodies that hold `bad`, fails from request `fails` on."""

    def __init__(self, bad: bytes = b"\0", fails: int = 1_000) -> None:
        self.bodies: list[bytes] = []
        self._bad = bad
        self._fails = fails

    def post(self, body: bytes) -> Reply:
        """See Transport."""
        self.bodies.append(body)
        if len(self.bodies) >= self._fails:
            raise StoreUnavailable("gone", 3.0)
        return Reply(400, {}, CONFLICT) if self._bad in body else Reply(204, {}, b"")

    def close(self) -> None:
        """See Transport."""


def sound(rows: list[Row]) -> list[Row]:
    """The same rows as intake's fast reading gives them."""
    names = SoundNames(rows[0].metrics)
    names.integers = tuple(isinstance(value, int) for value in rows[0].values)
    return [row._replace(metrics=names) for row in rows]


def test_checked_rows_go_in_a_few_bodies() -> None:
    transport, rows = Scripted(), sound(series(2000))
    store = InfluxStore("s", transport, Counters())
    assert store.write(rows) == Written(2000)
    assert len(transport.bodies) == 3
    points = [point for body in transport.bodies for point in parse_lines(body.decode())]
    assert sorted(point.time_ns for point in points) == sorted(row.t_ns for row in rows)


def test_a_refused_row_among_checked_ones_is_found() -> None:
    rows = sound(series(1000))
    rows[900] = rows[900]._replace(device="odd")
    store = InfluxStore("s", Scripted(b"device=odd"), Counters())
    written = store.write(rows)
    assert written.accepted == 1000
    assert [entry.index for entry in written.rejected] == [900]
    assert isinstance(written.rejected[0], Rejected)


def test_what_was_taken_before_the_store_went_stays_settled() -> None:
    store = InfluxStore("s", Scripted(fails=3), Counters())
    assert store.write(sound(series(2000))) == Written(1600, (), 3.0)
    with pytest.raises(StoreUnavailable):
        store.write(sound(series(10)))


@pytest.mark.flow
def test_influxdb_16_holds_what_was_sent_the_quick_way(influxd: Server, influx_database: str) -> None:
    rig, rows = InfluxRig(influxd, influx_database), series(500)
    assert rig.store.write(sound(rows)) == Written(500)
    assert holds(rig, rows)
    rig.store.close()
