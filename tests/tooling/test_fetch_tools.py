"""Machines where not everything can be had: what is on PATH serves, the rest is said and never passed in silence."""

import shutil
from pathlib import Path

import pytest

import fetch_tools
from apt_private import AptError
from fetch_tools import Group, Program

EVERYTHING = {program.name for group in fetch_tools.groups("amd64") for program in group.programs}


class Machine:
    """Stand-ins for architecture, PATH and the archive."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tools: Path) -> None:
        self.tools = tools
        self.on_path: dict[str, str] = {}
        self.fetched: list[str] = []
        self.refuse = ""
        monkeypatch.setattr(fetch_tools, "TOOLS", tools)
        monkeypatch.setattr(fetch_tools, "install", self._install)
        monkeypatch.setattr(shutil, "which", self._which)
        self._set = monkeypatch.setattr

    def be(self, architecture: str, suite: str) -> None:
        self._set(fetch_tools, "is_debian", lambda: bool(suite))
        self._set(fetch_tools, "_own_suite", lambda: suite)
        self._architecture = architecture
        self._set(fetch_tools, "_output", self._output)

    def _which(self, name: str, *, path: str) -> str | None:
        assert path
        return self.on_path.get(name)

    def _output(self, *command: str) -> str:
        assert command == ("dpkg", "--print-architecture")
        return self._architecture

    def _install(self, group: Group, native: str, own_suite: str) -> list[str]:
        assert native
        assert own_suite
        if self.refuse:
            raise AptError(self.refuse)
        self.fetched.append(group.name)
        return []

    def not_run(self) -> set[str]:
        lines = (self.tools / "not-run.txt").read_text().splitlines()
        assert all(line.startswith("not run: ") for line in lines)
        return {line.split(": ")[1] for line in lines}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def test_another_system_uses_its_path_and_says_the_rest(machine: Machine) -> None:
    machine.be("", "")
    machine.on_path = {"micropython": "/opt/bin/micropython"}
    assert fetch_tools.run() == 0
    assert machine.not_run() == EVERYTHING - {"micropython"} | {"influxdb2", "grafana"}
    assert 'exec "/opt/bin/micropython" "$@"' in (machine.tools / "bin/micropython").read_text()


def test_an_arm_gateway_has_all_but_the_32_bit_port(machine: Machine) -> None:
    machine.be("arm64", "trixie")
    assert fetch_tools.run() == 0
    assert machine.fetched == ["micropython", "servers", "system", "trace", "fonts"]
    assert machine.not_run() == {"micropython32", "influxdb2", "grafana"}


def test_an_unreachable_archive_is_one_clear_failure(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.be("amd64", "bookworm")
    machine.refuse = "apt-get update: E: no route to host"
    assert fetch_tools.run() == 1
    told = capsys.readouterr().err
    assert "cannot get micropython32: apt-get update: E: no route to host" in told
    assert "remedy: check the network and the mirror" in told
    assert "Traceback" not in told


def test_an_unreachable_archive_does_not_matter_where_the_machine_has_all(machine: Machine) -> None:
    machine.be("amd64", "bookworm")
    machine.refuse = "apt-get update: E: no route to host"
    machine.on_path = {name: f"/usr/bin/{name}" for name in EVERYTHING}
    assert fetch_tools.run() == 0
    assert machine.not_run() == {"influxdb2", "grafana"}


def test_a_program_that_this_kernel_does_not_run_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "micropython32"
    broken.write_bytes(b"\x7fELF but not really")
    broken.chmod(0o755)
    reason = fetch_tools.why_it_does_not_run(broken, Program("micropython32", "usr/bin/micropython", ("-c", "1")))
    assert "Exec format error" in reason
