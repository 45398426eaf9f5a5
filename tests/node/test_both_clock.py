"""Uptime over the wrap of ticks, the clock, and the answers of time servers."""

from struct import pack

from shutan_node.clock import Clock, Uptime
from shutan_node.sntp import answer_ms, question

PERIOD = 2**30
NONCE = b"12345678"


class Ticks:
    """Ticks of an ESP32: 2^30 ms, then from the beginning."""

    def __init__(self, start: int) -> None:
        self.now = start

    def ms(self) -> int:
        return self.now

    def diff(self, end: int, start: int) -> int:
        return ((end - start + PERIOD // 2) % PERIOD) - PERIOD // 2

    def wait(self, ms: int) -> None:
        self.now = (self.now + ms) % PERIOD


def test_uptime_counts_on_over_the_wrap() -> None:
    ticks = Ticks(PERIOD - 500)
    uptime = Uptime(ticks.ms, ticks.diff)
    assert uptime.ms() == 0
    ticks.wait(1500)
    assert uptime.ms() == 1500
    total = 1500
    for _ in range(60):  # two years in steps of 12 days would be seen as backward: the watch task asks far more often
        ticks.wait(PERIOD // 2 - 1)
        total += PERIOD // 2 - 1
        assert uptime.ms() == total
    assert total > 2**32


def test_time_is_uptime_until_the_first_sync() -> None:
    now = [5000]
    clock = Clock(lambda: now[0])
    assert clock.now() == (5000, True)
    assert clock.set(1780000000000) == 0
    now[0] = 6000
    assert clock.now() == (1780000006000, False)
    assert clock.steps == 0


def test_small_corrections_are_no_steps() -> None:
    clock = Clock(lambda: 0)
    clock.set(1000000)
    assert clock.set(1000999) == 999
    assert clock.steps == 0
    assert clock.set(1002000) == 1001
    assert clock.set(1000) == -1001000
    assert clock.steps == 2
    assert clock.now() == (1000, False)


def reply(
    receive: tuple[int, int], transmit: tuple[int, int], nonce: bytes = NONCE, first: int = 0x24, stratum: int = 2
) -> bytes:
    return bytes((first, stratum)) + bytes(22) + nonce + pack(">II", *receive) + pack(">II", *transmit)


def seconds(unix: int) -> int:
    return (unix + 2208988800) % 2**32


def test_the_middle_of_the_server_times() -> None:
    data = reply((seconds(1780000000), 0), (seconds(1780000001), 2**31))
    assert answer_ms(data, NONCE) == 1780000000750


def test_the_second_era() -> None:
    data = reply((seconds(2200000000), 0), (seconds(2200000000), 0))
    assert answer_ms(data, NONCE) == 2200000000000


def test_what_is_no_answer() -> None:
    good = (seconds(1780000000), 0)
    assert answer_ms(reply(good, good)[:47], NONCE) is None
    assert answer_ms(reply(good, good, b"87654321"), NONCE) is None
    assert answer_ms(reply(good, good, first=0x23), NONCE) is None  # a client's packet
    assert answer_ms(reply(good, good, first=0xE4), NONCE) is None  # the server's own clock is not set
    assert answer_ms(reply(good, good, stratum=0), NONCE) is None  # kiss of death
    old = (seconds(1000000000), 0)
    assert answer_ms(reply(old, old), NONCE) is None


def test_the_question_carries_its_nonce_in_the_transmit_time() -> None:
    packet = question(NONCE)
    assert len(packet) == 48
    assert packet[40:] == NONCE
    assert packet[0] == 0x23
