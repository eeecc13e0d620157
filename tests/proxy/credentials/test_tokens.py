"""Tokens that are got for others: who shares one, what is kept of them, and how often an endpoint is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from urllib.parse import parse_qs

import pytest

from proxy.credentials import tokens as module
from proxy.credentials.living import Living
from proxy.credentials.secret import VALUE, CredentialError, Secret
from proxy.credentials.tokens import MOST_FETCHES, MOST_OF_ONE, MOST_WAITING, NoSubject, Subject, Tokens
from rules.credentials import Endpoint, Sent
from rules.urls import Url
from tests.wire import Backend, reply

CLIENT = Secret.plain("kestrel-9Xw4pQ7t")
Answer = Callable[[bytes], Awaitable[bytes]]


class Source:
    """The client's secret."""

    async def get(self, call: str, principal: str, run: str) -> Secret:
        return CLIENT


def granted(value: str, life: float = 3600) -> bytes:
    return reply(json.dumps({"access_token": value, "token_type": "Bearer", "expires_in": life}).encode())


def form(request: bytes) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(request.partition(b"\r\n\r\n")[2].decode()).items()}


def of(subject: str, actor: str = "") -> str:
    return f"7Q-{subject}-9x3-{actor}"


def for_whom(life: float = 3600) -> Answer:
    """Each subject gets a token that names it."""

    async def answer(request: bytes) -> bytes:
        said = form(request)
        return granted(of(said["subject_token"], said.get("actor_token", "")), life)

    return answer


class Numbered:
    """Each token is another; `fails` are the numbers of requests that get none."""

    def __init__(self, *fails: int, life: float = 3600, wait_s: float = 0.0) -> None:
        self.asked = 0
        self._fails, self._life, self._wait_s = fails, life, wait_s

    async def __call__(self, _: bytes) -> bytes:
        self.asked += 1
        number = self.asked
        await asyncio.sleep(self._wait_s)
        return reply(status="500 Oops") if number in self._fails else granted(f"osprey-{number:08}x", self._life)


@asynccontextmanager
async def asking(answer: Answer, way: str = "oauth2", known: Living | None = None) -> AsyncIterator[Tokens]:
    known = Living() if known is None else known
    idp = Backend(answer)
    server = await asyncio.start_server(idp.serve, "127.0.0.1", 0, backlog=1024)
    url = Url("http", "127.0.0.1", server.sockets[0].getsockname()[1], "/t")
    tokens = Tokens(Sent(way, "wall", endpoint=Endpoint(url, "/t")), Source(), known.tell)  # type: ignore[arg-type]
    try:
        yield tokens
    finally:
        await tokens.close()
        server.close()


async def value(tokens: Tokens, subject: Subject | None = None) -> str:
    return (await tokens.get(subject)).fields[VALUE]


def test_a_caller_who_leaves_does_not_take_the_answer_from_others() -> None:
    async def play() -> None:
        async with asking(answer := Numbered(wait_s=0.1)) as tokens:
            first = asyncio.create_task(tokens.get(None))
            await asyncio.sleep(0.03)
            first.cancel()
            assert await value(tokens) == await value(tokens) == "osprey-00000001x"
            assert answer.asked == 1

    asyncio.run(play())


def test_nobody_has_the_token_of_somebody_else() -> None:
    subjects = [Subject("ann"), Subject("bob"), Subject("ann", "bot"), Subject("ann", "pen"), Subject("annb", "ot")]

    async def play() -> None:
        async with asking(for_whom(), "exchange") as tokens:
            for _ in range(2):
                assert await hurried(tokens, [(each, each.token) for each in subjects]) == [
                    of(*each) for each in subjects
                ]

    asyncio.run(play())
    assert "ann" not in "".join(repr(each) + each.name for each in subjects)


def test_who_has_no_token_gets_none() -> None:
    async def play() -> None:
        async with asking(for_whom(), "exchange") as tokens:
            await tokens.get(Subject("ann"))
            with pytest.raises(NoSubject, match="without a token that could be exchanged"):
                await tokens.get(None)

    asyncio.run(play())


def test_the_sidecars_own_token_has_nothing_to_do_with_who_calls() -> None:
    async def play() -> None:
        async with asking(answer := Numbered()) as tokens:
            assert await value(tokens, Subject("ann")) == await value(tokens) == "osprey-00000001x"
            assert answer.asked == 1

    asyncio.run(play())


def test_what_is_kept_is_bounded_and_forgotten_tokens_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)

    async def play() -> None:
        known = Living(grace_s=0.0)
        async with asking(for_whom(), "exchange", known) as tokens:
            for name in ("ann", "bob", "cyd", "ann", "dee", "eve"):
                await tokens.get(Subject(name))
            assert repr(tokens) == "Tokens(3)"
            known.tend()
            seen = [known.sees(of(name).encode()) for name in ("ann", "bob", "cyd", "dee", "eve")]
            assert seen == [True, False, False, True, True]

    asyncio.run(play())


def test_who_waits_for_a_fetch_is_not_forgotten_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    monkeypatch.setattr(module, "MOST_WAITING", 2)

    async def play() -> None:
        hangs = asyncio.Event()

        async def answer(request: bytes) -> bytes:
            if form(request)["subject_token"] == "slow":
                await hangs.wait()
            return await for_whom()(request)

        async with asking(answer, "exchange") as tokens:
            slow = asyncio.create_task(value(tokens, Subject("slow")))
            await asyncio.sleep(0.01)
            for name in ("ann", "bob", "cyd", "dee"):
                await tokens.get(Subject(name))
            hangs.set()
            assert await slow == of("slow")

    asyncio.run(play())


def test_tokens_that_have_ended_are_forgotten_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        known = Living(grace_s=0.0)
        async with asking(for_whom(1.0), "exchange", known) as tokens:
            monkeypatch.setattr(module, "USED", 0.4)
            found = await asyncio.gather(*(tokens.get(Subject(name)) for name in ("ann", "bob")))
            await asyncio.sleep(max(each.until or 0.0 for each in found) - monotonic())
            await tokens.get(Subject("cyd"))
            assert repr(tokens) == "Tokens(1)"
            known.tend()
            assert [known.sees(of(name).encode()) for name in ("ann", "cyd")] == [False, True]

    asyncio.run(play())


async def hurried(tokens: Tokens, subjects: list[tuple[Subject, str]]) -> list[str]:
    """What each gets who asks at once: a token, or why there is none."""
    found = await asyncio.gather(*(tokens.get(*each) for each in subjects), return_exceptions=True)
    return [each.fields[VALUE] if isinstance(each, Secret) else str(each) for each in found]


def test_a_crowd_of_callers_comes_to_the_endpoint_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.4)
    monkeypatch.setattr(module, "BURST", 1)
    monkeypatch.setattr(module, "PER_S", 50.0)

    async def play() -> None:
        at_once, most, asked, began = 0, 0, 0, monotonic()

        async def answer(request: bytes) -> bytes:
            nonlocal at_once, most, asked
            asked, at_once = asked + 1, at_once + 1
            most = max(most, at_once)
            await asyncio.sleep(0.25)
            at_once -= 1
            return await for_whom()(request)

        async with asking(answer, "exchange") as tokens:
            crowd = [(Subject(f"s{number}"), f"caller {number}") for number in range(MOST_WAITING + 20)]
            said = await hurried(tokens, crowd)
            assert said[MOST_WAITING:] == ["too many tokens are wanted at once"] * 20
            assert set(said[:MOST_WAITING]) <= {module._LATE, *(of(subject.token) for subject, _ in crowd)}
            assert 1 <= asked <= 2 + (monotonic() - began) * module.PER_S
            assert most <= MOST_FETCHES

    asyncio.run(play())


def test_one_caller_with_many_tokens_stands_in_nobodys_way() -> None:
    async def play() -> None:
        async with asking(for_whom(), "exchange") as tokens:
            greedy = [(Subject(f"s{number}"), "eve") for number in range(50)]
            said = await hurried(tokens, [*greedy, (Subject("ann"), "ann")])
            assert said == [
                *(of(f"s{number}") for number in range(MOST_OF_ONE)),
                *["too many tokens are wanted at once"] * (50 - MOST_OF_ONE),
                of("ann"),
            ]
            assert repr(tokens) == f"Tokens({MOST_OF_ONE + 1})"  # who got none has no place that was another's
            later = await hurried(tokens, [(Subject("s49"), "eve")])
            assert later == [of("s49")]  # a moment later there is room again

    asyncio.run(play())


def test_failures_are_not_repeated_at_once_and_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.2)

    async def refused(tokens: Tokens) -> None:
        with pytest.raises(CredentialError, match="answered 500"):
            await tokens.get(None)
        assert tokens.trouble == "the token endpoint 127.0.0.1 answered 500"

    async def play() -> None:
        async with asking(answer := Numbered(1, 2)) as tokens:
            for pause_s, asked in ((0.0, 1), (0.0, 1), (0.22, 2), (0.22, 2)):  # the second wait is twice as long
                await asyncio.sleep(pause_s)
                await refused(tokens)
                assert answer.asked == asked
            await asyncio.sleep(0.22)
            assert await value(tokens) == "osprey-00000003x"
            assert tokens.trouble == ""

    asyncio.run(play())


def test_what_keeps_one_caller_from_a_token_is_no_trouble_of_the_sidecars() -> None:
    async def play() -> None:
        async def answer(request: bytes) -> bytes:
            if form(request)["subject_token"] == "ann":
                return reply(b'{"error": "invalid_grant"}', status="400 Bad Request")
            return await for_whom()(request)

        async with asking(answer, "exchange") as tokens:
            with pytest.raises(CredentialError, match="answered 400 invalid_grant"):
                await tokens.get(Subject("ann"))
            assert await value(tokens, Subject("bob")) == of("bob")
            assert tokens.trouble == ""

    asyncio.run(play())


def test_a_valid_token_outlives_an_endpoint_that_fails_but_not_its_own_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH", 0.0)
    monkeypatch.setattr(module, "USED", 0.6)

    async def play() -> None:
        async with asking(answer := Numbered(*range(2, 99), life=1.0)) as tokens:
            found = await tokens.get(None)
            async with asyncio.timeout(3):
                while not tokens.trouble:
                    assert await tokens.get(None) is found
                    await asyncio.sleep(0.01)
            assert await tokens.get(None) is found
            assert answer.asked == 2  # one that failed, after which there is a pause
            await asyncio.sleep((found.until or 0.0) - monotonic())
            with pytest.raises(CredentialError, match="answered 500"):
                await tokens.get(None)

    asyncio.run(play())


def test_only_the_token_that_was_refused_is_doubted_and_it_is_used_where_no_other_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "DOUBT_S", -1.0)
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.2)

    async def play() -> None:
        async with asking(answer := Numbered(2)) as tokens:
            first = await tokens.get(None)
            tokens.doubt(None, Secret.plain("osprey-00000001x"))  # the same text is not the same token
            assert (await tokens.get(None), answer.asked) == (first, 1)
            tokens.doubt(None, first)
            assert (await tokens.get(None), answer.asked) == (first, 2)  # it failed
            assert (await tokens.get(None), answer.asked) == (first, 2)
            await asyncio.sleep(0.22)
            second = await tokens.get(None)
            assert second.fields[VALUE] == "osprey-00000003x"
            tokens.doubt(None, first)  # whose call came back late
            assert (await tokens.get(None), answer.asked) == (second, 3)
            monkeypatch.setattr(module, "DOUBT_S", 10.0)
            tokens.doubt(None, second)
            assert (await tokens.get(None), answer.asked) == (second, 3)

    asyncio.run(play())


def test_a_doubt_of_one_caller_is_no_doubt_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOUBT_S", -1.0)

    async def play() -> None:
        asked: list[str] = []

        async def answer(request: bytes) -> bytes:
            asked.append(form(request)["subject_token"])
            return await for_whom()(request)

        async with asking(answer, "exchange") as tokens:
            ann, bob = Subject("ann"), Subject("bob")
            of_ann, of_bob = await tokens.get(ann), await tokens.get(bob)
            tokens.doubt(ann, of_bob)
            tokens.doubt(Subject("cyd"), of_ann)
            tokens.doubt(None, of_ann)
            await asyncio.gather(tokens.get(ann), tokens.get(bob))
            assert asked == ["ann", "bob"]
            tokens.doubt(ann, of_ann)
            await asyncio.gather(tokens.get(ann), tokens.get(bob))
            assert asked == ["ann", "bob", "ann"]

    asyncio.run(play())


def test_calls_of_rules_that_are_over_still_get_theirs_and_it_does_not_stay_known() -> None:
    async def play() -> None:
        known = Living(grace_s=0.0)
        async with asking(for_whom(), "exchange", known) as tokens:
            assert await value(tokens, Subject("ann")) == of("ann")
            tokens.end()
            for name in ("ann", "bob"):
                assert await value(tokens, Subject(name)) == of(name)
            known.tend()
            assert len(known) == 0

    asyncio.run(play())


def answering(text: str) -> Answer:
    async def answer(_: bytes) -> bytes:
        return granted(text)

    return answer


def test_what_cannot_be_looked_for_in_answers(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        async with asking(answering("x" * 17_000)) as tokens:
            with pytest.raises(CredentialError, match="is longer than 16384 characters"):
                await tokens.get(None)
        async with asking(answering("ok")) as tokens:  # as one of a file it is sent, and the log says so
            assert await value(tokens) == "ok"

    asyncio.run(play())
    assert "the secret from the token endpoint 127.0.0.1 is not looked for in answers" in caplog.text
