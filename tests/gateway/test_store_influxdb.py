"""The InfluxDB store against scripted servers and InfluxDB 1.6: who is refused, what it costs, what is never lost."""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from math import log2
from pathlib import Path

import pytest

from shutan_gateway.counters import Counters
from shutan_gateway.errors import ConfigError, StoreUnavailable
from shutan_gateway.rows import Row
from shutan_gateway.stores.base import Store, StoreRefused, Written
from shutan_gateway.stores.influxdb.store import SMALLEST_BODY_BYTES, InfluxStore
from shutan_gateway.stores.influxdb.transport import HttpTransport
from support.line_parser import parse_lines
from support.scripted_http import Request, Say, ScriptedHttp
from support.servers import Server, free_port, influx_query
from support.store_rigs import InfluxRig, holds, opened
from support.store_rows import SECOND_NS, row, series

Opener = Callable[..., Store]


@pytest.fixture(params=["1.x", "2.x"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opener(dialect: str) -> Iterator[Opener]:
    """Opens a store by a transport of each kind, and closes it."""
    stores: list[Store] = []

    def open_at(url: str, **more: object) -> Store:
        kind = {"version": 1, "database": "plant"} if dialect == "1.x" else {"version": 2, "org": "o", "bucket": "b"}
        stores.append(opened(Counters(), kind="influxdb", name="s", url=url, **{"timeout_s": 5, **kind, **more}))
        return stores[-1]

    yield open_at
    for store in stores:
        store.close()


# Enough for the lines of `series`, and much faster than the parser.
DEVICE_AND_TIME = re.compile(rb"^energy,device=([^,]+),.* (\d+)$", re.MULTILINE)


class Picky:
    """A server that refuses bodies with a bad device in them, in these `words`, and remembers what it took."""

    def __init__(self, words: Callable[[list[int]], Say], bad: set[bytes], *, keeps_good: bool = True) -> None:
        self.words = words
        self.bad = bad
        self.keeps_good = keeps_good
        self.taken: set[int] = set()

    def __call__(self, request: Request) -> Say:
        points = DEVICE_AND_TIME.findall(request.body)
        refused = [n for n, (device, _) in enumerate(points, 1) if device in self.bad]
        if not refused or self.keeps_good:
            self.taken.update(int(time_ns) for device, time_ns in points if device not in self.bad)
        return self.words(refused) if refused else Say()


def accept(_request: Request) -> Say:
    return Say()


def in_turn(*says: Say) -> Callable[[Request], Say]:
    """These answers, then only good ones."""
    left = list(says)
    return lambda _request: left.pop(0) if left else Say()


def unclear(_refused: list[int]) -> Say:
    return Say(400, json.dumps({"error": "partial write: something is wrong dropped=0"}).encode())


def numbered(refused: list[int]) -> Say:
    return Say(
        400, json.dumps({"code": "invalid", "message": "line protocol poorly formed", "line": refused[0]}).encode()
    )


def unsure(_refused: list[int]) -> Say:
    return Say(400, b"<html>Bad Request</html>")


def with_bad(rows: list[Row], *places: int) -> list[Row]:
    return [one._replace(device="bad") if n in places else one for n, one in enumerate(rows)]


def kept(rows: list[Row], *places: int) -> set[int]:
    return {one.t_ns for n, one in enumerate(rows) if n not in places}


@pytest.mark.parametrize("keeps_good", [True, False], ids=["partial", "whole body refused"])
@pytest.mark.parametrize("words", [unclear, unsure])
@pytest.mark.parametrize(("count", "place"), [(2, 0), (3, 2), (100, 99), (5000, 0), (5000, 3217), (5000, 4999)])
def test_one_bad_point_costs_at_most_two_requests_a_halving(
    opener: Opener, words: Callable[[list[int]], Say], count: int, place: int, *, keeps_good: bool
) -> None:
    rows = series(count)
    picky = Picky(words, {b"bad"}, keeps_good=keeps_good)
    with ScriptedHttp(picky) as server:
        written = opener(server.url).write(with_bad(rows, place))
    assert (written.accepted, [entry.index for entry in written.rejected]) == (count, [place])
    assert picky.taken == kept(rows, place)
    assert len(server.requests) <= 2 * log2(count) + 1


def test_several_bad_points_are_refused_and_the_others_stored(opener: Opener) -> None:
    rows = series(700)
    bad = (0, 1, 300, 301, 302, 699)
    picky = Picky(unclear, {b"bad"}, keeps_good=False)
    with ScriptedHttp(picky) as server:
        written = opener(server.url).write(with_bad(rows, *bad))
    assert tuple(entry.index for entry in written.rejected) == bad
    assert picky.taken == kept(rows, *bad)


def test_a_numbered_line_costs_three_requests(opener: Opener) -> None:
    rows = series(5000)
    picky = Picky(numbered, {b"bad"}, keeps_good=False)
    with ScriptedHttp(picky) as server:
        written = opener(server.url).write(with_bad(rows, 4000))
    assert [entry.index for entry in written.rejected] == [4000]
    assert "line protocol poorly formed" in written.rejected[0].reason
    assert picky.taken == kept(rows, 4000)
    assert len(server.requests) == 3


def test_a_server_that_refuses_everything_without_saying_why_loses_nothing(opener: Opener) -> None:
    """A proxy in between answers 400 to every body: not one row may be dead-lettered for it."""
    rows = series(5000)
    with ScriptedHttp(lambda _request: unsure([])) as server:
        store = opener(server.url)
        with pytest.raises(StoreRefused, match="Bad Request"):
            store.write(rows)
        assert len(server.requests) <= 2 * log2(5000) + 5
        with pytest.raises(StoreRefused):
            store.write(rows[:1])


def test_a_whole_batch_of_another_type_is_refused_in_one_request(opener: Opener) -> None:
    rows = series(4000)
    text = 'field type conflict: input field "active_power_w" on measurement "energy" is type float, already exists as'
    say = Say(422, json.dumps({"message": f"partial write: {text} type integer dropped=4000"}).encode())
    with ScriptedHttp(lambda _request: say) as server:
        written = opener(server.url).write(rows)
    assert len(written.rejected) == 4000
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_to_wait_is_heard(opener: Opener, status: int) -> None:
    with ScriptedHttp(lambda _request: Say(status, b"", {"Retry-After": "7"})) as server:
        store = opener(server.url)
        with pytest.raises(StoreUnavailable, match=f"HTTP {status}") as caught:
            store.write(series(3))
    assert caught.value.retry_after_s == 7
    assert not isinstance(caught.value, StoreRefused)


def test_what_was_settled_before_the_server_asked_to_wait_stays_settled(opener: Opener) -> None:
    rows = with_bad([one._replace(metrics=("x_s",), values=("y" * 50_000,)) for one in series(100)], 3)
    with ScriptedHttp(in_turn(Say(), Say(503, b"", {"Retry-After": "9"}))) as server:
        written = opener(server.url).write(rows)
    assert 30 < written.accepted < 50
    assert written == Written(written.accepted, (), 9.0)
    assert all(len(request.body) <= 2_000_000 for request in server.requests)


@pytest.mark.parametrize("status", [401, 403, 404, 301])
def test_a_wrong_configuration_is_told_and_nothing_is_rejected(opener: Opener, status: int) -> None:
    with ScriptedHttp(lambda _request: Say(status, b'{"error": "no such thing"}')) as server:
        store = opener(server.url)
        with pytest.raises(StoreRefused, match=r"no such thing.*check"):
            store.write(series(3))
        server.answer = accept
        assert store.write(series(3)) == Written(3)


def test_too_large_bodies_are_split_until_they_fit(opener: Opener) -> None:
    rows = series(1000)
    taken: list[int] = []

    def answer(request: Request) -> Say:
        if len(request.body) > 20_000:
            return Say(413, b"too big")
        taken.extend(point.time_ns for point in parse_lines(request.body.decode()))
        return Say()

    with ScriptedHttp(answer) as server:
        assert opener(server.url).write(rows) == Written(1000)
    assert taken == [one.t_ns for one in rows], "once each, in order"
    assert len(server.requests) < 3 * 1000 * 130 / 10_000


def test_a_row_that_alone_is_too_large_is_refused(opener: Opener) -> None:
    rows = series(3)
    rows[1] = row({"x_s": "y" * 30_000})
    with ScriptedHttp(lambda request: Say(413) if len(request.body) > 20_000 else Say()) as server:
        written = opener(server.url).write(rows)
    assert [entry.reason.partition(":")[0] for entry in written.rejected] == ["too large"]
    assert written.rejected[0].index == 1


def test_a_server_that_cuts_large_bodies_gets_smaller_ones(opener: Opener) -> None:
    """InfluxDB 1.6 resets the connection above max-body-size; so does a restart, hence by halves and back again."""
    rows = [one._replace(metrics=("x_s",), values=("y" * 1000,)) for one in series(1000)]
    with ScriptedHttp(lambda request: Say(reset=True) if len(request.body) > 300_000 else Say()) as server:
        store = opener(server.url)
        failures = 0
        while True:
            try:
                assert store.write(rows) == Written(1000)
                break
            except StoreUnavailable:
                failures += 1
        assert failures <= 3
        server.answer = accept
        server.requests.clear()
        for _ in range(60):
            store.write(rows)
        assert max(len(request.body) for request in server.requests) > 1_000_000, "the size never recovers"


def test_small_bodies_are_not_made_smaller(opener: Opener) -> None:
    with ScriptedHttp(lambda _request: Say(reset=True)) as server:
        store = opener(server.url)
        for _ in range(20):
            with pytest.raises(StoreUnavailable):
                store.write(series(200))
        server.answer = accept
        server.requests.clear()
        assert store.write(series(200)) == Written(200)
        assert len(server.requests) == 1
        assert len(server.requests[0].body) < SMALLEST_BODY_BYTES


def test_a_server_that_hangs_or_is_not_there_is_unavailable(opener: Opener) -> None:
    never = threading.Event()
    with ScriptedHttp(lambda _request: Say(after=never)) as server:
        with pytest.raises(StoreUnavailable, match="tim"):
            opener(server.url, timeout_s=0.2).write(series(3))
        never.set()
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
        opener(f"http://127.0.0.1:{free_port()}").write(series(3))


def test_a_connection_that_went_idle_is_opened_again(opener: Opener, dialect: str) -> None:
    with ScriptedHttp() as server:
        store = opener(server.url)
        assert store.write(series(1)) == Written(1)
        server.answer = in_turn(Say(reset=True))
        if dialect == "1.x":
            assert store.write(series(1)) == Written(1), "one resend on a fresh connection"
        else:
            with pytest.raises(StoreUnavailable):
                store.write(series(1))
        assert store.write(series(1)) == Written(1)


def test_what_goes_over_the_wire(opener: Opener, dialect: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    secrets: dict[str, object] = {"token_file": secret}
    if dialect == "1.x":
        secrets = {"username": "plant", "password_file": secret}
    with ScriptedHttp() as server:
        store = opener(f"{server.url}/behind/proxy", **secrets)
        store.write(series(2))
    (request,) = server.requests
    if dialect == "1.x":
        assert request.path == "/behind/proxy/write?db=plant&precision=ns"
        assert request.headers["authorization"] == "Basic " + base64.b64encode(b"plant:hunter2").decode()
    else:
        assert request.path.startswith("/behind/proxy/api/v2/write?")
        assert "precision=ns" in request.path
        assert request.headers["authorization"] == "Token hunter2"
    assert [point.time_ns for point in parse_lines(request.body.decode())] == [one.t_ns for one in series(2)]


def test_a_secret_that_cannot_be_read_is_a_configuration_error(opener: Opener, dialect: str, tmp_path: Path) -> None:
    empty = tmp_path / "secret"
    empty.touch()
    more = {"username": "u", "password_file": empty} if dialect == "1.x" else {"token_file": empty}
    with pytest.raises(ConfigError, match="secret"):
        opener("http://127.0.0.1:9", **more)


@pytest.fixture
def plant(influxd: Server, influx_database: str) -> Iterator[InfluxRig]:
    rig = InfluxRig(influxd, influx_database)
    yield rig
    rig.store.close()


def requests_of(rig: InfluxRig) -> int:
    assert isinstance(rig.store, InfluxStore)
    return rig.store.requests


def test_influxdb_16_names_a_key_that_is_too_long_among_5000(plant: InfluxRig) -> None:
    rows = series(5000)
    offered = [one._replace(device="d" * 70_000) if n == 77 else one for n, one in enumerate(rows)]
    written = plant.store.write(offered)
    assert [entry.index for entry in written.rejected] == [77]
    assert "max key" in written.rejected[0].reason
    assert len(written.rejected[0].reason) < 500
    assert requests_of(plant) == 3
    assert holds(plant, rows[:77] + rows[78:])


def test_influxdb_16_with_several_faults_at_once(plant: InfluxRig) -> None:
    rows = series(2000)
    plant.store.write([row({"active_power_w": 1.5, "active_energy_import_wh": 1}, device="other")])
    offered = list(rows)
    offered[5] = rows[5]._replace(device="d" * 70_000)
    for n in (100, 101, 1999):
        offered[n] = rows[n]._replace(values=(rows[n].values[0], 7))
    offered[1500] = rows[1500]._replace(values=("text", rows[1500].values[1]))
    written = plant.store.write(offered)
    bad = [5, 100, 101, 1500, 1999]
    assert [entry.index for entry in written.rejected] == bad
    assert requests_of(plant) <= 10
    assert holds(plant, [one for n, one in enumerate(rows) if n not in bad])


def test_influxdb_16_refuses_what_is_beyond_its_retention(
    plant: InfluxRig, influxd: Server, influx_database: str
) -> None:
    influx_query(influxd, f"ALTER RETENTION POLICY autogen ON {influx_database} DURATION 1w SHARD DURATION 1d")
    old = [one._replace(t_ns=n * SECOND_NS) for n, one in enumerate(series(40))]
    rows = series(1000)
    written = plant.store.write(rows[:300] + old + rows[300:])
    assert [entry.index for entry in written.rejected] == list(range(300, 340))
    assert all(entry.reason.startswith("beyond retention: ") for entry in written.rejected)
    assert requests_of(plant) == 3
    assert holds(plant, rows)


def test_influxdb_16_takes_another_type_in_another_shard(plant: InfluxRig) -> None:
    """Field types are per shard in 1.x, so a guess by type names rows that the server takes: they must be stored."""
    rows = series(200)
    plant.store.write(rows[:1])
    elsewhere = row({"active_energy_import_wh": 1.5}, at=-60 * 86_400 * SECOND_NS)
    here = row({"active_energy_import_wh": 2.5}, at=300 * SECOND_NS)
    written = plant.store.write([elsewhere, *rows, here])
    assert [entry.index for entry in written.rejected] == [201]
    assert holds(plant, [elsewhere, *rows])


def test_influxdb_16_without_the_database_keeps_the_rows_until_it_exists(influxd: Server) -> None:
    store = InfluxStore("s", HttpTransport(influxd.url, "later", timeout_s=5), Counters())
    try:
        with pytest.raises(StoreRefused, match=r'database not found: "later".*check database'):
            store.write(series(3))
        influx_query(influxd, "CREATE DATABASE later")
        assert store.write(series(3)) == Written(3)
    finally:
        store.close()
        influx_query(influxd, "DROP DATABASE later")
