"""The watermark set against a plain set of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.intake.watermarks import NUMBER_MAX, Watermark

numbers = st.integers(1, 40)
steps = st.lists(st.tuples(numbers, numbers), max_size=60)


@given(steps)
def test_watermark_agrees_with_a_plain_set(steps: list[tuple[int, int]]) -> None:
    mark, model = Watermark(), set[int]()
    for first, last in steps:
        if first > last:
            assert mark.add(first) == (first not in model)
            model.add(first)
        else:
            wanted = set(range(first, last + 1))
            assert mark.close(first, last) == len(wanted - model)
            model |= wanted
        contiguous = next(n for n in range(1, 99) if n not in model) - 1
        assert mark.upto == contiguous
        assert {n for n in range(99) if n in mark} == model
        rest = [n for low, high in mark.above for n in range(low, high + 1)]
        assert rest == sorted(n for n in model if n > contiguous)
        assert all(a[1] + 1 < b[0] for a, b in zip(mark.above, mark.above[1:], strict=False))
        again = Watermark(mark.upto, mark.above)
        assert (again.upto, again.above) == (mark.upto, mark.above)


@given(st.permutations(range(1, 30)), st.lists(numbers, max_size=30))
def test_any_order_and_any_repeats_end_at_the_same_place(order: list[int], repeats: list[int]) -> None:
    mark = Watermark()
    new = sum(mark.add(number) for number in order)
    assert new == 29
    assert not any(mark.add(number) for number in repeats if number < 30)
    assert (mark.upto, mark.above) == (29, [])


def test_the_number_of_intervals_is_bounded() -> None:
    mark = Watermark(max_intervals=5)
    for number in (10, 20, 30, 40, 50):
        assert mark.room(number)
        mark.add(number)
    assert not mark.room(60)
    assert mark.room(1), "the next contiguous number always has room"
    assert mark.close(1, NUMBER_MAX) == NUMBER_MAX - 5
    assert mark.upto == NUMBER_MAX
