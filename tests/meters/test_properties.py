"""Properties of the meter codecs under inputs that nobody wrote down."""

import asyncio
import json
import struct
from collections.abc import Callable
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from shutan_meters import cjt188, dlt645, inspect, modbus, values
from shutan_meters.errors import MeterError
from shutan_meters.master import Device
from shutan_meters.profile import load_profile

PROFILES = Path(__file__).resolve().parents[2] / "firmware/shutan_meters/profiles"
DLT645 = load_profile((PROFILES / "dlt645_three_phase/profile.json").read_text(encoding="utf-8"))
SDM630 = load_profile((PROFILES / "eastron_sdm630/profile.json").read_text(encoding="utf-8"))

addresses = st.text("0123456789", min_size=12, max_size=12).filter(lambda text: text != "999999999999")
dis = st.binary(min_size=4, max_size=4)
noise = st.one_of(
    st.binary(max_size=24),
    st.lists(st.sampled_from([0x68, 0x16, 0xFE, 0xFF, 0x00, 0x01, 0x03, 0x04, 0x91]), max_size=24).map(bytes),
)


def seal(body: bytes) -> bytes:
    crc = modbus.crc16(body, 0, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))


def attempt(call: Callable[[], Any]) -> tuple[Any, MeterError | None]:
    """Result or meter error; any other exception is a fault of the code and comes through."""
    try:
        return call(), None
    except MeterError as error:
        return None, error


def half_even(value: Fraction) -> int:
    """Python's own rounding of an exact rational number."""
    return round(value)


@given(addresses, dis, st.binary(max_size=196), noise, noise)
def test_dlt645_round_trip_in_noise(address: str, di: bytes, data: bytes, before: bytes, after: bytes) -> None:
    unit = dlt645.address_bytes(address)
    frame = dlt645.frame(unit, 0x91, di + data)
    reply = dlt645.Reply(unit, dlt645.READ, di)
    buffer = before + frame + after
    assert reply(buffer) == len(before) + len(frame)
    assert reply.payload(buffer) == data
    assert dlt645.address_text(unit) == address


@given(addresses, dis, st.integers(0, 8))
def test_dlt645_request_is_found_by_its_own_finder(address: str, di: bytes, wake: int) -> None:
    request = dlt645.read_request(dlt645.address_bytes(address), di, wake)
    begin = dlt645.find(request)
    assert begin == wake
    assert dlt645.data_of(request, begin) == di


@given(st.integers(1, 247), st.sampled_from([3, 4]), st.binary(min_size=1, max_size=125), noise, noise)
def test_modbus_round_trip_in_noise(unit: int, function: int, half: bytes, before: bytes, after: bytes) -> None:
    registers = half + half
    count = len(half)
    frame = seal(bytes((unit, function, 2 * count)) + registers)
    reply = modbus.Reply(unit, function, count)
    buffer = before + frame + after
    # A start in the noise can only win with a right CRC over the bytes that follow: then it is a frame as well.
    assume(reply(buffer) == len(before) + len(frame))
    assert reply.payload(buffer) == registers


@given(st.integers(1, 248), st.sampled_from([3, 4]), st.integers(0, 0xFFFF), st.integers(1, 125))
def test_modbus_request_carries_its_fields(unit: int, function: int, start: int, count: int) -> None:
    request = modbus.read_request(unit, function, start, count)
    assert struct.unpack(">BBHH", request[:6]) == (unit, function, start, count)
    assert modbus.sealed(request, 0, 8)


@given(st.binary(max_size=300), addresses, dis)
def test_random_bytes_raise_nothing_but_meter_errors(data: bytes, address: str, di: bytes) -> None:
    unit = dlt645.address_bytes(address)
    calls: list[Callable[[], object]] = [
        lambda: dlt645.Reply(unit, dlt645.READ, di).payload(data),
        lambda: modbus.Reply(1, 4, 2).payload(data),
        lambda: cjt188.find(data),
        *[lambda protocol=protocol: inspect.decode(protocol, data) for protocol in inspect.PROTOCOLS],
        lambda: inspect.decode("modbus", data, SDM630, data[:8]),
    ]
    for call in calls:
        _, error = attempt(call)
        assert error is None or "\n" not in str(error)


@given(st.integers(0, 0xFF), st.binary(max_size=40), addresses)
def test_any_frame_with_a_right_checksum_is_explained_or_refused(control: int, data: bytes, address: str) -> None:
    frame = dlt645.frame(dlt645.address_bytes(address), control, data)
    reports, error = attempt(lambda: inspect.decode("dlt645", frame, DLT645))
    if error:
        assert "control code" in str(error)
    else:
        assert len(reports) == 1
        assert reports[0]["address"] == address
        assert json.loads(json.dumps(reports, allow_nan=False)) == reports


@given(st.integers(1, 0xF8), st.sampled_from([3, 4, 5, 6, 0x10, 0x42, 0x83, 0x84, 0x90]), st.binary(max_size=60))
def test_any_modbus_frame_is_explained_or_refused(unit: int, function: int, body: bytes) -> None:
    frame = seal(bytes((unit, function)) + body)
    for request in (None, modbus.read_request(unit, 4, 0x34, 2)):
        reports, error = attempt(lambda request=request: inspect.decode("modbus", frame, SDM630, request))
        assert error is None or error.where.startswith("byte")
        json.dumps(reports, allow_nan=False)


@given(st.text(max_size=60))
@example("68 aa\n0x16,FE")
@example("0x0x16")
def test_hex_text_is_read_or_refused_with_a_place(text: str) -> None:
    data, error = attempt(lambda: inspect.from_hex(text))
    if error:
        assert error.where.split(" ")[0] in ("character", "byte")
    else:
        assert inspect.from_hex(inspect.hexa(data)) == data


ratios = st.integers(1, 10**9)


@given(st.binary(min_size=4, max_size=4), ratios, ratios)
@example(b"\x00\x00\x00\x01", 10**9, 1)
@example(b"\x80\x00\x00\x00", 1, 1)
@example(b"\x3f\x00\x00\x00", 1, 1)
@example(b"\x7f\x7f\xff\xff", 1, 10**9)
def test_float32_bits_to_integer_equal_the_exact_fraction(bits: bytes, num: int, den: int) -> None:
    value = struct.unpack(">f", bits)[0]
    found = values.scaled_f32(bits, num, den)
    if isfinite(value):
        assert found == half_even(Fraction(value) * num / den)
    else:
        assert found is None


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**18))
def test_division_is_the_exact_fraction_rounded_half_to_even(numerator: int, denominator: int) -> None:
    assert values.divide(numerator, denominator) == half_even(Fraction(numerator, denominator))


@given(st.integers(1, 6), st.data(), st.booleans())
def test_bcd_round_trip(length: int, data: st.DataObject, signed: bool) -> None:
    limit = 8 * 10 ** (2 * length - 1) if signed else 10 ** (2 * length)
    number = data.draw(st.integers(-limit + 1 if signed else 0, limit - 1))
    packed = bytearray(bytes.fromhex(str(abs(number)).rjust(2 * length, "0")))
    packed.reverse()
    if number < 0:
        packed[-1] |= 0x80
    assert values.bcd(packed, 0, length, signed) == number


class _Answer:
    """A bus that gives the same bytes to every request."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    async def transact(self, request: bytes, complete: Callable[[bytes | bytearray], int], timeout_ms: int) -> bytes:
        assert len(request) <= 21
        assert timeout_ms
        complete(self.answer)
        return self.answer


@given(st.binary(max_size=100))
def test_a_bus_full_of_garbage_never_breaks_the_master(answer: bytes) -> None:
    for device in (Device(DLT645, "000000000161"), Device(SDM630, 1)):
        try:
            asyncio.run(device.read(_Answer(answer)))
        except MeterError:
            assert device.damaged == 3


@given(st.binary(min_size=36, max_size=36), st.integers(1, 1000), st.integers(1, 1000))
def test_any_registers_give_exact_counters_and_finite_gauges(registers: bytes, ct: int, pt: int) -> None:
    device = Device(SDM630, 1, (ct, 1), (pt, 1))
    body = (
        seal(b"\x01\x04\x24" + registers)
        + seal(b"\x01\x04\x14" + registers[:20])
        + seal(b"\x01\x04\x04" + registers[:4])
    )
    asyncio.run(device.read(_Answer(body)))
    for value, quality, number in zip(device.values, device.qualities, SDM630.ids, strict=True):
        assert (value is None) == (quality != 192)
        if number <= 20 and value is not None:
            assert isinstance(value, int)
        elif value is not None:
            assert isinstance(value, float)
            assert isfinite(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["reads", "items", "metric", "di", "at", "type", "protocol", "serial"]), inner
            )
        ),
    )
)
def test_any_json_is_a_profile_or_a_list_of_mistakes(source: object) -> None:
    profile, error = attempt(lambda: load_profile(json.dumps(source)))
    assert profile is not None or str(error)
