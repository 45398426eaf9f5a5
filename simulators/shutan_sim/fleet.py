"""Supervisor of the simulated boards: one MicroPython process a node, started again whenever it ends.

A node's folder is its flash. Its console (one JSON object a line) goes to `console.jsonl`, its process id to `pid`; no
`pid` file means that it is between two lives. The kernel ends every node when the supervisor dies, however it dies.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

PR_SET_PDEATHSIG = 1
HEAP = "100k"  # an ESP32 without PSRAM
POWER_ON, HARD_RESET, WATCHDOG, DEEP_SLEEP, SOFT_RESET = 1, 2, 3, 4, 5  # machine.reset_cause()
_CAUSE_OF_EXIT = {3: HARD_RESET, 4: SOFT_RESET, 5: DEEP_SLEEP, -signal.SIGALRM: WATCHDOG}
RESTART_S = 0.3  # a board needs about as long to boot
LONGEST_PAUSE_S = 10.0
_SHORT_LIFE_S = 5.0
SHORT_LIVES_MAX = 8
STOP_LIMIT_S = 4.0
_STAGGER_S = 0.02
_POLL_S = 0.05

_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """In a child before exec: SIGKILL when the thread that forked ends. Survives exec; Linux."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def ended(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a child without a thread; its exit code, negative for a signal."""
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:  # a kernel without pidfd, or it has gone already
        while process.poll() is None:  # noqa: ASYNC110 - there is nothing to wait on
            await asyncio.sleep(_POLL_S)
        return process.returncode
    gone = asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.wait()


@dataclass(slots=True)
class Board:
    """One node. command: interpreter and arguments, run in `folder`.

    lives:   how often it was started;  causes: exit code -> how often it ended that way
    gave_up: it ended again and again right after its start, and is not started any more
    """

    name: str
    folder: Path
    command: tuple[str, ...]
    environment: Mapping[str, str]
    lives: int = 0
    causes: dict[int, int] = field(default_factory=dict[int, int])
    gave_up: bool = False
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def console(self) -> Path:
        """Where its output goes."""
        return self.folder / "console.jsonl"

    @property
    def pid_file(self) -> Path:
        """Holds its process id while it runs."""
        return self.folder / "pid"

    def start(self, cause: int) -> "subprocess.Popen[bytes]":
        """Begin a life. cause: what machine.reset_cause() will say."""
        self._close_line()
        environment = {**os.environ, **self.environment, "SHUTAN_SIM_RESET_CAUSE": str(cause)}
        with self.console.open("ab") as out:
            self.process = subprocess.Popen(  # noqa: S603 - the simulator's own command line
                self.command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops the nodes in order
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call; there are no threads here
            )
        self.lives += 1
        temporary = self.folder / "pid.new"
        temporary.write_text(str(self.process.pid), encoding="ascii")
        temporary.replace(self.pid_file)
        return self.process

    def note_end(self, code: int) -> None:
        """Book the end of a life."""
        self.pid_file.unlink(missing_ok=True)
        self.causes[code] = self.causes.get(code, 0) + 1
        self.process = None

    def say(self, **event: object) -> None:
        """Add a line of the supervisor's own to the console."""
        self._close_line()
        with self.console.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"event": "supervisor", "node": self.name, **event}) + "\n")

    def _close_line(self) -> None:
        """A line that a kill has cut must not swallow the next one."""
        with contextlib.suppress(OSError), self.console.open("rb+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")


class Fleet:
    """Keeps all boards running until `stop`."""

    def __init__(self, boards: "list[Board]") -> None:
        self.boards = boards
        self._tasks: list[asyncio.Task[None]] = []
        self._told: set[str] = set()

    def lost(self) -> "list[Board]":
        """Boards given up since the last call."""
        found = [board for board in self.boards if board.gave_up and board.name not in self._told]
        self._told.update(board.name for board in found)
        return found

    async def start(self) -> None:
        """Start every board, a little apart."""
        for board in self.boards:
            self._tasks.append(asyncio.create_task(self._keep(board)))
            await asyncio.sleep(_STAGGER_S)

    async def stop(self) -> None:
        """Planned stop: every node saves what it has in RAM; one that does not end is killed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        running = [board for board in self.boards if board.process is not None]
        for board in running:
            if board.process is not None:
                board.process.send_signal(signal.SIGINT)
        await asyncio.gather(*(_gone(board) for board in running))

    async def _keep(self, board: Board) -> None:
        """Start one board again and again."""
        loop = asyncio.get_running_loop()
        cause, short_lives = POWER_ON, 0
        while True:
            born = loop.time()
            code = await ended(board.start(cause))
            board.note_end(code)
            cause = _CAUSE_OF_EXIT.get(code, POWER_ON)
            short_lives = short_lives + 1 if loop.time() - born < _SHORT_LIFE_S else 0
            if short_lives > SHORT_LIVES_MAX:
                board.gave_up = True
                board.say(problem=f"ended {short_lives} times within {_SHORT_LIFE_S:g} s of its start", code=code)
                return
            await asyncio.sleep(min(LONGEST_PAUSE_S, RESTART_S * 2 ** max(0, short_lives - 1)))


async def _gone(board: Board) -> None:
    """Wait for a board's end, kill it after the limit."""
    process = board.process
    if process is None:
        return
    try:
        code = await asyncio.wait_for(ended(process), STOP_LIMIT_S)
    except TimeoutError:
        process.kill()
        code = process.wait()
    board.note_end(code)


def make_board(name: str, folder: Path, interpreter: Path, image: Mapping[str, str], *, uart: str, rate: int) -> Board:
    """A board whose UART 1 is the pseudo-terminal `uart` and whose process time runs `rate` times as fast."""
    environment = {
        **image,
        "SHUTAN_SIM_UART1": uart,
        "SHUTAN_SIM_RATE": str(rate),
        "SHUTAN_SIM_UID": f"0242{crc32(name.encode()):08x}",
    }
    command = (str(interpreter), "-X", f"heapsize={HEAP}", "main.py")
    return Board(name, folder, command, environment)
