"""The general payload encoder behind `encode.encode_payload`: any `Payload`, values checked, proto2 rules.

A field that is set is written even when it holds its default value; repeated numbers are written unpacked. Negative
integers are written as two's complement in their declared width.
"""

import struct

from shutan_wire import datatypes as dt
from shutan_wire.arrays import pack
from shutan_wire.compound import DataSet, MetaData, Template
from shutan_wire.errors import WireError
from shutan_wire.model import Metric

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_wire.compound import Parameter
    from shutan_wire.model import Payload, Property, PropertySet, Scalar, Value

_UINT64_MAX = 0xFFFFFFFFFFFFFFFF

# field numbers of the one-of in the order int, long, float, double, boolean, string
_METRIC_BASE = 10
_PROPERTY_BASE = 3
_CELL_BASE = 1
_PARAMETER_BASE = 3


def encode(payload: "Payload", datatypes: bool) -> bytes:
    """Encode a payload; see `encode.encode_payload`."""
    out = bytearray()
    _uint(out, 1, payload.timestamp, "sparkplug.timestamp")
    for index, metric in enumerate(payload.metrics):
        try:
            _bytes(out, 2, _metric(metric, datatypes))
        except WireError as error:
            raise WireError("sparkplug.metric[" + str(index) + "]." + error.where, error.reason) from None
    if payload.seq is not None and not 0 <= payload.seq <= 255:
        raise WireError("sparkplug.seq", str(payload.seq) + " is not 0..255")
    _uint(out, 3, payload.seq, "sparkplug.seq")
    _string(out, 4, payload.uuid, "sparkplug.uuid")
    if payload.body is not None:
        _bytes(out, 5, payload.body)
    return bytes(out)


def _varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _uint(out: bytearray, number: int, value: "int | None", where: str) -> None:
    """Varint field of 64 bits, left away for None."""
    if value is None:
        return
    if not 0 <= value <= _UINT64_MAX:
        raise WireError(where, str(value) + " does not fit 64 bits")
    _varint(out, number << 3)
    _varint(out, value)


def _bool(out: bytearray, number: int, value: "bool | None") -> None:
    if value is not None:
        _varint(out, number << 3)
        out.append(1 if value else 0)


def _bytes(out: bytearray, number: int, data: "bytes | bytearray") -> None:
    _varint(out, number << 3 | 2)
    _varint(out, len(data))
    out += data


def _string(out: bytearray, number: int, text: "str | None", where: str) -> None:
    """String field, left away for None."""
    if text is None:
        return
    try:
        _bytes(out, number, text.encode())
    except ValueError:
        raise WireError(where, "not encodable in UTF-8") from None


def _metric(metric: Metric, datatypes: bool) -> bytearray:
    out = bytearray()
    _string(out, 1, metric.name, "name")
    _uint(out, 2, metric.alias, "alias")
    _uint(out, 3, metric.timestamp, "timestamp")
    datatype = metric.datatype
    if datatype is not None:
        if not 0 <= datatype <= dt.LAST:
            raise WireError("datatype", "unknown code " + str(datatype))
        if datatypes:
            _uint(out, 4, datatype, "datatype")
    # the three flags: false is their meaning when absent, so only true is written
    _bool(out, 5, metric.is_historical or None)
    _bool(out, 6, metric.is_transient or None)
    _bool(out, 7, metric.is_null or None)
    if metric.metadata is not None:
        _bytes(out, 8, _metadata(metric.metadata))
    if metric.properties is not None:
        _bytes(out, 9, _property_set(metric.properties))
    if metric.is_null and metric.value is not None:
        raise WireError("value", "given although the metric is null")
    if metric.value is not None:
        _value(out, metric.value, datatype, datatypes)
    return out


def _value(out: bytearray, value: "Value", datatype: "int | None", datatypes: bool) -> None:
    """Value field of a metric: the six common kinds, then bytes, arrays, DataSet, Template."""
    if isinstance(value, DataSet):
        _composite(datatype, dt.DATASET)
        _bytes(out, 17, _dataset(value))
    elif isinstance(value, Template):
        _composite(datatype, dt.TEMPLATE)
        _bytes(out, 18, _template(value, datatypes))
    elif isinstance(value, (tuple, list)):
        if datatype is None:
            raise WireError("value", "an array needs its datatype")
        _bytes(out, 16, pack(datatype, tuple(value)))
    elif isinstance(value, (bytes, bytearray)):
        if datatype is not None and datatype not in (dt.BYTES, dt.FILE):
            raise WireError("value", "bytes do not fit " + dt.name_of(datatype))
        _bytes(out, 16, value)
    else:
        _scalar(out, _METRIC_BASE, value, datatype)


def _composite(datatype: "int | None", wanted: int) -> None:
    if datatype not in (None, wanted):
        raise WireError("value", "does not fit its datatype")


def _guess(value: "Scalar") -> int:
    """Datatype for a value without one: the widest of its kind, so that nothing is cut."""
    if isinstance(value, bool):
        return dt.BOOLEAN
    if isinstance(value, int):
        return dt.UINT64
    return dt.DOUBLE if isinstance(value, float) else dt.STRING


def _scalar(out: bytearray, base: int, value: "Scalar", datatype: "int | None") -> None:
    """One-of of int, long, float, double, boolean, string, whose first field number is `base`."""
    code = _guess(value) if datatype is None else datatype
    width = dt.integer_width(code)
    if width is not None:
        bits = width[0]
        number = _checked(value, bits, width[1])
        _varint(out, (base if bits < 64 else base + 1) << 3)
        _varint(out, number & ((1 << bits) - 1))
    elif code in (dt.FLOAT, dt.DOUBLE):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise WireError("value", "no number for " + dt.name_of(code))
        _float(out, base, value, code)
    elif code == dt.BOOLEAN:
        if not isinstance(value, bool):
            raise WireError("value", "no boolean")
        _bool(out, base + 4, value)
    elif code in (dt.STRING, dt.TEXT, dt.UUID):
        if not isinstance(value, str):
            raise WireError("value", "no string for " + dt.name_of(code))
        _string(out, base + 5, value, "value")
    else:
        raise WireError("value", "does not fit " + dt.name_of(code))


def _checked(value: "Scalar", bits: int, signed: bool) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise WireError("value", "no integer")
    low = -(1 << (bits - 1)) if signed else 0
    if not low <= value < low + (1 << bits):
        raise WireError(
            "value", str(value) + " does not fit " + ("" if signed else "un") + "signed " + str(bits) + " bits"
        )
    return value


def _float(out: bytearray, base: int, value: float, code: int) -> None:
    """Float or Double; infinities and not-a-number are values too."""
    try:
        packed = struct.pack("<f" if code == dt.FLOAT else "<d", float(value))
    except OverflowError:
        raise WireError("value", "too large for " + dt.name_of(code)) from None
    _varint(out, (base + 2) << 3 | 5 if code == dt.FLOAT else (base + 3) << 3 | 1)
    out += packed


def _metadata(meta: MetaData) -> bytearray:
    out = bytearray()
    _bool(out, 1, meta.is_multi_part)
    _string(out, 2, meta.content_type, "metadata")
    _uint(out, 3, meta.size, "metadata")
    _uint(out, 4, meta.seq, "metadata")
    _string(out, 5, meta.file_name, "metadata")
    _string(out, 6, meta.file_type, "metadata")
    _string(out, 7, meta.md5, "metadata")
    _string(out, 8, meta.description, "metadata")
    return out


def _property_set(properties: "PropertySet") -> bytearray:
    out = bytearray()
    for name in properties:
        _string(out, 1, name, "properties")
    for datatype, value in properties.values():
        _bytes(out, 2, _property(datatype, value))
    return out


def _property(datatype: int, value: "Property") -> bytearray:
    out = bytearray()
    _uint(out, 1, datatype, "properties")
    if value is None:
        _bool(out, 2, True)
    elif isinstance(value, dict):
        _composite(datatype, dt.PROPERTY_SET)
        _bytes(out, 9, _property_set(value))
    elif isinstance(value, list):
        _composite(datatype, dt.PROPERTY_SET_LIST)
        inner = bytearray()
        for item in value:
            _bytes(inner, 1, _property_set(item))
        _bytes(out, 10, inner)
    else:
        _scalar(out, _PROPERTY_BASE, value, datatype)
    return out


def _dataset(table: DataSet) -> bytearray:
    if len(table.types) != len(table.columns):
        raise WireError("value", "as many types as columns wanted")
    out = bytearray()
    _uint(out, 1, len(table.columns), "value")
    for name in table.columns:
        _string(out, 2, name, "value")
    for datatype in table.types:
        _uint(out, 3, datatype, "value")
    for row in table.rows:
        if len(row) != len(table.types):
            raise WireError("value", "as many cells as columns wanted")
        inner = bytearray()
        for index, datatype in enumerate(table.types):
            value = row[index]
            cell = bytearray()
            if value is not None:
                _scalar(cell, _CELL_BASE, value, datatype)
            _bytes(inner, 1, cell)
        _bytes(out, 4, inner)
    return out


def _template(template: Template, datatypes: bool) -> bytearray:
    out = bytearray()
    _string(out, 1, template.version, "value")
    for member in template.metrics:
        _bytes(out, 2, _metric(member, datatypes))
    for parameter in template.parameters:
        _bytes(out, 3, _parameter(parameter))
    _string(out, 4, template.template_ref, "value")
    _bool(out, 5, template.is_definition)
    return out


def _parameter(parameter: "Parameter") -> bytearray:
    out = bytearray()
    _string(out, 1, parameter.name, "value")
    _uint(out, 2, parameter.datatype, "value")
    if parameter.value is not None:
        _scalar(out, _PARAMETER_BASE, parameter.value, parameter.datatype)
    return out
