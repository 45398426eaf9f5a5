"""A tariff for tests: two years, a summer with a critical peak, a holiday, a worked Saturday, two price lists."""

TARIFF = """\
holidays = [2025-10-01]
workdays = [2025-10-11]

[[period]]
from = 2025-01-01
to = 2025-12-31
source = "made up for tests"

[[period.day]]
months = [1, 2, 3, 4, 5, 6, 9, 10, 11, 12]
days = ["workday"]
windows = { "23:00-07:00" = "valley", "07:00-10:00" = "flat", "10:00-18:00" = "peak", "18:00-23:00" = "flat" }

[[period.day]]
months = [1, 2, 3, 4, 5, 6, 9, 10, 11, 12]
days = ["weekend", "holiday"]
windows = { "00:00-24:00" = "deep_valley" }

[[period.day]]
months = [7, 8]
[period.day.windows]
"00:00-07:00" = "valley"
"07:00-10:00" = "flat"
"10:00-12:00" = "peak"
"12:00-15:00" = "flat"
"15:00-17:00" = "sharp"
"17:00-21:00" = "peak"
"21:00-23:00" = "flat"
"23:00-24:00" = "valley"

[[period]]
from = 2026-01-01
to = 2026-12-31
source = "made up for tests"

[[period.day]]
windows = { "08:00-20:00" = "peak", "20:00-08:00" = "valley" }

[[price]]
from = 2025-01-01
to = 2025-06-30
source = "made up for tests"
peak_yuan_per_kwh = 1.0412
flat_yuan_per_kwh = 0.6508
valley_yuan_per_kwh = 0.2603

[[price]]
from = 2025-07-01
to = 2026-12-31
source = "made up for tests"
flat_yuan_per_kwh = 0.6508
"""
