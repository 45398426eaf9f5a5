"""`shutan meter`: explain captured frames, list profiles, read and find wired meters, fill gaps."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from shutan_gateway.errors import TellPerson
from shutan_gateway.serial import profiles
from shutan_meters import inspect
from shutan_meters.errors import FrameError, MeterError, ProfileError
from shutan_meters.profile import DLT645_1997, Profile, load_profile

if TYPE_CHECKING:
    from shutan_gateway.config.serial import SerialBus
    from shutan_gateway.serial.technician import Found

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Read wired meters, explain captured frames, list the meter profiles.")


class Protocol(StrEnum):
    """Protocols of `shutan meter decode`."""

    DLT645 = "dlt645"
    MODBUS = "modbus"
    CJT188 = "cjt188"


class Wired(StrEnum):
    """Protocols of `shutan meter scan`."""

    DLT645 = "dlt645"
    DLT645_1997 = "dlt645_1997"
    MODBUS = "modbus"
    CJT188 = "cjt188"


def _load(name: str) -> Profile:
    """A packaged profile by name, or a profile.json by path."""
    try:
        return profiles.load(name)
    except ProfileError as error:
        raise ProfileError("--profile" if error.where == "profile" else error.where, error.mistakes) from None


def _bytes(option: str, text: str) -> bytes:
    try:
        return inspect.from_hex(text)
    except FrameError as error:
        raise FrameError(f"{option}, {error.where}", error.reason) from None


@app.command()
def decode(
    *,
    protocol: Annotated[
        Protocol | None, typer.Option(help="How the meter speaks; with --stream all of them unless given.")
    ] = None,
    hex_: Annotated[
        str | None,
        typer.Option("--hex", help="Captured bytes, '68 AA ...'; noise around frames is allowed; - reads stdin."),
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option(help="File with all that a line carried, as bytes or as hex digits; - reads stdin."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Profile name or profile.json: adds catalogue names and steps (meter side).")
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="Modbus: the request that the reply answers; it names the registers.")
    ] = None,
) -> None:
    """Explain captured frames as JSON: an object for one frame, a list for several.

    With --stream: a line of JSON for each frame and each stretch of skipped bytes, in their order, and a summary.
    """
    if (hex_ is None) == (stream is None):
        raise typer.BadParameter("one of --hex and --stream is needed")
    known = _load(profile) if profile is not None else None
    spoken = known.protocol.removesuffix(DLT645_1997.removeprefix("dlt645")) if known is not None else ""
    if known is not None and protocol is not None and spoken != protocol.value:
        raise ProfileError("--profile", [f"{known.name} is a {known.protocol} profile, not {protocol.value}"])
    if stream is not None:
        if request is not None:
            raise FrameError("--request", "belongs to --hex; in a stream the requests stand in front of their answers")
        _decode_stream(stream, tuple(inspect.PROTOCOLS) if protocol is None else (protocol.value,), known)
        return
    if protocol is None:
        raise typer.BadParameter("--hex needs --protocol")
    if request is not None and protocol is not Protocol.MODBUS:
        raise FrameError("--request", "belongs to --protocol modbus; other replies name their data themselves")
    # Four characters a byte are enough for any way to write one; what is no text becomes a character to complain about.
    text = sys.stdin.buffer.read(5 * inspect.MAX_BYTES).decode("ascii", "replace") if hex_ == "-" else hex_ or ""
    data = _bytes("--hex", text)
    asked = _bytes("--request", request) if request is not None else None
    reports = inspect.decode(protocol.value, data, known, asked)
    shown: Any = reports[0] if len(reports) == 1 else reports
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))


def _decode_stream(name: str, protocols: tuple[str, ...], profile: Profile | None) -> None:
    """Print what a capture holds, line by line, while it is read."""
    from shutan_gateway.serial import capture  # noqa: PLC0415 - for this option only

    try:
        for report in capture.reports(name, protocols, profile):
            typer.echo(json.dumps(report, ensure_ascii=False))
    except OSError as error:
        raise TellPerson(f"--stream {name}: {error.strerror}") from None


@app.command("list")
def list_(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False) -> None:
    """List the meter profiles."""
    rows: list[dict[str, Any]] = []
    for name, file in profiles.packaged().items():
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


_PORT = Annotated[str | None, typer.Option("--port", help="Adapter, best by /dev/serial/by-id/...")]
_HOST = Annotated[str | None, typer.Option("--host", help="Modbus TCP or device server instead of an adapter.")]
_TCP = Annotated[int, typer.Option("--tcp-port", min=1, max=65535, help="Port of --host.")]
_RAW = Annotated[bool, typer.Option("--raw", help="--host passes the frames of the line as they are.")]
_BAUD = Annotated[int | None, typer.Option("--baud", help="Speed; the profile's unless given.")]
_FORMAT = Annotated[str | None, typer.Option("--format", help="8N1, 8N2, 8E1 or 8O1; the profile's unless given.")]
_JSON = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _bus(end: dict[str, object], profile: str, meter: dict[str, object]) -> SerialBus:
    from pydantic import ValidationError  # noqa: PLC0415 - heavy, for these commands only

    from shutan_gateway.serial.budget import problems_of  # noqa: PLC0415 - as above
    from shutan_gateway.serial.technician import bus_for  # noqa: PLC0415 - as above

    if (end["device"] is None) == (end["host"] is None):
        raise typer.BadParameter("one of --port and --host is needed")
    try:
        bus = bus_for(end, profile, meter)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise typer.BadParameter(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for key, found, accepted in problems_of(bus):
        if not key.endswith("interval_s"):
            raise typer.BadParameter(f"{key.rpartition('.')[2]}: found {found}; accepted: {accepted}")
    return bus


def _end(
    *, port: str | None, host: str | None, tcp_port: int, raw: bool, baud: int | None, line: str | None
) -> dict[str, object]:
    framing = "raw" if raw else "mbap"
    return {"device": port, "host": host, "port": tcp_port, "framing": framing, "baud": baud, "format": line}


def _ratio(option: str, text: str) -> tuple[int, int]:
    parts = text.split("/")
    if len(parts) > 2 or not all(part.isdigit() for part in parts):
        raise typer.BadParameter(f"{option}: found {text!r}; accepted: 40 or 200/5")
    return int(parts[0]), int(parts[1]) if len(parts) == 2 else 1


@app.command()
def read(
    *,
    profile: Annotated[str, typer.Option(help="Profile name or profile.json.")],
    address: Annotated[str, typer.Option(help="Address as on the label; Modbus: 1..247.")],
    port: _PORT = None,
    host: _HOST = None,
    tcp_port: _TCP = 502,
    raw: _RAW = False,
    baud: _BAUD = None,
    line: _FORMAT = None,
    ct: Annotated[str, typer.Option(help="Current transformer ratio, 40 or 200/5.")] = "1",
    pt: Annotated[str, typer.Option(help="Voltage transformer ratio.")] = "1",
    as_json: _JSON = False,
) -> None:
    """Read a wired meter now; the adapter must not be in use by a running gateway."""
    from shutan_gateway.serial.technician import read_now  # noqa: PLC0415 - asyncio and the line, for this command only

    meter: dict[str, object] = {"address": address, "ct": _ratio("--ct", ct), "pt": _ratio("--pt", pt)}
    bus = _bus(_end(port=port, host=host, tcp_port=tcp_port, raw=raw, baud=baud, line=line), profile, meter)
    try:
        readings = read_now(bus)
    except MeterError as error:
        raise TellPerson(f"no reading of {address}: {error}; check address, speed, polarity of A and B") from None
    if as_json:
        typer.echo(json.dumps([reading._asdict() for reading in readings], ensure_ascii=False, indent=2))
        return
    table = Table("metric", "value", "unit", "quality")
    for one in readings:
        value = "" if one.value is None else f"{one.value:.7g}" if isinstance(one.value, float) else str(one.value)
        table.add_row(one.metric, value, one.unit, one.quality)
    Console().print(table)


@app.command()
def scan(
    *,
    port: _PORT = None,
    host: _HOST = None,
    tcp_port: _TCP = 502,
    raw: _RAW = False,
    baud: _BAUD = None,
    line: _FORMAT = None,
    protocol: Annotated[list[Wired] | None, typer.Option(help="Only this protocol; may be repeated.")] = None,
    last: Annotated[int, typer.Option("--to", min=1, max=247, help="Modbus: ask units 1 up to this one.")] = 32,
    several: Annotated[
        bool, typer.Option(help="DL/T 645: search meters that share the bus, 80 s for a hundred addresses.")
    ] = False,
    as_json: _JSON = False,
) -> None:
    """Find meters and how they speak: each Modbus unit is asked, other meters tell their address alone on their bus."""
    from shutan_gateway.serial import technician  # noqa: PLC0415 - asyncio and the line, for this command only

    found: list[Found] = []
    asked = [one.value for one in protocol] if protocol else list(technician.PROTOCOLS)
    if host is not None and not raw:
        asked = ["modbus"]
    notes: list[str] = []
    for name in asked:
        wildcard = {"dlt645": "A" * 12, "dlt645_1997": "A" * 12, "cjt188": "A" * 14}.get(name, "1")
        bus = _bus(
            _end(port=port, host=host, tcp_port=tcp_port, raw=raw, baud=baud, line=line),
            technician.PROTOCOLS[name],
            {"address": wildcard},
        )
        try:
            technician.scan(bus, name, range(1, last + 1), found.append, several=several)
        except MeterError as error:
            hint = "; --several searches them" if name.startswith("dlt645") else ""
            notes.append(f"{name}: {error}; are there several meters on the bus?{hint}")
    if as_json:
        typer.echo(
            json.dumps({"found": [one._asdict() for one in found], "notes": notes}, ensure_ascii=False, indent=2)
        )
    else:
        table = Table("protocol", "address", "note")
        for one in found:
            table.add_row(*one)
        Console().print(table)
        for note in notes:
            typer.echo(note, err=True)
    if not found:
        raise typer.Exit(1)


@app.command("set-time")
def set_time(
    *,
    port: _PORT = None,
    host: _HOST = None,
    tcp_port: _TCP = 502,
    baud: _BAUD = None,
    line: _FORMAT = None,
    utc_offset_h: Annotated[float, typer.Option(min=-12, max=14, help="Of the meters' clocks.")] = 8,
) -> None:
    """Broadcast this machine's time to the DL/T 645 meters of a bus (广播校时), which follow by up to 5 min."""
    from shutan_gateway.serial import technician  # noqa: PLC0415 - asyncio and the line, for this command only

    end = _end(port=port, host=host, tcp_port=tcp_port, raw=True, baud=baud, line=line)
    bus = _bus(end, technician.PROTOCOLS["dlt645"], {"address": "A" * 12})
    now = datetime.now(timezone(timedelta(hours=utc_offset_h)))
    try:
        technician.set_time(bus, now)
    except MeterError as error:
        raise TellPerson(str(error)) from None
    typer.echo(
        f"sent {now:%Y-%m-%d %H:%M:%S}; nobody answers a broadcast: read a meter's clock to see whether it followed"
    )


@app.command()
def backfill(
    *,
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration (TOML).")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, by the meters' clocks.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")],
    meter: Annotated[list[str] | None, typer.Option(help="Only this meter (id); may be repeated.")] = None,
) -> None:
    """Have the gateway fill lost days from the daily freezes of its DL/T 645 meters."""
    from shutan_gateway.config import load_config  # noqa: PLC0415 - heavy, for this command only
    from shutan_gateway.serial.backfill import Request, leave_request  # noqa: PLC0415 - as above

    loaded = load_config(config)
    known = {one.id: f"{bus.site}/{bus.node}/{one.id}" for bus in loaded.serial for one in bus.meter}
    unknown = [name for name in meter or () if name not in known]
    if not known or unknown:
        raise TellPerson(f"{config}: no wired meter {', '.join(unknown)}; there are: {', '.join(known) or 'none'}")
    if last < first:
        raise typer.BadParameter("--to lies before --from")
    zone = timezone(timedelta(hours=loaded.serial[0].utc_offset_h))
    begin, end = (int(day.replace(tzinfo=zone).timestamp() * 1000) for day in (first, last + timedelta(days=1)))
    try:
        leave_request(loaded.gateway.data_dir, Request(begin, end, tuple(known[name] for name in meter or ())))
    except OSError as error:
        raise TellPerson(f"{loaded.gateway.data_dir}: {error.strerror}; run it as the gateway's user or root") from None
    typer.echo(f"{loaded.gateway.data_dir}: asked for; a running gateway begins within 5 s, else at its next start")
