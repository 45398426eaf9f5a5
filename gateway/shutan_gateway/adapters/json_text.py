"""Strict JSON of strangers: bytes to values with exact numbers, every malformed class under its own name.

The standard `json` module is used although orjson is faster: orjson makes 123.456 the nearest binary fraction, so no
register could be read exactly, and it takes the last of two equal keys in silence. Here numbers become `int` or
`Decimal`, and two equal keys are a fault. A device sends a message every few seconds, so speed is not the point.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, NoReturn, TypeAlias, cast

from shutan_gateway.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DEPTH_MAX", "PAYLOAD_MAX", "Json", "JsonObject", "parse_json", "parse_object", "parse_text"]

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

PAYLOAD_MAX = 65_536  # bytes; the largest known status of a device is 4 KB
DEPTH_MAX = 16
_DIGITS_MAX = 40
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def parse_text(raw: bytes) -> str:
    """Text of a payload. Raises Refusal `oversize` or `bad_utf8`."""
    if len(raw) > PAYLOAD_MAX:
        raise Refusal("oversize", f"{len(raw)} bytes, limit {PAYLOAD_MAX}")
    try:
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Refusal("bad_utf8", f"byte {error.start}") from error


def parse_json(raw: bytes) -> Json:
    """Value of a payload; fractions are Decimal.

    Raises Refusal: oversize, bad_utf8, deep_json (more than 16 levels), nan (NaN, Infinity), duplicate_key,
    long_number (more than 40 characters, or an exponent beyond Decimal), bad_json (anything else that RFC 8259 does not
    allow).
    """
    text = parse_text(raw)
    _check_depth(text)
    try:
        value = cast(
            "Json",
            json.loads(
                text,
                parse_float=_fraction,
                parse_int=_integer,
                parse_constant=_constant,
                object_pairs_hook=_object,
            ),
        )
    except ValueError as error:
        raise Refusal("bad_json", str(error)[:100]) from error
    if "\\u" in text and not all(_is_text(part) for part in _texts(value)):
        raise Refusal("bad_utf8", "half of a surrogate pair")
    return value


def parse_object(raw: bytes) -> JsonObject:
    """The object that a payload is. Raises Refusal as parse_json, and `not_an_object`."""
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise Refusal("not_an_object", f"a JSON {type(value).__name__}")
    return value


def _check_depth(text: str) -> None:
    if text.count("{") + text.count("[") <= DEPTH_MAX:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        sign = match[0]
        if sign in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise Refusal("deep_json", f"more than {DEPTH_MAX} levels")
        elif sign in "]}":
            depth -= 1


def _fraction(digits: str) -> Decimal:
    if len(digits) > _DIGITS_MAX:
        raise Refusal("long_number", f"{len(digits)} characters")
    try:
        return Decimal(digits)
    except InvalidOperation as error:  # an exponent beyond what Decimal can hold
        raise Refusal("long_number", "its exponent") from error


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise Refusal("long_number", f"{len(digits)} characters")
    return int(digits)


def _constant(word: str) -> NoReturn:
    raise Refusal("nan", word)


def _object(pairs: list[tuple[str, Json]]) -> JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Refusal("duplicate_key", repr(name[:64]))
            seen.add(name)
    return found


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _texts(part)


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
