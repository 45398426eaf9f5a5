"""Decoding of metadata, properties, DataSet and Template, apart from `decode` so that a node need not load it."""

from shutan_wire import protobuf
from shutan_wire.compound import DataSet, MetaData, Parameter, Template
from shutan_wire.datatypes import PROPERTY_SET, PROPERTY_SET_LIST, resolve
from shutan_wire.decode import decode_metric
from shutan_wire.errors import WireError
from shutan_wire.model import Metric

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_wire.model import Property, PropertySet, Scalar

_METADATA = bytes((255, 0, 2, 0, 0, 2, 2, 2, 2))
_PROPERTY_SET = bytes((255, 2, 2))
_PROPERTY_SET_LIST = bytes((255, 2))
_PROPERTY = bytes((255, 0, 0, 0, 0, 5, 1, 0, 2, 2, 2))
_DATASET = bytes((255, 0, 2, protobuf.PACKED, 2))
_ROW = bytes((255, 2))
_CELL = bytes((255, 0, 0, 5, 1, 0, 2))
_TEMPLATE = bytes((255, 2, 2, 2, 2, 0))
_PARAMETER = bytes((255, 2, 0, 0, 0, 5, 1, 0, 2))


def metric_part(metric: Metric, number: int, raw: bytes, depth: int) -> None:
    """Decode field 8 (metadata), 9 (properties), 17 (DataSet) or 18 (Template) of a metric into it."""
    part = {8: ".metadata", 9: ".properties", 17: ".dataset", 18: ".template"}[number]
    try:
        if number == 8:
            metric.metadata = _metadata(raw)
        elif number == 9:
            metric.properties = _property_set(raw, depth - 1)
        elif number == 17:
            metric.value = _dataset(raw)
        else:
            metric.value = _template(raw, depth - 1)
    except WireError as error:
        raise WireError(part + (error.where if error.where.startswith(".") else ""), error.reason) from None


def _number(value: "int | bytes") -> int:
    if isinstance(value, int):
        return value
    raise WireError("", "number expected")


def _bytes(value: "int | bytes") -> bytes:
    if isinstance(value, int):
        raise WireError("", "bytes expected")
    return value


def _scalar(kind: int, value: "int | bytes") -> "int | float | bool | str":
    """Value of the common one-of order: 0 int, 1 long, 2 float, 3 double, 4 boolean, 5 string."""
    if isinstance(value, int):
        if kind == 4:
            return value != 0
        return protobuf.uint32(value) if kind == 0 else value
    if kind == 2:
        return protobuf.float32(value)
    return protobuf.float64(value) if kind == 3 else protobuf.text(value)


def _basic(datatype: int, content: "Scalar") -> "Scalar":
    """Resolve a value of a basic datatype; None stays None."""
    if content is None:
        return None
    value = resolve(datatype, content)
    if isinstance(value, (bytes, tuple, DataSet, Template)):
        raise WireError("value", "no basic datatype")
    return value


def _metadata(raw: bytes) -> MetaData:
    meta = MetaData()
    for number, value in protobuf.fields(raw, _METADATA):
        if number == 1:
            meta.is_multi_part = value != 0
        elif number == 2:
            meta.content_type = protobuf.text(_bytes(value))
        elif number == 3:
            meta.size = _number(value)
        elif number == 4:
            meta.seq = _number(value)
        elif number == 5:
            meta.file_name = protobuf.text(_bytes(value))
        elif number == 6:
            meta.file_type = protobuf.text(_bytes(value))
        elif number == 7:
            meta.md5 = protobuf.text(_bytes(value))
        else:
            meta.description = protobuf.text(_bytes(value))
    return meta


def _property_set(raw: bytes, depth: int) -> "PropertySet":
    """Properties by name as (type, value); a null property has the value None."""
    if depth < 0:
        raise WireError("", "nested too deeply")
    keys: list[str] = []
    values: list[tuple[int, Property]] = []
    for number, value in protobuf.fields(raw, _PROPERTY_SET):
        if number == 1:
            keys.append(protobuf.text(_bytes(value)))
        else:
            values.append(_property(_bytes(value), depth))
    if len(keys) != len(values):
        raise WireError("", str(len(keys)) + " keys but " + str(len(values)) + " values")
    return {key: values[index] for index, key in enumerate(keys)}


def _property(raw: bytes, depth: int) -> "tuple[int, Property]":
    datatype = 0
    is_null = False
    content: Property = None
    for number, value in protobuf.fields(raw, _PROPERTY):
        if number == 1:
            datatype = protobuf.uint32(_number(value))
        elif number == 2:
            is_null = value != 0
        elif number == 9:
            content = _property_set(_bytes(value), depth - 1)
        elif number == 10:
            content = [
                _property_set(_bytes(item), depth - 1) for _, item in protobuf.fields(_bytes(value), _PROPERTY_SET_LIST)
            ]
        else:
            content = _scalar(number - 3, value)
    if is_null:
        content = None
    elif datatype in (PROPERTY_SET, PROPERTY_SET_LIST):
        if not isinstance(content, dict if datatype == PROPERTY_SET else list):
            raise WireError("", "value is no property set")
    elif isinstance(content, (dict, list)):
        raise WireError("", "property set under datatype " + str(datatype))
    else:
        content = _basic(datatype, content)
    return datatype, content


def _dataset(raw: bytes) -> DataSet:
    declared = None
    columns: list[str] = []
    types: list[int] = []
    rows: list[bytes] = []
    for number, value in protobuf.fields(raw, _DATASET):
        if number == 1:
            declared = _number(value)
        elif number == 2:
            columns.append(protobuf.text(_bytes(value)))
        elif number == 3:
            types.append(protobuf.uint32(_number(value)))
        else:
            rows.append(_bytes(value))
    if len(types) != len(columns) or (declared is not None and declared != len(columns)):
        raise WireError("", "columns, types and their number differ")
    if rows and not columns:
        raise WireError("", "rows without columns")
    return DataSet(columns, types, [_row(row, types) for row in rows])


def _row(raw: bytes, types: "list[int]") -> "list[Scalar]":
    cells = protobuf.fields(raw, _ROW)
    if len(cells) != len(types):
        raise WireError("", "row of " + str(len(cells)) + " cells, " + str(len(types)) + " wanted")
    row: list[Scalar] = []
    for index, datatype in enumerate(types):
        content = None
        for number, value in protobuf.fields(_bytes(cells[index][1]), _CELL):
            content = _scalar(number - 1, value)
        row.append(_basic(datatype, content))
    return row


def _template(raw: bytes, depth: int) -> Template:
    if depth < 0:
        raise WireError("", "nested too deeply")
    template = Template()
    for number, value in protobuf.fields(raw, _TEMPLATE):
        if number == 1:
            template.version = protobuf.text(_bytes(value))
        elif number == 2:
            member = _bytes(value)
            template.metrics.append(decode_metric(member, 0, len(member), depth, {}))
        elif number == 3:
            template.parameters.append(_parameter(_bytes(value)))
        elif number == 4:
            template.template_ref = protobuf.text(_bytes(value))
        else:
            template.is_definition = value != 0
    return template


def _parameter(raw: bytes) -> Parameter:
    parameter = Parameter()
    content: Scalar = None
    for number, value in protobuf.fields(raw, _PARAMETER):
        if number == 1:
            parameter.name = protobuf.text(_bytes(value))
        elif number == 2:
            parameter.datatype = protobuf.uint32(_number(value))
        else:
            content = _scalar(number - 3, value)
    parameter.value = _basic(parameter.datatype, content) if parameter.datatype else content
    return parameter
