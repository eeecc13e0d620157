"""Tools that share method and path, through the socket: one value tells them apart, and doubt means none of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.wire import Stage, Wall, staged

TOOLS = """
  get_item:
    says: Read an item.
    call: POST /
    picked_by: {header: {X-Target: Store.GetItem}}
    args: {X-Target: {const: Store.GetItem}, key: {type: integer}}
    in: {X-Target: header}
    effect: read
  drop_item:
    says: Drop an item.
    call: POST /
    picked_by: {header: {X-Target: Store.DropItem}}
    args: {X-Target: {const: Store.DropItem}, key: {type: integer}}
    in: {X-Target: header}
    effect: irreversible
  count:
    says: Count.
    call: GET /rpc
    picked_by: {query: {Action: Count}}
    args: {Action: {const: Count}}
  sum:
    says: Add up.
    call: GET /rpc
    picked_by: {query: {Action: Sum}}
    args: {Action: {const: Sum}, of: {type: string}}
  update:
    says: Change a file.
    call: PUT /files/{id}
    args: {id: {type: integer}, name: {type: string}}
    effect: write
  share:
    says: Share a file.
    call: PUT /files/{id}
    picked_by: {header: {Toolwall-Tool: crm.share}}
    args: {id: {type: integer}, shared_with: {type: string}}
    effect: write
  between:
    says: Compare.
    call: GET /compare/{a}...{b}
    args: {a: {type: string}, b: {type: string}}
  person: {says: Read., call: "POST /people/{name}", args: {name: {type: string}}, effect: write}
  export: {says: Read all., call: POST /people/export, effect: write}
  mute: {says: Be silent., call: "POST /people/{name}:mute", args: {name: {type: string}}, effect: write}
"""


@pytest.fixture(scope="module")
def picked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("picking"), TOOLS) as stage:
        yield stage


JSON = ("Content-Type", "application/json")
GET, DROP = ("X-Target", "Store.GetItem"), ("X-Target", "Store.DropItem")

MEANT = [
    # (method, target, headers, body, the tool)
    ("POST", "/", [GET], b'{"key": 1}', "get_item"),
    ("GET", "/rpc?Action=Count", [], b"", "count"),
    ("GET", "/rpc?of=x&Action=Sum", [], b"", "sum"),
    ("GET", "/rpc?%41ction=Count", [], b"", "count"),
    ("PUT", "/files/7", [], b'{"name": "a"}', "update"),
    ("PUT", "/files/7", [("Toolwall-Tool", "crm.share")], b'{"shared_with": "bob"}', "share"),
    ("GET", "/compare/main...dev", [], b"", "between"),
    ("POST", "/people/%41na", [], b"", "person"),
    ("POST", "/people/exports", [], b"", "person"),
    ("POST", "/people/export", [], b"", "export"),
]


@pytest.mark.parametrize(("method", "target", "headers", "body", "name"), MEANT)
def test_one_value_says_which_tool_is_meant(
    picked: Stage, method: str, target: str, headers: list[tuple[str, str]], body: bytes, name: str
) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell(method, "/crm" + target, body, headers=[*headers, *([JSON] if body else [])])
        assert told.reply.status == 200, told.reply.body
        assert told.record["tool"] == f"crm.{name}"
        assert b"toolwall-tool" not in told.reached[0].lower(), "what is for the sidecar does not reach the backend"
        assert (b"\r\nx-target: Store.GetItem\r\n" in told.reached[0]) == (GET in headers)

    picked.run(play)


DOUBTFUL = [
    ("POST", "/", []),
    ("POST", "/", [("X-Target", "Store.Wipe")]),
    ("POST", "/", [("X-Target", "store.getitem")]),
    ("POST", "/", [GET, DROP]),
    ("POST", "/", [GET, GET]),
    ("GET", "/rpc", []),
    ("GET", "/rpc?Action=", []),
    ("GET", "/rpc?Action=Count&Action=Sum", []),
    ("GET", "/rpc?action=Count", []),
    ("PUT", "/files/7", [("Toolwall-Tool", "crm.update")]),
    ("PUT", "/files/7", [("Toolwall-Tool", "crm.shar")]),
    ("GET", "/compare/a...b...c", []),
    ("GET", "/compare/a%2e..b...c", []),
    ("GET", "/compare/...b", []),
    # A server that decodes before it looks, or that does not tell case apart, takes these for another tool's.
    ("POST", "/people/%65xport", []),
    ("POST", "/people/Export", []),
    ("POST", "/people/export%20", []),
    ("POST", "/people/export.", []),
    ("POST", "/people/ana%3Amute", []),
    ("POST", "/people/ana%3amut%65", []),
    ("POST", "/people/ana:Mute", []),
]


@pytest.mark.parametrize(("method", "target", "headers"), DOUBTFUL)
def test_doubt_means_no_tool(picked: Stage, method: str, target: str, headers: list[tuple[str, str]]) -> None:
    async def play(w: Wall) -> None:
        body = b'{"key": 1}' if method == "POST" else b'{"name": "a"}' if method == "PUT" else b""
        told = await w.tell(method, "/crm" + target, body, headers=[*headers, *([JSON] if body else [])])
        assert (told.reply.status, told.reached) == (403, []), told.reply.body
        assert told.reply.json["code"] == "unknown_tool"

    picked.run(play)


def test_the_tool_that_is_meant_is_the_one_that_is_judged(picked: Stage) -> None:
    """The effect and the contract of the tool that the value names count, whatever the others allow."""

    async def play(w: Wall) -> None:
        told = await w.tell("POST", "/crm/", b'{"key": 1}', headers=[DROP, JSON])
        assert (told.reply.status, told.record["code"], told.reached) == (428, "approval_pending", [])
        told = await w.tell("PUT", "/crm/files/7", b'{"name": "a"}', headers=[("Toolwall-Tool", "crm.share"), JSON])
        assert (told.reply.status, told.record["code"], told.reached) == (422, "schema_violation", [])
        told = await w.tell("PUT", "/crm/files/7", b'{"shared_with": "bob"}', headers=[JSON])
        assert (told.reply.status, told.record["code"], told.reached) == (422, "schema_violation", [])

    picked.run(play)
