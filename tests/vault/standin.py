"""A stand-in for Vault, on a port of its own: what hvac asks of one, answered as OpenBao 2.7 does on the wire.

It is set up through Vault's own API, so the tests that use nothing else run against a real one as well. What only a
stand-in can do (hang, answer 412, be sealed and unsealed in a moment) is under `Standin.upset`.
"""

from __future__ import annotations

import itertools
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.vault.jwts import parts_of

ROOT_TOKEN = "root-" + "of-the-stand-in"
DENIED = "permission denied"
Json = dict[str, Any]


class Answer(Exception):
    """An answer that is no plain success."""

    def __init__(self, status: int, *errors: str, body: Json | None = None, after: str = "", page: str = "") -> None:
        super().__init__(status)
        self.status, self.after, self.page = status, after, page
        self.body = body if body is not None else {"errors": list(errors)}


@dataclass
class Token:
    """`ends` and `most` (the end of its maximum life) are in monotonic seconds; `ttl` 0 is for ever."""

    value: str
    ttl: int
    ends: float
    most: float
    renewable: bool = True
    wraps: Json | None = None


@dataclass
class Lease:
    id: str
    role: str
    name: str
    token: str
    ttl: int
    ends: float
    most: float
    renewable: bool


@dataclass
class Seen:
    """One request, as it came."""

    method: str
    path: str
    token: str
    namespace: str
    body: Json


@dataclass
class Standin:
    """The state of a Vault. `sql` runs a statement in the database whose roles it makes; without, they are names."""

    sql: Callable[[str], None] | None = None
    namespace: str = ""
    sealed: bool = False
    standby: bool = False
    initialized: bool = True
    upset: Callable[[str, str], Answer | float | None] | None = None
    """By method and path: an answer instead of the right one, or seconds to wait before that."""
    seen: list[Seen] = field(default_factory=list)
    roles: set[str] = field(default_factory=set)
    """Roles of the database that exist."""
    tokens: dict[str, Token] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    url: str = ""
    lock: Any = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.tokens[ROOT_TOKEN] = Token(ROOT_TOKEN, 0, float("inf"), float("inf"), renewable=False)
        self.mounts: dict[str, Json] = {"secret": {"type": "kv", "options": {"version": "2"}}}
        self.kv: dict[str, list[Json]] = {}
        self.plain: dict[str, Json] = {}
        self.logins: dict[str, str] = {"token": "token"}
        self.config: dict[str, Json] = {}
        self.secret_ids: dict[str, Json] = {}
        self.numbers = itertools.count()

    # What a test looks at.

    def asked(self, path: str) -> list[Seen]:
        """The requests for one path."""
        return [each for each in self.seen if each.path == path]

    def end_tokens(self) -> None:
        """As if somebody had revoked all tokens but the root's, and with them their leases."""
        with self.lock:
            for value in [each for each in self.tokens if each != ROOT_TOKEN]:
                self._end_token(value)

    # The wire.

    def answer(self, seen: Seen, query: dict[str, list[str]], wrap: str) -> tuple[int, Json | None]:
        """Status and body of an answer. Raises Answer."""
        with self.lock:
            self.seen.append(seen)
        if self.upset is not None:
            happens = self.upset(seen.method, seen.path)
            if isinstance(happens, Answer):
                raise happens
            time.sleep(happens or 0)
        with self.lock:
            if seen.path == "sys/health":
                return self._health()
            if self.sealed:
                raise Answer(503, "Vault is sealed")
            if seen.namespace.strip("/") != self.namespace:
                raise Answer(404, f'no handler for route "{seen.namespace}/{seen.path}". route entry not found.')
            self._sweep()
            reply = self._route(seen, query)
            if reply is not None and wrap and not seen.path.startswith("sys/wrapping/"):
                reply = self._wrapped(reply, seen.path, int(wrap.rstrip("s")))
            return (204, None) if reply is None else (200, reply)

    def _health(self) -> tuple[int, Json]:
        status = 200
        if not self.initialized:
            status = 501
        elif self.sealed:
            status = 503
        elif self.standby:
            status = 429
        return status, {"initialized": self.initialized, "sealed": self.sealed, "standby": self.standby}

    def _route(self, seen: Seen, query: dict[str, list[str]]) -> Json | None:
        path, method, body = seen.path, seen.method, seen.body
        if path.startswith("auth/") and path.endswith("/login"):
            return self._login(path.removeprefix("auth/").removesuffix("/login"), body)
        if path == "sys/wrapping/unwrap":
            return self._unwrap(body.get("token") or seen.token)
        token = self.tokens.get(seen.token)
        if token is None or token.wraps is not None:
            raise Answer(403, DENIED)
        if path.startswith("auth/token/"):
            return self._token(path.removeprefix("auth/token/"), token, body)
        if path.startswith("sys/"):
            return self._system(path.removeprefix("sys/"), method, token, body)
        if path.startswith("auth/"):
            return self._configure_login(path.removeprefix("auth/"), method, body)
        mount = self._mount(path)
        if mount is None:
            raise Answer(404, f'no handler for route "{path}". route entry not found.')
        below, engine = path.removeprefix(f"{mount}/"), self.mounts[mount]
        if engine["type"] == "database":
            return self._database(mount, below, method, token, body)
        if engine.get("options", {}).get("version") == "2":
            return self._kv(mount, below, method, body, query)
        return self._kv_old(path, method, body)

    def _mount(self, path: str) -> str | None:
        return next((each for each in self.mounts if f"{path}/".startswith(f"{each}/")), None)

    # Tokens.

    def _new_token(self, ttl: int, most: int, renewable: bool = True) -> Token:
        now = time.monotonic()
        most_ends = now + most if most else float("inf")
        ends = min(now + ttl, most_ends) if ttl else float("inf")
        token = Token(f"s.{secrets.token_urlsafe(18)}", ttl, ends, most_ends, renewable)
        self.tokens[token.value] = token
        return token

    def _lent(self, token: Token, left: int, warnings: list[str] | None = None) -> Json:
        auth = {"client_token": token.value, "lease_duration": left, "renewable": token.renewable}
        return _reply(auth={**auth, "accessor": "a", "policies": ["default"], "token_type": "service"}, said=warnings)

    def _token(self, what: str, token: Token, body: Json) -> Json | None:
        if what == "lookup-self":
            left = 0 if token.ends == float("inf") else int(token.ends - time.monotonic())
            return _reply({"ttl": left, "creation_ttl": token.ttl, "renewable": token.renewable, "id": token.value})
        if what == "renew-self":
            if not token.renewable:
                raise Answer(400, "lease is not renewable")
            token.ends, left, said = _extended(int(body.get("increment") or token.ttl), token.most)
            return self._lent(token, left, said)
        if what == "create":
            made = self._new_token(_seconds(body.get("ttl")), _seconds(body.get("explicit_max_ttl")))
            made.renewable = body.get("renewable", True)
            return self._lent(made, made.ttl)
        if what in ("revoke-self", "revoke"):
            self._end_token(token.value if what == "revoke-self" else body["token"])
            return None
        raise Answer(404)

    def _end_token(self, value: str) -> None:
        self.tokens.pop(value, None)
        for lease in [each for each in self.leases.values() if each.token == value]:
            self._end_lease(lease)

    def _sweep(self) -> None:
        now = time.monotonic()
        for token in [each for each in self.tokens.values() if each.ends <= now]:
            self._end_token(token.value)
        for lease in [each for each in self.leases.values() if each.ends <= now]:
            self._end_lease(lease)

    def _wrapped(self, reply: Json, path: str, ttl: int) -> Json:
        token = self._new_token(ttl, ttl)
        token.wraps = reply
        info = {"token": token.value, "ttl": ttl, "creation_path": path}
        return {**_reply(), "request_id": "", "data": None, "wrap_info": info}

    def _unwrap(self, value: str) -> Json:
        token = self.tokens.get(value)
        if token is None or token.wraps is None:
            raise Answer(400, "wrapping token is not valid or does not exist")
        del self.tokens[value]
        return token.wraps

    # Logins.

    def _configure_login(self, path: str, method: str, body: Json) -> Json | None:
        mount, _, what = path.partition("/")
        if mount not in self.logins:
            raise Answer(404, f'no handler for route "auth/{path}". route entry not found.')
        if what.endswith("/role-id"):
            return _reply({"role_id": self.config[path.removesuffix("/role-id")]["role_id"]})
        if what.endswith("/secret-id"):
            name, value = path.removesuffix("/secret-id"), secrets.token_hex(16)
            self.secret_ids[value] = {"role": name, "left": self.config[name].get("secret_id_num_uses", 0)}
            return _reply({"secret_id": value, "secret_id_accessor": "x", "secret_id_ttl": 0})
        self.config.setdefault(path, {"role_id": secrets.token_hex(16)}).update(body)
        return None

    def _login(self, mount: str, body: Json) -> Json:
        if mount not in self.logins:
            raise Answer(403, DENIED)
        if self.logins[mount] == "approle":
            role = self._approle(mount, body)
        else:
            role = self.config.get(f"{mount}/role/{body.get('role')}", {})
            if not role:
                raise Answer(400, f'role "{body.get("role")}" could not be found')
            self._check_jwt(mount, role, str(body.get("jwt")))
        ttl = _seconds(role.get("token_ttl"))
        renewable = role.get("token_type") != "batch"
        token = self._new_token(ttl, _seconds(role.get("token_max_ttl")), renewable)
        return self._lent(token, ttl)

    def _approle(self, mount: str, body: Json) -> Json:
        known = self.secret_ids.get(str(body.get("secret_id")))
        role = self.config.get(known["role"], {}) if known else {}
        if known is None or role.get("role_id") != body.get("role_id") or not known["role"].startswith(f"{mount}/"):
            raise Answer(400, "invalid role or secret ID")
        if known["left"]:
            known["left"] -= 1
            if not known["left"]:
                del self.secret_ids[str(body["secret_id"])]
        return role

    def _check_jwt(self, mount: str, role: Json, jwt: str) -> None:
        """ES256, against the keys of the mount. Kubernetes asks its API server instead; here the keys do for both."""
        signed, signature, claims = parts_of(jwt)
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        for pem in self.config[f"{mount}/config"]["jwt_validation_pubkeys"]:
            key = load_pem_public_key(pem.encode())
            assert isinstance(key, ec.EllipticCurvePublicKey)
            try:
                key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
            except InvalidSignature:
                continue
            if claims.get("aud") in role.get("bound_audiences", []):
                return
        raise Answer(400, "error validating token: no known key successfully validated the token signature")

    # The system.

    def _system(self, what: str, method: str, token: Token, body: Json) -> Json | None:
        if what.startswith("internal/ui/mounts/"):
            path = what.removeprefix("internal/ui/mounts/")
            if (mount := self._mount(path)) is None:
                said = "preflight capability check returned 403, please ensure client's policies grant access to path"
                raise Answer(403, f'{said} "{path}/"')
            return _reply({"path": f"{mount}/", "options": None, **self.mounts[mount]})
        if what.startswith("mounts/"):
            self.mounts[what.removeprefix("mounts/")] = {"type": body["type"], "options": body.get("options")}
            return None
        if what.startswith("auth/"):
            self.logins[what.removeprefix("auth/")] = body["type"]
            return None
        if what.startswith("policies/acl/"):
            return None
        if what == "leases/renew":
            return self._renew(body)
        if what == "leases/revoke":
            if (lease := self.leases.get(body["lease_id"])) is not None:
                self._end_lease(lease)
            return None
        if what == "leases/lookup":
            if (lease := self.leases.get(body["lease_id"])) is None:
                raise Answer(400, "invalid lease")
            return _reply({"id": lease.id, "ttl": int(lease.ends - time.monotonic())})
        raise Answer(404)

    def _renew(self, body: Json) -> Json:
        lease = self.leases.get(body["lease_id"])
        if lease is None:
            raise Answer(400, "lease not found")
        if not lease.renewable:
            raise Answer(400, "lease is not renewable")
        lease.ends, left, said = _extended(int(body.get("increment") or lease.ttl), lease.most)
        return _reply(None, lease=lease.id, lasts=left, renewable=True, said=said)

    # Engines.

    def _database(self, mount: str, below: str, method: str, token: Token, body: Json) -> Json | None:
        kind, _, name = below.partition("/")
        if kind in ("config", "roles"):
            self.config[f"{mount}/{below}"] = body
            return None
        if kind != "creds" or (role := self.config.get(f"{mount}/roles/{name}")) is None:
            raise Answer(400, f"unknown role: {name}")
        ttl, most = _seconds(role.get("default_ttl")), _seconds(role.get("max_ttl"))
        now = time.monotonic()
        user = f"v-token-{name[:8]}-{secrets.token_hex(8)}-{next(self.numbers)}"
        password = f"A1a-{secrets.token_urlsafe(15)}"
        ends = now + ttl
        self._run(role.get("creation_statements", []), user, password, ends)
        self.roles.add(user)
        renewable = not role.get("never_renewed", False)
        lease = Lease(f"{mount}/creds/{name}/{secrets.token_hex(12)}", name, user, token.value, ttl, ends, 0, renewable)
        lease.most = now + most if most else float("inf")
        self.leases[lease.id] = lease
        self.config[f"revoke {lease.id}"] = role
        return _reply({"username": user, "password": password}, lease=lease.id, lasts=ttl, renewable=renewable)

    def _run(self, statements: list[str] | str, user: str, password: str, ends: float) -> None:
        if self.sql is None:
            return
        until = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(time.time() + ends - time.monotonic()))
        for each in [statements] if isinstance(statements, str) else statements:
            filled = each.replace("{{name}}", user).replace("{{username}}", user)
            self.sql(filled.replace("{{password}}", password).replace("{{expiration}}", until))

    def _end_lease(self, lease: Lease) -> None:
        role = self.config.pop(f"revoke {lease.id}", {})
        usual = [
            'REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA public FROM "{{name}}"',
            'DROP ROLE IF EXISTS "{{name}}"',
        ]
        self._run(role.get("revocation_statements") or usual, lease.name, "", lease.ends)
        self.roles.discard(lease.name)
        self.leases.pop(lease.id, None)

    def _kv(self, mount: str, below: str, method: str, body: Json, query: dict[str, list[str]]) -> Json | None:
        kind, _, name = below.partition("/")
        if kind == "metadata" and (method == "LIST" or query.get("list") == ["true"]):
            keys = sorted({key.removeprefix(f"{mount}/") for key in self.kv if key.startswith(f"{mount}/")})
            if not keys:
                raise Answer(404)
            return _reply({"keys": keys})
        versions = self.kv.setdefault(f"{mount}/{name}", [])
        if method in ("POST", "PUT"):
            versions.append({"data": body["data"], "deleted": ""})
            return _reply(self._version(versions, len(versions)))
        if method == "DELETE":
            versions[-1]["deleted"] = "2026-01-01T00:00:00Z"
            return None
        number = int(query.get("version", ["0"])[0]) or len(versions)
        if not 0 < number <= len(versions):
            raise Answer(404)
        chosen = versions[number - 1]
        data = None if chosen["deleted"] else chosen["data"]
        found = _reply({"data": data, "metadata": self._version(versions, number)})
        if chosen["deleted"]:
            raise Answer(404, body=found)
        return found

    def _version(self, versions: list[Json], number: int) -> Json:
        deleted = versions[number - 1]["deleted"]
        return {"version": number, "deletion_time": deleted, "destroyed": False, "created_time": "2026-01-01T00:00:00Z"}

    def _kv_old(self, path: str, method: str, body: Json) -> Json | None:
        if method in ("POST", "PUT"):
            self.plain[path] = body
            return None
        if path not in self.plain:
            raise Answer(404)
        return _reply(self.plain[path], lasts=2764800)


def _extended(wanted: int, most: float) -> tuple[float, int, list[str] | None]:
    """The new end, what is left until then, and the warning where that is less than was wanted."""
    now = time.monotonic()
    if now + wanted <= most:
        return now + wanted, wanted, None
    left = max(int(most - now), 0)
    said = f'TTL of "{wanted}s" exceeded the effective max_ttl of "{left}s"; TTL value is capped accordingly'
    return now + left, left, [said]


def _reply(
    data: Json | None = None,
    lease: str = "",
    lasts: int = 0,
    renewable: bool = False,
    auth: Json | None = None,
    said: list[str] | None = None,
) -> Json:
    lent = {"lease_id": lease, "renewable": renewable, "lease_duration": lasts}
    return {"request_id": secrets.token_hex(8), **lent, "data": data, "wrap_info": None, "warnings": said, "auth": auth}


def _seconds(value: Any) -> int:
    if isinstance(value, int) or not value or value.isdigit():
        return int(value or 0)
    return int(value[:-1]) * {"s": 1, "m": 60, "h": 3600}[value[-1]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    standin: Standin

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            self.close_connection = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._do
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _do(self) -> None:
        parts = urlsplit(self.path)
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        head = self.headers
        body = json.loads(data) if data else {}
        path = parts.path.removeprefix("/v1/")
        seen = Seen(self.command, path, head.get("X-Vault-Token", ""), head.get("X-Vault-Namespace", ""), body or {})
        after = page = ""
        try:
            status, reply = self.standin.answer(seen, parse_qs(parts.query), head.get("X-Vault-Wrap-TTL", ""))
        except Answer as other:
            status, reply, after, page = other.status, other.body, other.after, other.page
        self._write(status, reply, after, page)

    def _write(self, status: int, reply: Json | None, after: str, page: str) -> None:
        body = page.encode() or (b"" if reply is None else json.dumps(reply).encode() + b"\n")
        self.send_response(status)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Type", "application/json")
        if after:
            self.send_header("Retry-After" if after.isdigit() else "Location", after)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        raise


@contextmanager
def serving(standin: Standin, tls: ssl.SSLContext | None = None) -> Iterator[Standin]:
    """The stand-in on a free port; `url` is where."""
    handler = type("Handler", (_Handler,), {"standin": standin})
    server = _Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    standin.url = f"http{'s' * (tls is not None)}://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
