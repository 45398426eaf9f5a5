"""`site.toml` of the year: the metering points with every instrument that stood in them, swap records included."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from shutan_sim.local_time import ZONE
from shutan_sim.year.instruments import Installed, Instrument
from shutan_sim.year.spec import MeterSpec

__all__ = ["site_toml"]

_HEAD = """\
# Site model 厂区模型 of the simulated distillery, for the files beside it. Names, code and figures are invented.
# ct, pt: registers in the readings are on the primary side. rollover: first value that the register cannot show.

[site]
id = "jiuniang"
name = "Jiuniang Distillery, Luzhou (simulated)"
name_zh = "九酿酒厂(模拟)"
organisation = "Jiuniang Distillery Co., Ltd. (simulated) 九酿酒业有限公司(模拟)"
credit_code = "91510500MA00000000"
timezone = "Asia/Shanghai"
region = "CN-SC"
sector = "{sector}"
gwp = "AR5"
fuel_family = "FUELB"
tolerance_s = 900
balance_limit_pct = 5
tariff = "tariff.toml"
coal_rows = {{ natural_gas = "TCE-NG-HI" }}
electricity_primary_kgce_per_kwh = {{ value = 0.3023, source = "invented example, not a published figure" }}

[[shift]]
name = "day 白班"
start = "05:30"
end = "13:30"

[[shift]]
name = "evening 中班"
start = "13:30"
end = "21:30"

[[shift]]
name = "night 夜班"
start = "21:30"
end = "05:30"
"""
_SECTOR = "food_drink"
_LOADS = ("m-dist1", "m-dist2")
# These draw something at every hour of the year: a register that stands still is a fault.
_NEVER_STILL = ("m-koji", "m-cold", "m-light", "m-office", "m-waste")
_STUCK_AFTER_S = 4 * 3600


def site_toml(specs: Iterable[MeterSpec], instruments: Mapping[str, Instrument], start: date, interval_s: int) -> str:
    """The whole file. start: first day of the readings, from which calibration dates are counted back."""
    specs = tuple(specs)
    known = {spec.id for spec in specs}
    parts = [_HEAD.format(sector=_SECTOR)]
    parts += [_meter(spec, instruments[spec.id], start, interval_s) for spec in specs]
    parts += _virtuals(known)
    return "\n".join(parts)


def _text(value: str) -> str:
    """A TOML string; JSON's escapes are TOML's."""
    return json.dumps(value, ensure_ascii=False)


def _meter(spec: MeterSpec, instrument: Instrument, start: date, interval_s: int) -> str:
    calibrated = date(start.year - spec.age_years, 1 + len(spec.id) % 12, 1 + sum(map(ord, spec.id)) % 28)
    due = calibrated.replace(year=calibrated.year + spec.valid_years)
    lines = ["[[meter]]", f"id = {_text(spec.id)}"]
    texts = {
        "name": spec.name, "name_zh": spec.name_zh, "carrier": spec.carrier, "role": spec.role, "parent": spec.parent,
        "metric": spec.metric, "area": spec.area, "line": spec.line, "asset": spec.asset,
        "accuracy_class": spec.accuracy_class, "model": spec.model, "maker": "(simulated)",
        "location": spec.location, "measuring_range": spec.measuring_range,
    }  # fmt: skip
    lines += [f"{key} = {_text(value)}" for key, value in texts.items() if value]
    lines += [f"level = {spec.level}", f"interval_s = {interval_s}"]
    if spec.rated_kw:
        lines.append(f"rated_kw = {spec.rated_kw}")
    lines += [f"calibrated = {calibrated}", f"calibration_due = {due}"]
    if spec.mandatory:
        lines.append("mandatory = true")
    if spec.id in _NEVER_STILL:
        lines.append(f"stuck_after_s = {_STUCK_AFTER_S}")
    if spec.carrier == "natural_gas":
        lines.append("gas_reference = { temperature_c = 20, pressure_kpa = 101.325 }")
    alone = len(instrument.installed) == 1
    for installed in instrument.installed:
        if not alone:
            lines += ["", "[[meter.installation]]"]
        lines += _installation(spec, installed)
    return "\n".join(lines) + "\n"


def _installation(spec: MeterSpec, installed: Installed) -> Iterable[str]:
    suffix = spec.metric.rsplit("_", 1)[-1]
    yield f"node = {_text(spec.node)}"
    yield f"device = {_text(installed.device)}"
    yield f"serial = {_text(installed.serial)}"
    if installed.from_ms is not None:
        yield f"from = {_moment(installed.from_ms)}"
        yield f"start_register = {installed.start}"
    if installed.to_ms is not None:
        yield f"to = {_moment(installed.to_ms)}"
        yield f"end_register = {installed.end}"
    if installed.ct != (1, 1):
        yield f"ct = [{installed.ct[0]}, {installed.ct[1]}]"
    if spec.pt != (1, 1):
        yield f"pt = [{spec.pt[0]}, {spec.pt[1]}]"
    ratio = installed.ct[0] * spec.pt[0] // (installed.ct[1] * spec.pt[1])
    yield f"rollover_{suffix} = {spec.span * spec.step * ratio}"


def _moment(t_ms: int) -> str:
    """A TOML local date-time."""
    return datetime.fromtimestamp(t_ms / 1000, UTC).astimezone(ZONE).replace(tzinfo=None).isoformat()


def _virtuals(known: set[str]) -> Iterable[str]:
    """What the site uses, and both distillation lines together."""
    if {"m-entry", "m-pv", "m-export"} <= known:
        yield (
            '[[virtual]]\nid = "v-site"\nname = "Electricity used on site"\nname_zh = "全厂用电"\n'
            "terms = { m-entry = 1, m-pv = 1, m-export = -1 }\n"
        )
    if known.issuperset(_LOADS):
        yield (
            '[[virtual]]\nid = "v-dist"\nname = "Distillation, both lines"\nname_zh = "酿造合计"\n'
            "terms = { m-dist1 = 1, m-dist2 = 1 }\n"
        )
