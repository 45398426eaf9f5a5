"""Set-up a second time: nothing to do, no network touched."""

import os
import subprocess
from pathlib import Path

import pytest

CLOSED = "http://127.0.0.1:9"  # the discard port: a connection is refused at once
NO_NETWORK = {
    **os.environ,
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "PIP_PROXY"), CLOSED),
    "PIP_INDEX_URL": CLOSED,
}


@pytest.mark.parametrize(("script", "said"), [("bootstrap", "bootstrap: ready\n"), ("fetch-tools", "tools: ready\n")])
def test_second_run_needs_no_network(repo: Path, script: str, said: str) -> None:
    done = subprocess.run(
        [repo / "scripts" / script], env=NO_NETWORK, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )
    own_lines = [line for line in done.stdout.splitlines(keepends=True) if "not run:" not in line]
    assert (done.returncode, done.stderr) == (0, "")
    assert "".join(own_lines) == said


def test_wrappers_replace_themselves(repo: Path) -> None:
    wrappers = sorted((repo / ".tools/bin").iterdir())
    assert wrappers
    for wrapper in wrappers:
        assert wrapper.read_text().rstrip().splitlines()[-1].startswith("exec "), wrapper.name
        assert str(repo) not in wrapper.read_text(), f"{wrapper.name} must move with the repository"
