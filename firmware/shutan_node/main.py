"""A node: `from shutan_node.main import run; run()` with its folder as working directory."""

import gc

from shutan_node.console import GC_BYTES, unload


class Node:
    """What the tasks share: boot, clock, console, store, devices, recorder, link, samplers, time, interval_ms."""


def run() -> None:
    """Run until power is cut; exits with one line on the console after a mistake in the configuration."""
    gc.threshold(GC_BYTES)
    node = Node()
    from shutan_node import start

    start.start(node)
    del start
    unload("shutan_node.start", "shutan_node.recovery", "shutan_node.gaps", "shutan_wire.records", "shutan_wire.ids")
    from shutan_node import tasks

    tasks.run(node)


if __name__ == "__main__":
    run()
