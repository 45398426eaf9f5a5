"""From payload to samples: what is good, what is marked, what has no value, and under which name it is kept."""

import math
import random
import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.errors import Refusal
from shutan_gateway.payload.decode import Decoded, Gap, Group, decode
from shutan_gateway.payload.decoder import Decoder, Shapes
from shutan_gateway.payload.definition import UNMAPPED, Definition, Role, field_of, safe_name
from shutan_wire import catalogue, quality, records
from shutan_wire import datatypes as dt
from shutan_wire.encode import encode_payload
from shutan_wire.model import Metric, Payload

if TYPE_CHECKING:
    from shutan_gateway.payload.shape import Layout
    from shutan_wire.model import PropertySet

T = 1_780_000_000_000
NOW = T + 77


def explain(metrics: list[Metric], declared: dict[str, int], stamp: int | None = T) -> Decoded:
    definition = Definition([(name, None, kind) for name, kind in declared.items()])
    return decode(definition, encode_payload(Payload(stamp, metrics, 0)), NOW)


def one(name: str, kind: int, value: object, stamp: int | None = T) -> Group:
    """The only group of a payload with one metric, sent with its own datatype."""
    metric = Metric(name, timestamp=stamp, datatype=kind, value=value)  # pyright: ignore[reportArgumentType]  # any wire value
    groups = explain([metric], {name: kind}).groups
    assert len(groups) == 1
    return groups[0]


@pytest.mark.parametrize(
    ("name", "kind", "value", "place", "kept"),
    [
        ("active_energy_import_wh", dt.UINT64, 10**15, ("energy", "active_energy_import_wh"), 10**15),
        ("active_energy_import_wh", dt.INT32, 7, ("energy", "active_energy_import_wh"), 7),
        ("active_energy_import_wh", dt.DOUBLE, 7.0, (UNMAPPED, "active_energy_import_wh_f"), 7.0),
        ("active_power_w", dt.FLOAT, 2.5, ("energy", "active_power_w"), 2.5),
        ("active_power_w", dt.INT16, -3, ("energy", "active_power_w"), -3.0),
        ("active_power_w", dt.STRING, "x", (UNMAPPED, "active_power_w_s"), "x"),
        ("temperature_c", dt.FLOAT, 21.5, ("environment", "temperature_c"), 21.5),
        ("Line 1/Temp °C", dt.DOUBLE, 1.0, (UNMAPPED, "Line_1_Temp__C_f"), 1.0),
        ("温度", dt.FLOAT, 1.0, (UNMAPPED, "温度_f"), 1.0),
        ("on", dt.BOOLEAN, True, (UNMAPPED, "on_b"), True),
        ("count", dt.INT8, -1, (UNMAPPED, "count_i"), -1),
        ("at", dt.DATETIME, T, (UNMAPPED, "at_i"), T),
        ("text", dt.UUID, "a,b=c\nd", (UNMAPPED, "text_s"), "a,b=c\nd"),
    ],
)
def test_names_types_and_families(name: str, kind: int, value: object, place: tuple[str, str], kept: object) -> None:
    group = one(name, kind, value)
    assert (group.family, group.metrics, group.values, group.qualities) == (place[0], (place[1],), (kept,), ())
    assert type(group.values[0]) is type(kept), "a counter is never a float, a gauge never an integer"


@pytest.mark.parametrize(
    ("name", "kind", "value", "kept"),
    [
        ("active_power_w", dt.FLOAT, math.nan, ()),
        ("active_power_w", dt.FLOAT, math.inf, ()),
        ("x", dt.DOUBLE, -math.inf, ()),
        ("x", dt.UINT64, 2**63, ()),
        ("active_energy_import_wh", dt.UINT64, 2**64 - 1, ()),
        ("active_power_w", dt.FLOAT, None, ()),
        ("active_energy_import_wh", dt.UINT64, 10**15 + 1, (10**15 + 1,)),
        ("active_energy_import_wh", dt.INT64, -1, (-1,)),
        ("power_factor", dt.FLOAT, 1.5, (1.5,)),
    ],
)
def test_bad_values_are_marked_and_energy_is_kept(
    name: str, kind: int, value: object, kept: tuple[object, ...]
) -> None:
    group = one(name, kind, value)
    assert group.values == kept
    assert group.qualities == ((field_of(name, kind).column, quality.BAD),)


def test_quality_travels_and_good_is_silent() -> None:
    def metric(code: int) -> Metric:
        return Metric("active_power_w", None, T, dt.FLOAT, 1.0, properties={quality.PROPERTY: (dt.INT32, code)})

    for code, kept in ((quality.GOOD, ()), (quality.STALE, (("active_power_w", quality.STALE),))):
        assert explain([metric(code)], {"active_power_w": dt.FLOAT}).groups[0].qualities == kept


def test_values_that_do_not_fit_their_birth_lose_only_themselves() -> None:
    metrics = [Metric("a", None, T, dt.STRING, "text"), Metric("b", None, T, dt.INT32, 5)]
    decoded = explain(metrics, {"a": dt.INT32, "b": dt.INT32})
    assert decoded.groups[0].metrics == ("b_i",)
    assert decoded.groups[0].qualities == (("a_i", quality.BAD),)
    assert decoded.faults == (("type", 1),)


def test_arrays_and_bytes_are_counted_not_stored() -> None:
    metrics = [Metric("a", None, T, dt.BYTES, b"123"), Metric("b", None, T, dt.INT32_ARRAY, (1, 2))]
    decoded = explain(metrics, {"a": dt.BYTES, "b": dt.INT32_ARRAY})
    assert (decoded.groups, decoded.faults) == ([], (("unsupported", 2),))


@pytest.mark.parametrize(
    ("stamp", "payload_stamp", "t_ms", "faults"),
    [
        (T, 5, T, ()),
        (None, T, T, ()),
        (None, None, NOW, ()),
        (1_780_000_000, T, 1_780_000_000_000, (("time_in_seconds", 1),)),
        (2**64 - 1, T, NOW, (("time_out_of_range", 1),)),
        (0, T, 0, ()),
        (12345, T, 12345, ()),
    ],
)
def test_times(stamp: int | None, payload_stamp: int | None, t_ms: int, faults: tuple[tuple[str, int], ...]) -> None:
    """Nothing is dropped for its time alone; a time is changed only where it is plainly in seconds or fits no store."""
    decoded = explain(
        [Metric("active_power_w", None, stamp, dt.FLOAT, 1.0)], {"active_power_w": dt.FLOAT}, payload_stamp
    )
    assert ([group.t_ms for group in decoded.groups], decoded.faults) == ([t_ms], faults)


def test_one_group_per_family_and_time() -> None:
    metrics = [
        Metric("active_power_w", None, T, dt.FLOAT, 1.0),
        Metric("temperature_c", None, T, dt.FLOAT, 2.0),
        Metric("active_power_w", None, T + 1, dt.FLOAT, 3.0),
        Metric("frequency_hz", None, T, dt.FLOAT, 50.0),
    ]
    groups = explain(metrics, {m.name or "": dt.FLOAT for m in metrics}).groups
    assert [(g.family, g.t_ms, g.metrics, g.values) for g in groups] == [
        ("energy", T, ("active_power_w", "frequency_hz"), (1.0, 50.0)),
        ("environment", T, ("temperature_c",), (2.0,)),
        ("energy", T + 1, ("active_power_w",), (3.0,)),
    ]


def test_gap_records() -> None:
    numbers = {records.RECORD: 9, records.GAP_FROM: 3, records.GAP_TO: 5, records.GAP_START: T, records.GAP_END: T + 9}
    metrics = [Metric(name, None, T, dt.UINT64, value) for name, value in numbers.items()]
    metrics.append(Metric(records.GAP_UNSAVED, None, T, dt.BOOLEAN, True))
    decoded = explain(metrics, {})
    assert (decoded.record, decoded.gap) == (9, Gap(3, 5, unsaved=True))
    group = decoded.groups[0]
    assert (group.family, dict(zip(group.metrics, group.values, strict=True))) == (
        "node",
        {"gap_from": 3, "gap_to": 5, "gap_start_ms": T, "gap_end_ms": T + 9, "gap_unsaved": True},
    )


@given(st.text(max_size=100))
def test_foreign_names_cannot_inject(name: str) -> None:
    safe = safe_name(name)
    assert all(char.isalnum() or char == "_" for char in safe)
    assert 0 < len(safe) <= 66
    assert not set(safe) & set(string.whitespace + ",= \"'\\")


def test_two_names_of_a_birth_never_share_a_column() -> None:
    names = ["Temp A", "Temp/A", "Temp_A", "temp_a", "Temp_A_2"]
    definition = Definition([(name, None, dt.FLOAT) for name in names])
    columns = [definition.by_name[name].column for name in names]
    assert len({column.casefold() for column in columns}) == len(names), columns


def test_protocol_metrics_are_never_stored() -> None:
    names = [
        records.BDSEQ,
        records.REBIRTH,
        records.STORE_ID,
        records.RECORD,
        "Node Control/Next Server",
        records.UNSAVED,
    ]
    assert {field_of(name, dt.UINT64).role for name in names} == {Role.PROTOCOL, Role.RECORD}


# --- the shape cache gives the general path's answers ---------------------------------------------------------------

GAUGES = [m for m in catalogue.all_metrics() if m.kind == "gauge"][:12]
COUNTERS = [m for m in catalogue.all_metrics() if m.kind == "counter"][:6]
OTHERS = {
    "i8": dt.INT8,
    "i32": dt.INT32,
    "i64": dt.INT64,
    "u16": dt.UINT16,
    "d": dt.DOUBLE,
    "flag": dt.BOOLEAN,
    "text": dt.STRING,
    "when": dt.DATETIME,
    "blob": dt.BYTES,
}
KINDS = {m.name: m.datatype for m in [*GAUGES, *COUNTERS]} | OTHERS | {records.RECORD: dt.UINT64, "bdSeq": dt.INT64}
ALIASES = {name: 300 + index for index, name in enumerate(KINDS)}
DEFINITION = Definition([(name, ALIASES[name], kind) for name, kind in KINDS.items()])

numbers = {
    dt.INT8: st.integers(-128, 127),
    dt.INT32: st.integers(-(2**31), 2**31 - 1),
    dt.INT64: st.integers(-(2**63), 2**63 - 1),
    dt.UINT16: st.integers(0, 2**16 - 1),
    dt.UINT64: st.one_of(st.integers(0, 2**40), st.integers(0, 2**64 - 1)),
    dt.DATETIME: st.integers(0, 2**44),
    dt.FLOAT: st.one_of(st.floats(width=32), st.floats(0, 50, width=32)),
    dt.DOUBLE: st.floats(),
    dt.BOOLEAN: st.booleans(),
    dt.STRING: st.text(max_size=5),
    dt.BYTES: st.binary(max_size=3),
}
times = st.one_of(st.just(T), st.integers(T, T + 3), st.sampled_from([0, 1_780_000_000, 5_000_000_000, 2**63]))


@st.composite
def shapes(draw: st.DrawFn) -> list[tuple[str, bool, bool, int]]:
    """Metrics of a DATA: name, null, with datatype, quality."""
    names = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=14, unique=draw(st.booleans())))
    flags = st.tuples(st.booleans(), st.booleans(), st.sampled_from([quality.GOOD] * 3 + [quality.STALE]))
    return [(name, *draw(flags)) for name in names]


def payload_of(data: st.DataObject, shape: list[tuple[str, bool, bool, int]], seq: int | None) -> bytes:
    parts: list[Metric] = []
    usual = data.draw(times)
    for name, null, typed, code in shape:
        value = None if null else data.draw(numbers[KINDS[name]])
        if name == records.RECORD and value is not None:
            value = data.draw(st.integers(1, 2**40))
        properties: PropertySet | None = None if code == quality.GOOD else {quality.PROPERTY: (dt.INT32, code)}
        stamp = usual if data.draw(st.integers(0, 3)) else data.draw(times)
        parts.append(
            Metric(
                None, ALIASES[name], stamp, KINDS[name] if typed else None, value, is_null=null, properties=properties
            )  # pyright: ignore[reportArgumentType]  # drawn by datatype
        )
        if not typed:
            parts[-1].datatype = KINDS[name]
    raw = encode_payload(Payload(T, parts, seq), datatypes=False)
    if all(typed for _, _, typed, _ in shape):
        raw = encode_payload(Payload(T, parts, seq))
    return raw


class DeviceDecoder:
    """The decoder as one device of a shared pool sees it."""

    def __init__(self, shapes: Shapes | None = None) -> None:
        self.shapes = shapes or Shapes()
        self.decoder = Decoder(self.shapes)
        self.recent: list[Layout] = []

    def decode(self, raw: bytes) -> Decoded:
        return self.decoder.decode(DEFINITION, raw, NOW, self.recent)


def answer(decoder: DeviceDecoder | None, raw: bytes) -> object:
    try:
        if decoder is None:
            return decode(DEFINITION, raw, NOW)
        return decoder.decode(raw)
    except Refusal as refusal:
        return str(refusal)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_shape_cache_agrees_with_the_general_path(data: st.DataObject) -> None:
    decoder = DeviceDecoder()
    shape = data.draw(shapes())
    raws = [payload_of(data, shape, data.draw(st.integers(0, 255))) for _ in range(6)]
    for raw in [*raws, *raws]:
        assert repr(answer(decoder, raw)) == repr(answer(None, raw))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_shape_cache_agrees_on_mutated_payloads(data: st.DataObject) -> None:
    """A learned layout must not accept what the parser refuses, nor read it otherwise."""
    decoder = DeviceDecoder()
    raw = payload_of(data, data.draw(shapes()), data.draw(st.integers(0, 255)))
    for _ in range(3):
        answer(decoder, raw)
    chance = random.Random(data.draw(st.integers(0, 2**32)))  # noqa: S311 - drawn by hypothesis
    for _ in range(30):
        mutated = bytearray(raw)
        for _ in range(chance.randint(1, 3)):
            mutated[chance.randrange(len(raw))] = chance.randrange(256)
        assert repr(answer(decoder, bytes(mutated))) == repr(answer(None, bytes(mutated)))


def test_a_steady_node_is_decoded_by_its_shape() -> None:
    """The cache is used at all, over changing record numbers, sequence numbers, times and values."""
    decoder = DeviceDecoder()
    for number in range(200, 1200):
        metrics = [Metric(None, ALIASES[records.RECORD], T + number, dt.UINT64, number)]
        metrics += [Metric(None, ALIASES[m.name], T + number, dt.FLOAT, number % 7 / 8) for m in GAUGES]
        metrics += [Metric(None, ALIASES[m.name], T + number, dt.UINT64, 5_000_000 + number) for m in COUNTERS]
        raw = encode_payload(Payload(T + number, metrics, number & 255), datatypes=False)
        decoded = decoder.decode(raw)
        assert decoded.record == number
        assert decoded == decode(DEFINITION, raw, NOW)
    assert decoder.decoder.hits > 980


def test_payloads_of_one_shape_share_their_names() -> None:
    decoder = DeviceDecoder()
    seen: set[int] = set()
    for number in range(10):
        metrics = [Metric(None, ALIASES[m.name], T + number, dt.FLOAT, 0.5) for m in GAUGES]
        raw = encode_payload(Payload(T, metrics, number), datatypes=False)
        names = decoder.decode(raw).groups[0].metrics
        if decoder.decoder.hits:
            seen.add(id(names))
    assert len(seen) == 1


def test_the_cache_is_bounded() -> None:
    decoder = DeviceDecoder()
    chance = random.Random(5)  # noqa: S311 - reproducible
    names = [m.name for m in GAUGES]
    for _ in range(3000):
        chosen = chance.sample(names, chance.randint(1, len(names)))
        metrics = [Metric(None, ALIASES[name], T, dt.FLOAT, 0.5) for name in chosen]
        decoder.decode(encode_payload(Payload(T, metrics, 0), datatypes=False))
    assert decoder.shapes.count <= 128 * len(names)
    assert len(decoder.recent) <= 16


def test_many_meters_of_one_model_share_what_is_learned() -> None:
    """Registers differ in length from meter to meter; each meter is decoded by its shape after a few messages."""
    shapes = Shapes()
    chance = random.Random(9)  # noqa: S311 - reproducible
    meters = [DeviceDecoder(shapes) for _ in range(60)]
    registers = [[chance.randrange(1, 1 << chance.randrange(8, 40)) for _ in COUNTERS] for _ in meters]
    for number in range(1000, 1040):
        for meter, values in zip(meters, registers, strict=True):
            metrics = [Metric(None, ALIASES[records.RECORD], T + number, dt.UINT64, number)]
            metrics += [
                Metric(None, ALIASES[m.name], T + number, dt.UINT64, value)
                for m, value in zip(COUNTERS, values, strict=True)
            ]
            raw = encode_payload(Payload(T + number, metrics, number & 127), datatypes=False)
            assert meter.decode(raw) == decode(DEFINITION, raw, NOW)
    assert sum(meter.decoder.hits for meter in meters) > 0.8 * 60 * 40
    assert shapes.count <= 60
