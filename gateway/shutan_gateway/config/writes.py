"""[[command]]: what may be written to nodes and devices. Without a table nothing may, but asking for a rebirth."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shutan_gateway.config.fields import Section

__all__ = ["CommandRule"]

_Level = Annotated[str, StringConstraints(pattern=r"^[^+/#\x00]{1,64}$")]


class CommandRule(Section):
    """One allowed write: where ("*" = any), which metric, as which Sparkplug datatype, within which limits.

    For a wired meter metric is the name of one of its writes ([[serial.meter.write]]), datatype an integer or Boolean.
    values: the only accepted ones, as they are typed on the command line; minimum, maximum: for numbers;
    limit_s: how long the device has to show the value; per_minute: more than this are refused.
    """

    site: _Level = "*"
    node: _Level
    device: str = Field(default="", max_length=64)
    metric: str = Field(min_length=1, max_length=200)
    datatype: Literal[
        "Boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double", "String"
    ]
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    limit_s: float = Field(default=10.0, gt=0, le=300)
    per_minute: int = Field(default=6, ge=1, le=600)
