"""Our codec and the one of an independent client understand each other, for every type that both have."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_wire.decode import decode_payload
from shutan_wire.encode import encode_payload
from shutan_wire.model import Metric, Payload
from support.peers import Talk, talk

MOMENT_MS = st.integers(0, 2**42)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _survives_the_peer(moment_ms: int) -> bool:
    """Whether the other client, which makes milliseconds from a float of seconds, writes this moment as it is.

    4398046511103 ms leaves it as ...102; with such values the comparison would say nothing about our codec.
    """
    return int((EPOCH + timedelta(milliseconds=moment_ms)).timestamp() * 1000) == moment_ms


VALUE_MS = MOMENT_MS.filter(_survives_the_peer)
FLOAT = st.floats(allow_nan=False, allow_infinity=False, width=32)
DOUBLE = st.floats(allow_nan=False, allow_infinity=False)
# The protocol ends a string of an array with a zero byte, and protobuf strings are UTF-8: no lone surrogates.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
BLOB = st.binary(max_size=40).map(bytes.hex)


def _integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.integers(low, high) | st.sampled_from([low, high])


WIDTHS = {1: (8, True), 2: (16, True), 3: (32, True), 4: (64, True), 5: (8, False), 6: (16, False), 7: (32, False)}
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    **{code: _integers(bits, signed=signed) for code, (bits, signed) in WIDTHS.items()},
    8: _integers(64, signed=False),
    9: FLOAT,
    10: DOUBLE,
    11: st.booleans(),
    12: TEXT,
    13: VALUE_MS,
    14: TEXT,
    15: st.uuids().map(str),
    17: BLOB,
    18: BLOB,
}
ARRAY_ELEMENTS = {22: 1, 23: 2, 24: 3, 25: 4, 26: 5, 27: 6, 28: 7, 29: 8, 30: 9, 31: 10, 32: 11, 33: 12, 34: 13}
STRINGS = 33  # the other client writes no strings as one empty string: lists of strings have at least one
VALUES = SCALARS | {
    code: st.lists(SCALARS[element], min_size=code == STRINGS, max_size=12) for code, element in ARRAY_ELEMENTS.items()
}


@st.composite
def metrics(draw: st.DrawFn) -> dict[str, Any]:
    datatype = draw(st.sampled_from(sorted(VALUES)))
    return {
        "name": draw(TEXT.filter(bool)),
        "timestamp": draw(MOMENT_MS),
        "datatype": datatype,
        "value": draw(st.none() | VALUES[datatype]),
        "is_historical": draw(st.booleans()),
        "is_transient": draw(st.booleans()),
    }


def test_the_moment_that_the_other_client_cuts_is_known() -> None:
    assert not _survives_the_peer(4398046511103)
    assert _survives_the_peer(1_764_547_200_123)


PAYLOADS = st.fixed_dictionaries(
    {"timestamp": MOMENT_MS, "seq": st.integers(0, 255), "metrics": st.lists(metrics(), max_size=5)}
)


def _ours(payload: dict[str, Any]) -> Payload:
    return Payload(
        timestamp=payload["timestamp"],
        seq=payload["seq"],
        metrics=[
            Metric(
                name=metric["name"],
                timestamp=metric["timestamp"],
                datatype=metric["datatype"],
                value=_value(metric),
                is_historical=metric["is_historical"],
                is_transient=metric["is_transient"],
                is_null=metric["value"] is None,
            )
            for metric in payload["metrics"]
        ],
    )


def _value(metric: dict[str, Any]) -> Any:
    value = metric["value"]
    if value is None:
        return None
    if metric["datatype"] in {17, 18}:
        return bytes.fromhex(value)
    return tuple(value) if metric["datatype"] in ARRAY_ELEMENTS else value


@pytest.fixture(scope="module")
def peer() -> Iterator[Talk]:
    with talk("codec.py") as found:
        yield found


@settings(max_examples=200, deadline=None)
@given(payload=PAYLOADS)
def test_we_read_what_the_other_writes(peer: Talk, payload: dict[str, Any]) -> None:
    written = peer.ask({"op": "encode", **payload})["hex"]
    assert decode_payload(bytes.fromhex(written)) == _ours(payload)


@settings(max_examples=200, deadline=None)
@given(payload=PAYLOADS)
def test_the_other_reads_what_we_write(peer: Talk, payload: dict[str, Any]) -> None:
    written = encode_payload(_ours(payload)).hex()
    assert peer.ask({"op": "decode", "hex": written}) == payload
