"""Everything of the year beside its readings: site model, tariff, budget, activities, and the plant's own account."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from shutan_sim.errors import SetupError
from shutan_sim.year.activity import write_activities
from shutan_sim.year.budget import budget_toml
from shutan_sim.year.options import MOST_METERS
from shutan_sim.year.plan import Change, Stretch, start_of
from shutan_sim.year.plant import UNITS
from shutan_sim.year.readings import iso
from shutan_sim.year.run import Order, Outcome, run_year
from shutan_sim.year.site_toml import site_toml
from shutan_sim.year.tariff import tariff_toml

__all__ = ["SCHEMA", "write_year"]

SCHEMA = "shutan.sim.year/1"
_NS = 1_000_000
_HOUR_MS = 3_600_000
_STEPS = {"wh": "Wh", "l": "L", "kj": "kJ"}


def write_year(order: Order, folder: Path, progress: Callable[[int, int], None]) -> Outcome:
    """Write all files of the year into `folder`; progress(done, total) in days. Raises SetupError."""
    outcome = run_year(order, folder, progress)
    texts = {
        "site.toml": site_toml(order.specs, outcome.instruments, order.start, order.interval_min * 60),
        "tariff.toml": tariff_toml(order.start),
        "budget.toml": budget_toml(order.start, outcome.observers),
        "truth.json": json.dumps(_truth(order, outcome), separators=(",", ":"), ensure_ascii=False),
    }
    if len(order.specs) == MOST_METERS:  # it names meters that a smaller site does not have
        texts["footprint.toml"] = Path(__file__).with_name("footprint.toml").read_text(encoding="utf-8")
    try:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        write_activities(outcome.observers, folder / "activity")
    except OSError as error:
        raise SetupError(
            str(folder), error.strerror or str(error), "give --out a folder that can be written"
        ) from error
    return outcome


def _truth(order: Order, outcome: Outcome) -> dict[str, object]:
    """The account, as `year.truth` describes it."""
    meters = {
        spec.id: {
            "unit": _STEPS[spec.metric.rsplit("_", 1)[-1]],
            "metric": spec.metric,
            "hours": outcome.accounts[spec.id].hours,
            "total": sum(outcome.accounts[spec.id].hours),
            "passed": [outcome.accounts[spec.id].passed, UNITS],
        }
        for spec in order.specs
    }
    events = sorted(_events(order, outcome), key=lambda event: str(event["start"]))
    return {
        "schema": SCHEMA,
        "seed": order.seed,
        "zone": "Asia/Shanghai",
        "start_ns": start_of(order.start) * _NS,
        "end_ns": start_of(order.end) * _NS,
        "hours": order.days * 24,
        "interval_s": order.interval_min * 60,
        "rows": outcome.rows,
        "late_rows": outcome.late_rows,
        "meters": meters,
        "events": events,
    }


def _events(order: Order, outcome: Outcome) -> Iterator[dict[str, object]]:
    for spec in order.specs:
        for at_ms in outcome.instruments[spec.id].rollovers:
            yield _event("rollover", [spec.id], at_ms - order.interval_min * 60_000, at_ms)
        for change, value in outcome.accounts[spec.id].lost:
            yield _change(change, [[change.at_ms // _HOUR_MS * _HOUR_MS * _NS, value]])
    told = {id(change) for spec in order.specs for change, _ in outcome.accounts[spec.id].lost}
    yield from (_change(change, []) for change in outcome.plan.changes if id(change) not in told)
    for stretch in outcome.plan.stretches:
        yield _stretch(order, stretch)


def _event(kind: str, meters: list[str], from_ms: int, to_ms: int) -> dict[str, object]:
    return {
        "kind": kind, "meters": meters, "start": iso(from_ms), "end": iso(to_ms), "start_ns": from_ms * _NS,
        "end_ns": to_ms * _NS, "lost": [],
    }  # fmt: skip


def _change(change: Change, lost: list[list[int]]) -> dict[str, object]:
    return _event(change.kind.value, [change.meter], change.at_ms, change.at_ms) | {"lost": lost}


def _stretch(order: Order, stretch: Stretch) -> dict[str, object]:
    meters = [spec.id for spec in order.specs if stretch.hits(spec)]
    return _event(stretch.kind.value, meters, stretch.from_ms, stretch.to_ms)
