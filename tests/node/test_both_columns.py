"""Deadband, maximum silence and intervals of single metrics."""

from shutan_node.columns import Columns

FLOAT = 9
UINT64 = 8


def columns_of(count: int = 1, types: tuple[int, ...] = (FLOAT,)) -> Columns:
    return Columns(1, "m", " ".join(["x"] * count), bytes(range(1, count + 1)), bytes(types))


def reads(columns: Columns, values: list[float], step_s: int = 10, slack_s: int = 5) -> list[int]:
    """Which of the readings, `step_s` apart, go into a record."""
    sent: list[int] = []
    for at, value in enumerate(values):
        columns.set(0, value)
        if columns.select(None, at * step_s, slack_s):
            sent.append(at)
    return sent


def test_without_a_rule_every_reading_goes() -> None:
    assert reads(columns_of(), [1.0, 1.0, 1.0]) == [0, 1, 2]


def test_deadband_compares_with_the_last_one_sent() -> None:
    columns = columns_of()
    columns.rule(0, 0.5, 0, 0)
    assert reads(columns, [230.0, 230.4, 230.5, 230.75, 231.0, 230.0]) == [0, 3, 5]


def test_silence_ends_after_its_maximum() -> None:
    columns = columns_of()
    columns.rule(0, 0.5, 30, 0)
    assert reads(columns, [1.0] * 9) == [0, 3, 6]


def test_own_interval_is_kept_even_on_change() -> None:
    columns = columns_of()
    columns.rule(0, -1, 0, 30)
    assert reads(columns, [1.0, 5.0, 9.0, 13.0, 17.0, 21.0, 25.0]) == [0, 3, 6]


def test_bad_quality_is_always_told() -> None:
    columns = columns_of()
    columns.rule(0, 10.0, 0, 0)
    columns.set(0, 1.0)
    assert columns.select(None, 0, 5) == 1
    columns.set(0, 1.0, 0)
    assert columns.select(None, 10, 5) == 1


def test_a_counter_beside_a_quiet_gauge_goes_every_time() -> None:
    columns = columns_of(2, (UINT64, FLOAT))
    columns.rule(1, 100.0, 0, 0)
    for at in range(3):
        columns.set(0, at)
        columns.set(1, 230.0)
        count = columns.select(None, at * 10, 5)
        assert list(columns.due) == [1, 1 if at == 0 else 0]
        assert count == sum(columns.due)


def test_what_was_not_read_is_not_sent() -> None:
    columns = columns_of(2, (UINT64, FLOAT))
    columns.set(0, 1)
    assert columns.select(bytearray((1, 0)), 0, 5) == 1
    assert list(columns.due) == [1, 0]
    assert not columns.known(1)


def test_uptime_in_seconds_may_wrap() -> None:
    columns = columns_of()
    columns.rule(0, 0.5, 30, 0)
    columns.set(0, 1.0)
    assert columns.select(None, 2**30 - 10, 5) == 1
    assert columns.select(None, 2**30 + 5, 5) == 0
    assert columns.select(None, 2**30 + 25, 5) == 1
