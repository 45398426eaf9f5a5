"""docs/instruments.md is what the tree holds, and no instrument lacks its vector, simulator or documentation."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import instruments_page
from instruments_page import DRIVERS, PROFILES, SHEETS, problems

PROFILE = "eastron_sdm120"
DRIVER = "sht3x"


def test_the_page_is_what_the_tree_holds() -> None:
    text = (instruments_page.REPO / instruments_page.PAGE).read_text(encoding="utf-8")
    assert text == instruments_page.page(), instruments_page.COMMAND


def test_no_instrument_lacks_a_part() -> None:
    assert problems() == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One meter and one sensor with all that belongs to them."""
    whole = instruments_page.REPO
    shutil.copytree(whole / PROFILES / PROFILE, tmp_path / PROFILES / PROFILE)
    for place in (
        f"{DRIVERS}/{DRIVER}.py",
        f"{DRIVERS}/{DRIVER}.toml",
        "tests/vectors/sensors.jsonl",
        "tests/vectors/modbus.jsonl",
        "simulators/shutan_sim/chips/air.py",
        "docs/sensors.md",
        SHEETS,
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole / place, tmp_path / place)
    return tmp_path


def test_a_whole_tree_has_no_problems_and_a_row_each(tree: Path) -> None:
    assert problems(tree) == []
    text = instruments_page.page(tree)
    assert f"| [{PROFILE}](../{PROFILES}/{PROFILE}/README.md) | Eastron: SDM120-Modbus, SDM230-Modbus |" in text
    assert f"| `{DRIVER}` | Sensirion: " in text


def _without_vectors(tree: Path) -> None:
    file = tree / "tests/vectors/sensors.jsonl"
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if f'"{DRIVER}"' not in line]
    file.write_text("\n".join(lines), encoding="utf-8")


def _without_testcases(tree: Path) -> None:
    shutil.rmtree(tree / PROFILES / PROFILE / "testcases")


def _without(place: str) -> Callable[[Path], None]:
    return lambda tree: (tree / place).unlink()


def _replaced(place: str, old: str, new: str) -> Callable[[Path], None]:
    def change(tree: Path) -> None:
        text = (tree / place).read_text(encoding="utf-8")
        assert old in text
        (tree / place).write_text(text.replace(old, new), encoding="utf-8")

    return change


def _one_more_metric(tree: Path) -> None:
    file = tree / PROFILES / PROFILE / "profile.json"
    profile = json.loads(file.read_text(encoding="utf-8"))
    item = {"metric": "voltage_l2_v", "register": "0002", "type": "f32", "scale": [1, 1]}
    profile["reads"].append({"function": 4, "start": "0002", "count": 2, "items": [item]})
    file.write_text(json.dumps(profile), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_without_testcases, "testcases: no golden exchange"),
        (
            _replaced(f"{PROFILES}/{PROFILE}/testcases/running.json", '"source"', '"sauce"'),
            "testcases: no golden exchange",
        ),
        (_without(f"{PROFILES}/{PROFILE}/instrument.toml"), "simulator: there is no such file"),
        (_without(SHEETS), "simulator: there is no such file"),
        (_one_more_metric, "instrument.toml: no register for voltage_l2_v"),
        (_replaced(f"{PROFILES}/{PROFILE}/instrument.toml", "checked =", "# checked ="), "instrument.toml: no checked"),
        (_without(f"{PROFILES}/{PROFILE}/README.md"), "README.md: no page about it"),
        (_without(f"{PROFILES}/{PROFILE}/profile.json"), "profile.json: measures nothing"),
        (_without(f"{DRIVERS}/{DRIVER}.toml"), "no golden vector"),
        (_without(f"{DRIVERS}/{DRIVER}.py"), "no module with a constant DRIVER"),
        (_without_vectors, "no golden vector"),
        (_without("simulators/shutan_sim/chips/air.py"), "simulator: there is no such file"),
        (_replaced("docs/sensors.md", f"`{DRIVER}`", "it"), "no page names it"),
    ],
)
def test_a_part_that_is_missing_is_told(tree: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(tree)
    assert [one for one in problems(tree) if said in one]
