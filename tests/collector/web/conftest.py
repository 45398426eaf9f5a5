"""Two accounted months of the simulated distillery, closed in a ledger of either database, behind the API."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from shutan_collector.accounting.documents import PeriodDocuments
from shutan_collector.accounting.inputs import Places, open_basis
from shutan_collector.accounting.run import account_month
from shutan_collector.factors.release import Release, load_release
from shutan_collector.ledger.closing import close_month
from shutan_collector.ledger.store import Ledger, open_ledger
from shutan_collector.site.file import load_site
from shutan_collector.site.model import Site
from shutan_collector.web.api import create_api
from support.api import ApiClient
from support.ledgers import AT
from support.postgres import Postgres, postgres
from support.year import Year, make_year

MONTHS = ("2025-05", "2025-06")
Account = Callable[[str, str], PeriodDocuments]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One PostgreSQL server for the session."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    """May and June with a dozen meters and everything planted."""
    return make_year(tmp_path_factory.mktemp("year"), date(2025, 5, 1), 61, 12)


@pytest.fixture(scope="session")
def account(year: Year) -> Account:
    """Documents of a month for a report date."""

    def accounted(month: str, as_of: str) -> PeriodDocuments:
        activity = str(year.folder / "activity")
        places = Places(str(year.folder / "site.toml"), activity, str(year.readings), as_of=as_of)
        with open_basis(places, month) as basis:
            return account_month(basis, month)

    return accounted


@pytest.fixture(scope="session")
def documents(account: Account) -> tuple[PeriodDocuments, ...]:
    """Both months, computed once."""
    return tuple(account(month, "2026-01-15") for month in MONTHS)


def _url(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{folder / 'ledger.db'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.url(server.new_database())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a ledger that does not exist yet, for a test that writes."""
    return _url(request, tmp_path)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    documents: tuple[PeriodDocuments, ...],
) -> Iterator[Ledger]:
    """A ledger in which both months are closed, for tests that only read."""
    with open_ledger(_url(request, tmp_path_factory.mktemp("ledger")), create=True) as opened:
        for month in documents:
            close_month(opened, month, "zeng", AT)
        yield opened


@pytest.fixture(scope="session")
def release() -> Release:
    """The packaged factor release."""
    return load_release("2026.1")


@pytest.fixture(scope="session")
def site(year: Year) -> Site:
    """The site model."""
    return load_site(year.folder / "site.toml")


@pytest.fixture(scope="module")
def client(ledger: Ledger, release: Release, site: Site) -> ApiClient:
    """A client of the API on this machine."""
    return ApiClient(create_api(ledger, release, site))
