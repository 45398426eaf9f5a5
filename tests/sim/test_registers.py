"""What instruments can show of the plant: whole steps, a span, float32; the same in history and live."""

import struct
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_sim.books import OPEN_DAYS
from shutan_sim.devices import ENERGY_SPAN, ENERGY_STEP_WH, Device, Kind
from shutan_sim.distillery.layout import DEVICES, LAYOUT, workshops_layout
from shutan_sim.gauges import Gauges
from shutan_sim.instruments.instrument import Instrument
from shutan_sim.local_time import DAY_MS, HOUR_MS
from shutan_sim.plant import distillery
from shutan_sim.registers import FloatRegister, Register, build_registers

OPENED_MS = 1_774_972_800_000  # 2026-04-01 00:00 in Shanghai
PLANT = distillery(1, OPENED_MS, days_kept=70)
LIVE_MS = OPENED_MS + OPEN_DAYS * DAY_MS
WITHIN = st.integers(0, 64 * DAY_MS).map(lambda ms: OPENED_MS + ms)
BY_ID = {device.id: device for device in DEVICES}
ALL = [(device, metric) for device in DEVICES for metric in build_registers(device, PLANT)]
TOTALS = [(device, metric) for device, metric in ALL if "_import_t" not in metric]  # test_plant adds the tariffs up


@settings(deadline=None, max_examples=200)
@given(which=st.sampled_from(ALL), t_ms=WITHIN, later_ms=st.integers(0, HOUR_MS))
def test_registers_never_run_backwards_except_over_their_span(
    which: tuple[Device, str], t_ms: int, later_ms: int
) -> None:
    register = build_registers(which[0], PLANT)[which[1]]
    first, then = register.steps(t_ms), register.steps(t_ms + later_ms)
    assert 0 <= first < register.span
    assert (then - first) % register.span < register.span // 1000


def channel_of(device: Device, metric: str) -> tuple[str, int]:
    """(channel, permille of it) that a register counts."""
    if metric.startswith("reactive_energy_import"):
        return device.channel, device.tan_permille
    if metric == "active_energy_export_wh":
        return (device.reverse, 1000) if device.reverse else (device.channel, 0)
    if metric == "reactive_energy_export_varh":
        return device.channel, 0
    return "steam" if metric == "steam_heat_kj" else device.channel, 1000


@settings(deadline=None)
@given(which=st.sampled_from(TOTALS), t_ms=WITHIN, later_ms=st.integers(1, DAY_MS))
def test_consumption_by_register_is_the_plant_within_one_step(
    which: tuple[Device, str], t_ms: int, later_ms: int
) -> None:
    register = build_registers(which[0], PLANT)[which[1]]
    shown = (register.steps(t_ms + later_ms) - register.steps(t_ms)) % register.span
    channel, permille = channel_of(*which)
    turned = (PLANT.energy(channel, t_ms + later_ms) - PLANT.energy(channel, t_ms)) * permille
    assert abs(shown - Fraction(turned, 1000 * HOUR_MS * register.step * register.ratio)) <= 1


@pytest.mark.parametrize(
    ("device", "step_wh"), [("m-entry", 8000), ("m-bottling", 300), ("m-waste", 10), ("m-light", 1), ("m-office", 10)]
)
def test_each_instrument_shows_its_own_steps(device: str, step_wh: int) -> None:
    register = build_registers(BY_ID[device], PLANT)["active_energy_import_wh"]
    values = {register.value(LIVE_MS + i * 60_000) for i in range(240)}
    assert len(values) > 1
    assert {value % step_wh for value in values} <= {0} or isinstance(register, FloatRegister)
    assert register.step == ENERGY_STEP_WH[BY_ID[device].kind]


def test_pulses_come_in_whole_pulses() -> None:
    registers = build_registers(BY_ID["p-boiler"], PLANT)
    assert {name: (r.meter, r.value(LIVE_MS) % r.step, r.step) for name, r in registers.items()} == {
        "gas_volume_l": ("g-boiler", 0, 100),
        "steam_heat_kj": ("h-boiler", 0, 1000),
    }


@given(steps=st.integers(0, ENERGY_SPAN[Kind.SDM630] - 1))
def test_float_register_is_the_nearest_whole_unit_of_its_float(steps: int) -> None:
    register = FloatRegister("m", "x", lambda _: 0, step=10, ratio=1, start=0, span=ENERGY_SPAN[Kind.SDM630])
    shown = Fraction(struct.unpack(">f", struct.pack(">f", steps / 100))[0]) * 1000
    assert abs(register.shown(steps) - shown) <= Fraction(1, 2)
    assert register.kwh(steps) == float(shown / 1000)


@given(steps=st.integers(0, 10**9 - 2))
def test_float_register_does_not_fall_when_steps_rise(steps: int) -> None:
    register = FloatRegister("m", "x", lambda _: 0, step=10, ratio=1, start=0, span=10**9)
    assert register.shown(steps + 1) >= register.shown(steps)


@pytest.mark.parametrize("device", ["m-air", "m-light"])
def test_a_register_begins_again_within_the_default_history(device: str) -> None:
    register = build_registers(BY_ID[device], PLANT)["active_energy_import_wh"]
    begin, end = LIVE_MS - 30 * DAY_MS, LIVE_MS
    assert register.steps(end) < register.steps(begin)
    hours = [register.steps(t) for t in range(begin, end + 1, HOUR_MS)]
    assert sum(b < a for a, b in pairwise(hours)) == 1


def test_history_and_live_meet_in_the_same_register() -> None:
    """A fresh plant that was only asked for the live time continues what the history showed."""
    live = distillery(1, OPENED_MS)
    for device in DEVICES:
        then, now = build_registers(device, PLANT), build_registers(device, live)
        for metric, register in then.items():
            last_of_history, first_live = register.steps(LIVE_MS - 1), now[metric].steps(LIVE_MS)
            assert now[metric].steps(LIVE_MS - 1) == last_of_history
            assert (first_live - last_of_history) % register.span <= 1


def test_start_and_wrap_of_a_plain_register() -> None:
    register = Register("m", "x", lambda t: t * HOUR_MS, step=10, ratio=40, start=98, span=100)
    assert [register.steps(t) for t in (0, 399, 400, 800, 1200)] == [98, 98, 99, 0, 1]
    assert register.value(400) == 99 * 10 * 40


def test_gauges_agree_with_each_other_and_with_the_plant() -> None:
    for device in DEVICES:
        if device.kind is Kind.PULSE:
            continue
        gauges = Instrument(device, PLANT).gauges
        t_ms = LIVE_MS + 5 * HOUR_MS
        power = gauges.value("active_power_w", t_ms)
        assert power == PLANT.rate(device.channel, t_ms) - (PLANT.rate(device.reverse, t_ms) if device.reverse else 0)
        by_phase = sum(
            gauges.value(f"voltage_l{p}_v", t_ms)
            * gauges.value(f"current_l{p}_a", t_ms)
            * gauges.value(f"power_factor_l{p}", t_ms)
            for p in (1, 2, 3)
        )
        assert by_phase == pytest.approx(abs(power), rel=1e-9)
        assert 49.9 < gauges.value("frequency_hz", t_ms) < 50.1


def test_demand_is_the_mean_of_a_quarter_of_an_hour() -> None:
    gauges = Gauges(BY_ID["m-cold"], PLANT)
    mean = (PLANT.energy("cold", LIVE_MS) - PLANT.energy("cold", LIVE_MS - 900_000)) / 900_000
    assert gauges.value("active_power_demand_w", LIVE_MS) == pytest.approx(mean)
    assert gauges.value("active_power_demand_w", OPENED_MS) == 0.0


def test_layout_is_big_enough_and_has_the_heavy_node() -> None:
    assert len(LAYOUT.nodes) >= 8
    assert len(DEVICES) >= 15
    heavy = LAYOUT.of_node("n04")
    assert [len(device.metrics) for device in heavy] == [20, 20, 20]
    assert len({(device.node, device.address) for device in DEVICES}) == len(DEVICES)


def test_every_metric_that_a_node_asks_for_can_be_answered() -> None:
    for device in (*DEVICES, *workshops_layout(3).devices):
        instrument = Instrument(device, PLANT)
        assert set(device.metrics) <= set(instrument.registers) | instrument.gauges.names(), device.id
