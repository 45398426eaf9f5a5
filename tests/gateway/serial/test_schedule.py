"""The schedule as a pure clock: alignment, passes, lost meters and probes, a clock that is set."""

from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.serial.schedule import LOST_AFTER, PASSES, PROBE_CAP_MS, Slot, choose

T0 = 1_800_000_000_000
MINUTE = 60_000


def slots(count: int, cost_ms: int = 500) -> list[Slot]:
    made = [Slot(MINUTE, 0, cost_ms) for _ in range(count)]
    for slot in made:
        slot.due_ms = T0
    return made


def fail(slot: Slot, now: int) -> bool:
    """One failed reading, all its passes."""
    return any([slot.unanswered(now) for _ in range(PASSES)])  # noqa: C419 - every pass is to be made


def test_meters_are_read_in_turn_and_then_at_full_minutes_plus_phase() -> None:
    two = [Slot(MINUTE, 0, 500), Slot(MINUTE, 15_000, 500)]
    for slot in two:
        slot.follow(T0 + 7)
    assert choose(two, T0 + 7) == (0, 0)
    two[0].answered(T0 + 300)
    assert choose(two, T0 + 300) == (1, 0)
    two[1].answered(T0 + 600)
    assert (two[0].due_ms % MINUTE, two[1].due_ms % MINUTE) == (0, 15_000)
    assert choose(two, T0 + 600) == (-1, min(two[0].due_ms, two[1].due_ms) - T0 - 600)


def test_a_silent_meter_steps_back_behind_the_others_of_the_round() -> None:
    three = slots(3)
    assert choose(three, T0)[0] == 0
    assert not three[0].unanswered(T0 + 500)
    assert choose(three, T0 + 500)[0] == 1
    three[1].answered(T0 + 600)
    three[2].answered(T0 + 700)
    assert choose(three, T0 + 700)[0] == 0  # asked again at the end of the round
    assert not three[0].unanswered(T0 + 1200)
    assert not three[0].unanswered(T0 + 1700)
    assert three[0].failed == 1
    assert three[0].due_ms > T0 + 1700


def test_a_meter_that_failed_last_time_is_asked_behind_the_others() -> None:
    two = slots(2)
    fail(two[0], T0)
    for slot in two:
        slot.due_ms = T0 + MINUTE
    assert choose(two, T0 + MINUTE)[0] == 1
    two[0].answered(T0 + MINUTE)
    two[0].due_ms = T0 + MINUTE
    assert choose(two, T0 + MINUTE)[0] == 0


def test_stepping_back_ends_with_the_interval() -> None:
    two = slots(2)
    assert not two[0].unanswered(T0 + 500)
    two[1].due_ms = T0 + 1000
    assert choose(two, T0 + 2000)[0] == 1
    assert choose(two, T0 + MINUTE)[0] == 0
    assert not two[0].unanswered(T0 + MINUTE)
    assert two[0].failed == 1


def test_lost_after_two_failed_readings_then_probed_later_and_later() -> None:
    slot = slots(1)[0]
    assert not fail(slot, T0)
    assert fail(slot, T0 + MINUTE)
    assert slot.lost
    waits: list[int] = []
    now = T0 + MINUTE
    for _ in range(8):
        waits.append(slot.due_ms - now)
        now = slot.due_ms
        assert not slot.unanswered(now), "said once"
    assert waits[:4] == [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE]
    assert waits[-1] == PROBE_CAP_MS
    assert slot.answered(now)
    assert not slot.lost
    assert not slot.answered(now + 1)


def test_a_probe_waits_for_room_and_is_made_at_last() -> None:
    lost, live = slots(2, cost_ms=1500)
    lost.failed = LOST_AFTER
    lost.due_ms = T0
    live.due_ms = T0 + 1000
    assert choose([lost, live], T0) == (-1, 1000)
    assert choose([lost, live], T0 - 600)[0] == -1  # not due yet
    live.due_ms = T0 + 1500
    assert choose([lost, live], T0) == (0, 0)
    live.due_ms = T0 + MINUTE + 100
    assert choose([lost, live], T0 + MINUTE) == (0, 0)  # overdue: made although another is due soon


def test_late_readings_and_those_left_out_are_counted() -> None:
    slot = slots(1)[0]
    begun = T0 + 20_000  # far back in the queue of its round, but always as far
    late: list[int] = []
    for after in (0, 60_000, 65_999, 66_001, 120_000, 180_000, 60_000):
        begun += after
        slot.begin(begun)
        late.append(slot.late)
        slot.answered(begun + 500)
    assert late == [0, 0, 0, 1, 2, 4, 4]
    slot.tries = 1
    slot.begin(begun + 9 * MINUTE)
    assert slot.late == 4, "a further pass is no further reading"


def test_what_a_lost_meter_missed_is_not_late() -> None:
    slot = slots(1)[0]
    slot.begin(T0)
    fail(slot, T0)
    fail(slot, T0 + MINUTE)
    slot.begin(T0 + 60 * MINUTE)
    slot.answered(T0 + 60 * MINUTE)
    slot.begin(T0 + 61 * MINUTE)
    assert slot.late == 0


def test_a_clock_set_back_plans_again_and_set_forward_does_not_count_years() -> None:
    slot = slots(1)[0]
    slot.follow(T0 - 3_600_000)
    assert T0 - 3_600_000 < slot.due_ms <= T0 - 3_600_000 + MINUTE
    slot.begin(T0)
    slot.begin(T0 + 10**11)
    assert slot.late == 100


@given(
    st.integers(1, 86_400).map(lambda s: s * 1000), st.floats(0, 0.99), st.integers(T0, T0 + 10**10), st.integers(1, 5)
)
def test_the_next_reading_lies_in_the_next_interval(interval: int, part: float, now: int, fails: int) -> None:
    slot = Slot(interval, int(part * interval), 100)
    slot.answered(now)
    assert now < slot.due_ms <= now + interval
    assert (slot.due_ms - slot.phase_ms) % interval == 0
    for _ in range(fails):
        fail(slot, now)
    assert now < slot.due_ms <= now + max(interval, PROBE_CAP_MS)
