"""A driver has its description, vector, simulator and page, and its description says what the code does."""

import importlib
import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from shutan_node.config import load
from shutan_wire import catalogue
from support.places import REPO

if TYPE_CHECKING:
    from shutan_node.drivers.driver import Driver

FOLDER = REPO / "firmware/shutan_node/drivers"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if "\nDRIVER = " in path.read_text(encoding="utf-8"))
KEYS = {
    "name", "name_zh", "maker", "bus", "metrics", "range", "accuracy", "source", "vectors", "simulator", "doc",
}  # fmt: skip


def described(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def test_every_description_has_its_driver() -> None:
    assert len(NAMES) >= 4
    assert sorted(path.stem for path in FOLDER.glob("*.toml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_driver_has_its_parts(name: str) -> None:
    found = described(name)
    assert set(found) == KEYS
    assert all(found[key] for key in KEYS - {"metrics"})
    driver: type[Driver] = importlib.import_module(f"shutan_node.drivers.{name}").DRIVER
    assert found["bus"] == driver.BUS
    assert [metric for metric in found["metrics"] if catalogue.by_name(metric) is None] == []
    for key in ("vectors", "simulator", "doc"):
        assert (REPO / found[key]).is_file()
    lines = (REPO / found["vectors"]).read_text(encoding="utf-8").splitlines()
    vectors = [json.loads(line) for line in lines if json.loads(line)["driver"] == name]
    assert vectors
    if found["metrics"]:
        assert {row[0] for vector in vectors for row in vector["expect"]} <= set(found["metrics"])
    assert f"\n### `{name}`" in (REPO / found["doc"]).read_text(encoding="utf-8")


def test_the_example_of_the_page_is_right() -> None:
    text = (REPO / "docs/sensors.md").read_text(encoding="utf-8")
    part: dict[str, Any] = json.loads(text.split("```json\n")[1].split("```")[0])
    whole = {"site": "s", "node": "n", "broker": {"host": "b"}, "time": {"host": "t"}, **part}
    config = load(json.dumps(whole))
    buses = {bus["id"]: bus["kind"] for bus in config["buses"]}
    used: set[str] = set()
    for device in config["devices"]:
        module = importlib.import_module(f"shutan_node.drivers.{device['driver']}")
        driver: Driver = module.DRIVER(device["device"], device["address"] or 0, device["options"])
        assert buses[device["bus"]] == driver.BUS, device["device"]
        used.add(device["driver"])
    assert used == set(NAMES), "the example shows every driver"
