"""What an adapter makes of a message: samples of devices, each a list of readings in the catalogue's terms."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, NamedTuple, Protocol

from shutan_gateway.adapters.exact import Scale, exact, scale_of, whole
from shutan_gateway.adapters.names import own_name
from shutan_gateway.errors import Refusal
from shutan_wire import catalogue
from shutan_wire import datatypes as dt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from shutan_gateway.adapters.json_text import Json

__all__ = [
    "Adapter",
    "DeviceSample",
    "Inbound",
    "Note",
    "Reading",
    "Target",
    "distinct",
    "flatten",
    "own",
    "plain",
    "read_as",
    "target_for",
]

_FIELDS_MAX = 400  # of one message
_TEXT_MAX = 256
_STATES = {"on": 1, "true": 1, "online": 1, "open": 1, "off": 0, "false": 0, "offline": 0, "closed": 0}
_NO_VALUE = frozenset({"nan", "unknown", "unavailable", "none", "null", "inf", "-inf", ""})


class Inbound(NamedTuple):
    """One MQTT message. retained: the broker kept it, so it is older than its arrival."""

    topic: str
    payload: bytes
    received_ms: int
    retained: bool = False


class Reading(NamedTuple):
    """One metric. register: exact content of a cumulative register in the metric's step, else None.

    value: what else it is; None (with register None) = the device says that it has no value now.
    """

    name: str
    datatype: int
    value: float | bool | str | None
    register: Fraction | None = None


class DeviceSample(NamedTuple):
    """Readings of one device. t_ms: UTC ms by the device, None = the receive time is all there is."""

    node: str
    device: str
    t_ms: int | None
    readings: tuple[Reading, ...]


class Note(NamedTuple):
    """Something that the adapter must know again after a restart; text None = forget the key."""

    key: str
    text: str | None


class Adapter(Protocol):
    """One configured adapter. Pure: it does no input or output and keeps only what its notes give back."""

    name: str
    site: str

    @property
    def filters(self) -> tuple[str, ...]:
        """MQTT filters that it wants now; may change after `read`."""
        ...

    def claims(self, topic: str) -> bool:
        """Whether a message of this topic is for it."""
        ...

    def read(self, message: Inbound) -> list[DeviceSample]:
        """Samples of one claimed message, none for one that says nothing. Raises Refusal for a malformed one."""
        ...

    def notes(self) -> list[Note]:
        """What changed since the last call and must be durable before the message is acknowledged."""
        ...


class Target(NamedTuple):
    """Where a field goes. kind: register, counter (as it comes, e.g. uptime), gauge or state; low: its least value."""

    name: str
    datatype: int
    kind: str
    scale: Scale = Scale()
    low: float = 0


def target_for(metric: str, unit: str | None = None, scale: Fraction | None = None, *, counter: bool = False) -> Target:
    """Target of a metric of the catalogue, or of an own name. Raises ValueError when the unit does not lead to it.

    unit: as the device has it; scale: an exact factor instead; counter: an own name is a register, kept as an integer.
    """
    known = catalogue.by_name(metric)
    if known is None and unit is not None:
        raise ValueError(f"no unit (use scale), or a metric of the catalogue, which {metric} is not")
    if known is None:
        factor = Scale(scale) if scale is not None else Scale()
        return Target(own_name(metric), dt.INT64 if counter else dt.DOUBLE, "register" if counter else "gauge", factor)
    way = Scale() if scale is None else Scale(scale)
    if unit is not None:
        found = scale_of(known.unit, unit)
        if found is None:
            raise ValueError(f"a unit that leads to {known.unit} of {metric}")
        way = Scale(found.factor * way.factor, found.shift)
    # Uptime falls to zero at every start and that is the news: only what is metered is a register.
    metered = known.kind == "counter" and known.family != "node" and known.unit != "s"
    kind = "register" if metered else "state" if known.kind == "event" else known.kind
    return Target(metric, dt.DOUBLE if kind == "gauge" else known.datatype, kind, way, known.low)


def read_as(target: Target, value: Json | Fraction) -> Reading:
    """A field's value as a metric; None inside when it is none of that kind (negative registers included)."""
    none = Reading(target.name, target.datatype, None)
    if target.kind == "state" and isinstance(value, bool | str):
        state = value if isinstance(value, bool) else _STATES.get(value.strip().lower())
        if state is not None:
            return Reading(target.name, target.datatype, int(state))
    number = exact(value)
    if number is None:
        return none
    quantity = target.scale.apply(number)
    if target.kind == "gauge":
        return Reading(target.name, target.datatype, float(quantity))
    if quantity < target.low or abs(quantity) >= 2**63:
        return none
    if target.kind == "register":
        return Reading(target.name, target.datatype, None, quantity)
    return Reading(target.name, target.datatype, whole(quantity))


def own(name: str, value: Json) -> Reading | None:
    """A field under its own name: numbers as float (their JSON form changes from message to message), flags, text."""
    if isinstance(value, bool):
        return Reading(own_name(name), dt.BOOLEAN, value)
    if isinstance(value, str):
        return Reading(own_name(name), dt.STRING, value[:_TEXT_MAX])
    number = exact(value)
    if number is None:
        return None
    as_float = float(number)
    return Reading(own_name(name), dt.DOUBLE, as_float if isfinite(as_float) else None)


def plain(text: str) -> Json:
    """A payload that is one value, not JSON: its text, or None when it says that there is none."""
    word = text.strip()
    return None if word.lower() in _NO_VALUE else word


def flatten(value: Json, prefix: str = "") -> Iterator[tuple[str, Json]]:
    """(path, value) of every leaf: `a.b`, `a[0]`. Raises Refusal `many_fields` above 400."""
    for count, pair in enumerate(_leaves(value, prefix), 1):
        if count > _FIELDS_MAX:
            raise Refusal("many_fields", f"more than {_FIELDS_MAX}")
        yield pair


def _leaves(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _leaves(part, f"{path}[{index}]")
    else:
        yield path, value


def distinct(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """Each name once: the first wins, so that a later own name never hides a mapped field."""
    found: dict[str, Reading] = {}
    for reading in readings:
        found.setdefault(reading.name.casefold(), reading)
    return tuple(found.values())
