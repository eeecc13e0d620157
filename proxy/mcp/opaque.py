"""Opaque tokens: a server gives them to get them back byte for byte, so where nobody may read one it is sealed.

A sealed token goes to a client in the place of the server's, and back to the server as that. It opens for the same
principal and server alone, also after the sidecar was started anew. Nothing is kept for it.
"""

from __future__ import annotations

import hmac
import json
import os
import re
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proxy.model import Call
from proxy.protocols import jsonrpc
from proxy.protocols.jsonrpc import BAD_PARAMS, Malformed

GIVEN: Final = {"nextCursor": "cursor", "requestState": "requestState"}
"""The members of results that clients bring back, and as which params."""

MARK: Final = "sealed-"
_SALT: Final = 16
_NONCE: Final = b"\0" * 12
"""Each token has a key of its own."""

_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
"""Letters alone are neither numbers of cards nor keys of anybody's."""

_HEX: Final = str.maketrans("abcdefghijklmnop", "0123456789abcdef")
_SEALED: Final = re.compile(f"{MARK}((?:[a-p]{{2}}){{{_SALT + 16},}})")


class Opaque:
    """Seals and opens tokens, with a key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sealed(self, token: str, call: Call, name: str) -> str:
        """The token that stands for one which the call's server gave as a member of a result."""
        salt, about = os.urandom(_SALT), _about(call, GIVEN[name])
        data = salt + self._cipher(salt).encrypt(_NONCE, token.encode(), about)
        return MARK + data.hex().translate(_LETTERS)

    def opened(self, call: Call) -> Call:
        """The call with the server's own tokens in its params. Raises Malformed for one that was not given here."""
        if MARK.encode() not in call.outgoing.body:
            return call
        params = json.loads(call.outgoing.body)
        for name in GIVEN.values():
            if isinstance(value := params.get(name), str) and value.startswith(MARK):
                params[name] = self._token(value, _about(call, name))
        return call._replace(outgoing=call.outgoing._replace(body=jsonrpc.written(params)))

    def _token(self, text: str, about: bytes) -> str:
        found = _SEALED.fullmatch(text)
        data = bytes.fromhex(found[1].translate(_HEX)) if found else b""
        salt = data[:_SALT]
        try:
            return self._cipher(salt).decrypt(_NONCE, data[_SALT:], about).decode()
        except InvalidTag:
            raise Malformed("This cursor or state was not given to you by this server.", BAD_PARAMS) from None

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._key, salt, "sha256"))


def _about(call: Call, name: str) -> bytes:
    """Whose it is."""
    return jsonrpc.written([call.tool.backend, call.principal.id, name])
