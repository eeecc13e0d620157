"""The public keys of one issuer of tokens: a JSON Web Key Set (RFC 7517) in a file or at a URL, read again and again.

What was read counts until something newer is: an issuer that is down for a while locks nobody out. A key that nobody
has seen is looked for at once, but not more often than every few seconds, whatever callers send.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from proxy.identity.settings import JwtSettings

if TYPE_CHECKING:  # see tokens.py
    import jwt

FETCH_S: Final = 2.0
"""The longest that a call waits for a key that was not known."""
AGAIN_S: Final = {"file": 1.0, "http": 300.0, "https": 300.0}
"""How often the keys are read again, by where they are."""
TRY_S: Final = 5.0
"""How often, where that failed, or where a token names a key that is not there."""
MOST_BYTES: Final = 256 * 1024
MOST_KEYS: Final = 100
LEAST_RSA_BITS: Final = 2048  # NIST SP 800-131A

_FITS: Final = {
    "RS": ("RSA", ""), "PS": ("RSA", ""), "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"), "EdDSA": ("OKP", ""),
}  # fmt: skip


class NotRead(Exception):
    """No keys of the issuer were read yet, so nothing can be said of its tokens."""


class _Bad(Exception):
    """What was read is no set of public keys. The text says why."""


class KeySet:
    """The keys of an issuer. `trouble` says why they could not be read lately, `generation` grows when they change."""

    def __init__(self, settings: JwtSettings) -> None:
        self._place, self._ca = settings.keys, settings.ca
        self._scheme = settings.keys.partition(":")[0]
        self._raw: list[Mapping[str, Any]] | None = None
        self._made: dict[tuple[str | None, str], jwt.PyJWK | None] = {}
        self._reading: asyncio.Task[None] | None = None
        self._tried = float("-inf")
        self.trouble = "not read yet"
        self.generation = 0

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key of that id that fits the algorithm; without an id, the only one that fits. Raises NotRead."""
        found = self._known(kid, algorithm)
        under_way = self._reading is not None and not self._reading.done()
        if found is None and (under_way or monotonic() - self._tried >= min(TRY_S, AGAIN_S[self._scheme])):
            await self._read_together()
            found = self._known(kid, algorithm)
        if self._raw is None:
            raise NotRead
        return found

    async def watch(self) -> None:
        """Read the keys, and again from time to time, for ever."""
        while True:
            await self._read_together()
            await asyncio.sleep(TRY_S if self.trouble else AGAIN_S[self._scheme])

    async def _read_together(self) -> None:
        """One reading for all who want one; whoever gives up breaks off nobody else's."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        self._tried = monotonic()
        try:
            async with asyncio.timeout(FETCH_S):
                data = await (asyncio.to_thread(self._file) if self._scheme == "file" else self._fetch())
            keys = _public(data)
        except TimeoutError:
            self.trouble = f"no answer within {FETCH_S:.0f} s"
        except _Bad as error:
            self.trouble = str(error)
        except (OSError, aiohttp.ClientError, ValueError) as error:
            self.trouble = f"cannot be read ({type(error).__name__})"
        else:
            self._take(keys)
            self.trouble = "" if keys else "it holds no public key for signatures, so no token counts"

    def _take(self, keys: list[Mapping[str, Any]]) -> None:
        if keys != self._raw:
            self._raw, self._made = keys, {}
            self.generation += 1

    def _file(self) -> bytes:
        with Path(self._place.removeprefix("file:")).open("rb") as file:
            return file.read(MOST_BYTES + 1)

    async def _fetch(self) -> bytes:
        trust = ssl.create_default_context(cafile=self._ca or None)
        jar, connector = aiohttp.DummyCookieJar(), aiohttp.TCPConnector(ssl=trust)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=False) as session,
            session.get(self._place, allow_redirects=False, headers={"Accept": "application/json"}) as reply,
        ):
            if reply.status != 200:
                raise _Bad(f"the answer was {reply.status}, not 200")
            data = b""
            async for piece in reply.content.iter_any():
                data += piece
                if len(data) > MOST_BYTES:
                    break
            return data

    def _known(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """What was found is kept; what was not is a name that anybody may have made up, and is not."""
        import jwt
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

        if (made := self._made.get((kid, algorithm))) is not None:
            return made
        fitting = [key for key in self._raw or () if _fits(key, algorithm) and kid in (None, key.get("kid"))]
        if len(fitting) != 1:
            return None
        with suppress(jwt.PyJWTError, ValueError):
            made = jwt.PyJWK.from_dict(dict(fitting[0]), algorithm)
            if not isinstance(made.key, RSAPublicKey) or made.key.key_size >= LEAST_RSA_BITS:
                self._made[kid, algorithm] = made
                return made
        return None


def _public(data: bytes) -> list[Mapping[str, Any]]:
    """The keys of a set that are there to check signatures with. Raises _Bad."""
    if len(data) > MOST_BYTES:
        raise _Bad(f"larger than {MOST_BYTES} bytes")
    try:
        read = json.loads(data)
    except (ValueError, RecursionError):
        raise _Bad("it is not JSON") from None
    keys = read.get("keys") if isinstance(read, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise _Bad("it is no JSON Web Key Set: an object with a list `keys`")
    if len(keys) > MOST_KEYS:
        raise _Bad(f"it has more than {MOST_KEYS} keys")
    return [key for key in keys if key.get("use", "sig") == "sig" and "d" not in key and key.get("kty") != "oct"]


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    """Whether a key is of the kind that an algorithm needs, and not meant for another one (RFC 7518, 3.1)."""
    kind, curve = _FITS.get(algorithm) or _FITS[algorithm[:2]]
    return key.get("kty") == kind and curve in ("", key.get("crv")) and key.get("alg", algorithm) == algorithm
