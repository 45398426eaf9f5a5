"""What `shutan service install` puts on a machine: units, users, folders, configuration, broker, time source.

Everything can go below another root (an image, a test). A file that was edited since it was installed is never
overwritten: the new text is put beside it as `<name>.new`. Configuration and passwords are made once and then kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, cast

from shutan_gateway.config import load_config
from shutan_gateway.errors import ConfigError, StartError
from shutan_gateway.operation.broker import (
    BrokerPlan,
    acl_text,
    conf_text,
    fitted,
    new_secret,
    parse_accounts,
    password_entry,
)

__all__ = ["UNITS", "Step", "Target", "install", "uninstall"]

UNITS = ("shutan-broker.service", "shutan-gateway.service")
MANIFEST = "/etc/shutan/installed.json"
PROGRAM = "/opt/shutan/.venv/bin/shutan"  # as the units name it; replaced by the program that installs
MOSQUITTO = "/usr/sbin/mosquitto"
CONFIG, PASSWORD = "/etc/shutan/gateway.toml", "/etc/shutan/mqtt.password"
BROKER = "/etc/shutan-broker"
_TLS_FILES = ("ca.pem", "broker.pem", "broker.key")
_LOGIN = ('# username = "gateway"', '# password_file = "mqtt.password"')


class Target(NamedTuple):
    """Where to install: root of the machine, the `shutan` and `mosquitto` programs as that machine will name them."""

    root: Path = Path("/")
    program: str = PROGRAM
    mosquitto: str = MOSQUITTO

    def place(self, path: str) -> Path:
        """A path of the machine below the root."""
        return self.root / path.lstrip("/")


class _File(NamedTuple):
    path: str
    text: str
    mode: int = 0o644
    kind: str = "ours"  # ours: kept up to date; once: written where there is none; merged: ours, between others' lines


class Step(NamedTuple):
    """What happened (or would) to a file: write, replace, unchanged, keep, edited; remove, gone for uninstall."""

    action: str
    path: str


def install(target: Target, *, dry_run: bool = False) -> list[Step]:
    """Write what is missing or older than this program; raises StartError where the machine does not let us."""
    known = _manifest(target)
    steps: list[Step] = []
    try:
        for file in _files(target):
            step = Step(_action(target, file, known.get(file.path)), file.path)
            steps.append(step)
            if dry_run:
                continue
            if step.action in {"write", "replace"}:
                _put(target.place(file.path), file.text, file.mode)
            elif step.action == "edited":
                _put(target.place(file.path + ".new"), file.text, file.mode)
            if step.action in {"write", "replace", "unchanged"} and file.kind == "ours":
                known[file.path] = _digest(file.text.encode())
        if not dry_run:
            _put(target.place(MANIFEST), json.dumps(known, indent=1) + "\n", 0o644)
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}; installing needs root, or --root FOLDER") from error
    return steps


def uninstall(target: Target, *, dry_run: bool = False) -> list[Step]:
    """Remove what was installed and not edited; configuration, passwords and data stay."""
    known = _manifest(target)
    steps: list[Step] = []
    try:
        for path, digest in known.items():
            place = target.place(path)
            if not place.is_file():
                steps.append(Step("gone", path))
            elif _digest(place.read_bytes()) != digest:
                steps.append(Step("edited", path))
            else:
                steps.append(Step("remove", path))
                if not dry_run:
                    place.unlink()
        if not dry_run:
            target.place(MANIFEST).unlink(missing_ok=True)
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}; removing needs root") from error
    return steps


def _files(target: Target) -> list[_File]:
    sample = _deployed("gateway.toml")
    for line in _LOGIN:
        sample = sample.replace(line, line[2:])
    secret, entries = _passwords(target)
    plan = _broker_plan(target)
    units = [
        _File(
            f"/etc/systemd/system/{name}",
            _deployed(name).replace(PROGRAM, target.program).replace(MOSQUITTO, target.mosquitto),
        )
        for name in UNITS
    ]
    return [
        *units,
        _File("/etc/sysusers.d/shutan.conf", _deployed("sysusers.conf")),
        _File("/etc/tmpfiles.d/shutan.conf", _deployed("tmpfiles.conf")),
        _File("/etc/chrony/conf.d/shutan.conf", _deployed("chrony.conf")),
        _File(CONFIG, sample, 0o640, "once"),
        _File(PASSWORD, secret, 0o640, "once"),
        _File(f"{BROKER}/passwords", entries, 0o640, "merged"),
        _File(f"{BROKER}/mosquitto.conf", conf_text(plan), 0o640),
        _File(f"{BROKER}/acl", acl_text(plan), 0o640),
    ]


def _deployed(name: str) -> str:
    return (files("shutan_gateway") / "deploy" / name).read_text(encoding="utf-8")


def _broker_plan(target: Target) -> BrokerPlan:
    """TLS for nodes as soon as its files are there: a broker that names a missing file does not start at all."""
    folder = target.place(BROKER)
    secured = all((folder / name).is_file() for name in _TLS_FILES)
    plan = BrokerPlan(tls_port=8883 if secured else 0)
    config = target.place(CONFIG)
    if config.is_file():
        with contextlib.suppress(ConfigError):  # `shutan check`, which the unit runs first, says what is wrong with it
            plan = fitted(plan, load_config(config))
    nodes = folder / "nodes"
    if nodes.is_file():
        plan = plan._replace(accounts=parse_accounts(nodes.read_text(encoding="utf-8"), str(nodes)))
    return plan


def _entry_is_missing(target: Target) -> bool:
    """Whether the broker does not know the gateway, or the gateway's own password is not there any more."""
    entries = target.place(f"{BROKER}/passwords")
    known = entries.is_file() and "\ngateway:" in "\n" + entries.read_text(encoding="utf-8")
    return not known or not target.place(PASSWORD).is_file()


def _passwords(target: Target) -> tuple[str, str]:
    """The gateway's password file and the broker's list with the entry that fits it; other entries stay."""
    own, listed = target.place(PASSWORD), target.place(f"{BROKER}/passwords")
    secret = own.read_text(encoding="utf-8") if own.is_file() else new_secret() + "\n"
    before = listed.read_text(encoding="utf-8") if listed.is_file() else ""
    if not _entry_is_missing(target):
        return secret, before
    others = [line for line in before.splitlines(keepends=True) if not line.startswith("gateway:")]
    return secret, "".join(others) + password_entry("gateway", secret.partition("\n")[0])


def _action(target: Target, file: _File, digest: str | None) -> str:
    place = target.place(file.path)
    if not place.is_file():
        return "write"
    found = place.read_bytes()
    if found == file.text.encode():
        return "unchanged"
    if file.kind == "once":
        return "keep"
    return "replace" if file.kind == "merged" or _digest(found) == digest else "edited"


def _manifest(target: Target) -> dict[str, str]:
    path = target.place(MANIFEST)
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    pairs = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    return {name: str(digest) for name, digest in pairs.items()}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _put(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".tmp")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.chmod(mode)
    fresh.replace(path)
