"""Reading footprint.toml: TOML, then types, then sense against the site model; all mistakes come out together."""

from __future__ import annotations

import tomllib
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from shutan_collector.activity.kinds import KINDS
from shutan_collector.errors import FootprintError, Problem
from shutan_collector.factors.gwp import GWP_SETS
from shutan_collector.footprint.plan import Asset, Boundary, IdleRule, Key, Plan, Product, Shared, Window
from shutan_collector.site.model import Carrier, Role
from shutan_collector.site.scalars import Id, Name, Positive, Table, is_tables, plain_problems
from shutan_collector.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from shutan_collector.site.model import Meter, Site

__all__ = ["EMITTING", "load_plan", "parse_plan"]

# Kinds of documents whose emissions a shared load can take in.
EMITTING = ("fuel_movement", "process_input", "clinker", "refrigerant", "fermentation", "wastewater", "heat_purchase")
_TOP = ("footprint", "product", "asset", "shared")
_ONE = Fraction(1)
_T = TypeVar("_T", bound="Table")
_Window = Annotated[Window, Field(strict=False)]
_Boundary = Annotated[Boundary, Field(strict=False)]
_Key = Annotated[Key, Field(strict=False)]
_IdleRule = Annotated[IdleRule, Field(strict=False)]


class _HeadTable(Table):
    gwp: Name = "AR6"
    boundary: _Boundary = Boundary.CRADLE_TO_GATE
    window: _Window = Window.MONTH


class _ProductTable(Table):
    id: Name
    name: str = ""
    name_zh: str = ""
    unit: Name
    declared_unit: Name
    declared_unit_zh: str = ""
    per_declared: Positive = _ONE
    mass_kg: Positive | None = None
    value_yuan: Positive | None = None
    output_assets: list[Name] = Field(default_factory=list)
    made_of: dict[str, Positive] = Field(default_factory=dict)
    cut_off: list[Name] = Field(default_factory=list)


class _RunTimeTable(Table):
    node: Name
    device: str = ""


class _AssetTable(Table):
    id: Name
    meters: list[Id]
    idle: _IdleRule
    idle_key: _Key | None = None
    run_time: _RunTimeTable | None = None


class _SharedTable(Table):
    id: Id
    name: str = ""
    name_zh: str = ""
    meters: list[Id] = Field(default_factory=list)
    minus: list[Id] = Field(default_factory=list)
    activities: list[Name] = Field(default_factory=list)
    key: _Key
    assets: list[Name] = Field(default_factory=list)
    submeters: dict[str, Id] = Field(default_factory=dict)
    attributable: Positive = _ONE


def load_plan(path: Path, site: Site) -> Plan:
    """The plan in a file. Raises FootprintError with every mistake, also when the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        problem = Problem("file", "no such footprint plan; write footprint.toml beside site.toml, or give --plan FILE")
        raise FootprintError(str(path), (problem,)) from None
    except OSError as error:
        raise FootprintError(str(path), (Problem("file", f"cannot be read: {error.strerror}"),)) from error
    except UnicodeDecodeError as error:
        raise FootprintError(str(path), (Problem("file", "is not text in UTF-8"),)) from error
    return parse_plan(text, str(path), site)


def parse_plan(text: str, where: str, site: Site) -> Plan:
    """The plan in a TOML text; `where` names it in errors. Raises FootprintError with every mistake."""
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise FootprintError(where, (Problem("TOML", str(error)),)) from error
    problems = [Problem(key, f"unknown key; accepted: {', '.join(_TOP)}") for key in raw if key not in _TOP]
    head = _table(_HeadTable, raw.get("footprint", {}), "footprint", problems) or _HeadTable()
    plan = Plan(
        gwp=head.gwp,
        boundary=head.boundary,
        window=head.window,
        products=tuple(_product(table) for table in _rows(_ProductTable, raw, "product", problems)),
        assets=tuple(_asset(table) for table in _rows(_AssetTable, raw, "asset", problems)),
        shared=tuple(_shared(table) for table in _rows(_SharedTable, raw, "shared", problems)),
    )
    problems += _checks(plan, site)
    if problems:
        raise FootprintError(where, tuple(problems))
    return plan


def _table(model: type[_T], value: object, key: str, problems: list[Problem]) -> _T | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems.extend(plain_problems(key, error))
        return None


def _rows(model: type[_T], raw: Mapping[str, Any], name: str, problems: list[Problem]) -> Iterator[_T]:
    entries = raw.get(name, [])
    if not is_tables(entries):
        problems.append(Problem(name, f"is an array of tables: write [[{name}]]"))
        return
    for number, entry in enumerate(entries, start=1):
        table = _table(model, entry, f"{name}[{number}] {entry.get('id', '')}".rstrip(), problems)
        if table is not None:
            yield table


def _product(table: _ProductTable) -> Product:
    return Product(
        id=table.id,
        name=table.name or table.id,
        name_zh=table.name_zh,
        unit=table.unit,
        declared_unit=table.declared_unit,
        declared_unit_zh=table.declared_unit_zh,
        per_declared=table.per_declared,
        mass_kg=table.mass_kg,
        value_yuan=table.value_yuan,
        output_assets=tuple(table.output_assets),
        made_of=tuple(table.made_of.items()),
        cut_off=tuple(table.cut_off),
    )


def _asset(table: _AssetTable) -> Asset:
    run_time = (table.run_time.node, table.run_time.device) if table.run_time else None
    return Asset(table.id, tuple(table.meters), table.idle, table.idle_key, run_time)


def _shared(table: _SharedTable) -> Shared:
    return Shared(
        id=table.id,
        name=table.name or table.id,
        name_zh=table.name_zh,
        meters=tuple(table.meters),
        minus=tuple(table.minus),
        activities=tuple(table.activities),
        key=table.key,
        assets=tuple(table.assets),
        submeters=tuple(table.submeters.items()),
        attributable=table.attributable,
    )


def _checks(plan: Plan, site: Site) -> Iterator[Problem]:
    if plan.gwp not in GWP_SETS:
        yield Problem("footprint.gwp", f"no set {plan.gwp!r}; accepted: {', '.join(GWP_SETS)}")
    for name, ids in (("product", plan.products), ("asset", plan.assets), ("shared", plan.shared)):
        for twin, number in Counter(item.id for item in ids).items():
            if number > 1:
                yield Problem(f"{name} {twin}", "stands twice")
    meters = {meter.id: meter for meter in site.meters}
    for asset in plan.assets:
        yield from _of_asset(asset, meters)
    for shared in plan.shared:
        yield from _of_shared(shared, plan, meters)
    yield from _counted_twice(plan, meters)
    yield from _made_of(plan)


def _of_asset(asset: Asset, meters: Mapping[str, Meter]) -> Iterator[Problem]:
    key = f"asset {asset.id}"
    for meter_id in asset.meters:
        meter = meters.get(meter_id)
        if meter is None:
            yield Problem(f"{key} meters", f"no meter {meter_id!r} in the site model")
        elif meter.carrier is not Carrier.ELECTRICITY or meter.role is Role.EXPORT:
            yield Problem(
                f"{key} meters", f"{meter_id} does not count electricity that is used; share it as [[shared]]"
            )
    if (asset.idle is IdleRule.BY_KEY) != (asset.idle_key is not None):
        yield Problem(f"{key} idle_key", "is needed for idle = by_key, and only there")
    if asset.idle_key is Key.SUBMETER:
        yield Problem(f"{key} idle_key", "submeter shares a load, not idle energy")


def _of_shared(shared: Shared, plan: Plan, meters: Mapping[str, Meter]) -> Iterator[Problem]:
    key = f"shared {shared.id}"
    if not shared.meters and not shared.activities:
        yield Problem(key, "takes in nothing: give meters or activities")
    for kind in shared.activities:
        if kind not in EMITTING or kind not in KINDS:
            yield Problem(f"{key} activities", f"{kind!r} has no emission; accepted: {', '.join(EMITTING)}")
    if shared.activities and plan.window is not Window.MONTH:
        yield Problem(f"{key} activities", 'documents belong to months: write window = "month" under [footprint]')
    known = {asset.id for asset in plan.assets}
    for asset_id in (*shared.assets, *(name for name, _ in shared.submeters)):
        if asset_id not in known:
            yield Problem(key, f"no [[asset]] {asset_id!r}")
    if shared.attributable > 1:
        yield Problem(f"{key} attributable", "is a share, at most 1")
    yield from _of_its_meters(shared, key, meters)


def _of_its_meters(shared: Shared, key: str, meters: Mapping[str, Meter]) -> Iterator[Problem]:
    for meter_id in (*shared.meters, *shared.minus):
        meter = meters.get(meter_id)
        if meter is None:
            yield Problem(f"{key} meters", f"no meter {meter_id!r} in the site model")
        elif reason := _no_emission(meter, meters):
            yield Problem(f"{key} meters", f"{meter_id} {reason}")
    for meter_id in shared.minus:
        if not set(_parents(meter_id, meters)) & set(shared.meters):
            yield Problem(f"{key} minus", f"{meter_id} does not stand behind one of its meters")
    if bool(shared.submeters) != (shared.key is Key.SUBMETER):
        yield Problem(f"{key} submeters", "is needed for key = submeter, and only there: asset = meter")
    found = [meters.get(meter_id) for _, meter_id in shared.submeters]
    if None in found:
        yield Problem(f"{key} submeters", "name a meter that is not in the site model")
    if len({meter.unit for meter in found if meter is not None}) > 1:
        yield Problem(f"{key} submeters", "count in different units")


def _no_emission(meter: Meter, meters: Mapping[str, Meter]) -> str:
    """Why a month of this meter cannot be valued; empty if it can."""
    if meter.role in {Role.EXPORT, Role.GENERATION, Role.BOUNDARY}:
        return "counts what is made or handed on, not what is used"
    if meter.carrier in {Carrier.STEAM, Carrier.HEAT}:
        above = meter
        while above.parent in meters:
            above = meters[above.parent]
        if above.role is not Role.ENTRY:
            return "counts heat made on site: name the boiler's fuel meter, and this one under submeters"
        return "" if meter.unit is Unit.KJ else "counts steam by mass: name a meter that counts heat"
    if meter.carrier not in {Carrier.ELECTRICITY, Carrier.NATURAL_GAS}:
        return f"counts {meter.carrier}, which has no emission of its own; use supplier data"
    return ""


def _counted_twice(plan: Plan, meters: Mapping[str, Meter]) -> Iterator[Problem]:
    """A meter under another one that is taken in as well would count the same energy twice."""
    used = [(f"asset {asset.id}", meter) for asset in plan.assets for meter in asset.meters]
    used += [(f"shared {shared.id}", meter) for shared in plan.shared for meter in shared.meters]
    places = {meter: place for place, meter in reversed(used)}
    deducted = {(above, item) for shared in plan.shared for above in shared.meters for item in shared.minus}
    for meter_id, number in Counter(meter for _, meter in used).items():
        if number > 1:
            yield Problem(f"{places[meter_id]} meters", f"{meter_id} is taken in twice")
    for place, meter_id in used:
        line = (meter_id, *_parents(meter_id, meters))
        for at, above in enumerate(line[1:], start=1):
            if above in places and not any((above, item) in deducted for item in line[:at]):
                reason = f"{meter_id} stands behind {above}, which {places[above]} takes in; deduct it there by minus"
                yield Problem(f"{place} meters", reason)


def _made_of(plan: Plan) -> Iterator[Problem]:
    """Intermediates that are no product of the plan, or that go around in a ring."""
    parts = {product.id: [name for name, _ in product.made_of] for product in plan.products}
    for product, names in parts.items():
        for name in names:
            if name not in parts:
                yield Problem(f"product {product} made_of", f"no [[product]] {name!r}")
        reached, todo = set[str](), list(names)
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo.extend(parts.get(name, ()))
        if product in reached:
            yield Problem(f"product {product} made_of", "is made of itself, directly or by way of another product")


def _parents(meter_id: str, meters: Mapping[str, Meter]) -> Iterator[str]:
    at = meters[meter_id].parent if meter_id in meters else ""
    while at in meters:
        yield at
        at = meters[at].parent
