"""What others see of the plant, day by day: the utility's tariff bands and demand, the boiler, the lines' output."""

from collections.abc import Mapping
from datetime import date

from shutan_sim.year.plant import UNITS, Quarters
from shutan_sim.year.tariff import bands_of

__all__ = ["Observers"]


class Observers:
    """Sums per day, all from the plant itself.

    bought_wh   by band, of grid import; whole Wh by carrying the remainder from band to band of the same name
    demand_w    highest mean power of a quarter
    """

    def __init__(self, start: date, days: int) -> None:
        self.start, self.days = start, days
        self.bought_wh: dict[date, dict[str, int]] = {}
        self.demand_w: dict[date, int] = {}
        self.daily: dict[date, dict[str, int]] = {}
        self._carry: dict[str, int] = {}

    def day(self, day: date, channels: Mapping[str, Quarters]) -> None:
        """Look at one day."""
        bought = channels["grid_import"]
        sums: dict[str, int] = {}
        for band, energy in zip(bands_of(day), bought, strict=True):
            sums[band] = sums.get(band, 0) + energy
        found: dict[str, int] = {}
        for band, energy in sums.items():
            found[band], self._carry[band] = divmod(self._carry.get(band, 0) + energy, UNITS)
        self.bought_wh[day] = found
        self.demand_w[day] = max(bought) // 15
        names = ("gas", "steam", "steam_bought", "dist_1", "dist_2", "bottling")
        self.daily[day] = {name: sum(channels[name]) // UNITS for name in names}
