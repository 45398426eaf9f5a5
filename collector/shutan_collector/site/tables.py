"""The tables of site.toml: their keys, types and defaults."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from shutan_collector.site.model import Carrier, Role  # noqa: TC001  # pydantic reads the annotations
from shutan_collector.site.scalars import (
    ClockTime,
    Day,
    Exact,
    Id,
    Moment,
    Name,
    Positive,
    PositiveSteps,
    Ratio,
    Share,
    Steps,
    Table,
    Zone,
)

__all__ = ["GasTable", "InstallationTable", "MeterTable", "PrimaryTable", "ShiftTable", "SiteTable", "VirtualTable"]


class PrimaryTable(Table):
    """等价值 of electricity: the published figure and who published it."""

    value: Positive
    source: Name


class SiteTable(Table):
    """[site]."""

    id: Id
    name: str = ""
    name_zh: str = ""
    timezone: Zone = ZoneInfo("Asia/Shanghai")
    region: Annotated[str, Field(pattern=r"^CN(-[A-Z]{2}|-GRID-[A-Z]{1,2})?$")]
    # Below half an hour: one reading must not serve two boundaries of the hourly ledger.
    tolerance_s: Annotated[int, Field(ge=1, lt=1800)] = 900
    fuel_family: Literal["FUELA", "FUELB"] = "FUELB"
    sector: Id = "general"
    gwp: Literal["AR2", "AR4", "AR5", "AR6"] = "AR5"
    organisation: str = ""
    # GB 32100-2015: 18 digits and capitals without I, O, S, V, Z.
    credit_code: Annotated[str, Field(pattern=r"^([0-9A-HJ-NPQRTUWXY]{18})?$")] = ""
    balance_limit_pct: Positive = Fraction(5)
    tariff: Name | None = None
    electricity_primary_kgce_per_kwh: PrimaryTable | None = None
    coal_rows: dict[Annotated[Carrier, Field(strict=False)], Name] = Field(default_factory=dict)


class GasTable(Table):
    """The reference condition of a gas meter."""

    temperature_c: Exact
    pressure_kpa: Exact


class InstallationTable(Table):
    """[[meter.installation]]."""

    node: Name
    device: Name
    serial: str = ""
    start: Moment = Field(default=None, alias="from")
    end: Moment = Field(default=None, alias="to")
    ct: Ratio = Fraction(1)
    pt: Ratio = Fraction(1)
    rollover: PositiveSteps | None = None
    max_per_hour: PositiveSteps | None = None
    start_register: Steps | None = None
    end_register: Steps | None = None


class MeterTable(Table):
    """[[meter]], its instruments already in a list."""

    id: Id
    name: str = ""
    name_zh: str = ""
    carrier: Annotated[Carrier, Field(strict=False)]
    role: Annotated[Role, Field(strict=False)]
    level: Annotated[int, Field(ge=1, le=3)]
    parent: str = ""
    metric: Name
    asset: str = ""
    area: str = ""
    line: str = ""
    interval_s: PositiveSteps | None = None
    stuck_after_s: PositiveSteps | None = None
    gas_reference: GasTable | None = None
    enthalpy_kj_per_kg: Positive | None = None
    density_kg_per_l: Positive | None = None
    accuracy_class: str = ""
    model: str = ""
    maker: str = ""
    location: str = ""
    measuring_range: str = ""
    rated_kw: Positive | None = None
    calibrated: Day | None = None
    calibration_due: Day | None = None
    mandatory: bool = False
    installation: Annotated[list[InstallationTable], Field(min_length=1)]


class ShiftTable(Table):
    """[[shift]]."""

    name: Name
    start: ClockTime
    end: ClockTime


class VirtualTable(Table):
    """[[virtual]]."""

    id: Id
    name: str = ""
    name_zh: str = ""
    terms: Annotated[dict[str, Share], Field(min_length=1)]
