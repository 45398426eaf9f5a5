"""The queue between network and intake: bounded, in order, waking, nothing lost."""

import threading

from shutan_gateway.link.mailbox import Chunk, Mailbox, Message


def message(number: int, size: int = 10) -> Message:
    return Message("t", bytes(size), number)


def test_messages_come_out_in_order_and_in_parts() -> None:
    box = Mailbox(100, 10_000)
    for number in range(10):
        box.put(message(number))
    assert [m.received_ms for m in box.drain(4, 10_000)] == [0, 1, 2, 3]
    assert [m.received_ms for m in box.drain(100, 25)] == [4, 5, 6]
    assert [m.received_ms for m in box.drain(100, 0)] == []
    assert [m.received_ms for m in box.drain(100, 1)] == [7]
    assert len(box) == 2


def test_what_one_read_brought_stays_together() -> None:
    box = Mailbox(100, 10_000)
    for start in (0, 5, 10):
        box.put_chunk(Chunk([("t", bytes([start + step])) for step in range(5)], start, 0.0), 50)
    assert len(box) == 15
    assert [chunk.received_ms for chunk in box.drain(6, 10_000)] == [0, 5]
    assert [payload[0] for _, payload in box.drain(1, 10_000)[0].messages] == [10, 11, 12, 13, 14]
    assert len(box) == 0


def test_full_by_messages_or_by_bytes_stops_the_producer() -> None:
    for box, size in ((Mailbox(3, 10_000), 10), (Mailbox(1000, 30), 10)):
        for number in range(3):
            assert box.wait_room(0)
            box.put(message(number, size))
        assert not box.wait_room(0)
        assert not box.wait_room(0)
        assert box.blocked == 1, "one stop, however often it is asked"
        box.drain(1, 10_000)
        assert box.wait_room(0)


def test_each_side_wakes_the_other() -> None:
    """A producer and a consumer that wait on each other's events finish, with everything in order."""
    box, got = Mailbox(5, 10_000), list[int]()

    def produce() -> None:
        for number in range(2000):
            while not box.wait_room(30):
                pass
            box.put(message(number))
        box.close()

    producer = threading.Thread(target=produce)
    producer.start()
    while len(got) < 2000:
        assert box.wait(30)
        got += [m.received_ms for m in box.drain(3, 10_000)]
    producer.join(30)
    assert got == list(range(2000))
    assert box.wait(0), "a closed mailbox lets its consumer go"
