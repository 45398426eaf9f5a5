"""C20: a node's supply fails at every byte that its journal writes; figures of what runs on MicroPython too."""

import pytest

from faults.harness import Fault
from node.test_both_power_cut import BLOCK, Flash, PowerCut, body, gap_ranges, held, life, start

pytestmark = pytest.mark.fault


def test_c20_power_cut_of_a_node(fault: Fault) -> None:
    """It always boots; what was journaled and what follows the last acknowledgement is there; nothing goes silently."""
    whole = Flash()
    start(whole, boot=98)
    before = dict(whole.files)
    whole.used = 0
    life(whole, [], [], {})
    step = fault.size(short=7, long=1)
    cuts = boots = journaled_lost = vanished = next_lost = used_again = 0
    most_from_ram = 0
    for cut in range(0, whole.used, step):
        flash = Flash(dict(before))
        flash.budget = cut
        used: list[int] = []
        acked: list[int] = []
        durable: dict[int, bool] = {}
        with pytest.raises(PowerCut):
            life(flash, used, acked, durable)
        flash.budget = None
        store, kept = start(flash, boot=99)
        cuts += 1
        boots += kept
        found, done = held(store), max(acked, default=0)
        journaled_lost += sum(number > done and number not in found for number in durable)
        closed = {number for low, high, _ in gap_ranges(store) for number in range(low, high + 1)}
        vanished += sum(number > done and number not in found and number not in closed for number in used)
        most_from_ram = max(most_from_ram, len(closed))
        next_lost += bool(done) and done + 1 not in found
        used_again += store.add(body("after")) <= max(used, default=0)
    fault.record(
        "C20",
        measured={
            "cuts": cuts,
            "boots_percent": 100 * boots / cuts,
            "journaled_lost": journaled_lost,
            "record_after_the_acknowledged_lost": next_lost,
            "gone_without_a_gap_record": vanished,
            "numbers_used_again": used_again,
            "most_lost_from_ram_and_declared": most_from_ram,
        },
        bar={
            "boots_percent": "== 100",
            "journaled_lost": "== 0",
            "record_after_the_acknowledged_lost": "== 0",
            "gone_without_a_gap_record": "== 0",
            "numbers_used_again": "== 0",
            "most_lost_from_ram_and_declared": f"<= {BLOCK}",
        },
        note=f"a model of the file system: an append stops after any byte; RAM holds at most {BLOCK} records that "
        "are not in the journal yet, and what a cut takes of them is declared by a gap record",
    )
