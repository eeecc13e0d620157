"""Requests for the rest of a reply, as they are read."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.model import Peer
from proxy.protocols.head import Door
from proxy.protocols.remainder import RemainderAsk, Wanted
from proxy.protocols.rest import Greetings
from proxy.routes import REST


def ask(target: str, method: str = "GET", *headers: tuple[bytes, bytes]) -> Any:
    async def body() -> bytes:
        return b""

    greetings = Greetings(Door("d", frozenset({"localhost"}), {}), Peer("127.0.0.1"))
    one = RemainderAsk(greetings, method, target, (1, 1), ((b"Host", b"localhost"), *headers), body)
    one.hail()
    return one


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("/.toolwall/rest/abc-7", Wanted("abc", 7, None)),
        ("/.toolwall/rest/a-b_c--7?from=0", Wanted("a-b_c-", 7, 0)),
        ("/.toolwall/rest/abc", None),
        ("/.toolwall/rest/-7", None),
        ("/.toolwall/rest/a%41-7", None),
        ("/.toolwall/rest/abc-7/8", None),
        ("/.toolwall/rest/" + "a" * 65 + "-7", None),
    ],
)
def test_the_path_names_a_handle_and_a_place(target: str, wanted: Wanted | None) -> None:
    assert REST.means(target)
    assert ask(target).wanted() == wanted


@pytest.mark.parametrize(
    ("target", "method", "headers"),
    [
        ("/.toolwall/rest/abc-7?from=1;2", "GET", ()),
        ("/.toolwall/rest/abc-7?from=%ff", "GET", ()),
        ("/.toolwall/rest/../rest/abc-7", "GET", ()),
        ("/.toolwall/rest/abc-7", "POST", ()),
        ("/.toolwall/rest/abc-7", "GET", ((b"Content-Length", b"2"),)),
        ("/.toolwall/rest/abc-7", "GET", ((b"Transfer-Encoding", b"chunked"),)),
    ],
)
def test_anything_else_is_a_bad_request(target: str, method: str, headers: Any) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        ask(target, method, *headers).wanted()


def test_other_places_are_other_things() -> None:
    for target in ("/.toolwall/rest", "/.toolwall/resting", "/x/.toolwall/rest/", "/crm/rest/abc-7"):
        assert not REST.means(target)
