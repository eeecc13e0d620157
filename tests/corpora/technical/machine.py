"""What tools on this machine say at this moment: listings, checksums, tables of the kernel, code, real stack traces.

A tool that is not there says nothing. What cannot be had without personal data (authors of commits, maintainers of
packages) is not asked for.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import hashlib
import importlib
import io
import json
import platform
import pydoc
import subprocess
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path

Document = tuple[str, str]
"""A name, and the text."""

ROOT = Path(__file__).parents[3]
LIBRARY = Path(sysconfig.get_path("stdlib"))
LONGEST = 64 * 1024
"""Characters that are kept of one document."""

# Subjects of later commits may name what is taken out: a card that was missed, for one.
_COMMANDS = (
    "git log --until=2026-11-29T23:00Z --format='%H %ad %s' --date=iso -n 200",
    "git log --until=2026-11-29T23:00Z --format='%h %at %T %s' --stat -n 40",
    "git log --until=2026-11-29T23:00Z --graph --oneline --decorate -n 100",
    "git ls-tree -r -l HEAD",
    "git ls-files --stage --debug proxy",
    "git rev-list --objects HEAD -- proxy/firewall.py",
    "git show-ref",
    "git count-objects -v",
    "git cat-file --batch-check --batch-all-objects --unordered",
    "git version --build-options",
    "ls -la",
    "ls -lniR --time-style=full-iso proxy",
    "ls -la /usr/bin",
    "ls -la /proc/self",
    "ls -l /etc",
    "ls -lan /tmp",
    "df -a",
    "df -hi",
    "du -ab redaction",
    "ps -eo pid,ppid,rss,vsz,etimes,stat,comm",
    "ps -eo pid,lstart,time,comm",
    "ip addr",
    "ip -s link",
    "ip route",
    "ss -tan",
    "free -b",
    "uptime",
    "uname -a",
    "lscpu",
    "lsblk -b",
    "mount",
    "id",
    "date --iso-8601=ns",
    "date +%s.%N",
    "date -R",
    "cal -y",
    "stat README.md pyproject.toml",
    "sha256sum redaction/scanner.py redaction/engine.py pyproject.toml",
    "sha1sum redaction/scanner.py redaction/engine.py pyproject.toml",
    "sha512sum redaction/scanner.py redaction/engine.py pyproject.toml",
    "md5sum redaction/scanner.py redaction/engine.py pyproject.toml",
    "cksum redaction/scanner.py redaction/engine.py pyproject.toml",
    "xxd pyproject.toml",
    "od -A d -t x2 pyproject.toml",
    "wc -lcw redaction/scanner.py redaction/engine.py",
    "find redaction -printf '%i %T@ %s %m %p\\n'",
    "dpkg -l",
    "dpkg-query -W -f='${Package} ${Version} ${Architecture} ${Installed-Size}\\n'",
    "apt-cache policy",
    "openssl version -a",
    "openssl ciphers -v ALL",
    "openssl list -digest-algorithms",
    "openssl ecparam -list_curves",
    "openssl prime -generate -bits 512",
    "openssl rand -hex 512",
    "openssl asn1parse -in build/none.pem",
    "readelf -hlS /bin/ls",
    "ldd /bin/ls",
    "nm -D /lib/x86_64-linux-gnu/libc.so.6",
    "objdump -d --stop-address=0x5000 /bin/ls",
    "locale",
    "getconf -a",
    "sysctl -a --pattern kernel",
    "ldconfig -p",
    "bash -c help",
    "seq -w 1 4999 100000000",
    "gcc -v",
    "perl -V",
    "curl --version",
    "make --version",
    "diff -u redaction/scanner.py redaction/engine.py",
    "file -L /bin/ls",
    "infocmp -L",
    "tar --version",
)
_PYTHON = (
    "-m pip list --format=json",
    "-m pip list --format=columns",
    "-m pip freeze --all --exclude-editable",
    "-m pip debug",
    "-m pip hash pyproject.toml README.md",
    "-m pip check",
    "-m site",
    "-m sysconfig",
    "-m platform",
    "-m compileall -q nowhere",
    "-m tokenize redaction/finding.py",
    "-X importtime -c 'import json'",
    "-m timeit -n 1 -r 1 pass",
    "-c 'import this'",
    "-c 'import locale; print(locale.localeconv())'",
    "-c 'raise SystemExit(dict(zip(range(99), map(hash, range(99)))))'",
)
_TABLES = (
    "cpuinfo", "meminfo", "stat", "interrupts", "softirqs", "vmstat", "zoneinfo", "buddyinfo", "slabinfo", "mounts",
    "modules",
    "diskstats", "partitions", "filesystems", "devices", "version", "uptime", "loadavg", "cgroups", "swaps", "locks",
    "self/maps", "self/smaps_rollup", "self/status", "self/stat", "self/limits", "self/mountinfo", "self/io",
    "self/sched",
    "net/dev", "net/tcp", "net/udp", "net/snmp", "net/netstat", "net/route", "net/if_inet6", "net/sockstat",
    "net/protocols",
)  # fmt: skip
_TEXTS = (
    "/etc/services", "/etc/protocols", "/etc/os-release", "/etc/fstab", "/etc/mime.types", "/etc/ld.so.conf",
    "/etc/login.defs",
    "/etc/nsswitch.conf", "/etc/ssl/openssl.cnf", "/etc/profile", "/etc/bash.bashrc", "/etc/hosts",
    "/usr/share/zoneinfo/zone1970.tab", "/usr/share/zoneinfo/iso3166.tab", "/usr/share/zoneinfo/leapseconds",
    "/usr/share/zoneinfo/tzdata.zi", "/usr/share/i18n/SUPPORTED",
)  # fmt: skip


def documents() -> Iterator[Document]:
    """Everything of the module's text."""
    for source in (commands, tables, code, references, disassembled, wheels, traces, checksums, settings, certificate):
        for name, text in source():
            yield name, text[:LONGEST]


def commands() -> Iterator[Document]:
    for command in (*_COMMANDS, *(f"{sys.executable} {each}" for each in _PYTHON)):
        yield command.replace(sys.executable, "python"), _said(command)


def _said(command: str) -> str:
    """What a command says and complains of."""
    run = subprocess.run(  # the commands above
        command, shell=True, cwd=ROOT, capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL
    )
    return (run.stdout[: 4 * LONGEST] + run.stderr[:LONGEST]).decode("utf-8", "replace")


def tables() -> Iterator[Document]:
    for path in (*(f"/proc/{name}" for name in _TABLES), *_TEXTS):
        with contextlib.suppress(OSError):
            yield path, Path(path).read_text("utf-8", "replace")


def code() -> Iterator[Document]:
    for path in sorted(LIBRARY.glob("*.py")):
        yield f"lib/{path.name}", path.read_text("utf-8", "replace")
    for path in sorted(path for room in ("proxy", "rules") for path in (ROOT / room).glob("*.py")):
        yield str(path.relative_to(ROOT)), path.read_text("utf-8")


def references() -> Iterator[Document]:
    for name in (
        "os",
        "re",
        "json",
        "socket",
        "datetime",
        "hashlib",
        "uuid",
        "zlib",
        "random",
        "math",
        "asyncio",
        "array",
    ):
        yield f"pydoc {name}", pydoc.render_doc(name, renderer=pydoc.plaintext)


def disassembled() -> Iterator[Document]:
    for name in ("heapq", "bisect", "textwrap", "shlex", "fnmatch", "string", "uuid", "base64", "hmac", "secrets"):
        module, out = importlib.import_module(name), io.StringIO()
        dis.dis(module, file=out)
        yield f"dis {name}", out.getvalue()
        source = Path(str(module.__file__)).read_text("utf-8")
        yield f"ast {name}", ast.dump(ast.parse(source), include_attributes=True, indent=1)


def wheels() -> Iterator[Document]:
    """Lists of files with their checksums, as installers write them."""
    for each in sorted(distributions(), key=lambda each: each.name):
        for name in ("RECORD", "WHEEL", "top_level.txt", "entry_points.txt", "direct_url.json"):
            if text := each.read_text(name):
                yield f"{each.name}-{each.version}/{name}", text


def traces() -> Iterator[Document]:
    for number, fault in enumerate(_faults()):
        try:
            fault()
        except Exception:
            yield f"trace {number}", traceback.format_exc()


def _faults() -> list[Callable[[], object]]:
    deep: list[object] = []
    deep.append(deep)
    return [
        lambda: 1 / 0,
        lambda: {}["a1b2c3d4-e5f6-4711-8899-aabbccddeeff"],
        lambda: [][10_000_000_000],
        lambda: int("0x7f3a9c", 10),
        lambda: json.loads('{"id": 12345678901234567890, "at": 2026-05-01}'),
        lambda: json.dumps(deep),
        lambda: Path("/nowhere/7d4b9c6f5d-x2x9k/1.2.3.4").read_text("utf-8"),
        lambda: b"\xff\xfe\xfa".decode(),
        lambda: importlib.import_module("no.such.module_20260501"),
        lambda: subprocess.run(["/bin/false", "--id=1714550400123456"], check=True),
        lambda: ast.parse("x = = 12345678901234567890"),
        lambda: hashlib.new("md77"),
        lambda: platform.no_such_function(),  # type: ignore[attr-defined]
        lambda: sysconfig.get_path("no"),
        lambda: tempfile.mkdtemp(dir="/nowhere/2026-05-01T12:00:00.000Z"),
    ]


def checksums() -> Iterator[Document]:
    for name in sorted(hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}):
        paths = sorted(LIBRARY.glob("[a-d]*.py"))
        lines = (f"{hashlib.new(name, path.read_bytes()).hexdigest()}  {path.name}" for path in paths)
        yield f"{name} of the library", "\n".join(lines)


def settings() -> Iterator[Document]:
    yield "config vars", json.dumps(sysconfig.get_config_vars(), default=str, indent=1)
    yield "paths", json.dumps(sysconfig.get_paths())
    yield "flags", f"{sys.flags} {sys.float_info} {sys.hash_info} {sys.int_info} {sys.version_info}"
    yield "modules", "\n".join(map(repr, sys.modules.values()))


def certificate() -> Iterator[Document]:
    """A certificate and a public key, made now; the private key is not shown."""
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test.example -keyout key.pem -out cert.pem"
    with tempfile.TemporaryDirectory() as folder:
        _said(f"cd {folder} && {make}")
        for arguments in (
            "x509 -in cert.pem -text",
            "x509 -in cert.pem -pubkey",
            "x509 -in cert.pem -fingerprint -sha256",
        ):
            yield f"openssl {arguments}", _said(f"cd {folder} && openssl {arguments}")
