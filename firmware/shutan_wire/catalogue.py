"""The metric catalogue: every metric that Shutan knows, with unit, kind, datatype and plausible range.

The text in `catalogue_table` is scanned on demand, so that a node pays for the few metrics it looks up and can give the
text back with `release()`. Names are snake_case with the unit last; see docs/wire.md for the table in print.
"""

import sys
from collections import namedtuple

from shutan_wire.datatypes import FLOAT

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NamedTuple

    class Metric(NamedTuple):
        """One metric of the catalogue.

        id:       1..239, never changes (alias = device_index * 256 + id)
        unit:     UCUM code
        kind:     counter | gauge | state | event
        datatype: code of `datatypes`: UInt64 for counters, Float for gauges
        low, high: plausible range, both inclusive, in the unit
        family:   energy | environment | equipment | node
        """

        id: int
        name: str
        quantity: str
        unit: str
        kind: str
        datatype: int
        low: float
        high: float
        family: str

else:
    Metric = namedtuple("Metric", "id name quantity unit kind datatype low high family")  # noqa: PYI024  # no typing there

FAMILIES = ("energy", "environment", "equipment", "node")
KINDS = ("counter", "gauge", "state", "event")
ID_MAX = 239

_ON_NODE = sys.implementation.name == "micropython"
_by_name: "dict[str, Metric]" = {}  # filled on the gateway only
_by_id: "dict[int, Metric]" = {}


def _table() -> str:
    from shutan_wire.catalogue_table import TABLE  # late: 5 KB that release() can give back

    return TABLE


def release() -> None:
    """Forget the table's text (a node calls it once its configuration is read); a later look-up loads it again."""
    sys.modules.pop("shutan_wire.catalogue_table", None)
    package = sys.modules["shutan_wire"]
    if hasattr(package, "catalogue_table"):
        delattr(package, "catalogue_table")


def _metric(heading: str, line: str) -> Metric:
    family, quantity, unit, kind, datatype, low, high = heading.split("|")
    number, name = line.split(" ")
    code = int(datatype)
    low_high = (float(low), float(high)) if code == FLOAT else (int(low), int(high))
    return Metric(int(number), name, quantity, unit, kind, code, low_high[0], low_high[1], family)


def _scan(wanted: str) -> "Metric | None":
    """Find the line that ends or begins with `wanted` without splitting the whole table."""
    table = _table()
    at = table.find(wanted)
    if at < 0:
        return None
    start = table.rfind("\n", 0, at + 1) + 1
    mark = table.rfind("|", 0, start)
    return _metric(
        table[table.rfind("\n", 0, mark) + 1 : table.find("\n", mark)], table[start : table.find("\n", start)]
    )


def all_metrics() -> "Iterator[Metric]":
    """Iterate over the catalogue in the order of the table."""
    heading = ""
    for line in _table().split("\n"):
        if "|" in line:
            heading = line
        elif line:
            yield _metric(heading, line)


def _fill() -> None:
    for metric in all_metrics():
        _by_name[metric.name] = metric
        _by_id[metric.id] = metric


def by_name(name: str) -> "Metric | None":
    """Metric of a name, or None."""
    if _ON_NODE:
        return _scan(" " + name + "\n") if "\n" not in name and " " not in name else None
    if not _by_name:
        _fill()
    return _by_name.get(name)


def by_id(number: int) -> "Metric | None":
    """Metric of a catalogue id, or None."""
    if _ON_NODE:
        return _scan("\n" + str(number) + " ")
    if not _by_id:
        _fill()
    return _by_id.get(number)
