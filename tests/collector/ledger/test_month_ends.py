"""Neighbouring months share one boundary reading: no kilogram is lost or doubled where one month becomes the next."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from shutan_collector.ledger.closing import accept_proposal, current
from shutan_collector.ledger.operations import close_period, find_late
from shutan_collector.ledger.store import Ledger, open_ledger
from support.accounting import MemoryReader, Readings, at
from support.small_ledger import AT, AUTHOR, ENTRY, small_basis, steady_series

SECOND = 10**9


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(f"sqlite:{tmp_path / 'ledger.db'}", create=True) as opened:
        yield opened


def readings(ledger: Ledger, month: str, meter: str = "entry") -> dict[str, Any]:
    return cast("dict[str, Any]", current(ledger, month).find(f"readings/{meter}"))


def end(body: dict[str, Any], number: int) -> tuple[int, int]:
    """Time and register of the reading at a boundary."""
    low, high = body["boundaries"][number][1:]
    assert low == high
    return body["t_ns"][low], body["register"][low]


def passed(body: dict[str, Any]) -> int:
    return sum(flow[2] for flow in body["flows"])


def without(series: Readings, *times: int) -> Sequence[tuple[int, int]]:
    return [reading for reading in series if reading[0] not in times]


@pytest.mark.parametrize("seconds", [7, -7])
def test_a_late_reading_beside_the_months_end_is_noticed_in_both_months(ledger: Ledger, seconds: int) -> None:
    """The reading of midnight is missing; the boundary rests on another one until a nearer one arrives."""
    midnight = at("2025-07-01T00:00")
    series = steady_series("2025-05-31T22:00", 24 * 61 + 4)
    series[ENTRY] = without(series[ENTRY], midnight)
    for month in ("2025-06", "2025-07"):
        close_period(ledger, small_basis(series), month, AUTHOR, AT)
    whole = passed(readings(ledger, "2025-06")) + passed(readings(ledger, "2025-07"))
    register = next(value for t_ns, value in series[ENTRY] if t_ns == midnight - 600 * SECOND)
    late = (midnight + seconds * SECOND, register + 9_000 + seconds)
    series[ENTRY] = sorted([*series[ENTRY], late])
    found = list(find_late(ledger, MemoryReader(series), AT))
    assert [item.period for item in found] == ["2025-06", "2025-07"]
    for item in found:
        assert item.proposal is not None
        accept_proposal(ledger, item.proposal.seq, AUTHOR, "the node's store was read out", AT)
    june, july = readings(ledger, "2025-06"), readings(ledger, "2025-07")
    assert end(june, -1) == end(july, 0) == late
    assert passed(june) + passed(july) == whole
    assert list(find_late(ledger, MemoryReader(series), AT)) == []
