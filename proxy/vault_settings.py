"""The key `vault` of toolwall.yaml: where Vault is, how the sidecar signs in, and how long a value may be used."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from proxy.ledger_settings import PLACE
from proxy.listening_settings import is_loopback
from rules.shape import DURATION, Form, Key, Number, Text, duration
from rules.source import LoadProblem, Node

POD_TOKEN: Final = "file:/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - where Kubernetes puts it
"""The token of the service account of a pod."""

_Duration: Final = Text(DURATION, "a duration such as 500ms, 10s or 15m")
_Spec: Final = Text(r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$", "env:NAME or file:PATH")
_Name: Final = Text(r"^[A-Za-z0-9_.@-]+(/[A-Za-z0-9_.@-]+)*/?$", "a name of letters, digits, `_ . @ -` and /")
_Role: Final = Text(r"^[A-Za-z0-9_.@-]{1,128}$", "a name of letters, digits and `_ . @ -`")
_MOUNT: Final = "Where the method is mounted under auth/. "


def _login(says: str, jwt: str, mount: str, *, required: bool) -> Key:
    keys = {
        "role": Key(_Role, "The role to sign in as.", required=True),
        "jwt": Key(_Spec, jwt, required=required),
        "mount": Key(_Name, _MOUNT + mount),
    }
    return Key(Form(keys), says)


AUTH: Final = Form(
    {
        "token": Key(_Spec, "A token that somebody else keeps, such as Vault Agent; it is read anew when it ends."),
        "approle": Key(
            Form(
                {
                    "role_id": Key(Text(r"^[\x21-\x7e]{1,256}$", "visible characters"), "The id of the role.", True),
                    "secret_id": Key(_Spec, "The secret id."),
                    "wrapped_secret_id": Key(_Spec, "A wrapping token that holds the secret id; it is unwrapped once."),
                    "mount": Key(_Name, _MOUNT + "approle"),
                },
                one_of=("secret_id", "wrapped_secret_id"),
            ),
            "AppRole.",
        ),
        "kubernetes": _login(
            "The service account of a pod.",
            "Its token, read at each login. file:/var/run/secrets/kubernetes.io/serviceaccount/token",
            "kubernetes",
            required=False,
        ),
        "jwt": _login("A JWT of another issuer.", "The JWT, read at each login.", "jwt", required=True),
    },
    one_of=("token", "approle", "kubernetes", "jwt"),
)
VAULT: Final = Form(
    {
        "address": Key(PLACE, "Where Vault is; without TLS on this machine only.", required=True),
        "namespace": Key(_Name, "The namespace of all that is asked for."),
        "ca": Key(Text(), "File of the certificate authorities that are trusted, relative to this file. The system's"),
        "auth": Key(AUTH, "How the sidecar signs in.", required=True),
        "timeout": Key(_Duration, "How long a request may take, and a call wait for the first fetch. 2s"),
        "every": Key(_Duration, "How often values without a lease are read anew. 1m"),
        "most_age": Key(_Duration, "How old a value may become while Vault does not give it. 1h"),
        "grace": Key(_Duration, "How long calls under way may still use a lease that was replaced. 30s"),
        "most_leases": Key(Number(1, 100_000), "Leases held at once. 1000"),
    }
)


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How to sign in: the name of the role, what proves it (`env:NAME` or `file:PATH`) and the mount. `wrapped` is
    whether that is a wrapping token.
    """

    method: Literal["token", "approle", "kubernetes", "jwt"]
    proof: str
    role: str = ""
    mount: str = ""
    wrapped: bool = False


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """All of `vault`. `ca` is a whole path; times are in seconds."""

    address: str
    auth: AuthSettings
    namespace: str = ""
    ca: str = ""
    timeout_s: float = 2.0
    every_s: float = 60.0
    most_age_s: float = 3600.0
    grace_s: float = 30.0
    most_leases: int = 1000


def read_vault(raw: Mapping[str, Any] | None, folder: Path) -> VaultSettings | None:
    """The settings in a checked `vault` of toolwall.yaml, which lies in `folder`."""
    if raw is None:
        return None
    times = {key: duration(raw[key]) for key in ("timeout", "every", "most_age", "grace") if key in raw}
    return VaultSettings(
        address=raw["address"].rstrip("/"),
        auth=_auth(raw["auth"], folder),
        namespace=raw.get("namespace", "").strip("/"),
        ca=str((folder / raw["ca"]).absolute()) if "ca" in raw else "",
        most_leases=raw.get("most_leases", 1000),
        **{f"{key}_s": value for key, value in times.items()},
    )


def _auth(raw: Mapping[str, Any], folder: Path) -> AuthSettings:
    if "token" in raw:
        return AuthSettings("token", _located(raw["token"], folder))
    if "approle" in raw:
        given = raw["approle"]
        wrapped = "wrapped_secret_id" in given
        proof = given["wrapped_secret_id" if wrapped else "secret_id"]
        mount = given.get("mount", "approle")
        return AuthSettings("approle", _located(proof, folder), given["role_id"], mount.strip("/"), wrapped)
    method: Literal["kubernetes", "jwt"] = "kubernetes" if "kubernetes" in raw else "jwt"
    given = raw[method]
    proof = _located(given.get("jwt", POD_TOKEN), folder)
    return AuthSettings(method, proof, given["role"], given.get("mount", method).strip("/"))


def _located(spec: str, folder: Path) -> str:
    scheme, _, place = spec.partition(":")
    return f"file:{folder / place}" if scheme == "file" else spec


def check_vault(node: Node) -> list[LoadProblem]:
    """What is wrong with a `vault` of the right shape: tokens would travel in the clear."""
    address = node.text("address")
    with suppress(ValueError):  # where between its brackets is no address
        if address.startswith("https:") or is_loopback(urlsplit(address).hostname or ""):
            return []
    return [
        node.key_problem("address", "is http, and not on this machine", "use https, or tokens can be read on the way")
    ]
