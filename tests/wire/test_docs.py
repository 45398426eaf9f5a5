"""docs/wire.md says what the code does: every table of it that names a constant is compared."""

import re
from pathlib import Path

from shutan_wire import catalogue, command, decode, ids, mqtt, records
from shutan_wire import datatypes as dt

PAGE = (Path(__file__).resolve().parents[2] / "docs/wire.md").read_text(encoding="utf-8")


def _table(heading: str) -> list[list[str]]:
    """Rows of the first table below a heading, without its own head."""
    below = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_catalogue_table() -> None:
    """The whole table, one line a metric: copy the expected line from the failure when a metric is added."""
    metrics = sorted(catalogue.all_metrics(), key=lambda metric: metric.id)
    expected = [
        f"| {m.id} | `{m.name}` | {m.quantity} | `{m.unit}` | {m.kind} | {dt.name_of(m.datatype)} |"
        f" {m.low:.0f} … {m.high:.0f} | {m.family} |"
        for m in metrics
    ]
    below = PAGE.split("\n## Catalogue\n")[1]
    assert [line for line in below.splitlines() if re.match(r"\| \d", line)] == expected


def test_record_table() -> None:
    names = {value for key, value in vars(records).items() if key.isupper() and isinstance(value, str)}
    assert {row[0] for row in _table("Records")} == names
    for row in _table("Records"):
        assert dt.code_of(row[1])


def test_topic_table() -> None:
    named = {kind for row in _table("Topics") for kind in row[0].split(", ")}
    own = {value for key, value in vars(ids).items() if key.isupper() and key == value}
    assert named == own - {"DCMD"}  # no device of ours takes commands


def test_limits() -> None:
    section = PAGE.split("\n## Limits and errors\n")[1].split("\n## ")[0]
    for limit in (decode.LIMIT_BYTES, decode.LIMIT_DEPTH, command.LIMIT_BYTES, mqtt.LIMIT_BYTES):
        assert f"{limit:,} " in section


def test_reserved_aliases() -> None:
    section = PAGE.split("\n## Aliases\n")[1].split("\n## ")[0]
    gap = [value for key, value in vars(records).items() if re.fullmatch(r"GAP_\w+_ID", key)]
    assert f"{min(gap)} to {max(gap)} are the metrics of a gap record" in section
    assert f"× {records.ALIAS_STEP} +" in section
    assert f"(1 to {catalogue.ID_MAX})" in PAGE
