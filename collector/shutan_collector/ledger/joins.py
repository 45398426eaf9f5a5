"""What has to hold between closed months, so that together they lose nothing and count nothing twice.

| what | rule |
|---|---|
| registers | a month begins with the readings that the month before it ends with |
| stocks of fuel | a month opens with the stock that the month before it closed with, where both were taken |
| rows that emit | a row of one key says the same in every month; one that reaches over a month's end is in each month |
| ways to count | the months of a year have one calendar, one set of GWP values, one family of fuel factors |

A hole at a month's end, which somebody has declared, and another instrument (a person, then a meter) join nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from shutan_collector.errors import LedgerError
from shutan_collector.exact import exact_text, from_text
from shutan_collector.ledger.canonical import member, parse_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shutan_collector.accounting.documents import JsonObject, PeriodDocuments
    from shutan_collector.ledger.closes import Close
    from shutan_collector.ledger.store import Reader

__all__ = ["MonthEnds", "check_joins", "ends_of_close", "ends_of_documents", "months_beside"]

_READINGS: Final = "readings/"
_SETTINGS: Final = {"zone": "calendar", "gwp": "set of GWP values", "fuel_family": "family of fuel factors"}
# Kinds whose rows are emissions: each amount belongs to the whole of the months, once.
_EMITTING: Final = (
    "fuel_movement",
    "process_input",
    "clinker",
    "refrigerant",
    "wastewater",
    "fermentation",
    "heat_purchase",
)
_LABELS: Final = frozenset({"place", "source", "note", "written", "supplier"})
# Time, register and source of each reading that a boundary rests on; empty in a hole.
_Used: TypeAlias = tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class MonthEnds:
    """What a month has in common with others.

    starts, ends   by meter the readings that the month begins and ends with
    rows           rows that emit, by "<kind>/<key>", without what is only a label
    settings       calendar, GWP set and fuel family by name
    """

    period: str
    starts: Mapping[str, _Used]
    ends: Mapping[str, _Used]
    rows: Mapping[str, Mapping[str, object]]
    settings: Mapping[str, str]


def ends_of_documents(documents: PeriodDocuments) -> MonthEnds:
    """Of a month that is about to be closed."""
    readings = {item.name.removeprefix(_READINGS): item.body for item in documents.starting(_READINGS)}
    rows = {kind: documents.find(f"activities/{kind}") for kind in _EMITTING}
    return MonthEnds(
        documents.period,
        {meter: _used(body, 0) for meter, body in readings.items()},
        {meter: _used(body, -1) for meter, body in readings.items()},
        {ref: row for kind, body in rows.items() if body is not None for ref, row in _rows(kind, body)},
        _settings(documents.find("site") or {}),
    )


def ends_of_close(reader: Reader, close: Close, *, registers: bool = True) -> MonthEnds:
    """Of a closed month; of each document only what is needed is read, and of the meters nothing if not wanted."""
    name_of = {item.seq: item.name for item in close.documents}
    wanted = {"site", *(f"activities/{kind}" for kind in _EMITTING)}
    needed = [seq for seq, name in name_of.items() if name in wanted or (registers and name.startswith(_READINGS))]
    starts: dict[str, _Used] = {}
    ends: dict[str, _Used] = {}
    rows: dict[str, Mapping[str, object]] = {}
    settings: Mapping[str, str] = {}
    for seq, data in reader.bodies(needed):
        name = name_of[seq]
        if name.startswith(_READINGS):
            body = {key: member(data, key) for key in ("boundaries", "t_ns", "register", "instrument", "instruments")}
            meter = name.removeprefix(_READINGS)
            starts[meter], ends[meter] = _used(body, 0), _used(body, -1)
        elif name == "site":
            settings = _settings(parse_object(data))
        else:
            rows |= dict(_rows(name.removeprefix("activities/"), parse_object(data)))
    return MonthEnds(close.period, starts, ends, rows, settings)


def months_beside(left: str, right: str) -> bool:
    """Whether one of two months follows the other."""
    numbers = [int(month[:4]) * 12 + int(month[5:]) for month in (left, right)]
    return abs(numbers[0] - numbers[1]) == 1


def check_joins(months: Sequence[MonthEnds]) -> None:
    """Each month with each other; neighbours by their registers too. Raises LedgerError at the first that differs."""
    for left, right in combinations(sorted(months, key=lambda month: month.period), 2):
        if left.period[:4] == right.period[:4]:
            _check_settings(left, right)
        _check_rows(left, right)
        if months_beside(left.period, right.period):
            _check_registers(left, right)
            _check_stocks(left, right)


def _check_settings(left: MonthEnds, right: MonthEnds) -> None:
    for name, said in _SETTINGS.items():
        values = left.settings.get(name), right.settings.get(name)
        if None not in values and values[0] != values[1]:
            raise LedgerError(
                f"period {right.period}",
                f"its {said} is {values[1]}, that of {left.period} is {values[0]}: a year is counted in one way; "
                f"account both with the same {name!r} in the site model",
            )


def _check_rows(left: MonthEnds, right: MonthEnds) -> None:
    for ref in sorted(left.rows.keys() | right.rows.keys()):
        rows = [month.rows.get(ref) for month in (left, right)]
        there = next(row for row in rows if row is not None)
        if None not in rows and rows[0] != rows[1]:
            fields = ", ".join(key for key in sorted(there) if rows[0] and rows[1] and rows[0][key] != rows[1][key])
            reason = f"says otherwise ({fields}) in {left.period} than in {right.period}"
        elif None in rows and all(_touches(there, month.period) for month in (left, right)):
            absent = left if rows[0] is None else right
            reason = f"reaches into {left.period} and {right.period}, and is not among the rows of {absent.period}"
        else:
            continue
        raise LedgerError(
            f"period {right.period}",
            f"{ref} {reason}: part of it would be lost or counted twice; keep the row as it was closed, and enter what "
            "is left as a row with a key of its own, in open months only",
        )


def _check_registers(left: MonthEnds, right: MonthEnds) -> None:
    for meter in sorted(left.ends.keys() & right.starts.keys()):
        end, start = left.ends[meter], right.starts[meter]
        if end and start and end != start and end[0][2] == start[-1][2]:
            raise LedgerError(
                f"period {right.period}",
                f"meter {meter} begins with register {start[0][1]}, {left.period} ends with {end[0][1]}: what lies "
                "between would be lost or counted twice; look for late samples (shutan proposal find) and accept them "
                "in both months",
            )


def _check_stocks(left: MonthEnds, right: MonthEnds) -> None:
    closing, opening = _stocks(left, "closing_stock"), _stocks(right, "opening_stock")
    for fuel in sorted(closing.keys() & opening.keys()):
        if closing[fuel] != opening[fuel]:
            raise LedgerError(
                f"period {right.period}",
                f"{fuel} opens with a stock of {exact_text(opening[fuel])}, {left.period} closed with "
                f"{exact_text(closing[fuel])}: what lies between is burnt in no month; open with the stock that was "
                "closed with, and enter the difference as a row (purchase, transfer_out) or count again at the end",
            )


def _stocks(month: MonthEnds, direction: str) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for row in month.rows.values():
        if row.get("direction") == direction:
            fuel = str(row["fuel"])
            found[fuel] = found.get(fuel, Fraction()) + from_text(str(row["quantity"]))
    return found


def _used(body: JsonObject, place: int) -> _Used:
    boundary = cast("Sequence[Sequence[int] | None]", body["boundaries"])[place]
    if boundary is None:
        return ()
    times, registers, owners = (cast("Sequence[int]", body[name]) for name in ("t_ns", "register", "instrument"))
    sources = [str(item["source"]) for item in cast("Sequence[Mapping[str, object]]", body["instruments"])]
    return tuple((times[at], registers[at], sources[owners[at]]) for at in sorted(set(boundary[1:])))


def _rows(kind: str, body: JsonObject) -> Iterator[tuple[str, Mapping[str, object]]]:
    for row in cast("Sequence[Mapping[str, object]]", body["rows"]):
        yield f"{kind}/{row['key']}", {key: value for key, value in row.items() if key not in _LABELS}


def _settings(body: JsonObject) -> dict[str, str]:
    return {name: str(body[name]) for name in _SETTINGS if name in body}


def _touches(row: Mapping[str, object], month: str) -> bool:
    first = str(row.get("start", row.get("day", "")))
    last = str(row.get("end", row.get("day", "")))
    return first[: len(month)] <= month <= last[: len(month)]
