"""Posts to a place of the operator's, such as a collector, from a thread: no call waits for what is told there."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

MOST_REPLY: Final = 64 * 1024  # bytes read of an answer
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e]*")


class Poster:
    """One place behind one connection that is kept open. Follows no redirect and knows no proxy.

    `what` it is stands in errors, `url` is its URL, `kind` the Content-Type of what is posted. `timeout_s` is that of
    each socket operation. Raises ValueError for a URL that is not plain http or https.
    """

    def __init__(self, what: str, url: str, headers: Mapping[str, str], kind: str, timeout_s: float) -> None:
        secure, host, port, self._path = _parse(what, url)
        for name, value in headers.items():
            if not _HEADER.fullmatch(f"{name}: {value}"):
                raise ValueError(f"The {what}'s header {name!r} is not one line of ASCII.")
        self._connection = (HTTPSConnection if secure else HTTPConnection)(host, port, timeout=timeout_s)
        self._headers = {**headers, "Content-Type": kind}
        self.place = f"{host}:{port}"

    def post(self, path: str, body: bytes, timeout: float) -> str:
        """ "" if it was taken; else the reason: a status, or the class of the error. `path` is added to that of the
        URL, `timeout` in seconds."""
        try:
            return self._post(path, body, timeout)
        except (OSError, HTTPException, ValueError) as error:
            self._connection.close()
            return type(error).__name__

    def _post(self, path: str, body: bytes, timeout: float) -> str:
        connection = self._connection
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        connection.request("POST", self._path + path or "/", body, self._headers)
        reply = connection.getresponse()
        reply.read(MOST_REPLY)
        if reply.will_close or not reply.isclosed():
            connection.close()
        return "" if 200 <= reply.status < 300 else str(reply.status)

    def close(self) -> None:
        self._connection.close()

    def abort(self) -> None:
        """Break off a request that another thread is waiting in."""
        sock = self._connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _parse(what: str, url: str) -> tuple[bool, str, int, str]:
    """Whether TLS is spoken, the host, the port and the path. The error repeats nothing: it may be a password."""
    with suppress(ValueError):
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        plain = parts.scheme in ("http", "https") and not (parts.query or parts.fragment or "@" in parts.netloc)
        if plain and parts.hostname:
            return secure, parts.hostname, parts.port or (443 if secure else 80), parts.path
    raise ValueError(
        f"The {what} must be a URL such as http://127.0.0.1:4318, without user, query or fragment; "
        "a credential for it belongs in its headers."
    )
