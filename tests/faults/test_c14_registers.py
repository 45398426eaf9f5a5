"""C14: registers are reset, roll over, stick, step back, meters are swapped; the account stays what really passed."""

from datetime import date
from pathlib import Path

import pytest

from faults.harness import Fault
from shutan_collector.energy.source import measure_meter
from shutan_collector.periods import Kind as Period
from shutan_collector.series import open_reader
from shutan_collector.site.file import load_site
from shutan_sim.year.plan import Kind
from support.year import make_year

pytestmark = pytest.mark.fault

PLANTED = (Kind.RESET, Kind.ROLLOVER, Kind.SWAP, Kind.STUCK, Kind.NEGATIVE_STEP)


def test_c14_registers_that_misbehave(fault: Fault, tmp_path: Path) -> None:
    """0 Wh error over all meters of simulated sites; what no register knows is told as lost; each event is listed."""
    sites, days = fault.size(short=1, long=12), fault.size(short=30, long=120)
    error = planted = unlisted = meters = 0
    for seed in range(1, sites + 1):
        year = make_year(tmp_path / str(seed), date(2025, 5, 20), days, kinds=PLANTED, seed=seed)
        site = load_site(year.folder / "site.toml")
        with open_reader(f"csv:{year.readings}") as reader:
            for meter in site.meters:
                truth = year.truth
                energy = measure_meter(site, meter, reader, truth["start_ns"], truth["end_ns"], kind=Period.DAY)
                error += abs(energy.measured - (year.total(meter.id) - year.lost(meter.id)))
                meters += 1
                listed = [event.kind.value for event in energy.events]
                for event in year.events(meter.id):
                    planted += 1
                    unlisted += event["kind"] not in listed
        fault.progress(f"{seed} of {sites} sites, {planted} events")
    fault.record(
        "C14",
        measured={
            "meters": meters,
            "days_each": days,
            "events": planted,
            "error_in_smallest_units": error,
            "events_not_listed": unlisted,
        },
        bar={"error_in_smallest_units": "== 0", "events_not_listed": "== 0", "events": "> 0"},
        long_bar={"events": ">= 60"},
        note="40 meters of a simulated site each time (Wh, litres); the account against what passed, less what passed "
        "between the last reading and a reset or step back, which no register knows",
    )
