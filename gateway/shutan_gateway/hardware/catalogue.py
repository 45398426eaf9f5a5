"""Chips, modules, classes of parts and insulation distances: hardware/catalogue/*.toml, read once and checked."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, TypeAdapter

from shutan_gateway.config.fields import Section

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["Catalogue", "Chip", "Insulation", "Module", "PartClass", "Strapping", "catalogue", "data_folder"]


def _pins(text: object) -> object:
    """A range list such as 0-2,5 as the set of its GPIO numbers."""
    if not isinstance(text, str):
        raise ValueError("text such as 0-19,21")  # noqa: TRY004 - pydantic wants ValueError
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return frozenset(found)


Pins = Annotated[frozenset[int], BeforeValidator(_pins)]
Level = Literal["low", "high", ""]


class Strapping(Section):
    """A pin that the chip reads when it leaves reset.

    never: the level that must not be there, "" both are harmless; inside: the chip's own resistor, "" it floats
    """

    gpio: int
    never: Level
    inside: Literal["up", "down", ""]
    effect: str


class Chip(Section):
    """What a chip has and what its pins allow; the keys are explained at the top of chips.toml."""

    title: str
    gpio: Pins
    input_only: Pins
    flash: Pins
    adc1: Pins
    adc2: Pins
    adc2_unusable: bool = False
    rtc: Pins
    console: Pins
    usb: Pins
    toggles: Pins
    glitches: Pins
    uarts: int
    spis: int
    i2cs: int
    pulse_units: int
    source_ma: int
    sink_ma: int
    advised_ma: int
    strapping: tuple[Strapping, ...]

    def strapping_of(self, gpio: int) -> Strapping | None:
        """The strapping rule of a pin."""
        return next((one for one in self.strapping if one.gpio == gpio), None)


class Module(Section):
    """A module: its chip, the pins that its memory takes, and the pads in their order, a number being a GPIO."""

    chip: str
    taken: Pins
    pads: tuple[int | str, ...]

    @property
    def bonded(self) -> frozenset[int]:
        """GPIO numbers that have a pad."""
        return frozenset(pad for pad in self.pads if isinstance(pad, int))


class PartClass(Section):
    """What a part must be, so that more than one maker's fits.

    typical_ma, peak_ma: from the rail that feeds it; a second pair for the far side of an isolating part
    insulation: what its barrier is good for; isolation_vrms: 1 minute, as tested by its maker
    limit_ma, heat_mw: of a regulator; efficiency_percent: of a switching one, 0 for a linear one
    """

    title: str
    title_zh: str
    examples: str = ""
    typical_ma: int = 0
    peak_ma: int = 0
    far_typical_ma: int = 0
    far_peak_ma: int = 0
    basis: str = ""
    insulation: Literal["", "functional", "basic", "reinforced"] = ""
    isolation_vrms: int = 0
    clearance_mm: float = 0
    creepage_mm: float = 0
    rated_v: int = 0
    limit_ma: int = 0
    efficiency_percent: int = Field(default=0, ge=0, le=100)
    heat_mw: int = 0
    fuse: bool = False


class _Distances(Section):
    basic_clearance_mm: float
    reinforced_clearance_mm: float


class _Creepage(Section):
    basic_mm: float
    reinforced_mm: float


class _Height(Section):
    up_to_m: int
    factor: float


class Insulation(Section):
    """Distances between circuits, see insulation.toml."""

    system_v: int
    category: dict[int, _Distances]
    creepage: _Creepage
    height: tuple[_Height, ...]

    def factor(self, altitude_m: int) -> float | None:
        """Factor of the clearance at a height above the sea; None above the last height of the table."""
        return next((one.factor for one in self.height if altitude_m <= one.up_to_m), None)


class Rule(Section):
    """A rule of the checker in words."""

    en: str
    zh: str


class Catalogue(Section):
    """All of it."""

    rules: dict[str, Rule]
    chips: dict[str, Chip]
    modules: dict[str, Module]
    parts: dict[str, PartClass]
    insulation: Insulation


def data_folder() -> Traversable:
    """The folder hardware/ of the repository, as it is packaged."""
    return files("shutan_gateway") / "hardware" / "data"


@cache
def catalogue() -> Catalogue:
    """The catalogue of this installation."""
    folder = data_folder() / "catalogue"
    tables = {
        name: tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
        for name in ("chips", "modules", "parts", "insulation", "rules")
    }
    return TypeAdapter(Catalogue).validate_python(tables)
