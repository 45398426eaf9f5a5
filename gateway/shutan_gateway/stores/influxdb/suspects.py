"""Which lines of a refused batch an answer speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.stores.influxdb.line import coded, field_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.rows import Row
    from shutan_gateway.stores.influxdb.answers import Answer, TypeConflict

__all__ = ["Line", "suspects"]


class Line(NamedTuple):
    """A line to send, with the row it stands for and that row's place in the batch."""

    place: int
    row: Row
    text: bytes


def suspects(answer: Answer, lines: Sequence[Line]) -> list[Line]:
    """The lines that an answer to `lines` names as refused, in order; none when it does not say which.

    A guess is enough: the caller sends the others alone, and whatever is refused then is looked for by halves.
    """
    if answer.lines:
        return [lines[number - 1] for number in sorted(set(answer.lines)) if number <= len(lines)]
    if answer.conflict is not None:
        return [line for line in lines if _clashes(line.row, answer.conflict)]
    if answer.refused_text:
        return [line for line in lines if f"'{line.text.decode()}'" in answer.refused_text]
    if answer.oldest and answer.dropped is not None:
        by_age = sorted(lines, key=lambda line: line.row.t_ns)
        return sorted(by_age[: answer.dropped])
    return []


def _clashes(row: Row, conflict: TypeConflict) -> bool:
    if row.family != conflict.measurement:
        return False
    for metric, value in zip(row.metrics, row.values, strict=True):
        if coded(metric) == conflict.field:
            return field_type(type(value)) != conflict.exists_as
    return False
