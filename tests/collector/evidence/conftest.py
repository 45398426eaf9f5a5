"""One key and one month made by hand for the whole room; nobody changes them."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shutan_collector.evidence.bundle import Evidence
from shutan_collector.evidence.keys import SiteKey
from support.evidence_activities import hand_made_month
from support.evidence_ledger import Documents, evidence_of


@pytest.fixture(scope="session")
def key() -> SiteKey:
    """The site's key."""
    return SiteKey(Ed25519PrivateKey.generate())


@pytest.fixture
def documents() -> Documents:
    """The month made by hand, fresh: a test may change it."""
    return hand_made_month()


@pytest.fixture(scope="session")
def evidence(key: SiteKey) -> Evidence:
    """Its evidence."""
    return evidence_of(hand_made_month(), key)


@pytest.fixture
def written(evidence: Evidence, tmp_path: Path) -> Path:
    """Its three files; the path is that of the archive."""
    for name, content in evidence.files("F.zip"):
        (tmp_path / name).write_bytes(content)
    return tmp_path / "F.zip"
