"""The tasks of a running node, and what keeps them running."""

import asyncio
import gc

from shutan_node import hal
from shutan_node.console import Console, unload

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shutan_node.main import Node

_TICK_MS = 250
_STUCK_MS = 90000  # a task that has not moved for so long is stuck
_WATCHDOG_MS = 30000
_FAILURES_MAX = 8  # of one task in a row, then the board starts again
_CALM_MS = 300000  # after so long a failure is forgotten
_RESYNC_S = 600


async def _supervise(name: str, task: "Callable[[Node], Awaitable[None]]", node: "Node") -> None:
    """Run a task for ever: an exception is reported, then it starts again, later each time."""
    failures = 0
    while True:
        began = hal.real_ms()
        try:
            await task(node)
        except Exception as error:  # noqa: BLE001 - the top of a task: report, count, start again with a limit
            node.console.error(name, error)
            if hal.real_ms() - began > _CALM_MS:
                failures = 0
            failures += 1
            if failures > _FAILURES_MAX:
                hal.reset()
        wait_ms = 500 << failures
        while wait_ms > 0:
            await asyncio.sleep_ms(min(wait_ms, 1000))
            wait_ms -= 1000


async def _time(node: "Node") -> None:
    """Set the clock: at once, then every ten minutes; sooner while nobody answers."""
    delay_s = 1
    while True:
        wait_s = delay_s
        try:
            if hal.online():
                from shutan_node import sntp

                offset = await sntp.ask(node.time["host"], node.time["port"], hal.uptime_ms)
                first = node.clock.offset is None
                step = node.clock.set(offset)
                if first:
                    from shutan_node import recovery

                    recovery.stamp(node.store, offset)
                    recovery = None
                if first or abs(step) >= 1000:
                    node.console.say("synced", step_ms=step)
                delay_s = 1
                wait_s = _RESYNC_S
        except OSError:
            delay_s = min(2 * delay_s, 60)
        sntp = None
        unload("shutan_node.sntp", "shutan_node.recovery")
        await asyncio.sleep(wait_s)


def _figures(node: "Node") -> None:
    """A record of the node's own metrics, in the order of plan.NODE_METRICS."""
    columns = node.devices[0]
    columns.time_ms, columns.relative = node.clock.now()
    silent = wrong = 0
    for sampler in node.samplers:
        for instrument in sampler.instruments:
            silent += instrument.meter.silent
            wrong += instrument.meter.damaged + instrument.meter.refused
    values = (
        node.clock.uptime_ms() // 1000,
        gc.mem_free(),
        Console.peak,
        node.store.journaled(),
        wrong,
        silent,
        node.recorder.dropped,
        node.store.lost,
        node.link.sessions,
        node.clock.steps,
    )
    for column in range(len(values)):
        columns.set(column, values[column])
        columns.due[column] = 1
    node.recorder.record(columns)


async def _watch(node: "Node") -> None:
    """Keep time for the others, and feed the watchdog while all of them move."""
    feed = hal.watchdog(_WATCHDOG_MS)
    due_ms = 0
    while True:
        now = hal.real_ms()
        oldest = node.link.beat
        for sampler in node.samplers:
            oldest = min(oldest, sampler.beat)
        if now - oldest < _STUCK_MS:
            feed()
        node.link.tick(now)
        if node.clock.uptime_ms() >= due_ms:
            due_ms = node.clock.uptime_ms() + node.interval_ms
            _figures(node)
        await asyncio.sleep_ms(_TICK_MS)


async def _all(node: "Node") -> None:
    """Start every task; never returns."""
    now = hal.real_ms()
    node.link.beat = now
    asyncio.create_task(_supervise("link", node.link.run, node))  # noqa: RUF006 - the loop holds its tasks here
    asyncio.create_task(_supervise("time", _time, node))  # noqa: RUF006 - as above
    for sampler in node.samplers:
        sampler.beat = now
        asyncio.create_task(_supervise("bus", sampler.run, node))  # noqa: RUF006 - as above
    await _supervise("watch", _watch, node)


def run(node: "Node") -> None:
    """Run until power is cut. Ctrl-C is a planned stop: everything goes to flash and nothing counts as unsaved."""
    gc.collect()
    try:
        asyncio.run(_all(node))
    except KeyboardInterrupt:
        from shutan_node import recovery

        recovery.close(node.store)
        if node.link.socket is not None:
            from shutan_node import handshake

            handshake.leave(node.link)
        node.console.say("stop")
