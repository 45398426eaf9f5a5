"""The document alone is enough: every figure is computed again here, from JSON, by other arithmetic."""

import json
from fractions import Fraction
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.accounting.summary import LedgerMark
from shutan_collector.activity.kinds import Production
from shutan_collector.footprint.build import build_footprint, footprint_in
from shutan_collector.footprint.document import to_bytes
from shutan_collector.footprint.inventory import take_inventory, window_of
from shutan_collector.footprint.label import label_svg, payload, shown
from shutan_collector.footprint.plan import Window
from support.accounting import SECOND, at
from support.footprint import PLAN, RELEASE, SERIES, basis, production, supplier


def _again(document: dict[str, Any]) -> dict[str, Any]:
    """The result, computed from readings, factor rows, weights and inputs."""
    factors = {row["id"]: Fraction(row["value"]) for row in document["factors"]}
    counts = {meter["meter"]: _counts(meter) for meter in document["meters"]}
    stretches: dict[tuple[str, str], int] = {}
    for machine in document["machines"]:
        count = counts[machine["meter"]]
        for item in machine["stretches"]:
            value = count[item["end_ns"]] - count[item["start_ns"]]
            assert value == item["value"]
            if item["batch"] == [document["product"]["id"], document["batch"]]:
                key = (item["kind"], machine["meter"])
                stretches[key] = stretches.get(key, 0) + value
    window = document["window"]
    total = biogenic = primary = Fraction()
    for part in document["components"]:
        meter = part["source"].removeprefix("meter:")
        quantity = Fraction(part["quantity"])
        if part["stage"] == "machine":
            assert quantity == stretches["batch", meter]
        if part["stage"] == "idle":
            assert quantity == stretches["idle", meter]
        if part["stage"] == "shared" and meter in counts:
            assert quantity == counts[meter][window["end_ns"]] - counts[meter][window["start_ns"]]
        kg = quantity * _share(document, part) * _rate(part, factors, document["supplier_inputs"])
        assert kg == Fraction(part["kg_co2e"])
        biogenic += kg if part["carbon"] == "biogenic" else 0
        total += kg if part["carbon"] == "fossil" else 0
        primary += kg if part["carbon"] == "fossil" and part["primary"] else 0
    per = Fraction(document["product"]["per_declared"]) / Fraction(document["output"]["good"])
    return {
        "kg_co2e_batch": total,
        "kg_co2e_per_declared_unit": total * per,
        "biogenic_kg_co2_batch": biogenic,
        "biogenic_kg_co2_per_declared_unit": biogenic * per,
        "primary_data_share": primary / total,
    }


def _counts(meter: dict[str, Any]) -> dict[int, int]:
    """Joined count at every instant."""
    breaks = {at: counted for at, _, counted, _ in meter["breaks"]}
    count = [0]
    for number, (before, after) in enumerate(pairwise(meter["register"]), start=1):
        count.append(count[-1] + breaks.get(number, after - before))
    times = meter["t_ns"]
    return {
        t: count[low]
        if low == high
        else count[low] + (count[high] - count[low]) * (t - times[low]) // (times[high] - times[low])
        for t, low, high in meter["instants"]
    }


def _share(document: dict[str, Any], part: dict[str, Any]) -> Fraction:
    if part["stage"] != "shared":
        return Fraction(part["share"])
    pool = next(pool for pool in document["shared"] if part["id"].startswith(f"shared/{pool['id']}/"))
    weights = {(product, batch): Fraction(weight) for product, batch, weight, _ in pool["weights"]}
    mine = weights[document["product"]["id"], document["batch"]]
    return mine / sum(weights.values()) * Fraction(pool["attributable"])


def _rate(part: dict[str, Any], factors: dict[str, Fraction], suppliers: list[dict[str, Any]]) -> Fraction:
    terms = {role: factors[factor] for role, factor in part["factors"]}  # of a mean: those of its parts
    terms |= {name: Fraction(value) for name, value, _ in part["inputs"]}
    match part["formula"]:
        case "electricity.footprint/1":
            return terms["ef"] / 1000
        case "combustion.footprint/1":
            normal = Fraction("273.15") / (Fraction("273.15") + terms["temperature"])
            nm3 = normal * terms["pressure"] / Fraction("101.325") / 1000
            return nm3 / 10_000 * terms["ncv"] * terms["cc"] / 1000 * terms["of"] / 100 * Fraction(44, 12) * 1000
        case "ledger.footprint/1":
            return terms["gwp"] / 1000
        case "supplier.footprint/1":
            row = next(row for row in suppliers if part["id"] == f"supplier/{row['key']}")
            return Fraction(row["kg_co2e_per_unit"])
        case "mean.footprint/1":
            return terms["kg"] / terms["good"]
        case formula:
            raise AssertionError(formula)


def _document(**parts: Any) -> dict[str, Any]:
    data, _ = to_bytes(build_footprint(basis(**parts), "A", "A1", RELEASE))
    return json.loads(data)


def _agrees(document: dict[str, Any]) -> None:
    again = _again(document)
    assert {name: Fraction(document["result"][name]) for name in again} == again


def test_every_figure_can_be_computed_again_from_the_document() -> None:
    document = _document()
    _agrees(document)
    assert document["schema"] == "shutan.footprint/1"
    assert document["result"]["land_use_kg_co2e_per_declared_unit"] is None
    assert [(row["year"], row["uncertainty_pct"]) for row in document["supplier_inputs"]] == [
        (2024, "10"),
        (2022, None),
    ]
    assert document["cut_off"] == ["packing film, below 0.5 % of mass"]
    assert [row["id"] for row in document["factors"]] == [
        "FUELB-NATURALGAS-CC", "FUELB-NATURALGAS-NCV", "FUELB-NATURALGAS-OF", "PCF-ELEC-CN-2024",
    ]  # fmt: skip


def test_also_with_an_estimated_boundary_a_reset_and_taken_up_carbon() -> None:
    press = [reading for reading in SERIES["n1", "press", "active_energy_import_wh"] if reading[1] != 1_500_000]
    press = [(t_ns, register if register < 1_700_000 else register - 1_520_000) for t_ns, register in press]
    document = _document(
        series={**SERIES, ("n1", "press", "active_energy_import_wh"): press},
        suppliers=(supplier("s1", "wood", "0.3", "-1.7"), supplier("s2", "glue", "1/7", "2.3", primary=True)),
    )
    _agrees(document)
    assert document["result"]["estimated"] is True
    assert [part["carbon"] for part in document["components"]].count("biogenic") == 1
    assert document["meters"][0]["breaks"]


def test_also_with_an_own_intermediate_product() -> None:
    document = _document(plan=PLAN.replace('id = "A"\n', 'id = "A"\nmade_of = { B = 0.25 }\n'))
    _agrees(document)
    assert [part["stage"] for part in document["components"]].count("intermediate") == 1


def test_the_same_footprint_gives_the_same_bytes_and_any_change_another_hash() -> None:
    first, second = (to_bytes(build_footprint(basis(), "A", "A1", RELEASE)) for _ in range(2))
    other = to_bytes(build_footprint(basis(suppliers=()), "A", "A1", RELEASE))
    assert first == second
    assert first[1] != other[1]


def test_the_label_points_to_the_evidence() -> None:
    found = build_footprint(basis(), "A", "A1", RELEASE)
    _, digest = to_bytes(found)
    text = payload(found, digest)
    fields = parse_qs(urlsplit(text).query)
    assert fields == {
        "product": ["A"], "batch": ["A1"], "kgco2e": [shown(found.footprint_kg)], "per": ["1 piece"],
        "sha256": [digest],
    }  # fmt: skip
    svg = label_svg(found, digest, LedgerMark(412, "ab" * 32, "cd" * 32))
    root = ET.fromstring(svg)  # noqa: S314 - the project's own text
    shown_text = "".join(root.itertext())
    for part in ("支架A", "批次 batch A1", "kg CO2e / 1件 1 piece", "暂用", "#412 abababab", "cdcdcdcd", digest[:8]):
        assert part in shown_text
    assert svg == label_svg(found, digest, LedgerMark(412, "ab" * 32, "cd" * 32))


def test_a_long_name_keeps_off_the_code() -> None:
    plan = PLAN.replace('"1 piece"', f'"{"a very long declared unit " * 4}"')
    found = build_footprint(basis(plan=plan), "A", "A1", RELEASE)
    sizes = [
        (len(text.text or ""), Fraction(text.get("font-size", "")))
        for text in ET.fromstring(label_svg(found, "ab" * 32)).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314 - the project's own text
    ]
    (long,) = [size for length, size in sizes if length > 100 and size < 5]
    assert 0 < long < 4


def test_the_code_of_the_label_is_that_text() -> None:
    found = build_footprint(basis(), "A", "A1", RELEASE)
    _, digest = to_bytes(found)
    code = segno.make_qr(payload(found, digest), error="m")
    root = ET.fromstring(label_svg(found, digest))  # noqa: S314 - the project's own text
    path = root.findall(".//{http://www.w3.org/2000/svg}path")[0].get("d") or ""
    dots = {tuple(map(int, dot.split("h")[0].split())) for dot in path.split("M")[1:]}
    expected = {(x + 4, y + 4) for y, row in enumerate(code.matrix) for x, dark in enumerate(row) if dark}
    assert dots == expected


def test_figures_for_people_have_four_significant_digits() -> None:
    assert [shown(Fraction(text)) for text in ("12.34567", "0.0123456", "0", "-0.00098765", "4567.8915")] == [
        "12.346", "0.01235", "0.000", "-0.0009876", "4567.892",
    ]  # fmt: skip


_HOURS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 500), st.integers(0, 30)), min_size=1, max_size=6)
_KEYS = st.sampled_from(["mass", "machine_hours", "energy", "pieces", "value"])
_IDLE = st.sampled_from(['"next_batch"', '"unattributed"', '"by_key"\nidle_key = "machine_hours"'])


@given(batches=_HOURS, key=_KEYS, idle=_IDLE, steps=st.lists(st.integers(0, 5000), min_size=20, max_size=20))
@settings(max_examples=40, deadline=None)
def test_totals_are_conserved_over_products(
    batches: list[tuple[int, int, int]], key: str, idle: str, steps: list[int]
) -> None:
    """Batches, idle time and what nobody carries add up to the meters; shares add up to exactly 1, or to nothing."""
    start = at("2025-06-01T00:00")
    hour = 3600 * SECOND
    end = at("2025-07-01T00:00")
    press = [(start + (end - start) * number // 19, sum(steps[:number])) for number in range(20)]
    rows: list[Production] = []
    cursor = start
    for number, (hours, good, gap) in enumerate(batches):
        cursor += gap * hour
        name = f"{'AB'[number % 2]}{number}"
        rows.append(
            production(
                name, "2025-06-01T00:00", "2025-06-01T01:00", good, 1, start_ns=cursor, end_ns=cursor + hours * hour
            )
        )
        cursor += hours * hour
    plan = PLAN.replace('"next_batch"', idle).replace('key = "mass"', f'key = "{key}"')
    parts = basis(
        plan=plan, productions=tuple(rows), series={**SERIES, ("n1", "press", "active_energy_import_wh"): press}
    )
    days = window_of(parts.book, rows[0].product, rows[0].batch, Window.MONTH, parts.site)
    inventory = take_inventory(parts, days)
    machine = inventory.machines[0][0]
    assert sum(item.amount.value for item in machine.stretches) == machine.window.value == sum(steps[:19])
    for pool in inventory.pools:
        assert pool.allocation.attributed in {0, 1}
        assert sum(pool.share(batch.id) for batch in inventory.batches) + pool.unattributed == 1
    carried = sum((inventory.idle_wh(machine, batch.id) for batch in inventory.batches), Fraction())
    assert carried <= sum(item.amount.value for item in machine.stretches if item.kind.value == "idle")
    if "by_key" in idle:
        assert carried == sum(item.amount.value for item in machine.stretches if item.kind.value == "idle")
    made = [footprint_in(inventory, *batch.id, RELEASE) for batch in inventory.batches if _good(rows, batch.id)]
    for pool in inventory.pools:
        own = [part for found in made for part in found.components if part.id.startswith(f"shared/{pool.shared.id}/")]
        zero = sum((pool.share(batch.id) for batch in inventory.batches if not _good(rows, batch.id)), Fraction())
        total = sum((load.kg for load in pool.loads), Fraction())
        assert sum((part.kg for part in own), Fraction()) == total * (1 - pool.unattributed - zero)


def _good(rows: list[Production], batch: tuple[str, str]) -> bool:
    return any(row.good for row in rows if (row.product, row.batch) == batch)
