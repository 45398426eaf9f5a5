"""The console (one JSON object per line, for changes of state only) and the Python heap."""

import gc
import json
import sys

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node.store import Store

_used = getattr(gc, "mem_alloc", int)  # CPython has no such figure: 0

GC_BYTES = 2048  # a collection after so many allocated bytes: garbage cannot add up to more


def unload(*names: str) -> None:
    """Forget modules: what nothing else refers to goes back to the heap, and a later import loads it again."""
    Console.note()
    if sys.implementation.name != "micropython":
        return  # memory is no concern there, and a class must not exist twice under test
    for name in names:
        if name in sys.modules:
            sys.modules.pop(name)
            package, child = name.rsplit(".", 1)
            if hasattr(sys.modules[package], child):
                delattr(sys.modules[package], child)
    gc.collect()


class Console:
    """Says events with the node's standing figures.

    node: its id; store: its Store; boot: random 64 bits. Since boot: samples = metric values recorded, errors =
    exceptions that ended a task or lost a record, rejected = commands and states that were not understood.
    `peak` is the highest heap use ever noted, garbage included, in bytes.
    """

    peak = 0

    def __init__(self, node: str, boot: int, store: "Store") -> None:
        self._node = node
        self._boot = "%016x" % boot
        self._store = store
        self.samples = 0
        self.errors = 0
        self.rejected = 0

    @staticmethod
    def note() -> None:
        """Look at the heap use now."""
        Console.peak = max(Console.peak, _used())

    def say(self, event: str, **fields: object) -> None:
        """Print one event; fields beyond the standing ones are added."""
        self.note()
        store = self._store
        fields["event"] = event
        fields["node"] = self._node
        fields["boot"] = self._boot
        fields["store"] = "%016x" % store.id
        fields["newest"] = store.newest
        fields["acked"] = store.acked
        fields["journaled"] = store.journal.last
        fields["unsaved"] = store.unsaved
        fields["samples"] = self.samples
        fields["errors"] = self.errors
        fields["rejected"] = self.rejected
        fields["flash_errors"] = store.failures
        fields["heap_peak"] = self.peak
        print(json.dumps(fields))  # noqa: T201 - the console is the node's only local output

    def error(self, where: str, error: BaseException) -> None:
        """Count and print an exception."""
        self.errors += 1
        self.say("error", where=where, reason=repr(error))
