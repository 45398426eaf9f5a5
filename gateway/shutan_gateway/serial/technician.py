"""What a technician does with a bus from the command line: read one meter now, find meters."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.config.serial import SerialBus, SerialMeter
from shutan_gateway.errors import StartError
from shutan_gateway.serial.line import open_line
from shutan_gateway.serial.profiles import device_of
from shutan_meters import cjt188, dlt645, modbus
from shutan_meters.commission import discover, read_address, send_time
from shutan_meters.errors import MeterError, NoAnswer, Refused
from shutan_meters.profile import CJT188, DLT645, DLT645_1997, MODBUS
from shutan_wire import catalogue
from shutan_wire.quality import name_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from datetime import datetime

    from shutan_gateway.serial.line import Line

__all__ = ["PROTOCOLS", "Found", "Reading", "bus_for", "read_now", "scan", "set_time"]

PROTOCOLS = {DLT645: "dlt645_three_phase", DLT645_1997: "dlt645_1997", CJT188: "cjt188_water", MODBUS: "eastron_sdm630"}
_SCAN_TIMEOUT_MS = 600
_SCAN_UNIT_MS = 200
_TOTAL_1997 = b"\x10\x90"
_PRESENT_CJT188 = b"\x00\x90\x1f\x00"  # as in Profile.reads; the type is the unit's own


class Reading(NamedTuple):
    """One value of a meter."""

    metric: str
    value: float | None
    unit: str
    quality: str


class Found(NamedTuple):
    """A meter that answered a scan."""

    protocol: str
    address: str
    note: str


def bus_for(end: dict[str, object], profile: str, meter: dict[str, object]) -> SerialBus:
    """A bus with one meter, as a configuration would give it. Raises pydantic's ValidationError."""
    one = SerialMeter.model_validate({"id": "meter", "profile": profile, **meter})
    given = {key: value for key, value in end.items() if value is not None}
    return SerialBus.model_validate({"name": "bus", "site": "here", "node": "bus", **given, "meter": (one,)})


@contextlib.asynccontextmanager
async def _line(bus: SerialBus) -> AsyncGenerator[Line]:
    try:
        line = await open_line(bus)
    except OSError as error:
        end = bus.device or f"{bus.host}:{bus.port}"
        raise StartError(
            f"{end}: {error.strerror or 'no answer'}; a running gateway holds its adapters alone"
        ) from error
    try:
        yield line
    finally:
        line.close()


def read_now(bus: SerialBus) -> list[Reading]:
    """Read the bus's meter once. Raises StartError, MeterError."""

    async def run() -> list[Reading]:
        device = device_of(bus.meter[0])
        async with _line(bus) as line:
            await device.read(line)
        readings: list[Reading] = []
        for i, number in enumerate(device.profile.ids):
            metric = catalogue.by_id(number)
            quality = name_of(device.qualities[i])
            readings.append(Reading(device.profile.metric(i), device.values[i], metric.unit if metric else "", quality))
        return readings

    return asyncio.run(run())


def scan(bus: SerialBus, protocol: str, units: range, tell: Callable[[Found], None], *, several: bool = False) -> None:
    """Ask for meters of one protocol; `tell` gets each that answers.

    units:   Modbus addresses to ask, each with a time-out; the other protocols ask for the address of a lone meter
    several: search DL/T 645 meters by shortened addresses, which finds those that share a bus (minutes)
    Raises   StartError; MeterError where several meters answered at once
    """

    async def run() -> None:
        async with _line(bus) as line:
            if protocol == MODBUS:
                for unit in units:
                    await _modbus_unit(line, unit, tell)
                return
            if several and protocol in {DLT645, DLT645_1997}:
                await discover(line, protocol, tell=lambda address: tell(Found(protocol, address, "by search")))
                return
            with contextlib.suppress(NoAnswer):
                address = await _ADDRESS[protocol](line)
                order = await _di_order(line, address) if protocol == CJT188 else ""
                tell(Found(protocol, address, "alone on its bus" + order))

    asyncio.run(run())


def set_time(bus: SerialBus, now: datetime) -> None:
    """Broadcast the meters' local time to all DL/T 645 meters of a bus. Raises StartError, ProfileError at midnight."""

    async def run() -> None:
        async with _line(bus) as line:
            await send_time(line, now.timetuple()[:6])

    asyncio.run(run())


async def _modbus_unit(line: Line, unit: int, tell: Callable[[Found], None]) -> None:
    for function in (modbus.READ_HOLDING, modbus.READ_INPUT):
        reply = modbus.Reply(unit, function, 1)
        try:
            buffer = await line.transact(modbus.read_request(unit, function, 0, 1), reply, _SCAN_UNIT_MS)
            note = f"register 0000 is {reply.payload(buffer).hex().upper()}"
        except Refused as refusal:
            note = refusal.reason
        except MeterError:
            continue
        tell(Found(MODBUS, str(unit), note))
        return


async def _address_2007(line: Line) -> str:
    return await read_address(line, _SCAN_TIMEOUT_MS)


async def _address_1997(line: Line) -> str:
    reply = dlt645.Reply(dlt645.WILDCARD, dlt645.READ_1997, _TOTAL_1997)
    buffer = await line.transact(
        dlt645.frame(dlt645.WILDCARD, dlt645.READ_1997, _TOTAL_1997, 4), reply, _SCAN_TIMEOUT_MS
    )
    reply.payload(buffer)
    return dlt645.address_text(buffer[reply.begin + 1 : reply.begin + 7])


async def _address_cjt188(line: Line) -> str:
    reply = cjt188.Reply(cjt188.ANY_TYPE, cjt188.WILDCARD, cjt188.READ_ADDRESS, cjt188.ADDRESS_DI)
    buffer = await line.transact(cjt188.read_address_request(), reply, _SCAN_TIMEOUT_MS)
    reply.payload(buffer)
    kind = buffer[reply.begin + 1]
    address = cjt188.address_text(buffer[reply.begin + 2 : reply.begin + 9])
    return f"{kind:02X}:{address}"


async def _di_order(line: Line, address: str) -> str:
    """In which order of the identifier's bytes a CJ/T 188 meter takes a read of its present data."""
    taken: list[str] = []
    for order in ("901F", "1F90"):
        kind, _, digits = address.partition(":")
        unit = cjt188.unit_bytes(f"{kind}:{order}:{digits}")
        asked = cjt188.reply_to(unit, _PRESENT_CJT188)
        with contextlib.suppress(MeterError):
            asked.payload(await line.transact(cjt188.read_request(unit, _PRESENT_CJT188), asked, _SCAN_TIMEOUT_MS))
            taken.append(order)
    return f", di_order {' or '.join(taken)}" if taken else ", no present data in either order"


_ADDRESS = {DLT645: _address_2007, DLT645_1997: _address_1997, CJT188: _address_cjt188}
