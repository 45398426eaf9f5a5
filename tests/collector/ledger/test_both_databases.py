"""The same month from the same files in both databases: the same documents, totals and hashes."""

from pathlib import Path

import pytest

from shutan_collector.ledger.operations import close_period
from shutan_collector.ledger.store import open_ledger
from support.closed_year import AT, MONTHS, make_months
from support.postgres import Postgres


def test_sqlite_and_postgresql_give_identical_totals_and_hashes(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres
) -> None:
    months = make_months(tmp_path_factory.mktemp("months"))
    urls = (f"sqlite:{tmp_path / 'ledger.db'}", postgres_server.url(postgres_server.new_database()))
    heads: list[object] = []
    totals: list[object] = []
    for url in urls:
        with open_ledger(url, create=True) as ledger, months.basis() as basis:
            closes = [close_period(ledger, basis, month, "Li Wei", AT)[0] for month in MONTHS]
            heads.append(ledger.head())
            totals.append([close.totals for close in closes])
            assert ledger.check_chain() is None
    assert totals[0] == totals[1]
    assert heads[0] == heads[1]
