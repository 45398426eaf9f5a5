"""The collector's report of the demo's factory, in short, and each hour held against the instruments' own log.

The report comes from the ``shutan report`` command in a process of its own, as an operator would ask for it.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shutan_collector.site.model import Site
from shutan_demo.errors import NotSettledError
from shutan_demo.evidence import Truth
from shutan_demo.tools import shutan

LIMIT_S = 120


@dataclass(frozen=True, slots=True)
class Hourly:
    """Energy and carbon by meter and hour.

    meters    meter id -> hours: from, energy (integer, None = no reading at an end), unit, carbon_g, provisional (暂用)
    checked   hours whose consumption was held against the instruments
    error_wh  sum over electricity meters and hours of |reported - what the instrument counted|
    error_other  the same for gas and steam, in their own steps
    """

    meters: dict[str, list[dict[str, Any]]]  # Any: JSON values
    carbon: dict[str, Any]
    checked: int
    error_wh: int
    error_other: int


def report(site_toml: Path, store: str, start: datetime, end: datetime) -> dict[str, Any]:
    """The JSON of ``shutan report energy`` by hour. Raises NotSettledError with its message where it fails."""
    command = [shutan(), "report", "energy", "--from", start.isoformat(), "--to", end.isoformat()]
    command += ["--site", str(site_toml), "--store", store, "--json"]
    done = subprocess.run(  # noqa: S603 - the demo's own command
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if done.returncode:
        raise NotSettledError(f"shutan report energy: {done.stderr.strip()}")
    return json.loads(done.stdout)


def judge_hours(found: Mapping[str, Any], site: Site, truth: Truth, reach: timedelta) -> Hourly:
    """Shorten a report, and compare each hour's consumption with the difference that the instrument showed."""
    spans = {meter.id: meter.installations[-1].span for meter in site.meters}
    meters: dict[str, list[dict[str, Any]]] = {}
    errors = {True: 0, False: 0}
    checked = 0
    for meter in found["meters"]:
        register = (meter["id"], meter["metric"])
        hours = meters.setdefault(meter["id"], [])
        for period in meter["periods"]:
            consumption = period["consumption"]["value"]
            carbon = period["carbon"]
            hours.append(
                {
                    "from": period["from"],
                    "energy": consumption,
                    "unit": meter["unit"],
                    "carbon_g": carbon["value"] if carbon is not None else None,
                }
            )
            if consumption is not None and not period["estimated"]:
                ends = [_shown(truth, register, period[side], reach) for side in ("start", "end")]
                counted = ends[1] - ends[0]
                span = spans[meter["id"]]
                if counted < 0 and span:
                    counted += span
                errors[meter["unit"] == "Wh"] += abs(consumption - counted)
                checked += 1
    return Hourly(meters, found["carbon"], checked, errors[True], errors[False])


def _shown(truth: Truth, register: tuple[str, str], end: Mapping[str, Any], reach: timedelta) -> int:
    """What the instrument showed at a period's end: the value nearest to the report's among those near that time."""
    at_ms = int(datetime.fromisoformat(end["time"]).timestamp() * 1000)
    shown = truth.values_around(register, at_ms, int(reach.total_seconds() * 1000))
    return min(shown, key=lambda value: abs(value - end["register"]), default=0)
