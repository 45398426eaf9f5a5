"""Mistakes of a configuration that show only in several keys together; wrong types are told elsewhere and pass here.

A room with such mistakes adds its function to `CHECKS`: (file, tree) -> problems.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from shutan_gateway.config.adapters import check_adapters
from shutan_gateway.config.fields import is_loopback
from shutan_gateway.config.notify import check_notify
from shutan_gateway.config.sections import SpoolSection
from shutan_gateway.config.serial import check_serial
from shutan_gateway.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CHECKS", "table", "tables"]


def _gateway(file: str, tree: dict[str, Any]) -> list[Problem]:
    """Broker, spool and stores."""
    problems: list[Problem] = []

    def need(sound: object, key: str, found: str, accepted: str) -> None:
        if not sound:
            problems.append(Problem(file, key, found, accepted))

    mqtt = table(tree, "mqtt")
    host = mqtt.get("host", "127.0.0.1")
    tls = table(mqtt, "tls")
    need("password_file" not in mqtt or "username" in mqtt, "mqtt.username", "nothing", "a name beside password_file")
    local = not isinstance(host, str) or is_loopback(host)
    accepted = "a loopback host, or a table [mqtt.tls], or plaintext = true on a network that you trust"
    need(local or "tls" in mqtt or mqtt.get("plaintext") is True, "mqtt.host", repr(host), accepted)
    need(("cert_file" in tls) == ("key_file" in tls), "mqtt.tls", "one of two", "cert_file and key_file, or neither")
    spool = table(tree, "spool")
    sizes = SpoolSection.model_fields
    segment = spool.get("segment_bytes", sizes["segment_bytes"].default)
    most = spool.get("max_bytes", sizes["max_bytes"].default)
    room = not (isinstance(segment, int) and isinstance(most, int)) or most >= 2 * segment
    need(room, "spool.max_bytes", str(most), f"at least two times segment_bytes ({segment})")
    names: list[object] = []
    for index, store in enumerate(tables(tree, "store")):
        name, key = store.get("name"), f"store[{index}]"
        need(name is None or name not in names, f"{key}.name", repr(name), "a name that no other store has")
        names.append(name)
        if store.get("kind") == "influxdb":
            version = store.get("version", 1)
            named = version not in {1, 3} or store.get("database")
            need(named, f"{key}.database", "nothing", f"a database, since version = {version}")
            whole = version != 2 or (store.get("org") and store.get("bucket"))
            need(whole, f"{key}.bucket", "org or bucket missing", "org and bucket, since version = 2")
    return problems


def table(tree: dict[str, Any], key: str) -> dict[str, Any]:
    """A table of the file, empty when it is none."""
    found = tree.get(key)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def tables(tree: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The tables of an array of tables."""
    found = tree.get(key)
    items = cast("list[Any]", found) if isinstance(found, list) else []
    return [item for item in items if isinstance(item, dict)]


CHECKS: list[Callable[[str, dict[str, Any]], list[Problem]]] = [_gateway, check_serial, check_adapters, check_notify]
