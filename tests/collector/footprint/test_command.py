"""`shutan footprint` on plain files: the small factory, and docs/footprint.md on the simulated distillery."""

import json
import re
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from shutan_collector.commands.footprint import app
from shutan_collector.evidence.keys import create_key
from shutan_collector.footprint.document import SCHEMA
from shutan_collector.ledger.store import open_ledger
from shutan_collector.periods import iso
from support.accounting import SHANGHAI
from support.footprint import PLAN, SERIES, SITE
from support.places import REPO
from support.year import make_year

RUN = CliRunner()
PRODUCTION = """\
key,product,batch,start,end,asset,line,good,scrap,unit,source
p1,A,A1,2025-06-02 08:00,2025-06-02 12:00,press,L1,90,10,piece,MES
p2,B,B1,2025-06-02 13:00,2025-06-02 15:00,press,L1,50,0,piece,MES
p3,A,A2,2025-06-03 08:00,2025-06-03 10:00,press,L1,40,0,piece,MES
"""
SUPPLIER = """\
key,product,material,quantity,unit,factor,geography,year,primary,uncertainty [%],source
s1,A,steel sheet,1.5,kg,2,CN-SC,2024,yes,10,sheet 1
s2,A,paint,0.1,kg,3,CN-SC,2022,no,30,sheet 2
"""


@pytest.fixture
def works(tmp_path: Path) -> Path:
    """Folder with site, plan, activities and readings of the small factory."""
    (tmp_path / "site.toml").write_text(SITE, encoding="utf-8")
    (tmp_path / "footprint.toml").write_text(PLAN, encoding="utf-8")
    (tmp_path / "activity").mkdir()
    (tmp_path / "activity" / "production.csv").write_text(PRODUCTION, encoding="utf-8")
    (tmp_path / "activity" / "supplier_input.csv").write_text(SUPPLIER, encoding="utf-8")
    lines = [
        f"{iso(t_ns, SHANGHAI)},{node},{device},{metric},{register}"
        for (node, device, metric), readings in SERIES.items()
        for t_ns, register in readings
    ]
    (tmp_path / "readings.csv").write_text(
        "\n".join(["time,node,device,metric,register", *lines, ""]), encoding="utf-8"
    )
    return tmp_path


def _options(folder: Path, product: str = "A", batch: str = "A1", **more: str) -> list[str]:
    options = {
        "site": str(folder / "site.toml"), "activity": str(folder / "activity"), "as-of": "2025-12-01",
        "series": str(folder / "readings.csv"), "product": product, "batch": batch, **more,
    }  # fmt: skip
    return [text for name, value in options.items() for text in (f"--{name}", value)]


def test_three_files_that_belong_together(works: Path) -> None:
    done = RUN.invoke(app, [*_options(works, out=str(works / "out")), "--json"])
    assert done.exit_code == 0, done.output
    written = {path.name: path.read_bytes() for path in (works / "out").iterdir()}
    assert sorted(written) == ["footprint.json", "footprint.pdf", "label.svg"]
    assert written["footprint.json"] == done.stdout.encode()
    document = json.loads(done.stdout)
    assert (document["schema"], document["batch"]) == (SCHEMA, "A1")
    assert round(Fraction(document["result"]["kg_co2e_per_declared_unit"]), 6) == Fraction("17.069859")
    text = "".join(page.extract_text() for page in PdfReader(works / "out" / "footprint.pdf").pages)
    for part in ("产品碳足迹数据单", "17.070", "PCF-ELEC-CN-2024", "machine_hours", "packing film", "一级数据"):
        assert part in text
    assert "17.070" in written["label.svg"].decode()


def test_the_same_files_give_the_same_bytes(works: Path) -> None:
    for name in ("one", "two"):
        assert RUN.invoke(app, _options(works, out=str(works / name))).exit_code == 0
    for path in (works / "one").iterdir():
        assert path.read_bytes() == (works / "two" / path.name).read_bytes(), path.name


def test_a_person_sees_the_parts_and_the_remarks(works: Path) -> None:
    shown = RUN.invoke(app, _options(works)).stdout
    assert shown.startswith("支架A A1: 17.070 kg CO2e\nper 1 piece; batch 1536.287 kg CO2e, 90.000 good\n")
    for part in (
        "machine/press/m-press",
        "shared/boiler/meter:g-boiler",
        "- natural_gas: combustion only",
        "document sha256 ",
    ):
        assert part in shown


def test_the_ledgers_head_and_the_key_stand_on_the_label(works: Path) -> None:
    with open_ledger(f"sqlite:{works / 'ledger.db'}", create=True):
        pass
    key = create_key(works / "site.key")
    more = {"ledger": f"sqlite:{works / 'ledger.db'}", "key": str(works / "site.key"), "out": str(works / "out")}
    assert RUN.invoke(app, _options(works, **more)).exit_code == 0
    label = (works / "out" / "label.svg").read_text(encoding="utf-8")
    assert f"密钥指纹 key {key.fingerprint[:8]} {key.fingerprint[8:16]}" in label
    assert "chain head #0 00000000" in label
    alone = RUN.invoke(app, _options(works, ledger=more["ledger"], out=str(works / "no")))
    assert (alone.exit_code, (works / "no").exists()) == (2, False)
    assert "--ledger, --key: a label shows chain head and key together; give both" in alone.stderr


def _break(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        (("activity/production.csv", ",90,10,", ",0,100,"), {}, "A/A1: no good output"),
        (("footprint.toml", '"m-press"', '"m-lost"'), {}, "asset press meters: no meter 'm-lost'"),
        (("footprint.toml", "mass_kg = 4", ""), {}, "product B: mass_kg is needed"),
        (("site.toml", "", ""), {"batch": "A9"}, "A/A9: no such batch"),
        (
            ("site.toml", "", ""),
            {"as-of": "2024-06-30"},
            "electricity_footprint/co2e_life_cycle for CN 2025: no factor",
        ),
        (("site.toml", "", ""), {"plan": "lost.toml"}, "no such footprint plan"),
        (("site.toml", "", ""), {"fonts": "lost"}, "--fonts: lost is not a folder"),
        (("site.toml", "", ""), {"factor-release": "2031.9"}, "2031.9: no such factor release"),
    ],
)
def test_a_mistake_is_one_clear_line_and_nothing_is_written(
    works: Path, change: tuple[str, str, str], more: Mapping[str, str], said: str
) -> None:
    _break(works, *change)
    done = RUN.invoke(app, _options(works, **{"out": str(works / "out"), **more}))
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (works / "out").exists()


@pytest.fixture(scope="module")
def distillery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of the simulated distillery with the plan of docs/footprint.md."""
    folder = tmp_path_factory.mktemp("distillery")
    make_year(folder, date(2025, 5, 31), 32, kinds=())
    return folder


def test_the_distillery_brings_the_documented_plan(distillery: Path) -> None:
    page = (REPO / "docs" / "footprint.md").read_text(encoding="utf-8")
    (plan,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert (distillery / "footprint.toml").read_text(encoding="utf-8") == plan


def test_the_documented_plan_on_a_month_of_the_distillery(distillery: Path) -> None:
    options = _options(distillery, "baijiu-500", "B-250610")
    done = RUN.invoke(app, [*options, "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert 0 < Fraction(document["result"]["kg_co2e_per_declared_unit"]) < 4
    assert {part["stage"] for part in document["components"]} == {
        "machine", "idle", "shared", "supplier", "intermediate",
    }  # fmt: skip
    for load in document["shared"]:
        shares = sum(Fraction(share) for *_, share in load["weights"])
        assert shares == 1
        assert Fraction(load["unattributed"]) == 1 - Fraction(load["attributable"])
    for machine in document["machines"]:
        assert sum(item["value"] for item in machine["stretches"]) == machine["window"]
    liquor = RUN.invoke(app, [*_options(distillery, "base-liquor", "L1-250610"), "--json"])
    parts = json.loads(liquor.stdout)["components"]
    assert [part["id"] for part in parts if part["carbon"] == "biogenic"]
    boiler = next(part for part in parts if part["id"].startswith("shared/boiler-gas"))
    assert (boiler["rule"], boiler["formula"]) == ("submeter", "combustion.footprint/1")


def test_the_page_names_every_option() -> None:
    page = (REPO / "docs" / "footprint.md").read_text(encoding="utf-8")
    shown = RUN.invoke(app, ["--help"], env={"COLUMNS": "300"}).stdout
    options = set(re.findall(r"--[a-z-]+", shown)) - {"--help", "--install-completion", "--show-completion"}
    assert options - set(re.findall(r"--[a-z-]+", page)) == set()
