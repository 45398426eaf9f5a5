"""The fast reading of a layout gives the general path's answer wherever it gives one, and it gives one where it can."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.payload.decode import decode, parse
from shutan_gateway.payload.decoder import Decoder, Shapes
from shutan_gateway.payload.definition import Definition
from shutan_gateway.payload.shape import Layout
from shutan_gateway.payload.shape_lanes import Lanes, SoundNames
from shutan_gateway.payload.shape_learn import learn
from shutan_wire import catalogue, records
from shutan_wire import datatypes as dt
from shutan_wire.encode import encode_payload
from shutan_wire.model import Metric, Payload

T = 1_780_000_000_000
NOW = T + 5
GAUGES = [m for m in catalogue.all_metrics() if m.kind == "gauge"]
COUNTERS = [m for m in catalogue.all_metrics() if m.kind == "counter"]
OTHERS = {"pressure": dt.DOUBLE, "flow": dt.FLOAT, "pieces": dt.UINT64}
KINDS = {m.name: m.datatype for m in [*GAUGES, *COUNTERS]} | OTHERS | {records.RECORD: dt.UINT64}
ALIASES = {name: 100 + place for place, name in enumerate(KINDS)}
DEFINITION = Definition([(name, ALIASES[name], kind) for name, kind in KINDS.items()])
RANGES = {m.name: (m.low, m.high) for m in GAUGES}

Sample = tuple[str, float]


def payload(samples: list[Sample], t_ms: int, record: int | None, seq: int | None) -> bytes:
    metrics = [] if record is None else [Metric(None, ALIASES[records.RECORD], t_ms, dt.UINT64, record)]
    metrics += [Metric(None, ALIASES[name], t_ms, KINDS[name], value) for name, value in samples]
    return encode_payload(Payload(t_ms, metrics, seq), datatypes=False)


def learned(raw: bytes) -> Layout | None:
    return learn(DEFINITION, raw, parse(raw, 10**6), decode(DEFINITION, raw, NOW))


def varint(number: int) -> bytes:
    low = [number >> shift & 127 for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*[byte | 128 for byte in low[:-1]], low[-1]])


def read(lanes: Lanes, raw: bytes) -> object:
    return lanes.read(raw)


def edges(name: str) -> st.SearchStrategy[float]:
    """Values of a metric, many of them at the ends of its range and not finite."""
    if KINDS[name] == dt.UINT64:
        return st.one_of(st.integers(0, 2**56 - 1), st.integers(0, 130), st.sampled_from([2**40, 2**56, 2**63]))
    low, high = RANGES.get(name, (-3.0e38, 3.0e38))
    near = [low, high, 0.0, -0.0, math.nan, math.inf, -math.inf, 2 * high, -2 * high]
    if KINDS[name] == dt.FLOAT:
        near = [value if abs(value) <= 3.4e38 or not math.isfinite(value) else 3.4e38 for value in near]
        steps = [struct.unpack("<f", struct.pack("<I", bits))[0] for bits in near_bits(high)]
        return st.one_of(st.sampled_from([*near, *steps]), st.floats(width=32), st.floats(0, 1024, width=32))
    return st.one_of(st.sampled_from([*near, 1.7e308, -1.7e308]), st.floats())


def near_bits(limit: float) -> range:
    """Bits of the float32 numbers around a limit."""
    bits = int.from_bytes(struct.pack("<f", min(limit, 3.0e38)), "little")
    return range(bits - 1, bits + 2)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_lanes_agree_with_the_general_path(data: st.DataObject) -> None:
    names = data.draw(
        st.lists(st.sampled_from(sorted(set(KINDS) - {records.RECORD})), min_size=1, max_size=12, unique=True)
    )
    record, seq = (
        data.draw(st.sampled_from([None, 5, 200, 3_000_000, 2**41])),
        data.draw(st.sampled_from([None, 0, 127, 128])),
    )
    usual: list[Sample] = [(name, 900 if KINDS[name] == dt.UINT64 else 50.0) for name in names]
    layout = learned(payload(usual, T, record, seq))
    assert layout is not None
    if layout.lanes is None:  # 50.0 lies outside some ranges: a payload with a bad value is not learned from
        return
    for _ in range(8):
        samples = [(name, data.draw(edges(name)) if data.draw(st.booleans()) else value) for name, value in usual]
        raw = payload(samples, data.draw(st.sampled_from([T, T + 1, T + 10**9, 4_000_000_000])), record, seq)
        found = layout.lanes.read(raw) if len(raw) == layout.size else None
        if found is not None:
            assert repr(found) == repr(decode(DEFINITION, raw, NOW))


@pytest.mark.parametrize("record", [None, 1, 300, 70_000, 2**28])
def test_good_values_of_all_kinds_are_read(record: int | None) -> None:
    """Nearly every gauge, every counter, foreign names: several families, one time."""
    samples: list[Sample] = [(m.name, 0.5) for m in GAUGES if m.low <= 0.5 <= m.high]
    samples += [(m.name, int(min(12_345_678_901, m.high))) for m in COUNTERS]
    samples += [("pressure", -1e300), ("flow", 1e-40), ("pieces", 3)]
    raw = payload(samples, T, record, 77)
    layout = learned(raw)
    assert layout is not None
    assert layout.lanes is not None
    for seq in (0, 5, 127):
        again = payload(
            [(name, value * 0.5 if isinstance(value, float) else value) for name, value in samples], T + 9, record, seq
        )
        decoded = layout.lanes.read(again)
        assert decoded == decode(DEFINITION, again, NOW)
        assert decoded is not None
        for group in decoded.groups:
            assert isinstance(group.metrics, SoundNames)
            assert group.metrics.integers == tuple(isinstance(value, int) for value in group.values)


def test_samples_of_several_times_are_left_to_the_layout() -> None:
    names = [m.name for m in GAUGES[:3]]
    metrics = [Metric(None, ALIASES[name], T, dt.FLOAT, 0.5) for name in names]
    layout = learned(encode_payload(Payload(T, metrics, 1), datatypes=False))
    assert layout is not None
    assert layout.lanes is not None
    metrics[1].timestamp = T + 1
    raw = encode_payload(Payload(T, metrics, 1), datatypes=False)
    assert read(layout.lanes, raw) is None
    assert layout.decode(raw) == decode(DEFINITION, raw, NOW)


def test_a_sensor_out_of_range_for_good_is_still_decoded_by_its_shape() -> None:
    """The lanes leave its payloads to the layout, which is learned whole again when that happens often."""
    decoder, recent = Decoder(Shapes()), list[Layout]()
    for number in range(60):
        power = 1.0 if number < 10 else 3.0  # a power factor lies within -1..1
        raw = payload([("power_factor", power), ("frequency_hz", 50.0)], T + number, None, 5)
        assert decoder.decode(DEFINITION, raw, NOW, recent) == decode(DEFINITION, raw, NOW)
    assert decoder.hits > 50


def test_the_content_of_a_payload_is_that_of_its_values() -> None:
    """Whatever its record and sequence numbers; also when the layout has to be learned for the question."""
    samples: list[Sample] = [(m.name, 5_000) for m in COUNTERS[:3]] + [
        (m.name, 0.5) for m in GAUGES if m.low <= 0.5 <= m.high
    ]
    raw = payload(samples, T, 700, 77)
    layout = learned(raw)
    assert layout is not None
    assert layout.lanes is not None
    first = layout.lanes.check(raw)
    again = layout.lanes.check(payload(samples, T, 701, 5))
    assert first is not None
    assert again is not None
    assert (first.record, again.record, first.seq, again.seq) == (700, 701, 77, 5)
    assert first.content == again.content == Decoder(Shapes()).content(DEFINITION, raw)
    for place, (name, value) in enumerate(samples):
        other = [*samples[:place], (name, value + (1 if isinstance(value, int) else 0.125)), *samples[place + 1 :]]
        changed = layout.lanes.check(payload(other, T, 700, 77))
        assert changed is None or changed.content != first.content, name
        assert changed is not None or not isinstance(value, int)


def test_meters_that_differ_in_their_counters_share_the_reading_of_their_floats() -> None:
    gauges: list[Sample] = [(m.name, 0.5) for m in GAUGES if m.low <= 0.5 <= m.high]
    one, other = (learned(payload([(COUNTERS[0].name, n), *gauges], T, 5, 7)) for n in (10, 70_000))
    assert one is not None
    assert other is not None
    assert one.lanes is not None
    assert other.lanes is not None
    assert one.size != other.size
    assert one.lanes.block is other.lanes.block


def test_a_float_before_its_time_may_follow_one_behind_its_time() -> None:
    """Where a counter between them is cut out, the lanes of the two would touch: a carry must not meet the next one."""
    alias, other = [ALIASES[m.name] for m in GAUGES if m.low == 0 and m.high >= 1][:2]
    pieces = ALIASES["pieces"]

    def raw(first: float, last: float) -> bytes:
        time = varint(T)
        bodies = [
            b"\x10" + varint(alias) + b"\x18" + time + b"\x65" + struct.pack("<f", first),
            b"\x10" + varint(pieces) + b"\x18" + time + b"\x58\x05",
            b"\x10" + varint(other) + b"\x65" + struct.pack("<f", last) + b"\x18" + time,
        ]
        return b"".join([b"\x12" + bytes([len(body)]) + body for body in bodies])

    layout = learned(raw(0.5, 0.5))
    assert layout is not None
    assert layout.lanes is not None
    assert layout.lanes.read(raw(0.25, 0.75)) == decode(DEFINITION, raw(0.25, 0.75), NOW)
    for step in range(4):  # the last bit of the second value decides what a carry into it looks like
        last = struct.unpack("<f", struct.pack("<I", 0x3F000000 + step))[0]
        for first in (-math.nan, -math.inf, -3e38):
            assert layout.lanes.check(raw(first, last)) is None, (first, step)


def test_the_content_tells_every_change_of_a_counter() -> None:
    """Also of two counters 61 bytes apart: a number's hash is its remainder by 2**61 - 1."""
    definition = Definition([(name, place, dt.UINT64) for place, name in enumerate("abcde", 1)])

    def content(first: int, last: int) -> int:
        values = [first, 20_000, 20_000, 3_000_000, last]
        metrics = [Metric(None, place, T, dt.UINT64, value) for place, value in enumerate(values, 1)]
        raw = encode_payload(Payload(T, metrics, 7), datatypes=False)
        found = Decoder(Shapes()).content(definition, raw)
        assert found is not None
        return found

    usual = content(20_000, 20_000)
    for delta in (*range(-64, 0), *range(1, 65)):
        assert content(20_000 + delta, 20_000 - delta) != usual, delta


def test_the_content_does_not_depend_on_the_length_of_the_record_number() -> None:
    samples: list[Sample] = [(COUNTERS[0].name, 5_000), *[(m.name, 0.5) for m in GAUGES if m.low <= 0.5 <= m.high]]
    contents = {Decoder(Shapes()).content(DEFINITION, payload(samples, T, n, q)) for n, q in ((5, 7), (300, 128))}
    assert len(contents) == 1
    assert None not in contents
