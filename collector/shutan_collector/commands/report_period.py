"""`shutan report monthly|ghg|energy-form|zero-carbon|metering`: reports of a ledger's period as PDF, XLSX and JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutan_collector.commands.console import told, write_json
from shutan_collector.errors import CollectorError, RequestError, StoreUnavailableError

if TYPE_CHECKING:
    from fractions import Fraction

    from shutan_collector.accounting.summary import MonthSummary, YearSummary
    from shutan_collector.carbon.sectors import Method
    from shutan_collector.control.budget import Budget
    from shutan_collector.reports.registry import Arguments, Published

__all__ = ["add_period_reports"]

Ledger = Annotated[str, typer.Option("--ledger", metavar="URL", help="sqlite:PATH or postgresql://HOST/DATABASE.")]
Period = Annotated[str, typer.Option("--period", metavar="P", help="Month 2025-06 or year 2025.")]
Month = Annotated[str, typer.Option("--period", metavar="MONTH", help="Month, 2025-06.")]
Year = Annotated[str, typer.Option("--period", metavar="YEAR", help="Year, 2025.")]
Out = Annotated[
    list[Path] | None, typer.Option("--out", metavar="FILE", help="F.pdf, F.xlsx or F.json; may be given again.")
]
Site = Annotated[str, typer.Option("--site", metavar="FILE", help="Refuse a ledger of another site than this one.")]
Fonts = Annotated[Path | None, typer.Option("--fonts", metavar="DIR", help="Folder with a Chinese font, for PDF.")]
Key = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="Public key of the site, whose fingerprint is printed.")
]
BudgetFile = Annotated[
    Path | None, typer.Option("--budget", metavar="FILE", help="Carbon budget of the year, .toml or .csv.")
]
MethodName = Annotated[
    str, typer.Option("--method", metavar="NAME", help="Figure of electricity: location, market or reporting.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def add_period_reports(app: typer.Typer) -> None:
    """Add the subcommands to `shutan report`."""
    app.command("monthly")(monthly)
    app.command("ghg")(ghg)
    app.command("energy-form")(energy_form)
    app.command("zero-carbon")(zero_carbon)
    app.command("metering")(metering)


def monthly(
    *,
    ledger: Ledger,
    period: Month,
    compare: Annotated[
        str, typer.Option("--compare", metavar="MONTH", help="Month of comparison; default the one before, if closed.")
    ] = "",
    budget: BudgetFile = None,
    method: MethodName = "",
    out: Out = None,
    site: Site = "",
    key: Key = None,
    fonts: Fonts = None,
    as_json: Json = False,
) -> None:
    """Monthly energy and carbon (月度能源与碳排放报告)."""
    with told("shutan report monthly"):
        from shutan_collector.reports.registry import Arguments  # noqa: PLC0415 - loads the collector

        source = _Source(ledger, site, key)
        arguments = Arguments(source.load(period), method=_method(method))
        before = _before(source, arguments.month.period, compare)
        if budget is not None:
            arguments = replace(
                arguments, budget=_budget(budget, period), year_so_far=_year_so_far(source, arguments.month)
            )
        _publish("monthly", replace(arguments, before=before), out, fonts, as_json=as_json)


def ghg(
    *,
    ledger: Ledger,
    period: Year,
    method: MethodName = "",
    budget: BudgetFile = None,
    out: Out = None,
    site: Site = "",
    key: Key = None,
    fonts: Fonts = None,
    as_json: Json = False,
) -> None:
    """Annual greenhouse gases in the sector form (年度温室气体排放报告)."""
    with told("shutan report ghg"):
        from shutan_collector.reports.registry import Arguments  # noqa: PLC0415 - loads the collector

        summary = _Source(ledger, site, key).load(period)
        limit = None if budget is None else _budget(budget, period)
        _publish("ghg", Arguments(summary, method=_method(method), budget=limit), out, fonts, as_json=as_json)


def energy_form(
    *,
    ledger: Ledger,
    period: Period,
    out: Out = None,
    site: Site = "",
    key: Key = None,
    fonts: Fonts = None,
    as_json: Json = False,
) -> None:
    """Energy purchased, consumed and in stock (能源购进、消费与库存表)."""
    with told("shutan report energy-form"):
        from shutan_collector.reports.registry import Arguments  # noqa: PLC0415 - loads the collector

        _publish("energy-form", Arguments(_Source(ledger, site, key).load(period)), out, fonts, as_json=as_json)


def zero_carbon(
    *,
    ledger: Ledger,
    period: Period,
    efficient_kw: Annotated[
        str, typer.Option("--efficient-kw", metavar="KW", help="Rated power of energy-saving equipment.")
    ] = "",
    installed_kw: Annotated[str, typer.Option("--installed-kw", metavar="KW", help="Rated power of all.")] = "",
    footprint: Annotated[
        list[str] | None, typer.Option("--footprint", metavar="PRODUCT", help="Product with a published footprint.")
    ] = None,
    functions: Annotated[
        int | None, typer.Option("--functions", min=0, max=13, help="Functions of the Guide that are fulfilled.")
    ] = None,
    out: Out = None,
    site: Site = "",
    key: Key = None,
    fonts: Fonts = None,
    as_json: Json = False,
) -> None:
    """Indicators of a zero-carbon factory (零碳工厂指标表)."""
    with told("shutan report zero-carbon"):
        from shutan_collector.reports.registry import Arguments  # noqa: PLC0415 - loads the collector
        from shutan_collector.reports.zero_carbon_factory.build import Evidence  # noqa: PLC0415 - see above

        stated = Evidence(
            efficient_kw=_number("--efficient-kw", efficient_kw) if efficient_kw else None,
            installed_kw=_number("--installed-kw", installed_kw) if installed_kw else None,
            footprints=None if footprint is None else frozenset(footprint),
            functions=functions,
        )
        arguments = Arguments(_Source(ledger, site, key).load(period), evidence=stated)
        _publish("zero-carbon", arguments, out, fonts, as_json=as_json)


def metering(
    *,
    ledger: Ledger,
    period: Period,
    out: Out = None,
    site: Site = "",
    key: Key = None,
    fonts: Fonts = None,
    as_json: Json = False,
) -> None:
    """Energy metering equipment after GB 17167 (能源计量器具一览表)."""
    with told("shutan report metering"):
        from shutan_collector.reports.registry import Arguments  # noqa: PLC0415 - loads the collector

        _publish("metering", Arguments(_Source(ledger, site, key).load(period)), out, fonts, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Source:
    """A ledger, the site it has to be of ("" = any), and the key that its evidence is signed with."""

    ledger: str
    site: str
    key: Path | None

    def load(self, period: str) -> MonthSummary | YearSummary:
        """A closed period."""
        from shutan_collector.ledger import summaries  # noqa: PLC0415 - loads the collector and the database

        summary = summaries.load_summary(self.ledger, period, _fingerprint(self.key))
        if self.site:
            from shutan_collector.site.file import load_site  # noqa: PLC0415 - only where it is asked for

            named = load_site(Path(self.site)).id
            if named != summary.site.id:
                raise RequestError("--site", f"{self.site} is of {named!r}, the ledger is of {summary.site.id!r}")
        return summary


def _method(name: str) -> Method | None:
    from shutan_collector.carbon.sectors import Method  # noqa: PLC0415 - loads the collector

    if name and name not in tuple(Method):
        raise RequestError("--method", f"{name!r} is not one of {', '.join(Method)}")
    return Method(name) if name else None


def _budget(path: Path, period: str) -> Budget:
    from shutan_collector.control.budget import load_budget  # noqa: PLC0415 - loads the collector

    return load_budget(path, int(period[:4]))


def _year_so_far(source: _Source, month: MonthSummary) -> tuple[MonthSummary, ...]:
    """January to the month; every one has to be closed, since a budget knows no holes."""
    from shutan_collector.reports.registry import Arguments  # noqa: PLC0415 - loads the collector

    year, number = month.period[:4], int(month.period[5:])
    earlier = (Arguments(source.load(f"{year}-{at:02}")).month for at in range(1, number))
    return (*earlier, month)


def _fingerprint(key: Path | None) -> str:
    if key is None:
        return ""
    from shutan_collector.evidence.keys import read_fingerprint  # noqa: PLC0415 - loads cryptography

    return read_fingerprint(key)


def _before(source: _Source, period: str, compare: str) -> MonthSummary | None:
    """Month of comparison: the one asked for has to be there, the month before only if it is."""
    from shutan_collector.accounting.summary import MonthSummary  # noqa: PLC0415 - loads the collector

    if compare:
        found = source.load(compare)
        if not isinstance(found, MonthSummary):
            raise RequestError("--compare", f"{compare!r} is a year; give a month such as 2025-05")
        return found
    year, _, month = period.partition("-")
    last = f"{int(year) - 1}-12" if month == "01" else f"{year}-{int(month) - 1:02}"
    try:
        found = source.load(last)
    except StoreUnavailableError:
        raise
    except CollectorError:
        return None  # the first month of a ledger has none before it
    return found if isinstance(found, MonthSummary) else None


def _number(option: str, text: str) -> Fraction:
    from fractions import Fraction  # noqa: PLC0415 - only where a number is given

    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise RequestError(option, f"{text!r} is not a number") from None
    if value < 0:
        raise RequestError(option, f"{text!r} is below zero")
    return value


def _publish(name: str, arguments: Arguments, out: list[Path] | None, fonts: Path | None, *, as_json: bool) -> None:
    """Write every file asked for; all names are checked before the first is written."""
    from shutan_collector.reports.registry import find_report  # noqa: PLC0415 - loads the collector

    files = out or []
    for path in files:
        if path.suffix.lower() not in {".pdf", ".xlsx", ".json"}:
            raise RequestError("--out", f"{path}: the name ends in .pdf, .xlsx or .json")
    if not files and not as_json:
        raise RequestError("--out", "give --out FILE (.pdf, .xlsx, .json), or --json for the terminal")
    published = find_report(name).publish(arguments)
    contents = [(path, _content(published, path.suffix.lower(), fonts)) for path in files]
    for path, content in contents:
        _write(path, content)
        typer.echo(f"{path}: {len(content)} bytes", err=True)
    if as_json:
        write_json(published.to_document())


def _content(published: Published, suffix: str, fonts: Path | None) -> bytes:
    if suffix == ".pdf":
        from shutan_collector.reports.fonts import find_typeface  # noqa: PLC0415 - loads typst

        return published.to_pdf(find_typeface(fonts))
    if suffix == ".xlsx":
        return published.to_xlsx()
    from shutan_collector.reports.document import json_text  # noqa: PLC0415 - only for JSON

    return json_text(published.to_document()).encode()


def _write(path: Path, content: bytes) -> None:
    """The whole file or none of it."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise RequestError("--out", f"{path} cannot be written: {error.strerror}") from error
