"""House rules that no linter knows: documented commands exist, no file names a machine, plugin folders are whole."""

import ast
import fnmatch
import itertools
import posixpath
import re
import subprocess
from pathlib import Path

import pytest

from support.places import REPO

TEXT = {
    "",
    ".cfg",
    ".conf",
    ".csv",
    ".in",
    ".json",
    ".jsonl",
    ".lock",
    ".md",
    ".py",
    ".service",
    ".sh",
    ".toml",
    ".txt",
}
REGISTRY = re.compile(r"://[\w.-]*(?:pypi|pythonhosted|npmjs|debian|golang|crates|maven)[\w.-]*[/:]")
MACHINE = re.compile(r"(?<![\w.])/(?:work|farm|root|home/\w+)/")
LEFT = re.compile(r"(?<!X\.)\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b(?!\.X)")  # XX.XX is a meter's format
MODULE_LINES = 400
LONG_BY_DESIGN = {"collector/shutan_collector/evidence/verify.py": 1400}  # docs/adr/0010
FUNCTION_LINES = 60


def _tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, check=True)
    return [REPO / name for name in done.stdout.split("\0") if name]


EVERY = _tracked()
TRACKED = [path for path in EVERY if path.suffix in TEXT and path.is_file()]
PYTHON = [path for path in TRACKED if path.suffix == ".py"]


def _places(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(REPO)}:{number}: {line.strip()[:80]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry() -> None:
    assert _places(REGISTRY, TRACKED) == []


def test_no_file_names_a_path_of_a_machine() -> None:
    assert _places(MACHINE, TRACKED) == []


def test_nothing_is_left_for_later_in_code() -> None:
    assert _places(LEFT, PYTHON) == []


@pytest.mark.parametrize("pattern", [REGISTRY, MACHINE, LEFT])
def test_the_patterns_find_what_they_look_for(pattern: re.Pattern[str]) -> None:
    samples = ("see https://files." + "pythonhosted.org/x", "open('/ro" + "ot/x')", "# TO" + "DO: later")
    assert sum(bool(pattern.search(sample)) for sample in samples) == 1


def test_modules_and_functions_stay_small() -> None:
    found: list[str] = []
    for path in PYTHON:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > LONG_BY_DESIGN.get(str(path.relative_to(REPO)), MODULE_LINES):
            found.append(f"{path.relative_to(REPO)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > FUNCTION_LINES:
                    found.append(f"{path.relative_to(REPO)}:{node.lineno}: {node.name} is {size} lines")
    assert found == []


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", (REPO / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_commands_in_documents_exist() -> None:
    targets = _make_targets()
    assert {"demo", "test", "check", "bench"} <= targets
    named: set[str] = set()
    for path in TRACKED:
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
            named.update(target for part in code for target in re.findall(r"(?:^|\s|`)make ([a-z][\w-]*)", part))
    assert named <= targets


NAMES = {path.relative_to(REPO).as_posix() for path in EVERY} | {
    parent.as_posix() for path in EVERY for parent in path.relative_to(REPO).parents
}
ROOTS = sorted(name for name in NAMES if "/" not in name and (REPO / name).is_dir() and not name.startswith("."))
PLACE = re.compile(r"(?<![\w./~-])(?:" + "|".join(ROOTS) + r")/[\w./{},*-]*[\w}*/]")
MODULE = re.compile(r"(?<![\w./*-])[\w./-]*\w\.py\b")
LINK = re.compile(r"\]\(([^)#\s]+)")


def _missing_places(line: str, folder: str) -> list[str]:
    """What a line of a document in `folder` names and the repository lacks: paths, modules by their end, links."""
    found: list[str] = []
    for place in PLACE.findall(line):
        parts = re.split(r"\{([^}]*)\}", place)  # {a,b} stands for both
        choices = (part.split(",") if index % 2 else [part] for index, part in enumerate(parts))
        named = map("".join, itertools.product(*choices))
        found += [one for one in named if not fnmatch.filter(NAMES, one.rstrip("/"))]
    found += [name for name in MODULE.findall(line) if not any(f"/{one}".endswith(f"/{name}") for one in NAMES)]
    links = [link for link in LINK.findall(line) if "://" not in link]
    return found + [link for link in links if posixpath.normpath(posixpath.join(folder, link)) not in NAMES]


def test_places_that_documents_name_exist() -> None:
    found = [
        f"{path.relative_to(REPO)}:{number}: {place}"
        for path in TRACKED
        if path.suffix == ".md"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for place in _missing_places(line, path.relative_to(REPO).parent.as_posix())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("see `docs/flow.md`, `flow.md` and [flow](flow.md#rooms)", []),
        ("`gateway/shutan_gateway/{link,spool}/*.py`, `spool/log.py`, scripts/build-node", []),
        ("`gateway/shutan_gateway/{link,gone}`", ["gateway/shutan_gateway/gone"]),
        ("`spool/gone.py` and log.py", ["spool/gone.py"]),
        ("[flow](../flow.md), [site](https://example.org/docs/x)", ["../flow.md"]),
        ("tests/gateway/gone/", ["tests/gateway/gone/"]),
    ],
)
def test_a_missing_place_is_found(line: str, missing: list[str]) -> None:
    assert _missing_places(line, "docs") == missing


def test_the_page_about_the_flow_names_every_room_of_the_gateway() -> None:
    rooms = {name.split("/")[2] for name in NAMES if re.fullmatch(r"gateway/shutan_gateway/\w+/__init__\.py", name)}
    assert {"link", "intake", "spool", "deliver"} <= rooms
    text = (REPO / "docs/flow.md").read_text(encoding="utf-8")
    assert {room for room in rooms if f"`{room}/`" not in text} == set()


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readme_starts_with_a_working_run(name: str) -> None:
    assert "make demo" in (REPO / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("script", ["bootstrap", "fetch-tools", "build-node", "lock", "find-python"])
def test_scripts_can_be_executed(script: str) -> None:
    assert (REPO / "scripts" / script).stat().st_mode & 0o111


def _lacking(under: str, *parts: str) -> list[str]:
    """Folders below `under` that lack one of the parts (globs)."""
    folders = [path for path in sorted((REPO / under).iterdir()) if path.is_dir() and not path.name.startswith("_")]
    assert folders, f"{under} has no folder"
    return [f"{folder.name}: {part}" for folder in folders for part in parts if not any(folder.glob(part))]


def test_each_meter_profile_has_its_parts() -> None:
    assert _lacking("firmware/shutan_meters/profiles", "README.md", "profile.json", "testcases/*.json") == []


def test_each_store_has_its_parts() -> None:
    assert _lacking("gateway/shutan_gateway/stores", "README.md", "sample.toml", "__init__.py") == []


@pytest.mark.parametrize("lock", ["requirements.lock", "firmware/stubs.lock", "tests/peers/requirements.lock"])
def test_lock_pins_every_package_with_hashes_and_no_index(lock: str) -> None:
    text = (REPO / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.!]+ (; .+ )?\\\n    --hash=sha256:[0-9a-f]{64}", entry), entry[:80]
    assert "://" not in text
