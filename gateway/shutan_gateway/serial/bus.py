"""One bus: opens its line, reads its meters in their turn, opens the line again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from shutan_gateway.backoff import Backoff
from shutan_gateway.serial.backfill import DAY_MS, Job, days_back, frozen_ms
from shutan_gateway.serial.budget import phases_s
from shutan_gateway.serial.line import open_line
from shutan_gateway.serial.meter import WiredMeter
from shutan_gateway.serial.patience import Patience
from shutan_gateway.serial.schedule import choose
from shutan_gateway.serial.writes import WriteReply
from shutan_meters.errors import FrameError, MeterError, NoAnswer, Refused
from shutan_meters.freeze import read_daily_freeze, supported

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.config.serial import SerialBus
    from shutan_gateway.counters import Counters
    from shutan_gateway.serial.line import Line
    from shutan_gateway.serial.outbox import Outbox, Progress
    from shutan_gateway.serial.writes import WriteJob

__all__ = ["Bus", "utc_ms"]

log = logging.getLogger("shutan.serial")

_STEADY_S = 10.0  # a line that lived this long was well
_AGAIN_S = 1.0
_LOOK_S = 1.0  # the clock is looked at this often: it may have been set
_JOB_OVERDUE_S = 60.0
_DUTY_S = 60.0
_EXCHANGES_A_FREEZE = 3
_REPEATS = 40  # of the time, one part may go into requests repeated at once


def utc_ms() -> int:
    """UTC now, milliseconds."""
    return time.time_ns() // 1_000_000


class Bus:
    """A bus of `[[serial]]`. Everything here runs in the loop of the serial thread.

    now_ms: clock of the schedule and of the samples
    """

    def __init__(
        self,
        config: SerialBus,
        counters: Counters,
        outbox: Outbox,
        progress: Progress,
        now_ms: Callable[[], int] = utc_ms,
    ) -> None:
        """See class. Raises ProfileError."""
        self.config = config
        self.meters = [WiredMeter(config, *one) for one in zip(config.meter, phases_s(config), strict=True)]
        self.trouble: str | None = None
        self._slots = [meter.slot for meter in self.meters]
        self._counters = counters
        self._outbox = outbox
        self._progress = progress
        self._now_ms = now_ms
        self._jobs: deque[Job] = deque()
        self._job_s = 0.0
        self._writes: deque[WriteJob] = deque()
        self._wake = asyncio.Event()
        self._known_gap = {meter.key for meter in self.meters if not supported(meter.device)}
        self._down_s: float | None = None
        self._duty = (0.0, 0.0)
        self._repeats_ms = 0.0
        self._repeats_at = 0.0
        for meter in self.meters:
            counters.set("shutan_serial_meter_up", 0, bus=config.name, meter=meter.id)
        counters.set("shutan_serial_bus_up", 0, bus=config.name)

    async def run(self) -> None:
        """For ever, through losses of the line."""
        backoff = Backoff(first_s=_AGAIN_S, cap_s=30)
        self._wake = asyncio.Event()  # of this loop: the thread may have been started again
        while True:
            try:
                line = await open_line(self.config)
            except OSError as error:
                self._lost(error)
                await asyncio.sleep(backoff.next_s())
                continue
            begun = time.monotonic()
            self._found()
            try:
                await self._poll(line)
            except OSError as error:
                self._lost(error)
            finally:
                line.close()
            if time.monotonic() - begun > _STEADY_S:
                backoff.reset()
            await asyncio.sleep(backoff.next_s())

    def _lost(self, error: OSError) -> None:
        if self._down_s is not None:
            return
        self._down_s = time.monotonic()
        end = self.config.device or f"{self.config.host}:{self.config.port}"
        reason = error.strerror or str(error) or type(error).__name__
        self.trouble = f"bus {self.config.name}: {end}: {reason}"
        log.warning("bus %s lost: %s: %s; opened again when it is back", self.config.name, end, reason)
        self._counters.set("shutan_serial_bus_up", 0, bus=self.config.name)
        for meter in self.meters:
            self._stale(meter)

    def _found(self) -> None:
        self._counters.set("shutan_serial_bus_up", 1, bus=self.config.name)
        if self._down_s is not None:
            log.info("bus %s back after %.0f s", self.config.name, time.monotonic() - self._down_s)
            self._counters.inc("shutan_serial_reopened_total", bus=self.config.name)
            self._down_s = None
            for meter in self.meters:
                meter.slot.due_ms = 0  # read at once what was away
        self.trouble = None
        self._duty = (time.monotonic(), 0.0)

    async def _poll(self, line: Line) -> None:
        while True:
            while self._writes:
                await self._write(line, self._writes.popleft())
            now = self._now_ms()
            for slot in self._slots:
                slot.follow(now)
            index, wait_ms = choose(self._slots, now)
            if index >= 0:
                await self._read(line, self.meters[index])
            elif self._jobs and self._may_work(self._jobs[0], wait_ms):
                await self._one_freeze(line)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(wait_ms / 1000, _LOOK_S)):
                        await self._wake.wait()
                self._wake.clear()
            self._reckon(line)

    def _reckon(self, line: Line) -> None:
        """Duty cycle of about a minute."""
        begun, busy_s = self._duty
        now = time.monotonic()
        if now - begun >= _DUTY_S or (busy_s == 0.0 and now > begun):
            percent = 100 * (line.busy_s - busy_s) / (now - begun)
            self._counters.set("shutan_serial_duty_percent", round(min(percent, 100.0), 1), bus=self.config.name)
            if now - begun >= _DUTY_S:
                self._duty = (now, line.busy_s)

    async def _read(self, line: Line, meter: WiredMeter) -> None:
        t_ms = self._now_ms()
        slot, late = meter.slot, meter.slot.late
        slot.begin(t_ms)
        at_once = self._may_repeat(meter)
        patience = Patience(line, meter.config.timeout_ms, first=2 if at_once else 1)
        name = self.config.name
        try:
            good = await meter.device.read(patience, meter.wanted)
        except (NoAnswer, FrameError) as error:
            if slot.unanswered(self._now_ms()):
                log.warning("bus %s: meter %s lost: %s; probed from now on", self.config.name, meter.id, error)
                meter.lost_ms = t_ms
                meter.answers = False
                self._counters.set("shutan_serial_meter_up", 0, bus=name, meter=meter.id)
                self._stale(meter)
        else:
            if slot.answered(self._now_ms()) and meter.lost_ms:
                away_s = (t_ms - meter.lost_ms) / 1000
                log.info("bus %s: meter %s back after %.0f s", self.config.name, meter.id, away_s)
            meter.answers = True
            self._counters.set("shutan_serial_meter_up", 1, bus=name, meter=meter.id)
            self._counters.inc("shutan_serial_reads_total", bus=name, meter=meter.id)
            self._offer(meter, t_ms, good)
        if at_once and patience.silent + patience.damaged:
            self._repeats_ms -= meter.slot.cost_ms
        for what, n in (("late", slot.late - late), ("silent", patience.silent), ("damaged", patience.damaged)):
            if n:
                self._counters.inc(f"shutan_serial_{what}_total", n, bus=name, meter=meter.id)

    def _may_repeat(self, meter: WiredMeter) -> bool:
        """Whether a meter that answered so far may be asked twice at once: as long as that delays the others little."""
        now = time.monotonic()
        most = min(slot.interval_ms for slot in self._slots) / _REPEATS
        self._repeats_ms = min(most, self._repeats_ms + (now - self._repeats_at) * 1000 / _REPEATS)
        self._repeats_at = now
        slot = meter.slot
        return meter.answers and not slot.failed and not slot.tries and self._repeats_ms >= slot.cost_ms

    def _offer(self, meter: WiredMeter, t_ms: int, good: int) -> None:
        if meter.key not in self._known_gap:
            self._known_gap.add(meter.key)
            last_ms = self._progress.last_ms(meter.key)
            if 0 < last_ms < t_ms - DAY_MS:
                self.backfill(meter, last_ms, t_ms)
        metrics = meter.samples(t_ms)
        if metrics:
            self._outbox.send(meter.key, metrics, self._now_ms(), t_ms if good else 0)

    def _stale(self, meter: WiredMeter) -> None:
        now = self._now_ms()
        metrics = meter.stale(now)
        if metrics:
            self._outbox.send(meter.key, metrics, now)

    @property
    def lost_meters(self) -> list[str]:
        """Ids of the meters that do not answer."""
        return [meter.id for meter in self.meters if meter.slot.lost]

    def backfill(self, meter: WiredMeter, from_ms: int, to_ms: int) -> None:
        """Read the daily freezes of a span (UTC) between the other readings."""
        back = days_back(from_ms, to_ms, self._now_ms(), self.config.utc_offset_h)
        if back and supported(meter.device):
            log.info("bus %s: meter %s: %d daily freezes are read to fill a gap", self.config.name, meter.id, len(back))
            self._jobs.append(Job(meter.key, from_ms, to_ms, back))

    def write(self, job: WriteJob) -> None:
        """Put a write in front of the next reading. Called in the loop."""
        self._writes.append(job)
        self._wake.set()

    async def _write(self, line: Line, job: WriteJob) -> None:
        """Send a write once: one that went unanswered may have been done, so it is not repeated."""
        meter = next(meter for meter in self.meters if meter.id == job.meter)
        if time.monotonic() >= job.until_s or not job.done.set_running_or_notify_cancel():
            return
        reply = WriteReply(job.request)
        try:
            buffer = await line.transact(job.request, reply, meter.timeout_ms)
            code = reply.done(buffer) if reply(buffer) else -1
        except (NoAnswer, OSError) as error:
            job.done.set_exception(error)
            if isinstance(error, OSError):
                raise
            return
        if code:
            text = f"exception {code:02X}" if code > 0 else "no undamaged answer"
            job.done.set_exception(Refused(f"meter {meter.id}", text, code))
        else:
            job.done.set_result(None)
            meter.slot.due_ms = 0  # show what it did

    def _may_work(self, job: Job, wait_ms: int) -> bool:
        meter = next(meter for meter in self.meters if meter.key == job.key)
        overdue = time.monotonic() - self._job_s > _JOB_OVERDUE_S
        return not meter.slot.lost and (overdue or wait_ms >= _EXCHANGES_A_FREEZE * meter.slot.cost_ms)

    async def _one_freeze(self, line: Line) -> None:
        """The next freeze of the first job."""
        self._job_s = time.monotonic()
        job = self._jobs[0]
        meter = next(meter for meter in self.meters if meter.key == job.key)
        index = job.back.pop(0)
        if not job.back:
            self._jobs.popleft()
        try:
            found = await read_daily_freeze(meter.device, Patience(line, meter.config.timeout_ms), index)
        except Refused:
            log.info("bus %s: meter %s has no daily freeze %d", self.config.name, meter.id, index)
            return
        except MeterError as error:
            log.warning("bus %s: meter %s: daily freeze %d: %s", self.config.name, meter.id, index, error)
            return
        if found is None:
            return
        t_ms = frozen_ms(found[0], self.config.utc_offset_h)
        metrics = meter.frozen(found[1], t_ms)
        if job.from_ms <= t_ms <= job.to_ms and metrics:
            await self._outbox.send_all(meter.key, metrics, self._now_ms())
            self._counters.inc("shutan_serial_backfilled_total", bus=self.config.name, meter=meter.id)
