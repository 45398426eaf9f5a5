"""All checks in one go: from outside beside a running gateway or without one, and from inside for notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.operation.doctor.checks_broker import broker_findings, tls_findings
from shutan_gateway.operation.doctor.checks_gateway import Limits, gateway_findings, input_findings
from shutan_gateway.operation.doctor.checks_machine import clock_findings, disk_findings
from shutan_gateway.operation.doctor.checks_stores import meter_findings, store_findings
from shutan_gateway.operation.doctor.finding import Finding, worst

if TYPE_CHECKING:
    from pathlib import Path

    from shutan_gateway.config import GatewayConfig
    from shutan_gateway.intake.node_table import NodeFacts
    from shutan_gateway.operation.page import Facts

__all__ = ["Report", "examine", "examine_file", "examine_inside"]


class Report(NamedTuple):
    """running: whether a gateway answered; findings: errors first; nodes: as the running gateway sees them."""

    running: bool
    findings: list[Finding]
    nodes: list[NodeFacts] = []  # noqa: RUF012 - a tuple's default, never changed

    @property
    def sound(self) -> bool:
        """Whether nothing needs a person."""
        return all(finding.severity == "info" for finding in self.findings)


def examine_file(path: Path, limits: Limits | None = None) -> Report:
    """Everything about the installation of a configuration file; a configuration with mistakes is a finding, too."""
    from shutan_gateway.config import load_config  # noqa: PLC0415 - beside its only use
    from shutan_gateway.errors import ConfigError  # noqa: PLC0415 - see above

    try:
        config = load_config(path)
    except ConfigError as error:
        problems = error.problems
        return Report(False, [Finding("config.unsound", p.key, {"problem": p.line()}) for p in problems])
    return examine(config, limits)


def examine(config: GatewayConfig, limits: Limits | None = None) -> Report:
    """Look from outside: log in to the broker, ask the stores, measure the disk, read the gateway's pages."""
    from shutan_gateway.operation.page import fetch  # noqa: PLC0415 - HTTP is for this way only

    facts = fetch(config.http)
    found: list[Finding] = []
    if facts is None:
        found.append(Finding("gateway.down", "", {"place": f"http://{config.http.host}:{config.http.port}"}))
    else:
        found += gateway_findings(config, facts, limits or Limits())
    found += tls_findings(config)
    found += broker_findings(config, running=facts is not None and facts.health.get("broker") == "connected")
    found += disk_findings(config, probe=True)
    found += clock_findings()
    found += store_findings(config)
    found += meter_findings(config)
    found += input_findings(config.gateway.data_dir)
    return Report(facts is not None, worst(_once(found)), [] if facts is None else facts.nodes)


def examine_inside(config: GatewayConfig, facts: Facts, limits: Limits) -> list[Finding]:
    """Look from inside a running gateway, without the meters: its numbers, files, clock; nothing is written."""
    found = [*gateway_findings(config, facts, limits), *tls_findings(config), *disk_findings(config, probe=False)]
    found += [*clock_findings(), *input_findings(config.gateway.data_dir)]
    return worst(_once(found))


def _once(findings: list[Finding]) -> list[Finding]:
    """One finding a state: two checks may see the same."""
    return list({finding.key: finding for finding in findings}.values())
