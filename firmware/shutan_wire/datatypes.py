"""Sparkplug B datatypes (Sparkplug 3.0, 6.4.16) and what a value field means under each."""

from shutan_wire.errors import WireError

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_wire.model import Value

UNKNOWN = 0
INT8 = 1
INT16 = 2
INT32 = 3
INT64 = 4
UINT8 = 5
UINT16 = 6
UINT32 = 7
UINT64 = 8
FLOAT = 9
DOUBLE = 10
BOOLEAN = 11
STRING = 12
DATETIME = 13
TEXT = 14
UUID = 15
DATASET = 16
BYTES = 17
FILE = 18
TEMPLATE = 19
PROPERTY_SET = 20
PROPERTY_SET_LIST = 21
INT8_ARRAY = 22
INT16_ARRAY = 23
INT32_ARRAY = 24
INT64_ARRAY = 25
UINT8_ARRAY = 26
UINT16_ARRAY = 27
UINT32_ARRAY = 28
UINT64_ARRAY = 29
FLOAT_ARRAY = 30
DOUBLE_ARRAY = 31
BOOLEAN_ARRAY = 32
STRING_ARRAY = 33
DATETIME_ARRAY = 34

LAST = 34

_NAMES = (
    "Unknown Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float Double Boolean String DateTime Text UUID"
    " DataSet Bytes File Template PropertySet PropertySetList Int8Array Int16Array Int32Array Int64Array"
    " UInt8Array UInt16Array UInt32Array UInt64Array FloatArray DoubleArray BooleanArray StringArray DateTimeArray"
)

_KINDS = "-iiiiiiiiffbsisso" + "yyo--" + 13 * "a"  # i integer, f float, b, s, y bytes, o object, a array, by code
_CLASSES: "dict[str, type]" = {"f": float, "b": bool, "s": str, "y": bytes}
# bits of an integer datatype by its code, 0 = not an integer; codes 1..4 are the signed ones
_BITS = b"\x00\x08\x10\x20\x40\x08\x10\x20\x40\x00\x00\x00\x00\x40"


def name_of(code: int) -> str:
    """Name of a datatype code as the standard writes it; WireError for an unknown code."""
    if not 0 <= code <= LAST:
        raise WireError("datatype", "unknown code " + str(code))
    return _NAMES.split(" ")[code]


def code_of(name: str) -> int:
    """Datatype code of a name such as `UInt64`; WireError for an unknown name."""
    names = _NAMES.split(" ")
    if name not in names:
        raise WireError("datatype", "unknown name " + repr(name))
    return names.index(name)


def integer_width(datatype: int) -> "tuple[int, bool] | None":
    """(bits, signed) of an integer datatype, DateTime included; None for all others."""
    if 0 < datatype <= DATETIME and _BITS[datatype]:
        return _BITS[datatype], datatype <= INT64
    return None


def _integer(raw: int, bits: int, signed: bool) -> int:
    """Number of an unsigned value field, from both habits of encoders.

    A negative number comes masked to its declared width or sign-extended to 32 or 64 bits. Anything else above the
    width is refused: cutting it off would turn it into another number without a trace.
    """
    top = 1 << bits
    if raw >= top and signed:
        if bits < 32 and raw >> 32 == 0:
            raw -= 1 << 32
        elif bits < 64 and raw >> 64 == 0:
            raw -= 1 << 64
    elif signed and raw >= top >> 1:
        raw -= top
    low, high = (-(top >> 1), (top >> 1) - 1) if signed else (0, top - 1)
    if low <= raw <= high:
        return raw
    raise WireError("value", "does not fit " + str(bits) + " bits")


def resolve(datatype: int, raw: "Value") -> "Value":
    """Value of a raw field (as decoded without its datatype) under the datatype that the BIRTH declared.

    integers and DateTime -> int | Float, Double -> float | Boolean -> bool | String, Text, UUID -> str |
    Bytes, File -> bytes | arrays -> tuple | DataSet, Template -> as they are. A value that is resolved already stays
    as it is. WireError if the field does not fit.
    """
    kind = _KINDS[datatype] if 0 <= datatype <= LAST else "-"
    if kind == "i":
        if isinstance(raw, int) and not isinstance(raw, bool):
            return _integer(raw, _BITS[datatype], datatype <= INT64)
    elif kind == "a":
        from shutan_wire.arrays import unpack  # late: few devices send arrays

        return unpack(datatype, raw)
    elif kind == "o":
        if type(raw).__name__ == name_of(datatype):
            return raw
    elif kind != "-" and isinstance(raw, _CLASSES[kind]):
        return raw
    raise WireError("value", "field does not fit " + name_of(datatype))
