"""A year made by hand: twelve small months of one bought heat and one meter each, March restated, then closed."""

import calendar
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from support.evidence_ledger import Documents, MemoryLedger
from support.evidence_month import Month, totals

__all__ = ["closed_year", "small_month"]


SITE = """\
[site]
id = "jiuniang"
region = "CN-SC"

[[meter]]
id = "w-1"
carrier = "water"
role = "entry"
"""


def _ns(day: date) -> int:
    """Midnight in China."""
    return int((datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=8)).timestamp()) * 10**9


def small_month(period: str, heat_gj: str = "10.5", *, key: str = "", lost: int = 0, site: str = SITE) -> Documents:
    """Documents of a month with a purchase of heat and one water meter.

    key    of the purchase; empty = the month's own     lost   litres between the end of the month before and its start
    """
    key = key or f"H-{period}"
    first = date.fromisoformat(f"{period}-01")
    days = calendar.monthrange(first.year, first.month)[1]
    span = (_ns(first), _ns(first + timedelta(days=days)))
    month = Month(period, site)
    month.rows(
        "heat_purchase",
        {"key": key, "start": f"{period}-01", "end": f"{period}-{days}", "form": "heat", "heat_gj": heat_gj},
    )
    month.line(
        "activity:heat_purchase|scope2_heat",
        "heat.energy/1",
        Fraction(heat_gj) * month.value("HEAT-CN") * 1000,
        [("heat", Fraction(heat_gj), "GJ")],
        [("ef", "HEAT-CN")],
        span=span,
        activities=[f"heat_purchase/{key}"],
    )
    register = 5 + 1000 * first.month + lost  # each month begins with the register that the one before it ends with
    water: dict[str, Any] = {
        "schema": "shutan.readings/1", "meter": "w-1", "carrier": "water", "role": "entry", "unit": "L",
        "instruments": [{"source": "n01/w-1", "rollover": None}], "t_ns": list(span),
        "register": [register, register + 1000], "instrument": [0, 0], "breaks": [],
        "boundaries": [[span[0], 0, 0], *[None] * (days * 24 - 1), [span[1], 1, 1]],
        "flows": [[0, days * 24, 1000, 2, 2]], "declared_missing": [],
    }  # fmt: skip
    month.documents |= {"readings/w-1": water, "claims": {"schema": "shutan.claims/1", "claims": []}}
    documents = month.finish()
    documents["totals"] = {**totals(documents, month.lines), "period": period, "complete": True, "provisional": False}
    return documents


def closed_year(year: str, other: Mapping[str, Documents] | None = None) -> MemoryLedger:
    """Twelve closed months, the third restated, and the closed year over them.

    other   documents of single months that are not those of small_month()
    """
    ledger = MemoryLedger()
    months: dict[str, tuple[int, int, dict[str, Any]]] = {}
    for number in range(1, 13):
        period = f"{year}-{number:02d}"
        documents = (other or {}).get(period) or small_month(period)
        months[period] = (ledger.close_month(period, documents).seq, 1, documents["totals"])
    march = f"{year}-03"
    documents = small_month(march, "11.25")
    months[march] = (
        ledger.close_month(march, documents, restates=months[march][0], version=2).seq,
        2,
        documents["totals"],
    )
    sums = {
        name: {key: sum(part[name][key] for _, _, part in months.values()) for key in months[march][2][name]}
        for name in ("by_scope", "by_source")
    }
    grams = sums["by_scope"]["scope2_heat"]
    body = {
        "schema": "shutan.close/1",
        "period": year,
        "version": 1,
        "documents": [],
        "months": [[period, seq, version] for period, (seq, version, _) in months.items()],
        "totals": {
            "schema": "shutan.totals/1",
            "period": year,
            "complete": True,
            "provisional": False,
            **sums,
            "by_category": {"scope2_heat|heat|co2": [grams, grams]},
            "energy": {"w-1": [12_000, "L", "complete"]},
        },
        "restates": None,
        "reason": "",
    }
    ledger.add("close", year, year, body)
    return ledger
