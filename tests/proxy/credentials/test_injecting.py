"""The secrets of each backend, for the rules in force."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.credentials.injecting import Injecting
from proxy.credentials.living import Living
from proxy.credentials.secret import CredentialError, Secret, Source
from proxy.model import Outgoing
from proxy.record import Record
from rules.credentials import Injected, Origin, Per, Sent
from rules.tools import Backend
from rules.urls import Url

VALUE, OTHER = "kestrel-9Xw4pQ7t", "osprey-3Vb8nK1s"
CALL: Any = SimpleNamespace(id="call", principal=SimpleNamespace(id="bot"), run=SimpleNamespace(id="run"))
NO_REQUEST = Outgoing("GET", "/", (), b"")


def backend(origin: Origin, *hosts: str, host: str = "crm.test") -> Backend:
    spec = Injected(origin, Sent("bearer"), frozenset(hosts or {host}), False, "crm.yaml", 3)
    return Backend("crm", Url("https", host, 443, ""), injects=(spec,))


def env(name: str) -> Origin:
    return Origin("env", (("value", name),))


def sent(injecting: Injecting, backend: Backend) -> str:
    [injection] = injecting.follow({"crm": backend})["crm"]
    assert VALUE not in repr(injection)
    return asyncio.run(injection.put(CALL, NO_REQUEST))[0].headers[0][1]


def test_what_is_sent_is_known_before() -> None:
    injecting = Injecting(Living(), {"A": VALUE})
    assert sent(injecting, backend(env("A"))) == f"Bearer {VALUE}"
    assert injecting.living.sees(VALUE.encode())


def test_a_secret_is_sent_to_its_hosts_alone() -> None:
    injecting = Injecting(Living(), {"A": VALUE})
    for host in ("evil.test", "crm.test.evil.test", "acrm.test", "test"):
        with pytest.raises(CredentialError, match="declared for other hosts"):
            sent(injecting, backend(env("A"), "crm.test", host=host))


def test_what_rules_name_no_more_ends_and_what_they_still_name_stays() -> None:
    injecting = Injecting(Living(grace_s=0.0), {"A": VALUE, "B": OTHER})
    for name, shown in (("A", [True, False]), ("A", [True, False]), ("B", [False, True])):
        injecting.follow({"crm": backend(env(name))})
        injecting.living.tend()
        assert [injecting.living.sees(each.encode()) for each in (VALUE, OTHER)] == shown
    assert injecting.follow({"crm": replace(backend(env("A")), injects=())}) == {}
    injecting.living.tend()
    assert not injecting.living


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        (env("B"), "the environment variable B is not set, or is empty"),
        (Origin("file", (("value", "/no/such/file"),)), "/no/such/file cannot be read: No such file or directory"),
        (Origin("vault", (("value", "secret/crm#t"),)), "vault:secret/crm#t needs the key `vault` in toolwall.yaml"),
    ],
)
def test_rules_that_name_what_is_not_there_cannot_be_used(origin: Origin, why: str) -> None:
    injecting = Injecting(Living(), {"A": VALUE})
    [problem] = injecting.check([backend(origin), backend(env("A"))])
    assert (problem.file, problem.line, problem.message) == ("crm.yaml", 3, why)
    assert not injecting.living  # to look is not to keep
    with pytest.raises(CredentialError, match=why):  # it went away between the two looks
        sent(injecting, backend(origin))


class Leases:
    """A place in Vault, and the Vault: gives a secret until this monotonic time, and remembers what it was told."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.asked: list[tuple[str, str, str]] = []
        self.named: list[tuple[str, str]] = []
        self.over: list[tuple[str, ...]] = []

    def source(self, spec: str, per: Per = "shared") -> Source:
        self.named.append((spec, per))
        return self

    async def call_ended(self, call: str) -> None:
        self.over.append((call,))

    async def run_ended(self, principal: str, run: str) -> None:
        self.over.append((principal, run))

    def trouble(self) -> str:
        return "sealed"

    async def get(self, call: str, principal: str, run: str) -> Secret:
        self.asked.append((call, principal, run))
        return Secret.plain(VALUE, self.until)


def test_what_has_run_out_is_not_sent() -> None:
    origin = Origin("vault", (("value", "secret/crm#t"),), "run")
    leases = Leases(float("inf"))
    good = Injecting(Living(), {}, leases)
    assert sent(good, backend(origin)) == f"Bearer {VALUE}"
    assert (leases.named, leases.asked) == ([("vault:secret/crm#t", "run")], [("call", "bot", "run")])
    assert good.living.sees(VALUE.encode())
    assert good.trouble == "sealed"
    with pytest.raises(CredentialError, match="has run out"):
        sent(Injecting(Living(), {}, Leases(0.0)), backend(origin))


@pytest.mark.parametrize(("per", "over"), [("call", [("call",), ("bot", "run")]), ("run", [("bot", "run")])])
def test_the_end_of_what_it_was_made_for_is_told(per: Per, over: list[tuple[str, ...]]) -> None:
    leases = Leases(float("inf"))
    injecting = Injecting(Living(), {}, leases)

    async def play() -> None:
        origin = Origin("vault", (("value", "database/creds/a"),), per)
        [injection] = injecting.follow({"crm": backend(origin)})["crm"]
        if injection.ended is not None:
            injection.ended(Record("call", 0))
        injecting.run_ended("bot", "run")
        await asyncio.sleep(0)

    asyncio.run(play())
    assert leases.over == over


def test_a_file_that_stays_broken_is_told(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(VALUE)
    injecting = Injecting(Living(), {})
    origin = Origin("file", (("value", str(path)),))
    assert sent(injecting, backend(origin)) == f"Bearer {VALUE}"
    assert injecting.trouble == ""
    path.write_text("")
    [file] = injecting._kept.values()
    file.look()
    file.look()
    assert injecting.trouble == f"file:{path} was not read again: {path} holds nothing"
    assert sent(injecting, backend(origin)) == f"Bearer {VALUE}"


class Revoking(Leases):
    """A source that keeps what it was told to end."""

    def __init__(self, fails: bool) -> None:
        super().__init__(float("inf"))
        self.ended: list[Secret] = []
        self.fails = fails

    async def revoke(self, secret: Secret) -> None:
        if self.fails:
            raise CredentialError("Vault is sealed")
        self.ended.append(secret)


@pytest.mark.parametrize(("revokes", "fails"), [(True, False), (True, True), (False, False)])
def test_a_leak_is_counted_recorded_and_revoked_where_the_rules_say_so(
    caplog: pytest.LogCaptureFixture, revokes: bool, fails: bool
) -> None:
    source, record = Revoking(fails), Record("call", 0)
    injecting = Injecting(Living(), {}, source)
    origin = Origin("vault", (("value", "secret/crm#t"),))
    spec = replace(backend(origin).injects[0], revokes=revokes)

    async def play() -> None:
        [injection] = injecting.follow({"crm": replace(backend(origin), injects=(spec,))})["crm"]
        await injection.put(CALL, NO_REQUEST)
        injecting.alarm(injecting.living.whose(VALUE.encode()), record)
        await asyncio.sleep(0)

    asyncio.run(play())
    assert (record.leaked, injecting.leaks) == (("crm",), {"crm": 1})
    assert len(source.ended) == (revokes and not fails)
    assert ("was not revoked: Vault is sealed" in caplog.text) is fails
    assert VALUE not in caplog.text


def test_what_was_never_sent_may_leak_too() -> None:
    injecting, record = Injecting(Living(), {}), Record("call", 0)
    injecting.living.tell(Secret.plain(OTHER), True)
    injecting.alarm(injecting.living.whose(OTHER.encode()), record)
    assert record.leaked == ("unsent",)
