"""The one command `shutan`.

Subcommands are entry points of the group `shutan.commands`. They are listed by name with a line from the table below,
so that `shutan --help` imports none of them, and loaded when called: no layer imports upward, and a missing extra hurts
only its own command. A mistake that a person can mend is one line on stderr and an exit code other than 0.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points, version
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

GROUP = "shutan.commands"

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERNAL = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class _Listed(NamedTuple):
    """What `shutan --help` says about a command, and the extra that brings its packages."""

    summary: str
    extra: str = ""


COMMANDS: dict[str, _Listed] = {
    "demo": _Listed("Run a whole simulated factory on this machine and check that nothing is lost.", "sim"),
    "gateway": _Listed("Run the gateway service: MQTT in, spool, series stores out."),
    "check": _Listed("Check a gateway configuration and say every mistake in it."),
    "service": _Listed("Install the gateway as a service; its state."),
    "doctor": _Listed("Say what is wrong with this installation, and what to do."),
    "broker": _Listed("Write the MQTT broker's configuration: TLS, accounts, limits."),
    "reload": _Listed("Let the running gateway take over its changed configuration."),
    "command": _Listed("Write to a node or device, within the allow table; the audit record."),
    "spool": _Listed("The durable queue: status, records again to a store, dead letters."),
    "quarantine": _Listed("Refused input that the gateway kept: list it, show its bytes."),
    "backup": _Listed("Save a gateway's data and configuration into one file, while it runs."),
    "restore": _Listed("Unpack and check a backup into a new folder."),
    "meter": _Listed("Explain captured meter frames; list the meter profiles."),
    "hardware": _Listed("Boards of the node family: pin rules, drawings, parts, power, calibration."),
    "activity": _Listed("Documents that no meter counts: templates, check, import, history.", "ledger"),
    "account": _Listed("Energy and carbon of a month or year, from plain files.", "ledger"),
    "close": _Listed("Close a month or year in the ledger.", "ledger"),
    "proposal": _Listed("Late samples after a closing: find, accept, reject.", "ledger"),
    "restate": _Listed("Closed months once more with other factors, old and new side by side.", "ledger"),
    "trace": _Listed("Open one gram of a closed month down to its registers.", "web"),
    "ledger": _Listed("The ledger's entries, periods and chain.", "ledger"),
    "evidence": _Listed("Signed evidence of a closed period; the site's key.", "ledger"),
    "verify": _Listed("Check an evidence file offline."),
    "report": _Listed("Reports: energy, month, greenhouse gases, forms, meters; PDF and XLSX.", "reports"),
    "footprint": _Listed("Product carbon footprint, data sheet and label.", "reports"),
    "budget": _Listed("Carbon budget: burn-down, forecast, warning.", "ledger"),
    "factors": _Listed("Emission factors: list, show, verify, compare, sign.", "ledger"),
    "api": _Listed("Read the ledger over HTTP, on this machine.", "web"),
    "sim": _Listed("Simulated plant, meters and nodes.", "sim"),
}


class _CommandError(Exception):
    """A command that cannot be loaded here; str() is for a person."""


class _LazyCommand(TyperCommand):
    """A name and a line of help; becomes the real command when it is called."""

    def __init__(self, entry: EntryPoint) -> None:
        listed = COMMANDS.get(entry.name)
        summary = listed.summary if listed else f"From the package {entry.dist.name if entry.dist else entry.module}."
        super().__init__(entry.name, help=summary)
        self._entry = entry

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Context of the real command: from here on it is the real one that runs, completes and helps."""
        return self._load().make_context(info_name, args, parent=parent, **extra)

    def _load(self) -> Any:
        name = self._entry.name
        try:
            found = self._entry.load()
        except ModuleNotFoundError as error:
            missing = error.name or str(error)
            if missing.split(".")[0].startswith("shutan"):
                raise _CommandError(f"{name}: not part of this installation ({missing} is missing)") from error
            listed = COMMANDS.get(name)
            extra = f" (pip install 'shutan[{listed.extra}]')" if listed and listed.extra else ""
            raise _CommandError(f"{name}: needs the Python package {missing}{extra}") from error
        if not isinstance(found, typer.Typer):
            return found
        command = get_command(found)
        # Completion is installed for `shutan` as a whole.
        command.params = [
            param for param in command.params if param.name not in ("install_completion", "show_completion")
        ]
        return command


class _LazyGroup(TyperGroup):
    """All commands of the entry-point group, the known ones first and in the order of the table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        entries = {entry.name: entry for entry in entry_points(group=GROUP)}
        for name in [name for name in COMMANDS if name in entries] + sorted(set(entries) - set(COMMANDS)):
            self.commands[name] = _LazyCommand(entries[name])


app = typer.Typer(
    cls=_LazyGroup,
    no_args_is_help=True,
    help="Shutan 数碳: factory energy and carbon, from the meter register to the report.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"shutan {version('shutan')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version_: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a Python traceback on errors; may stand anywhere on the line.")
    ] = False,
) -> None:
    del version_, debug  # the one has already ended the program, the other is taken off the line by main()


def _say(text: str) -> None:
    for line in text.splitlines() or [""]:
        print(f"shutan: {line}", file=sys.stderr)  # noqa: T201 - a command line speaks on stderr


def _of_ours(error: Exception) -> bool:
    """Whether one of our packages made the error for a person to read: every package has its own tree."""
    return any(kind.__module__.split(".")[0].startswith("shutan_") for kind in type(error).__mro__)


def _explain_usage(error: Any) -> int:
    """A wrong option or argument, as the parser of the command line words it."""
    if type(error).__name__ == "NoArgsIsHelpError":  # the help itself has been printed
        return EXIT_USAGE
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "shutan"
    text = " ".join(str(error.format_message()).split()).replace("Value error, ", "")
    _say(f"{text.rstrip('.')} (see `{path} --help`)")
    return int(getattr(error, "exit_code", EXIT_USAGE))


def _explain(error: Exception) -> int:
    """One line for a person; returns the exit code."""
    if isinstance(error, typer.Abort):
        return EXIT_INTERRUPTED if isinstance(error.__context__, KeyboardInterrupt) else EXIT_ERROR
    if hasattr(error, "format_message"):
        return _explain_usage(error)
    if isinstance(error, _CommandError) or _of_ours(error):
        _say(str(error))
        return EXIT_ERROR
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        _say(f"{place}{error.strerror or error}")
        return EXIT_ERROR
    _say(f"internal error: {type(error).__name__}: {error}".splitlines()[0] + " (--debug shows where)")
    return EXIT_INTERNAL


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `shutan` and return its exit code; tracebacks only with --debug."""
    line = list(sys.argv[1:] if arguments is None else arguments)
    options = line[: line.index("--")] if "--" in line else line
    debug = "--debug" in options
    if debug:
        line.remove("--debug")
    try:
        result = get_command(app).main(args=line, prog_name="shutan", standalone_mode=False)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        if debug:
            raise
        return _explain(error)
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
