"""`shutan service`: put the gateway on a machine, look at it, take it off."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from shutan_gateway.operation.install import UNITS, Step, Target
from shutan_gateway.operation.install import install as put_files
from shutan_gateway.operation.install import uninstall as take_files

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Install the gateway as a service; its state.")

_Root = Annotated[Path, typer.Option("--root", help="Install below this folder (an image) instead of this machine.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list what would happen.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")]
_HERE = Path("/")
_MOSQUITTO = Path(Target().mosquitto)
_SAY = {
    "write": "written",
    "replace": "renewed",
    "unchanged": "as it should be",
    "keep": "kept (yours)",
    "edited": "was edited: kept; the new text is beside it as .new",
    "remove": "removed",
    "gone": "was gone already",
}
_HIDDEN = tuple(f"/{name}/" for name in ("home", "root", "tmp", "run/user"))  # by the unit's sandbox


@app.command()
def install(
    *,
    root: _Root = _HERE,
    program: Annotated[Path | None, typer.Option(help="`shutan` as the machine will find it; default: this.")] = None,
    mosquitto: Annotated[Path, typer.Option(help="mosquitto as the machine will find it.")] = _MOSQUITTO,
    dry_run: _DryRun = False,
    as_json: _Json = False,
) -> None:
    """Write units, users, folders, configuration, broker and time source; says what to do next."""
    own = program or Path(sys.executable).with_name("shutan")
    target = Target(root.absolute(), str(own), str(mosquitto))
    steps = put_files(target, dry_run=dry_run)
    notes = _notes(target)
    done: list[str] = []
    if root == _HERE and not dry_run:
        done = _apply(notes)
    if as_json:
        typer.echo(json.dumps({"files": [s._asdict() for s in steps], "ran": done, "notes": notes}, ensure_ascii=False))
        return
    _tell(steps, dry_run=dry_run)
    for line in done:
        typer.echo(f"ran: {line}")
    for note in notes:
        typer.echo(f"note: {note}")
    typer.echo("next:")
    for line in _next(target):
        typer.echo(f"  {line}")


@app.command()
def uninstall(*, root: _Root = _HERE, dry_run: _DryRun = False, as_json: _Json = False) -> None:
    """Stop the units and remove what `install` wrote; configuration, passwords and data stay."""
    target = Target(root.absolute())
    if root == _HERE and not dry_run and _systemd():
        _run("systemctl", "disable", "--now", *UNITS)
    steps = take_files(target, dry_run=dry_run)
    if root == _HERE and not dry_run and _systemd():
        _run("systemctl", "daemon-reload")
    if as_json:
        typer.echo(json.dumps({"files": [step._asdict() for step in steps]}, ensure_ascii=False))
        return
    _tell(steps, dry_run=dry_run)
    typer.echo("kept: /etc/shutan, /etc/shutan-broker, /var/lib/shutan, /var/lib/shutan-broker; remove them by hand")


@app.command()
def status(
    *,
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration of the running gateway.")] = Path(
        "/etc/shutan/gateway.toml"
    ),
    as_json: _Json = False,
) -> None:
    """Units, since when, what the gateway counts, the last sample. Exit code 1 when something does not run."""
    from shutan_gateway.operation.status import look  # noqa: PLC0415 - HTTP is loaded by those who ask

    state = look(config, _units() if _systemd() else None)
    if as_json:
        typer.echo(json.dumps(state.facts, ensure_ascii=False, indent=2))
    else:
        for line in state.lines:
            typer.echo(line)
    if not state.sound:
        raise typer.Exit(1)


def _tell(steps: list[Step], *, dry_run: bool) -> None:
    for step in steps:
        typer.echo(f"{'would be ' if dry_run else ''}{_SAY[step.action]}: {step.path}")


def _systemd() -> bool:
    """Whether systemd is the init of this machine (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None


def _notes(target: Target) -> list[str]:
    notes: list[str] = []
    if target.program.startswith(_HIDDEN):
        notes.append(f"{target.program} lies where the unit's sandbox cannot see it: install shutan into /opt/shutan")
    if not target.place(target.program).is_file():
        notes.append(f"{target.program} is not there yet: put shutan there, or name it with --program")
    if not target.place(target.mosquitto).is_file():
        notes.append(f"{target.mosquitto} is not there yet: apt-get install mosquitto (or its .deb from a stick)")
    if not target.place("/usr/sbin/chronyd").is_file():
        notes.append("chrony is not there: apt-get install chrony; nodes need a time source (docs/operate.md)")
    if not target.place("/etc/shutan-broker/broker.pem").is_file():
        notes.append(
            "nodes cannot log in from the network yet: put ca.pem, broker.pem, broker.key into /etc/shutan-broker, "
            "then install again"
        )
    return notes


def _apply(notes: list[str]) -> list[str]:
    """Users and folders now; without systemd they are only noted."""
    commands = [("systemd-sysusers", "shutan.conf"), ("systemd-tmpfiles", "--create", "shutan.conf")]
    if _systemd():
        commands.append(("systemctl", "daemon-reload"))
    else:
        notes.append("systemd does not run here: units are installed and take effect when it does")
    done: list[str] = []
    for command in commands:
        if shutil.which(command[0]) is None:
            notes.append(f"{command[0]} is missing: users and folders are made at the next start of systemd")
            continue
        error = _run(*command)
        if error:
            notes.append(f"{' '.join(command)}: {error}")
        else:
            done.append(" ".join(command))
    return done


def _run(*command: str) -> str:
    """What went wrong, empty when nothing did."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - fixed
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]


def _next(target: Target) -> list[str]:
    where = "" if target.root == _HERE else f" --root={target.root}"
    return [
        f"edit {target.place('/etc/shutan/gateway.toml')}: stores, notifications; check it: shutan check --config ...",
        f"systemctl{where} disable mosquitto.service; systemctl{where} enable{'' if where else ' --now'} "
        + " ".join(("chrony.service", *UNITS)),
        "shutan service status, shutan doctor --config /etc/shutan/gateway.toml",
    ]


def _units() -> list[dict[str, str]]:
    """What systemd says about the units."""
    wanted = "Id,LoadState,ActiveState,SubState,ActiveEnterTimestamp,StatusText,NRestarts,MemoryCurrent"
    command = ["systemctl", "show", f"--property={wanted}", *UNITS, "chrony.service"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - fixed
    except (OSError, subprocess.TimeoutExpired):
        return []
    blocks = done.stdout.strip().split("\n\n")
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks if block]
