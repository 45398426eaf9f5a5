"""A report's model as JSON: stable, nothing rounded.

Integers stay integers; fractions are exact text (`exact.exact_text`); dates are ISO 8601; enumerations are their value.
Field names carry the units.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from fractions import Fraction
from typing import Final, cast

from shutan_collector.exact import exact_text

__all__ = ["SHOWN", "json_text", "to_plain"]

SHOWN: Final = "shown"  # field(metadata={SHOWN: False}) keeps a field out of documents


def to_plain(value: object) -> object:
    """Plain JSON values of a model; TypeError for a type that has no exact form, floats among them."""
    plain: object
    if isinstance(value, Enum):
        plain = value.value
    elif value is None or isinstance(value, bool | int | str):
        plain = value
    elif isinstance(value, Fraction):
        plain = exact_text(value)
    elif isinstance(value, date):
        plain = value.isoformat()
    elif isinstance(value, tuple | list):
        plain = [to_plain(item) for item in cast("tuple[object, ...]", value)]
    elif is_dataclass(value) and not isinstance(value, type):
        plain = {
            item.name: to_plain(getattr(value, item.name)) for item in fields(value) if item.metadata.get(SHOWN, True)
        }
    else:
        message = f"{type(value).__name__} has no exact form in a document"
        raise TypeError(message)
    return plain


def json_text(document: object) -> str:
    """UTF-8 text, keys in the order of the document, two spaces, a newline at the end."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
