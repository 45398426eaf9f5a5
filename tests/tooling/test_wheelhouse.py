"""The wheelhouse: what it chooses from the lock file, and an install script that refuses what does not fit.

`scripts/wheelhouse --check` builds a whole one and installs it with no index.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

import wheelhouse
from support.places import REPO

LOCK = (REPO / "requirements.lock").read_text(encoding="utf-8")


def test_the_base_is_small_and_every_part_of_it_is_locked_with_hashes() -> None:
    _, project = wheelhouse.project_requirements()
    names = wheelhouse.needed(project, [])
    assert {"orjson", "paho-mqtt", "pydantic", "pydantic-core", "pyserial", "rich", "typer"} <= set(names)
    assert not {"pytest", "influxdb-client", "pyarrow", "fastapi", "cryptography", "aiomqtt"} & set(names)
    entries = wheelhouse.locked(LOCK)
    assert all("--hash=sha256:" in entries[name] for name in names)


def test_an_extra_brings_what_it_needs() -> None:
    _, project = wheelhouse.project_requirements()
    more = set(wheelhouse.needed(project, ["influxdb"])) - set(wheelhouse.needed(project, []))
    assert {"influxdb-client", "reactivex", "urllib3"} <= more
    with pytest.raises(wheelhouse.WheelhouseError, match="no extra nothing; there are "):
        wheelhouse.needed(project, ["nothing"])


def built(folder: Path) -> Path:
    """A wheelhouse without wheels."""
    (folder / "wheels").mkdir(parents=True)
    (folder / "requirements.txt").write_text("")
    wheelhouse.finish(folder)
    return folder


def install(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([folder / "install", target], capture_output=True, text=True, timeout=60, check=False)


def test_a_damaged_copy_is_refused(tmp_path: Path) -> None:
    folder = built(tmp_path / "house")
    (folder / "requirements.txt").write_text("something else")
    done = install(folder, tmp_path / "opt")
    assert done.returncode == 1
    assert "this copy is damaged" in done.stderr
    assert not (tmp_path / "opt").exists()


def test_another_kind_of_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheelhouse, "tag", lambda: "cp399-linux-toaster")
    done = install(built(tmp_path / "house"), tmp_path / "opt")
    assert done.returncode == 1
    assert "needs Python for cp399-linux-toaster" in done.stderr
    assert not (tmp_path / "opt").exists()


def test_the_same_files_give_the_same_tar(tmp_path: Path) -> None:
    first = built(tmp_path / "a/house").with_name("house.tar").read_bytes()
    second = built(tmp_path / "b/house").with_name("house.tar").read_bytes()
    assert first == second
    with_tar = subprocess.run(
        ["tar", "-tvf", tmp_path / "a/house.tar"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "-rwxr-xr-x root/root" in next(line for line in with_tar.stdout.splitlines() if "install" in line)


def test_the_debian_package_unpacks_below_opt_and_installs_from_there(tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        with pytest.raises(OSError, match="dpkg"):
            wheelhouse.debian(built(tmp_path / "house"), "1.2.3")
        return
    package = wheelhouse.debian(built(tmp_path / "house"), "1.2.3")
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "./opt/shutan/wheelhouse/install" in listed
    assert "/etc/" not in listed
    control = subprocess.run(["dpkg-deb", "-I", package], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "Version: 1.2.3" in control
    script = subprocess.run(
        ["dpkg-deb", "-I", package, "postinst"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert "service install" in script


def test_the_script_runs_this_program() -> None:
    done = subprocess.run(
        [REPO / "scripts/wheelhouse", "--extra", "nothing"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "no extra nothing" in done.stderr
