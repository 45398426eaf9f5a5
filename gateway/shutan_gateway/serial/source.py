"""The source of all wired meters: one thread, one asyncio loop, a task for each bus."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, NoReturn

from shutan_gateway.errors import RetryLater, TellPerson
from shutan_gateway.serial.backfill import take_request
from shutan_gateway.serial.bus import Bus
from shutan_gateway.serial.outbox import Outbox, Progress
from shutan_gateway.serial.writes import WriteJob, allowed_write, write_request
from shutan_gateway.supervise import Supervised
from shutan_meters.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.config.serial import SerialBus
    from shutan_gateway.sources import SourceTools

__all__ = ["STATE", "SerialSource"]

log = logging.getLogger("shutan.serial")

STATE = "serial.json"
_LOOK_S = 5.0
_SAVE_EVERY = 12  # looks
_END_S = 5.0


class SerialSource:
    """See module. `start` needs no device to be there; `stop` ends within a few seconds."""

    name = "serial"

    def __init__(self, buses: Sequence[SerialBus], tools: SourceTools) -> None:
        """See class. Raises ProfileError; the check of the configuration has found it before."""
        self._folder = tools.folder
        self._counters = tools.counters
        self._progress = Progress(tools.folder / STATE)
        self._outbox = Outbox(tools.offers, tools.counters, self._progress)
        self.buses = [Bus(bus, tools.counters, self._outbox, self._progress) for bus in buses]
        self._failed: str | None = None
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = Supervised("serial", self._work, counters=tools.counters, stop=self._stop, give_up=self._give_up)

    @property
    def trouble(self) -> str | None:
        """Lost buses, then lost meters, on one line."""
        if self._failed:
            return self._failed
        found = [bus.trouble for bus in self.buses if bus.trouble]
        for bus in self.buses:
            lost = bus.lost_meters
            if lost and not bus.trouble:
                found.append(f"bus {bus.config.name}: no answer from {', '.join(lost)}")
        return "; ".join(found) or None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the readings and remember what is durable."""
        self._stop.set()
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(task.cancel)
        if not self._thread.join(_END_S):
            log.warning("the serial thread did not end in time")
        self._progress.save()

    def has(self, place: tuple[str, str, str]) -> bool:
        """Whether a meter is wired here. place: (site, node, device)."""
        return any((bus.config.site, bus.config.node, meter.id) == place for bus in self.buses for meter in bus.meters)

    def check(self, place: tuple[str, str, str], name: str, value: int) -> None:
        """Raises Refusal (unknown_meter, not_allowed, out_of_range)."""
        allowed_write([bus.config for bus in self.buses], place, name, value)

    def write(self, place: tuple[str, str, str], name: str, value: int, timeout_s: float = 10) -> None:
        """Write to a meter if its allow table lists it; returns when the meter has confirmed. From any thread but the
        buses' own.

        place:  (site, node, device);  name: of the write;  value: within its limits
        Raises  Refusal (unknown_meter, not_allowed, out_of_range); RetryLater where the bus is away or busy for
                longer than timeout_s, when nothing was sent; TellPerson where it was sent and not confirmed
        """
        write = allowed_write([bus.config for bus in self.buses], place, name, value)
        bus, meter = next(
            (bus, meter)
            for bus in self.buses
            for meter in bus.meters
            if (bus.config.site, bus.config.node, meter.id) == place
        )
        if self._loop is None or bus.trouble:
            raise RetryLater(bus.trouble or "the buses are not open yet")
        request = write_request(int(meter.config.address), write, value)
        job = WriteJob(meter.id, request, time.monotonic() + timeout_s, Future())
        try:
            self._loop.call_soon_threadsafe(bus.write, job)
        except RuntimeError:  # the loop has ended: a stop, or the thread is started again
            raise RetryLater(f"bus {bus.config.name} is closed; nothing was sent") from None
        try:
            job.done.result(timeout_s)
        except TimeoutError:
            if job.done.cancel():
                raise RetryLater(f"bus {bus.config.name} was busy for {timeout_s:g} s; nothing was sent") from None
            self._sent(place, "no answer yet")
        except CancelledError:
            raise RetryLater(f"bus {bus.config.name} was busy; nothing was sent") from None
        except (MeterError, OSError) as error:
            self._sent(place, str(error))
        log.info("bus %s: %s of meter %s set to %d", bus.config.name, name, meter.id, value)

    @staticmethod
    def _sent(place: tuple[str, str, str], why: str) -> NoReturn:
        raise TellPerson(
            f"{'/'.join(place)}: sent, but not confirmed: {why}; look at the meter before it is sent again"
        )

    def _give_up(self, _name: str) -> None:
        self._failed = "the serial thread failed too often; the log says why"

    def _work(self) -> None:
        if not self._stop.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        if self._stop.is_set():
            return
        async with asyncio.TaskGroup() as group:
            for bus in self.buses:
                group.create_task(bus.run(), name=bus.config.name)
            group.create_task(self._outbox.run())
            group.create_task(self._look())

    async def _look(self) -> None:
        """Requests of a person; from time to time what is durable."""
        looks = 0
        while True:
            request = take_request(self._folder)
            if request is not None:
                for bus in self.buses:
                    for meter in bus.meters:
                        if not request.keys or meter.key in request.keys:
                            bus.backfill(meter, request.from_ms, request.to_ms)
            looks += 1
            if looks % _SAVE_EVERY == 0:
                self._progress.save()
            await asyncio.sleep(_LOOK_S)
