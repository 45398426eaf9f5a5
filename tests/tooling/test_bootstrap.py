"""A machine whose Python cannot make environments: bootstrap installs what lacks, or says exactly what to install."""

import shutil
import subprocess
from pathlib import Path

import pytest

NEEDED = ("sh", "cat", "dirname", "env", "mkdir", "readlink", "rm", "sha256sum")


class Machine:
    """A copy of the scripts and a PATH with stand-ins for the machine's own programs."""

    def __init__(self, repo: Path, folder: Path) -> None:
        self.repo = folder / "repo"
        self.bin = folder / "bin"
        self.bin.mkdir()
        shutil.copytree(repo / "scripts", self.repo / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        for name in NEEDED:
            found = shutil.which(name)
            assert found
            (self.bin / name).symlink_to(found)
        self.have("python3", "exit 1")  # an interpreter, but too old or without venv
        self.have("id", "echo 1000")

    def have(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def bootstrap(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.repo / "scripts/bootstrap"],
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def machine(repo: Path, tmp_path: Path) -> Machine:
    return Machine(repo, tmp_path)


def test_without_apt_it_says_what_is_needed(machine: Machine) -> None:
    done = machine.bootstrap()
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "bootstrap: needs Python 3.11 or newer with venv and ensurepip: install it and run this again"
    ]


def test_a_plain_user_is_told_the_command(machine: Machine) -> None:
    machine.have("apt-get", "exit 1")
    machine.have("sudo", "exit 1")
    done = machine.bootstrap()
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith("run this as root, then start again: apt-get install python3-venv")


@pytest.mark.parametrize(("user", "way"), [("0", "root"), ("1000", "sudo")])
def test_with_the_right_to_it_installs(machine: Machine, tmp_path: Path, user: str, way: str) -> None:
    machine.have("id", f"echo {user}")
    machine.have("apt-get", f'echo "$0 $*" >>{tmp_path}/log')
    machine.have("sudo", 'shift; exec "$@"' if way == "sudo" else "exit 1")
    machine.have("true", "exit 0")
    done = machine.bootstrap()
    commands = [line.split("/")[-1] for line in (tmp_path / "log").read_text().splitlines()]
    assert commands == ["apt-get -qq update", "apt-get -qq install --yes --no-install-recommends python3-venv"]
    assert done.returncode == 1
    assert "no Python 3.11 or newer with venv and ensurepip after installing python3-venv" in done.stderr
