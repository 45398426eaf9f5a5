"""The verdict: what the stores hold against what the instruments showed and what the nodes kept.

Nothing here counts what was sent; every zero comes from reading a store back.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shutan_collector.site.model import Site
from shutan_demo.evidence import NodeStory, Register, Truth
from shutan_demo.readback import MASK_63, StoredRow

MS = 1_000_000  # nanoseconds
GAP_FROM, GAP_TO = "gap_from", "gap_to"
SHOWN = 5


@dataclass(slots=True)
class Verdict:
    """What was found in one store.

    samples_stored   metric values of the live nodes' records
    lost             record numbers that a node kept (acknowledged or journaled) and that are not in the store
    duplicated       records that stand in the store at more than one key
    unsaved          record numbers that a reset may have taken with the RAM (upper bound, from the nodes' gap records)
    energy_error_wh  sum over energy registers of |stored difference - difference that the instrument showed|
    register_errors  stored register values that no instrument showed at that time
    """

    store: str
    samples_stored: int = 0
    records_stored: int = 0
    history_records: int = 0
    lost: int = 0
    duplicated: int = 0
    unsaved: int = 0
    energy_error_wh: int = 0
    register_errors: int = 0
    meters: int = 0
    detail: list[str] = field(default_factory=list[str])

    @property
    def sound(self) -> bool:
        """The three zeros, and no register that nobody showed."""
        return not (self.lost or self.duplicated or self.energy_error_wh or self.register_errors) and self.meters > 0


def judge(
    store: str, rows: Iterable[StoredRow], *, site: Site, truth: Truth, stories: Sequence[NodeStory], reach_ms: int
) -> Verdict:
    """Read a store's rows once and judge them. A reading was shown within reach_ms (plant time) of its stamp."""
    verdict = Verdict(store)
    boots = {story.node: {boot & MASK_63 for boot in story.boots} for story in stories}
    keys: dict[tuple[str, int], set[tuple[str, int]]] = defaultdict(set)  # (node, record) -> (device, ms)
    gaps: dict[str, set[int]] = defaultdict(set)
    registers: dict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
    times: Counter[tuple[str, str, str, int]] = Counter()
    for row in rows:
        times[row.family, row.node, row.device, row.t_ns // MS] += 1
        live = row.boot in boots.get(row.node, ())
        if live and row.record is not None:
            keys[row.node, row.record].add((row.device, row.t_ns))
            verdict.samples_stored += len(row.values)
            _note_gap(row, gaps)
        else:
            verdict.history_records += 1
        for metric, value in row.values.items():
            if isinstance(value, int) and not isinstance(value, bool):
                registers[row.node, row.device, metric].append((row.t_ns, value))
    verdict.records_stored = len(keys)
    _count_records(verdict, keys, gaps, stories)
    verdict.duplicated += sum(n - 1 for n in times.values() if n > 1)
    _compare_registers(verdict, registers, site, truth, reach_ms)
    return verdict


def _note_gap(row: StoredRow, gaps: Mapping[str, set[int]]) -> None:
    first, last = row.values.get(GAP_FROM), row.values.get(GAP_TO)
    if isinstance(first, int) and isinstance(last, int):
        gaps[row.node].update(range(first, last + 1))


def _count_records(
    verdict: Verdict,
    keys: Mapping[tuple[str, int], set[tuple[str, int]]],
    gaps: Mapping[str, set[int]],
    stories: Sequence[NodeStory],
) -> None:
    for story in stories:
        there = {record for node, record in keys if node == story.node}
        kept = max(story.acked, story.journaled)
        never = gaps.get(story.node, set())
        missing = sorted(set(range(1, kept + 1)) - there - never)
        verdict.lost += len(missing)
        verdict.unsaved += len(never - there)
        if missing:
            verdict.detail.append(f"{story.node}: kept up to {kept}, not stored: {missing[:SHOWN]} ({len(missing)})")
    for (node, record), places in keys.items():
        devices = {device for device, _ in places}
        if len(devices) > 1:
            verdict.duplicated += 1
            verdict.detail.append(f"{node}: record {record} stands under {sorted(devices)}")


def _compare_registers(
    verdict: Verdict,
    registers: Mapping[tuple[str, str, str], list[tuple[int, int]]],
    site: Site,
    truth: Truth,
    reach_ms: int,
) -> None:
    places = {meter.id: meter.installations[-1] for meter in site.meters}
    for register in truth.final:
        place = places.get(register[0])
        if place is None:
            continue
        verdict.meters += 1
        stored = sorted(registers.get((place.node, place.device, register[1]), []))
        if stored:
            _compare(verdict, register, stored, truth, reach_ms)
        else:
            verdict.register_errors += 1
            verdict.detail.append(f"{' '.join(register)}: nothing in the store")


def _compare(
    verdict: Verdict, register: Register, stored: Sequence[tuple[int, int]], truth: Truth, reach_ms: int
) -> None:
    """One register: every stored value was shown at its time, and last - first is what the instrument counted."""
    wrong = sum(value not in truth.values_around(register, t_ns // MS, reach_ms) for t_ns, value in stored)
    first_ns, first = stored[0]
    shown = truth.values_around(register, first_ns // MS, reach_ms)
    first_true = min(shown, key=lambda value: abs(value - first), default=0)
    error = abs((stored[-1][1] - first) - (truth.final[register] - first_true))
    verdict.register_errors += wrong
    if register[1].endswith("_wh"):
        verdict.energy_error_wh += error
    elif error:
        verdict.register_errors += 1
    if wrong or error:
        verdict.detail.append(f"{' '.join(register)}: off by {error}, {wrong} values that were never shown")
