"""`shutan evidence` and `shutan verify` as a person runs them: what they say, and one clear line for every mistake."""

import json
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from shutan_collector.accounting.documents import Document, PeriodDocuments
from shutan_collector.commands import evidence as evidence_command
from shutan_collector.commands import verify as verify_command
from shutan_collector.evidence.bundle import Evidence
from shutan_collector.evidence.keys import grouped, load_key
from shutan_collector.ledger.closing import close_month
from shutan_collector.ledger.store import open_ledger
from support.evidence_ledger import Documents
from support.places import REPO

AT = "2026-01-15T08:00:00.000000Z"


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(evidence_command.app, [str(part) for part in arguments])


def _verify(*arguments: str | Path) -> Result:
    return CliRunner().invoke(verify_command.app, [str(part) for part in arguments])


def _mistake(result: Result, said: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("shutan evidence: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


@pytest.fixture
def url(tmp_path: Path, documents: Documents) -> str:
    """A real ledger with the month made by hand closed in it."""
    address = f"sqlite:{tmp_path / 'ledger.db'}"
    documents["activities/declared_missing"]["rows"] += [
        {**documents["activities/declared_missing"]["rows"][0], "key": f"DM-{meter}", "meter": meter}
        for meter in ("m-entry", "m-export", "m-steam", "m-heat", "m-still")
    ]
    for name, body in documents.items():
        if name.startswith("readings/") and not body["declared_missing"]:
            body["declared_missing"] = [f"declared_missing/DM-{body['meter']}"]
    month = PeriodDocuments("2025-06", tuple(Document(name, documents[name]) for name in sorted(documents)))
    with open_ledger(address, create=True) as ledger:
        close_month(ledger, month, "王会计", AT)
    return address


def test_from_key_to_verdict(tmp_path: Path, url: str) -> None:
    key, out = tmp_path / "site.key", tmp_path / "F.zip"
    made = _run("keygen", "--out", key)
    assert made.exit_code == 0
    fingerprint = load_key(key).fingerprint
    assert grouped(fingerprint) in made.stdout
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    private = key.read_text(encoding="ascii").splitlines()[1]
    exported = _run("export", "--ledger", url, "--period", "2025-06", "--key", key, "--out", out, "--timestamp-query")
    assert (exported.exit_code, exported.stderr) == (0, "")
    assert grouped(fingerprint) in exported.stdout
    assert {path.name for path in tmp_path.glob("F.zip*")} == {"F.zip", "F.zip.sig", "F.zip.pub", "F.zip.tsq"}
    verdict = _verify(out, "--fingerprint", grouped(fingerprint), "--json")
    assert verdict.exit_code == 0
    said = json.loads(verdict.stdout)
    assert said["ok"]
    assert grouped(said["head"]["hash"]) in exported.stdout
    assert all(private not in result.output for result in (made, exported, verdict))


def test_a_key_with_a_passphrase(tmp_path: Path, url: str) -> None:
    (tmp_path / "pass").write_text("open sesame\n")
    (tmp_path / "wrong").write_text("open barley\n")
    key = tmp_path / "site.key"
    assert _run("keygen", "--out", key, "--passphrase-file", tmp_path / "pass").exit_code == 0
    order = ["export", "--ledger", url, "--period", "2025-06", "--key", key, "--out", tmp_path / "F.zip"]
    _mistake(_run(*order), "the key wants its passphrase file")
    _mistake(_run(*order, "--passphrase-file", tmp_path / "wrong"), "the passphrase is wrong")
    _mistake(_run(*order, "--passphrase-file", tmp_path / "none"), "none: cannot be read: No such file")
    assert not (tmp_path / "F.zip").exists()
    assert _run(*order, "--passphrase-file", tmp_path / "pass").exit_code == 0


def test_mistakes_of_an_export_are_one_line_and_nothing_is_written(tmp_path: Path, url: str) -> None:
    key, out = tmp_path / "site.key", tmp_path / "F.zip"
    order: dict[str, str | Path] = {"--ledger": url, "--period": "2025-06", "--key": key, "--out": out}

    def run(**changed: str | Path) -> Result:
        given = order | {f"--{name}": value for name, value in changed.items()}
        return _run("export", *(part for pair in given.items() for part in pair))

    _mistake(run(), "site.key: cannot be read: No such file")
    assert _run("keygen", "--out", key).exit_code == 0
    _mistake(_run("keygen", "--out", key), "never overwritten")
    _mistake(run(period="2025-07"), "2025-07: the period is not closed")
    _mistake(run(period="2025"), "2025: the period is not closed")
    _mistake(run(ledger=f"sqlite:{tmp_path / 'none.db'}"), "none.db")
    _mistake(run(out=tmp_path / "none" / "F.zip"), "its folder does not exist")
    out.write_bytes(b"mine")
    _mistake(run(), "evidence is never overwritten")
    assert out.read_bytes() == b"mine"
    assert not (tmp_path / "F.zip.sig").exists()


def test_the_verifier_is_written_out_with_its_hash(tmp_path: Path) -> None:
    result = _run("verifier", "--out", tmp_path / "verify.py")
    program = (tmp_path / "verify.py").read_bytes()
    assert result.exit_code == 0
    assert result.stdout == f"{sha256(program).hexdigest()}  {tmp_path / 'verify.py'}\n"
    assert program == (REPO / "collector/shutan_collector/evidence/verify.py").read_bytes()
    _mistake(_run("verifier", "--out", tmp_path / "verify.py"), "is there already")
    _mistake(_run("verifier", "--out", tmp_path / "none" / "verify.py"), "cannot be written: No such file")


def test_verify_says_where_it_differs(written: Path, evidence: Evidence) -> None:
    good = _verify(written, "--fingerprint", evidence.fingerprint)
    assert good.exit_code == 0
    assert good.stdout.startswith("VERIFIED 核验通过: F.zip\n")
    at = evidence.archive.index(b'"co2e_g":') + 9
    written.write_bytes(evidence.archive[:at] + b"9" + evidence.archive[at + 1 :])
    bad = _verify(written, "--fingerprint", evidence.fingerprint)
    assert bad.exit_code == 1
    assert bad.stdout.startswith("NOT VERIFIED 核验不通过: F.zip\n")
    assert f"byte of the file 文件字节   {at}\n" in bad.stdout


def test_verify_names_a_missing_file(tmp_path: Path) -> None:
    result = _verify(tmp_path / "none.zip")
    assert result.exit_code == 2
    assert result.stderr.startswith("shutan verify: ")
    assert "none.zip: No such file" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["--help"], ["export", "--help"]])
def test_help_needs_no_extra(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: dict[str, Any] = {"cryptography": None, "sqlalchemy": None}
    for name, module in hidden.items():
        monkeypatch.setitem(__import__("sys").modules, name, module)
    assert "Usage" in _run(*arguments).output
