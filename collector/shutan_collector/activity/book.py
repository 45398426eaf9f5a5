"""Reading a folder of activity files into a book: all of it, or an error with every mistake and nothing read.

A file belongs to a kind by its name ("bill-2025.csv", "电费结算单.xlsx"), or each sheet of a workbook by its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.book_checks import check_rows
from shutan_collector.activity.columns import Context, Template
from shutan_collector.activity.kinds import ActivityBook, Row
from shutan_collector.activity.parse import Findings, parse_sheet
from shutan_collector.activity.sheets import SheetFile, read_file
from shutan_collector.activity.templates import TEMPLATES, kind_of_name
from shutan_collector.activity.vocabulary import Vocabulary
from shutan_collector.errors import ActivityError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Site

__all__ = ["NOTES_SHEET", "Imported", "SourceFile", "load_activities", "read_activities"]

NOTES_SHEET: Final = "notes 说明"
_OLD: Final = {".xls", ".et", ".ods", ".xlsb", ".xlsm", ".tsv"}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that was read: its name under the folder, sha256 of its bytes in hex, encoding, and how many rows."""

    name: str
    sha256: str
    encoding: str
    rows: int


@dataclass(frozen=True, slots=True)
class Imported:
    """A folder as it was read."""

    book: ActivityBook
    files: tuple[SourceFile, ...]

    def file_of(self, row: Row) -> SourceFile | None:
        """The file that a row stands in."""
        return next((file for file in self.files if row.place.startswith(f"{file.name}:")), None)


def load_activities(
    directory: Path, zone: ZoneInfo, site: Site | None = None, factors: FactorTable | None = None
) -> ActivityBook:
    """Every row of the activity files below a folder. See `read_activities`."""
    return read_activities(directory, zone, site, factors).book


def read_activities(
    directory: Path, zone: ZoneInfo, site: Site | None = None, factors: FactorTable | None = None
) -> Imported:
    """Every row of the .csv and .xlsx files below a folder, with the files; other files are left alone.

    zone      the site's calendar, which local times in cells are read by
    site      meters are checked against it; None: any meter id is accepted
    factors   fuels, gases and materials are checked against it; None: the packaged table
    Raises ActivityError with every mistake of every file; nothing is returned then.
    """
    if not directory.is_dir():
        wrong = "is a file; give the folder that holds it" if directory.exists() else "no such folder of activity files"
        raise ActivityError(str(directory), (Problem("folder", wrong),))
    context = Context(zone, Vocabulary.of(site, factors))
    findings = Findings()
    problems = findings.problems
    rows: list[tuple[Template, Row]] = []
    files: list[SourceFile] = []
    for path, name in _files(directory):
        if path.suffix.lower() in _OLD:
            problems.append(Problem(name, f"{path.suffix} files are not read; save it as .xlsx or .csv"))
            continue
        file = read_file(path, name)
        if isinstance(file, Problem):
            problems.append(file)
            continue
        before = len(rows)
        rows.extend(_rows_of(file, context, findings))
        files.append(SourceFile(name, file.sha256, file.encoding, len(rows) - before))
    problems.extend(check_rows(rows))
    if not files and not problems:  # a slip in the path would otherwise account a month without its documents
        problems.append(Problem("folder", "holds no .csv or .xlsx file; `shutan activity template` writes one"))
    if problems:
        raise ActivityError(str(directory), tuple(problems))
    return Imported(ActivityBook.of((row for _, row in rows), zone), tuple(files))


def _files(directory: Path) -> Iterator[tuple[Path, str]]:
    """Files to read or to refuse, in a stable order; a spreadsheet's lock files and hidden ones are left alone."""
    wanted = {".csv", ".xlsx", *_OLD}
    found = {path.relative_to(directory): path for path in directory.rglob("*") if path.suffix.lower() in wanted}
    for relative in sorted(found, key=lambda relative: relative.as_posix()):
        if found[relative].is_file() and not any(part.startswith((".", "~$")) for part in relative.parts):
            yield found[relative], relative.as_posix()


def _rows_of(file: SheetFile, context: Context, findings: Findings) -> Iterator[tuple[Template, Row]]:
    stem = file.name.rpartition("/")[2].rpartition(".")[0]
    by_name = kind_of_name(stem)
    sheets = [sheet for sheet in file.sheets if sheet.name != NOTES_SHEET]
    for sheet in sheets:
        template = (kind_of_name(sheet.name) if sheet.name else None) or by_name
        if template is not None and (sheet.rows or len(sheets) == 1):
            for row in parse_sheet(template, sheet, file.name, context, findings):
                yield template, row
        elif template is None and sheet.rows:
            kinds = ", ".join(template.kind for template in TEMPLATES)
            place = f"{file.name}:{sheet.name}" if sheet.name else file.name
            findings.problems.append(
                Problem(place, f"of which kind is it? Start the name of file or sheet with one of {kinds}")
            )
