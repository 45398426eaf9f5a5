"""Compiling the node's packages as they lie in a board's lib/."""

import subprocess
from pathlib import Path

import pytest

import build_node


def test_every_module_is_compiled_and_nothing_else(repo: Path, tmp_path: Path) -> None:
    done = subprocess.run([repo / "scripts/build-node", tmp_path / "lib"], capture_output=True, text=True, check=True)
    packages = ("shutan_wire", "shutan_meters", "shutan_node")
    modules = {
        path.relative_to(repo / "firmware") for name in packages for path in (repo / "firmware" / name).rglob("*.py")
    }
    written = {path.relative_to(tmp_path / "lib") for path in (tmp_path / "lib").rglob("*") if path.is_file()}
    assert written == {path.with_suffix(".mpy") for path in modules}
    assert f"{len(modules)} files" in done.stdout


def test_a_syntax_error_is_one_line_with_its_place(tmp_path: Path) -> None:
    source = tmp_path / "bad.py"
    source.write_text("x = 1\nmatch x:\n    case 1: pass\n")
    with pytest.raises(build_node.BuildError, match=r"shutan_node/bad\.py.*SyntaxError"):
        build_node.compile_file(source, "shutan_node/bad.py", tmp_path / "bad.mpy")
