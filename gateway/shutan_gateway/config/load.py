"""Reading and checking one configuration file; every mistake is told at once."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic import ValidationError

from shutan_gateway.config.checks import CHECKS
from shutan_gateway.config.fields import Section
from shutan_gateway.config.tree import GatewayConfig
from shutan_gateway.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

__all__ = ["load_config"]


def load_config(path: Path) -> GatewayConfig:
    """Read and check a configuration file. Raises ConfigError with every mistake in it."""
    try:
        with path.open("rb") as file:
            tree = tomllib.load(file)
    except OSError as error:
        raise ConfigError([Problem(str(path), "(file)", error.strerror or str(error), "a readable file")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), "(file)", str(error), "TOML 1.0")]) from error
    problems = [problem for check in CHECKS for problem in check(str(path), tree)]
    config: GatewayConfig | None = None
    try:
        config = GatewayConfig.model_validate(tree, context=path.absolute().parent)
    except ValidationError as error:
        problems = [*(_problem(str(path), tree, detail) for detail in error.errors(include_url=False)), *problems]
    if problems or config is None:
        raise ConfigError(problems)
    return config


_ACCEPTED = {
    "missing": "a value (the key is required)",
    "int_parsing": "an integer",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a string",
    "path_type": "a path in quotes",
    "model_type": "a table",
    "tuple_type": "a list",
}
_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _problem(file: str, tree: dict[str, Any], detail: ErrorDetails) -> Problem:
    found, steps = _look_up(tree, detail["loc"])
    key = ".".join(steps) or "(file)"
    kind = detail["type"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return Problem(file, key, "an unknown key", _known_keys(steps[:-1], tree))
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        accepted = "kind = " + " or ".join(f'"{name}"' for name in _kinds_at(steps, tree))
    elif kind == "value_error":
        accepted = str(context.get("error", detail["msg"]))
    elif kind == "string_pattern_mismatch":
        accepted = f"text matching {context.get('pattern')}"
    else:
        limits = [f"{sign} {context[name]}" for name, sign in _SIGNS.items() if name in context]
        accepted = _ACCEPTED.get(kind) or (f"a number {' and '.join(limits)}" if limits else detail["msg"])
    return Problem(file, key, found, accepted)


def _look_up(tree: dict[str, Any], location: tuple[int | str, ...]) -> tuple[str, list[str]]:
    """What stands at a location of the file, as text, and the location without pydantic's own union tags."""
    here: Any = tree
    steps: list[str] = []
    for step in location:
        table = cast("dict[str, Any] | list[Any] | None", here if isinstance(here, dict | list) else None)
        if isinstance(table, dict) and isinstance(step, str):
            if step not in table and step == table.get("kind"):  # pydantic names the member of a union here
                continue
            steps.append(step)
            here = table.get(step)
        elif isinstance(table, list) and isinstance(step, int) and step < len(table):
            steps[-1] += f"[{step}]"
            here = table[step]
        else:
            steps.append(str(step))
            here = None
    if isinstance(here, dict):
        return "a table that does not fit together", steps
    if here is None:
        return "nothing", steps
    text = repr(cast("object", here)) if isinstance(here, str) else str(cast("object", here))
    return (text if len(text) <= 80 else text[:77] + "..."), steps


def _known_keys(steps: list[str], tree: dict[str, Any]) -> str:
    model = _model_at(steps, tree)
    return "one of " + ", ".join(model.model_fields) if model else "no key here"


def _kinds_at(steps: list[str], tree: dict[str, Any]) -> list[str]:
    """The values of `kind` that a table at this place of the file may have."""
    above, name = _model_at(steps[:-1], tree), steps[-1].partition("[")[0]
    field = None if above is None else above.model_fields.get(name)
    models = [] if field is None else _sections(field.annotation)
    return [kind for one in models for kind in get_args(one.model_fields["kind"].annotation)]


def _model_at(steps: list[str], tree: dict[str, Any]) -> type[Section] | None:
    """The table class at a place of the file; in a union the one that the table's own `kind` names."""
    model: type[Section] = GatewayConfig
    here: Any = tree
    for step in steps:
        name, _, index = step.removesuffix("]").partition("[")
        here = cast("dict[str, Any]", here).get(name) if isinstance(here, dict) else None
        if index and isinstance(here, list):
            here = cast("list[Any]", here)[int(index)]
        field = model.model_fields.get(name)
        kind = cast("dict[str, Any]", here).get("kind") if isinstance(here, dict) else None
        found = [] if field is None else [one for one in _sections(field.annotation) if _is_kind(one, kind)]
        if len(found) != 1:
            return None
        model = found[0]
    return model


def _sections(annotation: Any) -> list[type[Section]]:
    """Table classes inside an annotation such as `tuple[A | B, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [found for part in get_args(annotation) for found in _sections(part)]


def _is_kind(model: type[Section], kind: object) -> bool:
    field = model.model_fields.get("kind")
    return field is None or kind in get_args(field.annotation)
