"""Ids and metric names made from what strangers call things: safe, short, never two things under one id."""

from __future__ import annotations

import hashlib
import re

from shutan_gateway.payload.definition import Role, field_of
from shutan_wire import datatypes as dt

__all__ = ["own_name", "safe_id"]

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_OTHER = re.compile(r"[^A-Za-z0-9_-]")
_HASHED = re.compile(r".*-[0-9a-f]{8}")
_HASH_CHARS = 8
_ID_MAX = 32
_NAME_MAX = 56  # the store cuts at 64 characters and adds its suffix


def safe_id(text: str) -> str:
    """An id `[A-Za-z0-9_-]{1,32}` for any text; a changed one ends in `-` and 8 hex digits of the text's SHA-256.

    A text that is an id already stays as it is, unless it looks like a changed one: then it gets a hash too, so that
    nobody can take the id of another by giving himself its hash.
    """
    if _SAFE.fullmatch(text) and not _HASHED.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS]
    stem = _OTHER.sub("_", text)[: _ID_MAX - _HASH_CHARS - 1]
    return f"{stem}-{digest}" if stem else f"id-{digest}"


def own_name(text: str) -> str:
    """Metric name for a field outside the catalogue: never one of the record protocol, never over-long."""
    name = text.strip().replace("/", "_") or "value"
    if len(name) > _NAME_MAX:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS]
        name = f"{name[: _NAME_MAX - _HASH_CHARS - 1]}_{digest}"
    return name if field_of(name, dt.DOUBLE).role == Role.SAMPLE else f"{name}_"
