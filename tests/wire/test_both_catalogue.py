"""Look-ups in the metric catalogue and giving its text back."""

import sys

from shutan_wire import catalogue

NODE = sys.implementation.name == "micropython"


def test_look_up_by_name_and_id():
    metric = catalogue.by_name("active_power_w")
    assert metric is not None
    assert metric == catalogue.by_id(30)
    assert metric.quantity == "active power"
    assert (metric.unit, metric.kind, metric.datatype, metric.family) == ("W", "gauge", 9, "energy")
    assert (metric.low, metric.high) == (-2e9, 2e9)


def test_first_and_last_line_are_found():
    every = list(catalogue.all_metrics())
    assert len(every) > 100
    for metric in (every[0], every[-1]):
        assert catalogue.by_name(metric.name) == metric
        assert catalogue.by_id(metric.id) == metric


def test_only_whole_names_and_ids_are_found():
    for name in ("", "power", "active_power", "active_power_w ", "1", "1 active_energy_import_wh", "W", "energy", "\n"):
        assert catalogue.by_name(name) is None, name
    for number in (0, -1, 240, 255, 256, 999999):
        assert catalogue.by_id(number) is None, number


def test_counters_are_exact_integers():
    metric = catalogue.by_name("steam_heat_kj")
    assert metric is not None
    assert isinstance(metric.high, int)
    assert metric.high == 10**15


def test_text_is_given_back_and_loaded_again():
    text = "shutan_wire.catalogue_table"
    assert catalogue.by_id(1) is not None
    catalogue.release()
    assert text not in sys.modules
    catalogue.release()
    found = list(catalogue.all_metrics())
    assert text in sys.modules
    assert len(found) > 100
    if NODE:  # there each look-up reads the text
        catalogue.release()
        assert catalogue.by_name("uptime_s") is not None
        assert text in sys.modules
