"""Sources: where samples come from besides the Sparkplug link. A new kind is one more line in `SOURCES`."""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from shutan_gateway.config import GatewayConfig
    from shutan_gateway.counters import Counters
    from shutan_gateway.intake.offers import Offers
    from shutan_gateway.quarantine import Quarantine

__all__ = ["SOURCES", "Place", "Source", "SourceTools", "Writer", "open_sources"]

# section of the configuration -> factory(config, tools). Imported when the section is there.
SOURCES: dict[str, str] = {
    "serial": "shutan_gateway.serial:create",
    "adapter": "shutan_gateway.adapters:create",
}


class Place(NamedTuple):
    """A device of a source, or of a node."""

    site: str
    node: str
    device: str


class SourceTools(NamedTuple):
    """What a source works with. folder: data_dir, where it may keep small state of its own."""

    offers: Offers
    counters: Counters
    quarantine: Quarantine
    folder: Path


class Source(Protocol):
    """Something that offers samples from threads of its own."""

    @property
    def name(self) -> str:
        """Its section of the configuration, for logs and /healthz."""
        ...

    def start(self) -> None:
        """Begin; what is not there yet (a device, a broker) is waited for."""
        ...

    def stop(self) -> None:
        """End within a few seconds; what was not settled comes again or is read again."""
        ...

    @property
    def trouble(self) -> str | None:
        """What is wrong now, one line; None while all is well."""
        ...


@runtime_checkable
class Writer(Protocol):
    """A source that can write to its devices. Any thread but its own."""

    def has(self, place: Place) -> bool:
        """Whether the device is one of its own."""
        ...

    def check(self, place: Place, name: str, value: int) -> None:
        """Raises Refusal for what the device's own table of writes does not list."""
        ...

    def write(self, place: Place, name: str, value: int, timeout_s: float) -> None:
        """Write and return when the device has confirmed it.

        Raises Refusal as `check`; RetryLater when nothing was sent in time; TellPerson if sent but not confirmed.
        """
        ...


def open_sources(config: GatewayConfig, tools: SourceTools, wanted: Collection[str] = tuple(SOURCES)) -> list[Source]:
    """Make the sources that the configuration asks for, among those wanted.

    Raises StartError or ConfigError; then none is left open.
    """
    sources: list[Source] = []
    with contextlib.ExitStack() as opened:
        for section, place in SOURCES.items():
            if section in wanted and getattr(config, section, None):
                module, _, name = place.partition(":")
                # The table holds names, so the type is stated here; a test opens every entry.
                factory = cast("Callable[[GatewayConfig, SourceTools], Source]", getattr(import_module(module), name))
                sources.append(factory(config, tools))
                opened.callback(sources[-1].stop)
        opened.pop_all()
    return sources
