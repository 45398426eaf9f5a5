"""Canonical JSON: one value, one sequence of bytes, so that a hash over the bytes is a hash over the value.

UTF-8, keys sorted by code point, no white space, no escapes beyond those that JSON requires, integers of any size, no
floating point number anywhere: the same rule in every ledger, evidence file and verifier, written out in a few lines.
"""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Final, NoReturn, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_collector.accounting.documents import Json, JsonObject

__all__ = ["canonical", "member", "parse", "parse_object", "sha256_hex"]

_LISTS: Final = frozenset({list, tuple})
_SCALARS: Final = frozenset({str, int, bool, type(None)})
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_DECODER: Final = json.JSONDecoder()


def canonical(value: Json) -> bytes:
    """The bytes of a JSON value; tuples are written as lists.

    Raises TypeError, with the path of the culprit, for a float, a key that is not text, or a type JSON does not have;
    ValueError for text that has no UTF-8 form (a lone surrogate).
    """
    if not _is_plain(value):
        raise TypeError(_culprit(value, "$"))
    return _ENCODER.encode(value).encode()


def parse(data: bytes) -> Json:
    """The value of canonical bytes: objects as dict, arrays as list.

    Raises ValueError for bytes that canonical() does not write: other spacing, order or escapes, a float, a key twice.
    """
    value = _load(data)
    if canonical(value) != data:
        raise ValueError("not canonical JSON: spacing, order of keys, escapes or a key twice")
    return value


def parse_object(data: bytes) -> JsonObject:
    """The object of bytes whose hash has been checked: canonical() wrote them, so that its form is not tested again.

    Raises ValueError where they are no JSON object or hold a float.
    """
    value = _load(data)
    if not isinstance(value, dict):
        raise ValueError("the body is no JSON object")  # noqa: TRY004 - wrong content of bytes, not a wrong argument type
    return value


def member(data: bytes, name: str) -> Json:
    """One member of an object's canonical bytes, without reading the rest: the first with that name, at any depth.

    A name inside a text cannot be taken for one: its quotes are escaped there. Raises ValueError if there is none.
    """
    text = data.decode()
    mark = f'"{name}":'
    at = text.find(mark)
    if at < 0:
        raise ValueError(f"has no member {name!r}")
    return cast("Json", _DECODER.raw_decode(text, at + len(mark))[0])


def sha256_hex(data: bytes) -> str:
    """SHA-256 in 64 lower-case hexadecimal digits."""
    return sha256(data).hexdigest()


def _load(data: bytes) -> Json:
    return json.loads(data.decode(), parse_float=_refuse_number, parse_constant=_refuse_number)


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"not canonical JSON: {text} is no integer")


def _is_plain(value: object) -> bool:
    """False where json would write something else without a word: a float, an integer as a key.

    A container of scalars, which is most of a document, is passed by one look at the set of its types.
    """
    if isinstance(value, dict):
        items = cast("dict[object, object]", value)
        if not all(isinstance(key, str) for key in items):
            return False
        inner: Iterable[object] = items.values()
    elif isinstance(value, list | tuple):
        inner = cast("list[object] | tuple[object, ...]", value)
    else:
        return isinstance(value, str | int | None)
    types = set(map(type, inner))
    if types <= _SCALARS:
        return True
    if types <= _LISTS and _SCALARS.issuperset(map(type, chain.from_iterable(cast("Iterable[list[object]]", inner)))):
        return True  # rows of numbers, which a year of readings has a million of
    return all(map(_is_plain, inner))


def _culprit(value: object, path: str) -> str:
    """Place and kind of the first part of a value that is not plain."""
    inner: Iterable[tuple[object, object]]
    if isinstance(value, dict):
        inner = cast("dict[object, object]", value).items()
    elif isinstance(value, list | tuple):
        inner = enumerate(cast("list[object] | tuple[object, ...]", value))
    else:
        return f"{path}: {type(value).__name__} {value!r} has no place in canonical JSON"
    for key, item in inner:
        if isinstance(value, dict) and not isinstance(key, str):
            return f"{path}: key {key!r} is not text"
        if not _is_plain(item):
            return _culprit(item, f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}")
    return f"{path}: changed while it was written"
