"""Posts to a place of the operator's: one request, one answer, nothing followed. More of it in test_otlp.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proxy.posting import Poster
from tests.proxy.collecting import closed_port, collector


@contextmanager
def poster(url: str, **headers: str) -> Iterator[Poster]:
    made = Poster("audit", url, headers, "application/json", 1.0)
    yield made
    made.close()


def test_what_is_posted_arrives_as_it_is() -> None:
    with collector() as fake, poster(f"{fake.url}/a/b/", authorization="Bearer k") as made:
        assert [made.post("", b"one", 1.0), made.post("c", b"two", 1.0)] == ["", ""]
    assert (fake.paths, fake.bodies) == (["/a/b/", "/a/b/c"], [b"one", b"two"])
    headers = {name.lower(): value for name, value in fake.headers[0].items()}
    assert (headers["authorization"], headers["content-type"]) == ("Bearer k", "application/json")


def test_a_url_without_a_path_has_the_root() -> None:
    with collector() as fake, poster(fake.url) as made:
        assert made.post("", b"one", 1.0) == ""
    assert fake.paths == ["/"]


def test_no_redirect_is_followed() -> None:
    with collector() as other, collector((307,), location=other.url) as fake, poster(fake.url) as made:
        assert made.post("", b"one", 1.0) == "307"
        assert (fake.bodies, other.bodies) == ([b"one"], [])


def test_why_it_was_not_taken_is_a_word() -> None:
    with closed_port() as nobody, poster(nobody) as made:
        assert made.post("", b"", 1.0) == "ConnectionRefusedError"
    with collector((503,)) as fake, poster(fake.url) as made:
        assert made.post("", b"", 1.0) == "503"


@pytest.mark.parametrize("url", ["", "ftp://a", "http://", "http://u:hunter2@a", "http://a/?b", "http://a/#b", "//a"])
def test_what_is_no_plain_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="The audit must be a URL") as caught:
        Poster("audit", url, {}, "application/json", 1.0)
    assert "hunter2" not in str(caught.value)
