"""`shutan trace`: one kilogram of a closed month, down to registers or documents, factor rows and formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from shutan_collector.commands.console import told, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shutan_collector.web.line_models import LineList, Trace

__all__ = ["app", "lines_of_trace"]

app = typer.Typer(help="Open a figure of a closed month down to its registers.")


@app.command()
def trace(
    *,
    ledger: Annotated[str, typer.Option("--ledger", metavar="URL", help="sqlite:PATH or postgresql://...")],
    period: Annotated[str, typer.Option("--period", metavar="MONTH", help="A closed month, 2025-06.")],
    line: Annotated[
        str, typer.Option("--line", metavar="ID", help="Id of a line; without it the lines are listed.")
    ] = "",
    source: Annotated[
        str, typer.Option("--source", metavar="SOURCE", help="List only these, for example meter:m-entry.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many lines to list.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Line → flow → registers of instruments, or document rows; factor rows with their source; the formula's text."""
    with told("shutan trace"):
        from shutan_collector.errors import RequestError  # noqa: PLC0415 - loads the collector
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - loads the database
        from shutan_collector.web import traces  # noqa: PLC0415 - loads the models
        from shutan_collector.web.problems import ProblemError  # noqa: PLC0415 - see above
        from shutan_collector.web.snapshot import Caches, Snapshot  # noqa: PLC0415 - see above

        with open_ledger(ledger) as opened:
            snapshot = Snapshot(opened, opened.head(), Caches())
            try:
                found = traces.trace(snapshot, period, line) if line else None
                listed = None if line else traces.line_list(snapshot, period, source or None, 0, limit)
            except ProblemError as error:
                raise RequestError(ledger, error.detail) from None
        if as_json:
            write_json((found or cast("LineList", listed)).model_dump(mode="json"))
        elif found is not None:
            typer.echo("\n".join(lines_of_trace(found)))
        elif listed is not None:
            for item in listed.lines:
                typer.echo(f"{item.id}  {item.start}  {item.co2e_g} g  {item.formula}")
            typer.echo(f"{len(listed.lines)} of {listed.total} lines 条")


def lines_of_trace(found: Trace) -> Iterator[str]:
    """A trace as text, from the gram down to the register."""
    line = found.line
    yield f"{line.co2e_g} g CO₂e  {line.scope}, {line.category}, {line.gas}"
    yield f"  line 台账行      {line.id} of {found.period} version {found.version}, ledger entry {found.entry}"
    yield f"  time 时段        {line.start} – {line.end}"
    yield f"  marks 标记       {', '.join(line.marks) or '–'}"
    yield f"  formula 公式     {found.formula.name}: {found.formula.text_en}"
    yield f"                   {found.formula.text_zh} ({found.formula.source})"
    for item in line.inputs:
        yield f"  input 输入       {item.name} = {item.value} {item.unit}"
    for use in found.factors:
        row = use.factor
        yield f"  factor 因子      {use.role} = {row.value} {row.unit}  {row.id}, {row.source} [{row.confidence}]"
    yield f"  exact 精确值     {found.exact_kg or '–'} kg, rounded once to {line.co2e_g} g"
    for row in found.activities:
        yield f"  document 单据    {row['kind']}/{row['key']}: {row['source']} ({row['place']})"
    flow = found.flow
    if flow is None:
        return
    yield f"  meter 计量点     {flow.meter} {flow.name} {flow.name_zh}: {flow.value} {flow.unit}"
    for number, reading in enumerate(flow.readings):
        counted = flow.steps[number - 1] if number else None
        step = f"  {counted.kind} +{counted.counted}" if counted else ""
        yield f"  register 表底    {reading.register_value} {flow.unit} at {reading.time}  {reading.source}{step}"
    for item in flow.instruments:
        plate = f"CT {item.get('ct')}, PT {item.get('pt')}, calibration due {item.get('calibration_due')}"
        yield f"  instrument 器具  {item['source']}, {plate}"
