"""The forty metering points of the distillery, from `meters.csv`: parents before children, the important ones first.

| level (GB 17167)      | meters                                                                              |
|-----------------------|-------------------------------------------------------------------------------------|
| 1 organisation        | 10 kV entry and export, roof, boiler gas, bought steam, water                       |
| 2 main sub-units      | stills, cooling, starter, bottling, air, cold store, light, office, waste water ... |
| 3 main equipment      | hoists, fans, pumps, filler, washer, compressors, chillers, blower                  |
"""

import csv
from collections.abc import Mapping
from pathlib import Path

from shutan_sim.year.spec import MeterSpec

__all__ = ["METERS"]


def _ratio(text: str) -> tuple[int, int]:
    primary, _, secondary = text.partition("/")
    return int(primary), int(secondary)


def _spec(row: Mapping[str, str]) -> MeterSpec:
    return MeterSpec(
        id=row["id"],
        name=row["name"],
        name_zh=row["name_zh"],
        carrier=row["carrier"],
        role=row["role"],
        level=int(row["level"]),
        parent=row["parent"],
        metric=row["metric"],
        node=row["node"],
        device=row["device"],
        channel=row["channel"],
        step=int(row["step"]),
        span=int(row["span"]),
        ct=_ratio(row["ct"]),
        pt=_ratio(row["pt"]),
        start=int(row["start"]),
        area=row["area"],
        line=row["line"],
        asset=row["asset"],
        rated_kw=int(row["rated_kw"]),
        accuracy_class=row["accuracy_class"],
        model=row["model"],
        location=row["location"],
        measuring_range=row["measuring_range"],
        age_years=int(row["age_years"]),
        valid_years=int(row["valid_years"]),
        mandatory=row["mandatory"] == "yes",
    )


def _load() -> tuple[MeterSpec, ...]:
    with Path(__file__).with_name("meters.csv").open(encoding="utf-8", newline="") as file:
        return tuple(map(_spec, csv.DictReader(file)))


METERS = _load()
