"""What the encoders must not write, and the edges of sizes and lengths."""

from shutan_wire import datatypes as dt
from shutan_wire import protobuf
from shutan_wire.arrays import pack, unpack
from shutan_wire.compound import DataSet, Parameter, Template
from shutan_wire.decode import decode_payload
from shutan_wire.encode import Writer, encode_payload
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _refusal(call: "Callable[..., object]", *arguments: object) -> str:
    try:
        found = call(*arguments)
    except WireError as error:
        return str(error)
    raise AssertionError("accepted: " + repr(found))


def _refused_metric(**fields: "Any") -> str:
    return _refusal(encode_payload, Payload(metrics=[Metric(alias=1), Metric(**fields)]))


def test_integers_outside_their_width_are_not_written():
    for code in range(1, 14):
        width = dt.integer_width(code)
        if width:
            bits, signed = width
            low = -(1 << (bits - 1)) if signed else 0
            high = low + (1 << bits) - 1
            for value in (low, high):
                data = encode_payload(Payload(metrics=[Metric(datatype=code, value=value)]))
                assert decode_payload(data).metrics[0].value == value
            for value in (low - 1, high + 1):
                text = _refused_metric(datatype=code, value=value)
                assert text.startswith("sparkplug.metric[1].value: "), text
                assert text.endswith("signed " + str(bits) + " bits"), text


def test_values_of_another_kind_are_not_written():
    kinds: list[tuple[int, list[Any]]] = [
        (dt.INT32, [1.0, True, "1", b"1", (1,), DataSet([], []), Template()]),
        (dt.FLOAT, [True, "1", b"1", (1.0,), DataSet([], [])]),
        (dt.DOUBLE, [False, "1"]),
        (dt.BOOLEAN, [1, 0, 1.0, "true"]),
        (dt.STRING, [1, 1.0, True, b"1", ("a",)]),
        (dt.BYTES, [1, "1", (1,)]),
        (dt.INT8_ARRAY, [1, "1", b"1", (128,), (1.5,), ("1",)]),
        (dt.UINT8_ARRAY, [(-1,), (256,)]),
        (dt.BOOLEAN_ARRAY, [(1,), (True, None)]),
        (dt.STRING_ARRAY, [(1,), ("a\0b",)]),
        (dt.DATASET, [1, Template()]),
        (dt.TEMPLATE, [1, DataSet([], [])]),
        (dt.UNKNOWN, [1, "1"]),
        (dt.PROPERTY_SET, [1]),
        (dt.LAST + 1, [1]),
        (-1, [1]),
    ]
    for code, values in kinds:
        for value in values:
            assert _refused_metric(datatype=code, value=value).startswith("sparkplug.metric[1]."), (code, value)


def test_whole_numbers_are_written_as_floats():
    data = encode_payload(Payload(metrics=[Metric(datatype=dt.FLOAT, value=3), Metric(datatype=dt.DOUBLE, value=-3)]))
    assert [metric.value for metric in decode_payload(data).metrics] == [3.0, -3.0]


def test_fields_outside_64_bits_are_not_written():
    for fields, where in (
        ({"timestamp": -1}, "sparkplug.timestamp"),
        ({"timestamp": 1 << 64}, "sparkplug.timestamp"),
        ({"seq": 256}, "sparkplug.seq"),
        ({"seq": -1}, "sparkplug.seq"),
        ({"metrics": [Metric(alias=-1)]}, "sparkplug.metric[0].alias"),
        ({"metrics": [Metric(alias=1 << 64)]}, "sparkplug.metric[0].alias"),
        ({"metrics": [Metric(timestamp=1 << 64)]}, "sparkplug.metric[0].timestamp"),
        ({"metrics": [Metric(value=-1)]}, "sparkplug.metric[0].value"),
        ({"metrics": [Metric(value=1 << 64)]}, "sparkplug.metric[0].value"),
        ({"metrics": [Metric(value=())]}, "sparkplug.metric[0].value"),
    ):
        payload: Any = fields
        assert _refusal(encode_payload, Payload(**payload)).startswith(where + ": "), fields


def test_null_with_a_value_is_not_written():
    assert _refused_metric(value=1, is_null=True) == "sparkplug.metric[1].value: given although the metric is null"


def test_tables_must_be_rectangular():
    for table in (
        DataSet(["a", "b"], [dt.INT32]),
        DataSet(["a"], [dt.INT32], [[1, 2]]),
        DataSet(["a"], [dt.INT32], [[]]),
        DataSet(["a"], [dt.INT32], [["x"]]),
    ):
        assert _refused_metric(value=table).startswith("sparkplug.metric[1].value: "), table


def test_parts_are_checked_too():
    assert _refused_metric(properties={"q": (dt.INT8, 128)}).startswith("sparkplug.metric[1].value: ")
    assert _refused_metric(properties={"q": (dt.INT8, {})}).startswith("sparkplug.metric[1].value: ")
    assert _refused_metric(properties={"q": (dt.PROPERTY_SET, [])}).startswith("sparkplug.metric[1].value: ")
    template = Template(parameters=[Parameter("p", dt.UINT8, -1)])
    assert _refused_metric(value=template).startswith("sparkplug.metric[1].value: ")
    template = Template(metrics=[Metric(datatype=dt.UINT8, value=-1)])
    assert _refused_metric(value=template).startswith("sparkplug.metric[1].value: ")


def test_array_edges():
    for count in range(20):
        bits = tuple([index % 3 == 0 for index in range(count)])
        assert unpack(dt.BOOLEAN_ARRAY, pack(dt.BOOLEAN_ARRAY, bits)) == bits
        assert len(pack(dt.BOOLEAN_ARRAY, bits)) == 4 + (count + 7) // 8
    for data in ("09000000ff", "080000000000", "0100000000ff00", "000000", "41420f00ff"):
        assert "boolean array" in _refusal(unpack, dt.BOOLEAN_ARRAY, bytes.fromhex(data)), data
    assert unpack(dt.BOOLEAN_ARRAY, bytes.fromhex("01000000ff")) == (True,)  # the other seven bits mean nothing
    assert unpack(dt.STRING_ARRAY, b"\0") == ("",)
    assert unpack(dt.STRING_ARRAY, b"a\0\0b\0") == ("a", "", "b")
    for code in (dt.INT32, dt.LAST + 1):
        assert "no array" in _refusal(unpack, code, b"")
        assert "no array" in _refusal(pack, code, ())


def test_birth_metrics_around_the_length_of_two_bytes():
    buf = bytearray(500)
    for size in range(100, 140):
        writer = Writer(buf)
        writer.named_int("n" * size, 1, 0, 5, dt.UINT32, 3)
        writer.named_int("next", None, 0, 5, dt.UINT32, 3)
        first = Metric("n" * size, 1, 5, dt.UINT32, 3)
        second = Metric("next", None, 5, dt.UINT32, 3)
        assert bytes(buf[: writer.pos]) == encode_payload(Payload(metrics=[first, second])), size


def test_a_field_may_not_reach_beyond_its_message():
    data = bytes.fromhex("088001" + "0a0161" + "0d01020304" + "090102030405060708")
    for start, stop in ((0, 3), (3, 6), (6, 11), (11, 20)):
        assert protobuf.read_field(data, start, stop)[2] == stop
        assert "beyond the end" in _refusal(protobuf.read_field, data, start, stop - 1), start
