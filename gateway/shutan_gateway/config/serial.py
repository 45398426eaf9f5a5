"""`[[serial]]`: buses of wired meters on the gateway itself, with the time that a round of each takes.

A bus is an RS-485 adapter (`device`) or a network address (`host`: Modbus TCP, or a device server that passes raw
bytes). Its samples appear under `site` and `node`, each meter under its `id`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo

from shutan_gateway.config.fields import Id, Port, Section
from shutan_gateway.errors import Problem

__all__ = ["SerialBus", "SerialMeter", "SerialWrite", "check_serial"]

Ratio = tuple[Annotated[int, Field(ge=1, le=1_000_000)], Annotated[int, Field(ge=1, le=1_000_000)]]


def _profile(name: str, info: ValidationInfo) -> str:
    if not name.endswith(".json"):
        return name
    folder = cast("Path | None", info.context)
    return str(Path(name).expanduser() if folder is None else folder / Path(name).expanduser())


def _register(text: str) -> str:
    if len(text) != 4 or any(char not in "0123456789abcdefABCDEF" for char in text):
        raise ValueError('a register of 4 hex digits as on the wire, such as "000D"')
    return text.upper()


class SerialWrite(Section):
    """`[[serial.meter.write]]`: one write that is allowed; without any a meter is only ever read.

    name is what an operator asks for; low..high are the values that may be written.
    """

    name: Id
    function: Literal[5, 6, 16] = 6
    wire_register: Annotated[str, AfterValidator(_register)]
    low: int = Field(default=0, ge=0, le=65535)
    high: int = Field(default=65535, ge=0, le=65535)


class SerialMeter(Section):
    """`[[serial.meter]]`: profile is a packaged name or the path of a profile.json; interval_s defaults to the bus's.

    phase_s is how far behind the full interval (UTC) it is read, by default one meter after the other; meter_type and
    di_order are for CJ/T 188 meters.
    """

    id: Id
    profile: Annotated[str, AfterValidator(_profile)]
    address: int | str
    ct: Ratio = (1, 1)
    pt: Ratio = (1, 1)
    interval_s: int | None = Field(default=None, ge=1, le=86_400)
    phase_s: float | None = Field(default=None, ge=0, le=86_400)
    timeout_ms: int | None = Field(default=None, ge=20, le=10_000)
    meter_type: str | None = None
    di_order: Literal["901F", "1F90"] = "901F"
    metrics: tuple[str, ...] = ()
    write: tuple[SerialWrite, ...] = ()

    @property
    def wire_address(self) -> str:
        """The address as `shutan_meters` takes it."""
        parts = [self.meter_type] if self.meter_type else []
        return ":".join([*parts, *(["1F90"] if self.di_order == "1F90" else []), str(self.address)])


class SerialBus(Section):
    """`[[serial]]`: device is best the stable path of an adapter, /dev/serial/by-id/...

    baud, format: as the first meter's profile has them, unless given
    framing: mbap is Modbus TCP; raw passes the frames of the line as they are (device server)
    turnaround_ms: what a meter takes to begin its answer, for the budget; defaults by protocol
    utc_offset_h: of the meters' own clocks, for their daily freezes
    """

    name: Id
    device: str | None = Field(default=None, min_length=1)
    host: str | None = Field(default=None, min_length=1)
    port: Port = 502
    framing: Literal["mbap", "raw"] = "mbap"
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] | None = None
    format: Literal["8N1", "8N2", "8E1", "8O1"] | None = None
    site: Id
    node: Id
    interval_s: int = Field(default=60, ge=1, le=86_400)
    turnaround_ms: int | None = Field(default=None, ge=0, le=2000)
    utc_offset_h: float = Field(default=8, ge=-12, le=14)
    meter: tuple[SerialMeter, ...] = Field(min_length=1, max_length=250)

    def interval_of(self, meter: SerialMeter) -> int:
        """Seconds between two readings of a meter."""
        return meter.interval_s or self.interval_s


def check_serial(file: str, tree: dict[str, Any]) -> list[Problem]:
    """Mistakes between buses and meters, and intervals that the line cannot keep."""
    found = tree.get("serial")
    items = cast("list[Any]", found) if isinstance(found, list) else []
    entries: list[dict[str, Any]] = [entry for entry in items if isinstance(entry, dict)]
    if not entries:
        return []
    from shutan_gateway.serial.budget import problems_of  # noqa: PLC0415 - profiles are read only where meters are wired

    problems: list[Problem] = []
    names: set[str] = set()
    ends: set[str] = set()
    devices: set[tuple[str, str, str]] = set()

    def need(sound: object, key: str, found: str, accepted: str) -> None:
        if not sound:
            problems.append(Problem(file, key, found, accepted))

    for index, entry in enumerate(entries):
        key = f"serial[{index}]"
        try:
            bus = SerialBus.model_validate(entry, context=Path(file).absolute().parent)
        except ValidationError:
            continue  # told by the check of the whole file
        end = bus.device or f"{bus.host}:{bus.port}"
        need((bus.device is None) != (bus.host is None), key, "device and host", "one of them")
        need(bus.name not in names, f"{key}.name", repr(bus.name), "a name that no other bus has")
        need(end not in ends, f"{key}.device", repr(end), "a line that no other bus uses")
        names.add(bus.name)
        ends.add(end)
        for number, meter in enumerate(bus.meter):
            place = (bus.site, bus.node, meter.id)
            need(place not in devices, f"{key}.meter[{number}].id", repr(meter.id), f"an id used once under {bus.node}")
            devices.add(place)
        problems += [Problem(file, f"{key}{part}", found, accepted) for part, found, accepted in problems_of(bus)]
    return problems
