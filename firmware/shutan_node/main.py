"""A node: `from shutan_node.main import run; run()` with its folder as working directory."""

import gc

from shutan_node.console import GC_BYTES, unload

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node import shapes
    from shutan_node.clock import Clock
    from shutan_node.columns import Columns
    from shutan_node.console import Console
    from shutan_node.link import Link
    from shutan_node.sampler import Recorder, Sampler
    from shutan_node.store import Store


class Node:
    """What the tasks share: boot, clock, console, store, devices, recorder, link, samplers, time, interval_ms."""

    boot: int
    clock: "Clock"
    console: "Console"
    store: "Store"
    devices: "list[Columns]"
    recorder: "Recorder"
    link: "Link"
    samplers: "list[Sampler]"
    time: "shapes.Address"
    interval_ms: int


def run() -> None:
    """Run until power is cut; exits with one line on the console after a mistake in the configuration.

    What else goes wrong at start (flash that cannot be read or written, memory) ends in a reset after ten seconds.
    """
    gc.threshold(GC_BYTES)
    node = Node()
    from shutan_node import start

    try:
        start.start(node)
    except Exception as error:  # noqa: BLE001 - no task is there yet to supervise: say it, try again later
        start.fail(error)
    del start
    unload("shutan_node.start", "shutan_node.recovery", "shutan_node.gaps", "shutan_wire.records", "shutan_wire.ids")
    from shutan_node import tasks

    tasks.run(node)


if __name__ == "__main__":
    run()
