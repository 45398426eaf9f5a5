"""Everything that an installation without a network needs, in one folder and one tar, for this kind of machine.

    dist/shutan-<version>-<python>-<platform>/
        wheels/            the base and the chosen extras as the lock file pins them, and shutan itself
        requirements.txt   the same with their hashes
        SHA256SUMS         of every file
        install            makes a virtual environment and installs into it, with no index; says what to do next
    dist/shutan-<version>-<python>-<platform>.tar
    dist/shutan_<version>_<architecture>.deb   with --deb: the same, unpacked and installed by dpkg

`--check` installs it into a fresh environment with no index and runs `shutan --version`. Usage:
`scripts/wheelhouse --extra influxdb --extra parquet --deb --check`
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).resolve().parent.parent
INSTALL = REPO / "scripts/wheelhouse_install.sh"
PACKAGE = "shutan"
DEB_DEPENDS = "python3 (>= 3.11), python3-venv, mosquitto, chrony"
LIMIT_S = 1800


class WheelhouseError(RuntimeError):
    """One line for a person."""


def say(text: str) -> None:
    """One line of progress."""
    print(f"wheelhouse: {text}", flush=True)


def tag() -> str:
    """What the wheels are for: Python's minor version and the platform, as `install` asks for it."""
    return f"cp{sys.version_info.major}{sys.version_info.minor}-{sysconfig.get_platform()}"


def locked(text: str) -> dict[str, str]:
    """Lock entries by canonical name: `name==version ; marker`, hashes and comments as they stand."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    return {canonicalize_name(block.split("==", 1)[0]): block for block in blocks}


def needed(project: dict[str, list[str]], extras: list[str]) -> list[str]:
    """Canonical names of all that the base ("") and the extras need on this machine, dependencies included.

    project: requirement lines by extra. Read from the packages installed here, which are those of the lock file.
    """
    unknown = [extra for extra in extras if extra not in project]
    if unknown:
        known = ", ".join(sorted(set(project) - {"", "dev"}))
        raise WheelhouseError(f"no extra {', '.join(unknown)}; there are {known}")
    waiting = [Requirement(line) for extra in ("", *extras) for line in project[extra]]
    found: set[tuple[str, frozenset[str]]] = set()
    environment = {name: str(value) for name, value in default_environment().items()}
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in found:
            continue
        found.add(key)
        for line in metadata.requires(requirement.name) or []:
            inner = Requirement(line)
            options = [{**environment, "extra": extra} for extra in ("", *requirement.extras)]
            if inner.marker is None or any(inner.marker.evaluate(option) for option in options):
                waiting.append(inner)
    return sorted({name for name, _ in found})


def project_requirements() -> tuple[str, dict[str, list[str]]]:
    """Version, and requirement lines of the base ("") and of each extra."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["version"], {"": project["dependencies"], **project["optional-dependencies"]}


def run(*command: str | Path, **more: str) -> str:
    """Output of a command. Raises WheelhouseError with its last line."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", **more}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT_S, check=False)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise WheelhouseError(f"{Path(command[0]).name} {command[1]}: {lines[-1]}")
    return done.stdout.strip()


def fill(folder: Path, names: list[str], version: str) -> None:
    """Wheels by their locked hashes, and shutan's own; then the list to install from."""
    entries = locked((REPO / "requirements.lock").read_text(encoding="utf-8"))
    missing = [name for name in names if name not in entries]
    if missing:
        raise WheelhouseError(f"not in requirements.lock: {', '.join(missing)}; run make lock")
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    chosen = "".join(entries[name] for name in names)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch, "requirements.txt")
        wanted.write_text(chosen, encoding="utf-8")
        pip = (sys.executable, "-m", "pip")
        strict = ("--require-hashes", "--only-binary=:all:", "--no-deps", "-r", wanted)
        run(*pip, "download", "--quiet", *strict, "--dest", wheels)
    # The source date makes the wheel the same from the same tree.
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels,
        REPO, SOURCE_DATE_EPOCH="1580601600",
    )  # fmt: skip
    (own,) = wheels.glob(f"{PACKAGE}-*.whl")
    text = chosen + f"{PACKAGE}=={version} --hash=sha256:{_digest(own)}\n"
    (folder / "requirements.txt").write_text(text, encoding="utf-8")


def finish(folder: Path) -> Path:
    """The install script, checksums, and the tar: the same bytes from the same files."""
    script = INSTALL.read_text(encoding="utf-8").replace("@TAG@", tag())
    (folder / "install").write_text(script, encoding="utf-8")
    (folder / "install").chmod(0o755)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = "".join(f"{_digest(path)}  {path.relative_to(folder)}\n" for path in paths)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    packed = folder.with_name(folder.name + ".tar")
    with tarfile.open(packed, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            tar.add(path, path.relative_to(folder.parent), recursive=False, filter=_plain)
    return packed


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    info.mtime = 0
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    return info


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check(folder: Path) -> str:
    """Install into a fresh environment with no index, as a machine without a network would; what shutan says."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch, "opt")
        # An address that answers nobody: whatever asks for it fails at once.
        run(folder / "install", target, PIP_INDEX_URL="http://127.0.0.1:9/", PIP_FIND_LINKS="", PYTHONPATH="")
        return run(target / ".venv/bin/shutan", "--version", PYTHONPATH="")


def debian(folder: Path, version: str) -> Path:
    """A package that unpacks the folder below /opt/shutan and installs from it; it owns no configuration or data."""
    architecture = run("dpkg", "--print-architecture")
    package = folder.parent / f"{PACKAGE}_{version}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch, "tree")
        place = f"opt/{PACKAGE}/wheelhouse"
        shutil.copytree(folder, tree / place)
        control = tree / "DEBIAN"
        control.mkdir()
        kilobytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 1024
        (control / "control").write_text(
            f"Package: {PACKAGE}\nVersion: {version}\nArchitecture: {architecture}\nSection: net\nPriority: optional\n"
            f"Maintainer: Shutan maintainers <root@localhost>\nInstalled-Size: {kilobytes}\nDepends: {DEB_DEPENDS}\n"
            "Description: factory energy and carbon gateway\n MQTT in, durable spool, series stores out.\n"
        )
        scripts = {
            "postinst": f"/{place}/install /opt/{PACKAGE}\n/opt/{PACKAGE}/.venv/bin/{PACKAGE} service install",
            "prerm": f'[ "$1" != remove ] || /opt/{PACKAGE}/.venv/bin/{PACKAGE} service uninstall\n'
            f'[ "$1" != remove ] || rm -rf /opt/{PACKAGE}/.venv',
        }
        for name, body in scripts.items():
            (control / name).write_text(f"#!/bin/sh\nset -e\n{body}\n")
            (control / name).chmod(0o755)
        run("dpkg-deb", "--root-owner-group", "--build", tree, package, SOURCE_DATE_EPOCH="1580601600")
    return package


def main(arguments: list[str] | None = None) -> int:
    """Build, and say how large and how long."""
    parser = argparse.ArgumentParser(prog="wheelhouse", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--extra", action="append", default=[], help="an extra of pyproject.toml; may be repeated")
    parser.add_argument("--out", type=Path, default=REPO / "dist", help="folder for the results")
    parser.add_argument("--check", action="store_true", help="install it without a network and run it")
    parser.add_argument("--deb", action="store_true", help="make a Debian package, too")
    options = parser.parse_args(arguments)
    began_s = time.monotonic()
    try:
        version, project = project_requirements()
        names = needed(project, options.extra)
        folder = options.out.absolute() / f"{PACKAGE}-{version}-{tag()}"
        shutil.rmtree(folder, ignore_errors=True)
        fill(folder, names, version)
        packed = finish(folder)
        say(f"{packed}: {len(names) + 1} wheels, {packed.stat().st_size / 1e6:.1f} MB")
        if options.deb:
            package = debian(folder, version)
            say(f"{package}: {package.stat().st_size / 1e6:.1f} MB")
        if options.check:
            say(f"installed with no index in a fresh environment: {check(folder)}")
    except WheelhouseError as error:
        print(f"wheelhouse: {error}", file=sys.stderr)
        return 1
    say(f"{time.monotonic() - began_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
