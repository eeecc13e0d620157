import pytest

from rules.shape import (
    DURATION,
    Anything,
    Choice,
    Either,
    Flag,
    Form,
    JsonSchema,
    Key,
    Many,
    Size,
    Table,
    Text,
    check,
    duration,
    size,
)
from rules.source import read

LATER = Form(
    {"a": Key(Text(), "A."), "b": Key(Flag(), "B.", required=True)}, later=frozenset({"undo"}), elsewhere={"c": "say b"}
)


def messages(text, shape):
    root, problems = read("x.yaml", f"v: {text}".encode())
    assert problems == []
    return [str(one) for one in check(root.get("v"), shape)]


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (Text(), "x"),
        (Text(r"^[a-z]+$"), "abc"),
        (Choice(("a", "b")), "b"),
        (Flag(), "true"),
        (Size(), "1"),
        (Size(), "64KiB"),
        (Anything(), "[1, {a: null}]"),
        (JsonSchema(), "{type: string}"),
        (JsonSchema(optional=True), "{optional: true}"),
        (JsonSchema(), "false"),
        (Many(Text()), "[a]"),
        (Many(Text(), or_one=True), "a"),
        (Either(Text(), Table(Flag())), "a"),
        (Either(Text(), Table(Flag())), "{a: true}"),
        (Table(Text(), may_be_empty=True), "{}"),
        (LATER, "{a: x, b: false}"),
    ],
)
def test_what_fits(shape, text):
    assert messages(text, shape) == []


@pytest.mark.parametrize(
    ("shape", "text", "says"),
    [
        (Text(), "''", "must be text that is not empty"),
        (Text(), "5", "is an integer, must be text that is not empty (put it into quotes)"),
        (Text(r"^[0-9]+$", "digits"), "5", "is an integer, must be digits (put it into quotes)"),
        (Text(r"^true$", "yes"), "true", "is a boolean, must be yes (put it into quotes)"),
        (Text(), "null", "is null"),
        (Text(), "[a]", "is an array"),
        (Text(r"^[a-z]+$", "small letters"), '"abc\\n"', "must be small letters"),
        (Choice(("refuse", "pass")), "refuze", "must be one of: refuse, pass (did you mean refuse?)"),
        (Choice(("a",)), "[a]", "must be one of: a"),
        (Choice(("a",)), "{}", "must be one of: a"),
        (Flag(), "yes", "is a string, must be true or false"),
        (Flag(), "1", "is an integer, must be true or false"),
        (Size(), "0", "must be a size"),
        (Size(), "-1", "must be a size"),
        (Size(), "true", "must be a size"),
        (Size(), "1.5", "must be a size"),
        (Size(), "64kb", "must be a size"),
        (JsonSchema(), "string", "is a string, must be a JSON Schema"),
        (JsonSchema(optional=True), "{optional: yes}", "is a string, must be true or false"),
        (Many(Text()), "a", "is a string, must be a list"),
        (Many(Text()), "null", "is null, must be a list (leave the key out)"),
        (Many(Text()), "[]", "is an empty list"),
        (Many(Text(), or_one=True), "[]", "is an empty list"),
        (Many(Text()), "[a, 1]", "v[1]: is an integer"),
        (Either(Text(), Table(Flag())), "{a: x}", "v.a: is a string, must be true or false"),
        (Table(Text()), "{}", "is empty"),
        (Table(Text()), "a", "is a string, must be a mapping"),
        (Table(Text(), r"^[a-z]$", "one letter"), "{ab: x}", "x.yaml:1:5: v.ab: must be one letter"),
        (LATER, "{}", "lacks the key b (B.)"),
        (LATER, "[]", "is an array, must be a mapping with the keys a, b"),
        (LATER, "{b: true, aa: x}", "v.aa: is an unknown key (did you mean a?)"),
        (LATER, "{b: true, zzz: x}", "v.zzz: is an unknown key (known are: a, b)"),
        (LATER, "{b: true, undo: x}", "v.undo: this version has no guard for it"),
        (LATER, "{b: true, c: x}", "v.c: has no place here (say b)"),
        (Form({"a": Key(Text(), ""), "b": Key(Text(), "")}, one_of=("a", "b")), "{a: x, b: y}", "exactly one of"),
        (Form({"a": Key(Text(), ""), "b": Key(Text(), "")}, one_of=("a", "b")), "{}", "exactly one of"),
        (Form({"a": Key(Text(), ""), "b": Key(Text(), "")}, at_most_one=("a", "b")), "{a: x, b: y}", "only one of"),
    ],
)
def test_what_does_not_fit(shape, text, says):
    assert any(says in one for one in messages(text, shape)), messages(text, shape)


def test_quotes_are_advised_only_where_they_would_help():
    (told,) = messages("10", Text(DURATION, "a duration"))
    assert told.endswith("is an integer, must be a duration")


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("10s", 10), ("0.5s", 0.5), ("15m", 900), ("1.5h", 5400), ("2d", 172800)]
)
def test_durations_are_seconds(text, seconds):
    assert messages(text, Text(DURATION)) == []
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["0s", "0.0s", "-1s", "10", "10 s", "s", "1e3s", "1w", "10S", "9999999999s", "'10s\n'"]
)
def test_what_is_no_duration(text):
    assert messages(text, Text(DURATION))


def test_sizes_are_bytes():
    assert [size(7), size("7B"), size("64KiB"), size("2MiB"), size("1GiB")] == [7, 7, 65536, 2097152, 1073741824]
