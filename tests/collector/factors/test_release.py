"""Signed releases: what is packaged, what a changed byte does, a site's own release."""

import json
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from shutan_collector.commands.factors import app
from shutan_collector.errors import FactorError
from shutan_collector.evidence.keys import create_key, public_path
from shutan_collector.factors.difference import compare
from shutan_collector.factors.release import KEYS_VARIABLE, load_release, packaged_names, write_release
from shutan_collector.factors.table import packaged_factors
from support.places import REPO

DATA = REPO / "collector" / "shutan_collector" / "factors" / "data"
FILES = ("emission_factors.csv", "manifest.json", "manifest.sig")
RUN = CliRunner()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packaged release in a folder of its own."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in FILES:
        shutil.copy(DATA / name, folder / name)
    return folder


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, Path]:
    """A site's own release with one number changed, signed by its own key: folder and private key."""
    folder, key = tmp_path / "own-1", tmp_path / "own.key"
    folder.mkdir()
    text = (DATA / FILES[0]).read_text(encoding="utf-8")
    rows = [line.replace(",0.1564,", ",0.1600,") for line in text.splitlines() if not line.startswith("HEAT-CN,")]
    extra = rows[-1].replace("ETS-2025-CAP,", "OWN-1,")
    (folder / FILES[0]).write_text("\n".join([*rows, extra, ""]), encoding="utf-8")
    secret = create_key(key)
    write_release(folder, "own-1", date(2026, 2, 1), load_release("2026.1"), secret.sign)
    return folder, key


def test_the_packaged_release_is_signed_by_a_packaged_key_and_is_the_packaged_table() -> None:
    found = load_release("2026.1")
    assert packaged_names()[0] == found.name == "2026.1"
    assert [row.cells() for row in found.table] == [row.cells() for row in packaged_factors()]
    assert found.rows == len(packaged_factors())
    assert found.key.startswith("b6a19157")
    assert found.key in (DATA / "README.md").read_text(encoding="utf-8").replace(" ", "")


def test_openssl_verifies_the_packaged_signature() -> None:
    run = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", DATA / "keys" / "factors-2026.pem", "-rawin"]
    run += ["-in", DATA / "manifest.json", "-sigfile", DATA / "manifest.sig"]
    assert subprocess.run(run, capture_output=True, check=False).returncode == 0


def test_no_private_key_lies_in_the_package() -> None:
    for path in DATA.rglob("*"):
        assert not path.is_file() or b"PRIVATE" not in path.read_bytes()


@given(data=st.data())
@settings(max_examples=60)
def test_any_changed_byte_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FILES))
    content = bytearray((DATA / name).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    folder = tmp_path_factory.mktemp("changed")
    for file in FILES:
        (folder / file).write_bytes(bytes(content) if file == name else (DATA / file).read_bytes())
    with pytest.raises(FactorError) as caught:
        load_release(folder)
    assert "a byte was changed" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_copy_of_the_packaged_release_is_taken_by_folder_and_by_file(copy: Path) -> None:
    assert load_release(copy).sha256 == load_release(str(copy / "manifest.json")).sha256


def test_the_rows_of_another_release_under_a_good_signature_are_refused(copy: Path, own: tuple[Path, Path]) -> None:
    shutil.copy(own[0] / FILES[0], copy / FILES[0])
    with pytest.raises(FactorError, match=r"emission_factors.csv: is not the file that release 2026.1 names"):
        load_release(copy)


def test_an_own_release_needs_its_key(own: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, key = own
    with pytest.raises(FactorError, match=r"no trusted key signed manifest.json: .* \(--key\)"):
        load_release(folder)
    found = load_release(folder, [public_path(key)])
    assert found.manifest.previous == ("2026.1", load_release("2026.1").sha256)
    assert found.table.grid_co2("CN-SC", 2023, date(2026, 1, 15)).row.text == "0.1600"
    trusted = folder.parent / "trusted"
    trusted.mkdir()
    shutil.copy(public_path(key), trusted / "own.pem")
    monkeypatch.setenv(KEYS_VARIABLE, str(trusted))
    assert load_release(folder).sha256 == found.sha256


@pytest.mark.parametrize(
    ("content", "said"),
    [("not a key", "is not a public key in PEM"), (None, "cannot be read")],
)
def test_a_bad_trusted_key_is_named(tmp_path: Path, content: str | None, said: str) -> None:
    key = tmp_path / "x.pem"
    if content is not None:
        key.write_text(content, encoding="utf-8")
    with pytest.raises(FactorError, match=rf"x.pem: {said}"):
        load_release("2026.1", [key])


def test_an_unknown_release_names_the_packaged_ones(tmp_path: Path) -> None:
    with pytest.raises(FactorError, match=r"2031.9: no such factor release; packaged: 2026.1;"):
        load_release("2031.9")
    with pytest.raises(FactorError, match=r"manifest.json: cannot be read"):
        load_release(tmp_path)


def test_rows_that_cannot_be_parsed_are_not_signed(copy: Path, own: tuple[Path, Path]) -> None:
    before = (copy / "manifest.json").read_bytes()
    (copy / FILES[0]).write_text("id,value\n", encoding="utf-8")
    done = RUN.invoke(app, ["sign", str(copy), "--key", str(own[1])])
    assert done.exit_code == 2
    assert "the columns must be" in done.stderr
    assert (copy / "manifest.json").read_bytes() == before


def test_the_difference_of_two_releases(own: tuple[Path, Path]) -> None:
    found = compare(load_release("2026.1").table, load_release(own[0], [public_path(own[1])]).table)
    assert [row.id for row in found.added] == ["OWN-1"]
    assert [row.id for row in found.removed] == ["HEAT-CN"]
    assert [(item.id, item.column, item.before, item.after) for item in found.changed] == [
        ("GRID-SC-2023", "value", "0.1564", "0.1600")
    ]
    assert not compare(packaged_factors(), packaged_factors())


def test_the_command_signs_verifies_and_compares(tmp_path: Path, own: tuple[Path, Path]) -> None:
    folder, key = tmp_path / "site-2", own[1]
    folder.mkdir()
    shutil.copy(own[0] / FILES[0], folder / FILES[0])
    options = ["--key", str(key), "--issued", "2026-02-02", "--previous", str(own[0])]
    done = RUN.invoke(app, ["sign", str(folder), *options, "--trust", str(public_path(key))])
    assert done.exit_code == 0, done.output
    assert "release site-2 of 2026-02-02: 455 rows" in done.stdout
    checked = RUN.invoke(app, ["verify", str(folder), "--key", str(public_path(key))])
    assert (checked.exit_code, checked.stdout) == (0, done.stdout)
    shown = RUN.invoke(app, ["diff", "2026.1", str(folder), "--key", str(public_path(key))])
    assert "~ GRID-SC-2023 value: 0.1564 -> 0.1600" in shown.stdout
    assert "- HEAT-CN" in shown.stdout
    as_json = RUN.invoke(app, ["diff", "2026.1", str(folder), "--key", str(public_path(key)), "--json"])
    assert json.loads(as_json.stdout)["changed"] == [["GRID-SC-2023", "value", "0.1564", "0.1600"]]
    assert RUN.invoke(app, ["diff", "2026.1", "2026.1"]).stdout == "no difference\n"


def test_the_command_lists_what_was_known() -> None:
    options = ["list", "--region", "CN-SC", "--as-of", "2024-12-31", "--json"]
    rows = json.loads(RUN.invoke(app, options).stdout)
    assert [row["id"] for row in rows] == ["GRID-SC-2021", "GRID-SC-2022"]
    lines = RUN.invoke(app, ["list", "--subject", "sf6", "--year", "2020"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["GWP-SF6-AR2", "GWP-SF6-AR4", "GWP-SF6-AR5"]


def test_the_command_shows_a_row() -> None:
    shown = RUN.invoke(app, ["show", "GRID-SC-2023"]).stdout
    assert "known_from       2025-12-31\n" in shown
    assert f"release          2026.1, sha256 {load_release('2026.1').sha256}\n" in shown
    assert json.loads(RUN.invoke(app, ["show", "HEAT-CN", "--json"]).stdout)["value"] == "0.11"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["show", "GRID-XX"], "shutan factors: GRID-XX: no such factor in the table"),
        (["verify", "2031.9"], "shutan factors: 2031.9: no such factor release"),
        (["list", "--as-of", "soon"], "shutan factors: --as-of: 'soon' is not a date; give 2026-06-01"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(options: list[str], said: str) -> None:
    done = RUN.invoke(app, options)
    assert done.exit_code == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_the_readme_names_every_command_and_option() -> None:
    page = (DATA / "README.md").read_text(encoding="utf-8")
    for command in ("list", "show", "verify", "diff", "sign"):
        assert f"shutan factors {command}" in page
        shown = RUN.invoke(app, [command, "--help"], env={"COLUMNS": "300"}).stdout
        assert set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help"} <= set(re.findall(r"--[a-z][a-z-]+", page))
