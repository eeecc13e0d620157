import pytest

from rules.source import MOST_DEPTH, read, scalar


def node(text):
    root, problems = read("x.yaml", text.encode())
    assert problems == []
    return root


def wrong(text):
    data = text if isinstance(text, bytes) else text.encode()
    _, problems = read("x.yaml", data)
    return [(one.line, one.col, one.path, one.message) for one in problems]


# YAML 1.2.2, 10.3.2: the tag resolution of the core schema.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, None) for text in ("null", "Null", "NULL", "~", "")],
        *[(text, True) for text in ("true", "True", "TRUE")],
        *[(text, False) for text in ("false", "False", "FALSE")],
        *[("0", 0), ("-1", -1), ("+12", 12), ("007", 7), ("0o17", 15), ("0xFf", 255)],
        *[("1.", 1.0), (".5", 0.5), ("-1.5e3", -1500.0), ("1e3", 1000.0), ("+12.3", 12.3)],
        *[(text, text) for text in ("NO", "no", "on", "off", "yes", "y", "Yes", "nULL", "tRUE")],
        *[(text, text) for text in ("1_000", "0b11", "017_", "12:30:45", "2026-01-31", "0o8", "1e", ".", "+", "0x")],
        *[(text, text) for text in ("١", "1２", "1 2")],
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    got = scalar(text)
    assert (type(got), got) == (type(value), value)


def test_quotes_make_text():
    assert node("a: '1'\nb: \"true\"\nc: |\n  2\nd: ~\ne: NO").plain() == {
        "a": "1",
        "b": "true",
        "c": "2\n",
        "d": None,
        "e": "NO",
    }


def test_every_value_and_key_knows_its_place():
    root = node("a:\n  - b: 1\n    cc: {d: x}\n")
    inner = root.get("a").each()[0].get("cc").get("d")
    assert (inner.line, inner.col, inner.path, inner.value) == (3, 13, "a[0].cc.d", "x")
    assert root.get("a").each()[0].keys == {"b": (2, 5), "cc": (3, 5)}


def test_columns_count_characters_and_not_bytes():
    assert node("{é: {ü: 1}}").get("é").keys == {"ü": (1, 6)}


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, "is a duplicate key"),
        ("{a: 1, a: 2}", 1, 8, "is a duplicate key"),
        ("x:\n  - {a: {b: 1, 'b': 2}}", 2, 16, "is a duplicate key"),
        ("a: &x 1", 1, 4, "has an anchor"),
        ("a: 1\nb: *a", 2, 4, "is an alias"),
        ("a: !!str 1", 1, 4, "has a tag"),
        ("a: !python/object:os.system {}", 1, 4, "has a tag"),
        ("a:\n  <<: {b: 1}", 2, 3, "has a merge key"),
        ("a: 1\n---\nb: 2", 2, 1, "starts a second document"),
        ("600: a", 1, 1, "has a key that is not text"),
        ("1: a", 1, 1, "has a key that is not text"),
        ("null: a", 1, 1, "has a key that is not text"),
        ("true: a", 1, 1, "has a key that is not text"),
        ("? [a]\n: b", 1, 3, "has a key that is not text"),
        ("a: .inf", 1, 4, "is not a number that JSON has"),
        ("a: -.INF", 1, 4, "is not a number that JSON has"),
        ("a: 1e999", 1, 4, "is not a number that JSON has"),
        ("a: .NaN", 1, 4, "is not a number that JSON has"),
        ("a: " + "9" * 5000, 1, 4, "has more than 400 digits"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(text, line, column, message):
    assert (line, column, message) in [(one[0], one[1], one[3]) for one in wrong(text)]


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\ta: 1", "a: 'x", "{a: 1", "a:\n  b\n c: d", "@x", "%FOO 1\n"])
def test_what_is_not_yaml_is_one_problem_with_a_place(text):
    (problem,) = wrong(text)
    assert problem[3].startswith("is not YAML")
    assert problem[0] >= 1


@pytest.mark.parametrize("text", ["\ta: 1", "a:\n\tb: 1", "a:\r\n  b: 1\r\n\tc: 2"])
def test_a_tab_is_named(text):
    (problem,) = read("a.yaml", text.encode())[1]
    assert problem.hint == "indent with spaces, never with tabs"


def test_bytes_that_are_not_utf_8_are_a_problem_in_their_line():
    assert wrong(b"a: 1\nb: \xff") == [(2, 1, "", "is not UTF-8")]
    assert wrong("a: 1".encode("utf-16"))[0][3] in ("is not UTF-8", "is not YAML: special characters are not allowed")


def test_a_byte_order_mark_and_windows_line_ends_are_read():
    root, problems = read("x.yaml", b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert (root.plain(), problems) == ({"a": 1, "b": 2}, [])


def test_control_characters_are_refused():
    assert wrong(b"a: \x00")
    assert wrong(b"a: \x1b[31m")


@pytest.mark.parametrize("text", ["", "# nothing", "---\n", "~"])
def test_an_empty_file_has_no_document(text):
    assert read("x.yaml", text.encode()) == (None, [])


def test_depth_is_bounded():
    assert node("[" * MOST_DEPTH + "]" * MOST_DEPTH)
    assert wrong("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1))[0][3].startswith("is not YAML: nested deeper")
    assert wrong("[" * 100_000)


def test_all_duplicates_are_reported():
    assert [one[:2] for one in wrong("a: 1\na: 2\nb: {c: 1, c: 2}\n")] == [(2, 1), (3, 11)]


def test_a_place_below_is_found_as_near_as_the_file_shows_it():
    root = node("a:\n  b: [1, {c: 2}]")
    found = root.at(("a", "b", 1, "c"), "m")
    assert (found.line, found.col, found.path) == (2, 11, "a.b[1].c")
    found = root.at(("a", "x", "y"), "m")
    assert (found.line, found.col, found.path) == (2, 3, "a")
