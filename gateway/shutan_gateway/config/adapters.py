"""`[[adapter]]`: plain-MQTT devices of others, each table one adapter (docs/adapters.md)."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic.functional_validators import AfterValidator

from shutan_gateway.adapters.table import KINDS
from shutan_gateway.config.fields import Id, Section

if TYPE_CHECKING:
    from shutan_gateway.errors import Problem

    AdapterKind = str
else:
    AdapterKind = Literal[tuple(KINDS)]  # the table is the one list of kinds

__all__ = ["AdapterConfig", "FieldMap", "check_adapters"]

_SCALE_CHARS = 40


def _scale(text: str) -> str:
    try:
        sound = len(text) <= _SCALE_CHARS and "e" not in text.lower() and Fraction(text) > 0
    except (ValueError, ZeroDivisionError):
        sound = False
    if not sound:
        raise ValueError('a positive decimal or fraction in quotes, such as "0.001" or "1/3"')
    return text


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - few gateways have local times

    try:
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError) as error:
        raise ValueError('a time zone of this machine, such as "Asia/Shanghai"') from error
    return name


class FieldMap(Section):
    """`[[adapter.map]]`: one field of the device. field may hold * and ?; scale is exact, before the unit."""

    field: str = Field(min_length=1, max_length=200)
    metric: str = Field(min_length=1, max_length=56)
    unit: str | None = None
    scale: Annotated[str, AfterValidator(_scale)] | None = None
    counter: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        from shutan_gateway.adapters.readings import target_for  # noqa: PLC0415 - only where a map is configured

        target_for(self.metric, self.unit, None if self.scale is None else Fraction(self.scale), counter=self.counter)
        return self


class AdapterConfig(Section):
    """`[[adapter]]`: kind, name, site; topic as the devices are configured; map for fields that the kind cannot know.

    node: virtual node of devices that have none by themselves (default: the name). time_zone: what local times mean.
    """

    kind: AdapterKind
    name: Id
    site: Id
    node: Id | None = None
    topic: str | None = Field(default=None, max_length=200)
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    time_field: str | None = None
    time_format: Literal["iso", "unix_s", "unix_ms"] = "iso"
    map: tuple[FieldMap, ...] = ()

    @property
    def pattern(self) -> str:
        """Topic pattern: the configured one or the default of the kind."""
        return self.topic or KINDS[self.kind].topic

    @model_validator(mode="after")
    def _whole(self) -> Self:
        from shutan_gateway.adapters.topics import Pattern  # noqa: PLC0415 - only where an adapter is configured

        names = Pattern(self.pattern).names
        needs = KINDS[self.kind].needs
        if any(name not in names for name in needs):
            wanted = " and ".join(f"{{{name}}}" for name in needs)
            raise ValueError(f"a topic pattern with {wanted}")
        if self.kind == "json" and not (self.topic and self.map):
            raise ValueError("topic and at least one [[adapter.map]] for kind json")
        return self


def check_adapters(file: str, tree: dict[str, Any]) -> list[Problem]:
    """Names of adapters are unique."""
    from shutan_gateway.config.checks import tables  # noqa: PLC0415 - it imports this module for its list
    from shutan_gateway.errors import Problem  # noqa: PLC0415 - see above

    problems: list[Problem] = []
    names: list[object] = []
    for index, table in enumerate(tables(tree, "adapter")):
        name = table.get("name")
        if name is not None and name in names:
            problems.append(Problem(file, f"adapter[{index}].name", repr(name), "a name that no other adapter has"))
        names.append(name)
    return problems
