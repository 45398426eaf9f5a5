"""The canonical stored zip: the same members give the same bytes, on every machine and in every version of Python.

Nothing may vary: members are stored uncompressed and in the order of their names, all dated 1980-01-01, with one set of
attributes, without extra fields, comments, data descriptors or zip64 records. A reader can therefore build the archive
again from its members and compare every byte (verify.py does).

Layout (PKWARE APPNOTE 6.3, all integers little-endian):

    local header (30 bytes + name) | content     for each member
    central header (46 bytes + name)             for each member
    end of central directory (22 bytes)
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_MEMBERS", "MAX_SIZE", "build_archive"]

MAX_SIZE: Final = 0xFFFF_FFFE  # beyond it, and beyond MAX_MEMBERS, zip64 records would be needed
MAX_MEMBERS: Final = 0xFFFE

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_MADE_BY: Final = 3 << 8 | 20  # Unix, version 2.0 of the format
_NEEDED: Final = 20
_DATE: Final = 1 << 5 | 1  # 1980-01-01, the first day the format knows; the time is midnight
_ATTRIBUTES: Final = 0o100644 << 16  # a regular file that its owner may write


def build_archive(members: Mapping[str, bytes]) -> bytes:
    """The archive of these members (name -> content), names in ASCII and without a leading slash.

    Raises EvidenceError if the format without zip64 cannot hold them.
    """
    local: list[bytes] = []
    central: list[bytes] = []
    offset = 0
    for name in sorted(members):
        content, label = members[name], name.encode("ascii")
        sizes = (zlib.crc32(content), len(content), len(content), len(label), 0)
        header = _LOCAL.pack(b"PK\3\4", _NEEDED, 0, 0, 0, _DATE, *sizes) + label
        _fits(offset + len(header) + len(content))
        local += (header, content)
        entry = _CENTRAL.pack(b"PK\1\2", _MADE_BY, _NEEDED, 0, 0, 0, _DATE, *sizes, 0, 0, 0, _ATTRIBUTES, offset)
        central.append(entry + label)
        offset += len(header) + len(content)
    directory = b"".join(central)
    _fits(offset + len(directory))
    if len(members) > MAX_MEMBERS:
        raise EvidenceError("archive", f"{len(members)} members; a zip without extensions holds {MAX_MEMBERS}")
    end = _END.pack(b"PK\5\6", 0, 0, len(members), len(members), len(directory), offset, 0)
    return b"".join((*local, directory, end))


def _fits(size: int) -> None:
    if size > MAX_SIZE:
        raise EvidenceError("archive", "the period's documents are above 4 GiB; export it month by month")
