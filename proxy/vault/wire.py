"""Requests to Vault, one at a time and waited for: these run in threads of their own. The only place that knows hvac.

hvac takes VAULT_TOKEN, ~/.vault-token, VAULT_ADDR, VAULT_CACERT and VAULT_CLIENT_CERT where it is not told otherwise,
and `requests` takes HTTP_PROXY, REQUESTS_CA_BUNDLE and ~/.netrc: it is told all of that. The words of their exceptions
are not passed on, for they hold answers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import closing
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import Any, Final, NamedTuple

import hvac
import hvac.adapters
import requests
import urllib3

from proxy.vault.fault import GARBLED, NOT_VAULT, STALLED, UNREACHABLE, UNTRUSTED, Fault
from proxy.vault_settings import VaultSettings

MOST_REPLY: Final = 1024 * 1024
"""Bytes of an answer: what Vault itself stores in one entry."""

Reply = Mapping[str, Any]


class Mount(NamedTuple):
    """An engine: where it is mounted, its type, and the version of a KV engine, 0 for others."""

    path: str
    type: str
    version: int

    @property
    def static(self) -> bool:
        """Whether all who ask get the same value."""
        return self.version > 0


class Wire:
    """One Vault. A thread has a connection of its own, for a Session is not made for several."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._own = threading.local()
        self._sessions: list[requests.Session] = []

    def close(self) -> None:
        """Close what no thread uses; a thread that waits for an answer closes its own when it has it."""
        for session in self._sessions:
            session.close()

    def mount(self, token: str, path: str) -> Mount:
        """The engine under which a path lies, as Vault's own command line asks for it."""
        data = _data(path, self._as(token).read(f"sys/internal/ui/mounts/{path}"))
        options, kind = data.get("options"), str(data.get("type"))
        version = str(options.get("version", "1")) if isinstance(options, Mapping) else "1"
        is_kv = kind in ("kv", "generic")
        return Mount(str(data.get("path", "")).strip("/"), kind, (2 if version == "2" else 1) if is_kv else 0)

    def kv(self, token: str, mount: str, path: str, version: int) -> Reply:
        """The fields of a secret of a KV engine of version 2."""
        engine = self._as(token).secrets.kv.v2
        reply = engine.read_secret_version(path, version or None, mount, raise_on_deleted_version=True)
        return _part(path, _data(path, reply), "data")

    def read(self, token: str, path: str) -> Reply:
        """The whole answer of any other engine: `data`, and a lease where there is one."""
        reply: Reply = self._as(token).read(path)
        _data(path, reply)
        return reply

    def renew(self, token: str, lease: str, increment_s: int) -> float:
        """Ask for a lease to last so long from now. Gives how long it does."""
        return _seconds(self._as(token).sys.renew_lease(lease, increment_s).get("lease_duration"))

    def revoke(self, token: str, lease: str) -> None:
        """End a lease; it has ended when this returns, for the answer is waited for."""
        self._as(token).write_data("sys/leases/revoke", data={"lease_id": lease, "sync": True})

    def approle(self, mount: str, role: str, secret: str) -> Reply:
        return _auth(self._as("").auth.approle.login(role, secret, use_token=False, mount_point=mount))

    def kubernetes(self, mount: str, role: str, jwt: str) -> Reply:
        return _auth(self._as("").auth.kubernetes.login(role, jwt, use_token=False, mount_point=mount))

    def jwt(self, mount: str, role: str, jwt: str) -> Reply:
        return _auth(self._as("").auth.jwt.jwt_login(role, jwt, use_token=False, path=mount))

    def unwrap(self, wrapping: str) -> Reply:
        """What a wrapping token holds. It can be asked once."""
        return _data("sys/wrapping/unwrap", self._as(wrapping).sys.unwrap())

    def look(self, token: str) -> Reply:
        """What Vault knows of a token."""
        return _data("auth/token/lookup-self", self._as(token).auth.token.lookup_self())

    def renew_self(self, token: str, increment_s: int) -> Reply:
        return _auth(self._as(token).auth.token.renew_self(increment_s))

    def revoke_self(self, token: str) -> None:
        """End a token, and with it all its leases."""
        self._as(token).auth.token.revoke_self()

    def _as(self, token: str) -> hvac.Client:
        client = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = self._client()
        client.token = token
        return client

    def _client(self) -> hvac.Client:
        settings = self._settings
        session = requests.Session()
        session.trust_env = False
        session.verify = settings.ca or True
        session.headers["Accept-Encoding"] = "identity"
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._sessions.append(session)
        return hvac.Client(
            url=settings.address,
            token="",
            cert=(),  # None would be what the environment says
            verify=settings.ca or True,
            timeout=settings.timeout_s,
            proxies={},
            allow_redirects=False,
            session=session,
            adapter=_Adapter,
            namespace=settings.namespace or None,
        )


class _Adapter(hvac.adapters.RawAdapter):  # type: ignore[misc]
    """Gives the JSON of an answer, raises Fault otherwise, and reads no more and no longer than its bounds."""

    def request(
        self, method: str, url: str, headers: Any = None, raise_exception: bool = True, **kwargs: Any
    ) -> dict[str, Any]:
        path, why = url.removeprefix("/v1/"), ""
        ends = monotonic() + self._kwargs["timeout"]
        try:
            response = super().request(method, url, headers, raise_exception=False, stream=True, **kwargs)
            with closing(response):
                body = _body(response, ends)
        except requests.exceptions.SSLError:
            why = UNTRUSTED
        except (requests.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
            why = STALLED
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
            why = UNREACHABLE
        if why:  # outside of `except`, so that nothing of the other exception hangs on to this one
            raise Fault(path, why=why)
        return _read(path, response, body)


def _body(response: requests.Response, ends: float) -> bytes:
    """What follows the head, as it comes. Raises TimeoutError where it takes too long, ValueError for too much."""
    body = bytearray()
    while piece := response.raw.read1(64 * 1024):
        body += piece
        if len(body) > MOST_REPLY:
            raise ValueError
        if monotonic() > ends:
            raise TimeoutError
    return bytes(body)


def _read(path: str, response: requests.Response, body: bytes) -> dict[str, Any]:
    status, read = response.status_code, _json(body)
    if not 200 <= status < 300:
        why = NOT_VAULT if read is None and status >= 400 else ""
        raise Fault(path, status, why, _seconds(response.headers.get("Retry-After")))
    if read is None:
        raise Fault(path, status, GARBLED)
    return read


def _json(body: bytes) -> dict[str, Any] | None:
    """What Vault says; nothing where that is not its way to say something."""
    try:
        read = json.loads(body or b"{}")
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _part(path: str, reply: Any, name: str) -> Reply:
    found = reply.get(name) if isinstance(reply, Mapping) else None
    if not isinstance(found, Mapping):
        raise Fault(path, why=GARBLED)
    return found


def _data(path: str, reply: Any) -> Reply:
    return _part(path, reply, "data")


def _auth(reply: Any) -> Reply:
    return _part("auth", reply, "auth")


def _seconds(value: Any) -> float:
    """Seconds that Vault says; 0 for anything that is no such number (a Retry-After may be a date)."""
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return 0.0
