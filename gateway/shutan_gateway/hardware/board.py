"""A board profile: hardware/boards/NAME/board.toml, or any file of that form."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from shutan_gateway.config.fields import Id, Section
from shutan_gateway.errors import ConfigError, Problem
from shutan_gateway.hardware.catalogue import Level, catalogue, data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

    from shutan_gateway.hardware.catalogue import Chip, Module, PartClass

__all__ = ["Board", "Bus", "Circuit", "Domain", "Part", "Pin", "Rail", "find", "load_board", "packaged"]

Ref = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,3}[0-9]{1,3}$")]
_BYTES_MAX = 100_000


class Domain(Section):
    """One electrical island. field: extra-low voltage on another earth; mains: hazardous."""

    id: Id
    kind: Literal["logic", "field", "mains"]
    title: str
    title_zh: str
    category: int = Field(default=0, ge=0, le=4)
    volts: int = Field(default=0, ge=0, le=1000)


class Rail(Section):
    """A supply: from which rail, through which part. limit_ma: of the outside source, for a rail without `source`."""

    name: Id
    volts_mv: int = Field(ge=1000, le=400_000)
    domain: Id
    source: str = ""
    regulator: str = ""
    limit_ma: int = 0


class Bus(Section):
    """A peripheral of the chip; its lines are the pins with `bus` set to its id."""

    id: Id
    kind: Literal["uart", "spi", "i2c", "onewire"]
    unit: int = Field(default=0, ge=0, le=3)
    rs485: bool = False


class Pin(Section):
    """One pin of the chip in use.

    direction  out, in, bidir, analog, pulse
    bus, line  the bus and its line: tx, rx, de / sck, mosi, miso, cs, int, rst / sda, scl / data; "console", "usb"
    pull       resistor on the board; at_reset: level that the circuit puts on the pin when the chip leaves reset
    safe       level that must stand until the firmware runs: "low" for the driver enable of RS-485
    load_ma    what the pin has to source or sink; level_mv: highest voltage that the other side drives
    counter    how pulses are counted: pcnt in hardware, interrupt in software; wake: ends deep sleep
    """

    gpio: int = Field(ge=0, le=64)
    signal: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_]{1,20}$")]
    direction: Literal["out", "in", "bidir", "analog", "pulse"]
    to: Annotated[str, Field(max_length=40)]
    bus: str = ""
    line: str = ""
    pull: Literal["up", "down", ""] = ""
    at_reset: Level = ""
    safe: Level = ""
    load_ma: int = Field(default=0, ge=0)
    level_mv: int = Field(default=3300, ge=0)
    counter: Literal["pcnt", "interrupt", ""] = ""
    wake: bool = False

    @property
    def reset_level(self) -> Level:
        """Level at the end of reset: what the circuit drives, else what the resistor gives, "" unknown."""
        return self.at_reset or {"up": "high", "down": "low", "": ""}[self.pull]  # type: ignore[return-value]


class Part(Section):
    """A line of the bill of materials. domains: one, or the two that its barrier joins; rails in the same order."""

    ref: Ref
    kind: str
    quantity: int = Field(default=1, ge=1, le=99)
    domains: tuple[Id, ...] = Field(min_length=1, max_length=2)
    rails: tuple[Id, ...] = Field(default=(), max_length=2)
    value: str = ""
    note: str = ""


class Circuit(Section):
    """A row of the wiring drawing: signals of the module, then parts, then the terminals of the last part."""

    title: str
    title_zh: str
    signals: tuple[str, ...] = ()
    chain: tuple[Ref, ...] = Field(min_length=1)
    terminals: tuple[str, ...] = ()


class Board(Section):
    """A whole board profile."""

    name: Id
    title: str
    title_zh: str
    purpose: str
    purpose_zh: str
    module: str
    link: Literal["wifi", "ethernet"]
    flashing: Literal["uart0", "usb"]
    altitude_m: int = Field(default=2000, ge=0, le=9000)
    domain: tuple[Domain, ...] = Field(min_length=1)
    rail: tuple[Rail, ...] = Field(min_length=1)
    bus: tuple[Bus, ...] = ()
    pin: tuple[Pin, ...] = ()
    part: tuple[Part, ...] = Field(min_length=1)
    circuit: tuple[Circuit, ...] = ()

    @property
    def module_data(self) -> Module:
        """The module of the catalogue."""
        return catalogue().modules[self.module]

    @property
    def chip(self) -> Chip:
        """The chip of the module."""
        return catalogue().chips[self.module_data.chip]

    def lines_of(self, bus: str) -> dict[str, list[Pin]]:
        """Pins of a bus by line."""
        found: dict[str, list[Pin]] = {}
        for pin in self.pin:
            if pin.bus == bus:
                found.setdefault(pin.line, []).append(pin)
        return found

    def class_of(self, part: Part) -> PartClass:
        """The class of a part."""
        return catalogue().parts[part.kind]

    def rail_named(self, name: str) -> Rail | None:
        """A rail by name."""
        return next((rail for rail in self.rail if rail.name == name), None)


def _references(board: Board) -> Iterator[tuple[str, str, str]]:
    """Names that point nowhere: key, found, accepted."""
    modules = catalogue().modules
    if board.module not in modules:
        yield "module", board.module, ", ".join(modules)
    refs = {one.ref for one in board.part}
    signals = {one.signal for one in board.pin}
    for circuit in board.circuit:
        for name in (*(one for one in circuit.signals if one not in signals), *sorted(set(circuit.chain) - refs)):
            yield f"circuit.{circuit.title}", name, "a signal or a part of this board"
    yield from _rail_references(board, refs)
    yield from _part_references(board)
    yield from _pin_references(board, refs)


def _rail_references(board: Board, refs: set[str]) -> Iterator[tuple[str, str, str]]:
    domains = {one.id for one in board.domain}
    for number, rail in enumerate(board.rail):
        before = {one.name for one in board.rail[:number]}
        for name, wanted in ((rail.domain, domains), (rail.source, before | {""}), (rail.regulator, {*refs, ""})):
            if name not in wanted:
                yield f"rail.{rail.name}", name, ", ".join(sorted(wanted - {""})) or "a rail that stands above it"


def _part_references(board: Board) -> Iterator[tuple[str, str, str]]:
    refs = [one.ref for one in board.part]
    domains = {one.id for one in board.domain}
    rails = {one.name for one in board.rail}
    for part in board.part:
        if part.kind not in catalogue().parts:
            yield f"part.{part.ref}.kind", part.kind, "a class of hardware/catalogue/parts.toml"
        for name, wanted in [*((one, domains) for one in part.domains), *((one, rails) for one in part.rails)]:
            if name not in wanted:
                yield f"part.{part.ref}", name, ", ".join(sorted(wanted))
        if refs.count(part.ref) > 1:
            yield f"part.{part.ref}", "used twice", "each reference once"


def _pin_references(board: Board, refs: set[str]) -> Iterator[tuple[str, str, str]]:
    buses = {one.id for one in board.bus} | {"console", "usb"}
    for pin in board.pin:
        if pin.bus and pin.bus not in buses:
            yield f"pin.{pin.signal}.bus", pin.bus, ", ".join(sorted(buses))
        if not pin.to.startswith("~") and pin.to.split(".")[0] not in refs:
            yield f"pin.{pin.signal}.to", pin.to, "REF.TERMINAL of a part, or ~ and words"


def load_board(text: str, file: str) -> Board:
    """Parse and check the form of a profile. Raises ConfigError with every mistake of form."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Problem(file, "file", str(error), "TOML")]) from None
    try:
        board = Board.model_validate(tree)
    except ValidationError as error:
        raise ConfigError([
            Problem(file, ".".join(map(str, one["loc"])) or "file", one["type"], one["msg"])
            for one in error.errors(include_url=False)
        ]) from None  # fmt: skip
    problems = [Problem(file, *one) for one in _references(board)]
    if problems:
        raise ConfigError(problems)
    return board


def packaged() -> dict[str, Traversable]:
    """The packaged board profiles by name."""
    found = ((one.name, one / "board.toml") for one in (data_folder() / "boards").iterdir() if one.is_dir())
    return dict(sorted((name, file) for name, file in found if file.is_file()))


def find(name: str) -> Board:
    """A packaged board by name, or a profile by path. Raises ConfigError or OSError."""
    known = packaged()
    if name in known:
        return load_board(known[name].read_text(encoding="utf-8"), f"boards/{name}/board.toml")
    path = Path(name)
    if path.suffix != ".toml":
        raise ConfigError([Problem("BOARD", name, "no such board", f"{', '.join(known)}, or the path of a .toml file")])
    with path.open("rb") as file:
        raw = file.read(_BYTES_MAX + 1)
    try:
        text = raw.decode() if len(raw) <= _BYTES_MAX else ""
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), "file", f"byte {error.start}: not UTF-8", "TOML in UTF-8")]) from None
    if not text:
        raise ConfigError([Problem(str(path), "file", "empty, or too long", f"1 to {_BYTES_MAX} bytes")])
    return load_board(text, str(path))
