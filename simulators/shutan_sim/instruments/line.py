"""A pseudo-terminal as an RS-485 bus: the node holds one end, the instruments the other.

The bus takes its time (characters of 11 bits at the baud rate, and the meter's turn-round time, both in plant time) and
is not clean: seeded junk around answers, now and then an answer that is lost or damaged, so that the firmware's
tolerance is used all the time.
"""

import asyncio
import contextlib
import os
import tty
from dataclasses import dataclass
from random import Random
from typing import Protocol

from shutan_sim.clock import PlantClock

BITS_A_CHARACTER = 11
TURN_ROUND_S = 0.020  # DL/T 645: 20..500 ms
_FRAME_PAUSE_S = 0.25  # real time; a request that stands still this long is not going on
_AT_ONCE_S = 0.001
_READ = 4096


class Responder(Protocol):
    """All instruments of one bus."""

    def feed(self, data: bytes, t_ms: int) -> list[bytes]:
        """Received bytes in, answers out; t_ms = time at which the registers stand."""
        ...

    def forget(self) -> None:
        """Drop a half-received request."""
        ...


@dataclass(frozen=True, slots=True)
class Noise:
    """Faults of a bus, each as "one answer in so many"; 0 = never.

    junk:    one to three bytes 00 or FF before or after the answer (drivers switching on and off)
    lost:    no answer at all
    damaged: one byte differs
    """

    junk: int = 40
    lost: int = 6000
    damaged: int = 6000


SILENT = Noise(0, 0, 0)


class Line:
    """One bus. `path` is what the node opens."""

    def __init__(
        self, name: str, responder: Responder, clock: PlantClock, *, baud: int = 9600, noise: Noise = SILENT
    ) -> None:
        self.name = name
        self.disturbed = 0
        self._responder = responder
        self._clock = clock
        self._baud = baud
        self._noise = noise
        self._random = Random(f"line:{name}")  # noqa: S311 - repeatable faults, no secret
        self._loop = asyncio.get_running_loop()
        self._last = 0.0
        self._master, self._slave = os.openpty()  # the slave stays open: the line lives on while the node is away
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._loop.add_reader(self._master, self._readable)

    def close(self) -> None:
        """Hang up."""
        self._loop.remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = -1

    def _readable(self) -> None:
        data = os.read(self._master, _READ)
        now = self._loop.time()
        if now - self._last > _FRAME_PAUSE_S:
            self._responder.forget()
        self._last = now
        for reply in self._responder.feed(data, self._clock.register_ms()):
            characters = (len(data) + len(reply)) * BITS_A_CHARACTER / self._baud
            delay_s = (characters + TURN_ROUND_S) / self._clock.speed
            sent = self._disturbed(reply)
            if delay_s < _AT_ONCE_S:
                self._send(sent)
            else:
                self._loop.call_later(delay_s, self._send, sent)

    def _send(self, data: bytes) -> None:
        if self._master < 0 or not data:
            return
        with contextlib.suppress(BlockingIOError):  # nobody reads the other end: a wire does not wait either
            os.write(self._master, data)

    def _one_in(self, count: int) -> bool:
        return count > 0 and self._random.randrange(count) == 0

    def _disturbed(self, reply: bytes) -> bytes:
        noise = self._noise
        if self._one_in(noise.lost):
            self.disturbed += 1
            return b""
        if self._one_in(noise.damaged):
            self.disturbed += 1
            at = self._random.randrange(len(reply))
            reply = reply[:at] + bytes([reply[at] ^ 0x10]) + reply[at + 1 :]
        if self._one_in(noise.junk):
            reply = self._junk() + reply
        if self._one_in(noise.junk):
            reply += self._junk()
        return reply

    def _junk(self) -> bytes:
        return bytes(self._random.choices(b"\x00\xff", k=self._random.randint(1, 3)))
