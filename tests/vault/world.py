"""A Vault for tests: the stand-in, or a real one where VAULT_ADDR and VAULT_TOKEN say so (`make test-vault`)."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hvac
import requests

from proxy.credentials.secret import Secret
from proxy.vault.vaults import Vaults
from proxy.vault_settings import AuthSettings, VaultSettings
from tests.vault.standin import ROOT_TOKEN, Standin, serving


@dataclass
class World:
    """A Vault with an operator who sets it up. Mounts get names of their own, for a real one is shared."""

    url: str
    root: str
    folder: Path
    standin: Standin | None = None
    namespace: str = ""
    mark: str = field(default_factory=lambda: secrets.token_hex(4))

    def __post_init__(self) -> None:
        session = requests.Session()
        session.trust_env = False
        self.admin = hvac.Client(self.url, self.root, namespace=self.namespace or None, session=session)

    def own(self, name: str) -> str:
        """A name that no other test uses."""
        return f"{name}-{self.mark}"

    def api(self, path: str, wrap: str = "", **data: Any) -> dict[str, Any]:
        """What the operator asks for with POST."""
        reply = self.admin.write_data(path, data=data, wrap_ttl=wrap or None)
        return reply if isinstance(reply, dict) else {}

    def kv(self, version: int = 2) -> str:
        """A fresh KV engine."""
        mount = self.own(f"kv{version}")
        self.api(f"sys/mounts/{mount}", type="kv", options={"version": str(version)})
        return mount

    def put(self, mount: str, name: str, **fields: Any) -> None:
        """A new version of a secret in a KV engine of version 2."""
        self.admin.secrets.kv.v2.create_or_update_secret(name, fields, mount_point=mount)

    def file(self, name: str, text: str) -> str:
        """A file that says this, as a place of settings."""
        (self.folder / name).write_text(text + "\n")
        return f"file:{self.folder / name}"

    def approle(self, ttl: str = "1h", most: str = "2h", **more: Any) -> AuthSettings:
        """An AppRole that may do everything, and how to sign in with it."""
        mount = self.own("approle")
        self.api(f"sys/auth/{mount}", type="approle")
        self._policy()
        self.api(f"auth/{mount}/role/app", token_ttl=ttl, token_max_ttl=most, token_policies=[self.own("all")], **more)
        reply = self.admin.read(f"auth/{mount}/role/app/role-id")
        proof = self.file("secret-id", self.secret_id(mount))
        return AuthSettings("approle", proof, reply["data"]["role_id"], mount)

    def secret_id(self, mount: str) -> str:
        return str(self.api(f"auth/{mount}/role/app/secret-id")["data"]["secret_id"])

    def wrapped_secret_id(self, mount: str) -> str:
        return str(self.api(f"auth/{mount}/role/app/secret-id", wrap="60s")["wrap_info"]["token"])

    def token(self, ttl: str = "1h", **more: Any) -> str:
        """A token that may do everything."""
        self._policy()
        return str(self.api("auth/token/create", ttl=ttl, policies=[self.own("all")], **more)["auth"]["client_token"])

    def settings(self, auth: AuthSettings | None = None, **more: Any) -> VaultSettings:
        auth = auth or AuthSettings("token", self.file("token", self.token()))
        return VaultSettings(self.url, auth, namespace=self.namespace, **more)

    def _policy(self) -> None:
        rules = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'
        self.api(f"sys/policies/acl/{self.own('all')}", policy=rules)


@contextmanager
def world(folder: Path, sql: Callable[[str], None] | None = None, **standin: Any) -> Iterator[World]:
    """The real one if there is one, else a stand-in."""
    if address := os.environ.get("VAULT_ADDR"):
        there = World(address, os.environ["VAULT_TOKEN"], folder)
        yield there
        there.admin.adapter.close()
        return
    with imitated(folder, sql=sql, **standin) as there:
        yield there


@contextmanager
def imitated(folder: Path, **standin: Any) -> Iterator[World]:
    """A stand-in, whatever the environment says: for what a real one cannot be made to do."""
    with serving(Standin(**standin)) as running:
        there = World(running.url, ROOT_TOKEN, folder, running, running.namespace)
        yield there
        there.admin.adapter.close()


@dataclass
class Told:
    """What was said to become known, and to have ended, in order."""

    all: list[tuple[dict[str, str], bool]] = field(default_factory=list)
    known: list[Secret] = field(default_factory=list)

    def __call__(self, secret: Secret, is_known: bool) -> None:
        self.all.append((dict(secret.fields), is_known))
        if is_known:
            self.known.append(secret)
        else:
            self.known.remove(secret)

    def knows(self, value: str) -> bool:
        return any(value in secret.fields.values() for secret in self.known)


@asynccontextmanager
async def opened(settings: VaultSettings, told: Told | None = None) -> AsyncIterator[Vaults]:
    vaults = Vaults(settings, told or Told())
    vaults.begin()
    try:
        yield vaults
    finally:
        await vaults.close()
