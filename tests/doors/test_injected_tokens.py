"""Tokens that the sidecar gets for itself or for its caller, and what of it reaches whom."""

from __future__ import annotations

import asyncio
import hashlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from proxy.credentials import tokens
from proxy.identity.identity import digest
from tests.doors.test_tokens import bearer, issuer
from tests.issuer import token
from tests.proxy.collecting import collector
from tests.wire import ALONE, Answer, Backend, Wall, answering, perform, reply, wall

TOOLS = """
  find: {call: GET /things}
  send: {call: POST /things, args: {q: {type: string}}, effect: write}
"""
POLICY = """
rules:
  - {id: all, allow: "crm.*"}
"""
CLIENT = "kestrel&" + "9Xw4pQ7tLm2z="
TOKENS = ["osprey-" + "3Vb8nK1sRd6y", "merlin-" + "7Hd2fJ5gXc4t", "harrier-" + "5Tq1zW8vBn6m"]


def granted(value: str, life: object = 3600, **more: object) -> bytes:
    return reply(json.dumps({"access_token": value, "token_type": "Bearer", "expires_in": life, **more}).encode())


@asynccontextmanager
async def told(
    folder: Path,
    answer: Answer,
    way: str = "oauth2",
    more: str = "",
    identity: str = "{static: {id: bot}}",
    tools: str = TOOLS,
    config: str = "",
) -> AsyncIterator[tuple[Wall, Backend]]:
    """A sidecar whose backend wants a token, and the token endpoint."""
    idp = Backend(answer)
    server = await asyncio.start_server(idp.serve, "127.0.0.1", 0)
    idp.port = server.sockets[0].getsockname()[1]
    (folder / "client").write_text(CLIENT)
    send = f"{way}: {{url: 'http://127.0.0.1:{idp.port}/oauth/token/', client_id: 'wall:1', scope: crm.read{more}}}"
    keys = f"credential: {{file: {folder}/client, send: {{{send}}}}}\n{ALONE}"
    try:
        async with wall(folder, tools, POLICY, backend_keys=keys, identity=identity, config=config) as w:
            yield w, idp
    finally:
        server.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what happens behind the back of calls."""
    async with asyncio.timeout(3):
        while not is_so():
            await asyncio.sleep(0.01)


def in_turn(*answers: bytes) -> Answer:
    left = list(answers)

    async def answer(_: bytes) -> bytes:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


def sent(request: bytes) -> list[str]:
    """The Authorization headers of a request."""
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.lower().startswith("authorization:")]


def form(request: bytes) -> dict[str, list[str]]:
    return parse_qs(request.partition(b"\r\n\r\n")[2].decode(), strict_parsing=True)


def test_one_token_is_got_for_all_who_call_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with told(tmp_path, in_turn(*map(granted, TOKENS))) as (w, idp):
            await asyncio.gather(*(w.call("GET", "/crm/things", headers=bearer("theirs")) for _ in range(8)))
            assert [sent(each) for each in w.backend.requests] == [[f"Bearer {TOKENS[0]}"]] * 8
            [request] = idp.requests
            assert request.startswith(b"POST /oauth/token/ HTTP/1.1\r\n")
            assert sent(request) == ["Basic " + b64encode(b"wall%3A1:kestrel%269Xw4pQ7tLm2z%3D").decode()]
            assert form(request) == {"grant_type": ["client_credentials"], "scope": ["crm.read"]}
            assert b"theirs" not in request
            assert CLIENT.encode() not in b"".join(w.backend.requests)

    perform(play())


def test_the_clients_secret_may_stand_in_the_body(tmp_path: Path) -> None:
    async def play() -> None:
        more = ", client: body, audience: crm, resource: 'https://crm.internal'"
        async with told(tmp_path, in_turn(granted(TOKENS[0])), more=more) as (w, idp):
            await w.call("GET", "/crm/things")
            assert sent(idp.requests[0]) == []
            assert form(idp.requests[0]) == {
                "grant_type": ["client_credentials"],
                "scope": ["crm.read"],
                "audience": ["crm"],
                "resource": ["https://crm.internal"],
                "client_id": ["wall:1"],
                "client_secret": [CLIENT],
            }

    perform(play())


def test_a_token_and_the_clients_secret_are_known_in_answers(tmp_path: Path) -> None:
    async def play() -> None:
        async with told(tmp_path, in_turn(granted(TOKENS[0]))) as (w, _):
            body = json.dumps({"a": TOKENS[0], "b": CLIENT, "c": b64encode(TOKENS[0].encode()).decode()})
            w.backend.answer = answering(reply(body.encode()))
            got = await w.tell("GET", "/crm/things")
            assert set(got.reply.json.values()) == {"<KNOWN_SECRET>"}
            assert got.record["leaked"] == ["crm", "unsent"]
            for value in (TOKENS[0], CLIENT):
                assert value.encode() not in w.ledger()

    perform(play())


def test_a_token_is_replaced_behind_the_back_of_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "FRESH", 0.0)

    async def play() -> None:
        hangs = asyncio.Event()

        async def slowly(_: bytes) -> bytes:
            if len(idp.requests) == 2:
                await hangs.wait()
            return granted(TOKENS[min(len(idp.requests), 2) - 1])

        async with told(tmp_path, slowly) as (w, idp):
            for _ in range(4):  # the second fetch hangs, and nobody waits for it
                got = await asyncio.wait_for(w.tell("GET", "/crm/things"), 1.0)
                assert sent(got.reached[0]) == [f"Bearer {TOKENS[0]}"]
            await until(lambda: len(idp.requests) == 2)
            hangs.set()
            async with asyncio.timeout(3):
                while sent((await w.tell("GET", "/crm/things")).reached[0]) != [f"Bearer {TOKENS[1]}"]:
                    await asyncio.sleep(0.01)
            w.backend.answer = answering(reply(f'["{TOKENS[0]}"]'.encode()))
            assert (await w.tell("GET", "/crm/things")).reply.json == ["<KNOWN_SECRET>"]  # it has ended, and is known

    perform(play())


def test_while_no_new_one_comes_a_valid_token_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "FRESH", 0.0)
    monkeypatch.setattr(tokens, "FIRST_RETRY_S", 60.0)

    async def play() -> None:
        async with told(tmp_path, in_turn(granted(TOKENS[0]), reply(status="500 Oops"))) as (w, idp):
            for _ in range(5):
                got = await w.tell("GET", "/crm/things")
                assert sent(got.reached[0]) == [f"Bearer {TOKENS[0]}"]
            await until(lambda: len(idp.requests) == 2)
            await w.tell("GET", "/crm/things")
            await asyncio.sleep(0.02)
            assert len(idp.requests) == 2  # it is not asked again at once

    perform(play())


BAD: dict[str, tuple[bytes | None, str]] = {
    "refused": (
        reply(b'{"error":"invalid_client","error_description":"' + CLIENT.encode() + b'"}', status="401 No"),
        "401 invalid_client",
    ),
    "strange": (reply(b'{"error":"' + CLIENT.encode() + b'"}', status="400 Bad Request"), "answered 400"),
    "a page": (reply(b"<html>" + CLIENT.encode(), kind="text/html"), "answered 200"),
    "a list": (reply(b"[]"), "answered 200"),
    "no token": (granted(""), "gave no access_token"),
    "a number": (reply(b'{"access_token": 5, "token_type": "bearer"}'), "gave no access_token"),
    "another kind": (reply(b'{"access_token": "a", "token_type": "mac"}'), "no bearer token"),
    "no life": (granted(TOKENS[0], 0), "no time to live"),
    "a strange life": (granted(TOKENS[0], "NaN"), "no time to live"),
    "a redirect": (reply(b"", "Location: http://127.0.0.1:1/", status="307 Temporary Redirect"), "answered 307"),
    "too much": (granted("a" * 70_000), "more than 65536 bytes"),
    "a token that no header can have": (granted("a\r\nX: y"), "no header can have"),
    "nothing": (None, "could not be reached, or gave no whole answer"),
    "garbage": (b"\0\0\0\r\n\r\n", "could not be reached, or gave no whole answer"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_without_a_token_nothing_is_sent(
    tmp_path: Path, name: str, logs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "FIRST_RETRY_S", 60.0)
    answer, why = BAD[name]

    async def play() -> None:
        async with told(tmp_path, answering(answer)) as (w, idp):
            for method, body in (("GET", b""), ("POST", b'{"q":"a"}')):
                got = await w.tell(method, "/crm/things", body)
                assert got.reached == []
                assert (got.reply.json["code"], got.reply.json["executed"]) == ("upstream_unreachable", "no")
                assert why in got.record["notes"][-1], got.record["notes"]
                assert CLIENT.encode() not in got.reply.raw + w.ledger() + "".join(logs).encode()
            assert len(idp.requests) == 1  # the second call does not ask again at once

    perform(play())


def test_a_token_that_the_backend_does_not_take_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "DOUBT_S", -1.0)

    async def play() -> None:
        async with told(tmp_path, in_turn(*map(granted, TOKENS))) as (w, idp):
            w.backend.answer = answering(reply(status="401 Unauthorized"))
            assert (await w.tell("GET", "/crm/things")).reply.status == 401
            w.backend.answer = answering(reply())
            got = await w.tell("GET", "/crm/things")
            assert sent(got.reached[0]) == [f"Bearer {TOKENS[1]}"]
            monkeypatch.setattr(tokens, "DOUBT_S", 10.0)
            w.backend.answer = answering(reply(status="401 Unauthorized"))
            for _ in range(3):  # a young one is not: a backend cannot have tokens made
                await w.tell("GET", "/crm/things")
            assert len(idp.requests) == 2

    perform(play())


def by_subject(values: dict[str, str]) -> Callable[[bytes], object]:
    async def answer(request: bytes) -> bytes:
        [subject] = form(request)["subject_token"]
        return granted(values[subject])

    return answer


def test_each_caller_gets_a_token_of_its_own(tmp_path: Path) -> None:
    ann, bob = token(sub="ann"), token(sub="bob")

    async def play() -> None:
        identity = json.dumps({"jwt": [issuer(tmp_path)]})
        answer = by_subject({ann: TOKENS[0], bob: TOKENS[1]})
        async with told(tmp_path, answer, "exchange", identity=identity) as (w, idp):  # type: ignore[arg-type]
            async with asyncio.timeout(3):  # the keys of the issuer are read behind the start
                while (await w.call("GET", "/.toolwall/tools", headers=bearer(ann))).status != 200:
                    await asyncio.sleep(0.01)
            for who, value in ((ann, TOKENS[0]), (bob, TOKENS[1]), (ann, TOKENS[0])):
                got = await w.tell("GET", "/crm/things", headers=bearer(who))
                assert got.reply.status == 200, (got.reply.body, got.record["notes"])
                assert sent(got.reached[0]) == [f"Bearer {value}"]
                assert who.encode() not in got.reached[0]
            assert form(idp.requests[0]) == {
                "grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"],
                "subject_token": [ann],
                "subject_token_type": ["urn:ietf:params:oauth:token-type:access_token"],
                "scope": ["crm.read"],
            }
            assert len(idp.requests) == 2

    perform(play())


@asynccontextmanager
async def exchanging(
    folder: Path, identity: dict[str, object], tools: str = TOOLS, config: str = ""
) -> AsyncIterator[tuple[Wall, Backend]]:
    """A sidecar that knows callers so, an endpoint that says in the token for whom it is, and a backend that counts."""

    async def answer(request: bytes) -> bytes:
        said = form(request)
        return granted(of(said["subject_token"][0], said.get("actor_token", [""])[0]))

    async with told(folder, answer, "exchange", identity=json.dumps(identity), tools=tools, config=config) as (w, idp):
        async with asyncio.timeout(3):  # the keys of the issuer are read behind the start
            while (await w.call("GET", "/.toolwall/tools", headers=bearer(token()))).status == 500:
                await asyncio.sleep(0.01)
        yield w, idp


def of(subject: str, actor: str = "") -> str:
    return "osprey-" + hashlib.sha256(f"{subject} {actor}".encode()).hexdigest()


def test_a_token_is_made_for_whom_the_caller_acts(tmp_path: Path) -> None:
    ann, bob = (token(sub=who, act={"sub": "jwt:bot"}) for who in ("ann", "bob"))
    bot = token(sub="bot")

    async def play() -> None:
        async with exchanging(tmp_path, {"jwt": [issuer(tmp_path)], "delegation": [issuer(tmp_path)]}) as (w, idp):
            for delegated in (ann, bob, ann):
                headers = [*bearer(bot), ("Toolwall-Delegation", delegated)]
                got = await w.tell("GET", "/crm/things", headers=headers)
                assert got.reply.status == 200, (got.reply.body, got.record)
                assert sent(got.reached[0]) == [f"Bearer {of(delegated, bot)}"]
            got = await w.tell("GET", "/crm/things", headers=bearer(bot))
            assert sent(got.reached[0]) == [f"Bearer {of(bot)}"]
            assert len(idp.requests) == 3

    perform(play())


def test_a_delegation_that_nobody_has_checked_is_not_exchanged(tmp_path: Path) -> None:
    async def play() -> None:
        async with told(tmp_path, in_turn(granted(TOKENS[0])), "exchange") as (w, idp):
            headers = [("Toolwall-Delegation", token(sub="ann", act={"sub": "bot"}))]
            got = await w.tell("GET", "/crm/things", headers=headers)
            assert (got.reached, idp.requests) == ([], [])

    perform(play())


def test_who_calls_by_a_key_is_told_that_a_key_cannot_be_exchanged(tmp_path: Path) -> None:
    key = "twk_" + "k" * 43
    keys = [{"id": "ann", "roles": ["support"], "sha256": digest(key)}]

    async def play() -> None:
        async with exchanging(tmp_path, {"api_keys": keys, "jwt": [issuer(tmp_path)]}) as (w, idp):
            got = await w.tell("GET", "/crm/things", headers=[("Toolwall-Key", key)])
            assert (got.reply.status, got.reply.json["code"], got.reply.json["executed"]) == (
                502,
                "upstream_unreachable",
                "no",
            )
            assert "a key cannot be exchanged" in got.reply.json["suggestion"]
            assert (got.reached, idp.requests) == ([], [])

    perform(play())


def test_an_answer_that_is_kept_is_for_the_token_that_it_was_given_to(tmp_path: Path) -> None:
    wide, narrow = token(sub="ann", scope="all"), token(sub="ann", scope="little")
    tools = "\n  find: {says: Find., call: GET /things, cache: 60s}\n"

    async def play() -> None:
        async with exchanging(tmp_path, {"jwt": [issuer(tmp_path)]}, tools) as (w, _):
            reached = [
                len((await w.tell("GET", "/crm/things", headers=bearer(each))).reached) for each in (wide, narrow, wide)
            ]
            assert reached == [1, 1, 0]

    perform(play())


async def changed(w: Wall, old: str, new: str) -> None:
    """Other rules, in force."""
    file, before = w.folder / "rules" / "crm.yaml", len(w.records("rules"))
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    w.sidecar.reloader.reload()
    await until(lambda: len(w.records("rules")) > before)


def test_calls_under_way_when_rules_change_get_their_token(tmp_path: Path) -> None:
    async def play() -> None:
        asked = asyncio.Event()
        goes_on = asyncio.Event()

        async def answer(_: bytes) -> bytes:
            asked.set()
            await goes_on.wait()
            return granted(TOKENS[0])

        async with told(tmp_path, answer) as (w, idp):
            call = asyncio.create_task(w.call("GET", "/crm/things"))
            await asked.wait()
            await changed(w, "scope: crm.read", "scope: crm.write")
            goes_on.set()
            assert (await call).status == 200
            assert sent(w.backend.requests[0]) == [f"Bearer {TOKENS[0]}"]
            await w.call("GET", "/crm/things")
            await changed(w, "effect: write", "effect: irreversible")
            await w.call("GET", "/crm/things")  # which has nothing to do with the token
            assert [form(each)["scope"] for each in idp.requests] == [["crm.read"], ["crm.write"]]

    perform(play())


def test_no_sink_shows_a_token_also_where_the_backend_says_it_back(
    tmp_path: Path, logs: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    seen = [b""]
    ann = token(sub="ann")

    async def play(url: str) -> None:
        config = f"telemetry: {{otlp: '{url}'}}\nledger: {{arguments: redacted}}\n"
        answers = [
            reply(json.dumps({"a": of(ann), "b": b64encode(of(ann).encode()).decode()}).encode()),
            reply(f"<p>no such token: {of(ann)}</p>".encode(), status="401 Unauthorized", kind="text/html"),
            reply(b"{}", f"WWW-Authenticate: Bearer realm={of(ann)}", status="403 Forbidden"),
            reply(b"{}", status=f"200 {of(ann)}"),
            f"{of(ann)}\r\n\r\n".encode(),
        ]
        async with exchanging(tmp_path, {"jwt": [issuer(tmp_path)]}, config=config) as (w, _):
            for each in answers:
                w.backend.answer = answering(each)
                seen.append(await w.send(w.raw("GET", "/crm/things", headers=bearer(ann))))
            assert sent(w.backend.requests[0]) == [f"Bearer {of(ann)}"]
            seen.extend([w.ledger(), w.sidecar.telemetry.prometheus()])

    with collector() as fake:
        perform(play(fake.url))
    assert fake.spans()
    captured = capfd.readouterr()
    seen.append("\n".join([*logs, captured.err, captured.out, str(fake.headers)]).encode() + b"".join(fake.bodies))
    everything = b"\n".join(seen)
    for value in (of(ann), b64encode(of(ann).encode()).decode(), CLIENT, ann):
        assert value.encode() not in everything


def test_who_has_no_token_has_none_to_exchange(tmp_path: Path) -> None:
    async def play() -> None:
        async with told(tmp_path, in_turn(granted(TOKENS[0])), "exchange") as (w, idp):
            got = await w.tell("GET", "/crm/things", headers=bearer("theirs"))
            assert (got.reply.json["executed"], got.reached, idp.requests) == ("no", [], [])
            assert got.record["notes"][-1] == "credential: the caller came without a token that could be exchanged"

    perform(play())
