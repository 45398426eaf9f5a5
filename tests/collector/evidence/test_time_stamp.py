"""An RFC 3161 token beside the archive, from an authority that the test makes with openssl."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shutan_collector.evidence import verify
from shutan_collector.evidence.bundle import Evidence
from shutan_collector.evidence.files import write_evidence

CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = Test authority
[ca]
basicConstraints = critical,CA:TRUE
[stamp]
basicConstraints = CA:FALSE
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[tsa]
default_tsa = own
[own]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=True)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate authority (ca.pem) and a time-stamp authority under it."""
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "tsa.cnf").write_text(CONFIG)
    (folder / "serial").write_text("01\n")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "tsa.cnf"]
    _openssl(folder, "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-extensions", "ca", "-days", "2")
    _openssl(folder, "req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test time stamp")
    sign = ["-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
    _openssl(folder, "x509", "-req", *sign, "-extfile", "tsa.cnf", "-extensions", "stamp", "-out", "tsa.pem")
    return folder


@pytest.fixture
def stamped(evidence: Evidence, authority: Path, tmp_path: Path) -> Path:
    """Evidence with its time stamp beside it."""
    path = tmp_path / "F.zip"
    write_evidence(evidence, path, timestamp_query=True)
    reply = ["-inkey", "tsa.key", "-signer", "tsa.pem", "-section", "own", "-config", "tsa.cnf"]
    _openssl(authority, "ts", "-reply", "-queryfile", f"{path}.tsq", *reply, "-out", f"{path}.tsr")
    return path


def _verdict(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = verify.main([*arguments, "--json"])
    return code, json.loads(capfdbinary.readouterr().out)


def test_a_time_stamp_is_verified_against_its_authority(
    stamped: Path, authority: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    code, verdict = _verdict(capfdbinary, str(stamped), "--tsa-ca", str(authority / "ca.pem"))
    assert (code, verdict["ok"]) == (0, True)
    assert any(str(note).startswith("Time stamp: ") for note in verdict["notes"])


def test_a_time_stamp_without_its_authority_is_said_to_be_unchecked(
    stamped: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    code, verdict = _verdict(capfdbinary, str(stamped))
    assert code == 0
    assert "time stamp not checked" in str(verdict["notes"])


def test_a_time_stamp_of_another_file_is_refused(
    stamped: Path, authority: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "other").write_bytes(b"other")
    _openssl(tmp_path, "ts", "-query", "-data", "other", "-sha256", "-cert", "-out", "other.tsq")
    reply = ["-inkey", "tsa.key", "-signer", "tsa.pem", "-section", "own", "-config", "tsa.cnf"]
    _openssl(authority, "ts", "-reply", "-queryfile", str(tmp_path / "other.tsq"), *reply, "-out", f"{stamped}.tsr")
    code, verdict = _verdict(capfdbinary, str(stamped), "--tsa-ca", str(authority / "ca.pem"))
    assert code == 1
    assert verdict["difference"]["member"] == "F.zip.tsr"
