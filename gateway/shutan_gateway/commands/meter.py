"""`shutan meter`: explain captured frames, list profiles."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from shutan_meters import inspect
from shutan_meters.errors import FrameError, ProfileError
from shutan_meters.profile import Profile, load_profile

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Explain captured meter frames; list the meter profiles.")


class Protocol(StrEnum):
    """Protocols of `shutan meter decode`."""

    DLT645 = "dlt645"
    MODBUS = "modbus"
    CJT188 = "cjt188"


def _profiles() -> dict[str, Traversable]:
    """The packaged profiles by name."""
    folder = files("shutan_meters") / "profiles"
    found = ((entry.name, entry / "profile.json") for entry in folder.iterdir() if entry.is_dir())
    return dict(sorted((name, file) for name, file in found if file.is_file()))


def _load(name: str) -> Profile:
    """A packaged profile by name, or a profile.json by path."""
    packaged = _profiles()
    if name in packaged:
        return load_profile(packaged[name].read_text(encoding="utf-8"))
    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        try:
            return load_profile(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ProfileError(name, [f"byte {error.start}: not UTF-8 text"]) from None
        except ProfileError as error:
            raise ProfileError(name, error.mistakes) from None
    raise ProfileError("--profile", [f"no profile {name!r}; known: {', '.join(packaged)}; or the path of a .json file"])


def _bytes(option: str, text: str) -> bytes:
    try:
        return inspect.from_hex(text)
    except FrameError as error:
        raise FrameError(f"{option}, {error.where}", error.reason) from None


@app.command()
def decode(
    *,
    protocol: Annotated[Protocol, typer.Option(help="How the meter speaks; cjt188: frame and totals only.")],
    hex_: Annotated[
        str, typer.Option("--hex", help="Captured bytes, '68 AA ...'; noise around frames is allowed; - reads stdin.")
    ],
    profile: Annotated[
        str | None, typer.Option(help="Profile name or profile.json: adds catalogue names and steps (meter side).")
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="Modbus: the request that the reply answers; it names the registers.")
    ] = None,
) -> None:
    """Explain captured frames as JSON: an object for one frame, a list for several."""
    known = _load(profile) if profile is not None else None
    if known is not None and known.protocol != protocol.value:
        raise ProfileError("--profile", [f"{known.name} is a {known.protocol} profile, not {protocol.value}"])
    if request is not None and protocol is not Protocol.MODBUS:
        raise FrameError("--request", "belongs to --protocol modbus; other replies name their data themselves")
    # Four characters a byte are enough for any way to write one; what is no text becomes a character to complain about.
    text = sys.stdin.buffer.read(5 * inspect.MAX_BYTES).decode("ascii", "replace") if hex_ == "-" else hex_
    data = _bytes("--hex", text)
    asked = _bytes("--request", request) if request is not None else None
    reports = inspect.decode(protocol.value, data, known, asked)
    shown: Any = reports[0] if len(reports) == 1 else reports
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))


@app.command("list")
def list_(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False) -> None:
    """List the meter profiles."""
    rows: list[dict[str, Any]] = []
    for name, file in _profiles().items():
        text = file.read_text(encoding="utf-8")
        profile = load_profile(text)
        about = json.loads(text)
        rows.append({
            "profile": name,
            "title": about["title"],
            "title_zh": about.get("title_zh", ""),
            "protocol": profile.protocol,
            "baud": profile.baud,
            "format": profile.line,
            "requests": len(profile.reads) // 4,
            "metrics": [profile.metric(i) for i in range(len(profile))],
        })  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table()
    table.add_column("profile", no_wrap=True)
    for heading in ("meter", "protocol", "line", "requests", "metrics"):
        table.add_column(heading)
    for row in rows:
        line = f"{row['baud']} {row['format']}"
        table.add_row(
            row["profile"], row["title"], row["protocol"], line, str(row["requests"]), str(len(row["metrics"]))
        )
    Console().print(table)
