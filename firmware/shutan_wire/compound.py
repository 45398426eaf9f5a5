"""Composite parts of a metric as plain objects: MetaData, DataSet, Template and its Parameter (Sparkplug 3.0, 6.4)."""

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_wire.model import Metric, Scalar


class _Plain:
    """Value object: equal when all its fields are."""

    __slots__ = ()

    def _fields(self) -> "tuple[object, ...]":
        return ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Plain) and type(self) is type(other) and self._fields() == other._fields()

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # a mutable value, as a list is

    def __repr__(self) -> str:
        return type(self).__name__ + repr(self._fields())


class MetaData(_Plain):
    """MetaData of a metric; every field may be None."""

    __slots__ = ("content_type", "description", "file_name", "file_type", "is_multi_part", "md5", "seq", "size")

    def __init__(
        self,
        *,
        is_multi_part: "bool | None" = None,
        content_type: "str | None" = None,
        size: "int | None" = None,
        seq: "int | None" = None,
        file_name: "str | None" = None,
        file_type: "str | None" = None,
        md5: "str | None" = None,
        description: "str | None" = None,
    ) -> None:
        self.is_multi_part = is_multi_part
        self.content_type = content_type
        self.size = size
        self.seq = seq
        self.file_name = file_name
        self.file_type = file_type
        self.md5 = md5
        self.description = description

    def _fields(self) -> "tuple[object, ...]":
        return (
            self.is_multi_part,
            self.content_type,
            self.size,
            self.seq,
            self.file_name,
            self.file_type,
            self.md5,
            self.description,
        )


class DataSet(_Plain):
    """Table value: column names, their datatypes (basic ones) and rows of one value per column, None = absent."""

    __slots__ = ("columns", "rows", "types")

    def __init__(self, columns: "list[str]", types: "list[int]", rows: "list[list[Scalar]] | None" = None) -> None:
        self.columns = columns
        self.types = types
        self.rows: list[list[Scalar]] = [] if rows is None else rows

    def _fields(self) -> "tuple[object, ...]":
        return self.columns, self.types, self.rows


class Parameter(_Plain):
    """Parameter of a Template: name, datatype, value (None = absent)."""

    __slots__ = ("datatype", "name", "value")

    def __init__(self, name: "str | None" = None, datatype: "int | None" = None, value: "Scalar" = None) -> None:
        self.name = name
        self.datatype = datatype
        self.value = value

    def _fields(self) -> "tuple[object, ...]":
        return self.name, self.datatype, self.value


class Template(_Plain):
    """Template definition or instance: members are metrics, so templates may nest."""

    __slots__ = ("is_definition", "metrics", "parameters", "template_ref", "version")

    def __init__(
        self,
        version: "str | None" = None,
        metrics: "list[Metric] | None" = None,
        parameters: "list[Parameter] | None" = None,
        template_ref: "str | None" = None,
        is_definition: "bool | None" = None,
    ) -> None:
        self.version = version
        self.metrics: list[Metric] = [] if metrics is None else metrics
        self.parameters: list[Parameter] = [] if parameters is None else parameters
        self.template_ref = template_ref
        self.is_definition = is_definition

    def _fields(self) -> "tuple[object, ...]":
        return self.version, self.metrics, self.parameters, self.template_ref, self.is_definition
