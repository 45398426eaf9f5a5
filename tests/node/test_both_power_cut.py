"""A power cut at every byte that flash writes: nothing durable is lost, no number used twice, nothing goes silently."""

from shutan_node import gaps, record, recovery
from shutan_node.clock import Clock
from shutan_node.journal import Journal
from shutan_node.store import Ring, Store

HEAP = "400k"
SHAPE = 77
BLOCK = 8


class PowerCut(Exception):  # noqa: N818 - it ends a life, it is no error of the code
    """The supply is gone."""


class Flash:
    """Files that a power cut leaves as a file system does.

    An append may stop after any byte; a replacement and a removal happen or do not. budget: bytes (a removal or the end
    of a replacement counts as one) until the cut, None = never.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files: dict[str, bytes] = {} if files is None else files
        self.budget: int | None = None
        self.used = 0

    def _spend(self, units: int) -> int:
        """How many of the units come before the cut."""
        if self.budget is None:
            self.used += units
            return units
        done = min(units, self.budget - self.used)
        self.used += done
        return done

    def names(self, folder: str) -> list[str]:
        return sorted([name[len(folder) + 1 :] for name in self.files if name.startswith(folder + "/")])

    def size(self, name: str) -> int:
        return len(self.files.get(name, b""))

    def read(self, name: str, offset: int, out: bytearray | memoryview) -> int:
        data = self.files.get(name, b"")[offset : offset + len(out)]
        out[: len(data)] = data
        return len(data)

    def append(self, name: str, data: bytes | bytearray | memoryview) -> None:
        done = self._spend(len(data))
        if done:
            self.files[name] = self.files.get(name, b"") + bytes(data[:done])
        if done < len(data):
            raise PowerCut

    def replace(self, name: str, data: bytes) -> None:
        if self._spend(len(data) + 1) <= len(data):
            raise PowerCut
        self.files[name] = bytes(data)

    def remove(self, name: str) -> None:
        if self._spend(1) < 1:
            raise PowerCut
        self.files.pop(name, None)


def start(flash: Flash, boot: int, limit: int = 65536, size: int = 1024) -> tuple[Store, bool]:
    """A store after (re)start, and whether it kept what was there."""
    now = [0]

    def uptime() -> int:
        now[0] += 10
        return now[0]

    clock = Clock(uptime)
    clock.set(1780000000000)
    store = Store(flash, Journal(flash, limit, boot), Ring(BLOCK, size), BLOCK, clock)
    kept = recovery.recover(store, SHAPE, 0)
    recovery.stamp(store, 1780000000000)
    return store, kept


def body(text: str) -> bytearray:
    """A data body of slot 1 without columns, with some bytes to tell it by."""
    out = bytearray(9) + text.encode()
    out[1] = 1
    record.put_time(out, 1780000000000)
    return out


def held(store: Store) -> dict[int, bytes]:
    """number -> body of everything that the store still holds."""
    found: dict[int, bytes] = {}
    number = store.first
    while True:
        item = store.seek(number)
        if item is None:
            return found
        found[item[0]] = bytes(item[1])
        number = item[0] + 1


def gap_ranges(store: Store) -> list[tuple[int, int, bool]]:
    """(from, to, unsaved) of the gap records held."""
    out: list[tuple[int, int, bool]] = []
    for _, data in sorted(held(store).items()):
        if data[0] & record.GAP:
            low, high, _, _ = gaps.numbers(memoryview(data))
            out.append((low, high, bool(data[0] & record.UNSAVED)))
    return out


def life(flash: Flash, used: list[int], acked: list[int], durable: dict[int, bool]) -> None:
    """A node's life until the cut: records, spills, acknowledgements. What was promised is noted on the way."""
    store, _ = start(flash, boot=len(used) + 1, limit=65536)
    for step in range(14):
        number = store.add(body(f"n{step}"))
        assert number not in used
        used.append(number)
        if step % 4 == 3:
            store.spill()
            for kept in range(store.first, store.journal.last + 1):
                durable[kept] = True
        if step == 9:
            store.ack(store.id, store.newest - 4)
            acked.append(store.newest - 4)


def test_power_cut_at_every_byte() -> None:
    whole = Flash()
    start(whole, boot=98)
    before = dict(whole.files)
    whole.used = 0
    life(whole, [], [], {})
    total = whole.used
    assert total > 300
    for cut in range(total):
        flash = Flash(dict(before))
        flash.budget = cut
        used: list[int] = []
        acked: list[int] = []
        durable: dict[int, bool] = {}
        try:  # noqa: SIM105 - no contextlib on MicroPython
            life(flash, used, acked, durable)
        except PowerCut:
            pass
        flash.budget = None
        store, kept = start(flash, boot=99)
        assert kept, cut
        assert store.unsaved <= BLOCK, cut
        found = held(store)
        done = max(acked) if acked else 0
        for number in durable:
            assert number <= done or number in found, (cut, number)
        closed: set[int] = set()
        for low, high, _ in gap_ranges(store):
            closed.update(range(low, high + 1))
        for number in used:  # nothing vanishes without a word
            assert number <= done or number in found or number in closed, (cut, number)
        for data in found.values():
            assert data[0] & record.GAP or data[9:10] == b"n", cut
        newest = max(used) if used else 0
        assert store.add(body("after")) > newest, cut
        store.spill()
        again, kept = start(flash, boot=100)
        assert kept, cut
        assert set(found) <= set(held(again)), cut


def test_power_cut_during_recovery() -> None:
    flash = Flash()
    store, _ = start(flash, boot=1)
    for number in range(6):
        store.add(body(f"n{number}"))
    store.spill()
    store.add(body("in ram"))
    before = dict(flash.files)
    whole = Flash(dict(before))
    start(whole, boot=2)
    for cut in range(whole.used):
        torn = Flash(dict(before))
        torn.budget = cut
        try:  # noqa: SIM105 - as above
            start(torn, boot=2)
        except PowerCut:
            pass
        torn.budget = None
        again, kept = start(torn, boot=3)
        assert kept, cut
        found = held(again)
        assert set(range(1, 7)) <= set(found), cut
        closed: set[int] = set()
        for low, high, _ in gap_ranges(again):
            closed.update(range(low, high + 1))
        assert 7 in closed, cut
        assert again.add(body("after")) > 7, cut


def outage(flash: Flash, used: list[int]) -> None:
    """A long time without a host: flash fills and the oldest is overwritten. first: a few records acknowledged."""
    store, _ = start(flash, boot=7, limit=10000, size=2048)
    for step in range(130):
        used.append(store.add(body(f"n{step}" + "z" * 250)))
        if step == 2:
            store.ack(store.id, 2)
        if step % 3 == 2:
            store.spill()


def test_power_cut_while_the_oldest_is_overwritten() -> None:
    whole = Flash()
    outage(whole, [])
    step = 31  # a prime: pages, gap records and states are all cut somewhere
    for cut in range(60, whole.used, step):
        flash = Flash()
        flash.budget = cut
        used: list[int] = []
        try:  # noqa: SIM105 - as above
            outage(flash, used)
        except PowerCut:
            pass
        flash.budget = None
        store, kept = start(flash, boot=99, limit=10000, size=2048)
        assert kept, cut
        found = held(store)
        closed = set(range(1, store.acked + 1))
        for low, high, _ in gap_ranges(store):
            closed.update(range(low, high + 1))
        missing = set(range(1, store.newest + 1)) - set(found) - closed
        assert not missing, (cut, sorted(missing)[:9])
