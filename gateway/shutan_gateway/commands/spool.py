"""`shutan spool`: what waits for which store, records again to a store, dead letters again."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections import Counter as Tally
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from shutan_gateway.config import load_config
from shutan_gateway.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from shutan_gateway.config import GatewayConfig, StoreConfig
    from shutan_gateway.rows import RowReader
    from shutan_gateway.spool.view import Taken
    from shutan_gateway.stores.base import Store
    from shutan_gateway.upkeep.replay import Outcome
    from shutan_gateway.upkeep.spool_status import Status

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The gateway's durable queue: status, replay, dead letters.")
dead = typer.Typer(no_args_is_help=True, help="Rows that a store refused: list them, offer them again.")
app.add_typer(dead, name="dead")

Config = Annotated[Path, typer.Option("--config", "-c", help="Configuration (TOML).", show_default=False)]
StoreName = Annotated[str, typer.Option("--store", "-s", help="Name of the [[store]].", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def status(config: Config, *, as_json: Json = False) -> None:
    """Show what the spool holds and what waits for which store; works beside a running gateway."""
    from shutan_gateway.upkeep.spool_status import status_of  # noqa: PLC0415 - the help needs none of it

    settings = load_config(config)
    names = [store.name for store in settings.store]
    found = status_of(settings.gateway.data_dir, settings.spool.max_bytes, names)
    if as_json:
        typer.echo(json.dumps(found.tree()))
    else:
        _show(found)


@app.command()
def replay(
    config: Config,
    store: StoreName,
    *,
    since: Annotated[str, typer.Option("--from", help="From this time on (ISO 8601; without a zone: local time).")],
    until: Annotated[str, typer.Option("--to", help="Before this time; without it: until now.")] = "",
    sampled: Annotated[
        bool, typer.Option("--by-sample-time", help="By the time of the samples, not by when the gateway got them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the records of a time span to one store again; may run beside the gateway and be repeated."""
    from shutan_gateway.spool.view import end_of, records, segments  # noqa: PLC0415
    from shutan_gateway.upkeep.replay import Span, selected  # noqa: PLC0415 - the help needs none of it
    from shutan_gateway.upkeep.replay import replay as run  # noqa: PLC0415

    settings = load_config(config)
    span = Span(_ms("--from", since), _ms("--to", until) if until else time.time_ns() // 1_000_000, sampled)
    if span.low_ms >= span.high_ms:
        raise typer.BadParameter("--from: must be before --to")
    with _opened(settings, config, store) as (target, reader, delivered):
        found = segments(settings.gateway.data_dir / "spool")
        below = end_of(found) if delivered is None else delivered
        oldest = next((taken for one in found for taken in records(one)), None)
        if oldest is not None and oldest.record.received_ms > span.low_ms:
            typer.echo(f"shutan: the spool reaches back to {_time(oldest.record.received_ms)}", file=sys.stderr)
        chosen = selected(found, span, below)
        first = found[0].first_ordinal if found else 0
        outcome = _with_bar(lambda show: run(chosen, reader, target, span, show), store, first, below)
    facts = {
        "store": store,
        "records": outcome.records,
        "rows": outcome.rows,
        "refused_rows": dict(outcome.refused),
        "undecodable_records": outcome.undecodable,
    }
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        typer.echo(f"{store}: {outcome.rows} rows of {outcome.records} records written")
        for reason, count in sorted(outcome.refused.items()):
            typer.echo(f"  refused: {count} rows, {reason}")
        if outcome.undecodable:
            typer.echo(f"  {outcome.undecodable} records give no rows (their birth is not in the registry)")


@dead.command("list")
def list_dead(config: Config, store: StoreName, *, as_json: Json = False) -> None:
    """List what a store refused, by reason; --json prints every letter."""
    from shutan_gateway.upkeep.letters import files_of, letters_in  # noqa: PLC0415 - the help needs none of it

    settings = load_config(config)
    _store_of(settings, config, store)
    folder = settings.gateway.data_dir / "dead"
    letters = [letter for path in files_of(folder, store) for letter in letters_in(path)]
    if as_json:
        trees = [{"reason": x.reason, x.kind: x.body} for x in letters if not isinstance(x, bytes)]
        typer.echo(json.dumps({"store": store, "letters": trees}, ensure_ascii=False))
        return
    tally = Tally(
        ("not a letter", "") if isinstance(x, bytes) else (x.reason.partition(":")[0], x.kind) for x in letters
    )
    for (reason, kind), count in sorted(tally.items()):
        typer.echo(f"{count:8d} {kind or 'line':7s} {reason}")
    if not letters:
        typer.echo(f"{store}: no dead letters")


@dead.command("retry")
def retry_dead(config: Config, store: StoreName, *, as_json: Json = False) -> None:
    """Offer the dead letters of a store again, after what was wrong is mended; may run beside the gateway."""
    from shutan_gateway.upkeep.letters import retry  # noqa: PLC0415 - the help needs none of it

    settings = load_config(config)
    with _opened(settings, config, store) as (target, reader, _):
        done = retry(settings.gateway.data_dir / "dead", target, reader)
    if as_json:
        typer.echo(json.dumps({"store": store, **done._asdict()}))
        return
    kept = f", {done.strange} lines that are no letters are kept" if done.strange else ""
    typer.echo(f"{store}: {done.stored} letters stored, {done.refused} refused again{kept}")


def _store_of(settings: GatewayConfig, config: Path, name: str) -> StoreConfig:
    for store in settings.store:
        if store.name == name:
            return store
    names = ", ".join(store.name for store in settings.store) or "none"
    raise ConfigError([Problem(str(config), "store.name", f"no store {name!r}", f"one of: {names}")])


@contextlib.contextmanager
def _opened(settings: GatewayConfig, config: Path, name: str) -> Generator[tuple[Store, RowReader, int | None]]:
    """The store, a reader of records, and how many records the gateway has delivered to it (None: it is not known)."""
    from shutan_gateway.counters import Counters  # noqa: PLC0415 - the help needs none of it
    from shutan_gateway.registry.view import RegistryView  # noqa: PLC0415
    from shutan_gateway.rows import RowReader  # noqa: PLC0415
    from shutan_gateway.stores import open_store  # noqa: PLC0415

    wanted = _store_of(settings, config, name)
    with RegistryView(settings.gateway.data_dir / "registry.sqlite") as registry:
        progress = registry.progress().get(name)
        target = open_store(wanted, Counters())
        try:
            # The reader asks the registry for births and sessions only, which the view gives as well.
            yield target, RowReader(cast("Any", registry)), None if progress is None else progress.position.ordinal
        finally:
            target.close()


def _with_bar(run: Callable[[Callable[[Taken], None]], Outcome], name: str, first: int, below: int) -> Outcome:
    """Run a replay; a progress bar on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        return run(lambda _taken: None)
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=max(1, below - first))

        def show(taken: Taken) -> None:
            bar.update(task, completed=taken.ordinal - first)

        outcome = run(show)
        bar.update(task, completed=max(1, below - first))
        return outcome


def _show(found: Status) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415

    part = 100 * found.bytes / found.max_bytes
    typer.echo(f"spool    {found.folder}")
    typer.echo(f"files    {found.segments}, {found.bytes / 2**20:.1f} MiB, {part:.1f} % of max_bytes")
    typer.echo(f"records  {found.end - found.first} ({found.first} to {found.end})")
    if found.first_ms is not None and found.last_ms is not None:
        typer.echo(f"from     {_time(found.first_ms)} to {_time(found.last_ms)}")
    if found.thinned_values:
        typer.echo(f"thinned  {found.thinned_values} gauge values dropped for room (spool/thinned.jsonl)")
    table = Table("store", "delivered to", "pending", "oldest pending", "stored", "dead", box=None, pad_edge=False)
    for store in found.stores:
        oldest = "" if store.oldest_pending_ms is None else _time(store.oldest_pending_ms)
        name = store.name if store.configured else f"{store.name} (not configured)"
        numbers = [str(n) for n in (store.delivered_to, store.pending, store.stored, store.dead)]
        table.add_row(name, *numbers[:2], oldest, *numbers[2:])
    if found.stores:
        Console(soft_wrap=not sys.stdout.isatty()).print(table)


def _ms(option: str, text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{option}: a time such as 2026-11-23T08:00 expected, found {text!r}") from error


def _time(t_ms: int) -> str:
    return datetime.fromtimestamp(t_ms / 1000).astimezone().isoformat(timespec="seconds")
