"""Rows for tests of stores and delivery."""

from collections.abc import Iterable, Mapping

from shutan_gateway.rows import Row, Value

T0_NS = 1_795_000_000_000_000_000  # 2026-11-18, UTC
SECOND_NS = 1_000_000_000


def row(
    values: Mapping[str, Value],
    *,
    at: int = 0,
    device: str = "m-entry",
    node: str = "n01",
    site: str = "jiuniang",
    family: str = "energy",
    record: int | None = 1,
    boot: int | None = 2**63 + 5,
    qualities: Mapping[str, int] | None = None,
) -> Row:
    """A row with values by name, `at` nanoseconds after T0_NS."""
    return Row(
        family,
        site,
        node,
        device,
        T0_NS + at,
        record,
        boot,
        T0_NS // 1_000_000 + 7,
        tuple(values),
        tuple(values.values()),
        tuple((qualities or {}).items()),
    )


def series(count: int, *, device: str = "m-entry", first: int = 1) -> list[Row]:
    """Rows of one meter, one a second; they share their metrics tuple, as rows from the decoder do."""
    names = ("active_energy_import_wh", "active_power_w")
    numbers: Iterable[int] = range(first, first + count)
    return [
        row({}, at=n * SECOND_NS, device=device, record=n)._replace(metrics=names, values=(1000 + n, n / 2))
        for n in numbers
    ]
