"""Golden Sparkplug payloads: decoded, encoded again where the form is canonical, refused where they are malformed."""

import json
import os
import sys

from shutan_wire.compound import DataSet, MetaData, Parameter, Template
from shutan_wire.decode import decode_payload
from shutan_wire.encode import encode_payload
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from shutan_wire.model import Property, PropertySet, Value

    Json = dict[str, Any]

VECTORS = os.getenv("SHUTAN_VECTORS") or "tests/vectors"

# MicroPython's dictionaries have no order: there the properties of a metric come out in another one
ORDERED = sys.implementation.name == "cpython"


def _vectors(name: str) -> "Iterator[Json]":
    with open(VECTORS + "/" + name) as lines:  # noqa: PTH123 - this file also runs on MicroPython without pathlib
        for line in lines:
            yield json.loads(line)


def _value(raw: "Any") -> "Value":
    """Value of the vectors' own notation: plain, {"hex"}, {"array"}, {"dataset"} or {"template"}."""
    if not isinstance(raw, dict):
        return raw
    fields: Json = dict(raw)  # pyright: ignore[reportUnknownArgumentType] - JSON
    if "hex" in fields:
        return bytes.fromhex(fields["hex"])
    if "array" in fields:
        return tuple(fields["array"])
    if "dataset" in fields:
        return DataSet(**fields["dataset"])
    template: Json = dict(fields["template"])
    template["metrics"] = [_metric(metric) for metric in template.get("metrics", [])]
    template["parameters"] = [Parameter(*parameter) for parameter in template.get("parameters", [])]
    return Template(**template)


def _property(raw: "Any") -> "Property":
    if not isinstance(raw, dict):
        return raw
    fields: Json = dict(raw)  # pyright: ignore[reportUnknownArgumentType] - JSON
    if "set" in fields:
        return _property_set(fields["set"])
    return [_property_set(item) for item in fields["sets"]]


def _property_set(raw: "Json") -> "PropertySet":
    return {name: (raw[name][0], _property(raw[name][1])) for name in raw}


def _metric(raw: "Json") -> Metric:
    fields = dict(raw)
    fields["value"] = _value(raw.get("value"))
    if "properties" in raw:
        fields["properties"] = _property_set(raw["properties"])
    if "metadata" in raw:
        fields["metadata"] = MetaData(**raw["metadata"])
    return Metric(**fields)


def _payload(raw: "Json") -> Payload:
    fields = dict(raw)
    fields["metrics"] = [_metric(metric) for metric in raw.get("metrics", [])]
    if "body" in raw:
        fields["body"] = bytes.fromhex(raw["body"])
    return Payload(**fields)


def _refusal(data: bytes, limit: int = 1_000_000) -> WireError:
    try:
        found = decode_payload(data, limit)
    except WireError as error:
        return error
    raise AssertionError("accepted: " + repr(found))


def test_every_golden_payload_is_decoded():
    count = 0
    for vector in _vectors("sparkplug.jsonl"):
        found = decode_payload(bytes.fromhex(vector["hex"]))
        assert found == _payload(vector["payload"]), (vector["name"], found)
        count += 1
    assert count >= 29


def test_canonical_payloads_are_encoded_to_the_same_bytes():
    count = 0
    for vector in _vectors("sparkplug.jsonl"):
        if vector["canonical"] is True or (vector["canonical"] == "ordered" and ORDERED):
            assert encode_payload(_payload(vector["payload"])).hex() == vector["hex"], vector["name"]
            count += 1
    assert count >= 15


def test_malformed_payloads_are_refused_with_place_and_reason():
    count = 0
    for vector in _vectors("sparkplug_malformed.jsonl"):
        error = _refusal(bytes.fromhex(vector["hex"]))
        assert (error.where, error.reason) == (vector["where"], vector["reason"]), (vector["name"], str(error))
        assert str(error) == error.where + ": " + error.reason
        count += 1
    assert count >= 48


def test_golden_payloads_cut_anywhere_lose_whole_fields_or_are_refused():
    refused = 0
    for vector in _vectors("sparkplug.jsonl"):
        data = bytes.fromhex(vector["hex"])
        whole = decode_payload(data).metrics
        for size in range(len(data)):
            try:
                part = decode_payload(data[:size]).metrics
            except WireError:
                refused += 1
            else:  # cut between two fields of the payload
                assert part == whole[: len(part)]
    assert refused > 1000


def test_buffers_of_any_kind_are_decoded():
    data = bytes.fromhex("08051204100158021801")
    for form in (data, bytearray(data), memoryview(data)):
        assert decode_payload(form) == Payload(5, [Metric(alias=1, value=2)], 1)


def test_payload_above_the_limit_is_refused_before_it_is_read():
    error = _refusal(b"\xff" * 101, 100)
    assert error.where == "sparkplug"
    assert error.reason == "payload of 101 bytes is above the limit of 100"
    assert decode_payload(bytes.fromhex("0805") * 50, 100).timestamp == 5


def _nested_template(levels: int) -> bytes:
    template = Template()
    for _ in range(levels):
        template = Template(metrics=[Metric(name="t", value=template)])
    return encode_payload(Payload(metrics=[Metric(name="t", value=template)]))


def _nested_properties(levels: int) -> bytes:
    properties: PropertySet = {}
    for _ in range(levels):
        properties = {"p": (20, properties)}
    return encode_payload(Payload(metrics=[Metric(name="t", value=1, properties=properties)]))


def test_nesting_is_limited():
    for build, part in ((_nested_template, ".template"), (_nested_properties, ".properties")):
        decode_payload(build(7))
        for levels in (8, 20):
            error = _refusal(build(levels))
            assert error.where.startswith("sparkplug.metric[0]" + part), error.where
            assert error.reason == "nested too deeply"
        decode_payload(build(9), depth=10)
