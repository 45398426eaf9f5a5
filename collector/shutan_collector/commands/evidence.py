"""`shutan evidence`: the site's signing key, and evidence of closed periods that anyone verifies offline."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from shutan_collector.commands.console import told
from shutan_collector.errors import EvidenceError

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Signed evidence of closed periods 证据.")

_KEY = Annotated[Path, typer.Option("--key", metavar="FILE", help="The site's signing key.")]
_PASSPHRASE = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="File whose first line is the key's passphrase."),
]


@app.command()
def keygen(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the key goes; its public side beside it.")],
    passphrase_file: _PASSPHRASE = None,
) -> None:
    """Make the site's Ed25519 signing key (mode 600) and print its fingerprint; nothing is overwritten."""
    with told("shutan evidence"):
        # cryptography comes with the extra `ledger`; the command's help works without it.
        from shutan_collector.evidence.keys import create_key, grouped, public_path, read_passphrase  # noqa: PLC0415

        passphrase = read_passphrase(passphrase_file) if passphrase_file else None
        key = create_key(out, passphrase)
        typer.echo(f"key 私钥             {out}")
        typer.echo(f"public key 公钥      {public_path(out)}")
        typer.echo(f"fingerprint 指纹     {grouped(key.fingerprint)}")


@app.command()
def export(
    *,
    period: Annotated[str, typer.Option("--period", metavar="P", help="A closed month 2025-06 or year 2025.")],
    out: Annotated[Path, typer.Option("--out", metavar="F.zip", help="Archive; F.zip.sig and F.zip.pub beside it.")],
    ledger: Annotated[str, typer.Option("--ledger", metavar="URL", help="sqlite:PATH or postgresql://...")],
    key: _KEY,
    passphrase_file: _PASSPHRASE = None,
    timestamp_query: Annotated[
        bool, typer.Option("--timestamp-query", help="Also write F.zip.tsq for an RFC 3161 time-stamp authority.")
    ] = False,
) -> None:
    """Write the signed evidence of a closed period, after it has verified."""
    with told("shutan evidence"):
        # cryptography and sqlalchemy come with the extra `ledger`; the command's help works without them.
        from shutan_collector.evidence import bundle, files, keys  # noqa: PLC0415
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415

        files.refuse_existing(out, timestamp_query=timestamp_query)
        signing = keys.load_key(key, keys.read_passphrase(passphrase_file) if passphrase_file else None)
        with open_ledger(ledger) as opened:
            evidence = bundle.export(opened, period, signing)
        files.write_evidence(evidence, out, timestamp_query=timestamp_query)
        typer.echo(f"{out}: {evidence.period} version {evidence.version}, {len(evidence.archive)} bytes")
        typer.echo(f"chain head 链头            {evidence.head_seq}: {keys.grouped(evidence.head_hash)}")
        typer.echo(f"key fingerprint 公钥指纹   {keys.grouped(evidence.fingerprint)}")


@app.command()
def verifier(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the program goes.")] = Path("verify.py"),
) -> None:
    """Write the stand-alone verifier and print its SHA-256, to be published apart from the evidence."""
    with told("shutan evidence"):
        program = (Path(__file__).parent.parent / "evidence" / "verify.py").read_bytes()
        try:
            with out.open("xb") as file:
                file.write(program)
        except FileExistsError:
            raise EvidenceError(str(out), "is there already; choose another name") from None
        except OSError as error:
            raise EvidenceError(str(out), f"cannot be written: {error.strerror}") from None
        typer.echo(f"{hashlib.sha256(program).hexdigest()}  {out}")
