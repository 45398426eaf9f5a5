"""What is sent next: live first, replay paced by acknowledgements, back-off, foreign hosts."""

from shutan_node import recovery
from shutan_node.clock import Clock
from shutan_node.delivery import Delivery
from shutan_node.journal import Journal
from shutan_node.store import Ring, Store

HEAP = "400k"
KEEPALIVE_MS = 30000
RAM_WINDOW_MS = 5000
FOREIGN_MS = 600000


class Memory:
    """Files that never fail."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def names(self, folder: str) -> list[str]:
        return sorted([name[len(folder) + 1 :] for name in self.files if name.startswith(folder + "/")])

    def size(self, name: str) -> int:
        return len(self.files.get(name, b""))

    def read(self, name: str, offset: int, out: bytearray | memoryview) -> int:
        data = self.files.get(name, b"")[offset : offset + len(out)]
        out[: len(data)] = data
        return len(data)

    def append(self, name: str, data: bytes | bytearray | memoryview) -> None:
        self.files[name] = self.files.get(name, b"") + bytes(data)

    def replace(self, name: str, data: bytes) -> None:
        self.files[name] = bytes(data)

    def remove(self, name: str) -> None:
        self.files.pop(name, None)


class Bench:
    """A delivery on a store, and real time in ms."""

    def __init__(self, block: int = 64) -> None:
        clock = Clock(lambda: 0)
        clock.set(1780000000000)
        self.files = Memory()
        self.store = Store(self.files, Journal(self.files, 1 << 20, 1), Ring(block, 4096), block, clock)
        recovery.recover(self.store, 1, 0)
        self.delivery = Delivery(self.store, KEEPALIVE_MS, RAM_WINDOW_MS, FOREIGN_MS)
        self.now = 1000

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.store.add(bytearray(9) + b"%06d" % (self.store.newest + 1))
            self.delivery.added(self.now)

    def sent(self, limit: int = 10000) -> list[tuple[int, bool]]:
        """Everything that may go out now: [(number, historical)]."""
        out: list[tuple[int, bool]] = []
        while len(out) < limit:
            item = self.delivery.next(self.now)
            if item is None:
                return out
            if not item[1][0] & 2:
                assert bytes(item[1][9:]) == b"%06d" % item[0]
            out.append((item[0], item[2]))
        raise AssertionError("never ends")

    def wait(self, ms: int, step: int = 250) -> list[tuple[int, bool]]:
        """Let time pass as the watch task does; what was sent in it."""
        out: list[tuple[int, bool]] = []
        end = self.now + ms
        while self.now < end:
            self.now += step
            self.delivery.tick(self.now)
            out += self.sent()
        return out

    def ack(self, number: int) -> bool:
        return self.delivery.ack(self.store.id, number, self.now)


def online(held: int = 0, block: int = 64) -> Bench:
    bench = Bench(block)
    bench.add(held)
    bench.delivery.begin(bench.now)
    return bench


def numbers(sent: list[tuple[int, bool]], historical: bool | None = None) -> list[int]:
    return [number for number, old in sent if historical is None or old == historical]


def test_nothing_goes_out_before_the_births() -> None:
    bench = Bench()
    bench.add(3)
    assert bench.sent() == []


def test_live_records_go_at_once_and_once() -> None:
    bench = online()
    bench.add(3)
    assert bench.sent() == [(1, False), (2, False), (3, False)]
    assert bench.sent() == []


def test_what_waited_is_replayed_as_historical_oldest_first() -> None:
    bench = online(held=5)
    assert bench.sent() == []  # the host's first acknowledgement may come first
    assert bench.wait(1000) == [(n, True) for n in range(1, 6)]


def test_live_is_first_in_line() -> None:
    bench = online(held=40)
    bench.wait(750)
    bench.add(2)
    bench.now += 500
    sent = bench.sent()
    assert sent[:2] == [(41, False), (42, False)]
    assert numbers(sent[2:]) == list(range(1, 17))


def test_replay_is_paced_by_acknowledgements() -> None:
    bench = online(held=60)
    sent = numbers(bench.wait(2000))
    assert sent == list(range(1, 17))
    assert bench.wait(2000) == []
    assert bench.ack(10)
    sent += numbers(bench.sent())
    assert sent == list(range(1, 43))  # a window of 32 beyond the acknowledgement
    assert bench.ack(40)
    assert numbers(bench.sent()) == list(range(43, 61))


def test_replay_comes_out_of_flash_when_it_is_long() -> None:
    bench = Bench(block=16)
    bench.add(300)
    assert bench.store.journal.last > 250
    bench.delivery.begin(bench.now)
    got: list[int] = []
    for _ in range(200):
        got += numbers(bench.wait(1000))
        if got:
            bench.ack(max(got))
        if got and got[-1] == 300:
            break
    assert got == list(range(1, 301))
    assert bench.store.journal.segments == []


def test_a_lost_middle_message_is_sent_again_after_twice_the_keepalive() -> None:
    bench = online()
    bench.add(10)
    assert numbers(bench.sent()) == list(range(1, 11))
    bench.ack(4)  # the fifth never arrived: the host can say no more than this
    assert bench.wait(2 * KEEPALIVE_MS - 250) == []
    assert bench.wait(500) == [(n, True) for n in range(5, 11)]
    bench.ack(10)
    assert bench.wait(10 * KEEPALIVE_MS) == []


def test_waiting_doubles_while_nothing_comes_back() -> None:
    bench = online()
    bench.add(1)
    assert bench.sent() == [(1, False)]
    bench.store.acked = 1  # the host has acknowledged before, so it is none that never does
    times: list[int] = []
    begun = bench.now
    while bench.now < begun + 3000000:
        if bench.wait(250):
            times.append(bench.now)
    gaps = [times[at + 1] - times[at] for at in range(len(times) - 1)]
    assert gaps[:3] == [4 * KEEPALIVE_MS, 8 * KEEPALIVE_MS, 16 * KEEPALIVE_MS]
    assert max(gaps) <= 600000


def test_an_idle_hour_is_no_stall() -> None:
    bench = online()
    bench.add(1)
    bench.sent()
    bench.ack(1)
    bench.wait(3600000, 10000)
    bench.add(1)
    assert bench.sent() == [(2, False)]
    assert bench.wait(2 * KEEPALIVE_MS - 1000) == []


def test_ram_goes_to_flash_when_no_acknowledgement_comes() -> None:
    bench = online()
    bench.add(3)
    bench.sent()
    bench.wait(RAM_WINDOW_MS - 500)
    assert bench.store.journal.last == 0
    bench.wait(1000)
    assert bench.store.journal.last == 3
    assert bench.ack(3)
    assert bench.store.journal.segments == []


def test_while_acknowledgements_come_flash_is_left_alone() -> None:
    bench = online()
    for _ in range(100):
        bench.add(2)
        bench.sent()
        bench.wait(1000)
        bench.ack(bench.store.newest)
    assert bench.store.journal.last == 0


def test_a_full_ram_goes_to_flash_at_once() -> None:
    bench = Bench(block=8)
    bench.add(9)
    assert bench.store.journal.last == 8
    assert bench.store.ring.first == 9


def test_the_link_comes_back_with_everything_unacknowledged() -> None:
    bench = online()
    bench.add(10)
    bench.sent()
    bench.ack(6)
    bench.delivery.end()
    bench.add(2)
    assert bench.sent() == []
    bench.delivery.begin(bench.now)
    assert bench.wait(1500) == [(n, True) for n in range(7, 13)]


def test_a_rebirth_replays_what_is_not_acknowledged() -> None:
    bench = online()
    bench.add(4)
    bench.sent()
    bench.delivery.begin(bench.now)
    bench.add(1)
    assert bench.sent() == [(5, False)]
    assert bench.wait(1500) == [(n, True) for n in range(1, 5)]


def test_wrong_acknowledgements_change_nothing() -> None:
    bench = online()
    bench.add(5)
    bench.sent()
    assert not bench.delivery.ack(bench.store.id + 1, 3, bench.now)
    assert not bench.ack(6)
    assert bench.store.first == 1
    assert bench.ack(5)


def test_a_rotten_page_is_declared_once_and_passed_over() -> None:
    bench = Bench(block=4)
    bench.add(40)
    files = bench.files.files
    name = "journal/" + bench.files.names("journal")[0]
    data = bytearray(files[name])
    data[300] ^= 1
    files[name] = bytes(data)
    bench.delivery.begin(bench.now)
    sent: list[tuple[int, bool]] = []
    closed: list[int] = []
    for _ in range(40):
        sent += bench.wait(1000)
        closed = [n for low, high in bench.store.holes for n in range(low, high + 1)]
        number = bench.store.acked
        while number + 1 in closed or number + 1 in numbers(sent):
            number += 1
        bench.ack(number)
    assert len(bench.store.holes) == 1
    low, high = bench.store.holes[0]
    assert 1 <= high - low + 1 <= 4
    assert sorted(set(numbers(sent)) | set(closed)) == list(range(1, 42))
    assert bench.store.acked == 41  # the gap record itself


def test_a_hole_wider_than_the_window_does_not_stop_the_replay() -> None:
    bench = Bench()
    bench.add(5)
    bench.store.spill()
    bench.store.ring.reset(506)
    bench.store.newest = bench.store.reserved = 505
    bench.store.gap(6, 505, True, 0, 0)
    bench.delivery.begin(bench.now)
    assert numbers(bench.wait(2000)) == [1, 2, 3, 4, 5, 506]
    bench.ack(5)
    bench.delivery.begin(bench.now)
    assert numbers(bench.wait(2000)) == [506]


def test_a_host_that_never_acknowledges_gets_everything_and_the_node_forgets_slowly() -> None:
    bench = online(held=100)
    got: list[int] = []
    for _ in range(FOREIGN_MS // 1000 + 60):
        got += numbers(bench.wait(1000))
    assert sorted(set(got)) == list(range(1, 101))
    assert bench.delivery.foreign
    bench.add(1)
    bench.sent()
    bench.wait(5 * KEEPALIVE_MS)
    assert bench.store.first == 102
    assert bench.store.acked == 0
    assert bench.store.journal.segments == []


def test_a_foreign_host_gets_what_it_missed_offline_and_a_little_more() -> None:
    bench = online()
    bench.wait(FOREIGN_MS + 1000)
    assert bench.delivery.foreign
    for _ in range(20):
        bench.add(1)
        bench.sent()
        bench.wait(10000)
    bench.delivery.end()
    bench.add(5)
    bench.delivery.begin(bench.now)
    sent = numbers(bench.wait(3000))
    assert sent[-5:] == [21, 22, 23, 24, 25]
    assert 6 <= len(sent) - 5 <= 2 * KEEPALIVE_MS * 2 // 10000 + 1  # those of the last two to four keepalives


def test_the_first_acknowledgement_makes_a_foreign_host_our_own() -> None:
    bench = online()
    bench.wait(FOREIGN_MS + 1000)
    bench.add(1)
    bench.sent()
    assert bench.ack(1)
    assert not bench.delivery.foreign
    bench.add(3)
    bench.sent()
    bench.wait(20 * KEEPALIVE_MS)
    assert bench.store.first == 2
