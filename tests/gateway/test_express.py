"""The short way through intake and the general one decide alike: the same records, watermarks, counters and windows."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.link.mailbox import LINK_UP, Message
from support.host_rig import Rig
from support.sparkplug_node import T0_MS, Packet, SparkplugNode


class Twins:
    """Two hosts; one is given runs of messages the short way first, the other each message the general way."""

    def __init__(self) -> None:
        self.short, self.general = Rig(), Rig()
        self.taken = 0

    def take(self, packets: list[Packet]) -> None:
        messages, host, at = list(packets), self.short.host, 0
        while at < len(messages):
            after = host.express.take(messages, at, T0_MS + 50, self.short.now_s)
            self.taken += after - at
            if after < len(messages):
                host.handle(Message(*messages[after], T0_MS + 50), self.short.now_s)
            at = after + 1
        self.short.take([])
        self.general.take(packets)
        self.compare()

    def compare(self) -> None:
        short, general = self.short, self.general
        assert short.records == general.records
        assert short.counters.snapshot() == general.counters.snapshot()
        assert short.balance() == general.balance()
        marks = [{key: (s.mark.upto, s.mark.above) for key, s in rig.host.streams.items()} for rig in (short, general)]
        assert marks[0] == marks[1]
        dues = [{(s.site, s.node, s.store_id) for s in rig.host.acceptor.due} for rig in (short, general)]
        assert dues[0] == dues[1]
        assert short.tick() == general.tick()


def usual(node: SparkplugNode, count: int) -> list[Packet]:
    return [node.data() for _ in range(count)]


@pytest.mark.parametrize("store", [77, None])
def test_a_steady_node_goes_the_short_way(store: int | None) -> None:
    twins, node = Twins(), SparkplugNode(store=store)
    twins.take(node.births())
    for _ in range(10):
        twins.take(usual(node, 30))
    assert twins.taken > 280


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([77, None]))
def test_any_order_of_events_ends_alike(seed: int, store: int | None) -> None:
    """Births, deaths, repeats, losses, reordering, nonsense and new links among data."""
    chance = random.Random(seed)  # noqa: S311 - drawn by hypothesis
    twins, node = Twins(), SparkplugNode(store=store)
    sent: list[Packet] = []
    twins.take([*node.births(), *usual(node, 6)])
    for _ in range(12):
        packets = usual(node, chance.randrange(1, 8))
        sent += packets
        match chance.randrange(8):
            case 0:
                packets.append(chance.choice(sent))
            case 1:
                chance.shuffle(packets)
            case 2:
                del packets[chance.randrange(len(packets))]
            case 3:
                packets.insert(0, node.node_death())
            case 4:
                packets += node.births()
            case 5:
                packets.append((packets[0][0], b"\xff\x00nonsense"))
            case 6:
                packets.insert(chance.randrange(len(packets)), (LINK_UP, b""))
            case _:
                pass
        twins.take(packets)
