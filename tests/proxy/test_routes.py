"""Which request targets are for which route."""

from __future__ import annotations

import pytest

from proxy import routes
from proxy.routes import METRICS, REST, TOOLS, Route, Who


@pytest.mark.parametrize("target", ["/.toolwall/tools", "/.toolwall/tools?", "/.toolwall/tools?tools=a"])
def test_a_path_is_meant_with_and_without_a_query(target: str) -> None:
    assert TOOLS.means(target)


@pytest.mark.parametrize(
    "target", ["/.toolwall/toolsx", "/.toolwall/tools/", "/.toolwall/tools/a", "/.TOOLWALL/tools", ""]
)
def test_a_path_is_compared_as_it_is_spelt(target: str) -> None:
    assert not TOOLS.means(target)


def test_a_path_with_a_name_behind_it() -> None:
    assert REST.means("/.toolwall/rest/a-1")
    assert REST.means("/.toolwall/rest/")
    assert not REST.means("/.toolwall/rest")


def test_no_target_is_for_two_routes() -> None:
    every = (*routes.ADMIN, *routes.DOOR)
    for one in every:
        assert [other for other in every if other.means(one.path)] == [one]


def test_a_route_cannot_be_made_without_saying_whom_it_answers() -> None:
    with pytest.raises(TypeError):
        Route("/open", ("GET",))  # type: ignore[call-arg]
    assert METRICS.who is Who.ADMIN
