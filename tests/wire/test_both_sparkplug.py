"""Golden Sparkplug payloads: decoded, encoded again where the form is canonical, refused where they are malformed."""

import json
import os
import sys

from shutan_wire.compound import DataSet, MetaData, Parameter, Template
from shutan_wire.decode import decode_payload
from shutan_wire.encode import encode_payload
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload

VECTORS = os.getenv("SHUTAN_VECTORS") or "tests/vectors"


def vectors(name):
    with open(VECTORS + "/" + name) as lines:
        for line in lines:
            yield json.loads(line)


def value_of(raw):
    if not isinstance(raw, dict):
        return raw
    if "hex" in raw:
        return bytes.fromhex(raw["hex"])
    if "array" in raw:
        return tuple(raw["array"])
    if "dataset" in raw:
        return DataSet(**raw["dataset"])
    fields = dict(raw["template"])
    fields["metrics"] = [metric_of(metric) for metric in fields.get("metrics", [])]
    fields["parameters"] = [Parameter(*parameter) for parameter in fields.get("parameters", [])]
    return Template(**fields)


def property_set(raw):
    properties = {}
    for name, (datatype, value) in raw.items():
        if isinstance(value, dict):
            value = property_set(value["set"]) if "set" in value else [property_set(item) for item in value["sets"]]
        properties[name] = (datatype, value)
    return properties


def metric_of(raw):
    fields = dict(raw)
    if "value" in fields:
        fields["value"] = value_of(fields["value"])
    if "properties" in fields:
        fields["properties"] = property_set(fields["properties"])
    if "metadata" in fields:
        fields["metadata"] = MetaData(**fields["metadata"])
    return Metric(**fields)


def payload_of(raw):
    fields = dict(raw)
    fields["metrics"] = [metric_of(metric) for metric in fields.get("metrics", [])]
    if "body" in fields:
        fields["body"] = bytes.fromhex(fields["body"])
    return Payload(**fields)


def test_every_golden_payload_is_decoded():
    count = 0
    for vector in vectors("sparkplug.jsonl"):
        found = decode_payload(bytes.fromhex(vector["hex"]))
        assert found == payload_of(vector["payload"]), (vector["name"], found)
        count += 1
    assert count >= 28


# MicroPython's dictionaries have no order: there the properties of a metric come out in another one
ORDERED = sys.implementation.name == "cpython"


def test_canonical_payloads_are_encoded_to_the_same_bytes():
    count = 0
    for vector in vectors("sparkplug.jsonl"):
        if vector["canonical"] is True or (vector["canonical"] == "ordered" and ORDERED):
            assert encode_payload(payload_of(vector["payload"])).hex() == vector["hex"], vector["name"]
            count += 1
    assert count >= 15


def test_malformed_payloads_are_refused_with_place_and_reason():
    count = 0
    for vector in vectors("sparkplug_malformed.jsonl"):
        try:
            decode_payload(bytes.fromhex(vector["hex"]))
        except WireError as error:
            assert (error.where, error.reason) == (vector["where"], vector["reason"]), (vector["name"], str(error))
            assert str(error) == error.where + ": " + error.reason
            count += 1
        else:
            raise AssertionError("accepted: " + vector["name"])
    assert count >= 48


def test_every_golden_payload_is_refused_when_cut_anywhere_inside_a_field():
    cut = 0
    for vector in vectors("sparkplug.jsonl"):
        data = bytes.fromhex(vector["hex"])
        whole = decode_payload(data)
        for size in range(len(data)):
            try:
                part = decode_payload(data[:size])
            except WireError:
                cut += 1
            else:  # cut between two fields of the payload
                assert len(part.metrics) <= len(whole.metrics)
                assert part.metrics == whole.metrics[: len(part.metrics)]
    assert cut > 1000


def test_buffers_of_any_kind_are_decoded():
    data = bytes.fromhex("08051204100158021801")
    for form in (data, bytearray(data), memoryview(data)):
        assert decode_payload(form) == Payload(5, [Metric(alias=1, value=2)], 1)


def test_payload_above_the_limit_is_refused_before_it_is_read():
    try:
        decode_payload(b"\xff" * 101, limit=100)
    except WireError as error:
        assert error.where == "sparkplug" and "limit of 100" in error.reason
    else:
        raise AssertionError
    decode_payload(bytes.fromhex("0805") * 50, limit=100)


def nested_template(levels):
    template = Template()
    for _ in range(levels):
        template = Template(metrics=[Metric(name="t", value=template)])
    return encode_payload(Payload(metrics=[Metric(name="t", value=template)]))


def nested_properties(levels):
    properties = {}
    for _ in range(levels):
        properties = {"p": (20, properties)}
    return encode_payload(Payload(metrics=[Metric(name="t", value=1, properties=properties)]))


def test_nesting_is_limited():
    for build, part in ((nested_template, ".template"), (nested_properties, ".properties")):
        decode_payload(build(7))
        for levels in (8, 20):
            try:
                decode_payload(build(levels))
            except WireError as error:
                assert error.where.startswith("sparkplug.metric[0]" + part), str(error)
                assert error.reason == "nested too deeply"
            else:
                raise AssertionError(part)
        decode_payload(build(9), depth=10)
