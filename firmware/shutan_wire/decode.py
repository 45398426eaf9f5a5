"""Sparkplug B payload decoder (Sparkplug 3.0, 6.4; proto2 schema of Eclipse Tahu).

Unknown fields are skipped, sizes are checked before anything is allocated for them, and malformed input raises
WireError only. Metadata, properties, DataSet and Template live in `decode_compound`, loaded when one occurs.
"""

from struct import unpack_from

from shutan_wire import protobuf
from shutan_wire.datatypes import LAST, resolve
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload

LIMIT_BYTES = 1_000_000
LIMIT_DEPTH = 8  # PropertySets and Templates inside each other

_METRIC_TAG = 0x12
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
    pos = start = 0
    end = len(raw)
    try:
        while pos < end:
            start = pos
            if raw[pos] == _METRIC_TAG:
                size, pos = protobuf.read_varint(raw, pos + 1)
                if size > end - pos:
                    raise WireError("", "metric beyond the end of the payload")
                metrics.append(decode_metric(raw, pos, pos + size, depth))
                pos += size
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


def decode_metric(raw: bytes, pos: int, end: int, depth: int) -> Metric:
    """Decode the metric in raw[pos:end]; WireError or IndexError if it is malformed."""
    metric = Metric()
    while pos < end:
        tag = raw[pos]
        if tag == 0x65:  # float_value
            metric.value = unpack_from("<f", raw[pos + 1 : pos + 5])[0] if pos + 5 <= end else None
            pos += 5
        elif tag in (0x10, 0x18, 0x50, 0x58):  # alias, timestamp, int_value, long_value
            value = raw[pos + 1]
            pos += 2
            if value > 127:
                value, pos = protobuf.read_varint(raw, pos - 1)
            if tag == 0x10:
                metric.alias = value
            elif tag == 0x18:
                metric.timestamp = value
            else:
                metric.value = value if tag == 0x58 else protobuf.uint32(value)
        else:
            pos = _metric_field(metric, raw, pos, end, depth)
    if pos > end:
        raise WireError("", "field beyond the end of its message")
    return _finish(metric)


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


def _finish(metric: Metric) -> Metric:
    """Give the value its meaning where the metric carries its own datatype."""
    if metric.is_null:
        metric.value = None
    datatype = metric.datatype
    if datatype and datatype <= LAST and metric.value is not None:
        try:
            metric.value = resolve(datatype, metric.value)
        except WireError as error:
            raise WireError("." + error.where, error.reason) from None
    return metric
