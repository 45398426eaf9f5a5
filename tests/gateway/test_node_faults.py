"""Faults by node: counted, bounded, read while they grow."""

from shutan_gateway.intake.node_faults import NODES_MAX, NodeFaults


def test_faults_are_counted_by_node_and_kind() -> None:
    faults = NodeFaults()
    faults.note("works", "n1", "sequence_gap")
    faults.note("works", "n1", "sequence_gap", 2)
    faults.note("works", "n1", "unknown_alias")
    faults.note("other", "n1", "unknown_alias")
    found = faults.snapshot()
    assert found == {
        ("works", "n1"): {"sequence_gap": 3, "unknown_alias": 1},
        ("other", "n1"): {"unknown_alias": 1},
    }
    faults.note("works", "n1", "unknown_alias")
    assert found["works", "n1"]["unknown_alias"] == 1, "a copy"


def test_the_table_is_bounded_and_says_what_it_left_out() -> None:
    faults = NodeFaults()
    for number in range(NODES_MAX + 5):
        faults.note("works", f"n{number}", "topic")
    faults.note("works", "n0", "topic")
    assert len(faults.snapshot()) == NODES_MAX
    assert faults.snapshot()["works", "n0"] == {"topic": 2}
    assert faults.left_out == 5
