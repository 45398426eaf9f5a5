"""[[store]] kinds that carry records on to others: unified namespace, HJ 212, platform for key energy users."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from pydantic.functional_validators import AfterValidator

from shutan_gateway.config.checks import CHECKS, table, tables
from shutan_gateway.config.fields import ExistingFile, FilePath, HttpUrl, Id, Port, Section, is_loopback
from shutan_gateway.config.sections import TlsSection  # noqa: TC001 - pydantic reads the annotation
from shutan_gateway.errors import Problem

__all__ = ["Hj212Config", "Hj212Factor", "KeyEnergyConfig", "KeyEnergyIndicator", "UnsConfig", "UnsPlace"]


def _scale(text: str) -> str:
    try:
        sound = len(text) <= 40 and "e" not in text.lower() and Fraction(text) > 0
    except (ValueError, ZeroDivisionError):
        sound = False
    if not sound:
        raise ValueError('a positive decimal or fraction in quotes, such as "0.001" or "1/3"')
    return text


Scale = Annotated[str, AfterValidator(_scale)]
Segments = Annotated[str, StringConstraints(pattern=r"^[^/+#$\x00]+(/[^/+#\x00]+)*$", max_length=200)]
# Hours east of Greenwich of the calendar that a platform counts days in.
Offset = Annotated[float, Field(ge=-12, le=14)]


class UnsPlace(Section):
    """`[[store.place]]`: where a node, or one device of it, stands: area/line, as many levels as there are."""

    site: Id
    node: Id
    device: str | None = None
    path: Segments


class UnsConfig(Section):
    """`[[store]] kind = "uns"`: every metric's last value, retained JSON, at enterprise/site/area/line/device/metric.

    max_age_s: samples older than this are history, not state, and are not published.
    """

    kind: Literal["uns"]
    name: Id
    host: str = Field(default="127.0.0.1", min_length=1)
    port: Port = 1883
    username: str | None = None
    password_file: ExistingFile | None = None
    tls: TlsSection | None = None
    plaintext: bool = False
    enterprise: Segments
    place: tuple[UnsPlace, ...] = ()
    max_age_s: float = Field(default=3600.0, ge=1)
    timeout_s: float = Field(default=10.0, gt=0, le=600)


class Hj212Factor(Section):
    """`[[store.factor]]`: a monitored factor (code of HJ 212 appendix or a local one) and the metric that it is.

    scale: what the metric is multiplied by; cumulative: a counter, whose increase in a period is its Cou.
    """

    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{3,12}$")]
    site: Id
    node: Id
    device: str
    metric: str
    scale: Scale = "1"
    decimals: int = Field(default=3, ge=0, le=9)
    cumulative: bool = False


class Hj212Config(Section):
    """`[[store]] kind = "hj212"`: data of HJ 212 to the host computer of an environmental authority.

    edition: which one Flag names; minutes: length of minute data; reply_timeout_s and resend: OverTime and ReCount.
    """

    kind: Literal["hj212"]
    name: Id
    host: str = Field(min_length=1)
    port: Port
    mn: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{14,27}$")]
    password_file: ExistingFile
    st: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")] = "32"
    edition: Literal[2017, 2025] = 2025
    state: FilePath
    rtd_interval_s: float = Field(default=60.0, ge=0, le=3600)
    minutes: Literal[1, 2, 5, 10, 15, 20, 30] = 10
    settle_s: float = Field(default=60.0, ge=0, le=3600)
    reply_timeout_s: float = Field(default=10.0, gt=0, le=300)
    resend: int = Field(default=3, ge=0, le=10)
    keep_days: int = Field(default=35, ge=2, le=3650)
    utc_offset_h: Offset = 8.0
    factor: tuple[Hj212Factor, ...] = Field(min_length=1)


class KeyEnergyIndicator(Section):
    """`[[store.indicator]]`: an indicator of the platform and the energy register that it is counted by."""

    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    site: Id
    node: Id
    device: str
    metric: str
    scale: Scale = "0.001"
    unit: str = "kWh"
    decimals: int = Field(default=2, ge=0, le=9)


class KeyEnergyConfig(Section):
    """`[[store]] kind = "key_energy"`: daily and monthly consumption to the platform for key energy users.

    url: where documents are posted; folder: where they are put instead (or as well) for another program to carry on.
    """

    kind: Literal["key_energy"]
    name: Id
    unit_code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    url: HttpUrl | None = None
    folder: FilePath | None = None
    form: Literal["json", "xml"] = "json"
    token_file: ExistingFile | None = None
    state: FilePath
    fill_file: FilePath | None = None
    completeness: float = Field(default=0.9, gt=0, le=1)
    tolerance_s: float = Field(default=60.0, ge=1, le=3600)
    settle_s: float = Field(default=7200.0, ge=0, le=86_400)
    timeout_s: float = Field(default=30.0, gt=0, le=600)
    utc_offset_h: Offset = 8.0
    indicator: tuple[KeyEnergyIndicator, ...] = Field(min_length=1)


def _northbound(file: str, tree: dict[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    for index, store in enumerate(tables(tree, "store")):
        key, kind = f"store[{index}]", store.get("kind")
        host = store.get("host", "127.0.0.1")
        if kind == "uns" and isinstance(host, str):
            sound = is_loopback(host) or table(store, "tls") or store.get("plaintext") is True
            if not sound:
                accepted = "a loopback host, or a table [store.tls], or plaintext = true on a network that you trust"
                problems.append(Problem(file, f"{key}.host", repr(host), accepted))
        if kind == "key_energy" and not (store.get("url") or store.get("folder")):
            problems.append(Problem(file, f"{key}.url", "neither url nor folder", "url, or folder, or both"))
        for name in ("factor", "indicator"):
            codes = [one.get("code") for one in tables(store, name)]
            twice = sorted({str(code) for code in codes if codes.count(code) > 1})
            if twice and kind in {"hj212", "key_energy"}:
                problems.append(Problem(file, f"{key}.{name}", f"{', '.join(twice)} twice", "each code once"))
    return problems


CHECKS.append(_northbound)
