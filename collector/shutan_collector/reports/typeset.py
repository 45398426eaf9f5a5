"""Setting a document with typst: everything it reads is handed over in memory, so that nothing else can get in.

The same data, templates, plots and font give the same bytes: the creation date comes from the report, not the clock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shutan_collector.reports.fonts import Typeface

__all__ = ["Manuscript", "to_pdf", "to_png"]

_PACKAGE: Final = "shutan_collector.reports"
_LAYOUT: Final = "report.typ"
_PNG_PPI: Final = 110


@dataclass(frozen=True, slots=True)
class Manuscript:
    """What a document is set from.

    name    of the report's folder, which holds its template `report.typ`
    data    plain JSON values for the template
    plots   SVG texts by file name
    dated   creation date of the file
    """

    name: str
    data: Mapping[str, object]
    dated: date
    plots: Mapping[str, str] = field(default_factory=dict[str, str])


def to_pdf(manuscript: Manuscript, typeface: Typeface) -> bytes:
    """The document as PDF."""
    return _compile(manuscript, typeface, "pdf")[0]


def to_png(manuscript: Manuscript, typeface: Typeface) -> list[bytes]:
    """One PNG a page, for people and tests that look at it."""
    return _compile(manuscript, typeface, "png")


def _compile(manuscript: Manuscript, typeface: Typeface, form: str) -> list[bytes]:
    """The output, a file or one a page. A warning of typst is a defect of a template: it is raised, not ignored."""
    import typst  # noqa: PLC0415 a heavy library, needed only where a document is set

    folder = resources.files(_PACKAGE)
    data = {**manuscript.data, "typeface": typeface.family, "mono": typeface.mono}
    files: dict[str, bytes] = {
        "main.typ": (folder / manuscript.name / "report.typ").read_bytes(),
        _LAYOUT.replace("report", "layout"): (folder / "layout" / _LAYOUT).read_bytes(),
        "data.json": json.dumps(data, ensure_ascii=False).encode(),
        **{name: svg.encode() for name, svg in manuscript.plots.items()},
    }
    stamp = int(datetime.combine(manuscript.dated, time(), UTC).timestamp())
    output, warnings = typst.compile_with_warnings(  # pyright: ignore[reportUnknownMemberType, reportCallIssue, reportUnknownVariableType] the stub knows neither a dict of files nor a format of type str
        files, font_paths=typeface.fonts, format=form, ppi=_PNG_PPI, timestamp=stamp,  # pyright: ignore[reportArgumentType] see above
    )  # fmt: skip
    if warnings:
        message = "; ".join(str(warning) for warning in warnings)
        raise RuntimeError(message)
    return output if isinstance(output, list) else [output]
