"""HJ 212 with a host computer on loopback: periods, answers, repeats, requests, restarts."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shutan_gateway.config.northbound import Hj212Config
from shutan_gateway.counters import Counters
from shutan_gateway.northbound.hj212 import Hj212Store
from shutan_gateway.northbound.hj212.data import Calendar
from shutan_gateway.northbound.hj212.frame import Packet, build
from shutan_gateway.rows import Row
from shutan_gateway.stores.base import Written
from support.hj212_host import Host
from support.servers import free_port, wait_until
from support.store_rows import SECOND_NS, T0_NS, row

MN = "010000A8900016F000169DC0"
DAY_BEGIN_MS = 1_794_931_200_000  # 2026-11-18 00:00 in UTC+8
LIMIT_S = 20.0
FACTORS = [
    {"code": "w01001", "site": "jiuniang", "node": "n01", "device": "m-entry", "metric": "ph_f", "decimals": 2},
    {
        "code": "w00000",
        "site": "jiuniang",
        "node": "n01",
        "device": "m-entry",
        "metric": "water_l",
        "scale": "0.001",
        "cumulative": True,
    },
]


class Clock:
    """The store's time in ms, moved by hand."""

    def __init__(self) -> None:
        self.now_ms = DAY_BEGIN_MS + 3_600_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., Hj212Store]


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator[Make]:
    (tmp_path / "pw").write_text("100000")
    made: list[Hj212Store] = []

    def store(port: int = 1, counters: Counters | None = None, **more: Any) -> Hj212Store:
        tree: dict[str, Any] = {
            "kind": "hj212",
            "name": "epa",
            "host": "127.0.0.1",
            "port": port,
            "mn": MN,
            "password_file": tmp_path / "pw",
            "state": tmp_path / "epa.sqlite",
            "settle_s": 0,
            "reply_timeout_s": 2,
            "resend": 0,
            "rtd_interval_s": 0,
            "factor": FACTORS,
        }
        made.append(Hj212Store(Hj212Config.model_validate({**tree, **more}), counters or Counters(), clock))
        return made[-1]

    yield store
    for one in made:
        one.close()


def sample(at_ms: int, ph: float, litres: int, **more: Any) -> Row:
    """A sample `at_ms` after the day's beginning."""
    at_ns = (DAY_BEGIN_MS + at_ms) * 1_000_000 - T0_NS
    return row({"ph_f": ph, "water_l": litres}, at=at_ns, **more)


def hour_of_samples() -> list[Row]:
    """A sample a minute over the first hour; 10 l a minute."""
    return [sample(n * 60_000, 7 + n / 50, 5_000 + 10 * n) for n in range(61)]


def documents(store: Hj212Store) -> dict[tuple[str, str], str]:
    found = store._state.rows("SELECT kind, key, body FROM outbox ORDER BY kind, key")  # pyright: ignore[reportPrivateUsage] - what waits
    return {(str(kind), str(key)): str(body) for kind, key, body in found}


def acknowledged(store: Hj212Store) -> list[tuple[object, ...]]:
    state = store._state  # pyright: ignore[reportPrivateUsage] - what was answered
    return state.rows("SELECT kind, key FROM outbox WHERE acked_ms IS NOT NULL")


def test_times_are_those_of_the_platform() -> None:
    calendar = Calendar(8, 10)
    at_ms = DAY_BEGIN_MS + 3_599_999
    assert [calendar.text(calendar.begin_ms(cn, at_ms)) for cn in ("2051", "2061", "2031")] == [
        "20261118005000",
        "20261118000000",
        "20261118000000",
    ]
    assert calendar.time_ms("20261118005000") == DAY_BEGIN_MS + 3_000_000
    assert calendar.qn(DAY_BEGIN_MS + 7) == "20261118000000007"


def test_periods_are_worked_out_from_their_samples(make: Make, clock: Clock) -> None:
    store = make()
    others = [row({"ph_f": 99.0}, node="n02"), row({"x_f": 1.0})]
    assert store.write([*hour_of_samples(), *others]) == Written(63)
    assert store.make_documents() == 7
    found = documents(store)
    assert found["2051", "20261118001000"] == (
        "w01001-Min=7.20,w01001-Avg=7.29,w01001-Max=7.38,w01001-Flag=N\nw00000-Cou=0.100,w00000-Flag=N"
    )
    assert found["2061", "20261118000000"].startswith("w01001-Min=7.00,w01001-Avg=7.59,w01001-Max=8.18")
    assert found["2061", "20261118000000"].endswith("w00000-Cou=0.600,w00000-Flag=N")
    assert store.make_documents() == 0
    # A repeat changes nothing; a late sample changes its minute and its hour.
    store.write(hour_of_samples())
    assert store.make_documents() == 0
    store.write([sample(600_500, 9.0, 5_100, qualities={"ph_f": 0})])
    assert store.make_documents() == 2
    assert "w01001-Max=9.00,w01001-Flag=D" in documents(store)["2051", "20261118001000"]
    clock.now_ms = DAY_BEGIN_MS + 86_400_000
    assert store.make_documents() == 3, "the day, and minute and hour of the sample at one o'clock"
    assert ("2031", "20261118000000") in documents(store)


def test_what_is_too_late_for_its_day_is_counted(make: Make) -> None:
    counters = Counters()
    store = make(counters=counters)
    assert store.write([sample(-4 * 86_400_000, 7.0, 1)]) == Written(1)
    assert counters.get("shutan_hj212_late_total", store="epa") == 2
    assert store.make_documents() == 0


def test_data_is_sent_until_it_is_answered_over_restarts(make: Make) -> None:
    with Host() as host:
        host.answering = False
        store = make(host.port, reply_timeout_s=0.2, resend=1)
        store.write(hour_of_samples())
        store.start()
        wait_until(lambda: len(host.of("2051", "2061")) >= 2, LIMIT_S, "sent and sent again")
        first, second = host.of("2051", "2061")[:2]
        assert (first.cn, first.cp) == (second.cn, second.cp)
        assert first.qn != second.qn
        assert (first.pw, first.mn, first.flag) == ("100000", MN, 9)
        store.close()
        host.answering = True
        host.packets.clear()
        again = make(host.port)
        clock = again._now_ms  # pyright: ignore[reportPrivateUsage] - the clock that all share
        assert isinstance(clock, Clock)
        clock.now_ms += 60_000
        again.start()
        wait_until(lambda: again._state.waiting() == 0, LIMIT_S, "all answered")  # pyright: ignore[reportPrivateUsage] - what waits
        sent = [(packet.cn, packet.field("DataTime")) for packet in host.of("2051", "2061")]
        assert sorted(sent) == sorted(
            {
                ("2061", "20261118000000"),
                *((("2051", f"202611180{n}000")) for n in ("00", "01", "02", "03", "04", "05")),
            }
        )


def test_real_time_data_goes_out_without_an_answer(make: Make, clock: Clock) -> None:
    with Host() as host:
        store = make(host.port, rtd_interval_s=30, edition=2017)
        clock.now_ms = DAY_BEGIN_MS + 60_000
        store.write([sample(50_000, 7.25, 5_000), sample(40_000, 6.5, 4_990)])
        store.start()
        wait_until(lambda: len(host.of("2011")) == 1, LIMIT_S, "real-time data")
        (packet,) = host.of("2011")
        assert packet.flag == 4
        assert packet.cp == ("DataTime=20261118000100;w01001-Rtd=7.25,w01001-Flag=N;w00000-Rtd=5.000,w00000-Flag=N")


def test_a_request_for_old_data_is_answered(make: Make) -> None:
    with Host() as host:
        store = make(host.port)
        store.write(hour_of_samples())
        store.start()
        wait_until(lambda: len(host.of("2051")) == 6, LIMIT_S, "minute data")
        host.packets.clear()
        cp = "BeginTime=20261118001000,EndTime=20261118003000"
        ask = Packet("20261118090000001", "32", "2051", "100000", MN, 9, cp)
        host.ask(ask)
        wait_until(lambda: len(host.of("9012")) == 1, LIMIT_S, "the end of the request")
        assert [packet.cn for packet in host.packets] == ["9011", "2051", "2051", "2051", "9012"]
        assert [packet.field("DataTime") for packet in host.of("2051")] == [
            "20261118001000",
            "20261118002000",
            "20261118003000",
        ]
        assert host.packets[0]._replace(cp="") == Packet(ask.qn, "91", "9011", "100000", MN, 8, "")
        assert (host.packets[0].cp, host.packets[-1].cp) == ("QnRtn=1", "ExeRtn=1")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pw": "000000"}, ["QnRtn=3"]),
        ({"mn": "X" * 20}, ["QnRtn=4"]),
        ({"cn": "1012"}, ["QnRtn=2"]),
        ({"cn": "7777"}, ["QnRtn=8"]),
        ({"cp": "BeginTime=soon"}, ["QnRtn=1", "ExeRtn=3"]),
        ({"cp": "BeginTime=20200101000000,EndTime=20200102000000"}, ["QnRtn=1", "ExeRtn=100"]),
        ({"flag": 8, "cp": "BeginTime=soon"}, ["ExeRtn=3"]),
    ],
)
def test_requests_that_are_refused(make: Make, change: dict[str, Any], told: list[str]) -> None:
    with Host() as host:
        store = make(host.port)
        store.start()
        wait_until(lambda: host._connection is not None, LIMIT_S, "a connection")  # pyright: ignore[reportPrivateUsage] - only to know it is there
        host.ask(Packet("20261118090000001", "32", "2051", "100000", MN, 9, "")._replace(**change))
        wait_until(lambda: len(host.packets) >= len(told), LIMIT_S, "answers")
        assert [packet.cp for packet in host.packets] == told


def test_a_spoilt_frame_is_counted_and_the_next_one_read(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    counters = Counters()
    with Host() as host, caplog.at_level(logging.WARNING, "shutan"):
        store = make(host.port, counters)
        store.start()
        wait_until(lambda: host._connection is not None, LIMIT_S, "a connection")  # pyright: ignore[reportPrivateUsage] - only to know it is there
        ask = Packet("20261118090000001", "32", "1011", "100000", MN, 9, "")
        host.ask(ask, spoilt=True)
        host.ask(ask)
        wait_until(lambda: len(host.packets) == 3, LIMIT_S, "answers")
        assert [packet.cn for packet in host.packets] == ["9011", "1011", "9012"]
        assert counters.get("shutan_hj212_broken_frames_total", store="epa") == 1
        assert "CRC 0000 does not fit" in caplog.text


def test_a_host_that_is_away_and_comes_is_said_once(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "shutan"):
        store = make(free_port())
        store.write(hour_of_samples())
        store.start()
        wait_until(lambda: "nothing is sent now" in caplog.text, LIMIT_S, "the host is missed")
        assert store.write([sample(120_000, 7.0, 5_020)]) == Written(1)
        store.close()
    assert caplog.text.count("nothing is sent now") == 1


def test_many_factors_are_split_into_packets(make: Make) -> None:
    factors = [{**FACTORS[0], "code": f"w{n:05d}", "metric": f"x{n}_f"} for n in range(40)]
    with Host() as host:
        store = make(host.port, factor=factors)
        at_ns = (DAY_BEGIN_MS + 1000) * 1_000_000 - T0_NS
        store.write([row({f"x{n}_f": n / 2 for n in range(40)}, at=at_ns + k * SECOND_NS) for k in range(5)])
        store.start()
        wait_until(lambda: len(acknowledged(store)) == 2, LIMIT_S, "the minutes and the hour answered")
        packets = host.of("2051")
        assert [(packet.pnum, packet.pno, packet.flag) for packet in packets] == [
            (len(packets), n, 11) for n in range(1, len(packets) + 1)
        ]
        assert len({packet.qn for packet in packets}) == 1
        codes = [f"w{n:05d}" for n in range(40) for packet in packets if packet.field(f"w{n:05d}-Avg")]
        assert codes == [f"w{n:05d}" for n in range(40)]
        assert all(len(build(packet)) <= 1024 + 12 for packet in packets)
