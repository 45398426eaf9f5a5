"""Meter profiles by name or path, and the meters that a configuration asks for."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from shutan_meters.errors import ProfileError
from shutan_meters.master import Device
from shutan_meters.profile import CJT188, Profile, load_profile

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from shutan_gateway.config.serial import SerialMeter

__all__ = ["device_of", "load", "packaged", "wanted_of"]


def packaged() -> dict[str, Traversable]:
    """The packaged profiles by name."""
    folder = files("shutan_meters") / "profiles"
    found = ((entry.name, entry / "profile.json") for entry in folder.iterdir() if entry.is_dir())
    return dict(sorted((name, file) for name, file in found if file.is_file()))


@cache
def _packaged(name: str) -> Profile | None:
    known = packaged()
    return load_profile(known[name].read_text(encoding="utf-8")) if name in known else None


def load(name: str) -> Profile:
    """A packaged profile by name, or a profile.json by path. Raises ProfileError."""
    profile = _packaged(name)
    if profile is not None:
        return profile
    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        try:
            return load_profile(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ProfileError(name, [f"byte {error.start}: not UTF-8 text"]) from None
        except ProfileError as error:
            raise ProfileError(name, error.mistakes) from None
    known = ", ".join(packaged())
    raise ProfileError("profile", [f"no profile {name!r}; known: {known}; or the path of a .json file"])


def wanted_of(profile: Profile, metrics: tuple[str, ...]) -> bytes | None:
    """Mask of the items that are asked for; None: all. Raises ProfileError for a metric that the profile lacks."""
    if not metrics:
        return None
    names = [profile.metric(i) for i in range(len(profile))]
    unknown = [metric for metric in metrics if metric not in names]
    if unknown:
        raise ProfileError("metrics", [f"{profile.name} has no {', '.join(unknown)}; it has {', '.join(names)}"])
    return bytes(name in metrics for name in names)


def device_of(meter: SerialMeter) -> Device:
    """The meter as the master reads it. Raises ProfileError for profile, address or ratios."""
    profile = load(meter.profile)
    if profile.protocol != CJT188 and (meter.meter_type or meter.di_order != "901F"):
        raise ProfileError("meter_type", [f"{profile.name} is no CJ/T 188 profile"])
    return Device(profile, meter.wire_address, meter.ct, meter.pt)
