"""Properties of the payload codec: round trip, one error only, the same numbers from every habit of encoders."""

import math
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shutan_wire import datatypes as dt
from shutan_wire.command import read_command
from shutan_wire.compound import DataSet, MetaData, Parameter, Template
from shutan_wire.decode import decode_payload
from shutan_wire.encode import Writer, encode_payload
from shutan_wire.epoch import split
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload

# the machine may be busy with other tests: time is measured in bench/, not here
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
UINT64 = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 127, 128, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
FLOAT = st.floats(allow_nan=False, width=32)
DOUBLE = st.floats(allow_nan=False)


def _integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    low = -(2 ** (bits - 1)) if signed else 0
    return st.integers(low, low + 2**bits - 1) | st.sampled_from([low, low + 2**bits - 1])


WIDTHS = {code: width for code in range(14) if (width := dt.integer_width(code))}
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    **{code: _integers(bits, signed=signed) for code, (bits, signed) in WIDTHS.items()},
    dt.FLOAT: FLOAT,
    dt.DOUBLE: DOUBLE,
    dt.BOOLEAN: st.booleans(),
    dt.STRING: TEXT,
    dt.TEXT: TEXT,
    dt.UUID: st.uuids().map(str),
}
NO_ZERO = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
ELEMENTS = {22: 1, 23: 2, 24: 3, 25: 4, 26: 5, 27: 6, 28: 7, 29: 8, 30: 9, 31: 10, 32: 11, 34: 13}
PLAIN: dict[int, st.SearchStrategy[Any]] = {
    **SCALARS,
    dt.BYTES: st.binary(max_size=40),
    dt.FILE: st.binary(max_size=40),
    **{code: st.lists(SCALARS[element], max_size=20).map(tuple) for code, element in ELEMENTS.items()},
    dt.STRING_ARRAY: st.lists(NO_ZERO, max_size=8).map(tuple),
}


def _property_sets(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(TEXT, inner, max_size=3)


SCALAR_PROPERTIES = st.sampled_from(sorted(SCALARS)).flatmap(
    lambda code: st.tuples(st.just(code), SCALARS[code] | st.none())
)
PROPERTIES = _property_sets(
    st.recursive(
        SCALAR_PROPERTIES,
        lambda inner: (
            st.tuples(st.just(dt.PROPERTY_SET), _property_sets(inner))
            | st.tuples(st.just(dt.PROPERTY_SET_LIST), st.lists(_property_sets(inner), max_size=2))
        ),
        max_leaves=6,
    )
)
METADATA = st.builds(
    MetaData,
    is_multi_part=st.none() | st.booleans(),
    content_type=st.none() | TEXT,
    size=st.none() | UINT64,
    seq=st.none() | UINT64,
    file_name=st.none() | TEXT,
    file_type=st.none() | TEXT,
    md5=st.none() | TEXT,
    description=st.none() | TEXT,
)
PARAMETERS = st.sampled_from(sorted(SCALARS)).flatmap(
    lambda code: st.builds(Parameter, TEXT, st.just(code), SCALARS[code])
)


@st.composite
def data_sets(draw: st.DrawFn) -> DataSet:
    types = draw(st.lists(st.sampled_from(sorted(SCALARS)), min_size=1, max_size=4))
    rows = draw(st.lists(st.tuples(*(SCALARS[code] | st.none() for code in types)).map(list), max_size=4))
    return DataSet(draw(st.lists(TEXT, min_size=len(types), max_size=len(types))), types, rows)


def _metrics(codes: st.SearchStrategy[int], values: dict[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Metric]:
    def build(code: int) -> st.SearchStrategy[Metric]:
        common: dict[str, Any] = {
            "name": st.none() | TEXT,
            "alias": st.none() | UINT64,
            "timestamp": st.none() | UINT64,
            "datatype": st.just(code),
            "is_historical": st.booleans(),
            "is_transient": st.booleans(),
            "metadata": st.none() | METADATA,
            "properties": st.none() | PROPERTIES,
        }
        return st.builds(Metric, value=values[code], **common) | st.builds(Metric, is_null=st.just(True), **common)

    return codes.flatmap(build)


MEMBERS = _metrics(st.sampled_from(sorted(PLAIN)), PLAIN)
TEMPLATES = st.builds(
    Template,
    st.none() | TEXT,
    st.lists(MEMBERS, max_size=2),
    st.lists(PARAMETERS, max_size=2),
    st.none() | TEXT,
    st.none() | st.booleans(),
)
VALUES = {**PLAIN, dt.DATASET: data_sets(), dt.TEMPLATE: TEMPLATES}
METRICS = _metrics(st.sampled_from(sorted(VALUES)), VALUES)
PAYLOADS = st.builds(
    Payload,
    st.none() | UINT64,
    st.lists(METRICS, max_size=4),
    st.none() | st.integers(0, 255),
    st.none() | TEXT,
    st.none() | st.binary(max_size=30),
)


@CALM
@given(PAYLOADS)
def test_what_is_encoded_is_decoded(payload: Payload) -> None:
    assert decode_payload(encode_payload(payload)) == payload


@CALM
@given(st.lists(_metrics(st.sampled_from(sorted(SCALARS)), SCALARS), max_size=5))
def test_data_without_datatypes_resolves_to_the_same_values(metrics: list[Metric]) -> None:
    found = decode_payload(encode_payload(Payload(metrics=metrics), datatypes=False)).metrics
    assert [metric.datatype for metric in found] == [None] * len(metrics)
    for before, after in zip(metrics, found, strict=True):
        code = before.datatype or 0
        assert after.value is None if before.is_null else dt.resolve(code, after.value) == before.value


@CALM
@given(PAYLOADS)
def test_values_decoded_without_a_datatype_are_encoded_as_they_were(payload: Payload) -> None:
    first = decode_payload(encode_payload(payload, datatypes=False))
    assert decode_payload(encode_payload(first)) == first


@CALM
@given(st.data())
def test_both_habits_of_negative_integers_give_the_same_number(data: st.DataObject) -> None:
    code = data.draw(st.sampled_from(sorted(WIDTHS)))
    bits, signed = WIDTHS[code]
    value = data.draw(_integers(bits, signed=signed))
    width = data.draw(st.sampled_from([size for size in (bits, 32, 64) if size >= bits])) if signed else bits
    raw = value & (2**width - 1)
    assert dt.resolve(code, raw) == value
    with_type = decode_payload(encode_payload(Payload(metrics=[Metric(alias=1, value=raw)])))
    assert dt.resolve(code, with_type.metrics[0].value) == value


@CALM
@given(st.sampled_from(sorted(WIDTHS)), st.integers(-(2**70), 2**70))
def test_a_resolved_integer_fits_its_width_or_is_refused(code: int, raw: int) -> None:
    bits, signed = WIDTHS[code]
    low = -(2 ** (bits - 1)) if signed else 0
    try:
        value = dt.resolve(code, raw)
    except WireError:
        assert not low <= raw < low + 2**bits
        return
    assert isinstance(value, int)
    assert low <= value < low + 2**bits
    assert (value - raw) % 2**bits == 0


def _refusal(read: Callable[[bytes], object], data: bytes) -> WireError | None:
    try:
        read(data)
    except WireError as error:
        return error
    return None


def _only_wire_errors(data: bytes) -> None:
    for error in (_refusal(decode_payload, data), _refusal(read_command, data)):
        assert error is None or (error.where and error.reason)


@settings(CALM, max_examples=500)
@given(st.binary(max_size=200))
@example(b"\x12\x03\x9a\x01\x00")
def test_random_bytes_raise_nothing_but_wire_errors(data: bytes) -> None:
    _only_wire_errors(data)


@settings(CALM, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 7), st.binary(max_size=12)), max_size=6), st.booleans())
def test_random_fields_raise_nothing_but_wire_errors(parts: list[tuple[int, int, bytes]], inside: bool) -> None:
    """Fields with plausible tags reach further than bytes at random do."""
    data = b""
    for number, wire, content in parts:
        tag = number << 3 | wire
        data += bytes([tag & 127 | 128, tag >> 7]) if tag > 127 else bytes([tag])
        data += bytes([len(content)]) + content if wire == 2 else content
    _only_wire_errors(b"\x12" + bytes([len(data)]) + data if inside and len(data) < 128 else data)


@settings(CALM, max_examples=300)
@given(PAYLOADS, st.data())
def test_mutated_payloads_raise_nothing_but_wire_errors(payload: Payload, data: st.DataObject) -> None:
    raw = bytearray(encode_payload(payload))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        how = data.draw(st.sampled_from(["set", "insert", "delete", "cut"]))
        byte = data.draw(st.integers(0, 255))
        if how == "insert":
            raw.insert(at, byte)
        elif how == "cut":
            del raw[at:]
        elif at < len(raw):
            raw[at : at + 1] = bytes([byte]) if how == "set" else b""
    _only_wire_errors(bytes(raw))


@CALM
@given(PAYLOADS)
def test_the_reader_of_commands_agrees_with_the_decoder(payload: Payload) -> None:
    data = encode_payload(payload, datatypes=False)
    found = read_command(data, limit=len(data))
    for metric, (name, alias, value) in zip(decode_payload(data).metrics, found, strict=True):
        assert (metric.name, metric.alias) == (name, alias)
        known = isinstance(metric.value, (int, bool, str)) and metric.datatype is None
        assert value == (metric.value if known else None)


WRITER_CODES: dict[int, str] = {
    1: "b",
    2: "h",
    3: "i",
    4: "q",
    5: "B",
    6: "H",
    7: "I",
    8: "Q",
    9: "f",
    10: "d",
    11: "?",
    13: "Q",
}


@CALM
@given(
    st.lists(
        st.tuples(
            st.integers(0, 65535 * 256 + 255),
            st.integers(0, 2**51 - 1),
            st.sampled_from(sorted(WRITER_CODES)).flatmap(lambda code: st.tuples(st.just(code), SCALARS[code])),
            st.booleans(),
            st.sampled_from([192, 0, 500]),
            st.integers(0, 5),
        ),
        max_size=10,
    ),
    st.integers(0, 2**51 - 1),
)
def test_the_writer_agrees_with_the_general_encoder(
    parts: list[tuple[int, int, tuple[int, Any], bool, int, int]], ms: int
) -> None:
    buf = bytearray(1000)
    writer = Writer(buf)
    writer.head(*split(ms))
    metrics: list[Metric] = []
    for alias, stamp, (code, value), historical, quality, offset in parts:
        image = b"\xff" * offset + struct.pack("<" + WRITER_CODES[code], value) + b"\xff"
        writer.metric(alias, *split(stamp), code, image, offset, historical, quality)
        properties: Any = None if quality == 192 else {"Quality": (dt.INT32, quality)}
        metrics.append(Metric(None, alias, stamp, code, value, is_historical=historical, properties=properties))
    writer.seq(7)
    assert bytes(buf[: writer.pos]) == encode_payload(Payload(ms, metrics, 7), datatypes=False)


@CALM
@given(st.floats())
def test_every_float_survives_as_double_and_the_small_ones_as_float(value: float) -> None:
    for code in (dt.DOUBLE, dt.FLOAT):
        try:
            data = encode_payload(Payload(metrics=[Metric(alias=1, datatype=code, value=value)]))
        except WireError:
            assert code == dt.FLOAT
            assert abs(value) > 3.4e38
            continue
        found = decode_payload(data).metrics[0].value
        assert isinstance(found, float)
        exact = struct.unpack("<f", struct.pack("<f", value))[0] if code == dt.FLOAT else value
        assert found == exact or (math.isnan(found) and math.isnan(value))


def test_numbers_beyond_every_float_are_refused_by_the_wire() -> None:
    for code, value in (
        (dt.DOUBLE, 10**400),
        (dt.FLOAT, 1e39),
        (dt.FLOAT_ARRAY, (1e39,)),
        (dt.DOUBLE_ARRAY, (10**400,)),
    ):
        with pytest.raises(WireError, match="too large"):
            encode_payload(Payload(metrics=[Metric(datatype=code, value=value)]))
