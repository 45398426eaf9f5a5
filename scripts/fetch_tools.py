"""Put the interpreters and servers that tests and demo use under .tools/, leaving the system as it is.

Groups of programs, each from one Debian suite and unpacked with its own libraries, libc included:

| group       | suite    | programs                                                        |
| micropython | trixie   | micropython (64-bit)                                            |
| micropython32 | trixie | micropython32 (i386: 31-bit small integers and 2^30 ticks, as on an ESP32) |
| servers     | bookworm | mosquitto, mosquitto_passwd, influxd, influx, victoria-metrics  |
| system      | bookworm | systemd-analyze, systemd-sysusers, systemd-tmpfiles, chronyd: they check what is installed |
| trace       | bookworm | strace: it makes system calls fail or late in fault tests        |
| fonts       | bookworm | none: the Chinese fonts of reports and labels, into .tools/fonts/share |

Each program has a wrapper in .tools/bin that replaces itself by the program (its pid is the server's). A group is
fetched once; a second run needs no network. The archive's signed index says which files; where a mirror's index is out
of step with its signature, as in the days after a point release, the files of `debs.lock` are taken, each by its
SHA-256 (`fetch-tools --pin` writes them anew). Where a program cannot be had, `.tools/not-run.txt` says so, one line
each: "not run: <program>: <why>". Standard library only.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from apt_private import AptError, Pin, PrivateApt, Source, is_debian, machine_sources, unpack

REPO = Path(__file__).resolve().parent.parent
TOOLS = REPO / ".tools"
PINS = REPO / "scripts/debs.lock"
FORMAT = "1"  # raise it when the layout of a group changes: every group is fetched again
INNER = ("*-linux-gnu*", "*-linux-gnu*/systemd")  # library folders below lib
UNITS = ("lib/systemd/system/*.target",)
FONTS = ("usr/share/fonts/opentype/noto/NotoSansCJK-*.ttc",)
NEVER = (
    "not run: influxdb2: InfluxDB 2 and 3 have no Debian package (their API v2 is tested against VictoriaMetrics)",
    "not run: grafana: Grafana has no Debian package",
)


@dataclass(frozen=True)
class Program:
    """A wrapper's name, the path inside its package, how to see that it runs."""

    name: str
    path: str
    probe: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Programs that share one directory of libraries, or files that are only copied (`shared`: globs)."""

    name: str
    suite: str
    architecture: str
    packages: tuple[str, ...]
    programs: tuple[Program, ...]
    shared: tuple[str, ...] = ()

    @property
    def stamp(self) -> str:
        """What the files of this group were made from."""
        return f"{FORMAT} {self}\n"


def groups(native: str) -> list[Group]:
    """What is fetched on a Debian machine of this architecture."""
    probe = ("-c", "import sys; print(sys.implementation[1])")
    micropython = Program("micropython", "usr/bin/micropython", probe)
    micropython32 = Program("micropython32", "usr/bin/micropython", probe)
    servers = (
        Program("mosquitto", "usr/sbin/mosquitto", ("-h",)),
        Program("mosquitto_passwd", "usr/bin/mosquitto_passwd", ("--help",)),
        Program("influxd", "usr/bin/influxd", ("version",)),
        Program("influx", "usr/bin/influx", ("-version",)),
        Program("victoria-metrics", "usr/bin/victoria-metrics", ("-version",)),
    )
    system = (
        Program("systemd-analyze", "usr/bin/systemd-analyze", ("--version",)),
        Program("systemd-sysusers", "bin/systemd-sysusers", ("--version",)),
        Program("systemd-tmpfiles", "bin/systemd-tmpfiles", ("--version",)),
        Program("chronyd", "usr/sbin/chronyd", ("--version",)),
    )
    trace = (Program("strace", "usr/bin/strace", ("-V",)),)
    packages = ("mosquitto", "influxdb", "influxdb-client", "victoria-metrics")
    found = [
        Group("micropython", "trixie", native, ("micropython",), (micropython,)),
        Group("servers", "bookworm", native, packages, servers),
        Group("system", "bookworm", native, ("systemd", "chrony"), system, UNITS),
        Group("trace", "bookworm", native, ("strace",), trace),
        Group("fonts", "bookworm", native, ("fonts-noto-cjk",), (), FONTS),
    ]
    if native == "amd64":
        found.append(Group("micropython32", "trixie", "i386", ("micropython:i386",), (micropython32,)))
    return found


def say(text: str) -> None:
    """One line of progress."""
    print(f"tools: {text}", flush=True)


def _collect(staging: Path, group: Group, target: Path) -> None:
    """Programs into bin/, every shared library of the library folders into one lib/."""
    (target / "bin").mkdir(parents=True)
    (target / "lib").mkdir()
    for program in group.programs:
        shutil.copy2(staging / program.path, target / "bin" / program.name)
    for pattern in group.shared:
        (target / "share").mkdir(exist_ok=True)
        for path in staging.glob(pattern):
            shutil.copy2(path, target / "share" / path.name)
    roots = [staging / top for top in ("lib", "lib64", "usr/lib", "usr/lib64")]
    nested = [folder for root in roots for inner in INNER for folder in root.glob(inner)]
    folders = [folder for folder in (*roots, *nested) if folder.is_dir()]
    links: list[tuple[str, str]] = []
    for folder in folders:
        for path in folder.glob("*.so*"):
            if path.is_symlink():
                links.append((path.name, path.readlink().name))
            elif path.is_file() and not (target / "lib" / path.name).exists():
                shutil.copy2(path, target / "lib" / path.name)
    for name, points_to in links:
        link = target / "lib" / name
        if name != points_to and not link.exists() and not link.is_symlink():
            link.symlink_to(points_to)


def _wrapper(group: Group, program: Program, loader: str) -> str:
    return f"""#!/bin/sh
# {program.name} of Debian {group.suite} ({group.architecture}) with its own libraries; written by scripts/fetch-tools
root=$(dirname "$(readlink -f "$0")")/../{group.name}
exec "$root/lib/{loader}" --library-path "$root/lib" "$root/bin/{program.name}" "$@"
"""


def _put(name: str, text: str) -> Path:
    path = TOOLS / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.rename(path)
    return path


def why_it_does_not_run(path: Path, program: Program) -> str:
    """The reason why a program does not run here, or an empty text."""
    try:
        done = subprocess.run([path, *program.probe], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    bad = done.returncode >= 126 or "error while loading shared libraries" in done.stderr
    return (done.stderr.strip() or f"exit code {done.returncode}")[:200] if bad else ""


def pinned(group: Group) -> list[Pin]:
    """The files of a group and its architecture as debs.lock has them; none where it has none."""
    rows = (line.split() for line in PINS.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return [Pin(path, sha256) for name, kind, sha256, path in rows if (name, kind) == (group.name, group.architecture)]


def pin() -> int:
    """Write debs.lock for this machine's architecture; lines of a group whose index cannot be read stay as they are."""
    native, source = _output("dpkg", "--print-architecture"), machine_sources()[0]
    lines = ["# group architecture sha256 file; written by scripts/fetch-tools --pin from the archive's signed index\n"]
    for group in groups(native):
        with tempfile.TemporaryDirectory(prefix="pin-", dir=TOOLS) as scratch:
            try:
                pins = PrivateApt(Path(scratch), source, group.suite, group.architecture, native).pins(
                    list(group.packages)
                )
            except AptError as error:
                print(f"fetch-tools: {group.name} keeps its pins: {error}", file=sys.stderr)
                pins = pinned(group)
        lines += [f"{group.name} {group.architecture} {one.sha256} {one.path}\n" for one in sorted(pins, key=str)]
    PINS.write_text("".join(lines), encoding="utf-8")
    return 0


def download(apt: PrivateApt, source: Source, suite: str, group: Group) -> list[Path]:
    """By the index; where that fails, by the pins of the group's own suite. Raises AptError."""
    try:
        return apt.download(list(group.packages))
    except AptError as error:
        pins = pinned(group) if suite == group.suite else []
        if not pins:
            raise
        say(f"{group.name}: {error}; taking the files of debs.lock")
        return apt.download_pinned(source, pins)


def fetch(group: Group, native: str, own_suite: str) -> None:
    """Download and unpack one group, from the first archive and suite that has it. Raises AptError."""
    started = time.monotonic()
    sources = machine_sources()
    if not sources:
        raise AptError("no Debian archive is configured in /etc/apt")
    problems: list[str] = []
    for suite in dict.fromkeys((group.suite, own_suite)):
        for source in sources:
            with tempfile.TemporaryDirectory(prefix="fetch-", dir=TOOLS) as scratch:
                try:
                    apt = PrivateApt(Path(scratch, "apt"), source, suite, group.architecture, native)
                    debs = download(apt, source, suite, group)
                    unpack(debs, Path(scratch, "staging"))
                except AptError as error:
                    problems.append(f"{suite}: {error}")
                    continue
                size = sum(deb.stat().st_size for deb in debs) / 1e6
                _collect(Path(scratch, "staging"), group, Path(scratch, "ready"))
                shutil.rmtree(TOOLS / group.name, ignore_errors=True)
                Path(scratch, "ready").rename(TOOLS / group.name)
            say(f"{group.name}: {len(debs)} packages of {suite}, {size:.0f} MB, {time.monotonic() - started:.0f} s")
            return
    raise AptError("; ".join(problems))


def install(group: Group, native: str, own_suite: str) -> list[str]:
    """Fetch a group unless it is there; the not-run lines of programs that do not run on this kernel."""
    stamp = TOOLS / group.name / "stamp"
    wrappers = [TOOLS / "bin" / program.name for program in group.programs]
    if not (stamp.is_file() and stamp.read_text().startswith(group.stamp) and all(path.exists() for path in wrappers)):
        fetch(group, native, own_suite)
        loader = next((path.name for path in sorted((TOOLS / group.name / "lib").glob("ld-linux*"))), "")
        not_run: list[str] = []
        for program in group.programs:
            problem = why_it_does_not_run(_put(program.name, _wrapper(group, program, loader)), program)
            if problem:
                not_run.append(f"not run: {program.name}: does not start on this machine ({problem})\n")
        stamp.write_text(group.stamp + "".join(not_run))
    return stamp.read_text().removeprefix(group.stamp).splitlines()


def from_path(program: Program) -> bool:
    """Wrap the machine's own program where there is one."""
    directories = os.environ.get("PATH", "/usr/bin") + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which(program.name, path=directories)
    if found:
        _put(program.name, f'#!/bin/sh\nexec "{found}" "$@"\n')
        say(f"{program.name}: the machine's own {found}")
    return bool(found)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _own_suite() -> str:
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    pairs = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    return pairs.get("VERSION_CODENAME", "trixie").strip('"') if pairs.get("ID", "").strip('"') == "debian" else ""


def run() -> int:
    """Fetch what is missing; the exit code."""
    own_suite = _own_suite() if is_debian() else ""
    native = _output("dpkg", "--print-architecture") if own_suite else ""
    not_run: list[str] = []
    failed: list[str] = []
    if native in {"amd64", "arm64"}:
        for group in groups(native):
            try:
                not_run += install(group, native, own_suite)
            except AptError as error:
                missing = [program.name for program in group.programs if not from_path(program)]
                failed += [f"{', '.join(missing)}: {error}"] if missing else []
    else:
        here = f"{os.uname().sysname} {os.uname().machine}"
        why = f"fetched on Debian for x86-64 and arm64 only, this is {here}; one on PATH would be used"
        programs = [program for group in groups("amd64") for program in group.programs]
        not_run += [f"not run: {program.name}: {why}" for program in programs if not from_path(program)]
    if native == "arm64":
        not_run.append("not run: micropython32: 32-bit MicroPython needs an x86-64 machine")
    (TOOLS / "not-run.txt").write_text("".join(f"{line}\n" for line in (*not_run, *NEVER)))
    for line in not_run:
        say(line)
    for line in failed:
        print(f"fetch-tools: cannot get {line}", file=sys.stderr)
        print("  remedy: check the network and the mirror in /etc/apt, then start again", file=sys.stderr)
    if not failed:
        say("ready")
    return 1 if failed else 0


def main() -> int:
    """Fetch what is missing, one run at a time."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once: the second one waits and finds all there
        return pin() if sys.argv[1:] == ["--pin"] else run()


if __name__ == "__main__":
    sys.exit(main())
