"""AWS Signature Version 4, by botocore: it is imported where rules name it, for it takes 0.3 s and 11 MB."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from proxy.credentials.secret import CredentialError, Secret
from proxy.credentials.sending import in_header
from proxy.model import Outgoing
from rules.credentials import Sent
from rules.urls import Url

_SIGNED: Final = ("content-type",)
_MADE: Final = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256")


def missing() -> str:
    """Why nothing can be signed; empty where it can."""
    return "" if find_spec("botocore") else "sigv4 needs the package botocore, which is not installed"


def signed(sent: Sent, secret: Secret, outgoing: Outgoing, url: Url) -> Outgoing:
    """The request with a signature of its method, host, path, query, body, Content-Type and `x-amz-` headers.

    The secret has the fields `access_key`, `secret_key`, and `session_token` where the key is a temporary one.
    """
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    token = secret.fields.get("session_token") or secret.fields.get("security_token")
    keys = Credentials(secret.field("access_key"), secret.field("secret_key"), token)
    region, service = sent.signs
    plain = outgoing._replace(headers=tuple(pair for pair in outgoing.headers if pair[0] not in _NAMES))
    headers = {name: value for name, value in plain.headers if name in _SIGNED or name.startswith("x-amz-")}
    place = f"{url.scheme}://{url.authority}{url.path}{plain.target}"
    request = AWSRequest(method=plain.method, url=place, headers=headers, data=plain.body)
    try:
        (S3SigV4Auth if service == "s3" else SigV4Auth)(keys, service, region).add_auth(request)
    except Exception as error:  # its text may hold the request
        raise CredentialError(f"the request could not be signed ({type(error).__name__})") from None
    for name in _MADE:
        if (value := request.headers.get(name)) is not None:
            plain = in_header(plain, name.lower(), value)
    return plain


_NAMES: Final = frozenset(name.lower() for name in _MADE)
