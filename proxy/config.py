"""toolwall.yaml: how the sidecar runs. What it may do stands in the rules."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal

from proxy.telemetry import TelemetrySettings
from proxy.transports.http import HttpBounds
from proxy.upstream import UpstreamBounds
from rules.facts import Principal
from rules.shape import DURATION, Anything, Choice, Either, Form, Key, Many, Size, Table, Text, check, duration, size
from rules.source import LoadProblem, Node, read

MOST_BYTES = 256 * 1024
"""Of toolwall.yaml: three thousand API keys and more."""

BIND: Final = r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$"
_Bind: Final = Text(BIND, "HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
_Names: Final = Many(Text(r"^[a-z0-9.:\[\]-]+$", "a host name in lower case, without a port"))
_Duration: Final = Text(DURATION, "a duration such as 500ms, 10s or 15m")

WHO: Final = {
    "id": Key(Text(r"^[\x21-\x7e]{1,128}$", "1 to 128 visible characters"), "The principal's id.", required=True),
    "roles": Key(Many(Text()), "Its roles, which rules speak of."),
    "agent": Key(Text(), "The agent's name, where it is known."),
    "user": Key(Text(), "The user for whom the agent acts, where it is known."),
}
IDENTITY: Final = Form(
    {
        "static": Key(Form(WHO), "Everyone who reaches this listener is this principal. On loopback only."),
        "api_keys": Key(
            Many(Form({**WHO, "sha256": Key(Text(r"^[0-9a-f]{64}$", "64 hex digits"), "Hash of the key.", True)})),
            "The header Toolwall-Key names the caller; `toolwall keys new` makes a key and its hash.",
        ),
    },
    one_of=("static", "api_keys"),
)
LISTENER: Final = Form(
    {
        "bind": Key(_Bind, "Address and port that agents call; port 0 takes a free one.", required=True),
        "names": Key(_Names, "Further Host names that callers may use."),
        "hosts": Key(Table(Text(), like="a host name"), "Host names that choose a backend, instead of a path prefix."),
        "origins": Key(Many(Text(r"^https?://\S+$", "an origin")), "Origins of browser pages that may call."),
        "identity": Key(IDENTITY, "How callers are known.", required=True),
    }
)
_WHOLE: Final = ("most_connections", "most_calls", "most_headers", "most_depth", "upstream_connections")
_SIZES: Final = ("most_body", "most_line", "most_field", "upstream_header")
_TIMES: Final = ("idle", "body", "connect", "upstream_idle", "drain")
BOUNDS: Final = Form(
    {
        "most_connections": Key(Anything(), "Connections of agents at once, per listener. 1000"),
        "most_calls": Key(Anything(), "Calls under way at once, per listener. 256"),
        "most_headers": Key(Anything(), "Headers of a request. 100"),
        "most_depth": Key(Anything(), "Nesting of a request's JSON. 64"),
        "most_body": Key(Size(), "Bytes of a request's body. 1MiB"),
        "most_line": Key(Size(), "Bytes of a request's first line. 8KiB"),
        "most_field": Key(Size(), "Bytes of a header. 8KiB"),
        "idle": Key(_Duration, "How long a connection may be without a whole request head. 75s"),
        "body": Key(_Duration, "How long a request's body may take. 30s"),
        "connect": Key(_Duration, "How long connecting to a backend may take. 5s"),
        "upstream_idle": Key(_Duration, "How long a backend may be silent within a reply. 30s"),
        "upstream_connections": Key(Anything(), "Connections to one backend at once. 100"),
        "upstream_header": Key(Size(), "Bytes of a reply's first line or of one of its headers. 16KiB"),
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
                        "key": Key(Text(), "Where the state key is instead: env:NAME or file:PATH."),
                    }
                ),
            ),
            "The state folder, relative to this file. .toolwall",
        ),
        "listeners": Key(Many(LISTENER), "Where agents call.", required=True),
        "admin": Key(
            Form(
                {
                    "bind": Key(_Bind, "Address and port of health, readiness and metrics.", required=True),
                    "names": Key(_Names, "Further Host names that callers may use."),
                }
            ),
            "The admin listener. 127.0.0.1:9464",
        ),
        "ledger": Key(
            Form({"arguments": Key(Choice(("off", "redacted")), "Whether Records hold redacted arguments. off")}),
            "What Records hold.",
        ),
        "telemetry": Key(
            Form(
                {
                    "otlp": Key(Anything(), "Base URL of an OTLP/HTTP collector."),
                    "sample": Key(Anything(), "Share of traces that are recorded, 0 to 1. 1"),
                    "service": Key(Text(), "The service name in spans. toolwall"),
                    "headers": Key(Table(Text()), "Headers for the collector; a value may be env:NAME."),
                }
            ),
            "Spans and metrics.",
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
    """One listener. `static` is its principal; without it `keys` maps SHA-256 digests of keys to principals."""

    host: str
    port: int
    names: frozenset[str]
    hosts: Mapping[str, str]
    origins: frozenset[str]
    static: Principal | None
    keys: Mapping[str, Principal] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of toolwall.yaml, paths resolved, times in seconds, sizes in bytes."""

    rules: Path
    state: Path
    state_key: str
    listeners: tuple[ListenerSettings, ...]
    admin: tuple[str, int]
    admin_names: frozenset[str]
    arguments: Literal["off", "redacted"]
    telemetry: TelemetrySettings
    http: HttpBounds
    upstream: UpstreamBounds
    most_body: int
    most_depth: int
    drain_s: float


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
    if problems or node is None:
        raise ConfigError(problems)
    settings, problems = _settings(node, path.parent)
    if problems:
        raise ConfigError(problems)
    return settings


def _settings(node: Node, folder: Path) -> tuple[Settings, list[LoadProblem]]:
    problems: list[LoadProblem] = []
    raw = node.plain()
    bounds = _bounds(node, problems)
    state = raw.get("state", ".toolwall")
    state = {"folder": state} if isinstance(state, str) else state
    admin = raw.get("admin", {"bind": "127.0.0.1:9464"})
    listeners = [_listener(each, problems) for each in node.value["listeners"].each()]
    settings = Settings(
        rules=folder / raw.get("rules", "rules"),
        state=folder / state.get("folder", ".toolwall"),
        state_key=state.get("key", ""),
        listeners=tuple(listeners),
        admin=split_bind(admin["bind"]),
        admin_names=frozenset(admin.get("names", ())),
        arguments=raw.get("ledger", {}).get("arguments", "off"),
        telemetry=_telemetry(node, problems),
        http=_http(bounds),
        upstream=_upstream(bounds),
        most_body=bounds.get("most_body", 1024 * 1024),
        most_depth=bounds.get("most_depth", 64),
        drain_s=bounds.get("drain", 10.0),
    )
    return settings, problems


def split_bind(bind: str) -> tuple[str, int]:
    """Host (an IPv6 address without brackets) and port."""
    host, _, port = bind.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listener(node: Node, problems: list[LoadProblem]) -> ListenerSettings:
    raw = node.plain()
    host, port = split_bind(raw["bind"])
    identity = raw["identity"]
    if port > 65535:
        problems.append(node.key_problem("bind", "has a port above 65535"))
    if "static" in identity and not is_loopback(host):
        problems.append(
            node.key_problem(
                "bind", "is not loopback, and `static` would let anybody in", "use identity: {api_keys: ...}"
            )
        )
    hosts = {name.lower(): backend for name, backend in raw.get("hosts", {}).items()}
    own = {"localhost", "127.0.0.1", "[::1]"} if is_loopback(host) else set[str]()
    own.add(f"[{host}]" if ":" in host else host.lower())
    keys = {each["sha256"]: _principal(each, "api_key") for each in identity.get("api_keys", ())}
    if len(keys) != len(identity.get("api_keys", ())):
        problems.append(node.key_problem("identity", "gives one key to two principals"))
    return ListenerSettings(
        host=host,
        port=port,
        names=frozenset({*own, *raw.get("names", ()), *hosts}),
        hosts=hosts,
        origins=frozenset(each.lower() for each in raw.get("origins", ())),
        static=_principal(identity["static"], "static") if "static" in identity else None,
        keys=keys,
    )


def _principal(raw: Mapping[str, Any], method: str) -> Principal:
    return Principal(
        id=raw["id"],
        roles=frozenset(raw.get("roles", ())),
        agent=raw.get("agent", ""),
        user=raw.get("user", ""),
        method=method,
    )


def _telemetry(node: Node, problems: list[LoadProblem]) -> TelemetrySettings:
    found = node.get("telemetry")
    if found is None:
        return TelemetrySettings()
    raw = found.plain()
    otlp, sample = raw.get("otlp") or "", raw.get("sample", 1.0)
    if not isinstance(otlp, str) or (otlp and not re.match(r"https?://[^/@\s]+", otlp)):
        problems.append(found.key_problem("otlp", "must be an http or https URL, without a user in it"))
    if isinstance(sample, bool) or not isinstance(sample, int | float) or not 0 <= sample <= 1:
        problems.append(found.key_problem("sample", "must be a number from 0 to 1"))
    headers = {name: _secret(found, name, value, problems) for name, value in raw.get("headers", {}).items()}
    if problems:
        return TelemetrySettings()
    return TelemetrySettings(otlp=otlp, sample=float(sample), service=raw.get("service", "toolwall"), headers=headers)


def _secret(node: Node, name: str, value: str, problems: list[LoadProblem]) -> str:
    """A value that may stand in the environment instead."""
    if not value.startswith("env:"):
        return value
    found = os.environ.get(value.removeprefix("env:"))
    if found is None:
        problems.append(node.key_problem("headers", f"names an environment variable for {name} that is not set"))
    return found or ""


def _bounds(node: Node, problems: list[LoadProblem]) -> dict[str, Any]:
    found = node.get("bounds")
    if found is None:
        return {}
    raw = found.plain()
    for name in _WHOLE:
        value = raw.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
            problems.append(found.key_problem(name, "must be a whole number from 1 to 1000000"))
    return {
        name: duration(value) if name in _TIMES else size(value) if name in _SIZES else value
        for name, value in raw.items()
    }


def _http(bounds: Mapping[str, Any]) -> HttpBounds:
    named = {"idle": "idle_s", "body": "body_s"}
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
