"""[watch] and [[notify]]: what is looked at from time to time, and who hears when something is wrong or well again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, StringConstraints
from pydantic.functional_validators import AfterValidator

from shutan_gateway.config.fields import ExistingFile, HttpUrl, Id, Port, Section, is_loopback
from shutan_gateway.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DingtalkNotify",
    "MailNotify",
    "NotifyConfig",
    "WatchSection",
    "WebhookNotify",
    "WecomNotify",
    "check_notify",
]

_ADDRESSES = 50
_Address = Annotated[str, StringConstraints(pattern=r"^[^\s@<>,;]+@[^\s@<>,;]+$", max_length=254)]


def _some(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(addresses) <= _ADDRESSES:
        raise ValueError(f"1 to {_ADDRESSES} addresses")
    return addresses


class WatchSection(Section):
    """`[watch]`: every interval_s the gateway looks at itself; silent_s: a device that is online and says nothing."""

    interval_s: float = Field(default=120.0, ge=1, le=86_400)
    silent_s: float = Field(default=900.0, ge=5, le=7 * 86_400)


class _Notify(Section):
    """Common to all kinds. least: below this nothing is sent; min_interval_s: between two messages."""

    name: Id
    language: Literal["en", "zh"] = "en"
    least: Literal["warning", "error"] = "warning"
    min_interval_s: float = Field(default=60.0, ge=0, le=86_400)
    timeout_s: float = Field(default=10.0, gt=0, le=60)


class WebhookNotify(_Notify):
    """`kind = "webhook"`: POST of JSON; url, or url_file when the address itself is a secret; token_file: Bearer."""

    kind: Literal["webhook"]
    url: HttpUrl | None = None
    url_file: ExistingFile | None = None
    token_file: ExistingFile | None = None


class MailNotify(_Notify):
    """`kind = "mail"`: SMTP; without TLS to a server on this machine only."""

    kind: Literal["mail"]
    host: str = Field(min_length=1)
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: ExistingFile | None = None
    username: str | None = None
    password_file: ExistingFile | None = None
    sender: _Address
    to: Annotated[tuple[_Address, ...], AfterValidator(_some)]


class WecomNotify(_Notify):
    """`kind = "wecom"`: group robot of WeCom (企业微信群机器人); key_file holds the key of its webhook address."""

    kind: Literal["wecom"]
    key_file: ExistingFile
    url: HttpUrl = "https://qyapi.weixin.qq.com"
    language: Literal["en", "zh"] = "zh"


class DingtalkNotify(_Notify):
    """`kind = "dingtalk"`: robot of DingTalk (钉钉机器人); secret_file when its security setting is the signature."""

    kind: Literal["dingtalk"]
    token_file: ExistingFile
    secret_file: ExistingFile | None = None
    url: HttpUrl = "https://oapi.dingtalk.com"
    language: Literal["en", "zh"] = "zh"


NotifyConfig = Annotated[WebhookNotify | MailNotify | WecomNotify | DingtalkNotify, Field(discriminator="kind")]


def check_notify(file: str, tree: dict[str, Any]) -> list[Problem]:
    """Mistakes of [[notify]] that show in several keys together."""
    found = tree.get("notify")
    notify = cast("list[Any]", found) if isinstance(found, list) else []
    problems: list[Problem] = []
    names: list[object] = []
    tables = [cast("dict[str, Any]", one) for one in notify if isinstance(one, dict)]
    for index, one in enumerate(tables):
        key = f"notify[{index}]"

        def need(sound: object, name: str, found: str, accepted: str, key: str = key) -> None:
            if not sound:
                problems.append(Problem(file, f"{key}.{name}", found, accepted))

        name = one.get("name")
        need(name is None or name not in names, "name", repr(name), "a name that no other has")
        names.append(name)
        _RULES.get(str(one.get("kind")), _no_rule)(one, need)
    return problems


def _webhook(one: dict[str, Any], need: Callable[..., None]) -> None:
    found = [key for key in ("url", "url_file") if key in one]
    need(len(found) == 1, "url", " and ".join(found) or "nothing", "either url or url_file")


def _mail(one: dict[str, Any], need: Callable[..., None]) -> None:
    host = one.get("host")
    local = not isinstance(host, str) or is_loopback(host)
    plain = one.get("security") == "none"
    need(local or not plain, "security", '"none"', '"starttls" or "tls", since the server is not on this machine')
    need("password_file" not in one or "username" in one, "username", "nothing", "a name beside password_file")


def _no_rule(_one: dict[str, Any], _need: Callable[..., None]) -> None:
    """Nothing to check together."""


_RULES: dict[str, Callable[[dict[str, Any], Callable[..., None]], None]] = {"webhook": _webhook, "mail": _mail}
