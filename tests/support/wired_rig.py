"""Buses of simulated meters on pseudo-terminals for the gateway's serial source, with the time that characters take.

The instruments are those of the simulator (the libraries `dlt645` and `pymodbus` answer) and share no line with the
drivers. A meter can be dead, babble for seconds when it is addressed, or answer under a foreign address. While one
babbles, what others answer is lost.
"""

import asyncio
import contextlib
import os
import random
import threading
import time
import tty
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from shutan_gateway.config.serial import SerialBus
from shutan_gateway.counters import Counters
from shutan_gateway.intake.offers import Offer, Offers
from shutan_gateway.quarantine import Quarantine
from shutan_gateway.sources import SourceTools
from shutan_sim.devices import Device, Kind
from shutan_sim.instruments.dlt645_meters import Dlt645Meters
from shutan_sim.instruments.instrument import Instrument
from shutan_sim.instruments.line import Responder
from shutan_sim.instruments.modbus_meters import ModbusMeters
from shutan_sim.plant import distillery
from support.servers import wait_until

BITS = 11
TURN_S = 0.02
PIECE = 16
BABBLE_S = 2.0
_BEGAN_S = time.monotonic()
DEAD, BABBLE, STRANGER = "dead", "babble", "stranger"
OPENED_MS = 1_774_972_800_000
PLANT = distillery(5, OPENED_MS)


def _plant_ms() -> int:
    """Plant time: an hour after the plant opened, going on as this process does."""
    return OPENED_MS + 3_600_000 + round(1000 * (time.monotonic() - _BEGAN_S))


class SimBus:
    """One bus. faults: address as on the wire -> _BEGAN_S = time.monotonic()
    DEAD, BABBLE or STRANGER; may be changed while it runs.

        whom: request -> address; requests: address -> monotonic seconds of each request
    """

    def __init__(
        self, responder: Responder, whom: Callable[[bytes], bytes], baud: int = 9600, babble_s: float = BABBLE_S
    ) -> None:
        self.faults: dict[bytes, str] = {}
        self.requests: dict[bytes, list[float]] = {}
        self._responder = responder
        self._whom = whom
        self._char_s = BITS / baud
        self._babble_s = babble_s
        self._random = random.Random(7)  # noqa: S311 - the same noise each time
        self._noisy_until = 0.0
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.add_reader(self._master, self._readable)

    def close(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = -1

    def _readable(self) -> None:
        assert self._loop is not None
        request = os.read(self._master, 4096)
        now = self._loop.time()
        address = self._whom(request)
        self.requests.setdefault(address, []).append(now)
        self._responder.forget()
        fault = self.faults.get(address)
        begin_s = len(request) * self._char_s + TURN_S
        if fault == DEAD:
            return
        if fault == BABBLE:
            noise = self._random.randbytes(round(self._babble_s / self._char_s))
            self._noisy_until = now + begin_s + self._babble_s
            self._stream(noise, begin_s)
            return
        for reply in self._responder.feed(request, _plant_ms()):
            if now >= self._noisy_until:
                self._stream(_foreign(reply) if fault == STRANGER else reply, begin_s)

    def _stream(self, data: bytes, begin_s: float) -> None:
        """Send in pieces, each when its last character has gone over the line."""
        assert self._loop is not None
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE]
            self._loop.call_later(begin_s + (at + len(piece)) * self._char_s, self._send, piece)

    def _send(self, piece: bytes) -> None:
        if self._master >= 0:
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, piece)


def _foreign(reply: bytes) -> bytes:
    """The same answer under another address: a DL/T 645 frame stays whole, a Modbus one does not."""
    if reply[:1] == b"\x68" and len(reply) > 12:
        body = bytes([reply[0], reply[1] ^ 0x01]) + reply[2:-2]
        return body + bytes([sum(body) & 0xFF, 0x16])
    return bytes([reply[0] ^ 0x40]) + reply[1:]


def dlt_address(request: bytes) -> bytes:
    """The meter that a DL/T 645 request asks."""
    begin = request.find(b"\x68")
    return request[begin + 1 : begin + 7]


def modbus_address(request: bytes) -> bytes:
    """The unit that a Modbus request asks."""
    return request[:1]


def dlt_bus(count: int, baud: int = 9600, babble_s: float = BABBLE_S) -> tuple[SimBus, list[str]]:
    """A bus of DL/T 645 meters and their addresses."""
    addresses = [f"2026110000{n:02d}" for n in range(1, count + 1)]
    devices = [Device(f"d{n}", "n", Kind.DLT645, a, "grid_import", (), start=1000 * n) for n, a in enumerate(addresses)]
    return SimBus(Dlt645Meters(_instruments(devices)), dlt_address, baud, babble_s), addresses


def modbus_bus(count: int, baud: int = 9600, babble_s: float = BABBLE_S) -> tuple[SimBus, list[str]]:
    """A bus of SDM630 meters and their addresses."""
    addresses = [str(n) for n in range(1, count + 1)]
    devices = [Device(f"s{n}", "n", Kind.SDM630, a, "pv", (), start=1000) for n, a in enumerate(addresses)]
    return SimBus(ModbusMeters(_instruments(devices)), modbus_address, baud, babble_s), addresses


def _instruments(devices: Sequence[Device]) -> list[Instrument]:
    """Instruments whose plant has already worked out its day, which takes longer than a meter may."""
    instruments = [Instrument(device, PLANT) for device in devices]
    for instrument in instruments:
        instrument.value("active_energy_import_wh", OPENED_MS + 3_600_000)
        instrument.value("active_power_w", OPENED_MS + 3_600_000)
    return instruments


@contextlib.contextmanager
def running(buses: Sequence[SimBus]) -> Generator[None]:
    """Serve the buses from a thread with a loop of its own."""
    loop = asyncio.new_event_loop()

    def serve() -> None:
        for bus in buses:
            bus.attach(loop)
        loop.run_forever()
        for bus in buses:
            bus.close()
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        assert not thread.is_alive()


class Taken:
    """Offers as intake would take them, from a thread of its own; `room` switches it off."""

    def __init__(self, folder: Path, limit: int = 10_000) -> None:
        self.counters = Counters()
        self.offers = Offers(limit, lambda: None)
        self.all: list[Offer] = []
        quarantine = Quarantine(folder / "quarantine", self.counters)
        self.tools = SourceTools(self.offers, self.counters, quarantine, folder)
        self._quarantine = quarantine

    def take(self) -> list[Offer]:
        """Take and settle what is there; all taken so far."""
        for offer in self.offers.drain(10_000):
            self.all.append(offer)
            if offer.settled is not None:
                offer.settled()
        return self.all

    def of(self, device: str) -> list[Offer]:
        """What one device has offered so far."""
        return [offer for offer in self.take() if offer.device == device]

    def wait_for(self, device: str, count: int, limit_s: float = 20) -> list[Offer]:
        """At least so many offers of a device."""
        wait_until(lambda: len(self.of(device)) >= count, limit_s, f"{count} offers of {device}")
        return self.of(device)

    def close(self) -> None:
        self._quarantine.close()


def bus_config(**entries: Any) -> SerialBus:  # the keys of the file
    """A bus as the file would give it."""
    return SerialBus.model_validate({"name": "bus1", "site": "plant", "node": "gw1", **entries})
