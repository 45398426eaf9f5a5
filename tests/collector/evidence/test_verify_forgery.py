"""Forgeries by someone without the key, by the wrong program, and on a bare machine."""

import ast
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.evidence import verify
from shutan_collector.evidence.archive import build_archive
from shutan_collector.evidence.bundle import Evidence, verifier
from shutan_collector.evidence.keys import SiteKey, grouped
from support.evidence_ledger import Documents, evidence_of
from support.places import REPO

VERIFY = REPO / "collector" / "shutan_collector" / "evidence" / "verify.py"


def _examine(evidence: Evidence, fingerprint: str = "") -> dict[str, Any]:
    return verify.examine(evidence.archive, evidence.signature, evidence.public_pem, "F.zip", fingerprint)


def test_a_forgery_signed_with_another_key_shows_by_its_fingerprint(evidence: Evidence, documents: Documents) -> None:
    forged = evidence_of(documents, SiteKey(Ed25519PrivateKey.generate()))
    assert _examine(forged)["ok"]  # in itself it is whole: only the printed fingerprint tells
    verdict = _examine(forged, evidence.fingerprint)
    assert not verdict["ok"]
    difference = verdict["difference"]
    assert (difference["member"], difference["field"]) == ("F.zip.pub", "fingerprint")
    assert (difference["expected"], difference["found"]) == (evidence.fingerprint, forged.fingerprint)


def test_an_archive_of_the_forger_under_the_sites_public_key_shows(evidence: Evidence, documents: Documents) -> None:
    forged = evidence_of(documents, SiteKey(Ed25519PrivateKey.generate()))
    for mixed in (
        replace(forged, public_pem=evidence.public_pem),
        replace(forged, public_pem=evidence.public_pem, signature=evidence.signature),
        replace(evidence, signature=forged.signature),
    ):
        verdict = _examine(mixed, evidence.fingerprint)
        assert not verdict["ok"]
        assert verdict["difference"]["member"] in {"F.zip.pub", "F.zip.sig"}


def test_the_fingerprint_may_be_given_as_it_is_printed(evidence: Evidence) -> None:
    assert _examine(evidence, grouped(evidence.fingerprint))["ok"]
    assert _examine(evidence, grouped(evidence.fingerprint).upper().replace(" ", ":"))["ok"]


def test_without_a_fingerprint_the_verdict_asks_for_the_comparison(evidence: Evidence) -> None:
    verdict = _examine(evidence)
    assert verdict["fingerprint"] == evidence.fingerprint
    assert any("compare the fingerprint" in note for note in verdict["notes"])
    assert grouped(evidence.fingerprint) in verify.report(verdict)


def _with_head(evidence: Evidence, head: str) -> dict[str, Any]:
    return verify.examine(
        evidence.archive, evidence.signature, evidence.public_pem, "F.zip", evidence.fingerprint, head=head
    )


def test_the_head_on_the_report_is_an_entry_of_the_chain(evidence: Evidence) -> None:
    number, digest = evidence.head_seq, evidence.head_hash
    for head in (f"{number}:{digest}", f"{number}: {grouped(digest)}", f"#{number} {digest}"):
        verdict = _with_head(evidence, head)
        assert (verdict["ok"], verdict["notes"]) == (True, [])
    later = _with_head(evidence, f"{evidence.head_seq + 1}:{evidence.head_hash}")
    assert later["ok"]
    assert "later than this closing" in later["notes"][0]
    assert "chain head" in _examine(evidence, evidence.fingerprint)["notes"][0]


@pytest.mark.parametrize("head", ["38:" + "0" * 64, "1:" + "f" * 64])
def test_a_chain_written_anew_shows_by_the_printed_head(evidence: Evidence, head: str) -> None:
    verdict = _with_head(evidence, head)
    assert not verdict["ok"]
    assert (verdict["difference"]["member"], verdict["difference"]["field"]) == ("chain.jsonl", "hash as printed")


def test_a_head_in_another_form_is_told(evidence: Evidence) -> None:
    for head in ("abc", "0:" + "0" * 64, "5:123"):
        assert _with_head(evidence, head)["difference"]["member"] == "--head"


def _members(evidence: Evidence) -> dict[str, bytes]:
    return verify.unpack(evidence.archive)


def _signed(members: dict[str, bytes], key: SiteKey) -> dict[str, Any]:
    """The verdict over members as the owner of the key would sign them, with a manifest that fits them."""
    manifest = json.loads(members["manifest.json"])
    manifest["members"] = {
        name: [sha256(content).hexdigest(), len(content)]
        for name, content in members.items()
        if name != "manifest.json"
    }
    archive = build_archive({**members, "manifest.json": verify.dump(manifest)})
    return verify.examine(archive, key.sign(archive), key.public_pem, "F.zip", key.fingerprint)


def test_a_member_too_many_is_found(evidence: Evidence, key: SiteKey) -> None:
    verdict = _signed({**_members(evidence), "documents/999.json": b"{}"}, key)
    assert verdict["difference"]["field"] == "members"


def test_a_member_too_few_is_found(evidence: Evidence, key: SiteKey) -> None:
    members = _members(evidence)
    name = next(name for name in members if name.startswith("documents/"))
    verdict = _signed({other: content for other, content in members.items() if other != name}, key)
    assert (verdict["difference"]["member"], verdict["difference"]["found"]) == (name, "missing")


@pytest.mark.parametrize("field", ["at", "author", "kind", "key", "period", "body_sha256", "previous", "hash", "seq"])
def test_each_field_of_the_chain_is_bound(evidence: Evidence, key: SiteKey, field: str) -> None:
    members = _members(evidence)
    lines = members["chain.jsonl"].splitlines()
    header = json.loads(lines[4])
    header[field] = header[field] + 1 if field == "seq" else header[field][:-1] + "0"
    lines[4] = verify.dump(header)
    verdict = _signed({**members, "chain.jsonl": b"\n".join(lines) + b"\n"}, key)
    assert verdict["difference"]["member"] == "chain.jsonl"
    assert verdict["difference"]["place"] == "entry 5"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"a":1.5}',
        b'{"b":1,"a":1}',
        b'{ "a":1}',
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_documents_in_any_other_form_end_in_a_verdict(evidence: Evidence, key: SiteKey, content: bytes) -> None:
    members = _members(evidence)
    for name in (next(name for name in members if name.startswith("documents/")), "chain.jsonl"):
        verdict = _signed({**members, name: content}, key)
        assert not verdict["ok"]
        assert verdict["difference"]["field"]
    archive = build_archive({**members, "manifest.json": content})
    assert not verify.examine(archive, key.sign(archive), key.public_pem, "F.zip")["ok"]


@settings(max_examples=40)
@given(st.binary(max_size=200), st.binary(max_size=70), st.binary(max_size=130))
def test_any_bytes_end_in_a_verdict(archive: bytes, signature: bytes, pem: bytes) -> None:
    verdict = verify.examine(archive, signature, pem, "F.zip")
    assert not verdict["ok"]
    assert verify.report(verdict).startswith("NOT VERIFIED")


# --- on a bare machine


def _bare(folder: Path, *, with_openssl: bool = True) -> dict[str, str]:
    """An environment in which nothing can be found but openssl."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    program = shutil.which("openssl")
    assert program is not None
    if with_openssl:
        (bin_folder / "openssl").symlink_to(program)
    return {"PATH": str(bin_folder)}


def _run(written: Path, environment: dict[str, str], *more: str) -> subprocess.CompletedProcess[bytes]:
    program = written.parent / "verify.py"
    program.write_bytes(verifier())
    return subprocess.run(
        [sys.executable, "-I", "-S", str(program), str(written), *more],
        capture_output=True,
        check=False,
        env=environment,
        cwd=written.parent,
    )


def test_it_runs_with_nothing_but_python_and_openssl(evidence: Evidence, written: Path) -> None:
    done = _run(written, _bare(written.parent), "--fingerprint", evidence.fingerprint)
    assert done.stderr == b""
    assert done.returncode == 0
    said = done.stdout.decode()
    assert said.startswith("VERIFIED 核验通过: F.zip\n")
    assert grouped(evidence.fingerprint) in said
    assert grouped(evidence.head_hash) in said


def test_a_machine_without_openssl_is_told_so(written: Path) -> None:
    done = _run(written, _bare(written.parent, with_openssl=False), "--json")
    assert done.returncode == 1
    verdict = json.loads(done.stdout)
    assert verdict["difference"]["member"] == "openssl"
    assert "missing" in verdict["difference"]["found"]


def test_an_openssl_that_is_too_old_is_told_so(written: Path) -> None:
    environment = _bare(written.parent, with_openssl=False)
    old = written.parent / "bin" / "openssl"
    old.write_text("#!/bin/sh\necho 'pkeyutl: Unrecognized flag rawin' >&2\nexit 1\n")
    old.chmod(0o755)
    verdict = json.loads(_run(written, environment, "--json").stdout)
    assert verdict["difference"]["expected"] == "OpenSSL 3.0 or later"


@pytest.mark.parametrize("missing", ["", ".sig", ".pub"])
def test_a_missing_file_is_one_line_and_exit_code_2(written: Path, missing: str) -> None:
    Path(f"{written}{missing}").unlink()
    done = _run(written, dict(os.environ))
    assert done.returncode == 2
    assert f"F.zip{missing}: No such file" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_before_python_3_11_the_site_model_is_not_read_and_the_verdict_says_so(
    evidence: Evidence, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "tomllib", None)
    verdict = _examine(evidence, evidence.fingerprint)
    assert verdict["ok"]
    assert any("site model not read" in note for note in verdict["notes"])
    documents["lines/meter:m-gas"]["lines"][0]["co2e_g"] += 1
    month = verify.Month("2025-06", {name: (name, body) for name, body in documents.items()})
    with pytest.raises(verify.Difference):
        month.check()


def test_it_imports_the_standard_library_only_and_is_python_3_9() -> None:
    tree = ast.parse(VERIFY.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
    newer = {"strict", "slots", "kw_only", "pairwise", "bit_count", "UTC"}
    keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not newer & (keywords | attributes | names)
    assert not any(isinstance(node, ast.Match) for node in ast.walk(tree))


def test_no_float_is_in_it() -> None:
    tree = ast.parse(VERIFY.read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)]
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert "float" not in called


def test_the_published_hash_is_that_of_the_file() -> None:
    stated, name = (VERIFY.parent / "verify.sha256").read_text(encoding="ascii").split()
    assert (stated, name) == (sha256(VERIFY.read_bytes()).hexdigest(), "verify.py")


def test_the_documentation_names_every_formula() -> None:
    text = (REPO / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert [name for name in verify.FORMULAS if f"`{name}`" not in text] == []
