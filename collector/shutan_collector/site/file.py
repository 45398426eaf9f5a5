"""Reading site.toml: TOML, then types (pydantic), then sense (site_checks); all mistakes come out together."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Literal, TypeGuard, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from shutan_collector.errors import Problem, SiteError
from shutan_collector.periods import to_ns
from shutan_collector.site.checks import check_meters
from shutan_collector.site.model import Carrier, Installation, Meter, Role, Site
from shutan_collector.units import GasReference
from shutan_wire.catalogue import by_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["load_site", "parse_site"]

_SPAN_KEY = re.compile(r"rollover(?:_([a-z0-9]+))?")
_DEFAULT_METRIC = "active_energy_import_wh"
_PLAIN_WORDS = {"missing": "is needed", "extra_forbidden": "unknown key"}
_SHARED = ("node", "device", "serial", "ct", "pt", "rollover", "max_per_hour")  # keys of a meter's only instrument


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        raise PydanticCustomError("zone", "must be the name of a time zone such as Asia/Shanghai") from None


def _exact(value: object) -> Fraction:
    """A TOML number without a detour over float (the file is read with Decimal for its floats)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, Decimal) and value.is_finite():
        return Fraction(value)
    raise PydanticCustomError("number", "must be a number")


def _ratio(value: object) -> Fraction:
    """A transformer ratio: 40, or primary and secondary as on the plate, [200, 5]."""
    parts = [_exact(part) for part in _items(value)] or [_exact(value), Fraction(1)]
    if len(parts) != 2 or min(parts) <= 0:
        raise PydanticCustomError("ratio", "must be a ratio such as 40 or [200, 5], above zero")
    return parts[0] / parts[1]


def _moment(value: object) -> datetime | date:
    """A TOML date or date-time, or the same as text."""
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise PydanticCustomError(
            "moment", "must be a date or date-time such as 2026-03-01 or 2026-03-01T09:30"
        ) from None


def _items(value: object) -> list[object]:
    """What a TOML array holds; nothing for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
_Name = Annotated[str, Field(min_length=1)]
_Exact = Annotated[Fraction, PlainValidator(_exact)]
_Ratio = Annotated[Fraction, PlainValidator(_ratio)]
_Moment = Annotated[datetime | date | None, PlainValidator(_moment)]
_Steps = Annotated[int, Field(ge=0)]
_PositiveSteps = Annotated[int, Field(gt=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _SiteTable(_Table):
    id: _Id
    name: str = ""
    name_zh: str = ""
    timezone: Annotated[ZoneInfo, PlainValidator(_zone)] = ZoneInfo("Asia/Shanghai")
    region: Annotated[str, Field(pattern=r"^CN(-[A-Z]{2}|-GRID-[A-Z]{1,2})?$")]
    # Below half an hour: one reading must not serve two boundaries of the hourly ledger.
    tolerance_s: Annotated[int, Field(ge=1, lt=1800)] = 900
    fuel_family: Literal["FUELA", "FUELB"] = "FUELB"


class _GasTable(_Table):
    temperature_c: _Exact
    pressure_kpa: _Exact


class _InstallationTable(_Table):
    node: _Name
    device: _Name
    serial: str = ""
    start: _Moment = Field(default=None, alias="from")
    end: _Moment = Field(default=None, alias="to")
    ct: _Ratio = Fraction(1)
    pt: _Ratio = Fraction(1)
    rollover: _PositiveSteps | None = None
    max_per_hour: _PositiveSteps | None = None
    start_register: _Steps | None = None
    end_register: _Steps | None = None


class _MeterTable(_Table):
    id: _Id
    name: str = ""
    name_zh: str = ""
    carrier: Annotated[Carrier, Field(strict=False)]
    role: Annotated[Role, Field(strict=False)]
    level: Annotated[int, Field(ge=1, le=3)]
    parent: str = ""
    metric: _Name = _DEFAULT_METRIC
    asset: str = ""
    area: str = ""
    line: str = ""
    interval_s: Annotated[int, Field(gt=0)] | None = None
    gas_reference: _GasTable | None = None
    installation: Annotated[list[_InstallationTable], Field(min_length=1)]


def load_site(path: Path) -> Site:
    """The site model in a file. Raises SiteError with every mistake, also when the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SiteError(str(path), (Problem("file", "no such site file; give --site FILE"),)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SiteError(str(path), (Problem("file", f"cannot be read: {error}"),)) from error
    return parse_site(text, str(path))


def parse_site(text: str, where: str) -> Site:
    """The site model in a TOML text; `where` names it in errors."""
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise SiteError(where, (Problem("TOML", str(error)),)) from error
    problems = [Problem(key, "unknown key; accepted: site, meter") for key in raw if key not in {"site", "meter"}]
    site_table = _site_table(raw.get("site"), problems)
    zone = site_table.timezone if site_table else ZoneInfo("Asia/Shanghai")
    entries = raw.get("meter", [])
    if not _is_tables(entries) or not entries:
        problems.append(Problem("meter", "at least one [[meter]] table is needed"))
        entries = []
    known = {str(entry.get("id", "")) for entry in entries}
    meters: list[tuple[str, Meter]] = []
    for number, entry in enumerate(entries, start=1):
        key = f"meter[{number}]" + (f" {entry['id']}" if isinstance(entry.get("id"), str) else "")
        if (table := _meter_table(entry, key, problems)) is not None:
            meters.append((key, _meter(table, zone)))
    problems.extend(check_meters(meters, known))
    if problems or site_table is None:
        raise SiteError(where, tuple(problems))
    return Site(
        id=site_table.id,
        name=site_table.name or site_table.id,
        name_zh=site_table.name_zh,
        zone=zone,
        region=site_table.region,
        tolerance_s=site_table.tolerance_s,
        fuel_family=site_table.fuel_family,
        meters=tuple(meter for _, meter in meters),
    )


def _is_tables(value: object) -> TypeGuard[list[dict[str, object]]]:
    items = _items(value)
    return items == value and all(isinstance(entry, dict) for entry in items)


def _site_table(value: object, problems: list[Problem]) -> _SiteTable | None:
    try:
        return _SiteTable.model_validate(value if value is not None else {})
    except ValidationError as error:
        problems.extend(_pydantic_problems("site", error))
        return None


def _meter_table(entry: dict[str, object], key: str, problems: list[Problem]) -> _MeterTable | None:
    """One [[meter]]; a meter without [[meter.installation]] carries its only instrument's keys itself."""
    metric = str(entry.get("metric", _DEFAULT_METRIC))
    step = metric.rsplit("_", 1)[-1] if by_name(metric) else None  # an unknown metric is a mistake of its own
    table = _plain_rollover(entry, key, step, problems)
    shared = {name: table.pop(name) for name in _SHARED if name in table}
    only_one = "installation" not in table
    if only_one:
        table["installation"] = [shared]
    elif shared:
        problems.append(Problem(key, f"{', '.join(shared)}: belongs into [[meter.installation]] where there is one"))
    if _is_tables(items := table["installation"]):
        table["installation"] = [_plain_rollover(item, key, step, problems) for item in items]
    try:
        return _MeterTable.model_validate(table)
    except ValidationError as error:
        problems.extend(_pydantic_problems(key, error, only_one=only_one))
        return None


def _plain_rollover(
    table: Mapping[str, object], key: str, step: str | None, problems: list[Problem]
) -> dict[str, object]:
    """A copy in which rollover_wh, rollover_l ... is `rollover`; the suffix must be the metric's own step."""
    plain: dict[str, object] = {}
    for name, value in table.items():
        found = _SPAN_KEY.fullmatch(name)
        if found and step and found[1] not in {None, step}:
            problems.append(Problem(f"{key}.{name}", f"the metric counts in {step}: write rollover_{step}"))
        plain["rollover" if found else name] = value
    return plain


def _pydantic_problems(prefix: str, error: ValidationError, *, only_one: bool = False) -> list[Problem]:
    """One problem per pydantic error; only_one: the installation's keys stand in the meter itself."""
    problems: list[Problem] = []
    for item in error.errors(include_url=False):
        parts = item["loc"][2:] if only_one and item["loc"][:1] == ("installation",) else item["loc"]
        place = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in parts)
        reason = _PLAIN_WORDS.get(item["type"]) or f"{item['msg']} (found {item['input']!r})"
        problems.append(Problem(prefix + place, reason))
    return problems


def _meter(table: _MeterTable, zone: ZoneInfo) -> Meter:
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
    )


def _installation(table: _InstallationTable, zone: ZoneInfo) -> Installation:
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
