"""Machines where not everything can be had: what is on PATH serves, the rest is said and never passed in silence."""

import shutil
from pathlib import Path
from typing import cast

import pytest

import fetch_tools
from apt_private import AptError, Pin, PrivateApt, Source
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


class _Archive:
    """A mirror whose index is out of step with its signature, while its pool answers."""

    def __init__(self, debs: list[Path]) -> None:
        self.debs = debs
        self.asked: list[Pin] = []

    def download(self, packages: list[str]) -> list[Path]:
        assert packages
        raise AptError("apt-get update: E: File has unexpected size")

    def download_pinned(self, source: Source, pins: list[Pin]) -> list[Path]:
        assert source.uris
        self.asked = pins
        return self.debs


def _group(name: str) -> Group:
    return next(group for group in fetch_tools.groups("amd64") if group.name == name)


def test_an_index_out_of_step_with_its_signature_is_replaced_by_the_pins() -> None:
    archive = _Archive([Path("micropython.deb")])
    source = Source("http://127.0.0.1/debian")
    group = _group("micropython32")
    assert fetch_tools.download(cast("PrivateApt", archive), source, group.suite, group) == archive.debs
    assert any(pin.path.startswith("pool/main/m/micropython/") for pin in archive.asked)
    with pytest.raises(AptError, match="unexpected size"):
        fetch_tools.download(cast("PrivateApt", archive), source, "forky", group)


def test_every_group_has_pins_of_its_own_architecture() -> None:
    for group in fetch_tools.groups("amd64"):
        pins = fetch_tools.pinned(group)
        names = {Path(pin.path).name.split("_")[0] for pin in pins}
        assert {package.split(":")[0] for package in group.packages} <= names, group.name
        assert all(len(pin.sha256) == 64 for pin in pins)
        assert all(pin.path.endswith((f"_{group.architecture}.deb", "_all.deb")) for pin in pins)
