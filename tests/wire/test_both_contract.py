"""Ids, topics, datatypes, quality codes, epoch halves, aliases and the reader of commands."""

from shutan_wire import datatypes as dt
from shutan_wire import epoch, ids, quality, records
from shutan_wire.command import read_command
from shutan_wire.encode import encode_payload
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_wire.model import Value


def _refusal(call: "Callable[..., object]", *arguments: object) -> str:
    try:
        found = call(*arguments)
    except WireError as error:
        return str(error)
    raise AssertionError("accepted: " + repr(found))


def test_own_ids():
    for text in ("a", "m-entry", "N_01", "A" * 32):
        assert ids.check_id(text) == text
    for text in ("", "A" * 33, "a b", "a/b", "a+", "车间", "a.b", "a\n"):
        assert _refusal(ids.check_id, text).startswith("id: "), text


def test_topics_there_and_back():
    for parts in (
        ("jiuniang", "NBIRTH", "n01", None),
        ("jiuniang", "NCMD", "n01", None),
        ("jiuniang", "DDATA", "n01", "m-entry"),
        ("车间 1", "DDEATH", "n.1", "表 2"),
    ):
        text = ids.topic(*parts)
        assert ids.parse_topic(text) == parts
    assert ids.topic("g", ids.NDATA, "n") == "spBv1.0/g/NDATA/n"
    assert ids.topic("g", ids.DCMD, "n", "d") == "spBv1.0/g/DCMD/n/d"
    assert ids.state_topic("shutan") == "spBv1.0/STATE/shutan"
    assert ids.parse_topic("spBv1.0/STATE/shutan") == ("", "STATE", "shutan", None)
    # a group may be called STATE; then the levels decide
    assert ids.parse_topic("spBv1.0/STATE/NDATA/n") == ("STATE", "NDATA", "n", None)


def test_topics_that_are_none():
    for text in (
        "",
        "spBv1.0",
        "spBv1.0/g/NDATA",
        "spBv1.0/g/NDATA/n/d",
        "spBv1.0/g/DDATA/n",
        "spBv1.0/g/DDATA/n/d/e",
        "spBv1.0/g/STATE/n",
        "spBv1.0/g/ndata/n",
        "spBv1.0//NDATA/n",
        "spBv1.0/g/NDATA/",
        "spBv1.0/g/DDATA/n/",
        "spBv1.0/+/NDATA/n",
        "spBv1.0/g/NDATA/#",
        "spBv1.0/g/NDATA/n\0",
        "spBv1.0/STATE/",
        "spAv1.0/g/NDATA/n",
        "STATE/shutan",
        "spBv1.0/g/NDATA/" + "n" * 65536,
    ):
        assert _refusal(ids.parse_topic, text).startswith("topic"), text
    for parts in (
        ("g", "NDATA", "n", "d"),
        ("g", "DDATA", "n", None),
        ("g", "STATE", "n", None),
        ("", "NDATA", "n", None),
        ("g", "NDATA", "n/1", None),
        ("g", "DDATA", "n", "d#"),
    ):
        assert _refusal(ids.topic, *parts).startswith("topic"), parts
    assert _refusal(ids.state_topic, "a/b").startswith("topic.host")


def test_datatype_names_and_codes():
    for code in range(35):
        assert dt.code_of(dt.name_of(code)) == code
    assert dt.name_of(dt.UINT64) == "UInt64"
    assert dt.name_of(dt.DATETIME_ARRAY) == "DateTimeArray"
    assert dt.code_of("PropertySetList") == dt.PROPERTY_SET_LIST
    assert dt.code_of("Template") == dt.TEMPLATE
    for code in (-1, 35):
        assert _refusal(dt.name_of, code).startswith("datatype: ")
    assert _refusal(dt.code_of, "uint64").startswith("datatype: ")


def test_integer_widths():
    widths = [dt.integer_width(code) for code in range(-1, 36)]
    assert widths[2:10] == [
        (8, True),
        (16, True),
        (32, True),
        (64, True),
        (8, False),
        (16, False),
        (32, False),
        (64, False),
    ]
    assert widths[14] == (64, False)  # DateTime
    assert [index - 1 for index in range(len(widths)) if widths[index]] == [1, 2, 3, 4, 5, 6, 7, 8, 13]


def test_negative_integers_of_both_habits():
    for datatype, bits in ((dt.INT8, 8), (dt.INT16, 16), (dt.INT32, 32), (dt.INT64, 64)):
        low = -(1 << (bits - 1))
        for value in (low, low + 1, -12, -1, 0, 1, -low - 1):
            for width in (bits, 32, 64):
                if width >= bits:
                    assert dt.resolve(datatype, value & ((1 << width) - 1)) == value, (datatype, value, width)
            assert dt.resolve(datatype, value) == value  # resolved already
        for raw in (1 << 64, low - 1):
            assert "does not fit" in _refusal(dt.resolve, datatype, raw)
    for datatype, raw in ((dt.INT8, 256), (dt.INT8, 0xFFFFFF74), (dt.INT16, 0x1FFFF), (dt.INT32, 1 << 32)):
        assert "does not fit" in _refusal(dt.resolve, datatype, raw), raw


def test_unsigned_integers_keep_their_value_or_are_refused():
    for datatype, bits in ((dt.UINT8, 8), (dt.UINT16, 16), (dt.UINT32, 32), (dt.UINT64, 64), (dt.DATETIME, 64)):
        for value in (0, 1, (1 << (bits - 1)) + 1, (1 << bits) - 1):
            assert dt.resolve(datatype, value) == value
        for raw in (1 << bits, -1):
            assert "does not fit" in _refusal(dt.resolve, datatype, raw)


def test_other_values_must_fit_their_field():
    fits: list[tuple[int, Value]] = [
        (dt.FLOAT, 1.5),
        (dt.DOUBLE, 0.1),
        (dt.BOOLEAN, False),
        (dt.STRING, ""),
        (dt.TEXT, "x"),
        (dt.UUID, "x"),
        (dt.BYTES, b"x"),
        (dt.FILE, b""),
    ]
    for datatype, value in fits:
        assert dt.resolve(datatype, value) == value
        for other, foreign in fits:
            if type(foreign) is not type(value):
                assert "does not fit" in _refusal(dt.resolve, datatype, foreign), (datatype, other)
        assert "does not fit" in _refusal(dt.resolve, datatype, 1), datatype
    assert "does not fit" in _refusal(dt.resolve, dt.UINT8, True)
    assert dt.resolve(dt.INT16_ARRAY, b"\xd0\x8a\x30\x75") == (-30000, 30000)
    assert dt.resolve(dt.INT16_ARRAY, (-30000, 30000)) == (-30000, 30000)
    for datatype in (dt.UNKNOWN, dt.PROPERTY_SET, dt.PROPERTY_SET_LIST, dt.DATASET, dt.TEMPLATE, 35, -1):
        assert _refusal(dt.resolve, datatype, 1), datatype


def test_quality_names():
    assert [quality.name_of(code) for code in (quality.GOOD, quality.BAD, quality.STALE, 65)] == [
        "good",
        "bad",
        "stale",
        "quality 65",
    ]
    finer = (quality.SENSOR_FAULT, quality.UNCERTAIN, quality.WARMING_UP, quality.RANGE)
    assert finer == (16, 64, 80, 84)  # on the wire and in stores: for ever
    assert [quality.name_of(code) for code in finer] == ["sensor fault", "uncertain", "warming up", "range"]


def test_epoch_halves():
    for ms in (0, 1, 2097151, 2097152, 1780000000123, (1 << 51) - 1):
        hi, lo = epoch.split(ms)
        assert 0 <= lo < 2097152
        assert hi < 1 << 30
        assert epoch.join(hi, lo) == ms
    assert epoch.EPOCH_2000_S == 30 * 365 * 86400 + 7 * 86400


def test_aliases():
    assert records.alias_of(0, 200) == 200
    assert records.alias_of(3, records.RECORD_METRIC_ID) == 768
    assert records.alias_of(1, records.GAP_UNSAVED_ID) == 256 + 244
    for parts in ((-1, 0), (0, 256), (0, -1), (65536, 0)):
        assert _refusal(records.alias_of, *parts).startswith("alias: ")


def test_commands_are_read():
    payload = Payload(
        5,
        [
            Metric(records.ACK_STORE, None, 5, dt.UINT64, 0xFEDCBA9876543210),
            Metric(records.ACK, None, 5, dt.UINT64, 41),
            Metric(records.REBIRTH, value=True),
            Metric(None, 7, 5, dt.INT32, 3, is_historical=True, properties={"Quality": (3, 0)}),
            Metric("text", 8, 5, dt.STRING, "车间"),
            Metric("null", 9, 5, dt.FLOAT, is_null=True),
            Metric("float", 10, 5, dt.FLOAT, 1.5),
        ],
        3,
    )
    expected = [
        (records.ACK_STORE, None, 0xFEDCBA9876543210),
        (records.ACK, None, 41),
        (records.REBIRTH, None, True),
        (None, 7, 3),
        ("text", 8, "车间"),
        ("null", 9, None),
        ("float", 10, None),
    ]
    data = encode_payload(payload)
    for form in (data, bytearray(data), memoryview(data)):
        assert read_command(form) == expected
    assert read_command(b"") == []


def test_commands_that_are_malformed():
    for text in ("12", "1205", "12020a05", "12030a01ff", "08", "0a00", "1000", "120208ff", "120a5080", "0b0c"):
        assert _refusal(read_command, bytes.fromhex(text)).startswith("command: "), text
    assert _refusal(read_command, bytes(4097)) == "command: above 4096 bytes"
