"""Sparkplug B payload decoder (Sparkplug 3.0, 6.4; proto2 schema of Eclipse Tahu).

Unknown fields are skipped, sizes are checked before anything is allocated for them, and malformed input raises
WireError only. Metadata, properties, DataSet and Template live in `decode_compound`, loaded when one occurs.
"""

import struct

from shutan_wire import protobuf
from shutan_wire.datatypes import LAST, resolve
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload

LIMIT_BYTES = 1_000_000
LIMIT_DEPTH = 8  # PropertySets and Templates inside each other

_METRIC_TAG = 0x12
_ALIAS = 0x10
_TIMESTAMP = 0x18
_INT = 0x50
_LONG = 0x58
_FLOAT = 0x65
_NUMBERS = frozenset((_ALIAS, _TIMESTAMP, _INT, _LONG))  # one-byte tags of the varints in DATA
_UINT32_END = 0x100000000
_PAYLOAD_WIRES = bytes((255, 0, 2, 0, 2, 2))
_METRIC_WIRES = bytes((255, 2, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 5, 1, 0, 2, 2, 2, 2))


def decode_payload(
    data: "bytes | bytearray | memoryview", limit: int = LIMIT_BYTES, depth: int = LIMIT_DEPTH
) -> Payload:
    """Decode one payload of at most `limit` bytes and `depth` levels of nesting; WireError for anything malformed."""
    if len(data) > limit:
        raise WireError("sparkplug", "payload of " + str(len(data)) + " bytes is above the limit of " + str(limit))
    raw = data if isinstance(data, bytes) else bytes(data)
    payload = Payload()
    metrics = payload.metrics
    stamps: dict[bytes, int] = {}
    pos = start = 0
    end = len(raw)
    try:
        while pos < end:
            start = pos
            if raw[pos] == _METRIC_TAG:
                stop = pos + 2 + raw[pos + 1]
                if raw[pos + 1] < 128 and stop <= end:  # nearly every metric of a DATA
                    pos += 2
                else:
                    pos, stop = protobuf.read_length(raw, pos + 1, end)
                metrics.append(decode_metric(raw, pos, stop, depth, stamps))
                pos = stop
            else:
                pos = _payload_field(payload, raw, pos, end)
    except (WireError, IndexError) as error:
        place = "sparkplug.metric[" + str(len(metrics)) + "]" if raw[start] == _METRIC_TAG else "sparkplug"
        if isinstance(error, WireError):
            raise WireError(place + error.where, error.reason) from None
        raise WireError(place, "truncated") from None
    return payload


def _payload_field(payload: Payload, raw: bytes, pos: int, end: int) -> int:
    """Read one field of a payload that is no metric; return the next position."""
    tag, value, pos = protobuf.read_field(raw, pos, end)
    number = tag >> 3
    if number < len(_PAYLOAD_WIRES):
        if tag & 7 != _PAYLOAD_WIRES[number]:
            raise WireError("", "field " + str(number) + " has wire type " + str(tag & 7))
        if isinstance(value, int):
            if number == 1:
                payload.timestamp = value
            else:
                payload.seq = value
        elif number == 4:
            payload.uuid = protobuf.text(value)
        elif number == 5:
            payload.body = value
        else:  # a metric under a tag that is longer than it need be
            raise WireError("", "overlong tag")
    return pos


def decode_metric(  # noqa: C901, PLR0912  # one loop: a call per field costs CPython more than the field itself
    raw: bytes, pos: int, end: int, depth: int, stamps: "dict[bytes, int]"
) -> Metric:
    """Decode the metric in raw[pos:end]; WireError or IndexError if it is malformed.

    stamps: 6-byte timestamps of this payload so far. Neighbours mostly repeat one, and a look-up costs a quarter of
    decoding it; a varint of six bytes is never the beginning of another varint, so six equal bytes are the same number.
    """
    metric = Metric()
    while pos < end:
        tag = raw[pos]
        pos += 1
        if tag in _NUMBERS:
            if tag == _TIMESTAMP:
                known = stamps.get(raw[pos : pos + 6])
                if known is not None:
                    metric.timestamp = known
                    pos += 6
                    continue
            start = pos
            value = raw[pos]
            pos += 1
            if value > 127:
                high = raw[pos]
                pos += 1
                if high < 128:
                    value += (high << 7) - 128
                else:
                    value, pos = protobuf.read_varint(raw, start)
            if tag == _ALIAS:
                metric.alias = value
            elif tag == _LONG:
                metric.value = value
            elif tag == _TIMESTAMP:
                metric.timestamp = value
                if pos - start == 6:
                    stamps[raw[start:pos]] = value
            else:
                metric.value = value if value < _UINT32_END else protobuf.uint32(value)
        elif tag == _FLOAT and pos + 4 <= end:
            metric.value = struct.unpack_from("<f", raw, pos)[0]
            pos += 4
        else:
            pos = _metric_field(metric, raw, pos - 1, end, depth)
    if pos > end:
        raise WireError("", "field beyond the end of its message")
    if metric.datatype is not None or metric.is_null:
        _finish(metric)
    return metric


def _metric_field(metric: Metric, raw: bytes, pos: int, end: int, depth: int) -> int:
    """Read one of the rarer fields of a metric; return the next position."""
    tag, value, pos = protobuf.read_field(raw, pos, end)
    number = tag >> 3
    if number >= len(_METRIC_WIRES):
        return pos
    if tag & 7 != _METRIC_WIRES[number]:
        raise WireError("", "field " + str(number) + " has wire type " + str(tag & 7))
    if isinstance(value, int):
        _metric_varint(metric, number, value)
    elif number == 1:
        metric.name = protobuf.text(value)
    elif number == 12:
        metric.value = protobuf.float32(value)
    elif number == 13:
        metric.value = protobuf.float64(value)
    elif number == 15:
        metric.value = protobuf.text(value)
    elif number == 16:
        metric.value = value
    else:
        from shutan_wire.decode_compound import metric_part  # late: a node never needs it for a command

        metric_part(metric, number, value, depth)
    return pos


def _metric_varint(metric: Metric, number: int, value: int) -> None:
    if number == 2:
        metric.alias = value
    elif number == 3:
        metric.timestamp = value
    elif number == 4:
        metric.datatype = protobuf.uint32(value)
    elif number == 5:
        metric.is_historical = value != 0
    elif number == 6:
        metric.is_transient = value != 0
    elif number == 7:
        metric.is_null = value != 0
    elif number == 10:
        metric.value = protobuf.uint32(value)
    elif number == 11:
        metric.value = value
    else:
        metric.value = value != 0


def _finish(metric: Metric) -> None:
    """Give the value its meaning where the metric carries its own datatype."""
    datatype = metric.datatype
    if metric.is_null:
        metric.value = None
    elif datatype and datatype <= LAST and metric.value is not None:
        try:
            metric.value = resolve(datatype, metric.value)
        except WireError as error:
            raise WireError("." + error.where, error.reason) from None
