"""TLS of a listener: its certificate, read anew when the files change, and what is asked of clients."""

from __future__ import annotations

import hashlib
import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple, NoReturn

from cryptography.x509 import load_pem_x509_certificates

from proxy.listening_settings import TlsSettings

LOOK_S = 2.0
"""Between two looks at the files."""

_MOST_BYTES: Final = 1024 * 1024
"""Of one of the files: a system's whole list of authorities has half of it."""

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""Of TLS 1.2 (RFC 9325, 4.2): forward secrecy and authenticated encryption. TLS 1.3 has no others."""

_LATE: Final = 10
"""Whoever renews certificates does it long before the last tenth of their time."""

_TELL_S: Final = 60.0
"""Between two log lines about handshakes that failed."""

_log = logging.getLogger("toolwall")


class TlsError(Exception):
    """The files of a listener's TLS cannot be used. The text says which, and why."""


class _Term(NamedTuple):
    """The time of a certificate."""

    begins: datetime
    ends: datetime


class Context(ssl.SSLContext):
    """What handshakes need. `authorities` is a hash of those whose certificates are taken from clients, `trusted` tells
    whether they are still the same."""

    authorities = b""
    trusted: Callable[[], bool] = staticmethod(lambda: True)


class Tls:
    """The TLS of one listener. `context` is for the handshakes from now on; `trouble` says why the files that are there
    now are not in use, empty if they are; `refused` counts the handshakes that failed."""

    def __init__(self, name: str, settings: TlsSettings) -> None:
        """Raises TlsError where the files cannot be used."""
        self.name = name
        self._settings = settings
        self._seen = _signature(settings)
        self._use(*_made(settings))
        self.trouble = ""
        self.refused = 0
        self._told = float("-inf")

    def failed(self, error: OSError) -> None:
        """Note a handshake that led nowhere, and say so from time to time: a client cannot always tell why."""
        self.refused += 1
        if (now := monotonic()) - self._told > _TELL_S:
            self._told = now
            _log.warning("handshakes with %s fail, %d up to now; the last: %s", self.name, self.refused, _reason(error))

    def look(self) -> None:
        """Read the files anew if they changed. If those cannot be used, the certificate before stays."""
        seen = b""
        try:
            # Files that change while they are read are found changed the next time.
            seen = _signature(self._settings)
            if seen == self._seen:
                return
            self._use(*_made(self._settings))
        except TlsError as error:
            if self.trouble != str(error):
                _log.error("the new certificate of %s cannot be used, the one before stays: %s", self.name, error)
            self.trouble = str(error)
        else:
            self.trouble = ""
            _log.info("%s has a new certificate, until %s", self.name, self._term.ends.isoformat())
        finally:
            self._seen = seen

    def _use(self, context: Context, term: _Term) -> None:
        """Use it from now on. Who was verified by other authorities is to be verified anew."""
        mine = context.authorities
        context.trusted = lambda: self.context.authorities == mine
        self.context, self._term = context, term

    @property
    def note(self) -> str:
        """What somebody should look at, empty if nothing."""
        now, term = datetime.now(UTC), self._term
        if self.trouble:
            return f"its new certificate cannot be used, the one before stays: {self.trouble}"
        if now < term.begins:
            return f"its certificate is not valid before {term.begins.isoformat()}"
        late = now > term.ends - (term.ends - term.begins) / _LATE
        return f"its certificate ends {term.ends.isoformat()}" if late else ""


def _reason(error: OSError) -> str:
    """Why a handshake failed, in OpenSSL's words: they hold nothing that the client sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate was not taken: {error.verify_message}"
    return getattr(error, "reason", None) or "it was broken off, or took too long"


def _signature(settings: TlsSettings) -> bytes:
    """A hash of what is in the files. They are small, and their times may stay when a link is turned."""
    found = hashlib.sha256()
    for path in (settings.certificate, settings.key, settings.client_ca):
        if path is not None:
            found.update(hashlib.sha256(_read(path)).digest())
    return found.digest()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise TlsError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise TlsError(f"{path} is larger than {_MOST_BYTES} bytes")
    return data


def _made(settings: TlsSettings) -> tuple[Context, _Term]:
    context = Context(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    term = _term(settings.certificate)
    try:
        context.load_cert_chain(settings.certificate, settings.key, password=_encrypted)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise TlsError(_why(settings, error)) from None
    if settings.client_ca is not None:
        _ask(context, settings.client_ca, settings.client == "required")
    return context, term


def _ask(context: Context, authorities: Path, required: bool) -> None:
    """Ask clients for a certificate that one of the authorities signed for this use."""
    read = _read(authorities)
    context.authorities = hashlib.sha256(read).digest()
    try:
        context.load_verify_locations(cadata=read.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError):
        raise TlsError(f"{authorities} holds no certificates in PEM form") from None
    if not context.cert_store_stats()["x509_ca"]:
        raise TlsError(f"{authorities} holds no certificate of an authority")
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL


def _encrypted() -> NoReturn:
    """Asked for a pass phrase: without this, OpenSSL would wait for one at the terminal."""
    raise ValueError("encrypted")


def _why(settings: TlsSettings, error: Exception) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return f"{settings.key} is not the key of {settings.certificate}"
    if reason is None and isinstance(error, ValueError):
        return f"{settings.key} is encrypted; give it without a pass phrase"
    told = reason or "both are PEM, the first with a CERTIFICATE, the second with its PRIVATE KEY"
    return f"{settings.certificate} and {settings.key} are no certificate and key that OpenSSL takes ({told})"


def _term(path: Path) -> _Term:
    """The time of the first certificate of a file, which is the listener's own."""
    try:
        own = load_pem_x509_certificates(_read(path))[0]
    except ValueError:
        raise TlsError(f"{path} holds no certificate in PEM form") from None
    return _Term(own.not_valid_before_utc, own.not_valid_after_utc)
