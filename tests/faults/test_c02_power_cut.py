"""C2: the supply of the gateway fails at any moment of writing, in its work and in the start after a cut before."""

import hashlib
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.harness import Fault
from shutan_gateway.spool.log import SpoolRecord
from shutan_wire import datatypes as dt
from shutan_wire import ids
from shutan_wire.decode import decode_payload
from support.intake_life import Life
from support.power_cut import Cut, Trace, TraceDisk, cuts
from support.sparkplug_node import ENERGY, Packet, Scalar, SparkplugNode

pytestmark = pytest.mark.fault

Key = tuple[str, int]  # topic that acknowledgements of the node go to, record number
STORE = "local"
NODES = 3


class Truth:
    """What the nodes sent, what was told them and what the spool held at each place of the trace."""

    def __init__(self) -> None:
        self.nodes = [
            SparkplugNode(f"n{i}", store=100 + i, devices={"m1": {**ENERGY, "note": dt.STRING}}) for i in range(NODES)
        ]
        self.packets: dict[Key, Packet] = {}
        self.order: list[Key] = []  # by ordinal in the spool

    def sample(self, index: int, size: int) -> Packet:
        node = self.nodes[index]
        values: dict[str, Scalar] = {"active_energy_import_wh": node.record, "active_power_w": 1.5, "note": "x" * size}
        packet = node.data(values=values)
        self.packets[node.topic(ids.NCMD), node.record] = packet
        return packet


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder for the states: the cuts are in the model, so a file system in memory is as good and spares the disk."""
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a fresh folder inside it
    folder = Path(tempfile.mkdtemp(prefix="shutan-cut-", dir=parent))
    yield folder
    shutil.rmtree(folder)


def key_of(life: Life, record: SpoolRecord) -> Key:
    session = life.state.session(record.session_id)
    assert session is not None, "a record whose birth the registry does not know"
    assert life.state.schema(record.schema_id) is not None
    return ids.topic(session.site, ids.NCMD, session.node), record.record


def deliver(life: Life, most: int) -> None:
    """Delivery without a store: the position moves as after a write that succeeded."""
    records, end = life.spool.read(life.state.position_of(STORE), most)
    if records:
        life.state.commit_delivery(STORE, end, stored=len(records), dead=0)


def work(folder: Path, patch: pytest.MonkeyPatch, batches: int) -> tuple[Trace, Truth]:
    """A gateway takes batches, delivers, saves checkpoints and drops old segments; all of it is recorded."""
    chance = random.Random(2)  # noqa: S311 - the same trace each time
    trace, truth = Trace(folder), Truth()
    disk = TraceDisk(trace)
    with disk.names(patch):
        life = Life(folder, disk, ack_interval_s=0.05)
        life.state.add_store(STORE, life.spool.first)
        told = 0
        for number in range(batches):
            packets = [packet for node in truth.nodes for packet in node.births()] if number % 20 == 0 else []
            fresh = [truth.sample(chance.randrange(NODES), chance.randrange(900)) for _ in range(chance.randint(1, 12))]
            assert life.take([*packets, *fresh])
            while not life.broker.acks[told:]:
                assert life.take([])
            for topic, _, upto in life.broker.acks[told:]:
                trace.acked(topic, upto)
            told = len(life.broker.acks)
            trace.look()
            if chance.random() < 0.3:
                deliver(life, chance.randrange(1, 30_000))
                trace.look()
            if chance.random() < 0.3:
                life.intake.checkpoint()
                trace.look()
        life.close()
    truth.order = list(truth.packets)
    return trace, truth


class Verdict:
    """What was found wrong over all states."""

    def __init__(self) -> None:
        self.opened = self.refused = self.lost = self.doubled = self.changed = self.forgotten = 0
        self._seen: set[bytes] = set()

    def is_new(self, cut: Cut) -> bool:
        """Whether this state of the disk was not seen before at this number of events."""
        digest = hashlib.sha256(b"%d" % cut.after)
        for name, data in sorted(cut.files.items()):
            digest.update(b"%s %d " % (name.encode(), len(data)) + data)
        digest.update(cut.registry.database + cut.registry.log)
        known = digest.digest() in self._seen
        self._seen.add(digest.digest())
        return not known

    def examine(
        self,
        cut: Cut,
        folder: Path,
        truth: Truth,
        acked: dict[str, int],
        disk: TraceDisk | None = None,
        *,
        again: bool = False,
    ) -> None:
        """Start a gateway on the state, as it starts on a real folder, and look at what it has."""
        self.opened += 1
        cut.write(folder)
        try:
            life = Life(folder, disk, ack_interval_s=0.05)
        except Exception:  # noqa: BLE001 - whatever it is, a start that fails is what is counted here
            self.refused += 1
        else:
            self.judge(life, truth, acked)
            if again:
                self.again(life, truth)
            life.close()
        shutil.rmtree(folder)

    def judge(self, life: Life, truth: Truth, acked: dict[str, int]) -> None:
        """Everything acknowledged is in the spool from the store's position on, or was delivered before it; once."""
        progress = life.state.progress().get(STORE)
        position = life.spool.first if progress is None else progress.position
        delivered = truth.order[: position.ordinal]
        found: list[Key] = []
        while True:
            records, following = life.spool.read(position, 10**6)
            if following == position:
                break
            found += [key_of(life, record) for record in records]
            self.changed += sum(
                record.raw != truth.packets[key][1] for record, key in zip(records, found[-len(records) :], strict=True)
            )
            position = following
        held = {*found, *delivered}
        self.lost += sum((topic, n) not in held for topic, upto in acked.items() for n in range(1, upto + 1))
        self.doubled += len(found) + len(delivered) - len(held)

    def again(self, life: Life, truth: Truth) -> None:
        """The nodes send everything once more: what was there is known, what was not is taken, nothing is double."""
        before = life.spool.end.ordinal
        life.take([packet for node in truth.nodes for packet in node.births()])
        life.take([packet for _, packet in sorted(truth.packets.items(), key=lambda item: item[0][1])])
        life.balance()
        self.forgotten += abs(life.spool.end.ordinal - len(truth.packets))
        assert before <= life.spool.end.ordinal


def test_c02_power_cut_on_the_spool(
    fault: Fault, tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every state that a cut may leave opens, and holds everything that was acknowledged, once."""
    trace, truth = work(tmp_path / "life", monkeypatch, batches=fault.size(short=6, long=110))
    chance = random.Random(3)  # noqa: S311 - the same states each time
    count = fault.size(short=4, long=110)
    verdict, second = Verdict(), 0
    for number, cut in enumerate(filter(verdict.is_new, cuts(trace, chance, count))):
        acked: dict[str, int] = {}
        for _, topic, upto in [entry for entry in trace.acks if entry[0] <= cut.after]:
            acked[topic] = max(upto, acked.get(topic, 0))
        start = Trace(memory / "state")
        disk = TraceDisk(start)
        with disk.names(monkeypatch):
            verdict.examine(cut, start.folder, truth, acked, disk=disk, again=number % 10 == 0)
        if number % 10 == 5:  # the supply fails once more, in the start
            for torn in filter(verdict.is_new, cuts(start, chance, 3, start=cut)):
                second += 1
                verdict.examine(torn, start.folder, truth, acked)
        fault.progress(f"{verdict.opened} states, at {cut.after} of {len(trace.events)} steps")
    fault.record(
        "C2",
        measured={
            "different_states": verdict.opened,
            "cut_in_the_start": second,
            "steps": len(trace.events),
            "acked_lost": verdict.lost,
            "doubled": verdict.doubled,
            "changed": verdict.changed,
            "not_recognised_when_sent_again": verdict.forgotten,
            "refusals_to_start": verdict.refused,
        },
        bar=dict.fromkeys(
            ("acked_lost", "doubled", "changed", "not_recognised_when_sent_again", "refusals_to_start"), "== 0"
        ),
        long_bar={"different_states": ">= 10000"},
        note="writes, syncs and names of the spool as its disk seam and the system saw them, commits of the registry "
        "as SQLite's log shows them; unsynced sectors of 512 B, lengths and names kept or dropped at random",
    )


def test_c02_registry_ahead_of_the_files(
    fault: Fault, tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that lied about a sync, or files put back from a copy: the start succeeds and no number is used again."""
    trace, _ = work(tmp_path / "life", monkeypatch, batches=fault.size(short=6, long=60))
    registries = [event.registry for event in trace.events if event.registry is not None]
    chance = random.Random(4)  # noqa: S311 - the same states each time
    opened = refused = used_again = unread = 0
    for cut in list(cuts(trace, chance, fault.size(short=0, long=4)))[:: fault.size(short=6, long=1)]:
        folder = memory / "state"
        ahead = cut._replace(registry=chance.choice(registries))
        ahead.write(folder)
        opened += 1
        try:
            life = Life(folder)
        except Exception:  # noqa: BLE001 - counted
            refused += 1
            continue
        progress = life.state.progress().get(STORE)
        known = life.spool.first if progress is None else progress.position
        used_again += life.spool.end.ordinal < known.ordinal
        node = SparkplugNode("late", store=7)
        end = life.spool.end
        life.take([*node.births(), node.data(), node.data()])
        records, _ = life.spool.read(max(end, known, key=lambda position: position.ordinal), 10**6)
        unread += [decode_payload(record.raw).metrics[0].value for record in records] != [1, 2]
        life.close()
        shutil.rmtree(folder)
        fault.progress(f"{opened} states")
    fault.record(
        "C2",
        part="registry_ahead",
        measured={"states": opened, "refusals_to_start": refused, "numbers_used_again": used_again, "unread": unread},
        bar={"refusals_to_start": "== 0", "numbers_used_again": "== 0", "unread": "== 0"},
        long_bar={"states": ">= 1000"},
        note="any registry of the trace with any state of the files: more than a cut of the supply can do",
    )
