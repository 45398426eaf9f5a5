"""The whole configuration file."""

from __future__ import annotations

from shutan_gateway.config.adapters import AdapterConfig  # noqa: TC001 - pydantic reads the annotation when the class is made
from shutan_gateway.config.fields import Section
from shutan_gateway.config.notify import NotifyConfig, WatchSection
from shutan_gateway.config.sections import GatewaySection, HttpSection, IntakeSection, MqttSection, SpoolSection
from shutan_gateway.config.serial import SerialBus  # noqa: TC001 - pydantic reads the annotation when the class is made
from shutan_gateway.config.stores import StoreConfig  # noqa: TC001 - pydantic reads the annotation when the class is made
from shutan_gateway.config.writes import CommandRule  # noqa: TC001 - pydantic reads the annotation when the class is made

__all__ = ["GatewayConfig"]


class GatewayConfig(Section):
    """The whole file. Without any `[[store]]` the gateway only records: nothing leaves the spool until it is full."""

    gateway: GatewaySection
    mqtt: MqttSection = MqttSection()
    intake: IntakeSection = IntakeSection()
    spool: SpoolSection = SpoolSection()
    store: tuple[StoreConfig, ...] = ()
    http: HttpSection = HttpSection()
    serial: tuple[SerialBus, ...] = ()
    command: tuple[CommandRule, ...] = ()
    adapter: tuple[AdapterConfig, ...] = ()
    watch: WatchSection = WatchSection()
    notify: tuple[NotifyConfig, ...] = ()
