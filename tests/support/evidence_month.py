"""A month made by hand for the evidence: plain documents with every formula, break, gap, estimate and claim.

Nothing here comes from the programs under test but the factor table's text: registers are invented, and each line's
kilograms are written out as one expression, so that the verifier's own arithmetic has a witness.
"""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from hashlib import sha256
from typing import Any

from support.evidence_ledger import Documents
from support.places import REPO

MONTH = "2025-06"
AS_OF = "2026-01-15"
HOUR_NS = 3600 * 10**9
START_NS = int(datetime(2025, 5, 31, 16, tzinfo=UTC).timestamp()) * 10**9  # 2025-06-01T00:00+08:00
HOURS = 720
END_NS = START_NS + HOURS * HOUR_NS
FACTORS = "collector/shutan_collector/factors/data/emission_factors.csv"

POINTS = {
    "m-entry": ("electricity", "entry", ""),
    "m-gas": ("natural_gas", "entry", "gas_reference = { temperature_c = 20, pressure_kpa = 101.325 }"),
    "m-steam": ("steam", "entry", "enthalpy_kj_per_kg = 2763.5"),
    "m-heat": ("heat", "entry", ""),
    "m-export": ("electricity", "export", ""),
    "m-still": ("electricity", "sub", ""),
}
SPAN = 1_000_000_000
SITE = """\
[site]
id = "jiuniang"
name = "Jiuniang Distillery"
name_zh = "九酿酒厂"
region = "CN-SC"
""" + "".join(
    f"""
[[meter]]
id = "{meter}"
name = "{meter}"
name_zh = "表计"
carrier = "{carrier}"
role = "{role}"
level = 1
accuracy_class = "0.5S"
calibrated = 2024-05-01
calibration_due = 2026-05-01
{extra}
"""
    + "".join(
        f"""
[[meter.installation]]
node = "n01"
device = "{meter}-{number}"
serial = "2019041{number}"
ct = [200, 5]
rollover_wh = {SPAN}
"""
        for number in range(2)
    )
    for meter, (carrier, role, extra) in POINTS.items()
)

QUANTITY = {"Wh": "energy", "L": "volume", "g": "mass", "kJ": "heat"}


def text(value: Fraction | int) -> str:
    """Exact text: a decimal where it ends."""
    value = Fraction(value)
    for places in range(30):
        scaled = value * 10**places
        if scaled.denominator == 1:
            digits = f"{abs(scaled.numerator):0{places + 1}d}"
            body = f"{digits[:-places]}.{digits[-places:]}" if places else digits
            return f"-{body}" if value < 0 else body
    return f"{value.numerator}/{value.denominator}"


class Month:
    """The documents, put together step by step."""

    def __init__(self, period: str = MONTH, site: str = SITE) -> None:
        self.period, self.site = period, site
        with (REPO / FACTORS).open(encoding="utf-8", newline="") as file:
            rows = [{"subject": row.pop("fuel_or_energy"), **row} for row in csv.DictReader(file)]
        self.table: dict[str, dict[str, str]] = {row["id"]: row for row in rows}
        self.documents: Documents = {}
        self.used: set[str] = set()
        self.formulas: set[str] = set()
        self.lines: list[dict[str, Any]] = []
        self.apart: list[dict[str, Any]] = []

    def value(self, row_id: str) -> Fraction:
        """Value of a factor row, which is then among the documents."""
        self.used.add(row_id)
        return Fraction(self.table[row_id]["value"])

    def line(
        self,
        where: str,
        formula: str,
        kg: Fraction,
        inputs: Sequence[tuple[str, Fraction | int, str]],
        factors: Sequence[tuple[str, str]] = (),
        *,
        gas: str = "co2",
        gwp: Fraction | int = 1,
        flow: int | None = None,
        span: tuple[int, int] = (START_NS, END_NS),
        activities: Sequence[str] = (),
        marks: Sequence[str] = (),
        name: str = "",
    ) -> None:
        """One ledger line; `where` is source|scope, `kg` its gas before rounding."""
        source, _, scope = where.partition("|")
        kind, category = source.partition(":")[0], formula.partition(".")[0].replace("biogenic", "fermentation")
        label = (
            f"activity:{name or activities[0]}|{scope}|{self.period}"
            if kind == "activity"
            else f"{source}|{scope}|{span[0]}"
        )
        self.formulas.add(formula)
        self.used.update(row_id for _, row_id in factors)
        body = {
            "id": label,
            "source": source,
            "scope": scope,
            "category": category,
            "gas": gas,
            "start_ns": span[0],
            "end_ns": span[1],
            "inputs": [[name, text(value), unit] for name, value, unit in inputs],
            "factors": [list(pair) for pair in factors],
            "formula": formula,
            "flow": flow,
            "activities": list(activities),
            "marks": list(marks),
            "gas_g": round(kg * 1000),
            "co2e_g": round(kg * gwp * 1000),
        }
        self.lines.append(body)

    def unvalued(self, source: str, span: tuple[int, int], value: int, unit: str) -> None:
        """Activity that no line holds."""
        item = {
            "source": source,
            "start_ns": span[0],
            "end_ns": span[1],
            "value": text(value),
            "unit": unit,
            "reason": "hand",
        }
        self.apart.append(item)

    def rows(self, kind: str, *rows: dict[str, Any]) -> None:
        """Activity rows of one kind."""
        labels = [{"place": f"{kind}.csv:{n}", "source": f"paper {n}", "note": ""} for n in range(2, len(rows) + 2)]
        body = {
            "schema": "shutan.activities/1",
            "kind": kind,
            "rows": [{**label, **row} for label, row in zip(labels, rows, strict=True)],
        }
        self.documents[f"activities/{kind}"] = body

    def finish(self) -> Documents:
        """Lines by document, factors, formulas, totals."""
        for line in self.lines:
            name = "lines/market" if line["source"].startswith("market:") else f"lines/{line['source']}"
            empty: dict[str, Any] = {"schema": "shutan.lines/1", "lines": [], "unvalued": []}
            self.documents.setdefault(name, empty)["lines"].append(line)
        for item in self.apart:
            self.documents[f"lines/{item['source']}"]["unvalued"].append(item)
        self.documents["factors"] = {
            "schema": "shutan.factors/1",
            "release": {"name": "2026.1", "sha256": "0" * 64},
            "as_of": AS_OF,
            "rows": [self.table[row_id] for row_id in sorted(self.used)],
        }
        self.documents["formulas"] = {
            "schema": "shutan.formulas/1",
            "rows": [{"name": n, "text_en": n, "text_zh": n, "source": "hand"} for n in sorted(self.formulas)],
        }
        self.documents["site"] = {
            "schema": "shutan.site/1",
            "sha256": sha256(self.site.encode()).hexdigest(),
            "text": self.site,
            "tariff_text": "",
            "zone": "Asia/Shanghai",
            "region": "CN-SC",
            "fuel_family": "FUELB",
            "gwp": "AR5",
            "sector": "general",
        }
        self.documents["totals"] = totals(self.documents, self.lines)
        return self.documents


def totals(documents: Documents, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sums of lines and flows."""
    by_scope: dict[str, int] = {}
    by_source: dict[str, int] = {}
    by_category: dict[str, list[int]] = {}
    for line in lines:
        source, category = f"{line['source']}|{line['scope']}", f"{line['scope']}|{line['category']}|{line['gas']}"
        by_scope[line["scope"]] = by_scope.get(line["scope"], 0) + line["co2e_g"]
        by_source[source] = by_source.get(source, 0) + line["co2e_g"]
        before = by_category.get(category, [0, 0])
        by_category[category] = [before[0] + line["gas_g"], before[1] + line["co2e_g"]]
    energy: dict[str, Any] = {}
    for name, body in documents.items():
        if name.startswith("readings/"):
            known = [boundary for boundary in body["boundaries"] if boundary]
            inexact = any(not cut["exact"] for cut in body["breaks"])
            state = "estimated" if any(a != b for _, a, b in known) else "inexact" if inexact else "complete"
            energy[body["meter"]] = [sum(flow[2] for flow in body["flows"]), body["unit"], state]
    return {
        "schema": "shutan.totals/1",
        "period": MONTH,
        "complete": False,  # heat and steam have a reset and a negative step inside
        "provisional": True,
        "by_scope": by_scope,
        "by_source": by_source,
        "by_category": by_category,
        "energy": energy,
    }
