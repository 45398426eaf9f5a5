"""Secure as installed: loopback by default, a token beyond it, and nothing that tells who guesses how close he is."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from shutan_collector.commands.api import app
from shutan_collector.errors import RequestError
from shutan_collector.factors.release import Release
from shutan_collector.ledger.store import Ledger
from shutan_collector.site.model import Site
from shutan_collector.web.api import create_api
from shutan_collector.web.guard import SHORTEST_TOKEN, is_loopback, read_token
from support.api import ApiClient
from support.year import Year

TOKEN = "a-token-of-enough-letters-for-a-test"  # noqa: S105 - a test's own


@pytest.fixture
def guarded(ledger: Ledger, release: Release, site: Site) -> ApiClient:
    return ApiClient(create_api(ledger, release, site, token=TOKEN), "http://carbon.example")


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
)
@pytest.mark.parametrize("path", ["/periods", "/openapi.json", "/nowhere"])
def test_without_the_token_nothing_is_answered(guarded: ApiClient, value: str, path: str) -> None:
    answer = guarded.get(path, headers={"Authorization": value} if value else None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert TOKEN not in answer.text


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_with_the_token_it_answers_under_any_name(guarded: ApiClient, kind: str) -> None:
    assert guarded.get("/periods", headers={"Authorization": f"{kind} {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("name", ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "[::1]"])
def test_without_a_token_it_answers_to_its_own_names(ledger: Ledger, release: Release, site: Site, name: str) -> None:
    client = ApiClient(create_api(ledger, release, site), f"http://{name}:8710")
    assert client.get("/ledger/head").status_code == 200


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"])
def test_a_page_of_another_host_cannot_ask_through_a_browser(
    ledger: Ledger, release: Release, site: Site, name: str
) -> None:
    answer = ApiClient(create_api(ledger, release, site), f"http://{name}").get("/ledger/head")
    assert answer.status_code == 403
    assert name in answer.json()["detail"]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
        ("::", False), ("192.168.1.5", False), ("factory.example", False), ("", False),
    ],
)  # fmt: skip
def test_what_is_loopback(host: str, own: bool) -> None:
    assert is_loopback(host) is own


def token_file(folder: Path, content: str, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_token_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    assert read_token(token_file(tmp_path, f"{TOKEN}\nnote\n")) == TOKEN


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("", 0o600, "holds no token"),
        ("x" * (SHORTEST_TOKEN - 1), 0o600, "`openssl rand -base64 32` makes one"),
        ("with a blank, but long enough to be one", 0o600, "holds no token"),
        ("中文" * 20, 0o600, "holds no token"),
        (TOKEN, 0o644, "run chmod 600"),
    ],
)
def test_a_weak_or_open_token_is_refused(tmp_path: Path, content: str, mode: int, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        read_token(token_file(tmp_path, content, mode))
    assert caught.value.where == "--token-file"
    assert not content or content not in str(caught.value)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stderr


def test_another_address_needs_a_token(tmp_path: Path, year: Year) -> None:
    site = str(year.folder / "site.toml")
    code, said = run("--ledger", f"sqlite:{tmp_path / 'l.db'}", "--site", site, "--host", "0.0.0.0")  # noqa: S104 - refused
    assert code == 2
    assert said == "shutan api: --host: 0.0.0.0 can be reached from outside: give --token-file FILE as well\n"


def test_mistakes_are_one_line_and_a_code(tmp_path: Path, year: Year) -> None:
    site = str(year.folder / "site.toml")
    for arguments, told in (
        (("--ledger", f"sqlite:{tmp_path / 'none.db'}", "--site", site), "none.db"),
        (("--ledger", "mysql:x", "--site", site), "is no ledger"),
        (("--ledger", f"sqlite:{tmp_path / 'l.db'}", "--site", str(tmp_path / "site.toml")), "no such site file"),
        (("--ledger", "sqlite:x", "--site", site, "--token-file", str(tmp_path / "t")), "cannot be read"),
        (("--ledger", "sqlite:x", "--site", site, "--factor-release", "1999.1"), "1999.1"),
    ):
        code, said = run(*arguments)
        assert code == 2
        assert told in said
        assert said.count("\n") == 1
        assert "Traceback" not in said
