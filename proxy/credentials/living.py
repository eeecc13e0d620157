"""All known secrets of this moment: those of the configuration, and those that come and go while the sidecar serves."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Final

from proxy.credentials.secret import CredentialError, Secret
from proxy.known import bare
from redaction.known import MOST_LONG, NOTHING, Known, trivial

_log = logging.getLogger("toolwall")

GRACE_S: Final = 600.0
"""How long a secret that has ended is still looked for: what was logged with it comes back later."""

MOST: Final = 20_000
"""Values that may be known at once. Each lease of its own is one, and one more for as long as the grace is."""

MOST_PARTS: Final = 4
"""Sets that are searched one after the other before they are made one. Each new secret is one at first, in 0.5 ms."""

UNSENT: Final = "unsent"
"""Whose a value is that no backend was sent yet."""

_TEND_S: Final = 0.5
_NAMES: Final = frozenset({"username", "user", "client_id", "access_key"})
"""Fields that name somebody and are no secret."""


@dataclass(slots=True)
class _Value:
    """One value. `tag` is by what a search tells it; `holders` are the secrets that have it, `over` when the last of
    them ended; `of` whose it is in the words of Records.
    """

    tag: str
    holders: set[Secret] = field(default_factory=set)
    over: float = 0.0
    of: str = ""
    last: Secret | None = None


class Living(Known):
    """Known secrets that change. Told of a secret before it is sent, and when it has ended, from any thread."""

    def __init__(self, fixed: Known = NOTHING, grace_s: float = GRACE_S) -> None:
        super().__init__()
        self._grace_s = grace_s
        self._lock = Lock()
        self._values: dict[str, _Value] = {}
        self._sets: list[Known] = []
        self.always(fixed)

    def always(self, fixed: Known) -> None:
        """What is known whatever comes and goes."""
        with self._lock:
            self._fixed = fixed
            self.become(fixed, *self._sets)

    def tell(self, secret: Secret, begins: bool) -> None:
        """A secret is about to be sent for the first time, or has ended. Raises CredentialError where it cannot be
        looked for, and so must not be sent.
        """
        with self._lock:
            if begins:
                self._begin(secret)
            else:
                self._end(secret)

    def sent(self, secret: Secret, of: str) -> None:
        """The same before each time: whoever forgot to tell of a secret cannot have it sent unknown. `of` says whose it
        is, for Records.
        """
        values = [self._values.get(value) for value in looked_for(secret)]
        if all(value and value.holders and value.last is secret for value in values):
            return
        with self._lock:
            owned = all(value and value.holders for value in values)
            self._begin(secret)
            if not owned:  # nobody will tell of its end: it is looked for as long as after one
                self._end(secret)
            for each in looked_for(secret):
                self._values[each].of, self._values[each].last = of, secret

    def _begin(self, secret: Secret) -> None:
        values = list(looked_for(secret))
        fresh = {value: secrets.token_hex(8) for value in values if value not in self._values}
        if len(self._values) + len(fresh) > MOST:
            raise CredentialError(f"more than {MOST} secrets would be known at once; let calls share a lease")
        if fresh:
            self._sets.append(_known(fresh))
            self.become(self._fixed, *self._sets)
        for value in values:
            self._values.setdefault(value, _Value(fresh.get(value, ""))).holders.add(secret)

    def _end(self, secret: Secret) -> None:
        for each in filter(None, map(self._values.get, looked_for(secret))):
            each.holders.discard(secret)
            if not each.holders:
                each.over = monotonic()

    def leaked(self, tags: Iterable[str]) -> list[tuple[str, Secret]]:
        """Whose the values with these tags are, and the secrets that hold them."""
        wanted = set(tags)
        with self._lock:
            found = [value for value in self._values.values() if value.tag in wanted]
        return [
            (each.of or UNSENT, secret) for each in found for secret in ([each.last] if each.last else each.holders)
        ]

    def __len__(self) -> int:
        return len(self._values)

    async def watch(self) -> None:
        """Forget what ended long ago, and keep the sets few, until cancelled."""
        while True:
            await asyncio.sleep(_TEND_S)
            if self._is_over() or len(self._sets) > MOST_PARTS:
                await asyncio.to_thread(self.tend)

    def _is_over(self) -> bool:
        oldest = monotonic() - self._grace_s
        with self._lock:
            return any(not each.holders and each.over <= oldest for each in self._values.values())

    def tend(self) -> None:
        """Make one set of all. What came meanwhile stays a set of its own."""
        oldest = monotonic() - self._grace_s
        with self._lock:
            self._values = {value: each for value, each in self._values.items() if each.holders or each.over > oldest}
            tags, before = {value: each.tag for value, each in self._values.items()}, len(self._sets)
        made = _known(tags)
        with self._lock:
            self._sets = [made, *self._sets[before:]]
            self.become(self._fixed, *self._sets)


def looked_for(secret: Secret) -> Iterator[str]:
    """The values of a secret that nothing may show. Raises CredentialError for one that is too long."""
    for name, value in secret.fields.items():
        for each in bare(value) if name not in _NAMES else ():
            if len(each) > MOST_LONG:
                raise CredentialError(f"its field {name} is longer than {MOST_LONG} characters")
            yield each


def warn(secret: Secret, source: str) -> None:
    """Say in the log which values of a secret are too ordinary to be looked for."""
    for name, value in secret.fields.items():
        if name not in _NAMES and (why := trivial(value)):
            _log.warning("the secret %s is not looked for in answers, in its field %s: %s", source, name, why)


def _known(tags: dict[str, str]) -> Known:
    return Known(tags, tags)
