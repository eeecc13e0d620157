"""The innermost guard. What it sends is looked at in `tests/doors/test_injection.py`."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.credentials.injecting import Injecting
from proxy.credentials.living import Living
from proxy.credentials.tokens import Subject
from proxy.errors import Refusal
from proxy.guards.credential import Credential, subject_of
from proxy.model import NO_HAIL, Outgoing
from rules.credentials import Injected, Origin, Sent
from rules.facts import Principal
from rules.tools import Backend
from rules.urls import Url

VALUE = "kestrel-9Xw4pQ7t"
SPECS = [
    Injected(Origin("env", (("value", name),)), Sent("header", name.lower()), frozenset({"crm.test"})) for name in "AB"
]


class Call(SimpleNamespace):
    def _replace(self, **more: Any) -> Call:
        return Call(**{**vars(self), **more})


def call() -> Any:
    who, run = Principal("bot"), SimpleNamespace(id="run")
    outgoing = Outgoing("GET", "/", (("a", "theirs"),), b"")
    return Call(id="call", principal=who, run=run, tool=SimpleNamespace(backend="crm"), outgoing=outgoing)


def guard(*specs: Injected, host: str = "crm.test") -> Credential:
    backend = Backend("crm", Url("https", host, 443, ""), injects=specs)
    return Credential(Injecting(Living(), {"A": VALUE, "B": "b-" + VALUE}).follow({"crm": backend}))


def test_all_secrets_are_put_in_and_the_call_outside_stays_as_it_was() -> None:
    sent: list[Any] = []
    checks: list[str] = []

    async def send(call: Any, entry: Any) -> Any:
        assert checks == ["credential"]
        sent.append(call.outgoing)
        return SimpleNamespace(status=200)

    outside = call()
    asyncio.run(guard(*SPECS)(outside, SimpleNamespace(check=checks.append, hail=NO_HAIL), send))  # type: ignore[arg-type]
    assert sent[0].headers == (("b", "b-" + VALUE), ("a", VALUE))
    assert outside.outgoing.headers == (("a", "theirs"),)


def test_without_one_of_them_nothing_is_sent() -> None:
    with pytest.raises(Refusal) as caught:
        asyncio.run(guard(*SPECS, host="evil.test")(call(), SimpleNamespace(hail=NO_HAIL), None))  # type: ignore[arg-type]
    no = caught.value
    assert (no.code, no.executed, no.lasting) == ("upstream_unreachable", "no", True)
    assert no.note == "credential: the secret is declared for other hosts"
    assert VALUE not in str(vars(no))


@pytest.mark.parametrize(
    ("method", "bearer", "delegation", "found"),
    [
        ("jwt", "own", None, Subject("own")),
        ("jwt, delegation", "own", "ann", Subject("ann", "own")),
        ("api_key, delegation", None, "ann", Subject("ann")),
        ("api_key", None, None, None),
        ("static", None, "unchecked", None),
        ("jwt", "own", "unchecked", Subject("own")),
        ("jwt, delegation", "own", None, None),
        ("jwt", "", None, None),
    ],
)
def test_only_a_token_that_has_proved_something_is_anybodys(
    method: str, bearer: str | None, delegation: str | None, found: Subject | None
) -> None:
    hail = NO_HAIL._replace(bearer=bearer, delegation=delegation)
    assert subject_of(hail, Principal("ann", method=method)) == found


def test_it_stands_only_where_a_backend_gets_one() -> None:
    tool: Any = SimpleNamespace(backend="crm")
    assert guard(*SPECS).applies(tool, None)  # type: ignore[arg-type]
    assert not guard().applies(tool, None)  # type: ignore[arg-type]
    assert (bool(guard(*SPECS)), bool(guard())) == (True, False)
