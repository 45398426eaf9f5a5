"""Validity read from certificates of an independent maker, and from damaged ones."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from shutan_gateway.certificate import CertificateError, read_validity, validity_of


@pytest.mark.parametrize("days", [-3, 0, 20, 20_000, 60_000])
def test_validity_is_what_the_maker_wrote(tmp_path: Path, days: int) -> None:
    from cryptography import x509

    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    chain = trustme.CA().issue_cert("broker.local", not_after=until).private_key_and_cert_chain_pem.bytes()
    (tmp_path / "broker.pem").write_bytes(chain)
    found = read_validity(tmp_path / "broker.pem")
    assert found.not_after_s == until.timestamp()
    witness = x509.load_pem_x509_certificate(chain[chain.index(b"-----BEGIN CERTIFICATE") :])
    assert found.not_before_s == witness.not_valid_before_utc.timestamp()


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nMII=\n"])
def test_what_is_no_certificate_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.pem").write_text(text)
    with pytest.raises(CertificateError, match="no certificate"):
        read_validity(tmp_path / "x.pem")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="No such file"):
        read_validity(tmp_path / "x.pem")


def test_damage_gives_its_own_error_only() -> None:
    import ssl

    der = ssl.PEM_cert_to_DER_cert(trustme.CA().cert_pem.bytes().decode())
    chance = random.Random(7)  # noqa: S311 - which bytes are damaged
    refused = 0
    for _ in range(3000):
        damaged = bytearray(der[: chance.randrange(1, len(der))] if chance.random() < 0.3 else der)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(min(len(damaged), 200))] = chance.randrange(256)
        try:
            validity_of(bytes(damaged))
        except CertificateError:
            refused += 1
    assert refused > 300
