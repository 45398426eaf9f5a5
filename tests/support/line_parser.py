"""An independent reader of InfluxDB line protocol, written from its description and not from the writer.

Description (InfluxDB 1.x and 2.x reference, "Line protocol"): `measurement[,tag=value...] field=value[,...] time`.
Lines end at a newline that is not inside a quoted string. A backslash escapes comma, equals sign and space in names and
tag values; inside strings it escapes a double quote and itself; before any other sign it is an ordinary backslash.
"""

from typing import NamedTuple

from shutan_gateway.rows import Value


class Point(NamedTuple):
    """One line, parsed."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, Value]
    time_ns: int


def parse_lines(text: str) -> list[Point]:
    """All points of a body. Raises ValueError for anything that is not line protocol."""
    reader = _Reader(text)
    points: list[Point] = []
    while not reader.done:
        points.append(reader.point())
    return points


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._text)

    def _next(self) -> str:
        if self.done:
            raise ValueError("the line ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _name(self, stops: str) -> tuple[str, str]:
        """A name or tag value up to an unescaped stop sign, and that sign."""
        name = ""
        while True:
            sign = self._next()
            if sign == "\\" and not self.done and self._text[self._at] in ",= ":
                name += self._next()
            elif sign in stops:
                if not name:
                    raise ValueError("an empty name")
                return name, sign
            elif sign in "\n=" or (sign in ", "):
                raise ValueError(f"{sign!r} inside a name")
            else:
                name += sign

    def point(self) -> Point:
        measurement, stop = self._name(", ")
        if measurement.startswith("#"):
            raise ValueError("a comment")
        tags: dict[str, str] = {}
        while stop == ",":
            key, _ = self._name("=")
            if key in tags:
                raise ValueError("a tag twice")
            tags[key], stop = self._name(", ")
        fields: dict[str, Value] = {}
        stop = ","
        while stop == ",":
            key, _ = self._name("=")
            if key in fields:
                raise ValueError("a field twice")
            fields[key], stop = self._value()
        digits = ""
        while not self.done and (sign := self._next()) != "\n":
            digits += sign
        return Point(measurement, tags, fields, int(digits))

    def _value(self) -> tuple[Value, str]:
        text = ""
        if self._text[self._at : self._at + 1] == '"':
            self._next()
            while (sign := self._next()) != '"':
                if sign == "\\" and self._text[self._at] in '"\\':
                    sign = self._next()
                text += sign
            stop = self._next()
            if stop not in ", ":
                raise ValueError("text after a string")
            return text, stop
        while (sign := self._next()) not in ", ":
            text += sign
        if text in {"t", "T", "true", "True", "TRUE"}:
            return True, sign
        if text in {"f", "F", "false", "False", "FALSE"}:
            return False, sign
        return (int(text[:-1]) if text.endswith("i") else float(text)), sign
