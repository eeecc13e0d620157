"""AWS Signature Version 4, by botocore. It is imported when rules that name it are read, and never before.

The service computes the signature anew from what it reads, so what can be written in two ways is written in one:
the query, and in S3 the path, are encoded as AWS encodes them. What they mean stays as it was judged.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Final
from urllib.parse import quote, unquote

from proxy.credentials.secret import CredentialError, Secret
from proxy.credentials.sending import in_header
from proxy.model import Outgoing
from proxy.protocols.target import decode, decode_plus
from rules.credentials import Sent
from rules.urls import Url

_HASH: Final = "x-amz-content-sha256"
_MADE: Final = ("authorization", "x-amz-date", "x-amz-security-token", _HASH)
_S3: Final = frozenset({"s3", "s3-object-lambda", "s3-outposts"})
"""Those that encode a path once. All others encode what they get again."""


def missing() -> str:
    """Why nothing can be signed; empty where it can. In a thread: the first import takes 0.1 s."""
    try:
        import botocore.auth
        import botocore.awsrequest
        import botocore.credentials
    except ImportError:
        return "sigv4 needs the package botocore, which is not installed: pip install 'toolwall[aws]'"
    # What it logs are the texts that are signed, and in them the session token.
    logging.getLogger(botocore.auth.__name__).disabled = True
    return ""


def signed(sent: Sent, secret: Secret, outgoing: Outgoing, url: Url) -> Outgoing:
    """The request with a signature of its method, host, path, query, body, Content-Type and `x-amz-` headers.

    The secret has the fields `access_key`, `secret_key`, and `session_token` where the key is a temporary one.
    """
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    region, service = sent.signs
    token = secret.fields.get("session_token") or secret.fields.get("security_token")
    keys = Credentials(secret.field("access_key"), secret.field("secret_key"), token)
    plain = _plain(outgoing, service in _S3)
    place = _place(plain.target, url, service in _S3)
    request = AWSRequest(method=plain.method, url=place, headers=_headers(plain), data=plain.body)
    try:
        (S3SigV4Auth if service in _S3 else SigV4Auth)(keys, service, region).add_auth(request)
    except Exception as error:  # its text may hold the request
        raise CredentialError(f"the request could not be signed ({type(error).__name__})") from None
    for name in _MADE:
        if (value := request.headers.get(name)) is not None:
            plain = in_header(plain, name, value)
    return plain


def _plain(outgoing: Outgoing, is_s3: bool) -> Outgoing:
    """The request without what a signature brings, in the one way to write it."""
    path, _, query = outgoing.target.partition("?")
    if is_s3:  # to which a plain + in a path is a space
        path = "/".join(quote(decode(segment), safe="") for segment in path.split("/"))
    query = "&".join(_pair(part) for part in query.split("&") if part)
    kept = tuple(pair for pair in outgoing.headers if pair[0] not in _MADE)
    return outgoing._replace(target=f"{path}?{query}" if query else path, headers=kept)


def _pair(part: str) -> str:
    name, equals, value = part.partition("=")
    return f"{quote(decode_plus(name), safe='')}{equals}{quote(decode_plus(value), safe='')}"


def _place(target: str, url: Url, is_s3: bool) -> str:
    """The URL that is signed. In S3 an encoded slash is a slash of the object's key."""
    path, mark, query = f"{url.path}{target}".partition("?")
    if is_s3:
        path = quote(unquote(path), safe="/")
    return f"{url.scheme}://{url.authority}{path}{mark}{query}"


def _headers(plain: Outgoing) -> dict[str, str]:
    """What is signed beside the host. A name that stands twice is one with both values (RFC 9110, 5.2)."""
    found = {_HASH: hashlib.sha256(plain.body).hexdigest()}
    for name, value in plain.headers:
        if name == "content-type" or name.startswith("x-amz-"):
            found[name] = f"{found[name]},{value}" if name in found else value
    return found
