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
from typing import Final, NamedTuple

from proxy.credentials.endpoint import TokenEndpoint
from proxy.credentials.living import warn
from proxy.credentials.secret import CredentialError, Secret, Source, Tell
from rules.credentials import Sent

_log = logging.getLogger("toolwall")

WAIT_S: Final = 5.0
"""How long a call waits for a token that nobody has yet. The fetch goes on for those that come later."""

FRESH: Final = 0.9
"""Share of a token's life after which another is got."""

USED: Final = 0.98
"""Share of a token's life for which it is sent: the way to the backend takes time, and clocks differ."""

MOST: Final = 1_000
"""Callers whose tokens are kept; the one that was asked for longest ago is forgotten."""

MOST_FETCHES: Final = 8
"""Fetches at once."""

BURST: Final = 100
PER_S: Final = 10.0
"""Fetches of one endpoint: so many at first, and then so many in a second. Callers choose how many tokens of their own
they come with, and each that is got for one is a known secret until some time after its end.
"""

MOST_WAITING: Final = 100
MOST_OF_ONE: Final = 4
"""Fetches that are under way or wait for their turn, in all and for one caller: nobody stands in the way of others."""

FIRST_RETRY_S: Final = 0.5
LONGEST_RETRY_S: Final = 30.0
DOUBT_S: Final = 10.0
"""A token that a backend does not take is replaced, but not one that is younger: no backend can have tokens made."""

_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"


class Subject(NamedTuple):
    """The token of whom a call is for, and that of who acts for them where that is somebody else."""

    token: str
    actor: str = ""

    def __repr__(self) -> str:
        return "Subject()"

    @property
    def name(self) -> str:
        """What no two subjects share, and nothing can be read from."""
        return hashlib.sha256(f"{len(self.token)}:{self.token}{self.actor}".encode()).hexdigest()

    def form(self) -> dict[str, str]:
        """What an endpoint is told (RFC 8693, 2.1)."""
        said = {"grant_type": _EXCHANGE, "subject_token": self.token, "subject_token_type": _ACCESS}
        return said | ({"actor_token": self.actor, "actor_token_type": _ACCESS} if self.actor else {})


class NoSubject(CredentialError):
    """The caller came without a token of its own."""


class _Held:
    """The token of one caller, or of the sidecar itself, and the fetch that is under way."""

    def __init__(self) -> None:
        self.secret: Secret | None = None
        self.asked = self.fresh_until = self.again = 0.0
        self.failures = 0
        self.trouble = ""
        self.doubted = False
        self.fetch: asyncio.Task[None] | None = None

    def valid(self) -> Secret | None:
        """What may be sent now."""
        secret = self.secret
        return secret if secret and secret.until is not None and monotonic() < secret.until else None

    def failed(self, why: str) -> None:
        """Wait for a while, longer each time."""
        self.failures += 1
        self.again = monotonic() + min(FIRST_RETRY_S * 2 ** min(self.failures - 1, 10), LONGEST_RETRY_S)
        self.trouble = why


class Tokens:
    """The tokens of one endpoint for one client. Lives in one event loop."""

    def __init__(self, sent: Sent, source: Source, tell: Tell) -> None:
        assert sent.endpoint is not None
        self._client, self._exchanges = sent.name, sent.way == "exchange"
        self._endpoint = TokenEndpoint(sent.endpoint)
        self._source, self._tell = source, tell
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._fetches: dict[asyncio.Task[None], str] = {}
        self._places = asyncio.Semaphore(MOST_FETCHES)
        self._turn = 0.0
        self._over = False

    def __repr__(self) -> str:
        return f"Tokens({len(self._held)})"

    @property
    def trouble(self) -> str:
        """Why there is no new token of the sidecar's own; empty where all is well. What keeps one caller from a token
        is no trouble of the sidecar's, and stands in the Records of its calls.
        """
        held = self._held.get("")
        return held.trouble if held else ""

    async def get(self, subject: Subject | None, caller: str = "") -> Secret:
        """A token for whoever has this token of their own, or for the sidecar; `caller` is who asks. Raises
        CredentialError.
        """
        if not self._exchanges:
            subject, caller = None, ""
        elif subject is None:
            raise NoSubject("the caller came without a token that could be exchanged")
        held = self._of(subject, caller)
        fetch = self._fetch(held, subject, caller) if self._wants(held) else None
        if fetch is not None and (held.doubted or not held.valid()):
            await asyncio.wait([fetch], timeout=WAIT_S)
        if (secret := held.valid()) is not None:
            return secret
        raise CredentialError(held.trouble or (_LATE if fetch else _CROWD))

    def doubt(self, subject: Subject | None, secret: Secret) -> None:
        """A backend did not take this token: the next call waits for another, and has this one where none comes."""
        held = self._held.get(_key(subject) if self._exchanges else "")
        if held is not None and held.secret is secret and monotonic() - held.asked > DOUBT_S:
            held.doubted = True

    def _wants(self, held: _Held) -> bool:
        return held.doubted or not held.valid() or monotonic() >= held.fresh_until

    def _of(self, subject: Subject | None, caller: str) -> _Held:
        key = _key(subject)
        if key not in self._held:
            if not self._has_room(caller):  # and so nobody else's is forgotten for it
                raise CredentialError(_CROWD)
            self._make_room()
            self._held[key] = _Held()
        self._held.move_to_end(key)
        return self._held[key]

    def _make_room(self) -> None:
        """Forget what has ended, as far as it was not asked for since, and one more where that is not enough. Nobody
        who waits for a fetch loses it: there are fewer of those than places.
        """
        while self._held and (first := next(iter(self._held.values()))).secret and not first.valid():
            if first.fetch is not None:
                break
            self._forget(next(iter(self._held)))
        if len(self._held) >= MOST:
            self._forget(next(key for key, held in self._held.items() if held.fetch is None))

    def _forget(self, key: str) -> None:
        if (secret := self._held.pop(key).secret) is not None:
            self._tell(secret, False)

    def _fetch(self, held: _Held, subject: Subject | None, caller: str) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one; None while it is too early, or while too many wait."""
        if held.fetch is None and monotonic() >= held.again and self._has_room(caller):
            held.fetch = fetch = asyncio.create_task(self._fetched(held, subject))
            self._fetches[fetch] = caller
            fetch.add_done_callback(self._fetches.pop)
        return held.fetch

    def _has_room(self, caller: str) -> bool:
        return len(self._fetches) < MOST_WAITING and list(self._fetches.values()).count(caller) < MOST_OF_ONE

    async def _fetched(self, held: _Held, subject: Subject | None) -> None:
        try:
            await self._have_turn()
            async with self._places:
                await self._replaced(held, subject)
            held.failures, held.again, held.trouble, held.doubted = 0, 0.0, "", False
        except Exception as error:
            why = str(error) if isinstance(error, CredentialError) else type(error).__name__
            if not held.trouble and not self._exchanges:
                _log.error("no new token: %s", why)
            held.failed(why)
        finally:
            held.fetch = None

    async def _have_turn(self) -> None:
        now = monotonic()
        self._turn = max(now - BURST / PER_S, self._turn) + 1 / PER_S
        if self._turn > now:
            await asyncio.sleep(self._turn - now)

    async def _replaced(self, held: _Held, subject: Subject | None) -> None:
        secret, asked = await self._source.get("", "", ""), monotonic()
        form = subject.form() if subject else {"grant_type": "client_credentials"}
        token = await self._endpoint.ask(self._client, secret, form)
        fresh, former = Secret.plain(token.value, asked + USED * token.life_s), held.secret
        self._tell(fresh, True)
        warn(fresh, f"from {self._endpoint.name}")
        held.secret, held.asked, held.fresh_until = fresh, asked, asked + FRESH * token.life_s
        for ended in filter(None, (former, fresh if self._over else None)):
            self._tell(ended, False)

    def end(self) -> None:
        """No rules in force name them any more. Calls that began under rules that did still get theirs."""
        self._over = True
        for held in self._held.values():
            if held.secret is not None:
                self._tell(held.secret, False)

    async def close(self) -> None:
        """Give up what is under way."""
        for fetch in (under_way := list(self._fetches)):
            fetch.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


_CROWD: Final = "too many tokens are wanted at once"
_LATE: Final = f"no token came within {WAIT_S:g} s"


def _key(subject: Subject | None) -> str:
    return subject.name if subject else ""
