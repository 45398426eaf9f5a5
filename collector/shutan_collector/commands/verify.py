"""`shutan verify`: check an evidence file with the same stand-alone program that a verifier uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="F.zip", help="Evidence, with F.zip.sig and F.zip.pub beside it.")],
    *,
    fingerprint: Annotated[str, typer.Option("--fingerprint", help="Key fingerprint as printed on the report.")] = "",
    head: Annotated[
        str, typer.Option("--head", metavar="SEQ:HASH", help="Head of the chain as printed on the report.")
    ] = "",
    tsa_ca: Annotated[
        str, typer.Option("--tsa-ca", metavar="CA.pem", help="Certificate of the time-stamp authority.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Verify evidence offline 离线核验证据: signature, chain, every figure computed again; exit code 1 if it fails."""
    program = Path(__file__).parent.parent / "evidence" / "verify.py"
    arguments = [sys.executable, "-I", "-S", str(program), str(file), "--fingerprint", fingerprint]
    arguments += ["--head", head, "--tsa-ca", tsa_ca]
    if as_json:
        arguments.append("--json")
    done = subprocess.run(arguments, capture_output=True, check=False)  # noqa: S603 - our own program
    typer.echo(done.stdout.decode(), nl=False)
    if done.stderr:
        typer.echo(f"shutan verify: {done.stderr.decode().strip().splitlines()[-1]}", err=True)
    raise typer.Exit(done.returncode)
