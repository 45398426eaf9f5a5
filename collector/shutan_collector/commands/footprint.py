"""`shutan footprint`: the carbon footprint of one batch of a product, as JSON, data sheet and label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutan_collector.commands.console import told
from shutan_collector.commands.options import DEFAULT_RELEASE, AsOf, Release, Series

if TYPE_CHECKING:
    from datetime import date

    from shutan_collector.accounting.summary import LedgerMark
    from shutan_collector.footprint.result import Footprint

__all__ = ["app"]

_Site = Annotated[Path, typer.Option("--site", metavar="FILE", help="Site model, site.toml.")]

app = typer.Typer(help="Carbon footprint of a product's batch (产品碳足迹, GB/T 24067, ISO 14067).")


@app.command()
def footprint(
    *,
    site: _Site,
    activity: Annotated[Path, typer.Option("--activity", metavar="DIR", help="Folder of activity files (CSV, XLSX).")],
    series: Series,
    product: Annotated[str, typer.Option("--product", metavar="P", help="Product, as in the production rows.")],
    batch: Annotated[str, typer.Option("--batch", metavar="B", help="Batch of the product.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write footprint.json, .pdf and label.svg here.")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Footprint plan; default footprint.toml beside --site."),
    ] = None,
    release: Release = DEFAULT_RELEASE,
    as_of: AsOf = "",
    ledger: Annotated[
        str, typer.Option("--ledger", metavar="URL", help="Print this ledger's chain head; needs --key.")
    ] = "",
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The site's key, whose fingerprint is printed.")
    ] = None,
    fonts: Annotated[Path | None, typer.Option("--fonts", metavar="DIR", help="Folder with a Chinese font.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the canonical JSON document.")] = False,
) -> None:
    """Compute from registers, batches and stated keys; nothing is kept but the files in --out."""
    with told("shutan footprint"):
        from shutan_collector.footprint.document import to_bytes  # noqa: PLC0415 - loads the collector

        found = _compute(
            (site, activity, series, plan or site.parent / "footprint.toml"), (product, batch), release, as_of
        )
        data, sha256 = to_bytes(found)
        if out is not None:
            _write(out, _files(found, data, sha256, _mark(ledger, key), fonts))
        if as_json:
            typer.echo(data.decode(), nl=False)
        else:
            _show(found, sha256)


def _compute(places: tuple[Path, Path, str, Path], wanted: tuple[str, str], release: str, as_of: str) -> Footprint:
    from shutan_collector.activity.book import load_activities  # noqa: PLC0415 - loads the collector
    from shutan_collector.factors.release import load_release  # noqa: PLC0415 - see above
    from shutan_collector.footprint.build import build_footprint  # noqa: PLC0415 - see above
    from shutan_collector.footprint.inventory import Basis, window_of  # noqa: PLC0415 - see above
    from shutan_collector.footprint.plan_file import load_plan  # noqa: PLC0415 - see above
    from shutan_collector.series import open_reader  # noqa: PLC0415 - see above
    from shutan_collector.site.file import load_site  # noqa: PLC0415 - see above

    site_file, activity, series, plan_file = places
    site = load_site(site_file)
    plan = load_plan(plan_file, site)
    factors = load_release(release)
    book = load_activities(activity, site.zone, site, factors.table)
    _, last = window_of(book, *wanted, plan.window, site)
    day = _as_of(as_of, last)
    with open_reader(series, "--series") as reader:
        basis = Basis(site, plan, book, reader, factors.table, day)
        return build_footprint(basis, *wanted, (factors.name, factors.sha256))


def _as_of(text: str, last: date) -> date:
    """The report date: as given, else today, but never before the window's last day."""
    from datetime import UTC, datetime  # noqa: PLC0415 - only here

    from shutan_collector.accounting.inputs import parse_day  # noqa: PLC0415 - loads the collector

    return parse_day(text, "--as-of") if text else max(datetime.now(UTC).date(), last)


def _mark(ledger: str, key: Path | None) -> LedgerMark | None:
    from shutan_collector.errors import RequestError  # noqa: PLC0415 - only for a mistake

    if not ledger and key is None:
        return None
    if not ledger or key is None:
        raise RequestError("--ledger, --key", "a label shows chain head and key together; give both")
    from shutan_collector.accounting.summary import LedgerMark  # noqa: PLC0415 - loads the collector
    from shutan_collector.evidence.keys import load_key  # noqa: PLC0415 - loads cryptography
    from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - loads the database

    with open_ledger(ledger) as opened:
        head = opened.head()
    return LedgerMark(head.seq, head.hash, load_key(key).fingerprint)


def _files(found: Footprint, data: bytes, sha256: str, mark: LedgerMark | None, fonts: Path | None) -> dict[str, bytes]:
    """All files before any is written: a missing font leaves nothing behind."""
    from shutan_collector.footprint.label import label_svg  # noqa: PLC0415 - see above
    from shutan_collector.reports.fonts import find_typeface  # noqa: PLC0415 - see above
    from shutan_collector.reports.footprint.sheet import sheet_pdf  # noqa: PLC0415 - see above

    return {
        "footprint.json": data,
        "footprint.pdf": sheet_pdf(found, sha256, find_typeface(fonts), mark),
        "label.svg": label_svg(found, sha256, mark).encode(),
    }


def _write(folder: Path, files: dict[str, bytes]) -> None:
    from shutan_collector.errors import RequestError  # noqa: PLC0415 - only for a mistake

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            fresh = folder / f"{name}.new"
            fresh.write_bytes(content)
            fresh.replace(folder / name)
    except OSError as error:
        raise RequestError("--out", f"{folder} cannot be written: {error.strerror}") from None


def _show(found: Footprint, sha256: str) -> None:
    from shutan_collector.footprint.label import shown  # noqa: PLC0415 - see above

    product = found.product
    typer.echo(f"{product.name_zh or product.name} {found.batch.batch}: {shown(found.footprint_kg)} kg CO2e")
    typer.echo(f"per {product.declared_unit}; batch {shown(found.fossil_kg)} kg CO2e, {shown(found.good)} good")
    for part in found.components:
        share = part.kg * 100 / found.fossil_kg if found.fossil_kg and not part.biogenic else None
        text = "biogenic" if share is None else f"{shown(share)} %"
        typer.echo(f"  {part.id:44} {shown(part.kg):>16} kg  {text:>10}  {part.rule}")
    for note in found.notes:
        typer.echo(f"- {note.en}")
    typer.echo(f"document sha256 {sha256}")
