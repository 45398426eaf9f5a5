"""Throughput, latency and memory, measured on the machine that runs it.

Each module has `main() -> Mapping[str, int | float | str]`, figure -> value with the unit in the name
(`values_per_cpu_s`, `rss_mb`, `heap_peak_b`), and may have `BARS`, figure -> ("at least" | "at most", value), the
bars that the project set itself. `python -m bench [NAME...] [--json]` runs them one after the other.
"""
