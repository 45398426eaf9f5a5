"""`budget.toml`: carbon and energy budgets of the year, invented so that a warning comes before its end."""

from datetime import date

from shutan_sim.year.observers import Observers

__all__ = ["budget_toml"]


def budget_toml(start: date, observers: Observers) -> str:
    """The file. Budgets follow what the plant bought, less five percent, so that a forecast has something to say."""
    bought_wh = sum(sum(bands.values()) for bands in observers.bought_wh.values())
    gas_l = sum(day["gas"] for day in observers.daily.values())
    # 0.5 kg a kWh and 2 kg a m3 are round figures to size the budget by; the account uses the factor table.
    total_t = (bought_wh // 2_000_000 + gas_l * 2 // 1_000_000) * 95 // 100
    return f"""\
# Budgets 碳排放预算 of the simulated site; figures are invented.

[[budget]]
id = "total"
name = "Carbon, whole site"
name_zh = "全厂碳排放"
period = "{start.year}"
limit_t = {max(total_t, 1)}
"""
