"""Reading site.toml: TOML, then types (pydantic), then sense (site.checks); all mistakes come out together."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from shutan_collector.errors import Problem, SiteError
from shutan_collector.periods import Shift, to_ns
from shutan_collector.site.checks import check_meters
from shutan_collector.site.derived import check_shifts, check_virtuals
from shutan_collector.site.model import Installation, Meter, PrimaryElectricity, Site, VirtualMeter
from shutan_collector.site.scalars import is_tables, plain_problems
from shutan_collector.site.tables import MeterTable, ShiftTable, SiteTable, VirtualTable
from shutan_collector.site.tariff_file import tariff_from
from shutan_collector.units import GasReference
from shutan_wire.catalogue import by_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shutan_collector.site.scalars import Table
    from shutan_collector.site.tables import InstallationTable
    from shutan_collector.site.tariff import Tariff

__all__ = ["load_site", "parse_site", "tariff_path"]

_SPAN_KEY = re.compile(r"rollover(?:_([a-z0-9]+))?")
_DEFAULT_METRIC = "active_energy_import_wh"
_DEFAULT_EXPORT_METRIC = "active_energy_export_wh"
_SHARED = ("node", "device", "serial", "ct", "pt", "rollover", "max_per_hour")  # keys of a meter's only instrument
_T = TypeVar("_T", bound="Table")
_TOP = ("site", "meter", "shift", "virtual", "tariff")


def load_site(path: Path) -> Site:
    """The site model in a file, with the tariff file that it names beside it.

    Raises SiteError with every mistake, also when a file cannot be read.
    """
    text = _read(path, str(path), "file")
    beside = tariff_path(text, path)
    tariff_text = None if beside is None else _read(beside, str(path), "site.tariff")
    return parse_site(text, str(path), tariff_text)


def tariff_path(text: str, path: Path) -> Path | None:
    """The tariff file that a site file names; None if it names none (or cannot be read: parse_site tells why)."""
    try:
        tables = [tomllib.loads(text).get("site")]
    except tomllib.TOMLDecodeError:
        return None
    name = tables[0].get("tariff") if is_tables(tables) else None
    return path.parent / name if isinstance(name, str) and name else None


def parse_site(text: str, where: str, tariff_text: str | None = None) -> Site:
    """The site model in a TOML text; `where` names it in errors.

    tariff_text   what the file named by `tariff` holds; needed where the site names one. Raises SiteError.
    """
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise SiteError(where, (Problem("TOML", str(error)),)) from error
    problems = [Problem(key, f"unknown key; accepted: {', '.join(_TOP)}") for key in raw if key not in _TOP]
    site_table = _table(SiteTable, raw.get("site", {}), "site", problems)
    zone = site_table.timezone if site_table else ZoneInfo("Asia/Shanghai")
    meters = _meters(raw.get("meter"), zone, problems)
    virtuals = [
        (key, VirtualMeter(table.id, table.name or table.id, table.name_zh, tuple(table.terms.items())))
        for key, table in _rows(VirtualTable, raw, "virtual", problems)
    ]
    problems += check_virtuals(virtuals, [meter for _, meter in meters], _ids(raw.get("meter")))
    shifts = [
        (key, Shift(table.name, table.start, table.end)) for key, table in _rows(ShiftTable, raw, "shift", problems)
    ]
    problems += check_shifts(shifts)
    tariff = _tariff(site_table, raw, tariff_text, problems)
    if problems or site_table is None:
        raise SiteError(where, tuple(problems))
    primary = site_table.electricity_primary_kgce_per_kwh
    return Site(
        id=site_table.id,
        name=site_table.name or site_table.id,
        name_zh=site_table.name_zh,
        zone=site_table.timezone,
        region=site_table.region,
        tolerance_s=site_table.tolerance_s,
        fuel_family=site_table.fuel_family,
        meters=tuple(meter for _, meter in meters),
        sector=site_table.sector,
        gwp=site_table.gwp,
        organisation=site_table.organisation,
        credit_code=site_table.credit_code,
        balance_limit_pct=site_table.balance_limit_pct,
        shifts=tuple(sorted((shift for _, shift in shifts), key=lambda shift: shift.start)),
        virtuals=tuple(virtual for _, virtual in virtuals),
        tariff=tariff,
        electricity_primary_kgce_per_kwh=PrimaryElectricity(primary.value, primary.source) if primary else None,
        coal_rows=tuple(site_table.coal_rows.items()),
    )


def _read(path: Path, where: str, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        remedy = "no such site file; give --site FILE" if key == "file" else f"no such file: {path}"
        raise SiteError(where, (Problem(key, remedy),)) from None
    except OSError as error:
        raise SiteError(where, (Problem(key, f"cannot be read: {error.strerror}"),)) from error
    except UnicodeDecodeError as error:
        raise SiteError(where, (Problem(key, "is not text in UTF-8"),)) from error


def _table(model: type[_T], value: object, key: str, problems: list[Problem]) -> _T | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems.extend(plain_problems(key, error))
        return None


def _rows(model: type[_T], raw: Mapping[str, Any], name: str, problems: list[Problem]) -> list[tuple[str, _T]]:
    """The tables of an array that can be read, each with its key in the file."""
    entries = raw.get(name, [])
    if not is_tables(entries):
        problems.append(Problem(name, f"is an array of tables: write [[{name}]]"))
        return []
    rows: list[tuple[str, _T]] = []
    for number, entry in enumerate(entries, start=1):
        key = _key(name, number, entry)
        if (table := _table(model, entry, key, problems)) is not None:
            rows.append((key, table))
    return rows


def _key(name: str, number: int, entry: Mapping[str, Any]) -> str:
    return f"{name}[{number}]" + (f" {entry['id']}" if isinstance(entry.get("id"), str) else "")


def _ids(entries: object) -> set[str]:
    return {str(entry.get("id", "")) for entry in entries} if is_tables(entries) else set()


def _tariff(
    table: SiteTable | None, raw: Mapping[str, Any], text: str | None, problems: list[Problem]
) -> Tariff | None:
    """The tariff, inline or from the named file's text."""
    name = table.tariff if table else None
    if name is None:
        return tariff_from(raw["tariff"], "tariff", problems) if "tariff" in raw else None
    if "tariff" in raw:
        problems.append(Problem("tariff", f"stands here and in {name}; keep one of them"))
        return None
    if text is None:
        problems.append(Problem("site.tariff", f"{name} is not at hand; load the site from its folder"))
        return None
    try:
        return tariff_from(tomllib.loads(text, parse_float=Decimal), name, problems)
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem(name, f"TOML: {error}"))
        return None


def _meters(entries: object, zone: ZoneInfo, problems: list[Problem]) -> list[tuple[str, Meter]]:
    """The meters that can be read, each with its key in the file, and all that is wrong among them."""
    if not is_tables(entries) or not entries:
        problems.append(Problem("meter", "at least one [[meter]] table is needed"))
        entries = []
    meters: list[tuple[str, Meter]] = []
    for number, entry in enumerate(entries, start=1):
        key = _key("meter", number, entry)
        if (table := _meter_table(entry, key, problems)) is not None:
            meters.append((key, _meter(table, zone)))
    problems.extend(check_meters(meters, _ids(entries)))
    return meters


def _meter_table(entry: Mapping[str, Any], key: str, problems: list[Problem]) -> MeterTable | None:
    """One [[meter]]; a meter without [[meter.installation]] carries its only instrument's keys itself."""
    default = _DEFAULT_EXPORT_METRIC if entry.get("role") == "export" else _DEFAULT_METRIC
    metric = str(entry.get("metric", default))
    step = metric.rsplit("_", 1)[-1] if by_name(metric) else None  # an unknown metric is a mistake of its own
    table = {"metric": default} | _plain_rollover(entry, key, step, problems)
    shared = {name: table.pop(name) for name in _SHARED if name in table}
    only_one = "installation" not in table
    if only_one:
        table["installation"] = [shared]
    elif shared:
        problems.append(Problem(key, f"{', '.join(shared)}: belongs into [[meter.installation]] where there is one"))
    if is_tables(items := table["installation"]):
        table["installation"] = [_plain_rollover(item, key, step, problems) for item in items]
    try:
        return MeterTable.model_validate(table)
    except ValidationError as error:
        problems.extend(plain_problems(key, error, only_one=only_one))
        return None


def _plain_rollover(table: Mapping[str, Any], key: str, step: str | None, problems: list[Problem]) -> dict[str, Any]:
    """A copy in which rollover_wh, rollover_l ... is `rollover`; the suffix must be the metric's own step."""
    plain: dict[str, Any] = {}
    for name, value in table.items():
        found = _SPAN_KEY.fullmatch(name)
        if found and step and found[1] not in {None, step}:
            problems.append(Problem(f"{key}.{name}", f"the metric counts in {step}: write rollover_{step}"))
        plain["rollover" if found else name] = value
    return plain


def _meter(table: MeterTable, zone: ZoneInfo) -> Meter:
    gas = table.gas_reference
    return Meter(
        id=table.id,
        name=table.name or table.id,
        name_zh=table.name_zh,
        carrier=table.carrier,
        role=table.role,
        level=table.level,
        parent=table.parent,
        metric=table.metric,
        asset=table.asset,
        area=table.area,
        line=table.line,
        interval_s=table.interval_s,
        gas_reference=GasReference(gas.temperature_c, gas.pressure_kpa) if gas else None,
        installations=tuple(_installation(item, zone) for item in table.installation),
        stuck_after_s=table.stuck_after_s,
        enthalpy_kj_per_kg=table.enthalpy_kj_per_kg,
        density_kg_per_l=table.density_kg_per_l,
        accuracy_class=table.accuracy_class,
        model=table.model,
        maker=table.maker,
        location=table.location,
        measuring_range=table.measuring_range,
        rated_kw=table.rated_kw,
        calibrated=table.calibrated,
        calibration_due=table.calibration_due,
        mandatory=table.mandatory,
    )


def _installation(table: InstallationTable, zone: ZoneInfo) -> Installation:
    return Installation(
        node=table.node,
        device=table.device,
        serial=table.serial,
        start_ns=_local_ns(table.start, zone),
        end_ns=_local_ns(table.end, zone),
        ct=table.ct,
        pt=table.pt,
        span=table.rollover,
        max_per_hour=table.max_per_hour,
        start_register=table.start_register,
        end_register=table.end_register,
    )


def _local_ns(moment: datetime | date | None, zone: ZoneInfo) -> int | None:
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return to_ns(moment if moment.tzinfo else moment.replace(tzinfo=zone))
