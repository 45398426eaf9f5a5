"""`shutan api`: the read API over a ledger, on loopback unless a token is asked for."""

from __future__ import annotations

from pathlib import Path
from socket import SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, getaddrinfo, socket
from typing import Annotated, Final

import typer

from shutan_collector.commands.console import told

__all__ = ["app"]

_MOST_AT_ONCE: Final = 4096  # connections and requests; one more gets 503
_FAREWELL_S: Final = 5  # for requests under way when it is told to end
_KEEP_ALIVE_S: Final = 60  # longer than the pause of a busy client, who would meet a connection just closed

app = typer.Typer(help="Read API over a ledger: closed periods, lines down to registers, factors, the chain.")


@app.command()
def api(
    *,
    ledger: Annotated[str, typer.Option("--ledger", metavar="URL", help="sqlite:PATH or postgresql://...")],
    site: Annotated[str, typer.Option("--site", metavar="FILE", help="Site model, site.toml.")],
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8710,
    token_file: Annotated[
        str,
        typer.Option("--token-file", metavar="FILE", help="First line: the bearer token. Needed beyond loopback."),
    ] = "",
    release: Annotated[
        str, typer.Option("--factor-release", metavar="R", help="Factor release: a packaged name or a path.")
    ] = "2026.1",
) -> None:
    """Serve until Ctrl-C. The API only reads; a close or restatement meanwhile is seen by the next request."""
    with told("shutan api"):
        import uvicorn  # noqa: PLC0415 - a start without it is faster

        from shutan_collector.errors import RequestError  # noqa: PLC0415 - see above
        from shutan_collector.factors.release import load_release  # noqa: PLC0415 - see above
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see above
        from shutan_collector.site.file import load_site  # noqa: PLC0415 - see above
        from shutan_collector.web.api import create_api  # noqa: PLC0415 - see above
        from shutan_collector.web.guard import is_loopback, read_token  # noqa: PLC0415 - see above

        token = read_token(Path(token_file)) if token_file else None
        if token is None and not is_loopback(host):
            raise RequestError("--host", f"{host} can be reached from outside: give --token-file FILE as well")
        model, table = load_site(Path(site)), load_release(release)
        with open_ledger(ledger) as opened, _listen(host, port) as listener:
            typer.echo(f"http://{host}:{port}/openapi.json", err=True)
            config = uvicorn.Config(
                create_api(opened, table, model, token=token),
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=_MOST_AT_ONCE,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_FAREWELL_S,
            )
            uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket:
    """A socket bound to the address. Raises RequestError: in use, not ours, not a name."""
    from shutan_collector.errors import RequestError  # noqa: PLC0415 - loaded by every command anyway

    try:
        family, kind, protocol, _, address = getaddrinfo(host, port, type=SOCK_STREAM)[0]
        listener = socket(family, kind, protocol)
        try:
            listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise RequestError("--host, --port", f"{host}:{port}: {error.strerror}; choose another") from None
    return listener
