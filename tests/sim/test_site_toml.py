"""The shipped site model describes the instruments that really exist."""

from fractions import Fraction

from shutan_collector.site.file import load_site
from shutan_sim.devices import Kind
from shutan_sim.distillery.layout import DEVICES, LAYOUT
from shutan_sim.plant import distillery
from shutan_sim.registers import build_registers
from shutan_sim.simulation import SITE_TOML

SITE = load_site(SITE_TOML)


def test_every_meter_is_an_instrument_with_these_ratios_and_this_span() -> None:
    plant = distillery(1, 1_774_972_800_000)
    devices = {(device.node, device.id): device for device in DEVICES}
    for meter in SITE.meters:
        (place,) = meter.installations
        device = devices[place.node, place.device]
        register = build_registers(device, plant)[meter.metric]
        assert register.meter == meter.id
        assert (place.ct, place.pt) == (Fraction(device.ct), Fraction(device.pt))
        assert place.span == register.span * register.step * register.ratio
        assert meter.metric in device.metrics


def test_every_instrument_is_in_the_site_model() -> None:
    assert SITE.id == LAYOUT.site
    assert {(place.node, place.device) for meter in SITE.meters for place in meter.installations} == {
        (device.node, device.id) for device in DEVICES
    }
    pulse_modules = sum(device.kind is Kind.PULSE for device in DEVICES)
    assert len(SITE.meters) == len(DEVICES) + pulse_modules  # a pulse module carries two meters


def test_sub_meters_hang_on_the_entry() -> None:
    subs = [meter for meter in SITE.meters if meter.role == "sub"]
    assert {meter.parent for meter in subs} == {"m-entry"}
    assert {meter.id for meter in subs} == {device.id for device in DEVICES} - {"m-entry", "m-pv", "p-boiler"}
