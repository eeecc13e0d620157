"""Why no connection to a backend came about, for operators: the class of an error alone says too little."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Final

import aiohttp

_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""What OpenSSL makes of an answer that is no TLS, such as one in plain HTTP."""


def reason(error: BaseException) -> str:
    """One line without a value of the call: the class of the error, and what is known beside it."""
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    says = _says(inner)
    return f"{type(error).__name__}: {says}" if says else type(error).__name__


def _says(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "what is there does not speak TLS" if error.reason in _NO_TLS else error.reason or ""
    if isinstance(error, socket.gaierror):
        return "the name cannot be resolved"
    if isinstance(error, OSError) and not isinstance(error, aiohttp.ClientError) and error.errno:
        return os.strerror(error.errno)
    return ""
