"""`shutan hardware`: the boards of the node family, their rules, drawings, parts and power; records of calibration."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="Boards of the node family: pin rules, drawings, parts, power, calibration."
)

_JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(*, as_json: _JSON = False) -> None:
    """List the boards."""
    from shutan_gateway.hardware.board import find, packaged  # noqa: PLC0415 - `shutan --help` loads nothing

    boards = [find(name) for name in packaged()]
    if as_json:
        rows = [
            {"board": one.name, "title": one.title, "title_zh": one.title_zh, "module": one.module, "link": one.link}
            for one in boards
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for one in boards:
        typer.echo(f"{one.name:<16} {one.module:<24} {one.link:<9} {one.title}")


@app.command()
def check(
    board: Annotated[list[str] | None, typer.Argument(help="Boards by name, or .toml files; all when none.")] = None,
    *,
    as_json: _JSON = False,
) -> None:
    """Check boards against the pin, power and insulation rules: one line a finding, with what to do.

    Exit code 0: nothing found; 1: findings.
    """
    from shutan_gateway.hardware.board import packaged  # noqa: PLC0415 - as above
    from shutan_gateway.hardware.check import check_named  # noqa: PLC0415 - as above

    names = board or list(packaged())
    findings = [finding for name in names for finding in check_named(name)]
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in findings], ensure_ascii=False, indent=2))
    elif findings:
        for one in findings:
            typer.echo(one.line())
    else:
        typer.echo(f"{len(names)} board{'s' if len(names) > 1 else ''}, nothing found")
    if findings:
        raise typer.Exit(1)


@app.command()
def show(
    board: Annotated[str, typer.Argument(help="Board by name, or a board.toml file.")],
    *,
    svg: Annotated[Path | None, typer.Option(help="Write pinout.svg and wiring.svg into this folder.")] = None,
    bom: Annotated[bool, typer.Option("--bom", help="Print the bill of materials as CSV.")] = False,
    power: Annotated[bool, typer.Option("--power", help="Print the power budget.")] = False,
    as_json: _JSON = False,
) -> None:
    """Show a board: its page, or drawings, bill of materials, power budget."""
    from shutan_gateway.hardware.board import find  # noqa: PLC0415 - as above
    from shutan_gateway.hardware.bom import bom as lines_of  # noqa: PLC0415 - as above
    from shutan_gateway.hardware.page import artefacts  # noqa: PLC0415 - as above
    from shutan_gateway.hardware.power import budget  # noqa: PLC0415 - as above

    found = find(board)
    files = artefacts(found)
    if svg is not None:
        svg.mkdir(parents=True, exist_ok=True)
        for name in ("pinout.svg", "wiring.svg"):
            (svg / name).write_text(files[name], encoding="utf-8")
    if as_json:
        body = {
            "board": found.name,
            "pins": [pin.model_dump() for pin in found.pin],
            "bom": [line._asdict() for line in lines_of(found)],
            "power": [rail._asdict() for rail in budget(found)],
        }
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    if bom:
        typer.echo(files["bom.csv"], nl=False)
    if power:
        for one in budget(found):
            what = f"{one.typical_ma:>5} mA typical {one.peak_ma:>5} mA peak of {one.limit_ma:>5} mA"
            heat = f", {one.heat_mw} mW heat of {one.heat_limit_mw}" if one.heat_limit_mw else ""
            typer.echo(f"{one.rail:<14} {one.volts_mv / 1000:>5g} V {what}{heat}")
    if not (svg or bom or power):
        typer.echo(files["README.md"], nl=False)


@app.command()
def calibration(
    file: Annotated[Path, typer.Argument(help="Record of a calibration (JSON).")],
    *,
    as_json: _JSON = False,
) -> None:
    """Check a record of calibration and print the register values for the node; every mistake in it is named."""
    from shutan_gateway.hardware.calibration import load_record  # noqa: PLC0415 - as above

    record = load_record(file.read_text(encoding="utf-8", errors="replace"), str(file))
    gains = {one.register_name: one.gain_after for one in record.channels}
    gains |= {one.register_name: one.after for one in record.angles}
    if as_json:
        body = {"board": record.board, "serial": record.serial, "date": str(record.date), "operator": record.operator}
        typer.echo(json.dumps({**body, "chip": record.chip, "registers": gains}, ensure_ascii=False, indent=2))
        return
    typer.echo(f"{record.board} {record.serial}, {record.chip}, {record.date}, {record.operator}")
    for name, gain in gains.items():
        typer.echo(f"{name:<10} {gain}")
