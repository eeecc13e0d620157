"""A Vault that hangs, seals, refuses and rotates: calls go on with what is still valid, and none waits for long."""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from proxy.credentials.secret import CredentialError
from proxy.vault_settings import AuthSettings
from tests.vault.standin import Answer, Standin
from tests.vault.world import Told, World, imitated, opened

VALUE = "canary-" + "4f1d0c"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    with imitated(tmp_path) as one:
        one.put("secret", "crm", token=VALUE)
        yield one


def standin(there: World) -> Standin:
    assert there.standin is not None
    return there.standin


@asynccontextmanager
async def lag() -> AsyncIterator[list[float]]:
    """By how much the event loop was late, each two milliseconds."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            due = monotonic() + 0.002
            await asyncio.sleep(0.002)
            late.append(monotonic() - due)

    task = asyncio.create_task(watch())
    yield late
    task.cancel()


def p99(late: list[float]) -> float:
    return sorted(late)[int(len(late) * 0.99)]


TROUBLES = {
    "hangs": lambda: 1.0,
    "forbids": lambda: Answer(403, "permission denied"),
    "lags behind": lambda: Answer(412, "required index state not present"),
    "limits": lambda: Answer(429, "request path exceeded rate limit", after="0"),
    "fails": lambda: Answer(500, "internal error"),
    "is sealed": lambda: Answer(503, "Vault is sealed"),
    "redirects": lambda: Answer(307, after="http://127.0.0.1:9/v1/sys/health"),
    "is hidden by a proxy": lambda: Answer(404, page="<h1>Not found</h1>"),
    "babbles": lambda: Answer(200, body={"data": ["what"]}),
}


@pytest.mark.alone
@pytest.mark.parametrize("how", TROUBLES)
def test_what_is_still_valid_is_used_while_vault_is_in_trouble(there: World, how: str) -> None:
    """The others of its values as well, no call waits longer than its bound, and the loop is never late."""
    told = Told()

    async def play() -> None:
        settings = there.settings(timeout_s=0.2, every_s=0.05)
        async with opened(settings, told) as vaults, lag() as late:
            source = vaults.source("vault:secret/crm#token")
            assert (await source.get("call", "bot", "run")).field("value") == VALUE
            standin(there).upset = lambda method, path: TROUBLES[how]()
            new = vaults.source("vault:secret/other#token")
            ends = monotonic() + 0.35
            while monotonic() < ends:
                began = monotonic()
                assert (await source.get("call", "bot", "run")).field("value") == VALUE
                assert monotonic() - began < 0.1  # half of what one look at a Vault that hangs takes
                with pytest.raises(CredentialError):
                    await new.get("call", "bot", "run")
                assert monotonic() - began < 0.3
                assert told.knows(VALUE)
                await asyncio.sleep(0.01)
            ends = monotonic() + 0.5  # the look that is under way ends within `timeout`, 0.2 s
            while not vaults.trouble() and monotonic() < ends:
                await asyncio.sleep(0.01)
            assert vaults.trouble()
            assert vaults.age() > 0.15
            assert p99(late) < 0.02
            standin(there).upset = None
            there.put("secret", "other", token="x")
            async with asyncio.timeout(3):  # what never counted as in trouble is confirmed again as well
                while vaults.trouble() or vaults.age() > 0.3:
                    await asyncio.sleep(0.01)
            assert (await new.get("call", "bot", "run")).field("value") == "x"

    asyncio.run(play())


def test_a_value_that_is_too_old_is_not_used(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings(every_s=0.05, most_age_s=0.3)) as vaults:
            source = vaults.source("vault:secret/crm#token")
            assert (await source.get("call", "bot", "run")).field("value") == VALUE
            standin(there).sealed = True
            await asyncio.sleep(0.5)
            began = monotonic()
            with pytest.raises(CredentialError, match=r"sealed, or down for maintenance \(503\)"):
                await source.get("call", "bot", "run")
            assert monotonic() - began < 2
            standin(there).sealed = False
            await asyncio.sleep(0.2)
            assert (await source.get("call", "bot", "run")).field("value") == VALUE

    asyncio.run(play())


def test_many_calls_share_one_first_fetch_and_wait_no_longer_than_it_may_take(there: World) -> None:
    async def play() -> None:
        standin(there).upset = lambda method, path: 5.0 if path.endswith("data/crm") else None
        async with opened(there.settings(timeout_s=0.3)) as vaults:
            source = vaults.source("vault:secret/crm#token")
            began = monotonic()
            got = await asyncio.gather(*(source.get(f"c{n}", "bot", "run") for n in range(50)), return_exceptions=True)
            assert monotonic() - began < 2
            assert {type(each) for each in got} == {CredentialError}
            assert [each.method for each in standin(there).asked("secret/data/crm")] == ["POST", "GET"]

    asyncio.run(play())


def test_a_moment_of_refusal_is_not_seen_by_the_call(there: World) -> None:
    answers = [Answer(412, "not yet"), Answer(500, "oops"), Answer(429, "slowly", after="0")]

    def upset(method: str, path: str) -> Answer | None:
        return answers.pop() if path.endswith("data/crm") and answers else None

    async def play() -> None:
        standin(there).upset = upset
        async with opened(there.settings()) as vaults:
            got = await vaults.source("vault:secret/crm#token").get("call", "bot", "run")
            assert got.field("value") == VALUE
            assert answers == []

    asyncio.run(play())


@pytest.mark.full
def test_retry_after_is_kept(there: World) -> None:
    times: list[float] = []

    def upset(method: str, path: str) -> Answer | None:
        if not path.endswith("data/crm"):
            return None
        times.append(monotonic())
        return Answer(429, "slowly", after="1") if len(times) == 1 else None

    async def play() -> None:
        standin(there).upset = upset
        async with opened(there.settings()) as vaults:
            await vaults.source("vault:secret/crm#token").get("call", "bot", "run")

    asyncio.run(play())
    assert times[1] - times[0] >= 1.0


@pytest.mark.full
def test_a_token_that_somebody_ended_is_got_anew_and_a_forbidden_path_ends_no_token(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings(there.approle(), every_s=0.1)) as vaults:
            source = vaults.source("vault:secret/crm#token")
            await source.get("call", "bot", "run")
            await asyncio.sleep(1.1)
            logins = sum(each.path.endswith("/login") for each in standin(there).seen)
            standin(there).upset = lambda method, path: Answer(403, "no") if path.endswith("data/crm") else None
            await asyncio.sleep(0.5)
            assert sum(each.path.endswith("/login") for each in standin(there).seen) == logins == 1
            standin(there).upset = None
            standin(there).end_tokens()
            there.put("secret", "crm", token="read by the new one")
            async with asyncio.timeout(3):
                while (await source.get("call", "bot", "run")).field("value") == VALUE:
                    await asyncio.sleep(0.01)
            assert sum(each.path.endswith("/login") for each in standin(there).seen) == 2

    asyncio.run(play())


def test_a_vault_that_is_down_at_the_start_keeps_nothing_from_starting(there: World) -> None:
    auth = AuthSettings("token", there.file("token", there.token()))

    async def play() -> None:
        standin(there).sealed = True
        began = monotonic()
        async with opened(there.settings(auth)) as vaults:
            source = vaults.source("vault:secret/crm#token")
            assert monotonic() - began < 2
            with pytest.raises(CredentialError, match="sealed"):
                await source.get("call", "bot", "run")
            assert "sealed" in vaults.trouble()
            standin(there).sealed = False
            async with asyncio.timeout(5):
                while vaults.trouble():
                    await asyncio.sleep(0.01)
            assert (await source.get("call", "bot", "run")).field("value") == VALUE

    asyncio.run(play())


@pytest.mark.parametrize("hostile", ["VAULT_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "VAULT_CACERT", "HOME"])
def test_the_environment_says_nothing(there: World, hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (there.folder / ".vault-token").write_text("s.of-the-file")
    (there.folder / ".netrc").write_text("machine localhost login a password of-netrc\n")
    said = {"VAULT_TOKEN": "s.of-the-environment", "HOME": str(there.folder), "VAULT_CACERT": "/nowhere"}
    monkeypatch.setenv(hostile, said.get(hostile, "http://127.0.0.1:9"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    auth = AuthSettings("token", there.file("token", token := there.token()))

    async def play() -> None:
        async with opened(there.settings(auth)) as vaults:
            before = len(standin(there).seen)
            got = await vaults.source("vault:secret/crm#token").get("call", "bot", "run")
            assert got.field("value") == VALUE
            assert {each.token for each in standin(there).seen[before:]} == {token}

    asyncio.run(play())
    assert os.environ[hostile]


@pytest.mark.full
def test_no_log_line_error_or_repr_holds_a_value_or_token(there: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    auth = there.approle()
    said: list[str] = []
    told = Told()

    async def play() -> None:
        async with opened(there.settings(auth, every_s=0.05, timeout_s=0.2), told) as vaults:
            source = vaults.source("vault:secret/crm#token")
            secret = await source.get("call", "bot", "run")
            for how in TROUBLES.values():
                leaky = how()
                if isinstance(leaky, Answer):
                    leaky = Answer(leaky.status, VALUE, *[each.token for each in standin(there).seen])
                standin(there).upset = lambda method, path, now=leaky: now  # type: ignore[misc]
                try:
                    await vaults.source("vault:secret/other#token").get("call", "bot", "run")
                except CredentialError:
                    said.append(traceback.format_exc())
                await asyncio.sleep(0.4)  # one look, its repeats within timeout_s, and the pause before it
                said.append(vaults.trouble())
            held = vaults._all()
            said.append(repr((vaults, source, secret, auth, held, vaults._session, vaults._session._held)))
            standin(there).upset = None

    asyncio.run(play())
    everything = "\n".join([*said, caplog.text])
    tokens = {value for fields, _ in told.all for value in fields.values()} - {VALUE}
    assert "sealed" in everything
    assert len(tokens) == 1
    for secret in {*tokens, VALUE, Path(auth.proof.removeprefix("file:")).read_text().strip()}:
        assert secret not in everything
