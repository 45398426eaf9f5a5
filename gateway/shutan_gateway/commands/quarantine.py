"""`shutan quarantine`: refused input that the gateway kept, with the reason and the bytes."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutan_gateway.config import load_config
from shutan_gateway.quarantine import FOLDER, Item, items, load

if TYPE_CHECKING:
    from shutan_gateway.payload.place import Place

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Refused input that the gateway kept: list it, show its bytes.")

Config = Annotated[Path, typer.Option("--config", "-c", help="Configuration (TOML).", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_LINE = 16
_SHOWN_BYTES = 4_096


@app.command("list")
def list_items(
    config: Config,
    *,
    reason: Annotated[str, typer.Option(help="Only this class, such as truncated.")] = "",
    source: Annotated[str, typer.Option(help="Only this source, such as mqtt, or all whose name begins so.")] = "",
    since: Annotated[str, typer.Option(help="From this time on (ISO 8601; without a zone: local time).")] = "",
    until: Annotated[str, typer.Option(help="Before this time.")] = "",
    as_json: Json = False,
) -> None:
    """List what is in quarantine, oldest first; damaged files are told on stderr."""
    low_ms = _ms("--since", since) if since else 0
    high_ms = _ms("--until", until) if until else None
    chosen: list[Item] = []
    for item in items(_folder(config)):
        if not isinstance(item, Item):
            typer.echo(f"shutan: {item}", file=sys.stderr)
        elif (
            (not reason or item.reason == reason)
            and item.source.startswith(source)
            and item.received_ms >= low_ms
            and (high_ms is None or item.received_ms < high_ms)
        ):
            chosen.append(item)
    if as_json:
        typer.echo(json.dumps([item._asdict() for item in chosen]))
    else:
        _table(chosen)


@app.command()
def show(
    number: Annotated[int, typer.Argument(metavar="ID", help="Number from the list.", min=0)],
    config: Config,
    *,
    raw_file: Annotated[
        Path | None, typer.Option("--raw", metavar="FILE", help="Write the bytes to a new file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show one input: where it came from, what was wrong at which byte, and its bytes."""
    item, raw = load(_folder(config), number)
    place = _place(item, raw)
    if raw_file is not None:
        with raw_file.open("xb") as file:
            file.write(raw)
    if as_json:
        found = None if place is None else place._asdict()
        typer.echo(json.dumps({**item._asdict(), "place": found, "hex": raw.hex()}))
        return
    cut = "" if item.kept == item.length else f", the first {item.kept} of them kept"
    lines = [
        f"id        {item.number}",
        f"received  {_time(item.received_ms)}",
        f"source    {_plain(item.source)}",
        f"topic     {_plain(item.topic)}",
        f"reason    {_plain(item.reason)}: {_plain(item.detail)}",
        f"length    {item.length} bytes{cut}, SHA-256 {item.sha256}",
    ]
    if place is not None:
        lines.append(f"place     bytes {place.first} to {place.end - 1}: {_plain(place.said)}")
    typer.echo("\n".join([*lines, *_hex(raw, place)]))


def _folder(config: Path) -> Path:
    return load_config(config).gateway.data_dir / FOLDER


def _place(item: Item, raw: bytes) -> Place | None:
    """Only Sparkplug payloads that are here as a whole can be explained again."""
    if item.source != "mqtt" or not item.topic.startswith("spBv1.0/") or item.kept != item.length:
        return None
    from shutan_gateway.payload.place import find_place  # noqa: PLC0415 - not needed for a list

    return find_place(raw)


def _ms(option: str, text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{option}: a time such as 2026-11-23T08:00 expected, found {text!r}") from error


def _time(received_ms: int) -> str:
    try:
        return datetime.fromtimestamp(received_ms / 1000).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return str(received_ms)


def _plain(text: str) -> str:
    """Text of anybody, safe for a terminal."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def _table(chosen: list[Item]) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("id", "received", "source", "reason", "bytes", "topic", box=None, pad_edge=False)
    for item in chosen:
        cells = (str(item.number), _time(item.received_ms), item.source, item.reason, str(item.length), item.topic)
        table.add_row(*(Text(_plain(cell)) for cell in cells))
    Console(soft_wrap=not sys.stdout.isatty()).print(table)


def _hex(raw: bytes, place: Place | None) -> list[str]:
    """Bytes in lines of sixteen; lines with refused bytes are marked."""
    lines: list[str] = []
    for at in range(0, min(len(raw), _SHOWN_BYTES), _LINE):
        part = raw[at : at + _LINE]
        mark = ">" if place is not None and at < place.end and at + _LINE > place.first else " "
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{mark} {at:06x}  {part.hex(' '):<47}  {text}")
    if len(raw) > _SHOWN_BYTES:
        lines.append(f"  {len(raw) - _SHOWN_BYTES} more bytes (--raw FILE writes all)")
    return lines
