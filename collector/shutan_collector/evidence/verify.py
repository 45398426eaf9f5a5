"""Check an evidence file of Shutan 数碳, with nothing but this file, Python (3.9 or later) and the openssl program.

    python3 verify.py F.zip [--fingerprint HEX] [--head SEQ:HASH] [--tsa-ca CA.pem] [--json]

Exit code 0: verified, 1: not verified, 2: wrong usage.

F.zip.sig (64 bytes) and F.zip.pub (PEM) lie beside F.zip, F.zip.tsr (RFC 3161 time stamp) may. Checked, in this order:

1. F.zip is a canonical stored zip: built again from its members it gives the same bytes. A changed byte is located.
2. Each member has the size and SHA-256 that manifest.json states, and there is no other member.
3. F.zip.sig is an Ed25519 signature of F.zip by the key F.zip.pub, whose fingerprint is the expected one.
4. Each entry of chain.jsonl holds the hash of the one before; the closing entry and its documents are in the chain.
5. Every closed month is computed again, in fractions: flows from registers, activities from rows, lines by formulas,
   grams rounded once per line (half to even), claims within certificates, and all totals. Each figure must be the same.

What this cannot prove: that a meter showed the register that was recorded, or that a paper that a row names exists.
Whoever signs again has another fingerprint: compare it, and the head of the chain, with those printed on the report.

核验数碳证据文件：只需本文件、Python 和 openssl。逐项核对规范化压缩包、各成员摘要、Ed25519 签名与公钥指纹、账本哈希链，
并以分数精确重算每条台账与全部合计。请将公钥指纹与链头同报告上印制的比对。本程序不能证明表计示数本身的真实性。

This file shares no code with the program that made the evidence. Licence: Apache-2.0.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

try:
    import tomllib
except ImportError:  # before Python 3.11: the text of the site model is then not read, which the verdict says
    tomllib = None

if sys.version_info < (3, 9):  # noqa: UP036 - this program travels alone, to machines with any Python
    sys.exit("verify.py needs Python 3.9 or later 需要 Python 3.9 及以上")

Layout = list[tuple[int, str, str]]  # where each field of the archive begins: (offset, member, field)
HOUR_NS = 3600 * 10**9
CHINA = "Asia/Shanghai"
ZEROS = "0" * 64
NUMBER = re.compile(r"-?\d{1,999}(\.\d{1,999}|/\d{1,999})?")


class Difference(Exception):  # noqa: N818 - a finding about the evidence, not a fault of this program
    """The first place where the evidence is not what it should be; `at` is a member and a place in it."""

    def __init__(self, at: tuple[str, str], field: str, expected: Any, found: Any, offset: int | None = None) -> None:
        super().__init__(at, field, expected, found)
        self.at, self.field, self.expected, self.found, self.offset = at, field, expected, found, offset


def same(at: tuple[str, str], field: str, expected: Any, found: Any) -> None:
    """Raise the Difference unless both are equal, in value and in type."""
    if expected != found or type(expected) is not type(found):
        raise Difference(at, field, expected, found)


def need(ok: bool, at: tuple[str, str], field: str, expected: Any, found: Any) -> None:
    """Raise the Difference unless a condition holds."""
    if not ok:
        raise Difference(at, field, expected, found)


def same_keys(at: tuple[str, str], field: str, expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Raise the Difference at the first key, down to the innermost object, whose values are not the same."""
    for key in sorted({*expected, *found}):
        sides: list[Any] = [expected.get(key), found.get(key)]
        check = same_keys if all(isinstance(side, dict) for side in sides) else same
        check(at, f"{field} {key}", sides[0], sides[1])


def number(value: Any, at: tuple[str, str], field: str) -> Fraction:
    """The exact number of a JSON integer or of an exact text ("12.5", "1/3")."""
    if type(value) is int:
        return Fraction(value)
    need(isinstance(value, str) and NUMBER.fullmatch(value) is not None, at, field, "a number", value)
    return Fraction(value)


# --- 1. the archive -------------------------------------------------------------------------------------------------

_COMMON = (("version needed", 2, 20), ("flags", 2, 0), ("method", 2, 0), ("time", 2, 0), ("date", 2, 33))
_CRC = [zlib.crc32(bytes([byte])) ^ zlib.crc32(b"\0") for byte in range(256)]
_CRC_OF = {value: byte for byte, value in enumerate(_CRC)}
_CRC_TOP = {value >> 24: byte for byte, value in enumerate(_CRC)}


def build(members: dict[str, bytes]) -> tuple[bytes, Layout]:
    """The canonical zip of members, and where each field begins."""
    out = bytearray()
    layout: Layout = [(0, "", "")]

    def put(member: str, part: str, *fields: tuple[str, int, int]) -> None:
        for field, width, value in fields:
            layout.append((len(out), member, f"{part}: {field}"))
            out.extend(value.to_bytes(width, "little"))

    directory: list[tuple[str, bytes, tuple[tuple[str, int, int], ...], int]] = []
    for name in sorted(members):
        content, label = members[name], name.encode("ascii")
        sizes = (("crc-32", 4, zlib.crc32(content)), ("packed size", 4, len(content)), ("size", 4, len(content)))
        both = (*_COMMON, *sizes, ("name length", 2, len(label)), ("extra length", 2, 0))
        directory.append((name, label, both, len(out)))
        put(name, "local header", ("signature", 4, 0x04034B50), *both)
        layout += [(len(out), name, "local header: name"), (len(out) + len(label), name, "content")]
        out += label + content
    start = len(out)
    for name, label, both, offset in directory:
        put(name, "directory", ("signature", 4, 0x02014B50), ("made by", 2, 788), *both, ("comment length", 2, 0))
        put(
            name,
            "directory",
            ("disk", 2, 0),
            ("internal", 2, 0),
            ("attributes", 4, 0o100644 << 16),
            ("offset", 4, offset),
        )
        layout.append((len(out), name, "directory: name"))
        out += label
    count, size = len(members), len(out) - start
    put("", "end", ("signature", 4, 0x06054B50), ("disk", 2, 0), ("directory disk", 2, 0), ("members here", 2, count))
    put(
        "", "end", ("members", 2, count), ("directory size", 4, size), ("directory", 4, start), ("comment length", 2, 0)
    )
    return bytes(out), layout


def by_headers(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Members as the local headers tell them, from the front."""
    at = 0
    while data[at : at + 4] == b"PK\3\4":
        size, label = (int.from_bytes(data[at + i : at + i + n], "little") for i, n in ((22, 4), (26, 2)))
        begin = at + 30 + label
        yield data[at + 30 : begin].decode("ascii"), data[begin : begin + size]
        at = begin + size


def by_directory(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Members as the central directory tells them, from the back."""
    at = int.from_bytes(data[-6:-2], "little")
    while at < len(data) - 22:
        size, label, begin = (
            int.from_bytes(data[at + i : at + i + n], "little") for i, n in ((24, 4), (28, 2), (42, 4))
        )
        begin += 30 + label
        yield data[at + 46 : at + 46 + label].decode("ascii"), data[begin : begin + size]
        at += 46 + label


def differing(left: bytes, right: bytes) -> Iterator[int]:
    """Places at which two sequences of bytes differ, as far as both reach."""
    common = min(len(left), len(right))
    for at in range(0, common, 4096):
        if left[at : at + 4096] != right[at : at + 4096]:
            yield from (i for i in range(at, min(at + 4096, common)) if left[i] != right[i])


def unpack(data: bytes) -> dict[str, bytes]:
    """The members of a canonical zip; the first byte that is not canonical is the Difference."""
    tries: list[tuple[tuple[bool, int, int], list[int], dict[str, bytes], bytes, Layout]] = []
    for walk in (by_headers, by_directory):
        try:
            members = dict(walk(data))
            built, layout = build(members)
        except (ValueError, OverflowError):
            continue
        if built == data:
            return members
        apart = list(differing(built, data))
        stated = set(manifest_of(members).get("members", ())) | {"manifest.json"}
        tries.append(((len(built) != len(data), len(stated ^ set(members)), len(apart)), apart, members, built, layout))
    if not tries:
        raise Difference(("zip", ""), "form", "a stored zip", "bytes that cannot be read as one")
    (length_differs, _, _), apart, members, built, layout = min(tries, key=lambda item: item[0])
    if length_differs or not apart:
        raise Difference(("zip", ""), "length", len(built), len(data), min([*apart, len(built), len(data)]))
    fields = [layout[bisect_right(layout, (at, "\uffff")) - 1] for at in apart]
    _, name, field = fields[0]
    if {"local header: crc-32", "directory: crc-32"} <= {field for _, member, field in fields if member == name}:
        raise changed_content(data, members, name, layout)
    begin, end = fields[0][0], next((at for at, _, _ in layout if at > fields[0][0]), len(data))
    raise Difference((name or "zip", "zip"), field, built[begin:end].hex(), data[begin:end].hex(), apart[0])


def changed_content(data: bytes, members: dict[str, bytes], name: str, layout: Layout) -> Difference:
    """Where a member's content was changed: to the byte if it is one, which the CRC tells and the SHA-256 confirms."""
    content = members[name]
    begin = next(at for at, member, field in layout if member == name and field == "content")
    header = next(at for at, member, _ in layout if member == name)
    state = zlib.crc32(content) ^ int.from_bytes(data[header + 14 : header + 18], "little")
    stated = manifest_of(members).get("members", {}).get(name)
    for at in range(len(content) - 1, -1, -1):  # undo the CRC byte by byte until one changed byte explains it
        if state in _CRC_OF:
            byte = content[at] ^ _CRC_OF[state]
            whole = content[:at] + bytes([byte]) + content[at + 1 :]
            if stated == [hashlib.sha256(whole).hexdigest(), len(whole)] or (
                name == "manifest.json" and manifest_of({name: whole})
            ):
                return Difference((name, f"byte {at}"), "content", f"{byte:02x}", f"{content[at]:02x}", begin + at)
        top = _CRC_TOP[state >> 24]
        state = (state ^ _CRC[top]) << 8 | top
    return Difference((name, ""), "sha256", stated and stated[0], hashlib.sha256(content).hexdigest(), begin)


# --- 2. members -----------------------------------------------------------------------------------------------------


def dump(value: Any) -> bytes:
    """Canonical JSON: keys sorted, no spaces, no escapes that JSON does not ask for."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def refuse(text: str) -> NoReturn:
    """Nothing but integers has a place in evidence."""
    raise ValueError(f"{text[:40]} is not an integer")


def load(content: bytes, name: str) -> Any:
    """The value of canonical JSON; other spacing, a key twice or a number with a point is a Difference."""
    try:
        value = json.loads(content.decode(), parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Difference((name, ""), "form", "canonical JSON", str(error)[:80]) from None
    same((name, ""), "form", "canonical JSON", "canonical JSON" if dump(value) == content else "JSON in another form")
    return value


def manifest_of(members: dict[str, bytes]) -> dict[str, Any]:
    """What the manifest says of the members if it can be read at all, else nothing."""
    try:
        found: Any = load(members.get("manifest.json", b""), "manifest.json")
        return {"members": dict(found["members"])}
    except (Difference, TypeError, KeyError, ValueError):
        return {}


def check_members(members: dict[str, bytes]) -> dict[str, Any]:
    """The manifest, every other member having the size and SHA-256 that it states."""
    need("manifest.json" in members, ("zip", ""), "members", "manifest.json", sorted(members)[:3])
    manifest = load(members["manifest.json"], "manifest.json")
    same(("manifest.json", ""), "schema", "shutan.evidence/1", manifest.get("schema"))
    same(("manifest.json", ""), "members", sorted({*members} - {"manifest.json"}), sorted(manifest["members"]))
    for name, (sha256, size) in manifest["members"].items():
        same((name, ""), "size", size, len(members[name]))
        same((name, ""), "sha256", sha256, hashlib.sha256(members[name]).hexdigest())
    return manifest


# --- 3. the signature -----------------------------------------------------------------------------------------------

_SPKI = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo of Ed25519 (RFC 8410) before the 32 key bytes


def public_key(pem: bytes, name: str) -> bytes:
    """The 32 raw bytes of a public key in PEM, in the one form that openssl writes."""
    body = b"".join(pem.split(b"\n")[1:-2])
    try:
        der = base64.b64decode(body, validate=True)
    except ValueError:
        der = b""
    again = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----\n"
    good = pem == again and der[:12] == _SPKI and len(der) == 44
    need(good, (name, ""), "form", "an Ed25519 public key in PEM", "other bytes")
    return der[12:]


def run_openssl(*arguments: str) -> tuple[bool, str]:
    """Whether openssl agrees, and what it printed."""
    program = shutil.which("openssl")
    if program is None:
        raise Difference(
            ("openssl", ""), "program", "openssl 3 in PATH", "missing: the signature cannot be checked 缺少 openssl"
        )
    done = subprocess.run([program, *arguments], capture_output=True, check=False)  # noqa: S603 - no shell, own arguments
    return done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace").strip()


def check_signature(data: bytes, signature: bytes, pem: bytes, name: str) -> None:
    """The signature over all bytes, by openssl, over copies of the very bytes that are checked here."""
    same((f"{name}.sig", ""), "size", 64, len(signature))
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, part)) for part in ("data", "sig", "pub")]
        for path, content in zip(paths, (data, signature, pem)):  # noqa: B905 - strict= came with Python 3.10
            Path(path).write_bytes(content)
        good, said = run_openssl(
            "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", paths[2], "-sigfile", paths[1], "-in", paths[0]
        )
    if not good:
        why = said.splitlines()[0][:120] if said else "no reason"
        need("rawin" not in why, ("openssl", ""), "program", "OpenSSL 3.0 or later", why)
        raise Difference((f"{name}.sig", ""), "signature", f"one of {name} by the key {name}.pub", f"openssl: {why}")


def check_time_stamp(path: Path, authority: str) -> str:
    """What is known of the time-stamp token beside the archive."""
    token = path.with_name(path.name + ".tsr")
    if not token.exists():
        return ""
    if not authority:
        return "time stamp not checked: give the authority's certificate by --tsa-ca 时间戳未核验"
    good, said = run_openssl("ts", "-verify", "-data", str(path), "-in", str(token), "-CAfile", authority)
    need(good, (token.name, ""), "time stamp", f"a token over {path.name} by {authority}", said.splitlines()[-1:])
    printed = run_openssl("ts", "-reply", "-in", str(token), "-text")[1]
    return "".join(line for line in printed.splitlines() if line.startswith("Time stamp:")) + " 时间戳有效"


# --- 4. the chain ---------------------------------------------------------------------------------------------------

_LINKED = ("seq", "at", "author", "kind", "key", "period", "body_sha256", "previous")


def check_chain(content: bytes, head: dict[str, Any]) -> list[dict[str, Any]]:
    """The headers of all entries, each linked to the one before, the last being the head."""
    headers: list[dict[str, Any]] = []
    previous = ZEROS
    need(content.endswith(b"\n"), ("chain.jsonl", ""), "form", "lines", "no line end")
    for seq, line in enumerate(content[:-1].split(b"\n"), 1):
        at = ("chain.jsonl", f"entry {seq}")
        header = load(line, "chain.jsonl")
        same(at, "fields", sorted((*_LINKED, "hash")), sorted(header))
        same(at, "seq", seq, header["seq"])
        same(at, "previous", previous, header["previous"])
        linked = {name: header[name] for name in _LINKED}
        previous = hashlib.sha256(dump(linked)).hexdigest()
        same(at, "hash", previous, header["hash"])
        headers.append(header)
    same(("manifest.json", ""), "head", {"seq": len(headers), "hash": previous}, head)
    return headers


STATES = ("gaps", "inexact", "estimated", "complete")  # of the states of a meter's months, the first is the year's


def year_totals(period: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Totals of a year: the sums of its months' totals."""
    totals: dict[str, Any] = {name: {} for name in ("by_scope", "by_source", "by_category", "energy")}
    for part in (part["totals"] for part in parts):
        for name in ("by_scope", "by_source"):
            for key, grams in part[name].items():
                totals[name][key] = totals[name].get(key, 0) + grams
        for key, (gas_g, co2e_g) in part["by_category"].items():
            before = totals["by_category"].get(key, [0, 0])
            totals["by_category"][key] = [before[0] + gas_g, before[1] + co2e_g]
        for key, (value, unit, state) in part["energy"].items():
            before = totals["energy"].get(key, [0, unit, "complete"])
            totals["energy"][key] = [before[0] + value, unit, min(before[2], state, key=STATES.index)]
    totals["complete"] = all(part["totals"]["complete"] for part in parts)
    totals["provisional"] = any(part["totals"]["provisional"] for part in parts)
    return {**totals, "schema": "shutan.totals/1", "period": period}


class Chain:
    """The chain with the bodies that the archive holds."""

    def __init__(self, members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        self.members = members
        self.headers = check_chain(members.get("chain.jsonl", b""), manifest["head"])
        self.used = {"manifest.json", "chain.jsonl", "README.txt"}

    def body(self, seq: Any, kind: str, key: Any) -> dict[str, Any]:
        """The body of an entry, which has to be of that kind and key."""
        name = f"documents/{seq}.json"
        need(type(seq) is int and 1 <= seq <= len(self.headers), (name, ""), "seq", f"1 to {len(self.headers)}", seq)
        header = self.headers[seq - 1]
        same(("chain.jsonl", f"entry {seq}"), "kind and key", [kind, key], [header["kind"], header["key"]])
        need(name in self.members, (name, ""), "member", f"the body of {kind} {key}", "missing")
        same((name, ""), "sha256", header["body_sha256"], hashlib.sha256(self.members[name]).hexdigest())
        self.used.add(name)
        return load(self.members[name], name)

    def close(self, seq: Any, period: str) -> dict[str, Any]:
        """A closing entry: its version counts the closings of the period so far."""
        close = self.body(seq, "close", period)
        at = (f"documents/{seq}.json", f"close {period}")
        earlier = [row["seq"] for row in self.headers[: seq - 1] if (row["kind"], row["key"]) == ("close", period)]
        same(at, "period", [period, period], [close["period"], self.headers[seq - 1]["period"]])
        same(at, "version", len(earlier) + 1, close["version"])
        same(at, "restates", earlier[-1] if earlier else None, close["restates"])
        return close

    def year(self, seq: Any, period: str) -> dict[str, int]:
        """The closing entries of a closed year's months, the latest of each, whose totals add up to the year's."""
        close, at = self.close(seq, period), (f"documents/{seq}.json", f"close {period}")
        months = [f"{period}-{number_of:02d}" for number_of in range(1, 13)]
        same(at, "months", months, [month for month, _, _ in close["months"]])
        parts: list[dict[str, Any]] = []
        for month, number_of, version in close["months"]:
            latest = [row["seq"] for row in self.headers if (row["kind"], row["key"]) == ("close", month)][-1:]
            same(at, f"closing entry of {month}", latest, [number_of])
            parts.append(self.close(number_of, month))
            same(at, f"version of {month}", parts[-1]["version"], version)
        same_keys(at, "totals", year_totals(period, parts), close["totals"])
        return {month: number_of for month, number_of, _ in close["months"]}

    def month(self, seq: Any, period: str) -> tuple[dict[str, Any], dict[str, tuple[str, Any]]]:
        """The closing entry of a month and its documents by name: (member, body)."""
        close, at = self.close(seq, period), (f"documents/{seq}.json", f"close {period}")
        documents: dict[str, tuple[str, Any]] = {}
        for name, number_of, sha256 in close["documents"]:
            documents[name] = (f"documents/{number_of}.json", self.body(number_of, "document", name))
            header = self.headers[int(number_of) - 1]
            same(at, f"sha256 of {name}", header["body_sha256"], sha256)
            same(at, f"period of {name}", period, header["period"])
            same(at, "seq of a document", True, number_of < seq)
        same(at, "documents", len(close["documents"]), len(documents))
        same_keys(at, "totals", documents["totals"][1] if "totals" in documents else {}, close["totals"])
        return close, documents


# --- 5. one month, computed again -----------------------------------------------------------------------------------


class Flow(NamedTuple):
    """What passed a meter from one known boundary to another, in the meter's step."""

    start_ns: int
    end_ns: int
    value: int
    estimated: bool
    exact: bool


def counts_of(at: tuple[str, str], doc: dict[str, Any]) -> list[int]:
    """The joined count at each reading: registers, and at each break what its kind says was counted."""
    times, registers, owners = doc["t_ns"], doc["register"], doc["instrument"]
    breaks = {cut["at"]: cut for cut in doc["breaks"]}
    same(at, "columns", [len(times)] * 2, [len(registers), len(owners)])
    same(at, "breaks", sorted(breaks), [cut["at"] for cut in doc["breaks"]])
    need(all(0 < k < len(times) for k in breaks), at, "breaks", "places between readings", sorted(breaks))
    counts = [0] if times else []
    for k, (t_ns, register, owner) in enumerate(zip(times, registers, owners)):  # noqa: B905 - lengths are the same
        span = doc["instruments"][owner].get("rollover")
        need(
            type(register) is int and register >= 0 and (span is None or register < span),
            at,
            f"register {k}",
            f"0 to {span}",
            register,
        )
        if k == 0:
            continue
        before, cut = registers[k - 1], breaks.get(k)
        need(type(t_ns) is int and times[k - 1] <= t_ns, at, f"t_ns {k}", f"not before {times[k - 1]}", t_ns)
        if cut is None:
            same(at, f"instrument {k}", owners[k - 1], owner)
            need(register >= before, at, f"register {k}", f"at least {before}", register)
            counts.append(counts[-1] + register - before)
            continue
        kind = cut["kind"]
        same(at, f"break {k}", kind == "swap", owner != owners[k - 1])
        need(kind == "swap" or register < before, at, f"register {k} after a {kind}", f"below {before}", register)
        rules = {"rollover": span and span - before + register, "reset": register, "swap": 0, "negative_step": 0}
        same(at, f"counted at break {k}", rules.get(kind), cut["counted"])
        sealed = kind == "rollover" or (kind == "swap" and t_ns == times[k - 1] and cut["exact"])
        same(at, f"exact at break {k}", sealed, cut["exact"])
        counts.append(counts[-1] + cut["counted"])
    return counts


def flows_of(at: tuple[str, str], doc: dict[str, Any], month: Month) -> list[Flow]:
    """All flows of a meter, computed from its registers and compared with the stated ones."""
    counts = counts_of(at, doc)
    times: list[int] = doc["t_ns"]
    inexact = [cut["at"] for cut in doc["breaks"] if not cut["exact"]]
    declared = [month.row(key, at) for key in doc["declared_missing"]]
    methods = {row["method"] for row in declared if row["meter"] == doc["meter"] and month.share(row)}
    hours = (month.end_ns - month.start_ns) // HOUR_NS
    same(at, "boundaries", hours + 1, len(doc["boundaries"]))
    known: list[tuple[int, int, int, int, int]] = []  # number, time, low, high, count
    for i, boundary in enumerate(doc["boundaries"]):
        if boundary is None:
            continue
        t_ns, low, high = (int(part) for part in boundary)
        same(at, f"time of boundary {i}", month.start_ns + i * HOUR_NS, t_ns)
        need(0 <= low <= high < len(times), at, f"readings of boundary {i}", f"0 to {len(times) - 1}", [low, high])
        count: int = counts[low]
        if low == high:
            apart = abs(times[low] - t_ns)
            need(apart <= month.tolerance_ns, at, f"boundary {i}", f"a reading within {month.tolerance_ns} ns", apart)
        else:
            need("linear" in methods, at, f"boundary {i}", "a declaration that allows an estimate", sorted(methods))
            around = [times[low], times[high]]
            need(around[0] < t_ns < around[1], at, f"boundary {i}", "a reading on either side", around)
            count += (counts[high] - count) * (t_ns - times[low]) // (times[high] - times[low])
        known.append((i, t_ns, low, high, count))
    flows: list[Flow] = []
    stated: list[list[int]] = []
    for k in range(1, len(known)):
        (i, start_ns, low, left_high, first), (j, end_ns, right_low, high, last) = known[k - 1], known[k]
        if j > i + 1 and high <= low:
            continue
        exact = not any(low < cut <= high for cut in inexact)
        flows.append(Flow(start_ns, end_ns, last - first, low != left_high or right_low != high, exact))
        stated.append([i, j, last - first])
    for i, (expected, found) in enumerate(zip(stated, doc["flows"])):  # noqa: B905 - the lengths are compared below
        same(at, f"flow {i} [from, to, value]", expected, found[:3])
        present, expect = found[3:]
        fits = type(present) is int and present >= 0 and (expect is None or present <= expect)
        need(fits, at, f"readings in flow {i}", f"0 to {expect}", present)
    same(at, "flows", len(stated), len(doc["flows"]))
    return flows


def burnt(v: dict[str, Fraction], fc: Fraction) -> Fraction:
    """Carbon balance: kg CO2 of fc t or 1e4 Nm3 of a fuel."""
    return fc * v["ncv"] * v["cc"] / 1000 * v["of"] / 100 * Fraction(44, 12) * 1000


def normal(v: dict[str, Fraction]) -> Fraction:
    """1e4 Nm3 (0 °C, 101.325 kPa) of a metered volume in litres."""
    zero, atmosphere = Fraction("273.15"), Fraction("101.325")
    return v["volume"] / 1000 * zero / (zero + v["temperature"]) * v["pressure"] / atmosphere / 10000


_FUEL = {"ncv": "GJ/t GJ/1e4Nm3", "cc": "tC/TJ", "of": "%"}
_HEAT = {"ef": "tCO2/GJ"}
_GWP = {"gwp": "kgCO2e/kg"}


@dataclass(frozen=True)
class Formula:
    """category, inputs and factor roles with their units, kg of gas from both."""

    category: str
    inputs: dict[str, str]
    roles: dict[str, str]
    kg: Callable[[dict[str, Fraction]], Fraction]


FORMULAS: dict[str, Formula] = {
    "electricity.average/1": Formula(
        "electricity", {"energy": "Wh"}, {"ef": "kgCO2/kWh"}, lambda v: v["energy"] / 1000 * v["ef"]
    ),
    "electricity.instrument/1": Formula(
        "electricity", {"energy": "Wh", "ef": "kgCO2/kWh"}, {}, lambda v: v["energy"] / 1000 * v["ef"]
    ),
    "combustion.carbon_balance/1": Formula("combustion", {"fc": "t 1e4Nm3"}, _FUEL, lambda v: burnt(v, v["fc"])),
    "combustion.metered_gas/1": Formula(
        "combustion", {"volume": "L", "temperature": "Cel", "pressure": "kPa"}, _FUEL, lambda v: burnt(v, normal(v))
    ),
    "process.mass/1": Formula(
        "process",
        {"mass": "t", "purity": "1", "conversion": "1"},
        {"ef": "tCO2/t tCO2/tCO2"},
        lambda v: v["mass"] * v["purity"] * v["conversion"] * v["ef"] * 1000,
    ),
    "process.clinker/1": Formula(
        "process",
        {"mass": "t", "cao": "1", "cao_nc": "1", "mgo": "1", "mgo_nc": "1"},
        {},
        lambda v: (
            v["mass"]
            * ((v["cao"] - v["cao_nc"]) * Fraction(44, 56) + (v["mgo"] - v["mgo_nc"]) * Fraction(44, 40))
            * 1000
        ),
    ),
    "fugitive.stock_balance/1": Formula(
        "fugitive",
        {"opening": "kg", "bought": "kg", "closing": "kg", "recovered": "kg"},
        _GWP,
        lambda v: v["opening"] + v["bought"] - v["closing"] - v["recovered"],
    ),
    "fugitive.top_up/1": Formula("fugitive", {"topped_up": "kg"}, _GWP, lambda v: v["topped_up"]),
    "heat.energy/1": Formula("heat", {"heat": "GJ"}, _HEAT, lambda v: v["heat"] * v["ef"] * 1000),
    "heat.metered/1": Formula("heat", {"heat": "kJ"}, _HEAT, lambda v: v["heat"] / 1000000 * v["ef"] * 1000),
    "heat.steam_mass/1": Formula(
        "heat",
        {"mass": "t", "enthalpy": "kJ/kg"},
        {"deduction": "kJ/kg", **_HEAT},
        lambda v: v["mass"] * (v["enthalpy"] - v["deduction"]) / 1000 * v["ef"] * 1000,
    ),
    "heat.hot_water/1": Formula(
        "heat",
        {"mass": "t", "temperature": "Cel"},
        _HEAT,
        lambda v: v["mass"] * (v["temperature"] - 20) * Fraction("4.1868") / 1000 * v["ef"] * 1000,
    ),
    "biogenic.fermentation/1": Formula(
        "fermentation", {"ethanol": "t"}, {}, lambda v: v["ethanol"] * Fraction(44, 46) * 1000
    ),
    "wastewater.ch4/1": Formula(
        "wastewater",
        {"cod_removed": "kg", "sludge": "kg", "recovered": "kg", "mcf": "1"},
        {"bo": "kgCH4/kgCOD", **_GWP},
        lambda v: (v["cod_removed"] - v["sludge"]) * v["bo"] * v["mcf"] - v["recovered"],
    ),
}

# What a factor row has to be (category, parameter, subject), by its role; electricity by the scope of the line.
KINDS = {
    "ncv": ("combustion", "ncv", ""), "cc": ("combustion", "carbon_content", ""),
    "of": ("combustion", "oxidation_rate", ""), "process": ("process", "co2_process", ""),
    "bo": ("process", "bo", "wastewater"), "deduction": ("purchased_heat", "enthalpy_deduction", "steam"),
    "heat": ("purchased_heat", "co2_average", "heat"),
    "scope2_location": ("grid_electricity", "co2_average", "electricity"),
    "memo_export": ("grid_electricity", "co2_average", "electricity"),
    "scope2_reporting": ("grid_electricity", "co2_reporting_default", "electricity"),
    "memo_export_reporting": ("grid_electricity", "co2_reporting_default", "electricity"),
    "scope2_market": ("grid_electricity", "co2_residual_mix", "electricity"),
}  # fmt: skip
# Scopes in which every flow of a meter has a line, by role and carrier: purchased or handed-on energy.
SCOPES = {
    ("entry", "electricity"): {"scope2_location", "scope2_reporting"},
    ("entry", "natural_gas"): {"scope1"}, ("entry", "steam"): {"scope2_heat"}, ("entry", "heat"): {"scope2_heat"},
    ("export", "electricity"): {"memo_export", "memo_export_reporting"},
    ("export", "pv"): {"memo_export", "memo_export_reporting"},
    ("export", "steam"): {"memo_export"}, ("export", "heat"): {"memo_export"},
}  # fmt: skip
# First input of a metered line by the meter's unit, and what the flow is divided by.
QUANTITIES = {"Wh": ("energy", 1), "L": ("volume", 1), "g": ("mass", 10**6), "kJ": ("heat", 1)}
# Inputs of a line of documents: kind of row, and the field of each input. Amounts of a row that reaches over the end of
# the month are shared by days; what is no amount (a share, a temperature) is not.
ROWS = {
    "process.mass/1": ("process_input", {"mass": "mass_t", "purity": "purity", "conversion": "conversion"}),
    "process.clinker/1": (
        "clinker",
        {"mass": "mass_t", "cao": "cao", "cao_nc": "cao_non_carbonate", "mgo": "mgo", "mgo_nc": "mgo_non_carbonate"},
    ),
    "fugitive.stock_balance/1": (
        "refrigerant",
        {"opening": "opening_kg", "bought": "bought_kg", "closing": "closing_kg", "recovered": "recovered_kg"},
    ),
    "fugitive.top_up/1": ("refrigerant", {"topped_up": "topped_up_kg"}),
    "heat.energy/1": ("heat_purchase", {"heat": "heat_gj"}),
    "heat.steam_mass/1": ("heat_purchase", {"mass": "mass_t", "enthalpy": "enthalpy_kj_per_kg"}),
    "heat.hot_water/1": ("heat_purchase", {"mass": "mass_t", "temperature": "temperature_c"}),
    "biogenic.fermentation/1": ("fermentation", {"ethanol": "ethanol_t"}),
    "wastewater.ch4/1": (
        "wastewater",
        {"cod_removed": "cod_removed_kg", "sludge": "sludge_cod_kg", "recovered": "recovered_ch4_kg", "mcf": "mcf"},
    ),
}
GAS_ROWS = {"ch4": "ch4_bio"}  # methane of waste water, where a set of potentials tells it from fossil methane
HEAT_FORMS = {"heat": "heat.energy/1", "steam": "heat.steam_mass/1", "hot_water": "heat.hot_water/1"}
NO_AMOUNT = {"purity", "conversion", "cao", "cao_nc", "mgo", "mgo_nc", "enthalpy", "temperature", "mcf"}
# Gases that count in scope 1; others (HCFC-22) are shown apart.
SEVEN_GASES = re.compile(r"co2|ch4\w*|n2o|sf6|nf3|hfc-.+|cf4|c2f6|r410a|r404a|r407c|r507a")
# Scopes that a line may stand in, by its category; for electricity and heat of meters SCOPES says more.
CATEGORY_SCOPES = {
    "combustion": {"scope1"}, "process": {"scope1"}, "wastewater": {"scope1"}, "fermentation": {"memo_biogenic"},
    "fugitive": {"scope1", "memo_outside"}, "heat": {"scope2_heat", "memo_export"},
    "electricity": {scope for scope in KINDS if scope[:6] in {"scope2", "memo_e"}},
}  # fmt: skip
# Fuels that stand for an entry meter of a carrier whose meter alone has no emission.
FUELS = {
    "diesel": {"diesel"},
    "coal": {"anthracite", "bituminous", "lignite", "washed_coal", "other_washed_coal", "briquette", "coal_power"},
}


def zone_of(name: str) -> Any:
    """A calendar; China has kept UTC+8 without summer time since 1992."""
    if name == CHINA:
        return timezone(timedelta(hours=8))
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - needs the system's zone files, which only other calendars need

    return ZoneInfo(name)


def ratio(value: Any) -> Fraction:
    """A transformer's ratio as the site model writes it: 40, or [200, 5]."""
    parts = cast("list[Any]", value) if isinstance(value, list) else [value, 1]
    return Fraction(parts[0]) / Fraction(parts[1])


def instruments_of(model: dict[str, Any]) -> list[list[Any]]:
    """Node, device, serial number, CT, PT and span of each instrument that the site model has at a meter."""
    found: list[list[Any]] = []
    item: dict[str, Any]
    for item in model.get("installation", [model]) if model else ():
        spans = [value for key, value in item.items() if key[:8] == "rollover"]
        plate = [item.get(name, "") for name in ("node", "device", "serial")]
        found.append([*plate, ratio(item.get("ct", 1)), ratio(item.get("pt", 1)), spans[0] if spans else None])
    return found


def by_key(at: tuple[str, str], rows: list[dict[str, Any]], key: str) -> dict[str, dict[str, Any]]:
    """Rows by a key that stands once."""
    found = {row[key]: row for row in rows}
    same(at, f"rows, each {key} once", len(found), len(rows))
    return found


def used_wh(at: tuple[str, str], line: dict[str, Any]) -> Fraction:
    """Energy of a market-based line, Wh."""
    return number({name: text for name, text, _ in line["inputs"]}.get("energy"), at, "energy")


class Month:
    """One closed month: its documents, and everything computed from them again."""

    def __init__(self, period: str, documents: dict[str, tuple[str, Any]]) -> None:
        self.period, self.documents = period, documents
        for name, (member, body) in documents.items():
            same((member, name), "schema", f"shutan.{name.split('/')[0]}/1", body["schema"])
        self.site_at, self.site = self.find("site")
        self.zone = zone_of(self.site["zone"])
        self.days: dict[int, str] = {}
        self.model = self.read_model()
        year, month = int(period[:4]), int(period[5:])
        self.first, self.after = date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
        self.start_ns, self.end_ns = self.ns_of(self.first), self.ns_of(self.after)
        stated = self.model.get("site", {}).get("tolerance_s", 900) if tomllib else HOUR_NS  # unread: half an hour
        self.tolerance_ns = min(stated * 10**9, HOUR_NS // 2 - 1)
        self.factors_at, factors = self.find("factors")
        self.as_of, self.factors = factors["as_of"], by_key(self.factors_at, factors["rows"], "id")
        self.formulas = {row["name"] for row in self.find("formulas")[1]["rows"]}
        self.rows: dict[str, dict[str, Any]] = {}
        for at, body in self.starting("activities/"):
            same(at, "kind", at[1], f"activities/{body['kind']}")
            self.rows.update((f"{body['kind']}/{key}", row) for key, row in by_key(at, body["rows"], "key").items())
        self.readings = {body["meter"]: (at, body) for at, body in self.starting("readings/")}
        self.flows = {meter: flows_of(at, body, self) for meter, (at, body) in self.readings.items()}
        self.lines: list[tuple[tuple[str, str], dict[str, Any]]] = []
        self.unvalued: list[dict[str, Any]] = []
        self.ids: set[str] = set()
        self.factor_uses: dict[tuple[Any, ...], Fraction] = {}
        self.claimed = self.read_claims()

    def find(self, name: str) -> tuple[tuple[str, str], Any]:
        """A document that every month has: its place and body."""
        member, body = self.documents.get(name, ("", None))
        need(body is not None, (f"close {self.period}", name), "document", name, "missing")
        return (member, name), body

    def starting(self, prefix: str) -> list[tuple[tuple[str, str], Any]]:
        """The documents of a kind."""
        return [((member, name), body) for name, (member, body) in self.documents.items() if name.startswith(prefix)]

    def row(self, key: str, at: tuple[str, str]) -> dict[str, Any]:
        """An activity row by "kind/key"."""
        need(key in self.rows, at, "activity row", key, "missing")
        return self.rows[key]

    def ns_of(self, day: date) -> int:
        """UTC nanoseconds of a local midnight."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()) * 10**9

    def day_of(self, t_ns: int) -> str:
        """Local day of an instant, ISO; looked up once per hour."""
        hour = t_ns // HOUR_NS
        if hour not in self.days or self.site["zone"] != CHINA:
            self.days[hour] = datetime.fromtimestamp(t_ns // 10**9, self.zone).date().isoformat()
        return self.days[hour]

    def read_model(self) -> dict[str, Any]:
        """The site model's text where this Python can read TOML; what the document says of it has to agree."""
        same(self.site_at, "sha256", hashlib.sha256(self.site["text"].encode()).hexdigest(), self.site["sha256"])
        if tomllib is None:
            return {}
        model: dict[str, Any] = tomllib.loads(self.site["text"], parse_float=Fraction)
        stated = {
            "timezone": CHINA,
            "region": "CN",
            "fuel_family": "FUELB",
            "gwp": "AR5",
            "sector": "general",
        }
        for key, default in stated.items():
            same(self.site_at, key, model["site"].get(key, default), self.site["zone" if key == "timezone" else key])
        meters = sorted(item["id"] for item in model.get("meter", []))
        same(self.site_at, "meters", meters, sorted(body["meter"] for _, body in self.starting("readings/")))
        return model

    def meter(self, meter: str) -> dict[str, Any]:
        """What the site model says of a meter."""
        for item in self.model.get("meter", []):
            if item["id"] == meter:
                return item
        return {}

    # lines

    def check(self) -> None:
        """Everything of the month; the first figure that differs is raised."""
        documents = self.starting("lines/")
        ids = [line["id"] for _, body in documents for line in body["lines"]]
        self.ids = set(ids)
        same((self.period, "lines"), "ids, each once", len(self.ids), len(ids))
        for (member, name), body in documents:
            self.unvalued += body["unvalued"]
            for line in body["lines"]:
                at = (member, line["id"])
                source = "lines/market" if line["source"].startswith("market:") else f"lines/{line['source']}"
                same(at, "document", source, name)
                self.check_line(at, line)
                self.lines.append((at, line))
        for meter, (at, body) in self.readings.items():
            self.check_meter(at, meter, body)
            self.check_covered(at, meter, body)
        self.check_rows_used()
        self.check_market()
        self.check_totals()

    def check_line(self, at: tuple[str, str], line: dict[str, Any]) -> None:
        """One line: its inputs from their origin, its factors from their rows, its grams from the formula."""
        formula = FORMULAS.get(line["formula"])
        if formula is None or line["formula"] not in self.formulas:
            raise Difference(at, "formula", "one of this program and of the document formulas", line["formula"])
        same(at, "category", formula.category, line["category"])
        need(line["scope"] in CATEGORY_SCOPES[formula.category], at, "scope", formula.category, line["scope"])
        values: dict[str, Fraction] = {}
        for name, text, unit in line["inputs"]:
            units = formula.inputs.get(name) or (name in _FUEL and formula.roles.get(name)) or ""
            need(unit in units.split() and name not in values, at, f"unit of {name}", units, unit)
            values[name] = number(text, at, name)
        same(at, "inputs", [], sorted(formula.inputs.keys() - values.keys()))
        for role, row_id in line["factors"]:
            need(role in formula.roles and role not in values, at, "factor role", sorted(formula.roles), role)
            values[role] = self.factor(at, line, role, row_id, formula.roles[role])
        same(at, "factors", [], sorted(formula.roles.keys() - values.keys()))
        need({"provisional", "estimated", "inexact"} >= {*line["marks"]}, at, "marks", "known ones", line["marks"])
        if not line["source"].startswith("meter:"):
            same(at, "flow", None, line["flow"])
        if line["source"].startswith("meter:"):
            expected = self.metered(at, line)
        elif line["source"].startswith("activity:"):
            expected = self.documented(at, line)
        else:
            expected = self.instrument(at, line)
        for name, value in expected.items():
            same(at, f"input {name}", value, values.get(name))
        kg = formula.kg(values)
        need(kg >= 0, at, "mass of gas", "not below zero", str(kg))
        same(at, "gas_g", round(kg * 1000), line["gas_g"])
        same(at, "co2e_g", round(kg * values.get("gwp", 1) * 1000), line["co2e_g"])
        if "gwp" not in values:
            same(at, "gas", "co2", line["gas"])

    def factor(self, at: tuple[str, str], line: dict[str, Any], role: str, row_id: str, units: str) -> Fraction:
        """The value of a factor row, checked once for all lines of a day that use it alike."""
        days = (self.day_of(line["start_ns"]), self.day_of(line["end_ns"] - 1))
        alike = tuple(line[name] for name in ("source", "scope", "category", "gas"))
        use = (role, row_id, units, days, alike, "provisional" in line["marks"])
        if use not in self.factor_uses:
            self.factor_uses[use] = self.check_factor(at, line, (role, row_id, units), days)
        return self.factor_uses[use]

    def check_factor(
        self, at: tuple[str, str], line: dict[str, Any], use: tuple[str, str, str], days: tuple[str, str]
    ) -> Fraction:
        """The value of a factor row, which has to be of the kind that the role asks for and known in time."""
        (role, row_id, units), (first, last) = use, days
        need(row_id in self.factors, at, f"factor row of {role}", row_id, "missing")
        row, place = self.factors[row_id], (self.factors_at[0], row_id)
        need(row["unit"] in units.split(), place, "unit", units, row["unit"])
        need(row["known_from"] <= self.as_of, place, "known_from", f"at most {self.as_of}", row["known_from"])
        kind = role if role != "ef" else line["scope"] if line["category"] == "electricity" else line["category"]
        gwp = ("gwp", f"gwp100_{self.site['gwp'].lower()}", "")
        category, parameter, subject = gwp if role == "gwp" else KINDS.get(kind, ("", "", ""))
        same(place, "kind", [category, parameter], [row["category"], row["parameter"]])
        if category == "combustion" and line["source"].startswith("meter:"):
            subject = self.readings[line["source"][len("meter:") :]][1]["carrier"]
        need(subject in {"", row["subject"]}, place, "subject", subject, row["subject"])
        if role == "gwp":
            need(row["subject"] in {line["gas"], GAS_ROWS.get(line["gas"])}, place, "gas", line["gas"], row["subject"])
        elif category == "combustion":
            need(row_id.startswith(self.site["fuel_family"] + "-"), place, "family", self.site["fuel_family"], row_id)
        elif category == "grid_electricity":
            region = self.site["region"] if parameter == "co2_average" else "CN"
            same(place, "region", region, row["region"])
        need(row["valid_from"] <= last, place, "valid_from", f"at most {last}", row["valid_from"])
        late = bool(row["valid_to"]) and row["valid_to"] < first
        if category == "grid_electricity":
            same(at, "provisional 暂用", late, "provisional" in line["marks"])
        else:
            need(not late, place, "valid_to", f"at least {first}", row["valid_to"])
        return number(row["value"], place, "value")

    def metered(self, at: tuple[str, str], line: dict[str, Any]) -> dict[str, Fraction]:
        """What the inputs of a metered line have to be, from the flow that it names."""
        meter, index = line["source"][len("meter:") :], line["flow"]
        need(meter in self.readings, at, "readings", meter, "missing")
        flows = self.flows[meter]
        need(type(index) is int and 0 <= index < len(flows), at, "flow", f"0 to {len(flows) - 1}", index)
        flow, body = flows[index], self.readings[meter][1]
        same(at, "start_ns, end_ns", [flow.start_ns, flow.end_ns], [line["start_ns"], line["end_ns"]])
        same(at, "id", f"{line['source']}|{line['scope']}|{flow.start_ns}", line["id"])
        same(at, "estimated 估算", flow.estimated, "estimated" in line["marks"])
        same(at, "inexact", not flow.exact, "inexact" in line["marks"])
        name, divisor = QUANTITIES[body["unit"]]
        expected = {name: Fraction(flow.value, divisor)}
        model = self.meter(meter)
        if "gas_reference" in model:
            expected["temperature"] = Fraction(model["gas_reference"]["temperature_c"])
            expected["pressure"] = Fraction(model["gas_reference"]["pressure_kpa"])
        if "enthalpy_kj_per_kg" in model:
            expected["enthalpy"] = Fraction(model["enthalpy_kj_per_kg"])
        values, tests = self.measured(at, body["carrier"]) if body["carrier"] == "natural_gas" else ({}, {})
        need({row["unit"] for row in tests.values()} <= {"1e4Nm3"}, at, "unit of fuel_quality", "1e4Nm3", sorted(tests))
        same(at, "measured values", sorted(values), sorted({name for name, _, _ in line["inputs"]} & {*_FUEL}))
        same(at, "activities", sorted(tests) if values else [], sorted(line["activities"]))
        return {**expected, **values}

    def documented(self, at: tuple[str, str], line: dict[str, Any]) -> dict[str, Fraction]:
        """What the inputs of a line of documents have to be, from the rows that it names."""
        keys = line["activities"]
        rows = [(key.split("/", 1)[0], self.row(key, at)) for key in keys]
        same(at, "start_ns, end_ns", [self.start_ns, self.end_ns], [line["start_ns"], line["end_ns"]])
        need(bool(rows), at, "activities", "at least one row", [])
        fuel = line["formula"].startswith("combustion.")
        named = f"fuel_movement/{rows[0][1].get('fuel')}" if fuel else keys[0]
        same(at, "id", f"activity:{named}|{line['scope']}|{self.period}", line["id"])
        same(at, "source", f"activity:{named.split('/')[0]}", line["source"])
        if fuel:
            return self.fuel(at, line, rows[0][1].get("fuel"))
        kind, fields = ROWS[line["formula"]]
        same(at, "rows", [kind], [name for name, _ in rows])
        row = rows[0][1]
        if kind == "process_input":
            used = self.factors[dict(line["factors"])["ef"]]
            same(at, "material", row["material"], used["subject"])
        if kind == "refrigerant":
            same(at, "gas", row["gas"], line["gas"])
            same(at, "scope", "scope1" if SEVEN_GASES.fullmatch(row["gas"]) else "memo_outside", line["scope"])
            same(at, "method", line["formula"], f"fugitive.{row['method']}/1")
        if kind == "heat_purchase":
            same(at, "form", HEAT_FORMS.get(row["form"]), line["formula"])
        need(self.share(row) > 0, at, "days of the row", f"some in {self.period}", keys[0])
        return {
            name: number(row[field], at, field) * (1 if name in NO_AMOUNT else self.share(row))
            for name, field in fields.items()
        }

    def fuel(self, at: tuple[str, str], line: dict[str, Any], fuel: Any) -> dict[str, Fraction]:
        """Fuel burnt in the month, and measured values where every batch of it states them, weighted by quantity.

        Burnt = opening stock + purchases - closing stock - handed on; without both stocks it is purchases - handed on,
        and for what is not piped that is marked as estimated.
        """
        moved = {key: row for key, row in self.rows.items() if key[:14] == "fuel_movement/" and row["fuel"] == fuel}
        measured, tests = self.measured(at, fuel)
        units = {row["unit"] for row in (*moved.values(), *tests.values())}
        same(at, "unit of fc", {unit for name, _, unit in line["inputs"] if name == "fc"}, units)
        sums: dict[str, Fraction] = defaultdict(Fraction)
        for key, row in moved.items():
            need(self.share(row) == 1, at, f"day of {key}", self.period, row["day"])
            sums[row["direction"]] += number(row["quantity"], at, f"quantity of {key}")
        burnt = sums["purchase"] - sums["transfer_out"]
        taken = {"opening_stock", "closing_stock"} <= {row["direction"] for row in moved.values()}
        if taken:
            burnt += sums["opening_stock"] - sums["closing_stock"]
        same(at, "estimated 估算", not taken and units != {"1e4Nm3"}, "estimated" in line["marks"])
        expected = {"fc": burnt, **measured}
        given = {name for name, _, _ in line["inputs"]}
        same(at, "measured values", sorted(expected), sorted(given))
        for role, row_id in line["factors"]:
            same((self.factors_at[0], row_id), f"fuel of {role}", fuel, self.factors[row_id]["subject"])
        same(at, "rows", sorted([*moved, *(tests if measured else ())]), sorted(line["activities"]))
        return expected

    def measured(self, at: tuple[str, str], fuel: Any) -> tuple[dict[str, Fraction], dict[str, dict[str, Any]]]:
        """Own values of a fuel: what every analysis of the month states, weighted by quantity; and the analyses."""
        tests = {key: row for key, row in self.rows.items() if key[:13] == "fuel_quality/" and row["fuel"] == fuel}
        tests = {key: row for key, row in tests.items() if self.share(row)}
        weights = [number(row["quantity"], at, "quantity") * self.share(row) for row in tests.values()]
        found: dict[str, Fraction] = {}
        for name, field in (("ncv", "ncv"), ("cc", "carbon_content"), ("of", "oxidation_rate")):
            if tests and all(row[field] is not None for row in tests.values()):
                values = [number(row[field], at, field) for row in tests.values()]
                mean = sum((weight * value for weight, value in zip(weights, values)), Fraction(0))  # noqa: B905
                found[name] = mean / sum(weights)
        return found, tests

    def share(self, row: dict[str, Any]) -> Fraction:
        """Share of a row's days, or of its one day, that lie in the month."""
        start, end = (date.fromisoformat(row[key]) for key in (("start", "end") if "start" in row else ("day", "day")))
        inside = (min(end, self.after - timedelta(1)) - max(start, self.first)).days + 1
        return Fraction(max(inside, 0), (end - start).days + 1)

    # completeness and totals

    def check_covered(self, at: tuple[str, str], meter: str, body: dict[str, Any]) -> None:
        """Every flow of a meter at the border has one line in each of its scopes, or is listed as not valued."""
        source, scopes = f"meter:{meter}", SCOPES.get((body["role"], body["carrier"]), set())
        found: dict[str, list[int]] = defaultdict(list)
        for _, line in self.lines:
            if line["source"] == source:
                found[line["scope"]].append(line["flow"])
        if not found and body["carrier"] == "steam" and body["unit"] == "g":
            return  # steam by mass without a stated enthalpy has no lines; the month is then not complete
        apart: dict[int, str] = {}
        spans = {(flow.start_ns, flow.end_ns): i for i, flow in enumerate(self.flows[meter])}
        for item in self.unvalued:
            if item["source"] == source:
                i = spans.get((item["start_ns"], item["end_ns"]), -1)
                need(i >= 0, at, "not valued", "a flow of the meter", item["start_ns"])
                stated = [self.flows[meter][i].value, body["unit"]]
                same(at, f"not valued flow {i}", stated, [number(item["value"], at, "value"), item["unit"]])
                apart[i] = item["reason"]
        everywhere = [i for i in range(len(self.flows[meter])) if i not in apart]
        for scope in sorted(scopes | set(found)):
            expected = everywhere if scope in scopes else []
            same(at, f"flows with a line in {scope}", expected, sorted(i for i in found[scope] if i not in apart))
        for i in apart:
            need(any(i not in found[scope] for scope in scopes), at, f"not valued flow {i}", "no line", "lines in all")

    def check_meter(self, at: tuple[str, str], meter: str, body: dict[str, Any]) -> None:
        """What the readings say of the metering point and its instruments is what the site model says."""
        same(at, "meter", at[1], f"readings/{meter}")
        whole = bool(self.flows[meter]) and None not in (body["boundaries"][0], body["boundaries"][-1])
        need(whole or bool(body["declared_missing"]), at, "declared_missing", "a declaration: the month has a hole", [])
        model = self.meter(meter)
        for key in ("carrier", "role", "level", "parent", "name", "name_zh", "metric"):
            need(model.get(key) in {None, body.get(key)}, at, key, model.get(key), body.get(key))
        stand = instruments_of(model)
        used: dict[str, Any]
        for used in body["instruments"] if model else ():
            if "device" not in used:
                continue  # a register that a person read 抄表
            place = f"instrument {used['source']}"
            own: list[Any] = [used["node"], used["device"], used["serial"]]
            own += [number(used["ct"], at, "ct"), number(used["pt"], at, "pt")]
            need([*own, used["rollover"]] in stand, at, place, "one of the site model", str([*own, used["rollover"]]))
            same(at, place, f"{own[0]}/{own[1]}" + (f" #{own[2]}" if own[2] else ""), used["source"])
            for key in ("accuracy_class", "calibrated", "calibration_due"):
                need(str(used[key]) == str(model.get(key, used[key])), at, key, str(model.get(key)), used[key])

    def check_rows_used(self) -> None:
        """Every row of an emitting kind is in a line, or something of its kind is listed as not valued."""
        kinds = {kind for kind, _ in ROWS.values()} | {"fuel_movement"}
        used = {key for _, line in self.lines for key in line["activities"]}
        apart = {item["source"] for item in self.unvalued}
        for key in self.rows:
            kind = key.split("/", 1)[0]
            if kind in kinds and f"activity:{kind}" not in apart:
                need(key in used, (f"activities/{kind}", key), "line", "a line that uses the row", "none")

    def instrument(self, at: tuple[str, str], line: dict[str, Any]) -> dict[str, Fraction]:
        """What the inputs of a market-based line have to be, from its certificate or contract."""
        kind, _, key = line["source"][len("market:") :].partition("/")
        same(at, "id", f"{line['source']}|scope2_market|{self.start_ns}", line["id"])
        same(at, "scope", "scope2_market", line["scope"])
        same(at, "start_ns, end_ns", [self.start_ns, self.end_ns], [line["start_ns"], line["end_ns"]])
        residual = line["source"] == "market:residual"
        same(at, "formula", f"electricity.{'average' if residual else 'instrument'}/1", line["formula"])
        if residual:
            same(at, "activities", [], line["activities"])
            return {}
        if kind == "contract" and f"power_contract/{key}" in line["activities"]:
            row = self.row(f"power_contract/{key}", at)
            holds = number(row["mwh"], at, "mwh") * self.share(row) * 10**6
            # A contract covers what is left, up to its amount: if something is left after it, all of its amount.
            whole = f"market:residual|scope2_market|{self.start_ns}" in self.ids
            fits = used_wh(at, line) == holds // 1 if whole else used_wh(at, line) <= holds
            need(fits, at, "energy", f"{'' if whole else 'at most '}{holds // 1} Wh", str(used_wh(at, line)))
            same(at, "activities", [f"power_contract/{key}"], line["activities"])
            return {"ef": number(row["kg_co2_per_kwh"], at, "kg_co2_per_kwh")}
        certificate = line["source"][len("market:") :]
        need(certificate in self.claimed, at, "claim", f"one of {certificate}", "none")
        green = [
            ref for ref, row in self.rows.items() if ref[:12] == "green_power/" and row["certificate"] == certificate
        ]
        same(at, "activities", [f"certificate/{certificate}", *sorted(green)], sorted(line["activities"]))
        return {"ef": Fraction(0), "energy": Fraction(self.claimed[certificate])}

    def read_claims(self) -> dict[str, int]:
        """Wh that each certificate covers: claimed once, retired, exactly what it holds or was delivered with it."""
        at, body = self.find("claims")
        claimed: dict[str, int] = {}
        green: dict[str, Fraction] = defaultdict(Fraction)
        for key, row in self.rows.items():
            if key.startswith("green_power/"):
                same(at, f"month of {key}", self.period, row["month"])
                green[row["certificate"]] += number(row["mwh"], at, "mwh")
        for key, energy_wh, period in body["claims"]:
            row = self.row(f"certificate/{key}", at)
            need(key not in claimed, at, "certificate", "claimed once", key)
            same(at, f"period of {key}", self.period, period)
            need(row["claimed_for"] in {"", self.period, self.period[:4]}, at, key, self.period, row["claimed_for"])
            retired = row["retired_on"] or "not"
            need(retired <= self.as_of, at, f"retired_on of {key}", f"at most {self.as_of}", retired)
            made, year = [row["vintage_start"], row["vintage_end"]], int(self.period[:4])
            window = [f"{year - 1}-07-01", f"{year + 1}-03-31"]  # 6 months before the year of the claim to 3 after
            need(window[0] <= made[0] <= made[1] <= window[1], at, f"vintage of {key}", window, made)
            holds = number(row["mwh"], at, "mwh")
            part = green[key] if key in green and row["claimed_for"] != self.period else holds
            need(part <= holds, at, f"green power of {key}", f"at most {holds} MWh", str(part))
            same(at, f"energy of {key}", part * 10**6 // 1, energy_wh)
            claimed[key] = energy_wh
        return claimed

    def check_market(self) -> None:
        """Every claim has its line; instruments and residual mix together are what was bought."""
        market = [(at, line) for at, line in self.lines if line["source"].startswith("market:")]
        sources = {line["source"] for _, line in market}
        for key in self.claimed:
            need(f"market:{key}" in sources, self.find("claims")[0], "line", f"one of {key}", "none")
        entries = [
            m for m, (_, doc) in self.readings.items() if (doc["role"], doc["carrier"]) == ("entry", "electricity")
        ]
        bought = sum(flow.value for meter in entries for flow in self.flows[meter])
        covered = sum(used_wh(place, line) for place, line in market)
        same((self.period, "lines/market"), "energy of all lines", Fraction(bought), Fraction(covered))

    def check_totals(self) -> None:
        """All totals, as sums of the lines and flows that were checked."""
        at, totals = self.find("totals")
        scopes: dict[str, int] = defaultdict(int)
        sources: dict[str, int] = defaultdict(int)
        gases: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for _, line in self.lines:
            scopes[line["scope"]] += line["co2e_g"]
            sources[f"{line['source']}|{line['scope']}"] += line["co2e_g"]
            pair = gases[f"{line['scope']}|{line['category']}|{line['gas']}"]
            pair[0], pair[1] = pair[0] + line["gas_g"], pair[1] + line["co2e_g"]
        energy = {meter: self.energy(meter) for meter in self.readings}
        expected = {"by_scope": dict(scopes), "by_source": dict(sources), "by_category": dict(gases), "energy": energy}
        same_keys(at, "totals", expected, {name: totals[name] for name in expected})
        same(at, "period", self.period, totals["period"])
        same(at, "provisional", any("provisional" in line["marks"] for _, line in self.lines), totals["provisional"])
        metered = {line["source"][6:] for _, line in self.lines if line["source"].startswith("meter:")}
        whole = all(energy[meter][2] in {"complete", "estimated"} for meter in metered)
        whole = whole and not self.unvalued and not any(map(self.without_emission, self.readings))
        same(at, "complete", whole, totals["complete"])

    def without_emission(self, meter: str) -> bool:
        """Whether a bought carrier is measured, and neither its meter nor a document has a line for it."""
        body = self.readings[meter][1]
        if body["role"] != "entry":
            return False
        if body["carrier"] == "steam" and body["unit"] == "g":
            return not any(line["source"] == f"meter:{meter}" for _, line in self.lines)
        bought = {row["fuel"] for key, row in self.rows.items() if key.startswith("fuel_movement/")}
        return body["carrier"] in FUELS and not bought & FUELS[body["carrier"]]

    def energy(self, meter: str) -> list[Any]:
        """What passed a meter in the month, its unit, and how sure it is."""
        body = self.readings[meter][1]
        known = [boundary for boundary in body["boundaries"] if boundary]
        state = "complete"
        if None in (body["boundaries"][0], body["boundaries"][-1]):
            state = "gaps"
        elif any(low != high for _, low, high in known):
            state = "estimated"
        elif not all(cut["exact"] for cut in body["breaks"]):
            state = "inexact"
        return [sum(flow.value for flow in self.flows[meter]), body["unit"], state]


# --- 6. the months of a year together --------------------------------------------------------------------------------

LABELS = {"place", "source", "note", "written", "supplier"}  # of a row: where it was read, and names


class Joint:
    """What a month has in common with others of its year: readings at its ends, rows that emit, ways to count."""

    def __init__(self, month: Month) -> None:
        self.period = month.period
        kinds = {kind for kind, _ in ROWS.values()} | {"fuel_movement"}
        self.rows = {
            ref: {key: value for key, value in row.items() if key not in LABELS}
            for ref, row in month.rows.items()
            if ref.split("/", 1)[0] in kinds
        }
        self.settings = [month.site[name] for name in ("zone", "gwp", "fuel_family")]
        self.ends = {meter: [self.used(body, at) for at in (0, -1)] for meter, (_, body) in month.readings.items()}

    @staticmethod
    def used(body: dict[str, Any], place: int) -> list[list[Any]]:
        """Source, time and register of each reading that the first or the last boundary rests on."""
        boundary = body["boundaries"][place]
        places = sorted({*boundary[1:]}) if boundary else []
        sources = [item["source"] for item in body["instruments"]]
        return [[sources[body["instrument"][k]], body["t_ns"][k], body["register"][k]] for k in places]

    def follows(self, before: Joint) -> None:
        """Whether this month, which is later, fits to one before it: nothing between them is lost or counted twice."""
        at = (f"close {self.period}", f"with {before.period}")
        same(at, "calendar, GWP set, fuel family", before.settings, self.settings)
        for ref in sorted({*self.rows, *before.rows}):
            row = self.rows.get(ref, before.rows.get(ref, {}))
            first, last = (str(row.get(key, row.get("day")))[:7] for key in ("start", "end"))
            both = first <= before.period and self.period <= last
            if both or (ref in self.rows and ref in before.rows):
                same(at, f"row {ref}", before.rows.get(ref, "missing"), self.rows.get(ref, "missing"))
        if int(self.period[5:]) != int(before.period[5:]) + 1:
            return
        for meter in sorted(self.ends.keys() & before.ends.keys()):
            end, start = before.ends[meter][1], self.ends[meter][0]
            if end and start and end[0][0] == start[-1][0]:
                same(at, f"first register of {meter}", end, start)
        closing, opening = before.stocks("closing_stock"), self.stocks("opening_stock")
        for fuel in sorted(closing.keys() & opening.keys()):
            same(at, f"opening stock of {fuel}", closing[fuel], opening[fuel])

    def stocks(self, direction: str) -> dict[str, Fraction]:
        """What was in stock, by fuel."""
        found: dict[str, Fraction] = defaultdict(Fraction)
        for ref, row in self.rows.items():
            if row.get("direction") == direction:
                found[row["fuel"]] += number(row["quantity"], (f"close {self.period}", ref), "quantity")
        return found


# --- the verdict ----------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)[:400]


def check_head(headers: list[dict[str, Any]], printed: str) -> str:
    """Whether the head of the chain that a report shows is an entry of this chain; a note for the verdict."""
    if not printed:
        return "compare the chain head with the one on the report 请将链头与报告上的比对"
    found = re.fullmatch(r"\s*#?(\d{1,18})(?::|\s)((?:\s*[0-9a-fA-F]){64})\s*", printed)
    if found is None:
        raise Difference(("--head", ""), "form", "SEQ:HASH or #SEQ HASH", printed)
    number_of, digest = int(found[1]), re.sub(r"\s", "", found[2]).lower()
    need(number_of > 0, ("--head", ""), "entry", "1 or more", number_of)
    if number_of > len(headers):
        return f"the printed head is entry {number_of}, later than this closing ({len(headers)}) 印制链头晚于本次关账"
    same(("chain.jsonl", f"entry {number_of}"), "hash as printed", digest, headers[number_of - 1]["hash"])
    return ""


def examine_months(members: dict[str, bytes], manifest: dict[str, Any], verdict: dict[str, Any], head: str) -> None:
    """The chain, and every month that the archive closes."""
    chain = Chain(members, manifest)
    verdict["notes"] += filter(None, [check_head(chain.headers, head)])
    period, close = manifest["period"], manifest["close"]
    verdict.update(
        period=period, head=manifest["head"], entries=len(chain.headers), months=[], meters=0, flows=0, lines=0
    )
    same(("manifest.json", ""), "close", len(chain.headers), close)
    closes = {period: close} if len(period) == 7 else chain.year(close, period)
    claimed: set[str] = set()
    joints: list[Joint] = []
    for name, seq in closes.items():
        body, documents = chain.month(seq, name)
        month = Month(name, documents)
        month.check()
        for key in month.claimed:
            need(key not in claimed, (f"documents/{close}.json", f"close {period}"), "certificate", "claimed once", key)
        claimed |= set(month.claimed)
        joint = Joint(month)
        for before in joints:
            joint.follows(before)
        joints.append(joint)
        verdict["months"].append({"period": name, "version": body["version"], "by_scope": body["totals"]["by_scope"]})
        verdict["meters"] = max(verdict["meters"], len(month.readings))
        verdict["flows"] += sum(map(len, month.flows.values()))
        verdict["lines"] += len(month.lines)
    same(("manifest.json", ""), "version", chain.close(close, period)["version"], manifest["version"])
    same(("zip", ""), "members", sorted(chain.used), sorted(members))
    if tomllib is None:
        verdict["notes"].append("site model not read: it needs Python 3.11 未解析站点模型文本")


def examine(
    data: bytes, signature: bytes, pem: bytes, name: str, fingerprint: str = "", *, head: str = ""
) -> dict[str, Any]:
    """Check all that the three files hold; the verdict as a JSON object, with the first difference if there is one.

    fingerprint   of the key, and head ("SEQ:HASH") of the chain, as a report shows them; empty: to be compared by hand
    """
    verdict: dict[str, Any] = {"schema": "shutan.verdict/1", "file": name, "ok": False, "notes": []}
    verdict["signature"] = "not checked"
    try:
        members = unpack(data)
        manifest = check_members(members)
        verdict["fingerprint"] = hashlib.sha256(public_key(pem, f"{name}.pub")).hexdigest()
        at = (f"{name}.pub", "")
        if fingerprint:
            wanted = re.sub(r"[\s:-]", "", fingerprint).lower()
            same(at, "fingerprint", wanted, verdict["fingerprint"])
        same(at, "fingerprint", manifest["key_fingerprint"], verdict["fingerprint"])
        check_signature(data, signature, pem, name)
        verdict["signature"] = "good"
        examine_months(members, manifest, verdict, head)
        verdict["ok"] = True
        if not fingerprint:
            verdict["notes"].append("compare the fingerprint with the one on the report 请将公钥指纹与报告上的比对")
    except Difference as found:
        place = {"member": found.at[0], "place": found.at[1], "field": found.field, "offset": found.offset}
        verdict["difference"] = {**place, "expected": plain(found.expected), "found": plain(found.found)}
    except Exception as error:  # noqa: BLE001 - evidence of any shape ends in a verdict, never in a traceback
        place = {"member": "", "place": "", "field": "form", "offset": None}
        verdict["difference"] = {**place, "expected": "evidence", "found": f"{type(error).__name__}: {error}"[:400]}
    return verdict


def grouped(digest: str) -> str:
    """A digest as people compare it."""
    return " ".join(digest[at : at + 8] for at in range(0, len(digest), 8))


def report(verdict: dict[str, Any]) -> str:
    """The verdict for a person."""
    rows = [f"{'VERIFIED 核验通过' if verdict['ok'] else 'NOT VERIFIED 核验不通过'}: {verdict['file']}"]
    if "difference" in verdict:
        found = verdict["difference"]
        where = ", ".join(part for part in (found["member"], found["place"], found["field"]) if part)
        rows.append(f"first difference 首处差异  {where}")
        if found["offset"] is not None:
            rows.append(f"byte of the file 文件字节   {found['offset']}")
        rows += [f"expected 应为             {found['expected']}", f"found 实为                {found['found']}"]
    rows.append(f"signature 签名            {verdict['signature']}")
    if "fingerprint" in verdict:
        rows.append(f"key fingerprint 公钥指纹  {grouped(verdict['fingerprint'])}")
    if "head" in verdict:
        rows.append(f"chain head 链头           {verdict['head']['seq']}: {grouped(verdict['head']['hash'])}")
    if verdict["ok"]:
        counts = f"{verdict['meters']} meters, {verdict['flows']} flows, {verdict['lines']} lines"
        rows.append(f"recomputed 重算           {counts}: every figure the same 逐项一致")
        for month in verdict["months"]:
            sums = ", ".join(f"{scope} {grams} g" for scope, grams in month["by_scope"].items())
            rows.append(f"{month['period']} version {month['version']}         {sums}")
    return "\n".join([*rows, *(f"note 说明                 {note}" for note in verdict["notes"])]) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """The program; exit code 0 verified, 1 not verified, 2 wrong usage."""
    parser = argparse.ArgumentParser(description="Check a Shutan evidence file offline. 离线核验数碳证据文件。")
    parser.add_argument("zip", type=Path, help="F.zip, with F.zip.sig and F.zip.pub beside it")
    parser.add_argument("--fingerprint", default="", help="fingerprint of the key as printed on the report")
    parser.add_argument("--head", default="", metavar="SEQ:HASH", help="head of the chain as printed on the report")
    parser.add_argument("--tsa-ca", default="", metavar="CA.pem", help="certificate of the time-stamp authority")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    given = parser.parse_args(arguments)
    contents: list[bytes] = []
    for suffix in ("", ".sig", ".pub"):
        try:
            contents.append(Path(f"{given.zip}{suffix}").read_bytes())
        except OSError as error:
            parser.error(f"{given.zip}{suffix}: {error.strerror}")
    archive, signature, pem = contents
    verdict = examine(archive, signature, pem, given.zip.name, given.fingerprint, head=given.head)
    if verdict["ok"]:
        try:
            verdict["notes"] += filter(None, [check_time_stamp(given.zip, given.tsa_ca)])
        except Difference as found:
            place = {"member": found.at[0], "place": "", "field": found.field, "offset": None}
            verdict.update(
                ok=False, difference={**place, "expected": plain(found.expected), "found": plain(found.found)}
            )
    sys.stdout.buffer.write(
        (json.dumps(verdict, ensure_ascii=False) + "\n" if given.json else report(verdict)).encode()
    )
    return 0 if verdict["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
