"""The distillery in quarter hours, with the equipment behind its meters: integers of rate x minutes.

`UNITS` of them are one Wh, one L or one kJ. Within a quarter the plant is uniform. Every level adds up:

    entry + roof - export = sum of the sub-units + transformer and cable losses
    a sub-unit            = its equipment + what nobody meters (1-3 %)
    bought steam, water   = their branches + losses of the pipes
"""

from collections.abc import Mapping

from shutan_sim.loads import STEAM_KJ_PER_KG, day_of_distillery

__all__ = ["QUARTERS_A_DAY", "QUARTER_MIN", "UNITS", "Quarters", "part_of", "quarters_of_day"]

UNITS = 60
QUARTER_MIN = 15
QUARTERS_A_DAY = 96

Quarters = list[int]  # 96 of one day

# Channel -> its branches with their usual share in permille; what is left of 1000 is not metered.
_BRANCHES = {
    "dist_1": (("dist_1_hoist", 290), ("dist_1_fan", 430), ("dist_1_pump", 262)),
    "dist_2": (("dist_2_hoist", 285), ("dist_2_fan", 425), ("dist_2_pump", 271)),
    "bottling": (("bottling_fill", 410), ("bottling_wash", 560)),
    "air": (("air_1", 560), ("air_2", 430)),
    "cold": (("cold_1", 520), ("cold_2", 465)),
    "wastewater": (("wastewater_blower", 640),),
    "steam": (("steam_1", 492), ("steam_2", 478)),
}
_SWING = 41  # the first two branches exchange up to half of it, in permille


def part_of(energy: int, minutes: int) -> int:
    """What passes in the first `minutes` (0..15) of a quarter."""
    return energy * minutes // QUARTER_MIN


def _swings(day: int) -> list[int]:
    return [(quarter * 37 + day * 11) % _SWING - _SWING // 2 for quarter in range(QUARTERS_A_DAY)]


def quarters_of_day(seed: int, day: int) -> dict[str, Quarters]:
    """All channels of one local day (day number since 1970-01-01)."""
    found = {
        name: [sum(rates[at : at + QUARTER_MIN]) for at in range(0, len(rates), QUARTER_MIN)]
        for name, rates in day_of_distillery(seed, day).items()
    }
    swings = _swings(day)
    for parent, branches in _BRANCHES.items():
        whole = found[parent]
        for number, (name, share) in enumerate(branches):
            sign = (1, -1, 0)[number] if len(branches) > 1 else 0
            found[name] = [energy * (share + sign * swing) // 1000 for energy, swing in zip(whole, swings, strict=True)]
    found |= _derived(found)
    return found


def _derived(found: Mapping[str, Quarters]) -> dict[str, Quarters]:
    """What runs along with the electricity: compressed air (37 kW make 360 m3/h), bought steam, water."""
    wash = [watts * 12 for watts in found["bottling"]]
    koji = [watts * 8 for watts in found["koji"]]
    process = [(one + two) // 20 for one, two in zip(found["dist_1"], found["dist_2"], strict=True)]
    cooling = [watts * 12 // 100 for watts in found["cooling"]]
    boiler = [heat * 105 // (STEAM_KJ_PER_KG * 100) for heat in found["steam"]]
    return {
        "air_volume": [watts * 97 // 10 for watts in found["air"]],
        "steam_wash": wash,
        "steam_koji": koji,
        "steam_bought": [sum(branches) * 1030 // 1000 for branches in zip(wash, koji, strict=True)],
        "water_process": process,
        "water_cooling": cooling,
        "water_boiler": boiler,
        "water": [sum(branches) * 1040 // 1000 for branches in zip(process, cooling, boiler, strict=True)],
    }
