"""The series file of a gateway against what a field of nodes sampled and was told."""

from contextlib import closing
from pathlib import Path

from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.field_nodes import Field, values_of
from support.sparkplug_node import T0_MS

METRICS = ("active_energy_import_wh", "active_power_w")
RIGHT = {"acked_lost": "== 0", "doubled": "== 0", "wrong": "== 0"}


def compare(path: Path, field: Field) -> dict[str, int]:
    """acked_lost: acknowledged and not in the file; doubled: in it twice; wrong: another value, or never sent."""
    wrong = doubled = lost = 0
    found: dict[str, set[int]] = {name: set() for name in field.nodes}
    with closing(open_readonly(path)) as conn:
        for series in list_series(conn):
            if series.family != "energy":
                continue
            seen = found[series.node]
            for t_ns, *values in read_series(conn, series, METRICS, 0, 2**63 - 1):
                time_ms, below_ms = divmod(int(str(t_ns)), 1_000_000)
                number = (time_ms - T0_MS) // 1000
                doubled += number in seen or below_ms != 0
                wrong += values != list(values_of(number).values())
                seen.add(number)
    for name, node in field.nodes.items():
        lost += len(set(range(1, node.acked + 1)) - found[name])
        wrong += len(found[name] - set(range(1, node.newest + 1)))
    return {"acked_lost": lost, "doubled": doubled, "wrong": wrong}
