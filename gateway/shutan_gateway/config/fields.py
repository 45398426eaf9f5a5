"""Field types of the configuration: paths beside the file, ids, ports, and the base of every table."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo
from pydantic.functional_validators import AfterValidator

__all__ = [
    "ExistingFile",
    "FilePath",
    "Groups",
    "HttpUrl",
    "Id",
    "LocalHost",
    "Port",
    "Section",
    "is_loopback",
]


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = cast("Path | None", info.context)
    return path.expanduser() if folder is None else folder / path.expanduser()


def _existing(path: Path, info: ValidationInfo) -> Path:
    path = _beside_the_file(path, info)
    if not path.is_file():
        raise ValueError("the path of a file that exists and can be read")
    return path


def is_loopback(host: str) -> bool:
    """Whether a host names this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _local(host: str) -> str:
    if not is_loopback(host):
        raise ValueError("a loopback host; publish it through a reverse proxy")
    return host


def _group(group: str) -> str:
    if group != "+" and (not group or any(sign in group for sign in "+/#\0")):
        raise ValueError('a group id without + / #, or "+" alone for all')
    return group


def _some(groups: tuple[str, ...]) -> tuple[str, ...]:
    if not groups:
        raise ValueError("at least one group")
    return groups


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or "@" in url:
        raise ValueError("http(s)://HOST[:PORT] without a password in it")
    return url.rstrip("/")


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
FilePath = Annotated[Path, AfterValidator(_beside_the_file)]
ExistingFile = Annotated[Path, AfterValidator(_existing)]
Port = Annotated[int, Field(ge=1, le=65535)]


Groups = Annotated[tuple[Annotated[str, AfterValidator(_group)], ...], AfterValidator(_some)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
LocalHost = Annotated[str, AfterValidator(_local)]


class Section(BaseModel):
    """Base of every table: unknown keys are mistakes, nothing changes after loading, secrets never show."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, hide_input_in_errors=True)
