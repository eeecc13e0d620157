"""What a listener's `identity` says: by which credentials its callers are known, and who they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from proxy.ledger_settings import AUTHORITY
from rules.facts import Principal
from rules.shape import DURATION, Choice, Form, Key, Many, Number, Table, Text, duration
from rules.source import LoadProblem, Node

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures whose key can be public (RFC 7518, RFC 8037): with a shared secret a reader of tokens could write them."""

LEEWAY: Final = "30s"
MOST_LEEWAY_S: Final = 300
MOST_CHAIN: Final = 4
UNMAPPED: Final = 65_534
"""The user id that the kernel gives of every user whom its reader's namespace does not map (user_namespaces(7))."""

_ID: Final = Text(r"^[\x21-\x7e]{1,128}$", "1 to 128 visible characters")
_Name: Final = Text(r"^[\x21-\x7e]{1,256}$", "1 to 256 visible characters")
_Claim: Final = Text(r"^[\x21-\x7e]{1,256}$", "the name of a claim, or a JSON pointer such as /realm_access/roles")
_Roles: Final = Many(Text())
_NAMED: Final = {
    "roles": Key(_Roles, "Its roles, which rules speak of."),
    "agent": Key(Text(), "The agent's name, where it is known."),
    "user": Key(Text(), "The user for whom the agent acts, where it is known."),
}
WHO: Final = {"id": Key(_ID, "The principal's id.", required=True), **_NAMED}
API_KEY: Final = Form({**WHO, "sha256": Key(Text(r"^[0-9a-f]{64}$", "64 hex digits"), "Hash of the key.", True)})
JWT: Final = Form(
    {
        "issuer": Key(_Name, "The claim `iss` of its tokens, exactly.", required=True),
        "audience": Key(
            Many(_Name, or_one=True), "What the claim `aud` has to name, one of several is enough.", required=True
        ),
        "keys": Key(
            Text(rf"^(https?://{AUTHORITY}(/[^#\s]*)?|file:.+)$", "an https URL without user or file:PATH"),
            "Where the issuer's public keys are (JWKS, RFC 7517): an URL, or a file relative to this one.",
            required=True,
        ),
        "ca": Key(Text(), "A file of certificates that vouch for that URL, relative to this one. Those of the system"),
        "algorithms": Key(Many(Choice(ALGORITHMS)), "The signatures that count. RS256 and ES256"),
        "leeway": Key(
            Text(DURATION, "a duration such as 30s"), "How far the clocks of issuer and sidecar may differ. 30s"
        ),
        "prefix": Key(
            Text(r"^[\x21-\x7e]{1,32}$", "1 to 32 visible characters"),
            "What stands before the subject in the principal's id, so that it is nobody's who is configured, nor one "
            "of another issuer's. `jwt:`",
        ),
        "roles": Key(_Claim, "The claim that holds the roles: a list, or words. `roles`"),
        "role_map": Key(Table(_Roles), "The roles that a value of that claim stands for; no others count then."),
        "user": Key(_Claim, "The claim that names the user, where nobody is delegated. None"),
        "agent": Key(_Claim, "The claim that names the agent, where nobody is delegated. None"),
        "claims": Key(Many(_Claim), "Claims that conditions may look at, as `principal.claims`."),
        "actors": Key(Table(_Roles), "The roles of the agents that tokens name under `act`, by their subject."),
        "most_chain": Key(Number(1, 16), "How many may act for each other, the user included. 4"),
    }
)
CERTIFICATE: Final = Form(
    {
        "uri": Key(
            Text(r"^[a-z][a-z0-9+.-]*:\S{1,2000}$", "a URI such as spiffe://example.org/agents/support"),
            "A URI in the certificate, such as a SPIFFE id; with `/*` at its end, all below it.",
        ),
        "subject": Key(Text(), "The certificate's subject, as RFC 4514 writes it: CN=support,O=Example."),
        "sha256": Key(Text(r"^[0-9a-f]{64}$", "64 hex digits"), "The hash of the certificate itself."),
        "id": Key(_ID, "The principal's id; required but for a `uri`, which is one itself."),
        **_NAMED,
    },
    one_of=("uri", "subject", "sha256"),
)
PEER: Final = Form({"uid": Key(Number(0, 2**32 - 1), "The user id of the process.", required=True), **WHO})
IDENTITY: Final = Form(
    {
        "static": Key(Form(WHO), "Everyone who reaches this listener is this principal. On loopback or a socket only."),
        "api_keys": Key(
            Many(API_KEY),
            "The header Toolwall-Key names the caller; `toolwall keys add ID --file -` makes a key and its hash.",
        ),
        "key_file": Key(Text(), "A file of API keys that `toolwall keys` writes, relative to this one."),
        "jwt": Key(Many(JWT), "The header Authorization holds a JSON Web Token of one of these issuers (RFC 7519)."),
        "certificates": Key(Many(CERTIFICATE), "The client's certificate names the caller; needs the listener's TLS."),
        "peers": Key(Many(PEER), "The user id at the other end of a Unix socket names the caller."),
        "delegation": Key(
            Many(JWT),
            "The header Toolwall-Delegation may hold a token of one of these issuers that says for whom the caller "
            "acts.",
        ),
    }
)
_METHODS: Final = ("api_keys", "key_file", "jwt", "certificates", "peers")


@dataclass(frozen=True, slots=True)
class JwtSettings:
    """One issuer. `keys` is a URL, or `file:` and a path; claims are names or JSON pointers, empty for none."""

    issuer: str
    audience: tuple[str, ...]
    keys: str
    ca: str = ""
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    leeway_s: float = 30.0
    prefix: str = "jwt:"
    roles: str = "roles"
    role_map: Mapping[str, frozenset[str]] | None = None
    user: str = ""
    agent: str = ""
    claims: tuple[str, ...] = ()
    actors: Mapping[str, frozenset[str]] = field(default_factory=dict)
    most_chain: int = MOST_CHAIN


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """How callers are known. With `static` nobody else is; `keys` maps the SHA-256 of a key to its principal, and
    `uris`, `subjects`, `digests` what stands in a certificate. A `uris` name that ends in `/*` means all below it; an
    empty id in it is the URI itself."""

    static: Principal | None = None
    keys: Mapping[str, Principal] = field(default_factory=dict, repr=False)
    key_file: Path | None = None
    jwt: tuple[JwtSettings, ...] = ()
    uris: Mapping[str, Principal] = field(default_factory=dict)
    subjects: Mapping[str, Principal] = field(default_factory=dict)
    digests: Mapping[str, Principal] = field(default_factory=dict)
    peers: Mapping[int, Principal] = field(default_factory=dict)
    delegation: tuple[JwtSettings, ...] = ()

    def configured(self) -> list[Principal]:
        """All whom the file itself describes."""
        tables = (self.keys, self.uris, self.subjects, self.digests)
        named = [one for table in tables for one in table.values() if one.id]
        return [*([self.static] if self.static else ()), *named, *self.peers.values()]

    def names(self) -> list[str]:
        """The ids of all whom the file itself describes, also where a certificate says the id or its end."""
        return [*(one.id for one in self.configured()), *(uri for uri, one in self.uris.items() if not one.id)]

    @property
    def certificates(self) -> bool:
        """Whether a client's certificate may name the caller."""
        return bool(self.uris or self.subjects or self.digests)


def read_identity(node: Node, folder: Path, problems: list[LoadProblem]) -> IdentitySettings:
    """The settings, paths resolved; what cannot be is added to `problems`."""
    raw = node.plain()
    if "static" in raw and (others := [name for name in _METHODS if name in raw]):
        problems.append(node.key_problem("static", f"makes {', '.join(others)} useless", "keep one of them"))
    if not any(name in raw for name in ("static", *_METHODS)):
        problems.append(node.problem("says of nobody who it is", "add one of: static, " + ", ".join(_METHODS)))
    certificates = raw.get("certificates", ())
    found = IdentitySettings(
        static=_principal(raw["static"], "static") if "static" in raw else None,
        keys={each["sha256"]: _principal(each, "api_key") for each in raw.get("api_keys", ())},
        key_file=folder / raw["key_file"] if "key_file" in raw else None,
        jwt=tuple(_jwt(each, folder) for each in raw.get("jwt", ())),
        uris=_by(certificates, "uri"),
        subjects=_by(certificates, "subject"),
        digests=_by(certificates, "sha256"),
        peers={each["uid"]: _principal(each, "peer") for each in raw.get("peers", ())},
        delegation=tuple(_jwt(each, folder) for each in raw.get("delegation", ())),
    )
    problems += _problems(node, raw, found)
    return found


def _problems(node: Node, raw: Mapping[str, Any], found: IdentitySettings) -> list[LoadProblem]:
    problems = []
    if len(found.keys) != len(raw.get("api_keys", ())):
        problems.append(node.key_problem("api_keys", "gives one key to two principals"))
    if len(found.peers) != len(raw.get("peers", ())):
        problems.append(node.key_problem("peers", "gives one user id to two principals"))
    if UNMAPPED in found.peers:
        hint = "run both in one user namespace, or use another method"
        problems.append(
            node.key_problem("peers", f"names {UNMAPPED}, as which all users that are not mapped show", hint)
        )
    if len(found.uris) + len(found.subjects) + len(found.digests) != len(raw.get("certificates", ())):
        problems.append(node.key_problem("certificates", "gives one certificate to two principals"))
    if any(not each.id for each in (*found.subjects.values(), *found.digests.values())):
        problems.append(node.key_problem("certificates", "has one without `id`", "only a `uri` is an id by itself"))
    for method in ("jwt", "delegation"):
        problems += _issuer_problems(node, method, getattr(found, method))
    return problems


def check_names(listeners: Sequence[tuple[Node, IdentitySettings]]) -> Iterator[LoadProblem]:
    """What could be named in two ways, at one listener or at two: whoever has one id has its runs and its rights."""
    yield from _shared(listeners, "jwt")
    yield from _shared(listeners, "delegation")
    issuers = {(each.issuer, each.prefix) for _, found in listeners for each in found.jwt}
    for node, found in listeners:
        for name in found.names():
            if clash := sorted(other for other in issuers if _meet(name, other[1])):
                message = f"names {name}, whom tokens of {clash[0][0]} could name as well"
                yield node.problem(message, "rename it, or choose another `prefix` there")


def _shared(listeners: Sequence[tuple[Node, IdentitySettings]], method: str) -> Iterator[LoadProblem]:
    each_of = [(node, each) for node, found in listeners for each in getattr(found, method)]
    issuers = {(each.issuer, each.prefix) for _, each in each_of}
    for node, each in each_of:
        own = each.issuer, each.prefix
        if clash := sorted(other for other in issuers if other != own and other[1].startswith(each.prefix)):
            message = f"has a `prefix` with which it could name the subjects of {clash[0][0]} as well"
            yield node.key_problem(method, message, "give each issuer a `prefix` with which no other begins")


def _meet(name: str, prefix: str) -> bool:
    """Whether a name, or one of those that `.../*` stands for, begins with a prefix."""
    start = name.removesuffix("*")
    return start.startswith(prefix) or (start != name and prefix.startswith(start))


def _issuer_problems(node: Node, method: str, issuers: tuple[JwtSettings, ...]) -> list[LoadProblem]:
    problems = []
    if len({each.issuer for each in issuers}) != len(issuers):
        problems.append(node.key_problem(method, "has one issuer twice", "name several audiences in one"))
    for each in issuers:
        if each.keys.startswith("http:") and not _is_here(each.keys):
            problems.append(
                node.key_problem(
                    method, "reads keys over plain http", "anybody on the way could give others: use https"
                )
            )
        if each.leeway_s > MOST_LEEWAY_S:
            problems.append(node.key_problem(method, f"has a leeway above {MOST_LEEWAY_S} seconds"))
    return problems


def _is_here(url: str) -> bool:
    try:
        return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:  # between its brackets is no address
        return False


def _by(certificates: Any, part: str) -> dict[str, Principal]:
    return {each[part]: _principal(each, "certificate") for each in certificates if part in each}


def _jwt(raw: Mapping[str, Any], folder: Path) -> JwtSettings:
    audience = raw["audience"]
    scheme, _, path = raw["keys"].partition(":")
    role_map = raw.get("role_map")
    return JwtSettings(
        issuer=raw["issuer"],
        audience=(audience,) if isinstance(audience, str) else tuple(audience),
        keys=f"file:{folder / path}" if scheme == "file" else raw["keys"],
        ca=str(folder / raw["ca"]) if "ca" in raw else "",
        algorithms=tuple(raw.get("algorithms", ("RS256", "ES256"))),
        leeway_s=duration(raw.get("leeway", LEEWAY)),
        prefix=raw.get("prefix", "jwt:"),
        roles=raw.get("roles", "roles"),
        role_map=None if role_map is None else {name: frozenset(roles) for name, roles in role_map.items()},
        user=raw.get("user", ""),
        agent=raw.get("agent", ""),
        claims=tuple(raw.get("claims", ())),
        actors={name: frozenset(roles) for name, roles in raw.get("actors", {}).items()},
        most_chain=raw.get("most_chain", MOST_CHAIN),
    )


def _principal(raw: Mapping[str, Any], method: str) -> Principal:
    return Principal(
        id=raw.get("id", ""),
        roles=frozenset(raw.get("roles", ())),
        agent=raw.get("agent", ""),
        user=raw.get("user", ""),
        method=method,
    )
