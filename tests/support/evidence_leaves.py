"""Every value in documents, one by one: where it stands, and the same documents with that one value changed."""

import re
from collections.abc import Iterator
from typing import Any, cast

from support.evidence_ledger import Documents

__all__ = ["Leaf", "is_number", "leaves", "nudged", "with_leaf"]

NUMBER = re.compile(r"-?\d+(\.\d+|/\d+)?")
Path = tuple[str | int, ...]


class Leaf:
    """A value; `label` is its place as docs/evidence.md names it: without positions in lists, and without names."""

    def __init__(self, document: str, path: Path, value: Any) -> None:
        self.document, self.path, self.value = document, path, value
        kind = re.sub(r"^(readings|lines)/.*", r"\1", document)
        self.label = ".".join([kind, *(re.sub(r"^.*[|-].*$", "*", str(p)) for p in path if isinstance(p, str))])
        if len(path) > 1 and isinstance(path[-1], int) and isinstance(path[-2], int):
            self.label += f".{path[-1]}"  # one of a row of columns, as in flows


def is_number(value: Any) -> bool:
    """A JSON integer or the exact text of a number."""
    return type(value) is int or (isinstance(value, str) and NUMBER.fullmatch(value) is not None)


def leaves(documents: Documents) -> Iterator[Leaf]:
    """All values that are no list and no object."""
    for name, body in documents.items():
        for path, value in _walk(body, ()):
            yield Leaf(name, path, value)


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    inner = _items(value)
    for key, item in inner:
        yield from _walk(item, (*path, key))
    if not inner and not isinstance(value, dict | list):
        yield path, value


def _items(value: Any) -> list[tuple[str | int, Any]]:
    """Keys or positions of an object or a list, with what stands there; nothing for anything else."""
    if isinstance(value, dict):
        return list(cast("dict[str | int, Any]", value).items())
    return list(enumerate(cast("list[Any]", value))) if isinstance(value, list) else []


def nudged(value: Any) -> Any:
    """The nearest other value of the same kind: one more in the last digit, another word, the other truth."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value is None:
        return 1
    text = str(value)
    if not is_number(value):
        return f"{text}x"
    digit = str((int(text[-1]) + 1) % 10)
    return text[:-1] + digit


def with_leaf(body: Any, path: Path, value: Any) -> Any:
    """A copy with one value replaced; what lies beside the path is shared."""
    if not path:
        return value
    copy: Any = body.copy()
    copy[path[0]] = with_leaf(body[path[0]], path[1:], value)
    return copy
