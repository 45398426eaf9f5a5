"""C17 replay and reorder: captures sent again add nothing and are counted; another order ends in the same samples."""

import random
from pathlib import Path

from faults.harness import Fault
from shutan_gateway.rows import Row
from support.intake_life import Life
from support.sparkplug_node import ENERGY, Packet, SparkplugNode

SEED = 17
_AT_ONCE = 200
_DEVICES = ("m1", "m2")
Sample = tuple[str, str, str, str, int, str]


def captured(samples: int) -> tuple[list[Packet], list[Packet]]:
    """(births, data) of an own node and a foreign one, data in the order of its time."""
    own = SparkplugNode("n01", devices={device: dict(ENERGY) for device in _DEVICES})
    foreign = SparkplugNode("n02", store=None, devices={device: dict(ENERGY) for device in _DEVICES})
    births = [*own.births(), *foreign.births()]
    data = [node.data(_DEVICES[number % 2]) for number in range(samples) for node in (own, foreign)]
    return births, data


def stored(rows: list[Row]) -> dict[Sample, object]:
    """What a store holds after these rows: one value for each series and time."""
    return {
        (row.family, row.site, row.node, row.device, row.t_ns, metric): value
        for row in rows
        for metric, value in zip(row.metrics, row.values, strict=True)
    }


def send(life: Life, packets: list[Packet]) -> None:
    for at in range(0, len(packets), _AT_ONCE):
        assert life.take(packets[at : at + _AT_ONCE])


def of_own_node(data: list[Packet]) -> int:
    return sum("/n01/" in topic for topic, _ in data)


def test_c17_replay(fault: Fault, tmp_path: Path) -> None:
    samples, replays = fault.size(short=(150, 2), long=(400, 200))
    chance = random.Random(SEED)  # noqa: S311 - the same order each time
    births, data = captured(samples)
    life = Life(tmp_path / "life")
    send(life, births + data)
    before, (_, repeats, rejected, accepted) = stored(life.rows()), life.balance()
    sent = counted = 0
    for number in range(replays):
        again = data.copy()
        if number % 2:
            chance.shuffle(again)
        if number % 3 == 0:  # a whole session, also into a gateway that was just started
            counted += life.balance()[1] - repeats
            life = Life(life.die(number))
            repeats = life.balance()[1]  # what was counted behind the last checkpoint died with the process
            send(life, births)
        send(life, again)
        sent += len(again)
        fault.progress(f"replay {number} of {replays}")
    _, repeats_then, rejected_then, accepted_then = life.balance()
    counted += repeats_then - repeats
    added = len(stored(life.rows()).keys() - before.keys())
    changed = sum(value != before[key] for key, value in stored(life.rows()).items() if key in before)
    life.close()
    assert rejected_then == rejected
    fault.record(
        "C17",
        part="replay",
        measured={
            "captured_messages": len(data),
            "messages_sent_again": sent,
            "counted_as_repeats": counted,
            "records_added": accepted_then - accepted,
            "samples_added": added,
            "samples_changed": changed,
        },
        bar={
            "records_added": "== 0",
            "samples_added": "== 0",
            "samples_changed": "== 0",
            "counted_as_repeats": f">= {sent}",
        },
        long_bar={"messages_sent_again": ">= 100000"},
        note="an own node and a foreign one, in order and shuffled, into the running gateway and after a restart; the "
        "repeats of the foreign node's births are counted too",
    )


def test_c17_reorder(fault: Fault, tmp_path: Path) -> None:
    samples, orders = fault.size(short=(100, 3), long=(400, 300))
    chance = random.Random(SEED)  # noqa: S311 - the same order each time
    births, data = captured(samples)
    life = Life(tmp_path / "in_order")
    send(life, births + data)
    wanted = stored(life.rows())
    taken = life.balance()[3]
    life.close()
    differing = lost = 0
    for number in range(orders):
        shuffled = data.copy()
        chance.shuffle(shuffled)
        other = Life(tmp_path / f"order{number}")
        send(other, births + shuffled)
        differing += stored(other.rows()) != wanted
        lost += taken - other.balance()[3]
        assert other.broker.acked <= samples
        other.close()
        fault.progress(f"order {number} of {orders}")
    fault.record(
        "C17",
        part="reorder",
        measured={"orders": orders, "messages": len(data), "orders_with_other_samples": differing, "lost": lost},
        bar={"orders_with_other_samples": "== 0", "lost": "== 0"},
        long_bar={"orders": ">= 300"},
        note="all data messages of two nodes shuffled behind their births, twice as far as any network would",
    )
