"""A small factory by hand, in fractions; what is conserved; what is refused."""

from datetime import date
from fractions import Fraction

import pytest

from shutan_collector.activity.kinds import Refrigerant, RefrigerantMethod
from shutan_collector.errors import FootprintError, RequestError, SeriesError
from shutan_collector.factors.table import packaged_factors
from shutan_collector.footprint.build import build_footprint
from shutan_collector.footprint.rates import electricity_rate
from shutan_collector.footprint.result import Footprint, Stage
from support.accounting import at
from support.footprint import AS_OF, BATCHES, PLAN, PRESS, RELEASE, SERIES, SITE, SUPPLIERS, basis, production, supplier

EF = Fraction("0.5777")  # 2024, the latest issued on 2025-12-01
GAS_KG_PER_M3 = Fraction("273.15") / Fraction("293.15") / 10_000 * Fraction("21.62188809") * 1000


def _made(batch: str = "A1", **parts: object) -> Footprint:
    return build_footprint(basis(**parts), batch[0], batch, RELEASE)  # pyright: ignore[reportArgumentType] - parts by name


def test_the_first_batch_by_hand() -> None:
    """Weights: 4, 2, 2 h on the press; 100 x 2, 50 x 4, 40 x 2 = 480 kg processed."""
    found = _made()
    assert {part.id: part.kg for part in found.components} == {
        "machine/press/m-press": 400 * EF,
        "idle/press/m-press": 100 * EF,
        "shared/air/meter:m-air": 300 * Fraction(9, 10) * Fraction(4, 8) * EF,
        "shared/boiler/meter:g-boiler": 1000 * Fraction(200, 480) * GAS_KG_PER_M3,
        "supplier/s1": Fraction("1.5") * 100 * 2,
        "supplier/s2": Fraction("0.1") * 100 * 3,
    }
    total = (400 + 100 + 135) * EF + 1000 * Fraction(5, 12) * GAS_KG_PER_M3 + 300 + 30
    assert (found.good, found.scrap) == (90, 10)
    assert found.fossil_kg == total
    assert found.footprint_kg == total / 90
    assert found.primary_share == (total - 30) / total
    assert (found.biogenic_kg, found.provisional, found.estimated, found.exact) == (0, True, False, True)


def test_a_declared_unit_of_ten_pieces() -> None:
    found = _made("B1", suppliers=())
    total = (200 + 20 + 300 * Fraction(9, 10) / 4) * EF + 1000 * Fraction(200, 480) * GAS_KG_PER_M3
    assert found.fossil_kg == total
    assert found.footprint_kg == total / 50 * 10


def test_batches_idle_and_the_rest_add_up_to_what_was_metered() -> None:
    made = [_made(batch) for batch in ("A1", "B1", "A2")]
    used = sum(
        part.quantity for found in made for part in found.components if part.stage in {Stage.MACHINE, Stage.IDLE}
    )
    assert used + 30_000 == PRESS[-1][1] - PRESS[0][1]
    for pool in made[0].inventory.pools:
        shares = [pool.share(batch.id) for batch in made[0].inventory.batches]
        assert sum(shares) + pool.unattributed == 1
    assert [pool.unattributed for pool in made[0].inventory.pools] == [Fraction(1, 10), 0]


@pytest.mark.parametrize(
    ("key", "share"),
    [
        ("mass", Fraction(200, 480)),
        ("pieces", Fraction(100, 190)),
        ("value", 90 * Fraction(30) / (130 * 30 + 50 * Fraction("45.5"))),
        ("energy", Fraction(400, 800)),
        ("machine_hours", Fraction(4, 8)),
    ],
)
def test_every_key(key: str, share: Fraction) -> None:
    found = _made(plan=PLAN.replace('key = "mass"', f'key = "{key}"'))
    part = next(part for part in found.components if part.id.startswith("shared/boiler"))
    assert (part.share, part.rule) == (share, key)


def test_idle_energy_by_key_and_by_nobody() -> None:
    by_key = _made(plan=PLAN.replace('idle = "next_batch"', 'idle = "by_key"\nidle_key = "energy"'))
    idle = [part.quantity for part in by_key.components if part.stage is Stage.IDLE]
    assert idle == [Fraction(250_000 * 400, 800)]
    nobody = _made(plan=PLAN.replace("next_batch", "unattributed"))
    assert not [part for part in nobody.components if part.stage is Stage.IDLE]
    assert "idle" in {note.code for note in nobody.notes}


def test_a_boundary_without_a_near_reading_lies_on_the_line_and_is_marked() -> None:
    gap = [reading for reading in PRESS if reading[0] != at("2025-06-02T12:00")]
    found = _made(series={**SERIES, ("n1", "press", "active_energy_import_wh"): gap})
    part = found.components[0]
    # Between 08:00 (1,100,000) and 13:00 (1,520,000): four fifths of 420,000.
    assert (part.quantity, part.estimated, found.estimated) == (336_000, True, True)
    assert "estimated" in {note.code for note in found.notes}


def test_a_reading_within_the_tolerance_serves_both_sides() -> None:
    late = [(t_ns + 600 * 10**9 if register == 1_500_000 else t_ns, register) for t_ns, register in PRESS]
    found = _made(series={**SERIES, ("n1", "press", "active_energy_import_wh"): late})
    assert (found.components[0].quantity, found.estimated) == (400_000, False)


def test_no_reading_beyond_the_boundary_is_an_error_that_names_the_meter() -> None:
    short = PRESS[:-1]
    with pytest.raises(SeriesError, match="m-press: has no reading after 2025-07-01"):
        _made(series={**SERIES, ("n1", "press", "active_energy_import_wh"): short})


def test_a_register_that_wraps_inside_a_batch() -> None:
    site = SITE.replace('device = "press"\n', 'device = "press"\nrollover_wh = 1300000\nmax_per_hour = 150000\n')
    wrapped = [(t_ns, register % 1_300_000) for t_ns, register in PRESS]
    found = _made(site=site, series={**SERIES, ("n1", "press", "active_energy_import_wh"): wrapped})
    assert (found.components[0].quantity, found.exact) == (400_000, True)


def test_a_batch_over_the_months_end_counts_where_it_ends() -> None:
    last = production("A3", "2025-06-30T22:00", "2025-07-01T02:00", 10)
    press = [*PRESS[:-1], (at("2025-06-30T22:00"), 2_040_000), PRESS[-1], (at("2025-07-01T02:00"), 2_070_000)]
    series = {**SERIES, ("n1", "press", "active_energy_import_wh"): press}
    june = _made(productions=(*BATCHES, last), series=series).inventory
    machine = june.machines[0][0]
    assert [batch.batch for batch in june.batches] == ["A1", "B1", "A2"]
    kinds = {kind.value: machine.total(kind) for kind in {item.kind for item in machine.stretches}}
    assert kinds == {"batch": 800_000, "idle": 240_000, "carried_out": 10_000}
    assert machine.window.value == sum(kinds.values())


def test_a_batch_that_began_before_the_window_carries_its_energy_in() -> None:
    early = production("A0", "2025-05-31T22:00", "2025-06-01T02:00", 10)
    press = [(at("2025-05-31T22:00"), 980_000), PRESS[0], (at("2025-06-01T02:00"), 1_030_000), *PRESS[1:]]
    series = {**SERIES, ("n1", "press", "active_energy_import_wh"): press}
    found = _made("A0", productions=(early, *BATCHES), series=series)
    machine = found.inventory.machines[0][0]
    kinds = {kind.value: machine.total(kind) for kind in {item.kind for item in machine.stretches}}
    assert kinds == {"batch": 850_000, "idle": 220_000, "carried_in": 20_000}
    assert machine.window.value + kinds["carried_in"] == kinds["batch"] + kinds["idle"]


def test_a_day_as_the_window() -> None:
    press = [
        *PRESS[:1],
        (at("2025-06-02T00:00"), 1_060_000),
        *PRESS[1:5],
        (at("2025-06-03T00:00"), 1_760_000),
        *PRESS[5:],
    ]
    air = [(at("2025-06-02T00:00"), 0), (at("2025-06-03T00:00"), 12_000)]
    gas = [(at("2025-06-02T00:00"), 0), (at("2025-06-03T00:00"), 40_000)]
    series = {
        ("n1", "press", "active_energy_import_wh"): press,
        ("n1", "air", "active_energy_import_wh"): air,
        ("n2", "gas", "gas_volume_l"): gas,
    }
    found = _made(plan='[footprint]\nwindow = "day"\n' + PLAN, series=series)
    parts = {part.id: part for part in found.components}
    assert parts["idle/press/m-press"].quantity == 40_000
    assert parts["shared/air/meter:m-air"].share == Fraction(9, 10) * Fraction(4, 6)
    assert parts["shared/boiler/meter:g-boiler"].share == Fraction(200, 400)


def test_zero_good_output_is_an_error_line_and_no_division() -> None:
    scrapped = (production("A1", "2025-06-02T08:00", "2025-06-02T12:00", 0, 100), *BATCHES[1:])
    with pytest.raises(RequestError, match="A/A1: no good output: there is no footprint per unit"):
        _made(productions=scrapped)


def test_an_unknown_batch_names_what_there_is() -> None:
    with pytest.raises(RequestError, match="A/A9: no such batch among the production rows; batches: A1, A2"):
        _made("A9")
    with pytest.raises(RequestError, match="C/C1: no such batch among the production rows; products: A, B"):
        _made("C1")


def test_batches_that_overlap_on_a_machine_are_told_together_with_other_mistakes() -> None:
    twice = production("B2", "2025-06-02T11:00", "2025-06-02T14:00", 5)
    unknown = production("C1", "2025-06-04T11:00", "2025-06-04T14:00", 5, asset="lathe")
    with pytest.raises(FootprintError) as caught:
        _made(productions=(*BATCHES, twice, unknown))
    assert [str(problem).split(";")[0] for problem in caught.value.problems] == [
        "product: no [[product]] 'C', which batches are made of",
        "asset: no [[asset]] 'lathe', which batches run on",
        "asset press: A/A1 and B/B2 overlap (production.csv::B2)",
        "asset press: B/B2 and B/B1 overlap (production.csv::B1)",
    ]


def test_a_key_that_needs_the_mass_says_so() -> None:
    with pytest.raises(FootprintError, match="product B: mass_kg is needed: a load is shared by mass"):
        _made(plan=PLAN.replace("mass_kg = 4\n", ""))


def test_two_machines_in_a_row_count_their_output_once() -> None:
    plan = PLAN.replace('id = "A"\n', 'id = "A"\noutput_assets = ["press"]\n')
    plan += '\n[[asset]]\nid = "washer"\nmeters = []\nidle = "unattributed"\n'
    washed = production("A1", "2025-06-02T12:00", "2025-06-02T13:00", 88, 2, asset="washer")
    assert _made(plan=plan, productions=(*BATCHES, washed)).good == 90
    with pytest.raises(FootprintError, match="batch A1 has rows on press, washer: which one counts"):
        _made(plan=plan.replace('output_assets = ["press"]\n', ""), productions=(*BATCHES, washed))


def test_running_time_of_the_machine_replaces_the_length_of_the_batch() -> None:
    plan = PLAN.replace('idle = "next_batch"\n', 'idle = "next_batch"\nrun_time = { node = "n9", device = "plc" }\n')
    clock = [
        (at("2025-06-02T08:00"), 0),
        (at("2025-06-02T12:00"), 10_800),
        (at("2025-06-02T13:00"), 10_800),
        (at("2025-06-02T15:00"), 14_400),
        (at("2025-06-03T08:00"), 14_400),
        (at("2025-06-03T10:00"), 18_000),
    ]
    found = _made(plan=plan, series={**SERIES, ("n9", "plc", "run_time_s"): clock})
    air = found.inventory.pools[0].allocation
    assert [(batch[1], weight) for batch, weight in air.weights] == [("A1", 3), ("B1", 1), ("A2", 1)]


def test_a_submeter_needs_no_key_of_convenience() -> None:
    site = SITE + SITE[SITE.index('[[meter]]\nid = "m-air"') : SITE.index('[[meter]]\nid = "g-boiler"')].replace(
        '"m-air"', '"m-air-press"'
    ).replace('"m-entry"', '"m-air"').replace('device = "air"', 'device = "air-press"')
    plan = PLAN.replace('key = "machine_hours"', 'key = "submeter"\nsubmeters = { press = "m-air-press" }')
    behind = [(t_ns, count) for (t_ns, _), count in zip(PRESS, (0, 10, 70, 75, 85, 90, 110, 112), strict=True)]
    found = _made(site=site, plan=plan, series={**SERIES, ("n1", "air-press", "active_energy_import_wh"): behind})
    air = found.inventory.pools[0]
    assert air.share(("A", "A1")) == Fraction(9, 10) * Fraction(60, 90)


def test_of_several_supplier_rows_the_latest_that_is_not_later_than_the_batch() -> None:
    rows = (*SUPPLIERS, supplier("s3", "paint", "0.1", "5", year=2025), supplier("s4", "paint", "0.1", "9", year=2026))
    assert "supplier/s3" in {part.id for part in _made(suppliers=rows).components}
    twins = (*SUPPLIERS, supplier("s5", "paint", "0.1", "5", year=2022))
    with pytest.raises(FootprintError, match="s5: paint of 2022 stands twice"):
        _made(suppliers=twins)


def test_carbon_that_a_material_took_up_is_biogenic_and_in_no_total() -> None:
    plain, with_wood = _made(), _made(suppliers=(*SUPPLIERS, supplier("s6", "pallet wood", "0.2", "-1.5")))
    assert with_wood.fossil_kg == plain.fossil_kg
    assert with_wood.biogenic_kg == -Fraction("0.2") * 100 * Fraction("1.5")


def test_gate_to_gate_leaves_materials_out_and_says_so() -> None:
    found = _made(plan='[footprint]\nboundary = "gate-to-gate"\n' + PLAN)
    assert not [part for part in found.components if part.stage is Stage.SUPPLIER]
    assert found.primary_share == 1
    assert "gate_to_gate" in {note.code for note in found.notes}


def test_upstream_of_a_fuel_is_excluded_until_a_supplier_states_it() -> None:
    assert "upstream_excluded" in {note.code for note in _made().notes}
    stated = (*SUPPLIERS, supplier("s7", "upstream natural_gas", "0.3", "0.5"))
    assert "upstream_excluded" not in {note.code for note in _made(suppliers=stated).notes}


def test_no_other_electricity_factor_gets_into_a_footprint() -> None:
    table = packaged_factors()
    assert electricity_rate(table.electricity_footprint(2025, AS_OF)).kg_per_unit == EF / 1000
    wrong = (table.grid_co2("CN-SC", 2025, AS_OF), table.grid_residual(2025, AS_OF), table.grid_reporting(2025, AS_OF))
    for factor in wrong:
        with pytest.raises(TypeError, match="takes the life-cycle factor of electricity, not"):
            electricity_rate(factor)  # pyright: ignore[reportArgumentType] - the checker refuses it as well


def test_an_own_intermediate_product_carries_the_mean_of_its_batches() -> None:
    plan = PLAN.replace('id = "B"\n', 'id = "B"\nmade_of = { A = 3 }\n')
    made = [_made(batch, plan=plan) for batch in ("A1", "A2")]
    plain = _made("B1").fossil_kg
    whole = sum((found.fossil_kg for found in made), Fraction())
    paint = sum((part.kg for found in made for part in found.components if part.id == "supplier/s2"), Fraction())
    found = _made("B1", plan=plan)
    parts = {part.id: part for part in found.components if part.stage is Stage.INTERMEDIATE}
    assert {name: part.kg for name, part in parts.items()} == {
        "intermediate/A/primary": 3 * 50 * (whole - paint) / 130,
        "intermediate/A/secondary": 3 * 50 * paint / 130,
    }
    assert found.fossil_kg == plain + 3 * 50 * whole / 130
    assert found.primary_share == (found.fossil_kg - 150 * paint / 130) / found.fossil_kg
    assert "intermediate" in {note.code for note in found.notes}


def test_an_intermediate_that_was_not_made_in_the_window_is_named() -> None:
    plan = PLAN.replace('id = "A"\n', 'id = "A"\nmade_of = { B = 1 }\n')
    scrapped = (BATCHES[0], production("B1", "2025-06-02T13:00", "2025-06-02T15:00", 0, 50), BATCHES[2])
    with pytest.raises(FootprintError, match="product B: no good output of B from 2025-06-01 to 2025-06-30"):
        _made(plan=plan, productions=scrapped)


def _top_up(gas: str, kg: str) -> Refrigerant:
    zero = Fraction()
    return Refrigerant(
        key=gas, place=f"refrigerant.csv::{gas}", source="service", note="", gas=gas, equipment="chiller",
        start=date(2025, 6, 1), end=date(2025, 6, 30), method=RefrigerantMethod.TOP_UP, opening_kg=zero,
        bought_kg=zero, closing_kg=zero, recovered_kg=zero, topped_up_kg=Fraction(kg),
    )  # fmt: skip


def test_gases_of_documents_take_the_footprints_own_set_and_those_outside_the_seven_are_told() -> None:
    plan = PLAN + '\n[[shared]]\nid = "cooling"\nactivities = ["refrigerant"]\nkey = "pieces"\n'
    book = {"refrigerants": (_top_up("hfc-134a", "1.5"), _top_up("hcfc-22", "2"))}
    found = _made(plan=plan, book=book)
    (part,) = [part for part in found.components if part.id.startswith("shared/cooling/")]
    assert found.inventory.basis.site.gwp == "AR5"
    assert part.kg == Fraction("1.5") * 1530 * Fraction(100, 190)  # AR6; AR5 has 1300
    (note,) = [note for note in found.notes if note.code == "outside"]
    assert "refrigerant/hcfc-22" in note.en


def test_what_stands_behind_a_meter_is_deducted() -> None:
    entry = [(at("2025-06-01T00:00"), 0), (at("2025-07-01T00:00"), 2_000_000)]
    plan = PLAN.replace('["m-air"]', '["m-entry"]\nminus = ["m-press"]')
    found = _made(plan=plan, series={**SERIES, ("n1", "entry", "active_energy_import_wh"): entry})
    part = next(part for part in found.components if part.id == "shared/air/meter:m-entry-m-press")
    assert part.quantity == 2_000_000 - 1_050_000
    less = [(t_ns, register // 2) for t_ns, register in entry]
    with pytest.raises(FootprintError, match="shared air: m-entry counted less than the meters in minus: m-press"):
        _made(plan=plan, series={**SERIES, ("n1", "entry", "active_energy_import_wh"): less})


def test_the_order_of_rows_and_a_batch_in_two_rows_change_nothing() -> None:
    halves = (
        production("A1", "2025-06-02T08:00", "2025-06-02T10:00", 40, 5, key="a"),
        production("A1", "2025-06-02T10:00", "2025-06-02T12:00", 50, 5, key="b"),
    )
    split = _made(productions=(*reversed(BATCHES[1:]), *reversed(halves)), suppliers=tuple(reversed(SUPPLIERS)))
    assert {part.id: part.kg for part in split.components} == {part.id: part.kg for part in _made().components}
    assert split.footprint_kg == _made().footprint_kg
