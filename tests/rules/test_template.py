import re

import pytest

from rules.template import MOST_SEGMENTS, Segment, parse


def test_a_template_is_literals_and_parameters():
    assert parse("/customers/{id}/v1") == (Segment("customers"), Segment("", "id"), Segment("v1"))
    assert parse("/files/{name}.json") == (Segment("files"), Segment("", "name", ".json"))
    assert parse("/") == (Segment(""),)
    assert parse("/customers/") == (Segment("customers"), Segment(""))
    assert parse("/a%20b/@me;v=1") == (Segment("a%20b"), Segment("@me;v=1"))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "must begin with /"),
        ("a/b", "must begin with /"),
        ("/a//b", "an empty segment"),
        ("/a/../b", "a . or a .."),
        ("/a/..", "a . or a .."),
        ("/./a", "a . or a .."),
        ("/a?b=1", "before ? and #"),
        ("/a#b", "before ? and #"),
        ("/{a}-{b}", "at most one"),
        ("/{a", "at most one"),
        ("/a}", "at most one"),
        ("/{}", "at most one"),
        ("/{a}/{a}", "twice"),
        ("/a b", "percent-encoded"),
        ("/é", "percent-encoded"),
        ("/a%2", "percent-encoded"),
        ("/a\\b", "percent-encoded"),
        ("/x" * (MOST_SEGMENTS + 1), "more than"),
    ],
)
def test_what_is_no_template(path, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        parse(path)


def test_text_that_is_not_on_the_wire_is_shown_as_it_would_be():
    with pytest.raises(ValueError, match=re.escape("on the wire: sett-p%C3%A5-{id}")):
        parse("/sett-på-{id}")


@pytest.mark.parametrize(
    ("segment", "text", "value"),
    [
        (Segment("", "id"), "7", "7"),
        (Segment("", "id"), "", None),
        (Segment("", "id"), "%2e%2e", "%2e%2e"),
        (Segment("", "n", ".json"), "a.json", "a"),
        (Segment("", "n", ".json"), ".json", None),
        (Segment("", "n", ".json"), "a.JSON", None),
        (Segment("v", "n", ""), "v12", "12"),
        (Segment("v", "n", ""), "v", None),
        (Segment("aa", "n", "aa"), "aaa", None),
        (Segment("aa", "n", "aa"), "aaXaa", "X"),
    ],
)
def test_a_parameter_takes_what_is_between_prefix_and_suffix(segment, text, value):
    assert segment.value(text) == value
