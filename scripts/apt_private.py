"""Debian packages without touching the system: a private apt state, authenticated by the machine's own keyring.

The machine's own mirror is used with the suite name replaced, so that a Debian 12 machine can unpack a program of
Debian 13 (and the other way round) together with all its libraries, libc included. No root is needed. Standard
library only: this runs before the virtual environment exists.

Traps that shaped it: the dpkg status must be empty or libc is taken for installed; the sandbox user must be off when
a plain user runs it; the update hooks of the machine must not run; only the main suite is read, since the updates and
security indexes of a foreign architecture can be out of step on a mirror and would fail the whole update.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

RELEASES = {"bookworm", "trixie", "forky", "sid", "stable", "testing", "oldstable"}
ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$")
OPTION_FIELDS = {"arch": "Architectures", "lang": "Languages", "target": "Targets"}
REPLACED_FIELDS = {"types", "uris", "suites", "components", "architectures", "enabled"}
APT_LIMIT_S = 300

APT_HELPER = "/usr/lib/apt/apt-helper"


class AptError(RuntimeError):
    """apt could not deliver; the text says what it reported."""


@dataclass
class Source:
    """One configured archive: its addresses and the options that must be kept (keyring, validity, proxy)."""

    uris: str
    options: dict[str, str] = field(default_factory=dict[str, str])

    def render(self, suite: str, architecture: str) -> str:
        """deb822 text of this archive with another suite, main component only."""
        lines = ["Types: deb", f"URIs: {self.uris}", f"Suites: {suite}", "Components: main"]
        lines += [f"Architectures: {architecture}"]
        lines += [f"{name}: {value}" for name, value in self.options.items()]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Pin:
    """One file of an archive: its path below the archive's address and its SHA-256."""

    path: str
    sha256: str


def _one_line(text: str) -> list[Source]:
    found: list[Source] = []
    for line in text.splitlines():
        match = ONE_LINE.match(line.split("#", 1)[0].strip())
        if not match or match["suite"] not in RELEASES or "main" not in match["components"].split():
            continue
        pairs = (pair.split("=", 1) for pair in (match["options"] or "").split() if "=" in pair)
        options = {OPTION_FIELDS.get(key.lower(), key.title()): value.replace(",", " ") for key, value in pairs}
        options.pop("Architectures", None)
        found.append(Source(match["uri"], options))
    return found


def _deb822(text: str) -> list[Source]:
    found: list[Source] = []
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and name:
                fields[name] += "\n" + line  # an embedded key goes over many lines
            elif ":" in line:
                name, value = line.split(":", 1)
                fields[name] = value.strip()
        low = {key.lower(): value for key, value in fields.items()}
        if low.get("enabled", "yes").lower() in {"no", "false", "0"} or "deb" not in low.get("types", "").split():
            continue
        if not RELEASES & set(low.get("suites", "").split()) or "main" not in low.get("components", "").split():
            continue
        options = {key: value for key, value in fields.items() if key.lower() not in REPLACED_FIELDS}
        found.append(Source(low["uris"], options))
    return found


def machine_sources(etc: Path = Path("/etc/apt")) -> list[Source]:
    """The machine's own Debian archives, those signed by Debian's keyring first; no entry twice."""
    parts = [sorted(etc.glob(f"sources.list.d/*{ending}")) for ending in (".sources", ".list")]
    sources: list[Source] = []
    for path in (*parts[0], etc / "sources.list", *parts[1]):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            for source in _deb822(text) if path.suffix == ".sources" else _one_line(text):
                if source not in sources:
                    sources.append(source)
    return sorted(sources, key=lambda source: "debian-archive" not in source.options.get("Signed-By", "debian-archive"))


def _acquire_settings() -> str:
    """The machine's own proxy, certificate and retry settings, without its hooks and index targets."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    keep = (line for line in dump.splitlines() if line.startswith("Acquire::"))
    return "\n".join(line for line in keep if not re.match(r"Acquire::(IndexTargets|Changelogs|AllowInsecure)", line))


class PrivateApt:
    """One suite, one architecture, one private state below `state` (the caller deletes it)."""

    def __init__(self, state: Path, source: Source, suite: str, architecture: str, native: str) -> None:
        self.state = state.resolve()  # apt takes relative directories as relative to its root
        for part in ("lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/empty.d"):
            (self.state / part).mkdir(parents=True, exist_ok=True)
        (self.state / "status").touch()
        (self.state / "etc/only.sources").write_text(source.render(suite, architecture))
        both = "".join(f'"{name}";' for name in dict.fromkeys([native, architecture]))
        config = f"""{_acquire_settings()}
Dir::State "{self.state}/";
Dir::State::status "{self.state}/status";
Dir::Cache "{self.state}/cache/";
Dir::Log "{self.state}/";
Dir::Etc::sourcelist "{self.state}/etc/none.list";
Dir::Etc::sourceparts "{self.state}/etc/sources.d";
Dir::Etc::parts "{self.state}/etc/empty.d";
Dir::Etc::main "{self.state}/etc/none.conf";
Dir::Etc::preferences "{self.state}/etc/none.pref";
Dir::Etc::preferencesparts "{self.state}/etc/preferences.d";
APT::Architecture "{native}";
APT::Architectures {{ {both} }};
APT::Sandbox::User "";
APT::Install-Recommends "false";
APT::Default-Release "";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
"""
        (self.state / "etc/sources.d").mkdir(exist_ok=True)
        (self.state / "etc/only.sources").rename(self.state / "etc/sources.d/only.sources")
        path = self.state / "apt.conf"
        path.touch(mode=0o600)  # a proxy setting can carry a password
        path.write_text(config)
        self._environment = {"APT_CONFIG": str(path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

    def _apt_get(self, *arguments: str) -> str:
        return self._run(["apt-get", "-qq", *arguments])

    def _run(self, command: list[str]) -> str:
        what = " ".join(word for word in command[:3] if not word.startswith("-")).removeprefix("/usr/lib/apt/")
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=APT_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise AptError(f"{what} did not end within {APT_LIMIT_S} s") from late
        if done.returncode:
            lines = done.stderr.splitlines()
            errors = [line for line in lines if line.startswith("E:")] or lines[-1:]
            raise AptError(f"{what}: " + " ".join(errors)[:400])
        return done.stdout

    def download(self, packages: list[str]) -> list[Path]:
        """Download packages with all they depend on; the paths of the .deb files. Raises AptError."""
        self._apt_get("update", "--error-on=any")
        self._apt_get("install", "--download-only", "--yes", *packages)
        return sorted((self.state / "cache/archives").glob("*.deb"))

    def pins(self, packages: list[str]) -> list[Pin]:
        """The files that `download` would get, as the signed index names them. Raises AptError."""
        self._apt_get("update", "--error-on=any")
        uris = self._apt_get("-o", "Acquire::ForceHash=SHA256", "install", "--print-uris", "--yes", *packages)
        found = re.findall(r"^'\S*?/(pool/\S+)' \S+ \d+ SHA256:([0-9a-f]{64})$", uris, re.MULTILINE)
        return [Pin(path, sha256) for path, sha256 in found]

    def download_pinned(self, source: Source, pins: list[Pin]) -> list[Path]:
        """Download files by their place in the pool, each checked by its SHA-256; no index is read. Raises AptError."""
        found: list[Path] = []
        for pin in pins:
            target = self.state / "cache/archives" / Path(pin.path).name
            uri = f"{source.uris.split()[0].rstrip('/')}/{pin.path}"
            self._run([APT_HELPER, "download-file", uri, str(target), f"SHA256:{pin.sha256}"])
            found.append(target)
        return found


def unpack(debs: list[Path], staging: Path) -> None:
    """Unpack all packages one over the other, as dpkg -x does."""
    for deb in debs:
        done = subprocess.run(["dpkg-deb", "-x", str(deb), str(staging)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise AptError(f"dpkg-deb -x {deb.name}: {done.stderr.strip()[:200]}")


def is_debian() -> bool:
    """True where apt and dpkg-deb can do this."""
    return all(shutil.which(name, path="/usr/bin:/bin") for name in ("apt-get", "apt-config", "dpkg-deb", "dpkg"))
