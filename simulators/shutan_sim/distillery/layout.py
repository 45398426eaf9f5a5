"""Nodes and instruments of the distillery. `site.toml` beside it is the site model of the same meters."""

from shutan_sim.devices import Device, Kind, Layout

SITE = "jiuniang"

_POWER = ("active_power_w", "power_factor")
_TARIFFS = (
    "active_energy_import_t1_wh",
    "active_energy_import_t2_wh",
    "active_energy_import_t3_wh",
    "active_energy_import_t4_wh",
)
_BASIC = ("active_energy_import_wh", "reactive_energy_import_varh", *_POWER, "voltage_l1_v", "current_l1_a")
_ENTRY = (
    "active_energy_import_wh",
    *_TARIFFS,
    "active_energy_export_wh",
    "reactive_energy_import_varh",
    *_POWER,
    "reactive_power_var",
    "frequency_hz",
    "active_power_demand_w",
    "voltage_l1_v",
    "current_l1_a",
)
_SDM = (
    "active_energy_import_wh",
    "active_energy_export_wh",
    "reactive_energy_import_varh",
    "reactive_energy_export_varh",
    *_POWER,
    "frequency_hz",
    "voltage_l1_v",
    "voltage_l2_v",
    "voltage_l3_v",
    "current_l1_a",
    "current_l2_a",
    "current_l3_a",
)
# The heavy node: 3 three-phase meters with 20 metrics each.
_FULL = (
    *_SDM,
    "active_power_l1_w",
    "active_power_l2_w",
    "active_power_l3_w",
    "reactive_power_var",
    "apparent_power_va",
    "current_n_a",
    "voltage_l1_l2_v",
)
_PZEM = ("active_energy_import_wh", *_POWER, "voltage_l1_v", "current_l1_a", "frequency_hz")
_ONE_PHASE = (1000, 0, 0)

DEVICES = (
    Device(
        "m-entry", "n01", Kind.DLT645, "202604010001", "grid_import", _ENTRY, "grid_export",
        ct=8, pt=100, tan_permille=330, start=512_340,
    ),
    Device("m-pv", "n02", Kind.SDM630, "1", "pv", _SDM, ct=1, tan_permille=0, start=1_284_500),
    Device("m-boiler", "n03", Kind.SDM630, "1", "boiler_aux", _SDM, start=843_210),
    Device(
        "p-boiler", "n03", Kind.PULSE, "2", "gas", ("gas_volume_l", "steam_heat_kj"),
        pulses={"gas_volume_l": ("g-boiler", "gas", 4_210_377), "steam_heat_kj": ("h-boiler", "steam", 13_402_118)},
    ),
    Device("m-dist1", "n04", Kind.SDM630, "1", "dist_1", _FULL, start=2_310_770),
    Device("m-dist2", "n04", Kind.SDM630, "2", "dist_2", _FULL, start=2_277_014),
    Device("m-cool", "n04", Kind.SDM630, "3", "cooling", _FULL, start=996_431),
    Device("m-bottling", "n05", Kind.DLT645, "202604010005", "bottling", _BASIC, ct=30, start=151_200),
    Device("m-packing", "n05", Kind.DLT645, "202604010006", "packing", _BASIC[:4], phases=_ONE_PHASE, start=310_240),
    # 999,140.00 kWh on the first day: this register begins again at 0 in the middle of the default history
    Device("m-air", "n06", Kind.DLT645, "202604010007", "air", _BASIC, ct=20, start=99_914_000),
    Device("m-cold", "n07", Kind.DLT645, "202604010008", "cold", _BASIC, ct=20, start=340_015),
    # 9999.999 kWh is the most this module shows: it begins again there, too
    Device("m-light", "n08", Kind.PZEM, "8", "lighting", _PZEM, tan_permille=250, phases=_ONE_PHASE, start=4_635_417),
    Device("m-office", "n08", Kind.SDM630, "9", "office", _SDM, start=610_004),
    Device("m-koji", "n09", Kind.DLT645, "202604010009", "koji", _BASIC, ct=40, start=228_700),
    Device("m-waste", "n10", Kind.DLT645, "202604010010", "wastewater", _BASIC, start=7_120_000),
)  # fmt: skip

LAYOUT = Layout(SITE, DEVICES)


def workshops_layout(count: int, site: str = "lab", interval_s: int = 10) -> Layout:
    """`count` nodes s001.. with one meter each: two of three speak DL/T 645, the third Modbus."""
    devices: list[Device] = []
    for i in range(1, count + 1):
        channel, node = f"load_{i}", f"s{i:03d}"
        if i % 3:
            devices.append(Device("m1", node, Kind.DLT645, f"{900_000_000_000 + i}", channel, _BASIC, start=1_000 * i))
        else:
            devices.append(Device("m1", node, Kind.SDM630, "1", channel, _SDM, start=1_000 * i))
    return Layout(site, tuple(devices), interval_s=interval_s)
