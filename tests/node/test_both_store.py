"""Records from RAM to flash and back; see test_both_power_cut.py for cuts in between."""

from shutan_node import gaps, record, recovery
from shutan_node.clock import Clock
from shutan_node.journal import Journal
from shutan_node.store import Ring, Store

HEAP = "400k"
SHAPE = 77
BLOCK = 8


class Flash:
    """Files in memory. full: appends and replacements raise OSError."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files: dict[str, bytes] = {} if files is None else files
        self.full = False

    def names(self, folder: str) -> list[str]:
        return sorted([name[len(folder) + 1 :] for name in self.files if name.startswith(folder + "/")])

    def size(self, name: str) -> int:
        return len(self.files.get(name, b""))

    def read(self, name: str, offset: int, out: bytearray | memoryview) -> int:
        data = self.files.get(name, b"")[offset : offset + len(out)]
        out[: len(data)] = data
        return len(data)

    def append(self, name: str, data: bytes | bytearray | memoryview) -> None:
        if self.full:
            raise OSError(28)
        self.files[name] = self.files.get(name, b"") + bytes(data)

    def replace(self, name: str, data: bytes) -> None:
        if self.full:
            raise OSError(28)
        self.files[name] = bytes(data)

    def remove(self, name: str) -> None:
        self.files.pop(name, None)


def start(
    flash: Flash,
    *,
    boot: int = 1,
    shape: int = SHAPE,
    was: int = 0,
    limit: int = 65536,
    size: int = 1024,
    clock: Clock | None = None,
) -> tuple[Store, bool]:
    """A store after (re)start, and whether it kept what was there."""
    journal = Journal(flash, limit, boot)
    store = Store(flash, journal, Ring(BLOCK, size), BLOCK, clock or stamped())
    kept = recovery.recover(store, shape, was)
    if store.clock.offset is not None:
        recovery.stamp(store, store.clock.offset)
    return store, kept


def stamped() -> Clock:
    """A clock that is set."""
    now = [0]

    def uptime() -> int:
        now[0] += 10
        return now[0]

    clock = Clock(uptime)
    clock.set(1780000000000)
    return clock


def body(text: str, time_ms: int = 1780000000000, relative: bool = False) -> bytearray:
    """A data body of slot 1 without columns, with some bytes to tell it by."""
    out = bytearray(9) + text.encode()
    out[0] = record.RELATIVE if relative else 0
    out[1] = 1
    record.put_time(out, time_ms)
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


def held_texts(store: Store) -> list[bytes]:
    """Contents of what is held, by number."""
    return [data[9:] for _, data in sorted(held(store).items())]


def gap_ranges(store: Store) -> list[tuple[int, int, bool]]:
    """(from, to, unsaved) of the gap records held."""
    out: list[tuple[int, int, bool]] = []
    for _, data in sorted(held(store).items()):
        if data[0] & record.GAP:
            low, high, _, _ = gaps.numbers(memoryview(data))
            out.append((low, high, bool(data[0] & record.UNSAVED)))
    return out


def test_numbers_begin_at_one_and_bodies_come_back() -> None:
    store, kept = start(Flash())
    assert kept
    assert [store.add(body(text)) for text in "abc"] == [1, 2, 3]
    assert held_texts(store) == [b"a", b"b", b"c"]
    assert store.journaled() == 0


def test_the_ring_wraps_and_never_mixes_bodies() -> None:
    ring = Ring(5, 64)
    expect: dict[int, bytes] = {}
    for number, size in enumerate((10, 20, 30, 5, 25, 33, 1, 64, 12, 13, 14, 15, 16, 60, 4) * 8, 1):
        data = bytes([number & 255]) * size
        while not ring.put(data):
            expect.pop(ring.first)
            ring.drop(ring.first)
        expect[number] = data
        assert (ring.first, ring.last) == (min(expect), max(expect))
        for key, value in expect.items():
            assert bytes(ring.get(key)) == value


def test_spilled_records_stay_in_order_with_those_in_ram() -> None:
    store, _ = start(Flash())
    for number in range(1, 31):
        store.add(body(f"r{number}"))
        if number % 7 == 0:
            store.spill()
    found = held(store)
    assert sorted(found) == list(range(1, 31))
    for number, data in found.items():
        assert data[9:] == b"r%d" % number
    assert store.journal.last == 28


def test_acknowledged_records_leave_ram_and_flash() -> None:
    flash = Flash()
    store, _ = start(flash)
    for number in range(1, 21):
        store.add(body(f"x{number}"))
    store.spill()
    assert store.ack(store.id, 20)
    assert flash.names("journal") == []
    assert held(store) == {}
    assert store.add(body("next")) == 21


def test_an_acknowledgement_for_another_store_or_above_the_newest_is_refused() -> None:
    store, _ = start(Flash())
    for _ in range(5):
        store.add(body("x"))
    assert not store.ack(store.id ^ 1, 3)
    assert not store.ack(store.id, 6)
    assert not store.ack(store.id, 2**63)
    assert not store.ack(store.id, 0)
    assert len(held(store)) == 5
    assert store.ack(store.id, 3)
    assert not store.ack(store.id, 3)
    assert not store.ack(store.id, 2)
    assert sorted(held(store)) == [4, 5]


def test_after_a_kill_no_number_is_used_again_and_the_gap_says_which_are_gone() -> None:
    flash = Flash()
    store, _ = start(flash)
    for number in range(1, 6):
        store.add(body(f"x{number}"))
    store.ack(store.id, 2)
    again, kept = start(flash, boot=2)
    assert kept
    assert again.id == store.id
    assert 3 <= again.unsaved <= BLOCK
    assert gap_ranges(again) == [(1, BLOCK, True)]  # what was acknowledged in between is not on flash: an upper bound
    assert again.add(body("new")) > BLOCK


def test_unsaved_is_never_more_than_the_block() -> None:
    flash = Flash()
    for boot in range(1, 30):
        store, kept = start(flash, boot=boot)
        assert kept
        assert store.unsaved <= BLOCK
        for number in range(boot % 11):
            store.add(body(f"x{number}"))
        if boot % 3 == 0:
            store.spill()
        if boot % 4 == 0:
            store.ack(store.id, store.newest)


def test_a_planned_stop_leaves_no_gap() -> None:
    flash = Flash()
    store, _ = start(flash)
    for number in range(5):
        store.add(body(f"x{number}"))
    recovery.close(store)
    again, _ = start(flash, boot=2)
    assert again.unsaved == 0
    assert sorted(held(again)) == [1, 2, 3, 4, 5]
    assert again.add(body("new")) == 6


def test_the_gap_of_a_kill_is_declared_once() -> None:
    flash = Flash()
    store, _ = start(flash)
    store.add(body("x"))
    again, _ = start(flash, boot=2)
    recovery.close(again)
    third, _ = start(flash, boot=3)
    assert gap_ranges(third) == [(1, BLOCK, True)]
    assert third.unsaved == 0


def test_overwriting_the_oldest_declares_it_and_keeps_the_rest() -> None:
    flash = Flash()
    store, _ = start(flash, limit=20000)
    text = "y" * 200
    for _ in range(200):
        store.add(body(text))
        if store.newest % 4 == 0:
            store.spill()
    ranges = gap_ranges(store)
    assert ranges
    assert ranges[-1][:2] == (1, store.first - 1)  # an older gap record may have been overwritten as well
    assert store.lost == store.first - 1
    assert all(not unsaved for _, _, unsaved in ranges)
    assert sorted(held(store)) == list(range(store.first, store.newest + 1))
    assert sum(flash.size("journal/" + name) for name in flash.names("journal")) <= 20000


def test_a_full_flash_loses_the_oldest_in_ram_says_so_and_goes_on() -> None:
    flash = Flash()
    store, _ = start(flash)
    store.add(body("first"))
    flash.full = True
    for _ in range(3):
        store.add(body("more"))
    refused = 0
    for _ in range(20):
        try:
            store.add(body("again"))
        except OSError:
            refused += 1
    assert refused  # numbers cannot be reserved on a full flash
    assert store.failures
    flash.full = False
    newest = store.add(body("room again"))
    store.spill()
    found = held(store)
    assert found[newest][9:] == b"room again"
    missing = set(range(1, newest + 1)) - set(found)
    for low, high, _ in gap_ranges(store):
        missing -= set(range(low, high + 1))
    assert not missing


def test_a_rotten_page_costs_that_page_only() -> None:
    flash = Flash()
    store, _ = start(flash)
    for page in range(6):
        for number in range(4):
            store.add(body(f"p{page}-{number}"))
        store.spill()
    recovery.close(store)
    name = "journal/" + flash.names("journal")[0]
    clean = flash.files[name]
    size = len(clean) // 6
    for bit in range(0, len(clean) * 8, 37):
        rotten = bytearray(clean)
        rotten[bit >> 3] ^= 1 << (bit & 7)
        copy = Flash(dict(flash.files))
        copy.files[name] = bytes(rotten)
        again, kept = start(copy, boot=2)
        assert kept
        missing = set(range(1, 25)) - set(held(again))
        page = (bit >> 3) // size
        assert missing <= set(range(4 * page + 1, 4 * page + 5)), (bit, missing)


def test_uptimes_on_flash_are_stamped_by_the_sync_of_their_own_boot() -> None:
    flash = Flash()
    clock = Clock(lambda: 5000)
    store, _ = start(flash, boot=10, clock=clock)
    for number in range(4):
        store.add(body(f"u{number}", 1000 * number, True))
    store.spill()
    store.add(body("ram", 4500, True))
    clock.set(1780000000000)
    recovery.stamp(store, 1780000000000)
    times = [record.time_of(data) for _, data in sorted(held(store).items())]
    assert times == [1780000000000, 1780000001000, 1780000002000, 1780000003000, 1780000004500]
    again, _ = start(flash, boot=11)
    times = [record.time_of(data) for _, data in sorted(held(again).items()) if not data[0] & record.GAP]
    assert times == [1780000000000, 1780000001000, 1780000002000, 1780000003000]


def test_uptimes_of_a_boot_that_never_learned_the_time_are_left_out() -> None:
    flash = Flash()
    store, _ = start(flash, boot=10, clock=Clock(lambda: 5000))
    store.add(body("never", 1000, True))
    store.spill()
    again, _ = start(flash, boot=11)
    again.add(body("now"))
    assert [data[9:] for data in held(again).values() if not data[0] & record.GAP] == [b"now"]


def test_records_of_an_unknown_shape_are_given_up() -> None:
    flash = Flash()
    store, _ = start(flash)
    store.add(body("old"))
    store.spill()
    same, kept = start(flash, boot=2, shape=SHAPE + 1, was=SHAPE)
    assert kept
    assert same.id == store.id
    other, kept = start(flash, boot=3, shape=5, was=6)
    assert not kept
    assert other.id != store.id
    assert held(other) == {}


def test_a_damaged_state_is_a_new_store() -> None:
    flash = Flash()
    store, _ = start(flash)
    store.add(body("x"))
    store.spill()
    flash.files["state"] = b"\x00" + flash.files["state"][1:]
    other, kept = start(flash, boot=2)
    assert not kept
    assert other.id != store.id
    assert other.add(body("y")) == 1
