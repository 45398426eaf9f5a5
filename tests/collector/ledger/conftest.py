"""Both databases of a ledger, each test with an empty one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shutan_collector.ledger.store import Ledger, open_ledger
from support.postgres import Postgres, postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One PostgreSQL server for the session."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a ledger that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'ledger.db'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.url(server.new_database())


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    with open_ledger(url, create=True) as opened:
        yield opened
