"""`shutan doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

import json
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shutan_gateway.intake.node_table import NodeFacts

__all__ = ["app"]

app = typer.Typer(add_completion=False, help="Say what is wrong with this installation, and what to do.")

_CONFIG = Path("/etc/shutan/gateway.toml")
_SIGN = {"error": "✗", "warning": "!", "info": "·"}


class Language(StrEnum):
    """Languages of the findings."""

    EN = "en"
    ZH = "zh"


def _list_nodes(nodes: list[NodeFacts]) -> None:
    """Node, device, state, and how long ago it was heard."""
    now_ms = time.time_ns() // 1_000_000
    for node in nodes:
        state = "online" if node["online"] else "offline"
        for device in node["devices"] or [None]:
            name = f"{node['site']}/{node['node']}" + (f"/{device['device']}" if device and device["device"] else "")
            heard = f"{(now_ms - device['heard_ms']) / 1000:.0f} s ago" if device and device["heard_ms"] else "never"
            typer.echo(f"  {name}: {state}, last sample {heard}")


@app.command()
def doctor(
    *,
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration (TOML).")] = _CONFIG,
    silent: Annotated[
        float, typer.Option(help="Minutes without a sample after which a device counts as silent.", min=0.1)
    ] = 15.0,
    language: Annotated[Language, typer.Option("--language", "-l", help="Language of the findings.")] = Language.EN,
    nodes: Annotated[bool, typer.Option("--nodes", help="List each device with its last sample, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, both languages and all nodes in it.")] = False,
) -> None:
    """Check broker, TLS, disk, clock, stores, spool, nodes and meters, beside a running gateway or without one.

    Exit code 0: nothing needs a person; 1: findings.
    """
    from shutan_gateway.operation.doctor.checks_gateway import Limits  # noqa: PLC0415 - `shutan --help` loads nothing
    from shutan_gateway.operation.doctor.run import examine_file  # noqa: PLC0415 - see above

    report = examine_file(config, Limits(silent_s=60 * silent))
    if as_json:
        findings = [finding.as_dict() for finding in report.findings]
        found: dict[str, object] = {"sound": report.sound, "gateway_running": report.running, "findings": findings}
        body = {**found, "nodes": report.nodes}
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2, default=str))
    else:
        for finding in report.findings:
            typer.echo(f"{_SIGN[finding.severity]} {finding.what(language.value)}")
            typer.echo(f"    {finding.remedy(language.value)}")
        if nodes:
            _list_nodes(report.nodes)
        if report.sound:
            typer.echo("一切正常" if language is Language.ZH else "all is well")
    if not report.sound:
        raise typer.Exit(1)
