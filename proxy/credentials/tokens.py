"""Access tokens of OAuth 2: got with a client's secret (RFC 6749, 4.4), or for a caller's own token (RFC 8693).

A token is used until nine tenths of its life are over, then it is replaced behind the back of calls, which go on with
it as long as it is valid. Only the first call waits, and those that come with it wait for the same answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from time import monotonic
from typing import Final

from proxy.credentials.endpoint import TokenEndpoint
from proxy.credentials.secret import CredentialError, Secret, Source, Tell
from rules.credentials import Sent

_log = logging.getLogger("toolwall")

WAIT_S: Final = 5.0
"""How long a call waits for a token that nobody has yet. The fetch goes on for those that come later."""

FRESH: Final = 0.9
"""Share of a token's life after which another is got."""

MOST: Final = 1_000
"""Callers whose tokens are kept; the one that was asked for longest ago is forgotten."""

FIRST_RETRY_S: Final = 0.5
LONGEST_RETRY_S: Final = 30.0
DOUBT_S: Final = 10.0
"""A token that a backend does not take is replaced, but not one that is younger: no backend can have tokens made."""

_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"


class _Held:
    """The token of one caller, or of the sidecar itself, and the fetch that is under way."""

    def __init__(self) -> None:
        self.secret: Secret | None = None
        self.asked = self.fresh_until = self.again = 0.0
        self.failures = 0
        self.trouble = ""
        self.fetch: asyncio.Task[None] | None = None

    def valid(self) -> Secret | None:
        """What may be sent now."""
        secret = self.secret
        return secret if secret and secret.until is not None and monotonic() < secret.until else None


class Tokens:
    """The tokens of one endpoint for one client. Lives in one event loop."""

    def __init__(self, sent: Sent, source: Source, tell: Tell) -> None:
        assert sent.endpoint is not None
        self._client, self._exchanges = sent.name, sent.way == "exchange"
        self._endpoint = TokenEndpoint(sent.endpoint)
        self._source, self._tell = source, tell
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def __repr__(self) -> str:
        return f"Tokens({len(self._held)})"

    @property
    def trouble(self) -> str:
        """Why there is no new token of the sidecar's own; empty where all is well."""
        held = self._held.get("")
        return held.trouble if held else ""

    async def get(self, subject: str | None) -> Secret:
        """A token for whoever has this token of their own, or for the sidecar. Raises CredentialError."""
        held = self._of(subject)
        if (secret := held.valid()) is not None:
            if monotonic() >= held.fresh_until:
                self._fetch(held, subject)
            return secret
        fetch = self._fetch(held, subject)
        if fetch is not None:
            await asyncio.wait([fetch], timeout=WAIT_S)
        if (secret := held.valid()) is not None:
            return secret
        raise CredentialError(held.trouble or f"no token came within {WAIT_S:g} s")

    def doubt(self, subject: str | None) -> None:
        """A backend did not take the token: the next call gets another."""
        held = self._held.get(self._key(subject)) if subject or not self._exchanges else None
        if held is not None and held.secret is not None and monotonic() - held.asked > DOUBT_S:
            self._tell(held.secret, False)
            held.secret = None

    def _key(self, subject: str | None) -> str:
        return hashlib.sha256((subject or "").encode()).hexdigest() if self._exchanges else ""

    def _of(self, subject: str | None) -> _Held:
        if self._exchanges and not subject:
            raise CredentialError("the caller came without a token that could be exchanged")
        held = self._held.setdefault(self._key(subject), _Held())
        self._held.move_to_end(self._key(subject))
        if len(self._held) > MOST:
            self._forget(self._held.popitem(last=False)[1])
        return held

    def _forget(self, held: _Held) -> None:
        if held.fetch is not None:
            held.fetch.cancel()
        if held.secret is not None:
            self._tell(held.secret, False)

    def _fetch(self, held: _Held, subject: str | None) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one; None while it is too early to try again."""
        if held.fetch is None and monotonic() >= held.again:
            held.fetch = asyncio.create_task(self._fetched(held, subject))
        return held.fetch

    async def _fetched(self, held: _Held, subject: str | None) -> None:
        try:
            await self._replaced(held, subject)
            held.failures, held.again, held.trouble = 0, 0.0, ""
        except Exception as error:
            why = error if isinstance(error, CredentialError) else type(error).__name__
            held.failures += 1
            held.again = monotonic() + min(FIRST_RETRY_S * 2 ** min(held.failures - 1, 10), LONGEST_RETRY_S)
            if not held.trouble:
                _log.error("no new token: %s", why)
            held.trouble = str(why)
        finally:
            held.fetch = None

    async def _replaced(self, held: _Held, subject: str | None) -> None:
        secret, asked = await self._source.get("", "", ""), monotonic()
        form = {"grant_type": "client_credentials"}
        if subject and self._exchanges:
            form = {"grant_type": _EXCHANGE, "subject_token": subject, "subject_token_type": _ACCESS}
        token = await self._endpoint.ask(self._client, secret, form)
        fresh, former = Secret.plain(token.value, asked + token.life_s), held.secret
        self._tell(fresh, True)
        held.secret, held.asked, held.fresh_until = fresh, asked, asked + FRESH * token.life_s
        if former is not None:
            self._tell(former, False)

    async def close(self) -> None:
        """Forget all tokens."""
        while self._held:
            self._forget(self._held.popitem()[1])
        await self._endpoint.close()
