"""What the demo compares: the instruments' own log, the nodes' own console, and what can be read back from a store."""

import json
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

TRUTH_FILE = "truth.sqlite"
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
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        for meter, metric, ms, value in db.execute(
            "SELECT meter, metric, plant_ms, value FROM served ORDER BY plant_ms, rowid"
        ):
            times, values = served[meter, metric]
            times.append(ms)
            values.append(value)
        final = {
            (meter, metric): value for meter, metric, value in db.execute("SELECT meter, metric, value FROM final")
        }
    return Truth(dict(served), final)


def has_final(path: Path) -> bool:
    """Whether the instruments have written their last registers."""
    if not path.is_file():
        return False
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return bool(db.execute("SELECT EXISTS (SELECT 1 FROM final)").fetchone()[0])


@dataclass(slots=True)
class NodeStory:
    """What one node said of itself on its console, over all its lives: the newest record number acknowledged, in the
    flash journal, and given out; metric values recorded.
    """

    node: str
    boots: set[int] = field(default_factory=set[int])
    acked: int = 0
    journaled: int = 0
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
            said: object = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict):
            _fold(story, cast("dict[str, object]", said), samples_by_boot)
    story.samples = sum(samples_by_boot.values())
    return story


def _fold(story: NodeStory, said: dict[str, object], samples_by_boot: dict[str, int]) -> None:
    boot = str(said.get("boot", ""))
    if boot:
        story.boots.add(int(boot, 16))
    story.acked = max(story.acked, _number(said, "acked"))
    story.journaled = max(story.journaled, _number(said, "journaled"))
    story.newest = max(story.newest, _number(said, "newest"))
    story.heap_peak_b = max(story.heap_peak_b, _number(said, "heap_peak"))
    story.runtime = str(said.get("runtime", story.runtime))
    samples_by_boot[boot] = max(samples_by_boot.get(boot, 0), _number(said, "samples"))


def _number(said: dict[str, object], key: str) -> int:
    value = said.get(key, 0)
    return value if isinstance(value, int) else 0
