"""toolwall.yaml: how the sidecar runs. What it may do stands in the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from proxy.credentials.living import GRACE_S
from proxy.identity.settings import IDENTITY, IdentitySettings, check_names, read_identity
from proxy.known import SOURCES
from proxy.ledger_settings import AUTHORITY, HEADERS, LEDGER, PLACE, LedgerSettings, check_ledger, read_ledger
from proxy.listening_settings import (
    ADMIN,
    LISTENING,
    NAME,
    NAME_LIKE,
    NAMES,
    AdminSettings,
    Place,
    TlsSettings,
    check_closed,
    check_means,
    located,
    read_admin,
    read_external,
    read_place,
    read_tls,
)
from proxy.presidio.settings import PRESIDIO, PresidioSettings, read_presidio
from proxy.pseudonyms import KEEP_S
from proxy.replies.answers import AnswerBounds
from proxy.replies.remainders import RestBounds
from proxy.scanning import ScanBounds
from proxy.stdio_settings import STDIO, StdioSettings, read_stdio
from proxy.telemetry.telemetry import TelemetrySettings
from proxy.transports.http import HttpBounds
from proxy.upstream.upstream import UpstreamBounds
from proxy.vault_settings import VAULT, VaultSettings, check_vault, read_vault
from rules.shape import DURATION, Either, Form, Key, Many, Number, Size, Table, Text, check, duration, size
from rules.source import LoadProblem, Node, read

MOST_BYTES = 256 * 1024
"""Of toolwall.yaml: three thousand API keys and more."""

MOST_DEPTH = 200
"""Nesting of a request's JSON that may be asked for: far below the 1,000 levels at which recursive readers give up."""

_Origin: Final = Text(f"^https?://{AUTHORITY}$", "an origin such as https://app.example, without a path")
_Count: Final = Number(1, 1_000_000)
_Duration: Final = Text(DURATION, "a duration such as 500ms, 10s or 15m")

LISTENER: Final = Form(
    {
        **LISTENING,
        "names": Key(NAMES, "Host names that callers may use beside the bound address; behind 0.0.0.0, all of them."),
        "hosts": Key(Table(Text(), NAME, NAME_LIKE), "Host names that choose a backend, instead of a path prefix."),
        "origins": Key(Many(_Origin), "Origins of browser pages that may call."),
        "external_url": Key(
            Either(Text(), Table(Text(), NAME, NAME_LIKE)),
            "The URL by which clients see this listener, where it is another; with `hosts`, one for each Host.",
        ),
        "mcp": Key(
            Form({"backends": Key(Many(Text()), "MCP servers whose tools are there as well.", required=True)}),
            "What `/.toolwall/mcp` has besides the tools of HTTP APIs.",
        ),
        "identity": Key(IDENTITY, "How callers are known.", required=True),
    }
)
_StateKey: Final = Text(
    r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|vault:.+)$", "env:NAME, file:PATH or vault:MOUNT/PATH#FIELD"
)
_SIZES: Final = (
    "most_body",
    "most_line",
    "most_field",
    "upstream_header",
    "most_scan",
    "most_rest",
    "cache",
    "most_batch_reply",
)
_TIMES: Final = ("idle", "body", "heartbeat", "connect", "upstream_idle", "drain", "scan", "rest")
BOUNDS: Final = Form(
    {
        "most_connections": Key(_Count, "Connections of agents at once, per listener. 1000"),
        "most_calls": Key(_Count, "Calls under way at once, per listener. 256"),
        "most_headers": Key(_Count, "Headers of a request. 100"),
        "most_depth": Key(Number(1, MOST_DEPTH), "Nesting of a request's JSON. 64"),
        "most_body": Key(Size(), "Bytes of a request's body. 1MiB"),
        "most_batch": Key(_Count, "Calls of a batch. 100"),
        "batch_at_once": Key(_Count, "Of these, how many are under way at once. 10"),
        "most_batch_reply": Key(Size(), "Bytes of all answers to a batch, before they are written as JSON. 8MiB"),
        "most_line": Key(Size(), "Bytes of a request's first line. 8KiB"),
        "most_field": Key(Size(), "Bytes of a header. 8KiB"),
        "idle": Key(_Duration, "How long a request head may take, or an agent read nothing of a stream. 75s"),
        "body": Key(_Duration, "How long a request's body may take. 30s"),
        "heartbeat": Key(_Duration, "How long an event stream may be silent before a comment shows it lives. 15s"),
        "connect": Key(_Duration, "How long connecting to a backend may take. 5s"),
        "upstream_idle": Key(_Duration, "How long a backend may be silent within a reply. 30s"),
        "upstream_connections": Key(_Count, "Connections to one backend at once. 100"),
        "upstream_header": Key(Size(), "Bytes of a reply's first line or of one of its headers. 16KiB"),
        "scan": Key(_Duration, "How long a look at one reply may take, waiting included. 10s"),
        "most_scan": Key(Size(), "Bytes of a reply that are looked at. 64MiB"),
        "most_scans": Key(_Count, "Looks at replies under way or waiting at once. 64"),
        "rest": Key(_Duration, "How long what was left out of a reply can be fetched. 15m"),
        "most_rests": Key(_Count, "Replies of which that is so at once. 10000"),
        "most_rest": Key(Size(), "Bytes of memory for them. 256MiB"),
        "cache": Key(Size(), "Bytes of all answers that are kept to be given again. 64MiB"),
        "most_cached": Key(_Count, "How many answers are kept. 10000"),
        "drain": Key(_Duration, "How long calls under way may take when the sidecar stops. 10s"),
    }
)
CONFIG: Final = Form(
    {
        "rules": Key(Text(), "The rules folder, relative to this file. rules"),
        "state": Key(
            Either(
                Text(),
                Form(
                    {
                        "folder": Key(Text(), "Where the ledger and the state key lie."),
                        "key": Key(_StateKey, "Where the state key is instead. A path is relative to this file."),
                    }
                ),
            ),
            "The state folder, relative to this file. .toolwall",
        ),
        "listeners": Key(Many(LISTENER), "Where agents call. Needed but for `toolwall mcp`."),
        "stdio": Key(STDIO, "What `toolwall mcp` needs to know, which has no listener."),
        "stop": Key(Text(), "While this file is there every call is refused; relative to this file. STATE/stop"),
        "admin": Key(ADMIN, "The admin listener. 127.0.0.1:9464"),
        "ledger": Key(LEDGER, "What Records hold, and how they are kept."),
        "known_secrets": Key(
            Many(Text(SOURCES, "env:NAME, file:PATH or lines:PATH")),
            "Values that no answer may hold, however they are encoded: an environment variable, a file that is one "
            "value, or a file with a value on each line. Paths are relative to this file.",
        ),
        "known_for": Key(_Duration, "How long a credential of the sidecar's that has ended is still looked for. 10m"),
        "vault": Key(VAULT, "Where secrets come from that rules name as `vault`."),
        "telemetry": Key(
            Form(
                {
                    "otlp": Key(PLACE, "Base URL of an OTLP/HTTP collector."),
                    "sample": Key(Number(0, 1, whole=False), "Share of traces that are recorded, 0 to 1. 1"),
                    "service": Key(Text(), "The service name in spans. toolwall"),
                    "headers": Key(HEADERS, "Headers for the collector; a value may be env:NAME."),
                }
            ),
            "Spans and metrics.",
        ),
        "presidio": Key(
            PRESIDIO, "The processes in which Presidio's recognizers run, where rules name kinds that they find."
        ),
        "pseudonyms": Key(
            Form({"keep": Key(_Duration, "How long those of a run are kept after their last use. 24h")}),
            "What stands for the values of a run, where rules say `pseudonym`.",
        ),
        "bounds": Key(BOUNDS, "Limits, each with its default."),
    }
)


class ConfigError(Exception):
    """toolwall.yaml cannot be used; the text lists everything that is wrong, a line each."""

    def __init__(self, problems: list[LoadProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in sorted(problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """One listener, and how it knows its callers."""

    place: Place
    tls: TlsSettings | None
    names: frozenset[str]
    hosts: Mapping[str, str]
    origins: frozenset[str]
    identity: IdentitySettings
    joined: frozenset[str] = frozenset()
    """The MCP servers whose tools the sidecar's own server has as well."""
    external: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By which origin clients see it, and what stands before its paths: for a Host, or under the empty name for all."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All of toolwall.yaml, paths resolved, times in seconds, sizes in bytes.

    What stands in the environment (`env:NAME`) is read at start, so that a ledger can be read without those secrets.
    """

    rules: Path
    state: Path
    state_key: str
    listeners: tuple[ListenerSettings, ...]
    admin: AdminSettings
    ledger: LedgerSettings
    known_secrets: tuple[str, ...]
    telemetry: TelemetrySettings
    http: HttpBounds
    upstream: UpstreamBounds
    scans: ScanBounds
    rests: RestBounds
    answers: AnswerBounds
    presidio: PresidioSettings
    most_body: int
    most_depth: int
    drain_s: float
    stop: Path
    pseudonyms_s: float = KEEP_S
    known_for_s: float = GRACE_S
    vault: VaultSettings | None = None
    stdio: StdioSettings | None = None


def load_config(path: Path) -> Settings:
    """Read toolwall.yaml. Raises ConfigError with all that is wrong, OSError where it cannot be read."""
    data = path.read_bytes()
    if len(data) > MOST_BYTES:
        raise ConfigError([LoadProblem(str(path), 1, 1, "", f"is larger than {MOST_BYTES} bytes")])
    node, problems = read(str(path), data)
    if node is not None:
        problems += check(node, CONFIG)
    elif not problems:
        problems.append(LoadProblem(str(path), 1, 1, "", "is empty", "it needs at least `listeners`"))
    if node is not None and not problems and not (node.get("listeners") or node.get("stdio")):
        problems.append(node.problem("lacks the key listeners", "Where agents call."))
    if problems or node is None:
        raise ConfigError(problems)
    settings, problems = _settings(node, path.parent)
    if (ledger := node.get("ledger")) is not None:
        problems += check_ledger(ledger)
    if (vault := node.get("vault")) is not None:
        problems += check_vault(vault)
    if problems:
        raise ConfigError(problems)
    return settings


def _settings(node: Node, folder: Path) -> tuple[Settings, list[LoadProblem]]:
    problems: list[LoadProblem] = []
    raw = node.plain()
    bounds = _bounds(raw.get("bounds", {}))
    state = raw.get("state", ".toolwall")
    state = {"folder": state} if isinstance(state, str) else state
    taken: set[str] = set()
    settings = Settings(
        rules=folder / raw.get("rules", "rules"),
        state=folder / state.get("folder", ".toolwall"),
        state_key=located(state.get("key", ""), folder),
        listeners=tuple(_listener(each, folder, taken, problems) for each in node.under("listeners")),
        stdio=read_stdio(node.get("stdio"), folder, problems),
        admin=read_admin(node.get("admin"), folder, taken, problems),
        ledger=read_ledger(raw.get("ledger", {}), folder),
        known_secrets=tuple(located(each, folder) for each in raw.get("known_secrets", ())),
        telemetry=_telemetry(raw.get("telemetry", {})),
        http=_http(bounds),
        upstream=_upstream(bounds),
        scans=_scans(bounds),
        rests=_rests(bounds),
        answers=_answers(bounds),
        presidio=read_presidio(raw.get("presidio", {}), folder),
        most_body=bounds.get("most_body", 1024 * 1024),
        most_depth=bounds.get("most_depth", 64),
        drain_s=bounds.get("drain", 10.0),
        stop=folder / raw.get("stop", Path(state.get("folder", ".toolwall")) / "stop"),
        pseudonyms_s=duration(raw.get("pseudonyms", {}).get("keep", f"{KEEP_S:.0f}s")),
        vault=read_vault(raw.get("vault"), folder),
        known_for_s=duration(raw.get("known_for", f"{GRACE_S:.0f}s")),
    )
    nodes = [each.value["identity"] for each in (*node.under("listeners"), *node.under("stdio"))]
    identities = [each.identity for each in (*settings.listeners, settings.stdio) if each]
    problems += check_names(list(zip(nodes, identities, strict=True)))
    return settings, problems


def _listener(node: Node, folder: Path, taken: set[str], problems: list[LoadProblem]) -> ListenerSettings:
    raw = node.plain()
    place = read_place(node, folder, taken, problems)
    identity = read_identity(node.value["identity"], folder, problems)
    tls = read_tls(node, folder, problems)
    problems += check_means(node, place, tls, identity)
    if identity.static:
        problems += check_closed(node, place)
    hosts = raw.get("hosts", {})
    names = frozenset({*place.names, *raw.get("names", ()), *hosts})
    return ListenerSettings(
        place=place,
        tls=tls,
        names=names,
        hosts=hosts,
        origins=frozenset(each.lower() for each in raw.get("origins", ())),
        identity=identity,
        joined=frozenset(raw.get("mcp", {}).get("backends", ())),
        external=read_external(node, names, problems),
    )


def _telemetry(raw: Mapping[str, Any]) -> TelemetrySettings:
    return TelemetrySettings(
        otlp=raw.get("otlp", ""),
        sample=float(raw.get("sample", 1)),
        service=raw.get("service", "toolwall"),
        headers=raw.get("headers", {}),
    )


def _bounds(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: duration(value) if name in _TIMES else size(value) if name in _SIZES else value
        for name, value in raw.items()
    }


def _http(bounds: Mapping[str, Any]) -> HttpBounds:
    named = {"idle": "idle_s", "body": "body_s", "heartbeat": "beat_s"}
    known = {each.name for each in fields(HttpBounds)}
    given = {named.get(name, name): value for name, value in bounds.items()}
    return replace(HttpBounds(), **{name: value for name, value in given.items() if name in known})


def _upstream(bounds: Mapping[str, Any]) -> UpstreamBounds:
    named = {
        "connect": "connect_s",
        "upstream_idle": "idle_s",
        "upstream_connections": "most_connections",
        "upstream_header": "most_header_bytes",
    }
    return replace(UpstreamBounds(), **{named[name]: value for name, value in bounds.items() if name in named})


def _scans(bounds: Mapping[str, Any]) -> ScanBounds:
    named = {"scan": "scan_s", "most_scan": "most_scan", "most_scans": "most_scans"}
    return replace(ScanBounds(), **{named[name]: value for name, value in bounds.items() if name in named})


def _rests(bounds: Mapping[str, Any]) -> RestBounds:
    named = {"rest": "rest_s", "most_rests": "most", "most_rest": "most_bytes"}
    return replace(RestBounds(), **{named[name]: value for name, value in bounds.items() if name in named})


def _answers(bounds: Mapping[str, Any]) -> AnswerBounds:
    named = {"cache": "most_bytes", "most_cached": "most_answers"}
    return replace(AnswerBounds(), **{named[name]: value for name, value in bounds.items() if name in named})
