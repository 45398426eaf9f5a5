"""Payload and Metric as plain objects. Composite values (DataSet, Template) are in `compound`."""

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import TypeAlias

    from shutan_wire.compound import DataSet, MetaData, Template

    Scalar: TypeAlias = "bool | int | float | str | None"
    Value: TypeAlias = "Scalar | bytes | tuple[bool | int | float | str, ...] | DataSet | Template"
    PropertySet: TypeAlias = "dict[str, tuple[int, Property]]"
    Property: TypeAlias = "Scalar | PropertySet | list[PropertySet]"


class Metric:
    """One metric of a payload.

    name, alias:  either may be None; DATA of an aliasing node carries the alias only
    timestamp:    UTC ms since 1970 or None
    datatype:     code of `datatypes` or None (DATA carries none)
    value:        None | int | float | bool | str | bytes | tuple (array) | DataSet | Template. Decoded without a
                  datatype it is the raw field (integers unsigned): `datatypes.resolve` gives the number
    is_null:      the metric has no value
    properties:   dict name -> (type, value) or None
    """

    __slots__ = (
        "alias",
        "datatype",
        "is_historical",
        "is_null",
        "is_transient",
        "metadata",
        "name",
        "properties",
        "timestamp",
        "value",
    )

    def __init__(
        self,
        name: "str | None" = None,
        alias: "int | None" = None,
        timestamp: "int | None" = None,
        datatype: "int | None" = None,
        value: "Value" = None,
        *,
        is_historical: bool = False,
        is_transient: bool = False,
        is_null: bool = False,
        metadata: "MetaData | None" = None,
        properties: "PropertySet | None" = None,
    ) -> None:
        self.name = name
        self.alias = alias
        self.timestamp = timestamp
        self.datatype = datatype
        self.value = value
        self.is_historical = is_historical
        self.is_transient = is_transient
        self.is_null = is_null
        self.metadata = metadata
        self.properties = properties

    def _fields(self) -> "tuple[object, ...]":
        return (
            self.name,
            self.alias,
            self.timestamp,
            self.datatype,
            self.value,
            self.is_historical,
            self.is_transient,
            self.is_null,
            self.metadata,
            self.properties,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Metric) and self._fields() == other._fields()

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # a mutable value, as a list is

    def __repr__(self) -> str:
        return "Metric" + repr(self._fields())


class Payload:
    """One Sparkplug B payload: timestamp (ms or None), metrics (list), seq (0..255 or None), uuid, body."""

    __slots__ = ("body", "metrics", "seq", "timestamp", "uuid")

    def __init__(
        self,
        timestamp: "int | None" = None,
        metrics: "list[Metric] | None" = None,
        seq: "int | None" = None,
        uuid: "str | None" = None,
        body: "bytes | None" = None,
    ) -> None:
        self.timestamp = timestamp
        self.metrics = [] if metrics is None else metrics
        self.seq = seq
        self.uuid = uuid
        self.body = body

    def _fields(self) -> "tuple[object, ...]":
        return self.timestamp, self.metrics, self.seq, self.uuid, self.body

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Payload) and self._fields() == other._fields()

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # a mutable value, as a list is

    def __repr__(self) -> str:
        return "Payload" + repr(self._fields())
