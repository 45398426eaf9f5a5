"""`shutan command`: write to a node or device, list what may be written, read the audit record."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from shutan_gateway.config import load_config
from shutan_gateway.errors import TellPerson

__all__ = ["app"]

app = typer.Typer(add_completion=False, help="Write to nodes and devices: send, list, log.", no_args_is_help=True)

_Config = Annotated[Path, typer.Option("--config", "-c", help="Configuration (TOML).", show_default=False)]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_LONGEST_S = 330.0  # the longest limit_s of a rule, and a little


@app.command()
def send(
    target: Annotated[str, typer.Argument(help="SITE/NODE or SITE/NODE/DEVICE.", show_default=False)],
    metric: Annotated[str, typer.Argument(help="As in the birth; wired meter: name of the write.", show_default=False)],
    value: Annotated[str, typer.Argument(help="Value: a number, true, false or text.", show_default=False)],
    config: _Config,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit record.", show_default=False)],
    *,
    as_json: _Json = False,
) -> None:
    """Ask the running gateway to write one value. Exit code 0: a durable record shows it, or the wired meter confirmed
    it; 1: refused or not shown.
    """
    from shutan_gateway.control import ask  # noqa: PLC0415 - not for --help

    levels = target.split("/")
    if len(levels) not in {2, 3} or not all(levels):
        raise TellPerson(f"{target}: write SITE/NODE or SITE/NODE/DEVICE")
    request = {
        "verb": "command",
        **dict(zip(("site", "node", "device"), [*levels, ""], strict=False)),
        "metric": metric,
        "value": value,
        "reason": reason,
    }
    for answer in ask(load_config(config).gateway.data_dir, request, timeout_s=_LONGEST_S):
        if "progress" in answer:
            if not as_json:
                typer.echo(answer["progress"], file=sys.stderr)
        elif as_json:
            typer.echo(json.dumps(answer, ensure_ascii=False))
        else:
            detail = f": {answer['detail']}" if answer.get("detail") else ""
            typer.echo(f"{answer['outcome']} after {answer['after_s']} s{detail}")
        if answer.get("ok") is False:
            raise typer.Exit(1)


@app.command("list")
def list_(config: _Config, *, as_json: _Json = False) -> None:
    """The allow table."""
    rules = load_config(config).command
    if as_json:
        typer.echo(json.dumps([rule.model_dump() for rule in rules], ensure_ascii=False))
        return
    for rule in rules:
        place = "/".join(filter(None, (rule.site, rule.node, rule.device)))
        limits = [f">= {rule.minimum:g}" if rule.minimum is not None else ""]
        limits += [f"<= {rule.maximum:g}" if rule.maximum is not None else "", " | ".join(rule.values)]
        typer.echo("  ".join(filter(None, (place, rule.metric, rule.datatype, *limits, f"{rule.per_minute}/min"))))
    if not rules:
        typer.echo("nothing may be written; a [[command]] table allows it")


@app.command()
def log(
    config: _Config,
    *,
    last: Annotated[int, typer.Option("--last", help="How many lines.", min=1)] = 50,
    as_json: _Json = False,
) -> None:
    """The audit record, newest last; its chain is checked. Exit code 1 when a line was changed or is missing."""
    from shutan_gateway.writes.audit import FOLDER, first_break, lines  # noqa: PLC0415 - not for --help

    texts = lines(load_config(config).gateway.data_dir / FOLDER)
    broken = first_break(texts)
    entries = [json.loads(text) for text in texts[-last:]] if broken is None else []
    if as_json:
        typer.echo(json.dumps({"lines": len(texts), "first_break": broken, "entries": entries}, ensure_ascii=False))
    else:
        for entry in entries:
            detail = f" ({entry['detail']})" if entry.get("detail") else ""
            typer.echo(
                f"{entry['at']}  {entry['user']}  {entry['what']}  {entry['outcome']}{detail}  {entry['reason']}"
            )
    if broken is not None:
        raise TellPerson(f"audit record: line {broken + 1} of {len(texts)} does not continue the one before it")
