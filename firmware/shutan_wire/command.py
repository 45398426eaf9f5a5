"""Reading of NCMD and DCMD on a node: a tenth of `decode` in memory, for payloads of a few plain metrics.

`decode.decode_payload` reads the same payloads and more; a test holds both against each other.
"""

from shutan_wire.errors import WireError
from shutan_wire.protobuf import fields, text

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_wire.model import Scalar

LIMIT_BYTES = 4096

_PAYLOAD = bytes((255, 0, 2, 0))
_METRIC = bytes((255, 2, 0, 255, 255, 255, 255, 0, 255, 255, 0, 0, 255, 255, 0, 2))


def read_command(
    data: "bytes | bytearray | memoryview", limit: int = LIMIT_BYTES
) -> "list[tuple[str | None, int | None, Scalar]]":
    """(name, alias, value) of each metric of a command; WireError if it is malformed or above `limit` bytes.

    value: unsigned int, bool or str as it stands in the field (a command mostly carries no datatype), None for a null
    metric and for kinds of values that no command of ours has. Timestamps and all other fields are skipped.
    """
    if len(data) > limit:
        raise WireError("command", "above " + str(limit) + " bytes")
    metrics: list[tuple[str | None, int | None, Scalar]] = []
    try:
        for number, raw in fields(bytes(data), _PAYLOAD):
            if number == 2 and not isinstance(raw, int):
                metrics.append(_metric(raw))
    except IndexError:
        raise WireError("command", "truncated") from None
    except WireError as error:
        raise WireError("command", error.reason) from None
    return metrics


def _metric(raw: bytes) -> "tuple[str | None, int | None, Scalar]":
    name: str | None = None
    alias: int | None = None
    value: Scalar = None
    is_null = False
    for number, content in fields(raw, _METRIC):
        if not isinstance(content, int):
            if number == 1:
                name = text(content)
            else:
                value = text(content)
        elif number == 2:
            alias = content
        elif number == 7:
            is_null = content != 0
        else:
            value = content != 0 if number == 14 else content
    return name, alias, None if is_null else value
