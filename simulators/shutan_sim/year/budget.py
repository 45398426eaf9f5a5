"""`budget.toml`: carbon budgets of the year, invented a little too small, so that a warning comes in time."""

from datetime import date

from shutan_sim.year.observers import Observers

__all__ = ["budget_toml"]

_YEAR_DAYS = 365
_TIGHT_PERCENT = 97
_OTHER_KG_A_DAY = 1300  # coal, diesel and methane of the waste water, about
# Round figures to size the budget by; the account takes its own from the factor table.
_KG_PER_MWH, _KG_PER_1000_M3, _KG_PER_GJ = 156, 2000, 110
_BOTTLES_PER_MWH = 45_000


def budget_toml(start: date, observers: Observers) -> str:
    """The file, for the calendar year of the first day; a shorter run is taken as a sample of it."""
    days = len(observers.daily)
    bought_wh = sum(sum(bands.values()) for bands in observers.bought_wh.values())
    gas_l, heat_kj, filling_wh = (
        sum(day[name] for day in observers.daily.values()) for name in ("gas", "steam_bought", "bottling")
    )
    kg = bought_wh * _KG_PER_MWH // 10**6 + gas_l * _KG_PER_1000_M3 // 10**6 + heat_kj * _KG_PER_GJ // 10**6
    year_t = (kg * _YEAR_DAYS // days + _OTHER_KG_A_DAY * _YEAR_DAYS) * _TIGHT_PERCENT // 100_000
    bottles = filling_wh * _BOTTLES_PER_MWH // 10**6 * _YEAR_DAYS // days
    return f"""\
# Carbon budgets 碳排放预算 of the simulated site; figures are invented.

[budget]
year = {start.year}
name = "{start.year} plan (simulated)"
covers = "scope 1 + scope 2 location-based"
tolerance_pct = 3

[[line]]
key = "site"
basis = "total"
annual = {max(year_t, 1)}
volume = {{ basis = "product", product = "baijiu-500", annual = {max(bottles, 1)} }}

[[line]]
key = "per bottle"
basis = "product"
product = "baijiu-500"
annual = "{year_t * 1000 * 1000 // max(bottles, 1) // 1000}.{year_t * 1000 * 1000 // max(bottles, 1) % 1000:03d}"
"""
