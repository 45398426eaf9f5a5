"""Answers of InfluxDB servers, read: golden texts of 1.6.7 (as received), 2.x and 3.x (as documented)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.stores.influxdb.answers import Kind, TypeConflict, read_answer
from shutan_gateway.stores.influxdb.line import LineEncoder
from shutan_gateway.stores.influxdb.suspects import Line, suspects
from support.store_rows import SECOND_NS, row

CONFLICT = (
    'partial write: field type conflict: input field "x_f" on measurement "energy" is type float, '
    "already exists as type integer dropped=2"
)
LINES = [
    Line(n, one, LineEncoder().line(one))
    for n, one in enumerate(
        [
            row({"x_f": 1}, at=3 * SECOND_NS),
            row({"x_f": 1.5}, at=2 * SECOND_NS),
            row({"y_f": 1.5}, at=1 * SECOND_NS),
            row({"x_f": "text", "y_f": 2.5}, at=0),
            row({"x_f": 1.5}, family="node"),
        ]
    )
]


def error(text: str) -> bytes:
    return json.dumps({"error": text}).encode()


def message(text: str, code: str = "invalid", **more: object) -> bytes:
    return json.dumps({"code": code, "message": text, **more}).encode()


def places(status: int, body: bytes) -> list[int]:
    answer = read_answer(status, {}, body)
    assert answer.kind is Kind.FAULTY
    assert answer.sure
    return [line.place for line in suspects(answer, LINES)]


@pytest.mark.parametrize(
    ("status", "headers", "kind", "retry_after_s"),
    [
        (204, {}, Kind.DONE, None),
        (200, {}, Kind.DONE, None),
        (413, {}, Kind.TOO_LARGE, None),
        (429, {"retry-after": "17"}, Kind.LATER, 17.0),
        (503, {"retry-after": "0"}, Kind.LATER, 0.0),
        (503, {"retry-after": "soon"}, Kind.LATER, None),
        (503, {"retry-after": "-5"}, Kind.LATER, None),
        (
            503,
            {"retry-after": "Wed, 18 Nov 2026 08:01:40 GMT", "date": "Wed, 18 Nov 2026 08:00:00 GMT"},
            Kind.LATER,
            100.0,
        ),
        (
            429,
            {"retry-after": "Wed, 18 Nov 2026 07:00:00 GMT", "date": "Wed, 18 Nov 2026 08:00:00 GMT"},
            Kind.LATER,
            0.0,
        ),
        (500, {}, Kind.LATER, None),
        (502, {}, Kind.LATER, None),
        (408, {}, Kind.LATER, None),
        (401, {}, Kind.REFUSED, None),
        (403, {}, Kind.REFUSED, None),
        (404, {}, Kind.REFUSED, None),
        (405, {}, Kind.REFUSED, None),
        (301, {}, Kind.REFUSED, None),
    ],
)
def test_what_a_status_means(status: int, headers: dict[str, str], kind: Kind, retry_after_s: float | None) -> None:
    answer = read_answer(status, headers, b"")
    assert (answer.kind, answer.retry_after_s) == (kind, retry_after_s)


@pytest.mark.parametrize(("status", "remedy"), [(401, "token"), (403, "may write"), (404, "database"), (410, "url")])
def test_a_refusal_tells_a_person_what_to_check(status: int, remedy: str) -> None:
    assert remedy in read_answer(status, {}, error('database not found: "plant"')).reason


def test_a_type_conflict_names_field_and_count() -> None:
    answer = read_answer(400, {}, error(CONFLICT))
    assert answer.conflict == TypeConflict("energy", "x_f", "integer")
    assert answer.dropped == 2
    assert answer.reason.startswith("type conflict: HTTP 400: partial write")


@pytest.mark.parametrize("body", [error(CONFLICT), message(f"failure writing points to database: {CONFLICT}")])
def test_lines_of_a_type_conflict_are_found_by_their_types(body: bytes) -> None:
    assert places(400, body) == places(422, body) == [1, 3]


def test_lines_that_could_not_be_parsed_are_found_by_their_text() -> None:
    parts = [f"unable to parse '{LINES[n].text.decode()}': max key size exceeded" for n in (2, 4)]
    text = "partial write: " + "\n".join(parts) + " dropped=0"
    assert places(400, error(text)) == [2, 4]
    assert read_answer(400, {}, error(text)).dropped is None, "0 is what 1.6.7 says whatever it drops"


def test_lines_are_found_by_number() -> None:
    assert places(400, message("no data written, errors encountered on line(s)", line=2)) == [1]
    refused = [{"line_number": 4, "error_message": "x"}, {"line_number": 1, "error_message": "y"}]
    body = json.dumps({"error": "partial write of line protocol occurred", "data": refused}).encode()
    assert places(400, body) == [0, 3]
    assert places(400, message("line protocol", line=99)) == []


def test_points_beyond_the_retention_are_the_oldest() -> None:
    text = "partial write: points beyond retention policy dropped=2"
    assert places(400, error(text)) == [3, 4]


def test_an_answer_that_speaks_of_no_point_is_not_sure() -> None:
    for body in (b"", b"<html>Bad Request</html>", error("database is required"), message("bucket unknown"), b"[1]"):
        answer = read_answer(400, {}, body)
        assert (answer.kind, answer.sure) == (Kind.FAULTY, False)
        assert suspects(answer, LINES) == []


@given(
    st.integers(100, 599), st.binary(max_size=200), st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text())
)
def test_no_answer_makes_trouble(status: int, body: bytes, headers: dict[str, str]) -> None:
    answer = read_answer(status, headers, body)
    assert answer.retry_after_s is None or answer.retry_after_s >= 0
    assert len(answer.reason) < 500
    suspects(answer, LINES)
