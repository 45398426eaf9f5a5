"""`shutan broker`: write the broker's files."""

from __future__ import annotations

import json
import os
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from shutan_gateway.config import load_config
from shutan_gateway.errors import ConfigError, Problem
from shutan_gateway.operation.broker import (
    Account,
    BrokerPlan,
    acl_text,
    conf_text,
    fitted,
    new_secret,
    parse_accounts,
    password_entry,
)

__all__ = ["app", "write_files"]

_PLAN = BrokerPlan()

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Write the MQTT broker's configuration.")


@app.callback()
def _root() -> None:
    """Keeps `config` a subcommand."""


@app.command()
def config(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files; made when missing.")],
    gateway: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Gateway configuration to fit: names, adapters, commands."),
    ] = None,
    nodes: Annotated[
        Path | None,
        typer.Option(help="Accounts, one a line: NODE, SITE/NODE, or USER FILTER... Without: any node, for itself."),
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the files will lie on the machine.")] = _PLAN.folder,
    state: Annotated[Path, typer.Option(help="Where the broker keeps its queue.")] = _PLAN.state,
    tls_port: Annotated[int, typer.Option(help="Port for nodes with TLS; 0: none.", min=0, max=65535)] = 8883,
    passwords: Annotated[
        bool, typer.Option("--passwords", help="Nodes log in by password instead of by certificate; makes new ones.")
    ] = False,
    reads: Annotated[list[str] | None, typer.Option("--reads", help="A topic filter the gateway may hear.")] = None,
    writes: Annotated[list[str] | None, typer.Option("--writes", help="A topic filter the gateway may say.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write mosquitto.conf, acl and passwords; existing passwords are kept, new ones are put into secrets/."""
    plan = BrokerPlan(folder=folder, state=state, tls_port=tls_port, certificates=not passwords)
    plan = plan._replace(gateway_reads=tuple(reads or ()), gateway_writes=tuple(writes or ()))
    if nodes is not None:
        plan = plan._replace(accounts=_accounts(nodes))
    if gateway is not None:
        plan = fitted(plan, load_config(gateway))
    written = write_files(plan, out)
    if as_json:
        typer.echo(json.dumps({"folder": str(out), "written": written}, ensure_ascii=False))
        return
    for name in written:
        typer.echo(f"written: {out / name}")
    if tls_port:
        typer.echo(f"put beside them: ca.pem, broker.pem, broker.key (certificate of this machine), then {folder}/")


def _accounts(path: Path) -> tuple[Account, ...]:
    try:
        return parse_accounts(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), "(file)", "bytes that are no UTF-8", "a text file")]) from error


def write_files(plan: BrokerPlan, out: Path) -> list[str]:
    """Write the files of a plan; the names written. Users with an entry keep it; secrets of new ones in secrets/."""
    out.mkdir(parents=True, exist_ok=True)
    entries = _entries(out / "passwords")
    wanted = [plan.gateway_user]
    wanted += [account.user for account in plan.accounts if account.topics or not plan.certificates]
    written = ["mosquitto.conf", "acl", "passwords"]
    _put(out / "mosquitto.conf", conf_text(plan), 0o640)
    _put(out / "acl", acl_text(plan), 0o640)
    for user in wanted:
        if user not in entries:
            secret = new_secret()
            entries[user] = password_entry(user, secret)
            _put(out / "secrets" / f"{user}.password", secret + "\n", 0o600)
            written.append(f"secrets/{user}.password")
    _put(out / "passwords", "".join(entries.values()), 0o640)
    return written


def _entries(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return {line.partition(":")[0]: line for line in lines if ":" in line}


def _put(path: Path, text: str, mode: int) -> None:
    """Replace a file at once; it is never readable by more than `mode` allows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".tmp")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.chmod(mode)
    fresh.replace(path)
