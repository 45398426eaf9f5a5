"""The ledger's tables and their version: numbered migrations, applied in one transaction when a ledger is opened.

migrations/NNNN_name.{sqlite,postgresql}.sql hold the statements, separated by lines of `--;`. A migration that has been
released is never edited: a ledger of any earlier version must come out the same as a new one.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
)

from shutan_collector.errors import LedgerError

if TYPE_CHECKING:
    from shutan_collector.ledger.database import Database

__all__ = ["ENTRIES", "Migration", "migrations", "prepare"]

_FOLDER: Final = Path(__file__).parent / "migrations"
_NAME: Final = re.compile(r"(\d{4})_(\w+)\.(\w+)\.sql")
_METADATA: Final = MetaData()

ENTRIES: Final = Table(
    "ledger_entry",
    _METADATA,
    Column("seq", BigInteger, primary_key=True),
    Column("at", Text),
    Column("author", Text),
    Column("kind", Text),
    Column("key", Text),
    Column("period", Text),
    Column("body_sha256", Text),
    Column("previous", Text),
    Column("hash", Text),
    Column("body", LargeBinary),  # the canonical bytes, compressed by zlib; body_sha256 is over the bytes before that
)
_VERSIONS: Final = Table("ledger_schema", _METADATA, Column("version", Integer, primary_key=True), Column("name", Text))


class Migration:
    """One step from version - 1 to version."""

    def __init__(self, path: Path, version: int, name: str) -> None:
        self.version = version
        self.name = name
        self._path = path

    def apply(self, connection: Connection) -> None:
        """Run the statements and note the version, in the caller's transaction."""
        for statement in self._path.read_text(encoding="utf-8").split("\n--;\n"):
            connection.exec_driver_sql(statement)
        connection.execute(insert(_VERSIONS).values(version=self.version, name=self.name))


@cache
def migrations(dialect: str) -> tuple[Migration, ...]:
    """All migrations of a dialect ("sqlite" or "postgresql"), in order."""
    found = ((path, _NAME.fullmatch(path.name)) for path in sorted(_FOLDER.iterdir()))
    return tuple(
        Migration(path, int(match[1]), match[2]) for path, match in found if match is not None and match[3] == dialect
    )


def prepare(database: Database, *, create: bool) -> None:
    """Bring the tables to the newest version, or make them.

    Raises LedgerError if there is no ledger and none is to be made, or if a newer program has written it.
    """
    if database.path is not None and not database.path.exists():
        _check_creatable(database.where, database.path, create=create)
    steps = migrations(database.dialect)
    with database.reading() as connection:
        version = _version(connection)
    _check_version(database.where, version, len(steps), create=create)
    if version == len(steps):
        return
    with database.writing() as connection:
        if not inspect(connection).has_table(_VERSIONS.name):
            _VERSIONS.create(connection)
        # Another process may have done it while this one waited for the lock.
        version = _version(connection)
        _check_version(database.where, version, len(steps), create=create)
        for step in steps[version:]:
            step.apply(connection)


def _check_creatable(where: str, path: Path, *, create: bool) -> None:
    if not create:
        raise LedgerError(where, "no such ledger; check the path, or make a new ledger with `shutan ledger create`")
    if not path.parent.is_dir():
        raise LedgerError(where, f"the folder {path.parent} does not exist")


def _check_version(where: str, version: int, newest: int, *, create: bool) -> None:
    if version > newest:
        raise LedgerError(
            where, f"has schema version {version}, this program knows up to {newest}; install the newer release"
        )
    if version == 0 and not create:
        raise LedgerError(where, "holds no ledger; check the address, or make one with `shutan ledger create`")


def _version(connection: Connection) -> int:
    """The version of the tables, 0 where there are none."""
    if not inspect(connection).has_table(_VERSIONS.name):
        return 0
    return connection.execute(select(func.coalesce(func.max(_VERSIONS.c.version), 0))).scalar_one()
