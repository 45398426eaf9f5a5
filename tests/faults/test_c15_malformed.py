"""C15 malformed payload: every decoder answers with its own error, in time, and keeps no memory."""

import gc
import os
import time
from collections import Counter

import pytest

from faults.fuzz_messages import MESSAGE_TARGETS
from faults.fuzz_targets import TARGETS, Target
from faults.harness import Fault

SEED = 20_261_123
HANG_MS = 10
_HANG_NS = HANG_MS * 1_000_000
_AGAIN = 5  # an input that took long is tried again: the processor may have been somebody else's
_SHOWN = 5

ALL = {**TARGETS, **MESSAGE_TARGETS}
INPUTS_LONG = {
    "host": 1_000_000,
    **{name: 1_000_000 for name in ALL if name.startswith("adapter_")},
}  # no decoders: whole chains


def rss_kib() -> int:
    """Resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def took_ns(target: Target, data: bytes) -> int:
    """Shortest processor time of several tries."""
    times: list[int] = []
    for _ in range(_AGAIN):
        began_ns = time.thread_time_ns()
        target.take(data)
        times.append(time.thread_time_ns() - began_ns)
    return min(times)


@pytest.mark.parametrize("name", list(ALL))
def test_c15_malformed_payload(fault: Fault, name: str) -> None:
    inputs = fault.size(short=2_000, long=INPUTS_LONG.get(name, 10_000_000))
    target = ALL[name]()
    for data in target.corpus:  # what once broke something is in it as it was found
        target.take(data)
    mutator = target.inputs(SEED)
    classes: Counter[str] = Counter()
    foreign: list[str] = []
    hangs = 0
    settled_kib = 0
    clock_ns = time.perf_counter_ns
    began_s = time.monotonic()
    for number in range(inputs):
        if number == inputs // 2:  # caches with a limit are full by then
            gc.collect()
            settled_kib = rss_kib()
        data = mutator.next()
        began_ns = clock_ns()
        try:
            kind = target.take(data)
        except Exception as error:  # noqa: BLE001 - exactly what is searched for
            foreign.append(f"{data.hex()}: {error!r}")
            continue
        if clock_ns() - began_ns > _HANG_NS and took_ns(target, data) > _HANG_NS:
            hangs += 1
        classes[kind] += 1
        if not number & 0xFFFF:
            fault.progress(f"{name}: {number} of {inputs}, {len(foreign)} foreign errors, {hangs} hangs")
    took_s = time.monotonic() - began_s
    gc.collect()
    grown_kib = max(0, rss_kib() - settled_kib)
    assert not foreign, "\n".join(foreign[:_SHOWN])
    assert classes[target.reached] > inputs // 200, f"damaged too much to reach deeper code: {classes}"
    fault.record(
        "C15",
        part=name,
        measured={
            "inputs": inputs,
            "foreign_errors": len(foreign),
            "hangs_above_10ms": hangs,
            "classes": len(classes),
            "rss_growth_second_half_kib": grown_kib,
            "inputs_per_s": round(inputs / took_s),
        },
        bar={"foreign_errors": "== 0", "hangs_above_10ms": "== 0"},
        long_bar={"inputs": f">= {INPUTS_LONG.get(name, 10_000_000)}", "rss_growth_second_half_kib": "<= 1024"},
        note=f"seed {SEED}; " + ", ".join(f"{kind} {n}" for kind, n in classes.most_common(14)),
    )
