"""A token endpoint: one form is posted, one token comes back. The way there is that of calls, looked up and checked.

What it answers is trusted for nothing but the token: of an error only a code that everybody knows is repeated.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from proxy.credentials.secret import VALUE, CredentialError, Secret
from proxy.errors import Refusal
from proxy.protocols import strictjson
from proxy.upstream.dialler import Forbidden
from proxy.upstream.pool import Line, Pool, Shape, UpstreamBounds
from proxy.upstream.upstream import final_head
from rules.credentials import Endpoint
from rules.tools import Backend

MOST_BYTES: Final = 64 * 1024
"""Of an answer: a token of 16 KiB in JSON, and what else some say."""

WAIT_S: Final = 10.0
"""How long the endpoint may take in all."""

LEAST_S: Final = 1
MOST_S: Final = 24 * 3600
UNSAID_S: Final = 300
"""The life of a token of which the endpoint does not say when it ends."""

_BOUNDS: Final = replace(UpstreamBounds(), most_connections=1)
_MOST_DEEP: Final = 16
_KNOWN: Final = frozenset(  # RFC 6749, 5.2, and RFC 8693, 2.2.2
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
        *("unsupported_grant_type", "invalid_scope", "invalid_target"),
    }
)


class Token(NamedTuple):
    """An access token and the seconds that it lives from when it was asked for."""

    value: str
    life_s: float

    def __repr__(self) -> str:
        return f"Token({self.life_s:.0f} s)"


class TokenEndpoint:
    """Posts to one endpoint. Follows no redirect, keeps no cookie, no address and no connection."""

    def __init__(self, endpoint: Endpoint) -> None:
        url = endpoint.url
        self.name = f"the token endpoint {url.host}"
        self._endpoint = endpoint
        self._place = Backend(self.name, url, endpoint.addresses)
        fixed = "accept: application/json\r\naccept-encoding: identity\r\nconnection: close\r\n"
        self._head = f"POST {endpoint.path} HTTP/1.1\r\nhost: {url.authority}\r\nuser-agent: toolwall\r\n{fixed}"

    async def ask(self, client: str, secret: Secret, form: Mapping[str, str]) -> Token:
        """A token, for this client. Raises CredentialError."""
        said = self._endpoint
        wanted = {"scope": said.scope, "audience": said.audience, "resource": said.resource}
        fields = {**form, **{name: value for name, value in wanted.items() if value}}
        request = self._request(client or secret.field("client_id"), _secret_of(secret), fields)
        try:
            async with asyncio.timeout(WAIT_S):
                status, body = await self._exchange(request)
        except CredentialError:
            raise
        except Exception as error:  # whatever it is, there is no token, and its text may hold anything
            raise CredentialError(f"{self.name} {_fault(error)}") from None
        return self._read(status, body)

    def _request(self, client: str, secret: str, fields: Mapping[str, str]) -> bytes:
        head = f"{self._head}content-type: application/x-www-form-urlencoded\r\n"
        if self._endpoint.in_body:
            fields = {**fields, "client_id": client, "client_secret": secret}
        else:  # both are encoded as in a form before (RFC 6749, 2.3.1)
            pair = b64encode(f"{quote_plus(client)}:{quote_plus(secret)}".encode()).decode()
            head += f"authorization: Basic {pair}\r\n"
        body = urlencode(fields).encode()
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        pool = Pool(self._place, _BOUNDS)  # of its own: the name is looked up anew each time
        try:
            line = await pool.take()
            try:
                return await self._over(line, request)
            finally:
                pool.drop(line)
        finally:
            await pool.close()

    async def _over(self, line: Line, request: bytes) -> tuple[int, bytes]:
        line.expect(Shape(False, None, None), _BOUNDS.most_header_bytes)
        line.transport.write(request)
        message, payload = await final_head(line.protocol)
        return message.code, await self._whole(payload)

    async def _whole(self, payload: aiohttp.StreamReader) -> bytes:
        body = b""
        while piece := await payload.readany():
            body += piece
            if len(body) > MOST_BYTES:
                raise CredentialError(f"{self.name} answered with more than {MOST_BYTES} bytes")
        return body

    def _read(self, status: int, body: bytes) -> Token:
        """What stands in an answer (RFC 6749, 5.1)."""
        try:
            said: Any = strictjson.parse(body, _MOST_DEEP)
        except Refusal:
            said = None
        if status != 200 or not isinstance(said, dict):
            code = said.get("error") if isinstance(said, dict) else ""
            known = code if isinstance(code, str) and code in _KNOWN else ""
            raise CredentialError(f"{self.name} answered {status} {known}".rstrip())
        token, kind = said.get("access_token"), said.get("token_type")
        if not isinstance(token, str) or not token:
            raise CredentialError(f"{self.name} gave no access_token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise CredentialError(f"{self.name} gave a token that is no bearer token")
        life = said.get("expires_in")
        return Token(token, UNSAID_S if life is None else self._life(life))

    def _life(self, said: Any) -> float:
        """Some write the number as text."""
        try:
            life = float(said) if isinstance(said, int | float | str) and not isinstance(said, bool) else 0.0
        except (ValueError, OverflowError):
            life = 0.0
        if not life >= LEAST_S:  # also of what is no number
            raise CredentialError(f"{self.name} gave a token that has no time to live")
        return min(life, MOST_S)


def _secret_of(secret: Secret) -> str:
    return secret.fields.get("client_secret") or secret.field(VALUE)


def _fault(error: Exception) -> str:
    if isinstance(error, Forbidden) or isinstance(error.__cause__, Forbidden):
        return "lies at an address where it may not"
    if isinstance(error, TimeoutError):
        return f"did not answer within {WAIT_S:g} s"
    if isinstance(error, aiohttp.ClientError | HttpProcessingError | OSError):
        return "could not be reached, or gave no whole answer"
    return f"gave an answer that was not understood ({type(error).__name__})"
