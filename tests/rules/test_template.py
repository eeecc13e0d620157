import re

import pytest

from rules.template import MOST_SEGMENTS, Segment, parse


def test_a_template_is_literals_and_parameters():
    assert parse("/customers/{id}/v1") == (Segment(("customers",)), Segment(("", ""), ("id",)), Segment(("v1",)))
    assert parse("/files/{name}.json") == (Segment(("files",)), Segment(("", ".json"), ("name",)))
    assert parse("/") == (Segment(("",)),)
    assert parse("/customers/") == (Segment(("customers",)), Segment(("",)))
    assert parse("/a%20b/@me;v=1") == (Segment(("a%20b",)), Segment(("@me;v=1",)))


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
        ("/{a}{b}", "between two"),
        ("/{a}-{a}", "twice"),
        ("/{a", "no {parameter}"),
        ("/a}", "no {parameter}"),
        ("/{}", "no {parameter}"),
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
        ("{id}", "7", "7"),
        ("{id}", "", None),
        ("{id}", "%2e%2e", "%2e%2e"),
        ("{n}.json", "a.json", "a"),
        ("{n}.json", ".json", None),
        ("{n}.json", "a.JSON", None),
        ("v{n}", "v12", "12"),
        ("v{n}", "v", None),
        ("aa{n}aa", "aaa", None),
        ("aa{n}aa", "aaXaa", "X"),
    ],
)
def test_a_parameter_takes_what_is_between_prefix_and_suffix(segment, text, value):
    assert parse(f"/{segment}")[0].values(text) == (value and (value,))


@pytest.mark.parametrize(
    ("segment", "text", "values"),
    [
        ("{lat},{lon}", "48.1,11.5", ("48.1", "11.5")),
        ("{base}...{head}", "main...dev", ("main", "dev")),
        ("v{a}.{b}.{c}.json", "v1.2.3.json", ("1", "2", "3")),
        ("{a}-{b}", "ab", None),
        ("{a}-{b}", "-b", None),
        ("{a}-{b}", "a-", None),
        ("{a}-{b}", "-", None),
        ("{a}-{b}:{c}", "1:2-3", None),
        ("{a}-{b}:{c}", "1-2:3", ("1", "2", "3")),
    ],
)
def test_several_parameters_of_a_segment_are_told_apart_by_what_stands_between(segment, text, values):
    assert parse(f"/{segment}")[0].values(text) == values


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ("{a}-{b}", "x-y-z"),
        ("{a}-{b}", "-x-y"),
        ("{a}-{b}", "x%2dy-z"),
        ("{a}-{b}", "x-y%2Dz"),
        ("{a}--{b}", "x---y"),
        ("{a}-{b}:{c}", "1-2:3-4"),
        ("{a}-{b}:{c}", "1:0-2:3"),
    ],
)
def test_a_segment_that_could_be_split_in_two_ways_matches_nothing(segment, text):
    """The backend might split it the other way, or after decoding."""
    assert parse(f"/{segment}")[0].values(text) is None


def test_splitting_takes_time_that_grows_with_the_text_alone():
    hostile = "-" * 60_000
    assert parse("/{a}-{b}-{c}-{d}")[0].values(hostile) is None
