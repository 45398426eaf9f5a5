"""A month of the simulated distillery through the whole line: series, accounting, ledger, evidence, verdict."""

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from shutan_collector.accounting.documents import PeriodDocuments
from shutan_collector.accounting.inputs import Places, open_basis
from shutan_collector.accounting.month import account_month
from shutan_collector.accounting.revalue import revalue
from shutan_collector.evidence import verify
from shutan_collector.evidence.bundle import export
from shutan_collector.evidence.files import write_evidence
from shutan_collector.evidence.keys import SiteKey
from shutan_collector.ledger.closing import close_month, restate_month
from shutan_collector.ledger.store import Ledger, open_ledger
from support.evidence_leaves import is_number, leaves, nudged, with_leaf
from support.evidence_ledger import Documents
from support.year import make_year

MONTH = "2025-01"
METERS = 12
AT = "2026-01-15T08:00:00.000000Z"


@dataclass(frozen=True)
class Real:
    """What came out of the line, and the same month as it would have been valued in November."""

    documents: PeriodDocuments
    earlier: PeriodDocuments
    events: int


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    folder = tmp_path_factory.mktemp("real")
    year = make_year(folder, date(2025, 1, 1), 31, METERS)
    places = Places(str(folder / "site.toml"), str(folder / "activity"), str(year.readings), as_of="2026-01-15")
    with open_basis(places, MONTH) as basis:
        documents = account_month(basis, MONTH)
        return Real(documents, revalue(documents, basis.release, date(2025, 11, 1)), len(year.truth["events"]))


@pytest.fixture
def ledger(real: Real, tmp_path: Path) -> Iterator[Ledger]:
    """The month closed with the factors of November."""
    with open_ledger(f"sqlite:{tmp_path / 'ledger.db'}", create=True) as opened:
        close_month(opened, real.earlier, "王会计", AT)
        yield opened


def _plain(documents: PeriodDocuments) -> Documents:
    return {document.name: cast("dict[str, Any]", document.body) for document in documents.documents}


def _check(documents: Documents) -> verify.Month:
    month = verify.Month(MONTH, {name: (name, body) for name, body in documents.items()})
    month.check()
    return month


def test_a_month_of_the_distillery_verifies(real: Real, ledger: Ledger, key: SiteKey, tmp_path: Path) -> None:
    evidence = export(ledger, MONTH, key)
    verdict = verify.examine(evidence.archive, evidence.signature, evidence.public_pem, "F.zip", evidence.fingerprint)
    assert verdict["ok"], verdict
    assert verdict["meters"] == METERS
    assert real.events > 0
    write_evidence(evidence, tmp_path / "F.zip")
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(verify.__file__)), str(tmp_path / "F.zip")],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_restatement_with_newer_factors_verifies_and_names_its_version(
    real: Real, ledger: Ledger, key: SiteKey
) -> None:
    before = export(ledger, MONTH, key)
    restate_month(ledger, real.documents, "王会计", "factors of 2023 issued", AT)
    after = export(ledger, MONTH, key)
    verdict = verify.examine(after.archive, after.signature, after.public_pem, "F.zip", after.fingerprint)
    assert verdict["ok"], verdict
    assert (before.version, after.version) == (1, 2)
    assert before.head_hash != after.head_hash


def test_a_number_changed_in_a_real_month_is_found(real: Real) -> None:
    documents = _plain(real.documents)
    month = _check(documents)
    assert len(month.lines) > 1_000
    dice = random.Random(11)  # noqa: S311 - a seeded choice of test cases
    wanted = ("lines/", "totals", "claims")
    numbers = [leaf for leaf in leaves(documents) if leaf.document.startswith(wanted) and is_number(leaf.value)]
    for leaf in dice.sample(numbers, 20):
        changed = {**documents, leaf.document: with_leaf(documents[leaf.document], leaf.path, nudged(leaf.value))}
        with pytest.raises(verify.Difference):
            _check(changed)
