"""Reading registry.sqlite without being the gateway: births, sessions, and how far each store is."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, cast

from shutan_gateway.errors import StartError
from shutan_gateway.registry.state import SchemaRow, SessionRow, StoreProgress
from shutan_gateway.spool.log import Position

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["RegistryView"]


class RegistryView:
    """A read-only connection; `schema` and `session` are what `rows.RowReader` asks of the registry."""

    def __init__(self, path: Path) -> None:
        """Raises StartError when there is no registry or it cannot be read."""
        try:
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
            self._connection.execute("SELECT 1 FROM store").fetchall()
        except sqlite3.Error as error:
            raise StartError(f"{path}: {error}; was a gateway ever started here, and may this user read it?") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def schema(self, schema_id: int) -> SchemaRow | None:
        """See State."""
        found = self._connection.execute(
            "SELECT site, node, device, definition FROM schema WHERE schema_id = ?", (schema_id,)
        ).fetchone()
        return None if found is None else SchemaRow(*found)

    def session(self, session_id: int) -> SessionRow | None:
        """See State."""
        found = self._connection.execute(
            "SELECT site, node, store_id, boot_id FROM session WHERE session_id = ?", (session_id,)
        ).fetchone()
        if found is None:
            return None
        site, node, store_id, boot_id = cast("tuple[str, str, str, str]", found)
        return SessionRow(site, node, int(store_id, 16), int(boot_id, 16))

    def progress(self) -> dict[str, StoreProgress]:
        """See State."""
        rows = self._connection.execute(
            "SELECT name, segment, offset, ordinal, start_ordinal, stored, dead FROM store"
        ).fetchall()
        return {
            name: StoreProgress(Position(segment, offset, ordinal), start, stored, dead)
            for name, segment, offset, ordinal, start, stored, dead in rows
        }
