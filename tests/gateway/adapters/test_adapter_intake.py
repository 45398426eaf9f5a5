"""The way of a message between broker, spool, state file and acknowledgement, cut at every step."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.adapters import open_adapter
from shutan_gateway.adapters.intake import AdapterIntake
from shutan_gateway.adapters.memory import Memory, Place, Settled
from shutan_gateway.adapters.readings import Inbound
from shutan_gateway.adapters.registers import advance
from shutan_gateway.config.adapters import AdapterConfig
from shutan_gateway.counters import Counters
from shutan_gateway.errors import StartError
from shutan_gateway.intake.offers import Offer, Offers
from shutan_gateway.quarantine import FOLDER, Item, Quarantine, items
from shutan_gateway.sources import SourceTools
from shutan_wire import quality
from support.servers import wait_until

TOPIC = "plant/m1"
ENERGY = "active_energy_import_wh"
SETTINGS = {
    "kind": "json",
    "name": "meters",
    "site": "works",
    "topic": "plant/{device}",
    "time_field": "t",
    "time_format": "unix_ms",
    "map": [{"field": "wh", "metric": ENERGY, "unit": "Wh"}],
}
T0_MS = 1_780_243_200_000


class Sent(NamedTuple):
    """One message as the broker holds it: payload, and whether it was sent before."""

    payload: bytes
    again: bool


class Rig:
    """Gateway side that can be killed: what is in `spool` and in the file survives, nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counters = Counters()
        self.quarantine = Quarantine(folder / FOLDER, self.counters)
        self.spool: list[Offer] = []
        self.acknowledged: list[int] = []
        self.now_ms = T0_MS
        self.start()

    def start(self) -> None:
        """A new process, a new session."""
        self.offers = Offers(10_000, lambda: None)
        self.memory = Memory.open(self.folder / "adapters.sqlite")
        tools = SourceTools(self.offers, self.counters, self.quarantine, self.folder)
        adapter = open_adapter(AdapterConfig.model_validate(SETTINGS), {})
        self.intake = AdapterIntake([adapter], self.memory, tools, lambda: None, tick_s=0)
        self.intake.new_session()

    def kill(self) -> None:
        """The process is gone."""
        self.memory.close()
        self.start()

    def take(self, number: int, sent: Sent) -> None:
        """The broker delivers a message at QoS 1."""
        self.now_ms += 1
        inbound = Inbound(TOPIC, sent.payload, self.now_ms)
        self.intake.take(inbound, again=sent.again, acknowledge=lambda: self.acknowledged.append(number))

    def sync(self) -> list[Offer]:
        """The gateway's intake makes durable what was handed over, and does not say so yet."""
        offers = self.offers.drain(10_000)
        self.spool += offers
        return offers

    def contents(self, metric: str = ENERGY) -> list[tuple[int, int]]:
        """(time, value) of one metric in the spool, each once, by time."""
        found = {
            (metric_of.timestamp, metric_of.value)
            for offer in self.spool
            for metric_of in offer.metrics
            if metric_of.name == metric
        }
        return sorted((int(str(t_ms)), int(str(value))) for t_ms, value in found)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    found = Rig(tmp_path)
    yield found
    found.memory.close()
    found.quarantine.close()


def payload(number: int, wh: str, *, timed: bool = True) -> bytes:
    """A message of the minute `number`."""
    stamp = f'"t":{T0_MS - 10**9 + number * 60_000},' if timed else f'"n":{number},'
    return f'{{{stamp}"wh":{wh}}}'.encode()


def settle(offers: list[Offer]) -> None:
    """The gateway's intake says that these are durable."""
    for offer in offers:
        assert offer.settled is not None
        offer.settled()


def test_it_is_acknowledged_after_spool_and_state_and_not_before(rig: Rig) -> None:
    rig.take(1, Sent(payload(1, "100"), again=False))
    rig.intake.work()
    durable = rig.sync()
    rig.intake.work()
    assert rig.acknowledged == []
    settle(durable)
    assert rig.acknowledged == []
    rig.intake.work()
    assert rig.acknowledged == [1]
    assert rig.memory.registers()[Place("works", "meters", "m1", ENERGY)].raw == 100
    assert rig.intake.idle


class Cut(NamedTuple):
    """How far the messages on their way get before the kill; heard: the broker hears the acknowledgements."""

    taken: int
    handed_over: bool
    spooled: bool
    settled: int
    committed: bool
    heard: bool


cuts = st.lists(
    st.builds(Cut, st.integers(0, 20), st.booleans(), st.booleans(), st.integers(0, 20), st.booleans(), st.booleans()),
    min_size=1,
    max_size=6,
)
lives = st.lists(st.lists(st.integers(0, 9_000), min_size=2, max_size=12), min_size=1, max_size=3)
ROUND = itertools.count()
TO_THE_END = Cut(20, handed_over=True, spooled=True, settled=20, committed=True, heard=True)


def carry(rig: Rig, waiting: dict[int, bytes], again: set[int], cut: Cut) -> None:
    """Deliver what the broker holds, as far as `cut` says; it forgets what is acknowledged."""
    window = list(waiting)[: cut.taken]
    for number in window:
        rig.take(number, Sent(waiting[number], number in again))
    again |= set(window)
    if cut.handed_over:
        rig.intake.work()
    if cut.spooled:
        settle(rig.sync()[: cut.settled])
    if cut.committed:
        rig.intake.work()
    if cut.heard:
        for number in rig.acknowledged:
            waiting.pop(number, None)
    rig.acknowledged.clear()


@settings(max_examples=25, deadline=None)
@given(lives=lives, cuts=cuts, timed=st.booleans())
def test_a_kill_at_every_step_neither_loses_nor_doubles_energy(
    tmp_path_factory: pytest.TempPathFactory, lives: list[list[int]], cuts: list[Cut], timed: bool
) -> None:
    """Twenty messages on their way, as mosquitto allows; after a kill they come again in order, marked as repeats."""
    raw = [f"{sum(life[: end + 1]) / 1000:.3f}" for life in lives for end in range(len(life))]
    rig = Rig(tmp_path_factory.mktemp(f"kill{next(ROUND)}"))
    waiting = dict(enumerate(payload(number, wh, timed=timed) for number, wh in enumerate(raw)))
    again: set[int] = set()
    for cut in [*cuts, *cuts]:
        carry(rig, waiting, again, cut)
        rig.kill()
    while waiting:
        carry(rig, waiting, again, TO_THE_END)
    register = None
    once: list[int] = []
    for number, wh in enumerate(raw):
        step = advance(register, Fraction(wh), number)
        register = step.register
        once.append(int(step.repaired))
    # Each sample exactly once, repaired as if nothing had been killed, and never falling.
    assert [value for _, value in rig.contents()] == once == sorted(once)
    rig.memory.close()
    rig.quarantine.close()


def test_a_message_sent_again_after_a_lost_link_settles_once(rig: Rig) -> None:
    rig.take(1, Sent(payload(1, "100"), again=False))
    rig.intake.work()
    rig.intake.new_session()  # the link broke before the acknowledgement
    rig.take(2, Sent(payload(1, "100"), again=True))  # under a new number
    settle(rig.sync())
    rig.intake.work()
    assert rig.acknowledged == [2]
    assert len(rig.spool) == 1
    assert rig.counters.get("shutan_adapter_repeats_total") == 1


def test_what_is_refused_is_counted_kept_and_acknowledged(rig: Rig) -> None:
    rig.take(1, Sent(b'{"wh":NaN}', again=False))
    rig.take(2, Sent(b'{"wh":1', again=False))
    rig.intake.work()
    assert rig.acknowledged == [1, 2]
    assert rig.counters.get("shutan_received_total") == 2
    assert rig.counters.get("shutan_rejected_total", reason="nan") == 1
    assert rig.counters.get("shutan_rejected_total", reason="bad_json") == 1
    assert rig.quarantine.flush(5)
    kept = [item for item in items(rig.folder / FOLDER) if isinstance(item, Item)]
    assert sorted(item.reason for item in kept) == ["bad_json", "nan"]


def test_a_state_file_that_cannot_be_written_stops_acknowledgements(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.take(1, Sent(payload(1, "100"), again=False))
    rig.intake.work()
    settle(rig.sync())
    rig.memory.close()
    rig.intake.work()
    assert rig.acknowledged == []
    assert "adapters.sqlite" in str(rig.intake.trouble)
    rig.memory = Memory.open(rig.folder / "adapters.sqlite")
    monkeypatch.setattr(rig.intake, "_memory", rig.memory)
    wait_until(lambda: rig.intake.work() is None and rig.intake.idle, 5, "another attempt")
    assert rig.acknowledged == [1]
    assert rig.intake.trouble is None


def test_a_full_queue_is_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Offer] = []

    def put(offer: Offer, timeout_s: float) -> bool:
        assert timeout_s == 0
        calls.append(offer)
        return len(calls) > 2

    monkeypatch.setattr(rig.offers, "put", put)
    for number in range(3):
        rig.take(number, Sent(payload(number, "100"), again=False))
        rig.intake.work()
    assert [offer.metrics[0].timestamp for offer in calls[2:]] == [T0_MS - 10**9 + n * 60_000 for n in (0, 1, 2)]


def test_a_retained_value_without_a_time_is_stale(rig: Rig) -> None:
    rig.intake.take(Inbound(TOPIC, b'{"wh":5}', T0_MS, retained=True), again=False, acknowledge=None)
    rig.intake.work()
    (offer,) = rig.offers.drain(9)
    assert offer.metrics[0].properties == {quality.PROPERTY: (3, quality.STALE)}


def test_a_damaged_state_file_is_told_and_not_forgotten(tmp_path: Path) -> None:
    memory = Memory.open(tmp_path / "adapters.sqlite")
    register = advance(None, Fraction(5), 1).register
    memory.commit([Settled(b"d", ((Place("s", "n", "d", "m"), register),), (("a", "k", "text"),))])
    assert (memory.notes("a"), memory.seen()) == ({"k": "text"}, [b"d"])
    memory.close()
    conn = sqlite3.connect(tmp_path / "adapters.sqlite")
    conn.execute("UPDATE register SET state = '[]'")
    conn.commit()
    conn.close()
    memory = Memory.open(tmp_path / "adapters.sqlite")
    with pytest.raises(StartError, match="restore the file"):
        memory.registers()
    memory.close()


def test_an_adapter_that_fails_costs_its_message_only(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_message: Inbound) -> list[object]:
        raise ZeroDivisionError

    sound: Callable[..., object] = rig.intake.adapters[0].read
    monkeypatch.setattr(rig.intake.adapters[0], "read", broken)
    rig.take(1, Sent(payload(1, "100"), again=False))
    monkeypatch.setattr(rig.intake.adapters[0], "read", sound)
    rig.take(2, Sent(payload(2, "200"), again=False))
    rig.intake.work()
    settle(rig.sync())
    rig.intake.work()
    assert rig.acknowledged == [1, 2]
    assert rig.counters.get("shutan_rejected_total", reason="adapter_failed") == 1
