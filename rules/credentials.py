"""Which credential goes to a backend: the caller's own, one that the sidecar puts on the wire itself, or none at all.

Never two at once: where the sidecar sends one, nothing that the caller sent in such a place goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from rules.placing import is_credential_name
from rules.shape import Choice, Either, Form, Key, Many, Table, Text
from rules.source import LoadProblem, Node
from rules.urls import Network, Url, parse_network, parse_url
from rules.wire import Slot

SENDS: Final = ("bearer", "basic")
ORIGINS: Final = ("env", "file", "vault")
PERS: Final = ("shared", "run", "call")
ON_LEAK: Final = ("alarm", "revoke")
MOST: Final = 4
"""Credentials of one backend. Some APIs want an id and a key, none wants more than that by far."""

VALUE: Final = "value"
_HOSTS_LIKE: Final = "a host name in lower case, without a port"
_Variable: Final = Text(r"^[A-Za-z_][A-Za-z0-9_]*$", "the name of an environment variable")
_File: Final = Text(r"^/[^\x00-\x1f]+$", "an absolute path, such as /run/secrets/crm")
_SEGMENT: Final = "[A-Za-z0-9_~@+-][A-Za-z0-9_.~@+-]{0,127}"
_Vault: Final = Text(
    rf"^{_SEGMENT}(/{_SEGMENT}){{1,15}}(\?version=[1-9][0-9]{{0,8}})?(#[A-Za-z0-9_.-]{{1,128}})?$",
    "MOUNT/PATH or MOUNT/PATH#FIELD, such as secret/crm#token",
)
_Field: Final = r"^[a-z_]{1,64}$"
_FIELD_LIKE: Final = "the name of a field, such as username"
OAUTH2: Final = Form(
    {
        "url": Key(Text(), "The token endpoint.", required=True),
        "client_id": Key(Text(r"^[ -~]{1,256}$", "visible ASCII"), "The client whose secret it is."),
        "scope": Key(Text(r"^[ -~]{1,1024}$", "visible ASCII"), "What is asked for, with spaces between."),
        "audience": Key(Text(r"^[!-~]{1,1024}$", "visible ASCII"), "For whom the token is meant, by its name."),
        "resource": Key(Text(r"^[!-~]{1,1024}$", "a URL"), "For whom the token is meant, by its URL."),
        "client": Key(
            Choice(("basic", "body")),
            "Where the client's secret stands: HTTP Basic without a word, or the body.",
        ),
        "addresses": Key(Many(Text()), "Networks that the endpoint may lie in although they are not public."),
    }
)
SIGV4: Final = Form(
    {
        "region": Key(Text(r"^[a-z0-9-]{1,64}$", "such as eu-central-1"), "The region.", required=True),
        "service": Key(
            Text(r"^[a-z0-9.-]{1,64}$", "such as execute-api"), "The service's signing name.", required=True
        ),
    }
)
SEND: Final = Form(
    {
        "header": Key(Text(), "The header's name."),
        "query": Key(Text(), "The name in the query."),
        "cookie": Key(Text(), "The cookie's name."),
        "basic": Key(
            Text(r"^[^:\x00-\x1f\x7f]+$", "a name without a colon"), "The user's name; the secret is the password."
        ),
        "prefix": Key(Text(r"^[ -~]{1,32}$", "visible ASCII"), "What stands in the header before the secret."),
        "oauth2": Key(OAUTH2, "A token for the sidecar itself, got with the secret as a client (OAuth 2)."),
        "exchange": Key(OAUTH2, "A token for the caller, got for the caller's own (RFC 8693)."),
        "sigv4": Key(SIGV4, "A signature of AWS over each request (Signature Version 4)."),
    },
    one_of=("header", "query", "cookie", "basic", "oauth2", "exchange", "sigv4"),
)
CREDENTIAL: Final = Form(
    {
        "send": Key(
            Either(Choice(SENDS), SEND),
            "Where the API wants it: bearer and basic are schemes of the header Authorization.",
            required=True,
        ),
        "from": Key(Choice(("caller",)), "Whose it is: the caller's own passes through."),
        "env": Key(
            Either(_Variable, Table(_Variable, _Field, _FIELD_LIKE)),
            "The environment variable that holds the secret, or one for each of its fields.",
        ),
        "file": Key(
            Either(_File, Table(_File, _Field, _FIELD_LIKE)),
            "The file that holds the secret, or one for each of its fields; it is read again when it changes.",
        ),
        "vault": Key(_Vault, "The secret in Vault."),
        "per": Key(Choice(PERS), "Who shares a lease of Vault's: all calls, those of a run, or none; all without it."),
        "hosts": Key(
            Many(Text(r"^[a-z0-9._:-]+$", _HOSTS_LIKE), or_one=True),
            "All hosts that may be sent the secret, where backends share it.",
        ),
        "on_leak": Key(
            Choice(ON_LEAK),
            "What happens where an answer holds the secret; revoke also ends its lease.",
        ),
    },
    one_of=("from", *ORIGINS),
)
CREDENTIALS: Final = Either(Choice(("none",)), Many(CREDENTIAL, or_one=True))
_OF_OURS: Final = ("per", "hosts", "on_leak")
_OF_A_LEASE: Final = ("per", "on_leak")
_DROPPED: Final = Slot("header", "authorization", passes=False)

Per = Literal["shared", "run", "call"]
Way = Literal["bearer", "basic", "header", "query", "cookie", "oauth2", "exchange", "sigv4"]
_TOKENS: Final = ("oauth2", "exchange")
_OF_OURS_SENT: Final = ("prefix", "basic", *_TOKENS, "sigv4")
_SIGNED: Final = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a secret comes from. `names` are what the scheme calls it, by field; one plain value has the field `value`.

    `per` says who shares a lease of Vault's.
    """

    scheme: Literal["env", "file", "vault"]
    names: tuple[tuple[str, str], ...]
    per: Per = "shared"

    def __str__(self) -> str:
        return f"{self.scheme}:{','.join(name for _, name in self.names)}"

    @property
    def keys(self) -> set[tuple[str, str]]:
        """What is one secret, whichever field or version of it is asked for."""
        return {(self.scheme, re.split("[?#]", name)[0] if self.scheme == "vault" else name) for _, name in self.names}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A token endpoint (RFC 6749, 3.2). `path` is as its author writes it; `in_body`: so goes the secret."""

    url: Url
    path: str
    addresses: tuple[Network, ...] = ()
    scope: str = ""
    audience: str = ""
    resource: str = ""
    in_body: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """How a secret is put on the wire. `name` is that of a header (in lower case), in the query or of a cookie, or
    whoever the secret is the password of. `endpoint` gives a token for it, which is sent instead; `signs` are a region
    and a service of AWS.
    """

    way: Way
    name: str = ""
    prefix: str = ""
    endpoint: Endpoint | None = None
    signs: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Injected:
    """A secret that the sidecar puts on the wire itself, and the only hosts that may be sent it."""

    origin: Origin
    sent: Sent
    hosts: frozenset[str]
    revokes: bool = False
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    def goes_to(self, host: str) -> str:
        """Who is sent the secret itself, for a backend at this host."""
        return self.sent.endpoint.url.host if self.sent.endpoint else host


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a backend file says of credentials: the places that they have, and what the sidecar itself sends."""

    slots: tuple[Slot, ...] = ()
    injects: tuple[Injected, ...] = ()

    @property
    def exchanges(self) -> bool:
        """Whether what the backend answers depends on the caller's own token."""
        return any(each.sent.way == "exchange" for each in self.injects)


def read_credentials(root: Node) -> tuple[Credentials, list[LoadProblem]]:
    """What stands under `credential` in a backend's file."""
    nodes = root.under("credential")
    if not nodes:
        return Credentials(), []
    if nodes[0].value == "none":
        return Credentials((_DROPPED,)), []
    problems = [problem for node in nodes for problem in _wrong(node)]
    ours = [node for node in nodes if not node.get("from")]
    if ours and len(ours) < len(nodes):
        hint = "a backend gets the caller's credential, or one of the sidecar's"
        problems.append(nodes[0].problem("sends two credentials at once", hint))
    if problems:
        return Credentials(), problems
    if not ours:
        slots = [_slot(node, problems) for node in nodes]
        return Credentials(tuple(slots)), problems
    injects = [_injected(root, node, problems) for node in ours]
    injects.sort(key=lambda each: each.sent.way == "sigv4")  # what is signed comes before
    taken = [slot for each in injects for slot in _places(each.sent)]
    if len(set(taken)) < len(taken):
        problems.append(nodes[0].problem("puts two credentials into one place"))
    if len(ours) > MOST:
        problems.append(nodes[0].problem(f"has more than {MOST} credentials"))
    return Credentials(tuple({*taken, _DROPPED}), tuple(injects)), problems


def _wrong(node: Node) -> Iterator[LoadProblem]:
    """Keys that do not go together."""
    if node.get("from"):
        hint = "the caller's own credential is passed on as it is"
        yield from (node.key_problem(key, "needs a secret of the sidecar's", hint) for key in _OF_OURS if node.get(key))
        send = node.value["send"]
        yield from (
            send.key_problem(key, "is only for a secret of the sidecar's") for key in _OF_OURS_SENT if send.get(key)
        )
        return
    if not node.get("vault"):
        per, on_leak = node.get("per"), node.get("on_leak")
        if per and per.value != "shared":
            yield per.problem("needs a secret of Vault's, which has leases", "leave it out")
        if on_leak and on_leak.value == "revoke":
            yield on_leak.problem("needs a secret that can be revoked, as Vault's can", "leave it out")
    send = node.value["send"]
    if any(map(send.get, _TOKENS)):
        hint = "a token is got with it, and another when it has ended"
        yield from (node.key_problem(key, "is not for a client's secret", hint) for key in _OF_A_LEASE if node.get(key))
    if send.get("prefix") and not send.get("header"):
        yield send.key_problem("prefix", "is only for a header")


def _named(send: Node, problems: list[LoadProblem]) -> tuple[Any, str]:
    """The place and the name there."""
    for place in ("header", "query", "cookie"):
        if name := send.get(place):
            if place != "query" and not is_credential_name(place, name.value):
                problems.append(name.problem(f"is not a {place} that can hold a credential"))
            return place, name.value.lower() if place == "header" else name.value
    for way in (*_TOKENS, "sigv4"):
        if said := send.get(way):
            return way, said.text("client_id")
    return ("basic", send.text("basic")) if send.get("basic") else (send.value, "")


def _endpoint(said: Node | None, problems: list[LoadProblem]) -> Endpoint | None:
    if said is None:
        return None
    url, addresses = said.value["url"], []
    for node in said.under("addresses"):
        try:
            addresses.append(parse_network(node.value))
        except ValueError as error:
            problems.append(node.problem(str(error)))
    try:
        found, path = parse_url(url.value), urlsplit(url.value).path or "/"
    except ValueError as error:
        problems.append(url.problem(str(error)))
        return None
    scope, audience, resource = map(said.text, ("scope", "audience", "resource"))
    return Endpoint(found, path, tuple(addresses), scope, audience, resource, said.text("client") == "body")


def _slot(node: Node, problems: list[LoadProblem]) -> Slot:
    return Slot(*_named(node.value["send"], problems))


def _injected(root: Node, node: Node, problems: list[LoadProblem]) -> Injected:
    send = node.value["send"]
    way, name = _named(send, problems)
    endpoint = _endpoint(next(filter(None, map(send.get, _TOKENS)), None), problems)
    signs = send.get("sigv4")
    sent = Sent(
        way, name, send.text("prefix"), endpoint, (signs.text("region"), signs.text("service")) if signs else ("", "")
    )
    said, own = node.get("hosts"), {_host(root), endpoint.url.host if endpoint else ""} - {""}
    hosts = frozenset(each.value for each in said.each()) if said else frozenset(own)
    if said and (missing := sorted(own - hosts)):
        message = f"lacks {missing[0]}, which is sent it or the token for it"
        problems.append(said.problem(message, "name all hosts that may get the secret"))
    on_leak = node.get("on_leak")
    revokes = on_leak is not None and on_leak.value == "revoke"
    return Injected(_origin(node), sent, hosts, revokes, node.file, node.line)


def _host(root: Node) -> str:
    """The backend's host; empty where its URL is wrong, which is said elsewhere."""
    try:
        return parse_url(root.text("url")).host
    except ValueError:
        return ""


def _origin(node: Node) -> Origin:
    [scheme] = [each for each in ORIGINS if node.get(each)]
    below: Any = node.value[scheme]
    names = tuple((field, name.value) for field, name in below.items()) or ((VALUE, below.value),)
    return Origin(scheme, names, node.text("per") or "shared")  # type: ignore[arg-type]


def _places(sent: Sent) -> list[Slot]:
    """What a credential takes up on the wire, so that nobody else may."""
    if sent.way in ("header", "query", "cookie"):
        return [Slot(sent.way, sent.name, passes=False)]
    return [Slot("header", name, passes=False) for name in _SIGNED] if sent.way == "sigv4" else [_DROPPED]


def shared_wrongly(backends: Mapping[str, tuple[str, tuple[Injected, ...]]]) -> Iterator[LoadProblem]:
    """Secrets that backends at different hosts send without saying so: a second backend is no way to have a secret sent
    elsewhere. `backends` are the host and the secrets of each, by name.
    """
    hosts: dict[tuple[str, str], set[str]] = {}
    specs = [(each.goes_to(host), each) for host, some in backends.values() for each in some]
    sent = [(host, each, name) for host, each in specs for name in each.origin.keys]
    for host, _, name in sent:
        hosts.setdefault(name, set()).add(host)
    for _, each, name in sent:
        if missing := sorted(hosts[name] - each.hosts):
            message = f"another backend sends {':'.join(name)} to {', '.join(missing)}"
            hint = "name all of them under `hosts` in both, or use another secret"
            yield LoadProblem(each.file, each.line, 1, "credential", message, hint)
