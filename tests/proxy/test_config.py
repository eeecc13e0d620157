"""toolwall.yaml: what may stand in it, and that everything else is refused with its place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.config import CONFIG, MOST_BYTES, ConfigError, Settings, load_config
from proxy.listening_settings import AdminSettings, Place, TlsSettings
from proxy.presidio.settings import PresidioSettings
from proxy.replies.answers import AnswerBounds
from proxy.replies.remainders import RestBounds
from proxy.scanning import ScanBounds
from rules.facts import Principal
from rules.shape import Either, Form, Many, Shape
from rules.source import LoadProblem
from tests.counts import every_third
from tests.rules.mutations import mutations_of

DIGEST = hashlib.sha256(b"one key").hexdigest()
OTHER = hashlib.sha256(b"other key").hexdigest()
FULL = f"""
rules: policies
state: {{folder: var, key: env:STATE_KEY}}
stop: run/stop
listeners:
  - bind: 127.0.0.1:8080
    names: [crm.internal, "[fd00::7]"]
    hosts: {{crm.example: crm}}
    origins: [https://App.example:8443]
    mcp: {{backends: [hub, fs]}}
    external_url: {{crm.example: "https://crm.example.com/"}}
    identity:
      static: {{id: bot, roles: [support, billing], agent: helper, user: ann}}
  - bind: "[::]:8443"
    identity:
      api_keys:
        - {{id: one, roles: [support], agent: a, user: u, sha256: {DIGEST}}}
        - id: two
          sha256: {OTHER}
      key_file: keys.yaml
      jwt:
        - {{issuer: i, audience: [a], keys: "https://i.example/jwks", ca: ca.pem, algorithms: [ES256], leeway: 5s,
            prefix: "i:", roles: /a/b, role_map: {{x: [support]}}, user: u, agent: a, claims: [tenant],
            actors: {{helper: [support]}}, most_chain: 2}}
      certificates: [{{uri: "spiffe://e/a", id: u}}, {{subject: CN=a, id: s}}, {{sha256: {"ab" * 32}, id: c}}]
      delegation: [{{issuer: i, audience: a, keys: "file:k.json"}}]
    tls: {{certificate: own.pem, key: /run/own.key, client_ca: clients.pem, client: optional}}
  - bind: unix:run/agent.sock
    mode: "0660"
    identity: {{peers: [{{uid: 1000, id: p}}]}}
admin:
  bind: 127.0.0.1:9000
  token: file:admin.token
  names: [metrics.internal]
ledger:
  arguments: redacted
  on_error: refuse
  checkpoints: {{to: checkpoints, url: 'https://audit.internal/toolwall', headers: {{X-Key: env:KEY}}, every: 1m}}
  keep: {{for: 90d, size: 10GiB}}
telemetry:
  otlp: http://collector:4318/base
  sample: 0.25
  service: wall
  headers: {{Authorization: env:TOKEN, X-Team: crm}}
known_secrets: ['env:PASSWORD', 'file:one', 'lines:/run/many']
known_for: 5m
bounds:
  most_connections: 1
  most_calls: 2
  most_headers: 3
  most_batch: 4
  batch_at_once: 5
  most_batch_reply: 6KiB
  most_depth: 4
  most_body: 5KiB
  most_line: 6
  most_field: 7KiB
  idle: 8s
  body: 9s
  heartbeat: 11s
  connect: 500ms
  upstream_idle: 2m
  upstream_connections: 12
  upstream_header: 13KiB
  drain: 1h
  scan: 14s
  most_scan: 15MiB
  most_scans: 16
  rest: 17m
  most_rests: 18
  most_rest: 19MiB
  cache: 1MiB
  most_cached: 17
pseudonyms: {{keep: 8h}}
stdio: {{identity: {{static: {{id: desk, roles: [reader]}}}}, env: [GITHUB_TOKEN]}}
presidio: {{workers: 2, time: 300ms, most_characters: 400, memory: 500MiB, model: names, scans: 6,
  registry: all.yaml, recognizers: ["a.b:C"], code: code,
  operators: {{sealed: {{operator: encrypt, with: {{key: "env:KEY"}}}}}}}}
"""
LISTENER = "{bind: '127.0.0.1:0', identity: {static: {id: bot}}}"
MINIMAL = f"listeners: [{LISTENER}]\n"


def load(folder: Path, text: str | bytes) -> Settings:
    file = folder / "toolwall.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_config(file)


def problems(folder: Path, text: str | bytes) -> list[LoadProblem]:
    """What is wrong with this text; it has to be wrong."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert str(caught.value).count("\n") + 1 == len(caught.value.problems)
    return caught.value.problems


def problem(folder: Path, text: str | bytes) -> LoadProblem:
    """The only thing that is wrong."""
    (only,) = problems(folder, text)
    return only


def listener(**keys: Any) -> str:
    """A file with one listener, other than usual in these keys; None takes one away."""
    given = {"bind": "127.0.0.1:0", "identity": {"static": {"id": "bot"}}} | keys
    return yaml.safe_dump({"listeners": [{name: value for name, value in given.items() if value is not None}]})


def test_everything_that_may_be_said(tmp_path: Path) -> None:
    settings = load(tmp_path, FULL)
    assert (settings.rules, settings.state) == (tmp_path / "policies", tmp_path / "var")
    assert (settings.state_key, settings.stop) == ("env:STATE_KEY", tmp_path / "run" / "stop")
    first, second, third = settings.listeners
    assert first.place[:2] == ("127.0.0.1", 8080)
    assert first.names >= {"127.0.0.1", "localhost", "crm.internal", "[fd00::7]", "crm.example"}
    assert first.hosts == {"crm.example": "crm"}
    assert first.external == {"crm.example": ("https://crm.example.com", "")}
    assert first.origins == {"https://app.example:8443"}
    assert (first.joined, second.joined) == ({"hub", "fs"}, frozenset())
    assert first.identity.static == Principal("bot", frozenset({"support", "billing"}), "helper", "ann", "static")
    assert first.identity.keys == {}
    assert second.place[:2] == ("::", 8443)
    assert second.names == {"[::]"}
    assert second.identity.static is None
    assert second.identity.keys == {
        DIGEST: Principal("one", frozenset({"support"}), "a", "u", "api_key"),
        OTHER: Principal("two", method="api_key"),
    }
    assert settings.admin == AdminSettings(
        Place("127.0.0.1", 9000), None, frozenset({"metrics.internal"}), f"file:{tmp_path}/admin.token"
    )
    certificate, authorities = tmp_path / "own.pem", tmp_path / "clients.pem"
    assert second.tls == TlsSettings(certificate, Path("/run/own.key"), authorities, "optional")
    assert (third.place, third.tls) == (Place(path=f"{tmp_path}/run/agent.sock", mode=0o660), None)
    assert third.names == {"localhost"}
    assert settings.ledger.arguments == "redacted"
    assert settings.known_secrets == ("env:PASSWORD", f"file:{tmp_path}/one", "lines:/run/many")
    assert settings.known_for_s == 300.0
    assert (settings.telemetry.otlp, settings.telemetry.sample) == ("http://collector:4318/base", 0.25)
    assert settings.telemetry.service == "wall"
    assert settings.telemetry.headers == {"Authorization": "env:TOKEN", "X-Team": "crm"}


def test_bounds_are_bytes_and_seconds(tmp_path: Path) -> None:
    settings = load(tmp_path, FULL)
    http, upstream = settings.http, settings.upstream
    assert (http.most_connections, http.most_calls, http.most_headers) == (1, 2, 3)
    assert (http.most_batch, http.batch_at_once, http.most_batch_reply) == (4, 5, 6 * 1024)
    assert (settings.most_depth, settings.most_body) == (4, 5 * 1024)
    assert (http.most_line, http.most_field, http.idle_s, http.body_s) == (6, 7 * 1024, 8.0, 9.0)
    assert (upstream.connect_s, upstream.idle_s) == (0.5, 120.0)
    assert (upstream.most_connections, upstream.most_header_bytes) == (12, 13 * 1024)
    assert settings.drain_s == 3600.0
    assert settings.answers == AnswerBounds(17, 1 << 20)
    assert settings.scans == ScanBounds(14.0, 15 << 20, 16)
    assert settings.rests == RestBounds(rest_s=17 * 60.0, most=18, most_bytes=19 << 20)
    assert settings.presidio == PresidioSettings(
        2,
        0.3,
        400,
        500 << 20,
        str(tmp_path / "names"),
        6,
        str(tmp_path / "all.yaml"),
        ("a.b:C",),
        str(tmp_path / "code"),
        operators={"sealed": {"operator": "encrypt", "with": {"key": "env:KEY"}}},
    )


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    settings = load(tmp_path, MINIMAL)
    assert (settings.rules, settings.state, settings.state_key) == (tmp_path / "rules", tmp_path / ".toolwall", "")
    assert settings.stop == tmp_path / ".toolwall" / "stop"
    assert settings.admin == AdminSettings(Place("127.0.0.1", 9464))
    assert settings.ledger.arguments == "off"
    assert (settings.telemetry.otlp, settings.telemetry.sample) == ("", 1.0)
    (only,) = settings.listeners
    assert only.names == {"127.0.0.1", "localhost", "[::1]"}
    assert (only.hosts, only.origins, only.identity.keys) == ({}, frozenset(), {})


def test_the_defaults_of_bounds_are_those_that_the_reference_tells(tmp_path: Path) -> None:
    bounds = CONFIG.keys["bounds"].shape
    assert isinstance(bounds, Form)
    told = ", ".join(f"{name}: {key.says.split()[-1]}" for name, key in bounds.keys.items())
    said, unsaid = load(tmp_path, f"{MINIMAL}bounds: {{{told}}}\n"), load(tmp_path, MINIMAL)
    assert said == unsaid


@pytest.mark.parametrize(("given", "meant"), [("file:key", "file:{0}/key"), ("file:/run/key", "file:/run/key")])
def test_the_file_of_the_state_key_lies_beside_the_configuration(tmp_path: Path, given: str, meant: str) -> None:
    assert load(tmp_path, f"{MINIMAL}state: {{key: '{given}'}}\n").state_key == meant.format(tmp_path)


def test_nothing_is_removed_from_a_ledger_without_checkpoints(tmp_path: Path) -> None:
    found = problems(tmp_path, f"{MINIMAL}ledger: {{keep: {{for: 90d}}}}\n")
    assert [each.message for each in found] == ["is there without `checkpoints`"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{every: 1m}", "has neither `to` nor `url`"),
        ("{headers: {a: b}, to: here}", "is there without `url`"),
        ("{url: here}", "must be an http or https URL without user, query or fragment"),
        ("{url: 'https://u:hunter2@a/b'}", "must be an http or https URL without user, query or fragment"),
        ("{url: 'https://a/b?c'}", "must be an http or https URL without user, query or fragment"),
        ("{url: 'file:///a'}", "must be an http or https URL without user, query or fragment"),
    ],
)
def test_checkpoints_need_a_place(tmp_path: Path, said: str, problem: str) -> None:
    found = problems(tmp_path, f"{MINIMAL}ledger: {{checkpoints: {said}}}\n")
    assert problem in [each.message for each in found]


VAULTS = [
    f"{MINIMAL}vault: {{address: 'https://vault.internal', namespace: a, ca: ca.pem, timeout: 1s, every: 1m, "
    f"most_age: 1h, grace: 1s, most_leases: 9, auth: {{{auth}}}}}\n"
    for auth in (
        "token: file:token",
        "approle: {role_id: r, secret_id: env:S, mount: m}",
        "approle: {role_id: r, wrapped_secret_id: file:w}",
        "kubernetes: {role: r, jwt: file:t}",
        "jwt: {role: r, jwt: file:t}",
    )
]
MUTATIONS = [mutation for text in (FULL, *VAULTS) for mutation in mutations_of("toolwall.yaml", text, CONFIG)]


@pytest.mark.parametrize(("kind", "word"), [("misspelt", "is an unknown key"), ("doubled", "is a duplicate key")])
def test_a_key_that_is_misspelt_or_doubled_is_refused_in_its_line(tmp_path: Path, kind: str, word: str) -> None:
    for mutation in MUTATIONS:
        if mutation.kind == kind:
            found = [each for each in problems(tmp_path, mutation.text) if each.message == word]
            assert [each.line for each in found] == [mutation.line], mutation.key
            assert found[0].hint, mutation.key


@pytest.mark.parametrize("text", VAULTS)
def test_every_way_to_sign_in_to_vault_is_read(tmp_path: Path, text: str) -> None:
    vault = load(tmp_path, text).vault
    assert vault is not None
    assert (vault.address, vault.namespace, vault.timeout_s) == ("https://vault.internal", "a", 1.0)


def test_tokens_for_vault_do_not_travel_in_the_clear(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL).vault is None
    text = VAULTS[0].replace("https:", "http:")
    assert [each.line for each in problems(tmp_path, text)] == [text[: text.index("vault:")].count("\n") + 1]


def names(shape: Shape) -> Iterator[str]:
    match shape:
        case Form():
            for name, key in shape.keys.items():
                yield name
                yield from names(key.shape)
        case Many():
            yield from names(shape.item)
        case Either():
            yield from names(shape.mapping)


@pytest.mark.parametrize("kind", ["misspelt", "doubled"])
def test_those_are_all_keys_that_there_are(kind: str) -> None:
    assert {each.key for each in MUTATIONS if each.kind == kind} >= set(names(CONFIG))


def places(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every value below, by its path as problems tell it and as steps."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in steps:
        here = f"{path}[{step}]" if isinstance(step, int) else f"{path}.{step}".removeprefix(".")
        yield here, [step]
        for deeper, more in places(below, here):
            yield deeper, [step, *more]


DOCUMENT = yaml.safe_load(FULL)
# The parameters of an operator are its own; the process that runs it tries them at start.
PLACES = [(path, steps) for path, steps in places(DOCUMENT) if ".with" not in path]
WRONG = [None, True, 7.5, -1, "", [], {}, [None], {"x": None}, [[]], 10**30]


@pytest.mark.parametrize("top", DOCUMENT)
def test_a_value_of_a_wrong_type_is_refused_in_its_place(tmp_path: Path, top: str) -> None:
    """Each place of the file; in the short form each with a third of the values, all of them under each key."""
    for number, (path, steps) in enumerate(place for place in PLACES if place[1][0] == top):
        for wrong in every_third(WRONG, number):
            holder = document = deepcopy(DOCUMENT)
            for step in steps[:-1]:
                holder = holder[step]
            holder[steps[-1]] = wrong
            found = problems(tmp_path, json.dumps(document))
            assert any(each.path.startswith(path) for each in found), (path, wrong, found)
            assert all(each.line > 0 and each.col > 0 and each.message for each in found), path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, wrong) for name in ("most_connections", "most_calls", "most_headers", "most_batch", "batch_at_once",
                                       "upstream_connections")
          for wrong in ("0", "-1", "1000001", "1.0", "'7'", "1e3", "all")),
        *(("most_depth", wrong) for wrong in ("0", "201", "5.5")),
        *((name, wrong) for name in ("most_body", "most_line", "most_field", "upstream_header")
          for wrong in ("0", "-1", "0KiB", "1MB", "1.5MiB", "64kib", "1 MiB", "'1'")),
        *((name, wrong) for name in ("idle", "body", "heartbeat", "connect", "upstream_idle", "drain")
          for wrong in ("0s", "10", "1.5", "-1s", "10 s", "10sec", "1m30s", "s", "forever")),
    ],
)  # fmt: skip
def test_what_is_no_count_size_or_duration(tmp_path: Path, name: str, value: str) -> None:
    found = problem(tmp_path, f"{MINIMAL}bounds:\n  {name}: {value}\n")
    assert (found.line, found.col, found.path) == (3, len(name) + 5, f"bounds.{name}")
    assert "must be" in found.message


@pytest.mark.parametrize("value", ["-0.1", "1.1", "2", "'0.5'", "true", ".nan", "null"])
def test_what_is_no_share(tmp_path: Path, value: str) -> None:
    found = problems(tmp_path, f"{MINIMAL}telemetry: {{sample: {value}}}\n")
    assert {each.path for each in found} == {"telemetry.sample"}


@pytest.mark.parametrize("value", ["0", "1", "0.001", "1.0"])
def test_what_is_a_share(tmp_path: Path, value: str) -> None:
    assert load(tmp_path, f"{MINIMAL}telemetry: {{sample: {value}}}\n").telemetry.sample == float(value)


@pytest.mark.parametrize(
    "bind",
    ["0.0.0.0:80", "[::]:80", "10.0.0.7:80", "wall.internal:80", "localhost.evil.example:80", "[fe80::1]:80"],
)  # fmt: skip
def test_static_identity_is_for_loopback_only(tmp_path: Path, bind: str) -> None:
    found = problem(tmp_path, listener(bind=bind))
    assert found.path == "listeners[0].bind"
    assert "`static` would let anybody in" in found.message
    assert "api_keys" in found.hint


@pytest.mark.parametrize("bind", ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "localhost:80", "LOCALHOST:80"])
def test_every_name_of_loopback_may_be_static(tmp_path: Path, bind: str) -> None:
    assert load(tmp_path, listener(bind=bind)).listeners[0].place.is_local


@pytest.mark.parametrize(
    "bind",
    ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:-1", "http://127.0.0.1:80", "a b:80",
     "::1:80", "[::1]80", "127.0.0.1:80/", "127.0.0.1:000080", "*:80", "127.0.0.1:80\n"],
)  # fmt: skip
def test_what_is_no_address(tmp_path: Path, bind: str) -> None:
    for where, text in (("listeners[0].bind", listener(bind=bind)), ("admin.bind", with_admin(bind))):
        found = problem(tmp_path, text)
        assert (found.path, found.message.split(", such")[0]) == (where, "must be HOST:PORT")


def with_admin(bind: str) -> str:
    return MINIMAL + yaml.safe_dump({"admin": {"bind": bind}})


@pytest.mark.parametrize(
    ("bind", "says"),
    [("127.0.0.1:65536", "port above 65535"), ("localhost:99999", "port above"), ("[1:2]:80", "no IPv6 address"),
     ("[::1.2.3.4.5]:80", "no IPv6 address")],
)  # fmt: skip
def test_an_address_that_cannot_be(tmp_path: Path, bind: str, says: str) -> None:
    for text in (listener(bind=bind), with_admin(bind)):
        assert [each for each in problems(tmp_path, text) if says in each.message]


def test_two_listeners_cannot_have_one_address(tmp_path: Path) -> None:
    one, two = (f"{{bind: '{bind}', identity: {{static: {{id: b}}}}}}" for bind in ("127.0.0.1:81", "127.0.0.1:82"))
    load(tmp_path, f"listeners: [{one}, {two}]\n")
    load(tmp_path, f"listeners: [{LISTENER}, {LISTENER}]\nadmin: {{bind: '127.0.0.1:0'}}\n")
    assert problem(tmp_path, f"listeners: [{one}, {two}, {one}]\n").path == "listeners[2].bind"
    assert problem(tmp_path, f"listeners: [{one}]\nadmin: {{bind: '127.0.0.1:81'}}\n").path == "admin.bind"


@pytest.mark.parametrize(
    "name", ["CRM.internal", "crm.internal:80", "http://crm", "crm/", "*", "a b", "[::1", "::1", ""]
)
def test_a_host_that_no_request_could_name(tmp_path: Path, name: str) -> None:
    found = problem(tmp_path, listener(names=[name]))
    assert (found.path, found.message) == ("listeners[0].names[0]", "must be a host name in lower case, without a port")
    if name:
        assert problem(tmp_path, listener(hosts={name: "crm"})).path == f"listeners[0].hosts.{name}"


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "app.example", "https://", "https://app.example/", "ftp://a", "https://a b", "https://u@a", "https://a:p"],
)  # fmt: skip
def test_an_origin_that_no_browser_would_send(tmp_path: Path, origin: str) -> None:
    assert problem(tmp_path, listener(origins=[origin])).path == "listeners[0].origins[0]"


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        ({}, "is empty"),
        ({"static": {"id": "a"}, "api_keys": [{"id": "b", "sha256": DIGEST}]}, "makes api_keys useless"),
        ({"static": {"roles": ["a"]}}, "lacks the key id"),
        ({"static": {"id": "two words"}}, "1 to 128 visible characters"),
        ({"static": {"id": "x" * 129}}, "1 to 128 visible characters"),
        ({"static": {"id": "a", "sha256": DIGEST}}, "unknown key"),
        ({"static": {"id": "a", "roles": []}}, "empty list"),
        ({"api_keys": []}, "empty list"),
        ({"api_keys": [{"id": "a"}]}, "lacks the key sha256"),
        ({"api_keys": [{"id": "a", "sha256": DIGEST.upper()}]}, "64 hex digits"),
        ({"api_keys": [{"id": "a", "sha256": DIGEST[:-1]}]}, "64 hex digits"),
        ({"api_keys": [{"id": "a", "sha256": "twk_" + "a" * 43}]}, "64 hex digits"),
        ({"api_keys": [{"id": "a", "sha256": DIGEST}, {"id": "b", "sha256": DIGEST}]}, "one key to two principals"),
    ],
)
def test_an_identity_that_is_none(tmp_path: Path, identity: dict[str, Any], says: str) -> None:
    found = problem(tmp_path, listener(identity=identity))
    assert found.path.startswith("listeners[0].identity")
    assert says in found.message


def test_one_principal_may_have_two_keys(tmp_path: Path) -> None:
    keys = [{"id": "a", "sha256": DIGEST}, {"id": "a", "sha256": OTHER}]
    assert set(load(tmp_path, listener(identity={"api_keys": keys})).listeners[0].identity.keys) == {DIGEST, OTHER}


@pytest.mark.parametrize("missing", ["bind", "identity"])
def test_a_listener_needs(tmp_path: Path, missing: str) -> None:
    assert problem(tmp_path, listener(**{missing: None})).message == f"lacks the key {missing}"


@pytest.mark.parametrize(
    "otlp",
    ["ftp://a", "collector:4318", "http://", "http://ann:hunter2@collector", "http://ann@collector", "http://a/?token=hunter2",
     "http://a/#hunter2", "http://a b", "http://a\r\nX: y", "https:///v1", "http://a:port", "http://a\\@b"],
)  # fmt: skip
def test_a_collector_that_is_none_or_brings_a_secret_in_its_url(tmp_path: Path, otlp: str) -> None:
    found = problem(tmp_path, MINIMAL + yaml.safe_dump({"telemetry": {"otlp": otlp}}))
    assert found.path == "telemetry.otlp"
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("name", ["X A", "X:", "Ä", "X(Y)"])
def test_a_header_that_has_no_name(tmp_path: Path, name: str) -> None:
    found = problem(tmp_path, MINIMAL + yaml.safe_dump({"telemetry": {"headers": {name: "hunter2"}}}))
    assert found.message == "must be the name of a header"
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("key", ["vault:", "env:", "env:A-B", "file:", "state.key", "a" * 64])
def test_a_place_where_no_state_key_is(tmp_path: Path, key: str) -> None:
    found = problem(tmp_path, f"{MINIMAL}state: {{key: '{key}'}}\n")
    assert (found.path, found.message) == ("state.key", "must be env:NAME, file:PATH or vault:MOUNT/PATH#FIELD")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "---\n"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    found = problem(tmp_path, text)
    assert (found.line, found.message) in ((1, "is empty"), (1, "is null, must be a mapping with the keys"))


@pytest.mark.parametrize("data", [b"\xff\xfel\x00", b"rules: caf\xe9\n", b"\xed\xa0\x80"])
def test_a_file_that_is_not_utf_8(tmp_path: Path, data: bytes) -> None:
    assert problem(tmp_path, data).message == "is not UTF-8"


@pytest.mark.parametrize("text", ["- a\n", "listeners\n", "7\n"])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    assert "must be a mapping with the keys rules, state, listeners" in problem(tmp_path, text).message


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    most = MINIMAL + "#" * (MOST_BYTES - len(MINIMAL))
    load(tmp_path, most)
    assert problem(tmp_path, most + "#").message == f"is larger than {MOST_BYTES} bytes"


def test_a_file_that_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_config(tmp_path / "toolwall.yaml")
    with pytest.raises(IsADirectoryError):
        load_config(tmp_path)


def test_problems_say_where_what_and_what_to_do(tmp_path: Path) -> None:
    text = f"listners: []\nadmin: {{bind: 80}}\nlisteners:\n  - {LISTENER[:-1]}, name: [x]}}\n"
    file = tmp_path / "toolwall.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert str(caught.value).split("\n") == [
        f"{file}:1:1: listners: is an unknown key (did you mean listeners?)",
        f"{file}:2:15: admin.bind: is an integer, must be HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, "
        "or unix:PATH",
        f"{file}:4:{len(LISTENER) + 6}: listeners[0].name: is an unknown key (did you mean names?)",
    ]


def test_no_secret_is_in_any_printout(tmp_path: Path) -> None:
    text = FULL.replace("env:TOKEN", "Bearer hunter2")
    settings = load(tmp_path, text)
    assert settings.telemetry.headers["Authorization"] == "Bearer hunter2"
    shown = f"{settings!r} {settings} {settings.listeners} {settings.telemetry!r}"
    for secret in ("hunter2", DIGEST, OTHER):
        assert secret not in shown
    assert "support" in shown
