"""Programs that a test starts: own folder, free loopback port, stopped by pid, log shown when the test fails."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from support.places import tool
from support.workers import may_take

HOST = "127.0.0.1"
READY_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0
RUNNING: list["Server"] = []
_given_out: set[int] = set()


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on; never the same one twice in a session."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port not in _given_out and may_take(port):
            _given_out.add(port)
            return port


def wait_until(condition: Callable[[], bool], limit_s: float, what: str, step_s: float = 0.02) -> None:
    """Poll a condition; AssertionError naming `what` when it does not come true within the limit."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"not within {limit_s:g} s: {what}"
        time.sleep(step_s)


def listens(port: int) -> bool:
    """True when a TCP connection to the port is accepted."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


class Server:
    """A program with a port, as a context manager; it can be killed and started again on the same port."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        port: int,
        *,
        environment: Mapping[str, str] | None = None,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.folder = folder
        self.host = HOST
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.log = folder / f"{name}.log"
        self.shared = False  # true for one that serves many tests: its log is only of interest to those that name it
        self.environment = {**os.environ, **(environment or {})}
        self._ready = ready or (lambda: listens(port))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running program."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process

    @property
    def pid(self) -> int:
        """Process id of the running program."""
        return self.process.pid

    def start(self, *, wait: bool = True) -> Self:
        """Start it and wait until it is ready, at most READY_LIMIT_S; without `wait` return at once."""
        assert self._process is None, f"{self.name} already runs"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        RUNNING.append(self)
        if not wait:
            return self
        try:
            wait_until(self._is_up, READY_LIMIT_S, f"{self.name} ready")
        except BaseException as error:
            self.stop()
            error.add_note(f"--- log of {self.name}\n{self.log_tail()}")
            raise
        return self

    def _is_up(self) -> bool:
        code = self.process.poll()
        assert code is None, f"{self.name} ended with code {code} before it was ready"
        return self._ready()

    def stop(self) -> int:
        """Ask it to end, then insist; its exit code."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        RUNNING.remove(self)
        process.terminate()
        try:
            return process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def kill(self) -> None:
        """SIGKILL, as a power cut does to a process."""
        process, self._process = self.process, None
        RUNNING.remove(self)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def log_tail(self, lines: int = 40) -> str:
        """The end of what it printed."""
        if not self.log.is_file():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def request(self, method: str, path: str, body: bytes = b"", /, **query: str) -> tuple[int, bytes]:
        """Status and body of an HTTP request with these query parameters."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            connection.request(method, f"{path}?{urllib.parse.urlencode(query)}", body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str, /, **query: str) -> bytes:
        """Body of the answer to a GET, which must be a success."""
        status, answer = self.request("GET", path, **query)
        assert 200 <= status < 300, f"GET {path}: {status} {answer[:500]!r}"
        return answer

    def post(self, path: str, body: bytes = b"", /, **query: str) -> bytes:
        """Body of the answer to a POST, which must be a success."""
        status, answer = self.request("POST", path, body, **query)
        assert 200 <= status < 300, f"POST {path}: {status} {answer[:500]!r}"
        return answer

    def __enter__(self) -> Self:
        return self if self._process else self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()


def mosquitto(folder: Path, port: int | None = None) -> Server:
    """A broker for anonymous clients on loopback that keeps everything in memory."""
    port = port or free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"user root\nlistener {port} {HOST}\nallow_anonymous true\nset_tcp_nodelay true\n")
    return Server("mosquitto", [tool("mosquitto"), "-c", config], folder, port)


INFLUXD_CONFIG = """\
reporting-disabled = true
bind-address = "{host}:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "{host}:{port}"
  log-enabled = false
[retention]
  enabled = false
[continuous_queries]
  enabled = false
"""


def influxd(folder: Path) -> Server:
    """InfluxDB 1.6 with its own folders; `database()` makes an empty database in it."""
    port = free_port()
    config = folder / "influxdb.conf"
    config.write_text(INFLUXD_CONFIG.format(host=HOST, port=port, rpc=free_port(), folder=folder))
    return Server("influxd", [tool("influxd"), "run", "-config", config], folder, port)


def influx_query(server: Server, statement: str, database: str = "", **query: str) -> list[dict[str, object]]:
    """The series of one InfluxQL statement; AssertionError with InfluxDB's own text when it refuses."""
    answer = json.loads(server.post("/query", q=statement, db=database, **query))
    result = answer["results"][0]
    assert "error" not in result, result["error"]
    return result.get("series", [])


def victoria_metrics(folder: Path) -> Server:
    """VictoriaMetrics that stores a repeated sample once and keeps old ones."""
    port = free_port()
    command = [
        tool("victoria-metrics"),
        f"-httpListenAddr={HOST}:{port}",
        f"-storageDataPath={folder}/data",
        "-dedup.minScrapeInterval=1ms",
        "-retentionPeriod=100y",
        "-search.latencyOffset=0s",
    ]
    return Server("victoria-metrics", command, folder, port)
