from __future__ import annotations

import pytest

from proxy.errors import Refusal
from proxy.model import Peer
from proxy.protocols.head import Door
from proxy.protocols.listing import ListingAsk, Wanted
from proxy.protocols.rest import Greetings
from proxy.routes import TOOLS

DOOR = Door("d", frozenset({"localhost", "crm.example"}), {"crm.example": "crm"})
HOST = (b"Host", b"localhost")


def wanted(target: str, *headers: tuple[bytes, bytes], method: str = "GET") -> Wanted:
    async def no_body() -> bytes:
        raise AssertionError("a listing reads no body")

    ask = ListingAsk(Greetings(DOOR, Peer("127.0.0.1")), method, target, (1, 1), headers or (HOST,), no_body)
    ask.hail()
    return ask.wanted()


@pytest.mark.parametrize("target", ["/.toolwall/tools", "/.toolwall/tools?", "/.toolwall/tools?format=mcp&tools=a"])
def test_what_is_a_listing(target: str) -> None:
    assert TOOLS.means(target)


@pytest.mark.parametrize(
    "target",
    [
        "/.toolwall/tools/",
        "/.toolwall/tools/x",
        "/.toolwall/toolsx",
        "/.toolwall/tools;a",
        "/.toolwall/tools#",
        "/.toolwall/",
        "/.TOOLWALL/tools",
        "/%2etoolwall/tools",
        "/crm/.toolwall/tools",
        "/x?/.toolwall/tools",
        "http://localhost/.toolwall/tools",
        "",
    ],
)
def test_what_is_none(target: str) -> None:
    assert not TOOLS.means(target)


def test_what_is_asked_for() -> None:
    assert wanted("/.toolwall/tools") == Wanted("json", "*", "", frozenset())
    assert wanted("/.toolwall/tools?format=openai&tools=crm.get_*") == Wanted("openai", "crm.get_*", "", frozenset())
    assert wanted("/.toolwall/tools?tools=%2A&format=m%63p") == Wanted("mcp", "*", "", frozenset())
    known = (b"If-None-Match", b'"a", W/"b" ,,"c"')
    assert wanted("/.toolwall/tools", HOST, known).known == {'"a"', '"b"', '"c"'}
    assert wanted("/.toolwall/tools", (b"Host", b"crm.example:8080")).hosted == "crm"


@pytest.mark.parametrize(
    "target",
    [
        "?format=",
        "?format=xml",
        "?format=OpenAI",
        "?format",
        "?format=json&format=json",
        "?format=json&format=mcp",
        "?Format=json",
        "?tools=",
        "?tools=a%0Ab",
        "?tools=a%5Cb",
        "?page=2",
        "?=json",
        "?format=json;tools=a",
        "?format=%ff",
        "?format=json%",
    ],
)
def test_what_is_refused(target: str) -> None:
    with pytest.raises(Refusal) as caught:
        wanted(f"/.toolwall/tools{target}")
    assert caught.value.code == "bad_request"
    assert "xml" not in caught.value.detail + caught.value.suggestion


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_other_methods(method: str) -> None:
    with pytest.raises(Refusal) as caught:
        wanted("/.toolwall/tools", method=method)
    assert (caught.value.code, caught.value.headers) == ("bad_request", (("Allow", "GET"),))


@pytest.mark.parametrize("framing", [(b"Content-Length", b"2"), (b"Transfer-Encoding", b"chunked")])
def test_a_body(framing: tuple[bytes, bytes]) -> None:
    with pytest.raises(Refusal) as caught:
        wanted("/.toolwall/tools", HOST, framing)
    assert caught.value.code == "bad_request"
