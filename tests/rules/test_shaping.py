"""What a contract says of shaping, and answers in that shape."""

from __future__ import annotations

import json

import pytest

from redaction.scanner import Unreadable
from redaction.shaping import Bounds, Links
from rules.load import RulesError, load
from rules.shaping import Answer, Shaping, Unshapable, is_stream, shaped
from tests.rules.helpers import write

JSON = "application/json"
LINKS = Links("GET /H-", 100)
FILE = """
    backend: shop
    url: http://shop.test
    reply: {longest: 100, most: 5}
    tools:
      one: {call: GET /one, reply: %s}
      two: {call: GET /two}
      three:
        call: GET /three
        reply: {most: 7}
        replies: {200: {text/event-stream: {}}}
"""


def shape(
    shaping: Shaping, body: str | bytes, kind: str = JSON, charset: str | None = None, error: bool = False
) -> str:
    data = body.encode() if isinstance(body, str) else body
    return shaped(shaping, Answer(data, kind, charset, error), LINKS).body.decode(charset or "utf-8")


def test_each_key_is_the_tools_own_or_its_backends(tmp_path):
    tools = load(write(tmp_path, shop=FILE % "{keep: [id, /a/*/b], longest: 20, fit: 2KiB, drop: x}")).catalog.tools
    assert tools["shop.one"].reply.shaping == Shaping(("id", "/a/*/b"), ("x",), Bounds(5, 20, 2048))
    assert tools["shop.two"].reply.shaping == Shaping(bounds=Bounds(5, 100))
    assert tools["shop.three"].reply.shaping == Shaping(bounds=Bounds(7, 100))
    assert "only id, /a/*/b, without x, lists of at most 5 items" in tools["shop.one"].reply.shaping.as_text()


def test_a_tool_that_says_nothing_is_not_shaped(tmp_path):
    tools = load(write(tmp_path, shop=(FILE % "{redact: standard}").replace("reply: {longest: 100, most: 5}", "")))
    assert tools.catalog.tools["shop.two"].reply.shaping is None


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{keep: []}", "is an empty list"),
        ("{keep: ['*']}", "is no name"),
        ("{keep: [/a~b]}", "holds a ~"),
        ("{drop: [id], keep: [id]}", "is named under keep as well"),
        ("{keep: 7}", "must be text"),
        ("{most: 0}", "must be a whole number from 1"),
        ("{most: '20'}", "must be a whole number"),
        ("{longest: -1}", "must be a whole number"),
        ("{fit: 1000}", "is less than 1024 bytes"),
        ("{fit: 20KiB, most_bytes: 10KiB}", "is more than `most_bytes`"),
        ("{fit: 20KB}", "must be a size"),
        ("{longst: 7}", "is an unknown key"),
    ],
)
def test_what_cannot_be_is_a_load_error(tmp_path, said, problem):
    with pytest.raises(RulesError) as refused:
        load(write(tmp_path, shop=FILE % said))
    (line,) = str(refused.value).splitlines()
    assert "shop.yaml:" in line
    assert problem in line


def test_fields_of_a_stream_cannot_be_picked(tmp_path):
    with pytest.raises(RulesError, match="has a stream"):
        load(write(tmp_path, shop=FILE.replace("{most: 7}", "{keep: id}") % "{most: 1}"))


def test_a_problem_of_the_backend_is_told_once(tmp_path):
    with pytest.raises(RulesError) as refused:
        load(write(tmp_path, shop=FILE.replace("longest: 100", "fit: 7") % "{most: 1}"))
    assert len(str(refused.value).splitlines()) == 1


def test_fields_go_before_anything_is_counted():
    shaping = Shaping(("id",), (), Bounds(2, 3))
    body = '[{"id": "abcd", "note": "private"}, {"note": 1}, {"id": 1, "note": "private"}]'
    done = shaped(shaping, Answer(body.encode(), JSON), LINKS)
    assert done.counts == {"fields": 3, "items": 1, "texts": 1}
    assert "private" not in done.whole
    assert json.loads(done.body)[:2] == [{"id": "abc... [1 more character: GET /H-9]"}, {}]


@pytest.mark.parametrize("kind", [JSON, "application/problem+json", "text/json", "text/plain", "text/html"])
def test_json_is_shaped_by_whatever_name_it_comes(kind):
    assert shape(Shaping(("id",)), '{"id": 1, "x": 2}', kind) == '{"id": 1}'


def test_what_says_that_it_is_json_has_to_be():
    for body in ("{", "{'a': 1}", '{"a": 1} x', "", "\x00"):
        with pytest.raises(Unreadable):
            shape(Shaping((), (), Bounds(2)), body)


def test_charsets_and_marks_stay():
    mark = b"\xef\xbb\xbf"
    assert shape(Shaping(("é",)), mark + '{"é": "ü", "x": 1}'.encode()) == "\ufeff" + '{"é": "ü"}'
    assert shape(Shaping(("é",)), '{"é": "ü", "x": 1}'.encode("latin-1"), JSON, "iso-8859-1") == '{"é": "ü"}'
    long = json.dumps(["x" * 5_000])
    done = shaped(Shaping(bounds=Bounds(fit=1_500)), Answer(mark + long.encode(), JSON), LINKS)
    assert len(done.body) <= 1_500
    assert done.body.startswith(mark)
    for charset, body in (("ascii", "é".encode()), ("utf-16", b"x"), ("utf-8", b"\xff")):
        with pytest.raises(Unreadable):
            shape(Shaping(bounds=Bounds(longest=1)), body, "text/plain", charset)


def test_text_is_cut_and_markup_is_not():
    shaping = Shaping(bounds=Bounds(longest=3))
    assert shape(shaping, "abcdef", "text/plain") == "abc... [3 more characters: GET /H-0]"
    assert shape(shaping, "abc", "text/csv") == "abc"
    for kind in ("text/xml", "application/xml", "application/atom+xml", "image/svg+xml"):
        assert shape(shaping, "<a>", kind) == "<a>"
        with pytest.raises(Unshapable, match="3 characters"):
            shape(shaping, "<ab/>", kind)
    with pytest.raises(Unshapable, match="1024 bytes"):
        shape(Shaping(bounds=Bounds(fit=1_024)), b"\xff" * 1_025, "image/png")
    assert shaped(shaping, Answer(b"\xff" * 1_025, "image/png"), LINKS).body == b"\xff" * 1_025


@pytest.mark.parametrize("kind", ["text/plain", "text/csv", "application/xml", "image/png", "", "application/x-ndjson"])
def test_fields_are_picked_of_json_alone(kind):
    for shaping in (Shaping(("id",)), Shaping((), ("id",))):
        with pytest.raises(Unshapable, match="only some fields"):
            shape(shaping, "id", kind)
        assert shape(shaping, "id", kind, error=True) == "id"


def test_errors_keep_their_words_but_not_what_is_dropped_or_too_long():
    shaping = Shaping(("id",), ("ssn",), Bounds(longest=5))
    assert shape(shaping, '{"error": "no", "ssn": 1}', error=True) == '{"error": "no"}'
    assert shape(shaping, '{"error": "no such"}', error=True) == '{"error": "no su... [2 more characters: GET /H-11]"}'
    with pytest.raises(Unshapable):
        shape(shaping, '"id"')


def test_streams_pass_as_long_as_they_are():
    assert is_stream("text/event-stream")
    assert is_stream("application/x-ndjson")
    assert shape(Shaping(bounds=Bounds(1, 1, 1_024)), "data: 1\n\n" * 500, "text/event-stream") == "data: 1\n\n" * 500


def test_what_is_not_cut_is_the_very_body():
    for body in (b'{ "a" : [1.0] }\n', b"\xef\xbb\xbf[1]", b"7"):
        done = shaped(Shaping(bounds=Bounds(9, 9, 1_024)), Answer(body, JSON), LINKS)
        assert done == (body, {}, "", False, ())
