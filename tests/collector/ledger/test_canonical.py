"""Canonical JSON: one value has one form, and what JSON would write without a word is refused."""

import json
from enum import StrEnum
from fractions import Fraction
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.accounting.documents import Json
from shutan_collector.ledger.canonical import canonical, member, parse, parse_object, sha256_hex

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


@given(VALUES)
def test_round_trip(value: Json) -> None:
    data = canonical(value)
    assert parse(data) == value
    assert canonical(parse(data)) == data


@given(st.dictionaries(TEXT, VALUES, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value: dict[str, Json], random: object) -> None:
    keys = list(value)
    random.shuffle(keys)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - hypothesis has no type for it
    assert canonical({key: value[key] for key in keys}) == canonical(value)


def test_the_form() -> None:
    class Scope(StrEnum):
        ONE = "scope1"

    value = {"b": [1, (-2, None, True)], "a": '数碳"\n\\/', "Z": Scope.ONE, "é": 10**30}
    data = '{"Z":"scope1","a":"数碳\\"\\n\\\\/","b":[1,[-2,null,true]],"é":1000000000000000000000000000000}'
    assert canonical(value) == data.encode()
    assert canonical({}) == b"{}"
    assert canonical([]) == b"[]"


def test_the_hash_is_over_the_bytes() -> None:
    assert sha256_hex(canonical({"a": 1})) == sha256(b'{"a":1}').hexdigest()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.0, "$: float 1.0"),
        ({"a": [1, {"b": 2.5}]}, "$.a[1].b: float 2.5"),
        ([1, [2, [float("nan")]]], "$[1][1][0]: float nan"),
        ({1: 2}, "$: key 1 is not text"),
        ({"a": {None: 2}}, "$.a: key None is not text"),
        ({"a": {"b": 1, 2: 1}}, "$.a: key 2 is not text"),
        ({"a": Fraction(1, 3)}, "$.a: Fraction Fraction(1, 3)"),
        ([b"x"], "$[0]: bytes b'x'"),
        ([{1}], "$[0]: set {1}"),
    ],
)
def test_what_has_no_place_is_named(value: Json, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        canonical(value)
    assert str(caught.value).startswith(said)


def test_text_without_a_utf_8_form_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        canonical({"a": "\ud800"})


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'["\\u0041"]',
        b'["\\/"]',
        b"[1]\n",
        b"[-0]",
        b"",
        b"\xff",
    ],
)
def test_other_forms_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(data)


def test_a_body_is_an_object() -> None:
    assert parse_object(b'{"a":[1]}') == {"a": [1]}
    with pytest.raises(ValueError, match="no JSON object"):
        parse_object(b"[1]")
    with pytest.raises(ValueError, match=r"1\.5 is no integer"):
        parse_object(b'{"a":1.5}')


@given(VALUES)
def test_any_json_reader_understands_it(value: Json) -> None:
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(TEXT, TEXT, max_size=4), VALUES)
def test_one_member_is_read_without_the_rest(others: dict[str, str], wanted: Json) -> None:
    others.pop("fingerprint", None)
    data = canonical({**others, "fingerprint": wanted})
    assert member(data, "fingerprint") == wanted


def test_a_name_inside_a_text_is_no_member() -> None:
    data = canonical({"a": 'he said "fingerprint":7', "fingerprint": [1, 2]})
    assert member(data, "fingerprint") == [1, 2]
    with pytest.raises(ValueError, match="has no member 'finger'"):
        member(data, "finger")
