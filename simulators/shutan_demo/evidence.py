"""What the demo compares: the instruments' own log, the nodes' own console, and what can be read back from a store."""

import json
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

Register = tuple[str, str]  # meter, metric


@dataclass(slots=True)
class Truth:
    """Registers as the simulated instruments showed them, in the metric's integer step, primary side.

    served  register -> (plant times in ms, values), one entry a change, in time order
    final   register -> value after the plant was frozen
    """

    served: dict[Register, tuple[list[int], list[int]]]
    final: dict[Register, int]

    def values_around(self, register: Register, ms: int, reach_ms: int) -> set[int]:
        """Every value that the instrument showed within ``reach_ms`` of ``ms``."""
        times, values = self.served.get(register, ([], []))
        first = max(0, bisect_right(times, ms - reach_ms) - 1)
        last = bisect_right(times, ms + reach_ms)
        return set(values[first:last])


def read_truth(path: Path) -> Truth:
    """Load ``truth.sqlite``, written by the simulator's instruments."""
    served: dict[Register, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        for meter, metric, ms, value in db.execute("SELECT meter, metric, plant_ms, value FROM served ORDER BY plant_ms, rowid"):
            times, values = served[meter, metric]
            times.append(ms)
            values.append(value)
        final = {(meter, metric): value for meter, metric, value in db.execute("SELECT meter, metric, value FROM final")}
    db.close()
    return Truth(dict(served), final)


@dataclass(slots=True)
class NodeStory:
    """What one node said of itself on its console, over all its lives."""

    node: str
    boots: set[int] = field(default_factory=set[int])
    kept: dict[str, int] = field(default_factory=dict[str, int])  # store id -> newest number acknowledged or journaled
    newest: int = 0
    samples: int = 0
    heap_peak_b: int = 0
    runtime: str = ""


def read_story(node: str, console: Path) -> NodeStory:
    """Fold a node's console, one JSON object a line; lines cut by a kill are passed over."""
    story = NodeStory(node)
    samples_by_boot: dict[str, int] = {}
    text = console.read_text(encoding="utf-8", errors="replace") if console.is_file() else ""
    for line in text.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if not isinstance(said, dict) or "store" not in said:
            continue
        store, boot = str(said["store"]), str(said.get("boot", ""))
        if boot:
            story.boots.add(int(boot, 16))
        kept = max(int(said.get("acked", 0)), int(said.get("journaled", 0)))
        story.kept[store] = max(story.kept.get(store, 0), kept)
        story.newest = max(story.newest, int(said.get("newest", 0)))
        story.heap_peak_b = max(story.heap_peak_b, int(said.get("heap_peak", 0)))
        story.runtime = str(said.get("runtime", story.runtime))
        if "samples" in said:
            samples_by_boot[boot] = max(samples_by_boot.get(boot, 0), int(said["samples"]))
    story.samples = sum(samples_by_boot.values())
    return story
