"""`shutan service install` into a folder: whole, repeatable, careful with what a person edited; checked by systemd's
own programs and by chronyd."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shutan_gateway.config import load_config
from shutan_gateway.operation.broker import password_entry
from shutan_gateway.operation.install import UNITS, Target, install, uninstall
from support.places import TOOLS, tool

SHUTAN = Path(sys.executable).with_name("shutan")


def actions(target: Target, *, dry_run: bool = False) -> dict[str, str]:
    return {step.path: step.action for step in install(target, dry_run=dry_run)}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path / "root", "/opt/here/shutan")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with everything in it, written by the command itself."""
    root = tmp_path_factory.mktemp("machine")
    command = [SHUTAN, "service", "install", "--root", root]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return root


def test_a_dry_run_lists_and_writes_nothing(target: Target) -> None:
    found = actions(target, dry_run=True)
    assert set(found.values()) == {"write"}
    assert {f"/etc/systemd/system/{unit}" for unit in UNITS} <= set(found)
    assert not target.root.exists()


def test_a_second_run_changes_nothing(target: Target) -> None:
    actions(target)
    before = {path: path.read_bytes() for path in target.root.rglob("*") if path.is_file()}
    assert set(actions(target).values()) == {"unchanged"}
    assert {path: path.read_bytes() for path in target.root.rglob("*") if path.is_file()} == before


def test_an_edited_file_is_kept_and_the_new_text_lies_beside_it(target: Target) -> None:
    actions(target)
    unit = target.place("/etc/systemd/system/shutan-gateway.service")
    unit.write_text(unit.read_text().replace("MemoryMax=512M", "MemoryMax=1G"))
    other = Target(target.root, "/opt/newer/shutan")
    found = actions(other)
    assert found["/etc/systemd/system/shutan-gateway.service"] == "edited"
    assert "MemoryMax=1G" in unit.read_text()
    assert "ExecStart=/opt/newer/shutan " in unit.with_name(unit.name + ".new").read_text()


def test_an_older_file_of_ours_is_renewed(target: Target) -> None:
    actions(target)
    found = actions(Target(target.root, "/opt/newer/shutan"))
    assert found["/etc/systemd/system/shutan-gateway.service"] == "replace"
    assert found["/etc/systemd/system/shutan-broker.service"] == "unchanged"


def test_configuration_and_passwords_are_made_once(target: Target) -> None:
    actions(target)
    config, secret = target.place("/etc/shutan/gateway.toml"), target.place("/etc/shutan/mqtt.password")
    listed = target.place("/etc/shutan-broker/passwords")
    assert secret.stat().st_mode & 0o777 == 0o640
    config.write_text(config.read_text() + "# mine\n")
    listed.write_text(listed.read_text() + password_entry("n01", "x"))
    before = secret.read_text(), listed.read_text()
    found = actions(target)
    assert (found["/etc/shutan/gateway.toml"], found["/etc/shutan-broker/passwords"]) == ("keep", "unchanged")
    assert (secret.read_text(), listed.read_text()) == before


def test_a_lost_password_is_made_anew_on_both_sides_and_the_others_stay(target: Target) -> None:
    actions(target)
    secret, listed = target.place("/etc/shutan/mqtt.password"), target.place("/etc/shutan-broker/passwords")
    node = password_entry("n01", "x")
    listed.write_text(listed.read_text() + node)
    secret.unlink()
    assert actions(target)["/etc/shutan-broker/passwords"] == "replace"
    entries = listed.read_text().splitlines(keepends=True)
    assert node in entries
    own = next(line for line in entries if line.startswith("gateway:"))
    assert password_entry("gateway", secret.read_text().strip(), base64.b64decode(own.split("$")[3])) == own


def test_the_listener_for_nodes_comes_with_its_certificates(target: Target) -> None:
    actions(target)
    conf = target.place("/etc/shutan-broker/mosquitto.conf")
    assert "listener 8883" not in conf.read_text()
    for name in ("ca.pem", "broker.pem", "broker.key"):
        conf.with_name(name).write_text("")
    conf.with_name("nodes").write_text("plant/n01\n")
    found = actions(target)
    assert (found["/etc/shutan-broker/mosquitto.conf"], found["/etc/shutan-broker/acl"]) == ("replace", "replace")
    assert "listener 8883" in conf.read_text()
    assert "user n01" in conf.with_name("acl").read_text()


def test_uninstall_removes_what_is_ours_and_keeps_what_is_yours(target: Target) -> None:
    actions(target)
    unit = target.place("/etc/systemd/system/shutan-broker.service")
    unit.write_text(unit.read_text() + "# mine\n")
    assert {step.action for step in uninstall(target, dry_run=True)} == {"remove", "edited"}
    assert target.place("/etc/sysusers.d/shutan.conf").is_file()
    uninstall(target)
    left = {str(path.relative_to(target.root)) for path in target.root.rglob("*") if path.is_file()}
    assert left == {
        "etc/systemd/system/shutan-broker.service",
        "etc/shutan/gateway.toml",
        "etc/shutan/mqtt.password",
        "etc/shutan-broker/passwords",
    }


def test_the_installed_configuration_is_sound_and_logs_in(installed: Path) -> None:
    config = load_config(installed / "etc/shutan/gateway.toml")
    assert config.mqtt.username == "gateway"
    assert config.mqtt.password_file == installed / "etc/shutan/mqtt.password"


def test_the_command_says_what_to_do_next(tmp_path: Path) -> None:
    command = [SHUTAN, "service", "install", "--root", tmp_path]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert f"systemctl --root={tmp_path} enable chrony.service shutan-broker.service" in done.stdout
    assert "/usr/sbin/mosquitto is not there yet" in done.stdout
    again = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True, timeout=60)
    assert {step["action"] for step in json.loads(again.stdout)["files"]} == {"unchanged"}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("a file in the way")
    done = subprocess.run(
        [SHUTAN, "service", "install", "--root", tmp_path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "installing needs root, or --root FOLDER" in done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_no_fault_in_the_units(installed: Path, unit: str, tmp_path: Path) -> None:
    text = (installed / "etc/systemd/system" / unit).read_text()
    text = text.replace("/usr/sbin/mosquitto", str(SHUTAN))
    for name in UNITS:
        (tmp_path / name).write_text(text if name == unit else "[Service]\nExecStart=/bin/true\n")
    done = _analyze("verify", tmp_path / unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_finds_the_fault_in_a_faulty_unit(installed: Path, tmp_path: Path) -> None:
    text = (installed / "etc/systemd/system/shutan-gateway.service").read_text()
    (tmp_path / "x.service").write_text(text.replace("ProtectClock=true", "ProtectClok=true"))
    assert "Unknown key 'ProtectClok'" in _analyze("verify", tmp_path / "x.service").stderr


@pytest.mark.parametrize(("unit", "limit"), [("shutan-gateway.service", 1.6), ("shutan-broker.service", 1.3)])
def test_the_units_are_locked_in(installed: Path, unit: str, limit: float) -> None:
    """systemd's own exposure score, 0 (nothing) to 10 (everything)."""
    done = _analyze("security", "--offline=true", installed / "etc/systemd/system" / unit)
    score = float(done.stdout.rpartition("exposure level for")[2].split()[1])
    assert 0 < score <= limit


def _analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """systemd-analyze with the targets of the fetched package, where the machine has none."""
    units = TOOLS / "system/share"
    environment = {**os.environ, **({"SYSTEMD_UNIT_PATH": f"{units}:"} if units.is_dir() else {})}
    command = [tool("systemd-analyze"), "--man=no", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def test_users_and_folders_are_made(installed: Path, tmp_path: Path) -> None:
    for name in ("sysusers", "tmpfiles"):
        folder = tmp_path / f"etc/{name}.d"
        folder.mkdir(parents=True)
        (folder / "shutan.conf").write_bytes((installed / f"etc/{name}.d/shutan.conf").read_bytes())
    if os.geteuid() == 0:
        for name, more in (("systemd-sysusers", ()), ("systemd-tmpfiles", ("--create",))):
            command = [tool(name), f"--root={tmp_path}", *more, "shutan.conf"]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        passwd = (tmp_path / "etc/passwd").read_text()
        uid = next(int(line.split(":")[2]) for line in passwd.splitlines() if line.startswith("shutan:"))
        assert (tmp_path / "var/lib/shutan").stat().st_uid == uid
        assert (tmp_path / "var/lib/shutan-broker").stat().st_mode & 0o777 == 0o700
    else:
        done = subprocess.run(
            [tool("systemd-sysusers"), f"--root={tmp_path}", "--dry-run", "shutan.conf"],
            check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert "Creating user 'shutan-broker'" in done.stderr


def test_chronyd_takes_the_time_settings(installed: Path) -> None:
    path = installed / "etc/chrony/conf.d/shutan.conf"
    done = subprocess.run([tool("chronyd"), "-p", "-f", path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert {"local stratum 10 orphan", "allow 192.168.0.0/16", "rtcsync"} <= set(done.stdout.splitlines())
