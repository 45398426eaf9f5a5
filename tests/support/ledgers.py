"""Material for tests of the ledger: records, SQL behind its back, and the documents of made-up months."""

import sqlite3
from calendar import monthrange
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

import psycopg

from shutan_collector.accounting.documents import Document, JsonObject, PeriodDocuments
from shutan_collector.ledger.entries import Record
from support.accounting import at

AT = "2026-01-15T08:00:00.000000Z"
TABLE = "ledger_entry"


class Sql(Protocol):
    """A connection that takes statements."""

    def execute(self, query: str, params: Sequence[object] = ..., /) -> object:
        """Run one statement."""


def record(number: int, size: int = 3) -> Record:
    """A document record with some content."""
    body = {"schema": "test/1", "number": number, "register": list(range(number, number + size)), "text": "数碳"}
    return Record("document", f"readings/m-{number}", f"2025-{number % 12 + 1:02d}", body)


@contextmanager
def sql(url: str) -> Generator[Sql]:
    """A raw connection to the database of a ledger, each statement on its own."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)) as connection:
            yield connection
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection  # pyright: ignore[reportReturnType] - psycopg wants a literal query, a test may compose one


@contextmanager
def behind_its_back(url: str) -> Generator[Sql]:
    """A raw connection for which the triggers are off, as for someone who owns the database."""
    with sql(url) as connection:
        if url.startswith("sqlite:"):
            for name in ("no_update", "no_delete", "next"):
                connection.execute(f"DROP TRIGGER {TABLE}_{name}")
        else:
            connection.execute("SET session_replication_role = replica")
        yield connection


DAY_NS = 86_400_000_000_000


@dataclass(frozen=True)
class MonthPlan:
    """What a made-up month is built from.

    energy_wh    consumption of the entry meter per day         days      days of the month that have passed; None = all
    claims       keys of certificates claimed                   declared  the entry meter's missing end is declared
    ef           grid factor, kg CO2/kWh
    """

    period: str = "2025-06"
    energy_wh: int = 2_966_400
    days: int | None = None
    claims: tuple[str, ...] = ()
    declared: bool = False
    ef: str = "0.1564"

    @property
    def start_ns(self) -> int:
        """Local midnight of the first day."""
        return at(f"{self.period}-01")

    @property
    def daily_g(self) -> int:
        """Emission of one line."""
        return round(Fraction(self.energy_wh) * Fraction(self.ef))

    @property
    def length(self) -> int:
        """Days of the whole month."""
        year, month = map(int, self.period.split("-"))
        return monthrange(year, month)[1]


def readings(plan: MonthPlan, meter: str, per_day: int, days: int) -> JsonObject:
    """A readings document of constant consumption over the first days of the month; its boundaries are days.

    Each month has an instrument of its own, which begins at zero: months of any consumption stand beside each other.
    """
    boundaries: list[list[int] | None] = [[plan.start_ns + n * DAY_NS, n, n] for n in range(days + 1)]
    return {
        "schema": "shutan.readings/1",
        "meter": meter,
        "unit": "Wh",
        "instruments": [{"source": f"n01/{meter} #{plan.period}", "ct": "40", "pt": "1"}],
        "t_ns": [plan.start_ns + n * DAY_NS for n in range(days + 1)],
        "register": [n * per_day for n in range(days + 1)],
        "instrument": [0] * (days + 1),
        "breaks": [],
        "boundaries": boundaries + [None] * (plan.length - days),
        "flows": [[n, n + 1, per_day, 96, 96] for n in range(days)],
        "declared_missing": ["declared_missing/d1"] if plan.declared and meter == "m-entry" else [],
        "fingerprint": [[f"{plan.period}-{n + 1:02d}", 96, per_day * n, 4_104_000_000] for n in range(days)],
    }


def lines(plan: MonthPlan, days: int) -> JsonObject:
    """A lines document: one line per day of the entry meter."""
    source = "meter:m-entry"
    return {
        "schema": "shutan.lines/1",
        "lines": [
            {
                "id": f"{source}|scope2_location|{plan.start_ns + n * DAY_NS}",
                "source": source,
                "scope": "scope2_location",
                "category": "electricity",
                "gas": "co2",
                "start_ns": plan.start_ns + n * DAY_NS,
                "end_ns": plan.start_ns + (n + 1) * DAY_NS,
                "inputs": [["energy", str(plan.energy_wh), "Wh"]],
                "factors": [["ef", "GRID-CN-SC-2023"]],
                "formula": "electricity.average/1",
                "flow": n,
                "activities": [],
                "marks": ["provisional"],
                "gas_g": plan.daily_g,
                "co2e_g": plan.daily_g,
            }
            for n in range(days)
        ],
        "unvalued": [],
    }


def month(plan: MonthPlan | None = None, **changes: Any) -> PeriodDocuments:
    """The documents of a made-up month: two meters, one of them with carbon."""
    plan = replace(plan or MonthPlan(), **changes)
    days = plan.length if plan.days is None else plan.days
    body = lines(plan, days)
    grams = plan.daily_g * days
    declared = [{"key": "d1", "meter": "m-entry", "method": "none", "person": "曾工", "reason": "断电"}]
    by_source = {"meter:m-entry|scope2_location": grams} if days else {}
    documents: dict[str, JsonObject] = {
        "activities/declared_missing": {"schema": "shutan.activities/1", "rows": declared if plan.declared else []},
        "claims": {"schema": "shutan.claims/1", "claims": [[key, 1_000_000, plan.period] for key in plan.claims]},
        "factors": {"schema": "shutan.factors/1", "rows": [{"id": "GRID-CN-SC-2023", "value": plan.ef}]},
        "lines/meter:m-entry": body,
        "readings/m-entry": readings(plan, "m-entry", plan.energy_wh, days),
        "readings/m-sub": readings(plan, "m-sub", 24_000, plan.length),
        "site": {"schema": "shutan.site/1", "zone": "Asia/Shanghai", "text": "[site]\n"},
        "totals": {
            "schema": "shutan.totals/1",
            "period": plan.period,
            "complete": True,
            "provisional": True,
            "by_scope": {"scope2_location": grams} if days else {},
            "by_source": by_source,
            "by_category": {"scope2_location|electricity|co2": [grams, grams]} if days else {},
            "energy": {
                "m-entry": [plan.energy_wh * days, "Wh", "complete"],
                "m-sub": [24_000 * plan.length, "Wh", "complete"],
            },
        },
    }
    return PeriodDocuments(plan.period, tuple(Document(name, body) for name, body in documents.items()))
