"""What a backend file may say of credentials, and where it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import pytest

from rules.credentials import Credentials, Endpoint, Injected, Origin, Sent
from rules.load import RulesError, load
from rules.published import json_schema
from rules.tools import Backend
from rules.urls import Url, parse_network

TOOLS = "tools: {find: {call: GET /things, args: {q: {type: string, optional: true}}}}"


def backend(folder: Path, credential: str, url: str = "https://crm.internal/api", tools: str = TOOLS) -> Backend:
    (folder / "crm.yaml").write_text(f"backend: crm\nurl: {url}\ncredential: {credential}\n{tools}\n")
    return load(folder).catalog.backends["crm"]


def problems(folder: Path, credential: str, **more: str) -> list[str]:
    with pytest.raises(RulesError) as caught:
        backend(folder, credential, **more)
    return [str(each) for each in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "origin", "sent"),
    [
        ("{vault: secret/crm#token, send: bearer}", Origin("vault", (("value", "secret/crm#token"),)), Sent("bearer")),
        ("{env: CRM_TOKEN, send: bearer}", Origin("env", (("value", "CRM_TOKEN"),)), Sent("bearer")),
        ("{file: /run/crm, send: {basic: ana}}", Origin("file", (("value", "/run/crm"),)), Sent("basic", "ana")),
        (
            "{env: {username: U, password: P}, send: basic}",
            Origin("env", (("username", "U"), ("password", "P"))),
            Sent("basic"),
        ),
        (
            "{env: K, send: {header: X-Api-Key, prefix: 'Key '}}",
            Origin("env", (("value", "K"),)),
            Sent("header", "x-api-key", "Key "),
        ),
        ("{env: K, send: {query: api_key}}", Origin("env", (("value", "K"),)), Sent("query", "api_key")),
        ("{env: K, send: {cookie: sid}}", Origin("env", (("value", "K"),)), Sent("cookie", "sid")),
        (
            "{vault: database/creds/reader, per: run, send: basic}",
            Origin("vault", (("value", "database/creds/reader"),), "run"),
            Sent("basic"),
        ),
    ],
)
def test_what_the_sidecar_sends(tmp_path: Path, text: str, origin: Origin, sent: Sent) -> None:
    [found] = backend(tmp_path, text).injects
    assert found == Injected(origin, sent, frozenset({"crm.internal"}), False, "crm.yaml", 3)


LOGIN = "https://login.example:8443/oauth/token/"


def test_a_token_is_got_from_its_endpoint_and_the_secret_goes_there_alone(tmp_path: Path) -> None:
    more = "client_id: wall, scope: a b, audience: crm, resource: 'https://crm.internal', client: body"
    for way in ("oauth2", "exchange"):
        said = f"{{env: A, send: {{{way}: {{url: '{LOGIN}', {more}, addresses: [10.0.0.0/8]}}}}}}"
        [found] = backend(tmp_path, said).injects
        url = Url("https", "login.example", 8443, "/oauth/token")
        networks = (parse_network("10.0.0.0/8"),)
        endpoint = Endpoint(url, "/oauth/token/", networks, "a b", "crm", "https://crm.internal", True)
        assert found.sent == Sent(way, "wall", endpoint=endpoint)
        assert found.hosts == {"crm.internal", "login.example"}
        assert found.goes_to("crm.internal") == "login.example"
    assert Credentials(injects=(found,)).exchanges


def test_a_signature_is_put_last(tmp_path: Path) -> None:
    sigv4 = "{env: {access_key: A, secret_key: S}, send: {sigv4: {region: eu-central-1, service: s3}}}"
    found = backend(tmp_path, f"[{sigv4}, {{env: K, send: {{query: k}}}}]").injects
    assert [each.sent.way for each in found] == ["query", "sigv4"]
    assert found[1].sent.signs == ("eu-central-1", "s3")


def test_none_and_the_callers_own_inject_nothing(tmp_path: Path) -> None:
    for text in ("none", "{send: bearer, from: caller}"):
        assert backend(tmp_path, text).injects == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[{env: A, send: bearer}, {send: bearer, from: caller}]",
            "crm.yaml:3:14: credential[0]: sends two credentials",
        ),
        ("{env: A, from: caller, send: bearer}", "needs exactly one of the keys from, env, file, vault"),
        ("{env: A, file: /b, send: bearer}", "needs exactly one of the keys from, env, file, vault"),
        ("{send: bearer}", "needs exactly one of the keys from, env, file, vault"),
        ("{env: A}", "lacks the key send"),
        ("nothing", "must be one of: none"),
        ("{env: A B, send: bearer}", "must be the name of an environment variable"),
        ("{file: secrets/crm, send: bearer}", "must be an absolute path"),
        ("{vault: token, send: bearer}", "must be MOUNT/PATH"),
        ("{env: A, send: barer}", "did you mean bearer?"),
        ("{evn: A, send: bearer}", "did you mean env?"),
        ("{env: A, send: {query: k, prefix: 'T '}}", "crm.yaml:3:39: credential.send.prefix: is only for a header"),
        ("{from: caller, send: {basic: ana}}", "credential.send.basic: is only for a secret of the sidecar's"),
        ("{from: caller, send: bearer, hosts: a.example}", "credential.hosts: needs a secret of the sidecar's"),
        ("{env: A, send: bearer, per: run}", "credential.per: needs a secret of Vault's"),
        ("{env: A, send: bearer, on_leak: revoke}", "credential.on_leak: needs a secret that can be revoked"),
        ("{env: A, send: bearer, hosts: [a.example]}", "credential.hosts: lacks crm.internal, which is sent it"),
        ("[{env: A, send: bearer}, {env: B, send: basic}]", "puts two credentials into one place"),
        ("[{env: A, send: {header: X-K}}, {env: B, send: {header: x-k}}]", "puts two credentials into one place"),
        ("{env: A, send: {oauth2: {scope: a}}}", "lacks the key url"),
        ("{env: A, send: {oauth2: {url: 'ftp://a.example'}}}", "oauth2.url: must begin with http"),
        ("{env: A, send: {oauth2: {url: 'https://a.example/t?x=1'}}}", "without a user, query or fragment"),
        ("{env: A, send: {oauth2: {url: 'https://a.example', addresses: [10.0.0.1/8]}}}", "has bits beyond its prefix"),
        ("{env: A, send: {oauth2: {url: 'https://a.example', client: mtls}}}", "must be one of: basic, body"),
        ("{env: A, send: {oauth2: {url: 'https://a.example'}, exchange: {url: 'https://a.example'}}}", "exactly one"),
        ("{env: A, send: {oauth2: {url: 'https://a.example'}, prefix: x}}", "prefix: is only for a header"),
        ("{env: A, hosts: crm.internal, send: {oauth2: {url: 'https://a.example'}}}", "hosts: lacks a.example"),
        ("{vault: a/b, per: run, send: {exchange: {url: 'https://a.example'}}}", "per: is not for a client's secret"),
        (
            "{vault: a/b, on_leak: revoke, send: {oauth2: {url: 'https://a.example'}}}",
            "on_leak: is not for a client's secret",
        ),
        (
            "{from: caller, send: {exchange: {url: 'https://a.example'}}}",
            "exchange: is only for a secret of the sidecar's",
        ),
        ("{from: caller, send: {oauth2: {url: 'https://a.example'}}}", "is only for a secret of the sidecar's"),
        ("{from: caller, send: {sigv4: {region: a, service: s3}}}", "is only for a secret of the sidecar's"),
        ("{env: A, send: {sigv4: {region: EU, service: s3}}}", "must be such as eu-central-1"),
        ("{env: A, send: {sigv4: {service: s3}}}", "lacks the key region"),
        (
            "[{env: A, send: {oauth2: {url: 'https://a.example'}}}, {env: B, send: basic}]",
            "two credentials into one place",
        ),
        (
            "[{env: A, send: {sigv4: {region: a, service: s3}}}, {env: B, send: {header: X-Amz-Date}}]",
            "two credentials into one place",
        ),
        ("{env: A, send: {header: Content-Length}}", "is not a header that can hold a credential"),
        ("{env: A, send: {header: Toolwall-Key}}", "is not a header that can hold a credential"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(tmp_path: Path, text: str, said: str) -> None:
    found = problems(tmp_path, text)
    assert any(said in each for each in found), found
    assert all(each.startswith("crm.yaml:3:") for each in found), found


def test_an_argument_cannot_travel_where_the_secret_does(tmp_path: Path) -> None:
    tools = "tools: {find: {call: GET /things, args: {api_key: {type: string}}}}"
    [found] = problems(tmp_path, "{env: A, send: {query: api_key}}", tools=tools)
    assert "travels as api_key in the query, like another argument or a credential" in found


def test_a_second_backend_cannot_have_the_secret_sent_elsewhere(tmp_path: Path) -> None:
    other = f"backend: evil\nurl: https://evil.example\ncredential: {{env: A, send: bearer}}\n{TOOLS}\n"
    (tmp_path / "evil.yaml").write_text(other)
    found = problems(tmp_path, "{env: A, send: bearer}")
    assert [each.partition(" (")[0] for each in found] == [
        "crm.yaml:3:1: credential: another backend sends env:A to evil.example",
        "evil.yaml:3:1: credential: another backend sends env:A to crm.internal",
    ]
    both = "hosts: [crm.internal, evil.example]"
    (tmp_path / "evil.yaml").write_text(other.replace("send:", f"{both}, send:"))
    assert len(problems(tmp_path, "{env: A, send: bearer}")) == 1  # saying it in one place is not enough
    assert backend(tmp_path, f"{{env: A, send: bearer, {both}}}").injects[0].hosts == {"crm.internal", "evil.example"}


def test_a_clients_secret_is_shared_by_backends_of_one_endpoint_and_no_other(tmp_path: Path) -> None:
    other = f"backend: b\nurl: https://b.example\ncredential: {{env: A, send: SEND}}\n{TOOLS}\n"
    send = "{oauth2: {url: 'https://login.example/t'}}"
    (tmp_path / "b.yaml").write_text(other.replace("SEND", send))
    assert backend(tmp_path, f"{{env: A, send: {send}}}").injects
    (tmp_path / "b.yaml").write_text(other.replace("SEND", "bearer"))
    found = problems(tmp_path, f"{{env: A, send: {send}}}")
    assert any("another backend sends env:A to login.example" in each for each in found)


def test_another_field_or_version_of_a_secret_of_vaults_is_the_same_secret(tmp_path: Path) -> None:
    other = (
        f"backend: b\nurl: https://b.example\ncredential: {{vault: 'secret/a?version=2#x', send: bearer}}\n{TOOLS}\n"
    )
    (tmp_path / "b.yaml").write_text(other)
    found = problems(tmp_path, "{vault: secret/a#token, send: bearer}")
    assert "another backend sends vault:secret/a to b.example" in found[1]


@pytest.mark.parametrize(
    ("credential", "good"),
    [
        ("none", True),
        ({"env": "A", "send": "bearer"}, True),
        ([{"file": {"username": "/u", "password": "/p"}, "send": "basic"}], True),
        ({"from": "caller", "send": {"query": "k"}}, True),
        ({"env": "A", "send": {"oauth2": {"url": "https://login.example/t", "client": "body"}}}, True),
        ({"env": "A", "send": {"sigv4": {"region": "eu-central-1", "service": "s3"}}}, True),
        ({"env": "A", "send": {"sigv4": {"region": "eu-central-1"}}}, False),
        ({"env": "A", "send": {"exchange": {"scope": "a"}}}, False),
        ("nothing", False),
        ({"env": "A"}, False),
        ({"env": "A", "from": "caller", "send": "bearer"}, False),
    ],
)
def test_editors_are_told_the_same(credential: object, good: bool) -> None:
    validator = jsonschema_rs.Draft202012Validator(json_schema())
    tools = {"find": {"call": "GET /things"}}
    file = {"backend": "crm", "url": "https://crm.internal", "credential": credential, "tools": tools}
    assert validator.is_valid(file) is good
