"""Who hears when something is wrong or well again: a watch over the installation, and channels out of it.

`create_watch` is what the service needs; everything below it is imported only where a [[notify]] is configured.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shutan_gateway.config import GatewayConfig
    from shutan_gateway.counters import Counters, Key
    from shutan_gateway.intake.node_table import NodeFacts

__all__ = ["Inside", "Watching", "create_watch"]


class Inside(Protocol):
    """What the watch looks at; the service gives it."""

    counters: Counters

    def numbers(self) -> Mapping[Key, int | float]:
        """All numbers at one moment."""
        ...

    def health(self) -> tuple[bool, dict[str, object]]:
        """(intake works, facts)."""
        ...

    def nodes(self) -> list[NodeFacts]:
        """Nodes and devices."""
        ...


class Watching(Protocol):
    """A watch that runs beside the service."""

    def start(self) -> None:
        """Begin to look."""
        ...

    def stop(self) -> None:
        """End within two seconds; what was not sent is sent after the next start."""
        ...

    def follow(self, config: GatewayConfig) -> None:
        """Look with a configuration whose [watch] and [[notify]] are the same."""
        ...


class _Nobody:
    """No [[notify]]: nobody would hear."""

    def start(self) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """Nothing to do."""

    def follow(self, config: GatewayConfig) -> None:
        """Nothing to do."""


def create_watch(config: GatewayConfig, inside: Inside) -> Watching:
    """The watch of a configuration. Raises ConfigError when a secret file is empty."""
    if not config.notify:
        return _Nobody()
    module = import_module("shutan_gateway.operation.notify.watch")
    # Imported by name, so that it costs nothing where nobody is to hear; the type is stated here.
    factory = cast("Callable[[GatewayConfig, Inside], Watching]", module.Watch)
    return factory(config, inside)
