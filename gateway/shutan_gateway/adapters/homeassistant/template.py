"""Value templates of discovery, read by a parser of our own: a path, known filters, one factor. Nothing is executed.

| accepted | example |
|---|---|
| the whole payload | `{{ value }}` |
| a path into JSON | `{{ value_json.a.b }}`, `{{ value_json['a'][0] }}` |
| filters that do not change a number | `float`, `float(0)`, `int`, `is_defined`, `round(2)` |
| one exact factor | `{{ value_json.x / 1000 }}`, `{{ (value_json.x | float) * 0.1 }}`, `{{ float(value) / 10 }}` |

`round` and `int` are not done: a register keeps the digits that the device gave. Every other template is refused.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shutan_gateway.adapters.json_text import Json

__all__ = ["Template", "TemplateError", "parse_template"]

_LENGTH_MAX = 300
_WHOLE = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_FACTOR = re.compile(r"(.*?)\s*([*/])\s*(\d{1,12}(?:\.\d{1,12})?)", re.DOTALL)
_FILTER = re.compile(r"(.*?)\s*\|\s*(?:float|int|is_defined|round)\s*(?:\(\s*[\w.,' ]*\s*\))?", re.DOTALL)
_CALL = re.compile(r"(?:float|int)\(\s*(.*?)\s*(?:,\s*[\d.]+\s*)?\)", re.DOTALL)
_IN_BRACKETS = re.compile(r"\(\s*(.*?)\s*\)", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[\s*'([^'\\]{1,100})'\s*\]|\[\s*\"([^\"\\]{1,100})\"\s*\]|\[\s*(\d{1,4})\s*\]")
_STEPS_MAX = 16


class TemplateError(ValueError):
    """A template that this reader does not understand."""


class Template(NamedTuple):
    """path: steps into the JSON payload, None = the payload as text; factor: exact."""

    path: tuple[str | int, ...] | None
    factor: Fraction

    def find(self, tree: Json) -> tuple[bool, Json]:
        """(whether the path is there, what stands at it)."""
        here = tree
        for step in self.path or ():
            if isinstance(here, list):
                if not isinstance(step, int) or step >= len(here):
                    return False, None
                here = here[step]
            elif isinstance(here, dict) and isinstance(step, str) and step in here:
                here = here[step]
            else:
                return False, None
        return True, here


def parse_template(text: str) -> Template:
    """Raises TemplateError for anything that the table above does not name."""
    whole = _WHOLE.fullmatch(text.strip())
    if len(text) > _LENGTH_MAX or whole is None:
        raise TemplateError("one {{ }} with a path in it")
    inner, factor = whole[1], Fraction(1)
    for _ in range(_STEPS_MAX):
        peeled = _IN_BRACKETS.fullmatch(inner) or _CALL.fullmatch(inner) or _FILTER.fullmatch(inner)
        if peeled is not None and peeled[1].count("(") == peeled[1].count(")"):
            inner = peeled[1]
            continue
        scaled = _FACTOR.fullmatch(inner)
        if scaled is None or factor != 1:
            return Template(_path(inner), factor)
        number = Fraction(Decimal(scaled[3]))
        if number == 0:
            raise TemplateError("a factor above zero")
        inner, factor = scaled[1], number if scaled[2] == "*" else 1 / number
    raise TemplateError("fewer filters")


def _path(text: str) -> tuple[str | int, ...] | None:
    if text == "value":
        return None
    if not text.startswith("value_json"):
        raise TemplateError("value or value_json")
    steps: list[str | int] = []
    at = len("value_json")
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None or len(steps) >= _STEPS_MAX:
            raise TemplateError(f"a path, not {text[at : at + 20]!r}")
        name = step[1] or step[2] or step[3]
        steps.append(name if name is not None else int(step[4]))
        at = step.end()
    if not steps:
        raise TemplateError("a path behind value_json")
    return tuple(steps)
