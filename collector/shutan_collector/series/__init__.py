"""Series readers, chosen by the address of the store."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_collector.series.base import SeriesReader

__all__ = ["open_reader"]

# Kind of store -> module and factory; imported when it is first asked for.
_KINDS: Final = {
    "sqlite": ("shutan_collector.series.sqlite", "SqliteReader"),
    "influxdb1": ("shutan_collector.series.influxql", "InfluxqlReader"),
    "csv": ("shutan_collector.series.csv", "CsvReader"),
}


def open_reader(address: str, option: str = "--store") -> SeriesReader:
    """The reader for `sqlite:PATH`, `csv:PATH` (or a bare path that ends in .csv), `influxdb1:http://HOST:PORT/DATABASE`.

    option   what a person gave the address with

    Raises RequestError for an address that says nothing or names no store,
    StoreUnavailableError if the store cannot be opened, SeriesFileError for a file with malformed rows.
    """
    kind, _, rest = address.partition(":")
    if kind not in _KINDS and address.endswith(".csv"):
        kind, rest = "csv", address
    if kind not in _KINDS or not rest:
        accepted = "sqlite:PATH, csv:PATH or influxdb1:http://HOST:PORT/DATABASE"
        raise RequestError(option, f"{address!r} is not a store address; give {accepted}")
    module, name = _KINDS[kind]
    factory: Callable[[str], SeriesReader] = getattr(import_module(module), name)
    return factory(rest)
