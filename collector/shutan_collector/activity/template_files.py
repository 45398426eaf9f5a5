"""Writing template files and the documentation's table, from the same declaration that files are read by."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final, cast

from shutan_collector.activity.book import NOTES_SHEET
from shutan_collector.activity.columns import Column, Template, Type
from shutan_collector.activity.templates import TEMPLATES
from shutan_collector.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

__all__ = ["accepted_of", "documentation", "notes", "template_csv", "write_template"]

_ACCEPTED: Final = {
    Type.KEY: "text, unique within the kind",
    Type.TEXT: "text",
    Type.NUMBER: "number",
    Type.SHARE: "number from 0 to 1, or 93 %",
    Type.DAY: "2025-06-01, 2025/6/1 or 2025年6月1日",
    Type.MOMENT: "2025-06-01 08:00, local",
    Type.MONTH: "2025-06",
    Type.PERIOD: "2025-06 or 2025",
    Type.YEAR: "2025",
    Type.FLAG: "yes or no (是, 否)",
    Type.FUEL: "a fuel of the factor table, id or Chinese name",
    Type.GAS: "a gas of the factor table, id or Chinese name",
    Type.MATERIAL: "a process material of the factor table, id or Chinese name",
    Type.METER: "id of a meter in site.toml",
}


def accepted_of(column: Column) -> str:
    """What a column accepts, in one line."""
    if column.choices:
        text = "; ".join(" ".join((choice.value, *choice.aliases)) for choice in column.choices)
    else:
        text = _ACCEPTED[column.type]
    if column.units:
        text += f" in {column.units.accepted}"
    if column.type is Type.NUMBER and (column.low or column.high is not None):
        text += f", {'' if column.low is None else f'from {column.low} '}"
        text += f"to {column.high}" if column.high is not None else "up"
    if column.type is Type.NUMBER and column.low is None:
        text += ", also below zero"
    return text.rstrip()


def notes(template: Template) -> Iterator[tuple[str, str, str, str, str]]:
    """Heading and one row per column: name, Chinese name, needed, accepted, note."""
    yield ("column", "列", "needed 必填", "accepted 可填", "note 说明")
    for column in template.columns:
        yield (column.name, column.zh, "yes 是" if column.required else "", accepted_of(column), column.note)


def template_csv(template: Template) -> bytes:
    """Headings and the example as CSV, UTF-8 with a byte-order mark so that a spreadsheet shows Chinese."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([column.heading for column in template.columns])
    writer.writerow([column.example for column in template.columns])
    return text.getvalue().encode("utf-8-sig")


def write_template(template: Template, path: Path) -> None:
    """Write the template as .xlsx (with a sheet of notes) or .csv; the example's row is to be deleted.

    Raises RequestError for another suffix, or a file that exists or cannot be written.
    """
    if path.suffix.lower() not in {".xlsx", ".csv"}:
        raise RequestError("--out", f"{path.name!r} is neither .xlsx nor .csv")
    if path.exists():
        raise RequestError("--out", f"{path} exists; choose another name")
    try:
        if path.suffix.lower() == ".csv":
            path.write_bytes(template_csv(template))
        else:
            _write_xlsx(template, path)
    except OSError as error:
        raise RequestError("--out", f"{path} cannot be written: {error.strerror or error}") from error


def _write_xlsx(template: Template, path: Path) -> None:
    import xlsxwriter  # noqa: PLC0415 - heavy, and only needed here

    with xlsxwriter.Workbook(str(path)) as book:
        # xlsxwriter annotates only a part of its parameters.
        style = cast("Callable[[Mapping[str, object]], Format]", book.add_format)  # pyright: ignore[reportUnknownMemberType]
        add_sheet = cast("Callable[[str], Worksheet]", book.add_worksheet)  # pyright: ignore[reportUnknownMemberType]
        bold, text, wrapped = (style(look) for look in ({"bold": True}, {"num_format": "@"}, {"text_wrap": True}))
        sheet = add_sheet(template.kind)
        sheet.freeze_panes(1, 1)
        for at, column in enumerate(template.columns):
            # Cells of a key are text: a spreadsheet would shorten the digits of a long number.
            as_text = text if column.type in {Type.KEY, Type.TEXT} else None
            sheet.set_column(at, at, max(12, len(column.heading) + 4), as_text)
            sheet.write_string(0, at, column.heading, bold)
            if column.example:
                sheet.write_string(1, at, column.example, text)
        about = add_sheet(NOTES_SHEET)
        about.set_column(0, 4, 24, wrapped)
        about.set_column(3, 3, 80, wrapped)
        about.write_string(0, 0, f"{template.en} {template.zh}: {template.about}")
        about.write_string(1, 0, "Delete the example's row. 删除示例行。")
        for number, row in enumerate(notes(template), start=3):
            for at, cell in enumerate(row):
                about.write_string(number, at, cell, bold if number == 3 else wrapped)


def documentation() -> str:
    """Every template as Markdown, for docs/activities.md; a test compares the two."""
    parts: list[str] = []
    for template in TEMPLATES:
        parts += [f"### `{template.kind}` {template.en} {template.zh}", "", template.about, ""]
        parts += ["| column | 列 | needed | accepted |", "|---|---|---|---|"]
        for column in template.columns:
            note = f" ({column.note})" if column.note else ""
            parts.append(
                f"| `{column.name}` | {column.zh} | {'yes' if column.required else ''} | {accepted_of(column)}{note} |"
            )
        parts.append("")
    return "\n".join(parts)
