"""Who is calling: by a valid key somebody, by anything else nobody; and which run a call belongs to."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator

import pytest

from tests.wire import Stage, Wall, staged

TOOLS = """
  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: integer}}}
  put: {says: Write one., call: POST /things, args: {name: {type: string}}, effect: write}
"""
POLICY = """
rules:
  - {id: readers, allow: crm.get, to: {roles: [reader]}}
  - {id: writers, allow: crm.put, to: {roles: [writer]}}
"""
KEY, OTHER = "twk_" + "a" * 42 + "A", "twk_" + "b" * 43
DIGESTS = [hashlib.sha256(key.encode()).hexdigest() for key in (KEY, OTHER)]
KEYS = (
    f"{{api_keys: [{{id: ann, roles: [reader], sha256: {DIGESTS[0]}}}, "
    f"{{id: bob, roles: [reader, writer], sha256: {DIGESTS[1]}}}]}}"
)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sidecar that asks for keys."""
    with staged(tmp_path_factory.mktemp("keyed"), TOOLS, policy=POLICY, identity=KEYS, listener="") as stage:
        yield stage


NO_KEY: dict[str, list[tuple[str, str]]] = {
    "none": [],
    "empty": [("Toolwall-Key", "")],
    "wrong": [("Toolwall-Key", "twk_" + "c" * 43)],
    "cut": [("Toolwall-Key", KEY[:-1])],
    "longer": [("Toolwall-Key", KEY + "a")],
    "other case": [("Toolwall-Key", KEY.lower())],
    "its hash": [("Toolwall-Key", DIGESTS[0])],
    "two in one": [("Toolwall-Key", f"{KEY}, {OTHER}")],
    "a scheme": [("Toolwall-Key", f"Bearer {KEY}")],
    "quoted": [("Toolwall-Key", f'"{KEY}"')],
    "not ASCII": [("Toolwall-Key", KEY[:-1] + "é")],
    "huge": [("Toolwall-Key", "k" * 8000)],
    "bearer": [("Authorization", f"Bearer {KEY}")],
    "X-Api-Key": [("X-Api-Key", KEY)],
    "cookie": [("Cookie", f"Toolwall-Key={KEY}")],
    "underscore": [("Toolwall_Key", KEY)],
    "another prefix": [("X-Toolwall-Key", KEY)],
    "a name instead": [("X-Forwarded-User", "ann"), ("Toolwall-Principal", "ann"), ("From", "ann")],
}


@pytest.mark.parametrize("headers", NO_KEY.values(), ids=NO_KEY)
@pytest.mark.parametrize("path", ["/crm/things/7", "/crm/nothing", "/"])
def test_who_brings_no_valid_key_is_nobody(keyed: Stage, headers: list[tuple[str, str]], path: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", path, headers=headers)
        said = told.reply.json
        assert (told.reply.status, said["code"], said["executed"], said["retry"]) == (
            401,
            "unauthenticated",
            "no",
            "never",
        )
        assert told.reply.headers["www-authenticate"] == 'Toolwall-Key realm="toolwall"'
        assert told.reply.headers["toolwall-refused"] == "unauthenticated"
        assert told.reached == []
        assert "tool" not in said
        assert not {"principal", "roles", "tool", "run"} & told.record.keys()
        assert told.record["code"] == "unauthenticated"
        assert "checks" not in told.record

    keyed.run(play)


@pytest.mark.parametrize(
    "twins",
    [[("Toolwall-Key", KEY), ("toolwall-key", KEY)], [("Toolwall-Key", KEY), ("Toolwall-Key", OTHER)],
     [("Toolwall-Key", ""), ("TOOLWALL-KEY", KEY)]],
)  # fmt: skip
def test_two_keys_are_an_ambiguity(keyed: Stage, twins: list[tuple[str, str]]) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/things/7", headers=twins)
        assert (told.reply.status, told.reply.json["code"]) == (400, "bad_request")
        assert told.reached == []

    keyed.run(play)


def test_a_key_that_is_not_utf_8(keyed: Stage) -> None:
    async def play(w: Wall) -> None:
        raw = w.raw("GET", "/crm/things/7", headers=[("Toolwall-Key", KEY)]).replace(KEY.encode(), b"twk_\xff\xfe")
        told = await w.tell_raw(raw)
        assert told.reply.status == 400
        assert told.reached == []

    keyed.run(play)


@pytest.mark.parametrize("name", ["Toolwall-Key", "toolwall-key", "TOOLWALL-KEY", "tOoLwAlL-kEy"])
def test_a_key_names_its_principal_however_the_header_is_written(keyed: Stage, name: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/things/7", headers=[(name, KEY)])
        assert (told.reply.status, told.record["principal"], told.record["roles"]) == (200, "ann", ["reader"])
        assert b"twk_" not in told.reached[0]
        assert b"toolwall-" not in told.reached[0].lower()

    keyed.run(play)


FORGED = ["X-Forwarded-User", "X-Remote-User", "Remote-User", "X-User-Id", "X-Auth-Request-User", "From", "X-Roles",
          "X-Forwarded-Groups", "X-Agent-Id", "Toolwall-Principal", "Toolwall-Role", "Toolwall-Roles", "Toolwall-User",
          "Toolwall-Agent", "toolwall-Identity", "X-Authenticated-Userid", "X-Client-Cert"]  # fmt: skip


@pytest.mark.parametrize("value", ["bob", "writer", '{"id": "bob", "roles": ["writer"]}'])
def test_no_header_makes_somebody_else_of_a_caller(keyed: Stage, value: str) -> None:
    async def play(w: Wall) -> None:
        forged = [("Toolwall-Key", KEY), *((name, value) for name in FORGED)]
        told = await w.tell("GET", "/crm/things/7", headers=forged)
        assert (told.reply.status, told.record["principal"], told.record["roles"]) == (200, "ann", ["reader"])
        assert value.encode() not in told.reached[0]
        told = await w.tell("POST", "/crm/things", b'{"name": "a"}', headers=forged)
        assert (told.reply.status, told.reply.json["code"]) == (403, "unknown_tool")
        assert told.reached == []

    keyed.run(play)


def test_keys_are_neither_in_the_ledger_nor_in_the_log(keyed: Stage, caplog: pytest.LogCaptureFixture) -> None:
    wrong = "twk_" + "d" * 43

    async def play(w: Wall) -> None:
        with caplog.at_level(logging.DEBUG):
            for key in (KEY, OTHER, wrong):
                for method, path in (("GET", "/crm/things/7"), ("GET", "/nothing"), ("PUT", "//")):
                    await w.call(method, path, headers=[("Toolwall-Key", key)])
        for secret in (KEY, OTHER, wrong, *DIGESTS):
            assert secret.encode() not in w.ledger()
            assert secret not in caplog.text
        assert "unauthenticated" in caplog.text

    keyed.run(play)


def test_a_run_is_bound_to_its_principal(keyed: Stage) -> None:
    async def play(w: Wall) -> None:
        async def step(key: str, run: str = "", path: str = "/crm/things/7") -> tuple[str, int]:
            named = [("Toolwall-Run", run)] if run else []
            told = await w.tell("GET", path, headers=[("Toolwall-Key", key), *named])
            return told.record["run"], told.record["step"]

        assert [await step(KEY, "work") for _ in range(3)] == [("work", 1), ("work", 2), ("work", 3)]
        assert await step(OTHER, "work") == ("work", 1)
        assert await step(KEY, "work", "/crm/nothing") == ("work", 4)
        own, first = await step(KEY)
        assert (own, first + 1) == await step(KEY)
        others, _ = await step(OTHER)
        assert len({own, others, "work"}) == 3
        assert await step(OTHER, own) == (own, 1)
        assert await step(KEY) == (own, first + 2)

    keyed.run(play)


@pytest.mark.parametrize("run", ["two words", "a/b", "x" * 129, "é", "a,b", '{"a": 1}'])
def test_a_run_has_a_plain_name(keyed: Stage, run: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/things/7", headers=[("Toolwall-Key", KEY), ("Toolwall-Run", run)])
        assert (told.reply.status, told.reply.json["code"]) == (400, "bad_request")
        assert told.reached == []
        assert run not in told.reply.raw.decode()

    keyed.run(play)
