"""The command `shutan`: lists without importing, loads when called, one line for a person, exit codes."""

import errno
import os
import subprocess
import sys
import types
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

import pytest
import typer

from shutan_gateway import cli
from shutan_gateway.errors import StartError

Run = Callable[..., tuple[int, str, str]]


def only(entry: EntryPoint) -> Callable[..., list[EntryPoint]]:
    """Stand-in for importlib.metadata.entry_points with one entry in our group."""

    def found(*, group: str) -> list[EntryPoint]:
        return [entry] if group == cli.GROUP else []

    return found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `shutan` in this process: exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Make `shutan probe` out of a function."""

    def install(body: Callable[[], None]) -> None:
        module = types.ModuleType("probe_plugin")
        command = typer.Typer()
        command.command()(body)
        module.__dict__["app"] = command
        monkeypatch.setitem(sys.modules, "probe_plugin", module)
        entry = EntryPoint("probe", "probe_plugin:app", cli.GROUP)
        monkeypatch.setattr(cli, "entry_points", only(entry))

    return install


def test_help_lists_every_command_and_imports_none() -> None:
    program = (
        "import sys; from shutan_gateway.cli import main; code = main(['--help']);"
        "print(sorted(name for name in sys.modules if name.startswith('shutan_')), file=sys.stderr); sys.exit(code)"
    )
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    for name in entry_points(group=cli.GROUP).names:
        assert f" {name} " in done.stdout
        assert cli.COMMANDS[name].summary in done.stdout
    assert done.stderr.strip() == "['shutan_gateway', 'shutan_gateway.cli']"


def test_every_line_of_the_table_is_a_command() -> None:
    assert set(cli.COMMANDS) == set(entry_points(group=cli.GROUP).names)


def test_version(run: Run) -> None:
    code, out, err = run("--version")
    assert code == 0
    assert out.startswith("shutan ")
    assert err == ""


def test_no_arguments_show_the_help(run: Run) -> None:
    code, out, err = run()
    assert code == cli.EXIT_USAGE
    assert "Usage: shutan" in out
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["metre"], "shutan: No such command 'metre'. Did you mean 'meter', 'trace'? (see `shutan --help`)"),
        (["--verbose"], "shutan: No such option: --verbose"),
        (["meter", "decode", "--hex", "68"], "shutan: Invalid value: --hex needs --protocol"),
        (["meter", "decode"], "shutan: Invalid value: one of --hex and --stream is needed"),
        (["meter", "decode", "--protocol", "mbus", "--hex", "68"], "shutan: Invalid value for '--protocol': 'mbus' is"),
        (["meter", "decoed"], "shutan: No such command 'decoed'. Did you mean 'decode'? (see `shutan meter --help`)"),
    ],
)
def test_usage_mistakes_are_one_line(run: Run, arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments)
    assert code == cli.EXIT_USAGE
    assert out == ""
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_error_of_a_package_is_one_line(run: Run, plugin: Callable[[Callable[[], None]], None]) -> None:
    def body() -> None:
        raise StartError("port 8463: in use; choose another in [http]")

    plugin(body)
    assert run("probe") == (cli.EXIT_ERROR, "", "shutan: port 8463: in use; choose another in [http]\n")


def test_error_of_the_operating_system_names_the_file(run: Run, plugin: Callable[[Callable[[], None]], None]) -> None:
    def body() -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "site.toml")

    plugin(body)
    assert run("probe") == (cli.EXIT_ERROR, "", "shutan: site.toml: No such file or directory\n")


def test_unforeseen_error_is_one_line_and_a_traceback_only_with_debug(
    run: Run, plugin: Callable[[Callable[[], None]], None]
) -> None:
    def body() -> None:
        raise RuntimeError("first line\nsecond line")

    plugin(body)
    line = "shutan: internal error: RuntimeError: first line (--debug shows where)\n"
    assert run("probe") == (cli.EXIT_INTERNAL, "", line)
    with pytest.raises(RuntimeError, match="first line"):
        run("probe", "--debug")


def test_interrupt_ends_as_a_shell_expects(run: Run, plugin: Callable[[Callable[[], None]], None]) -> None:
    def body() -> None:
        raise KeyboardInterrupt

    plugin(body)
    code, out, err = run("probe")
    assert (code, out, err.strip()) == (cli.EXIT_INTERRUPTED, "", "")


def test_exit_code_of_a_command_is_kept(run: Run, plugin: Callable[[Callable[[], None]], None]) -> None:
    def body() -> None:
        raise typer.Exit(7)

    plugin(body)
    assert run("probe") == (7, "", "")


def test_plugin_of_another_package_is_listed_and_runs(run: Run, plugin: Callable[[Callable[[], None]], None]) -> None:
    plugin(lambda: typer.echo("here"))
    assert "From the package probe_plugin." in run("--help")[1]
    assert run("probe") == (0, "here\n", "")
    assert "completion" not in run("probe", "--help")[1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("shutan_none.command:app", "shutan: sim: not part of this installation (shutan_none is missing)\n"),
        ("none_such:app", "shutan: sim: needs the Python package none_such (pip install 'shutan[sim]')\n"),
    ],
)
def test_command_that_cannot_be_loaded(run: Run, monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
    monkeypatch.setattr(cli, "entry_points", only(EntryPoint("sim", value, cli.GROUP)))
    assert run("sim", "plant") == (cli.EXIT_ERROR, "", said)
