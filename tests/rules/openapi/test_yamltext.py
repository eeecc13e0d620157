import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.openapi.yamltext import WIDTH, comment, flow, lines
from rules.source import read


def back(text):
    root, problems = read("a.yaml", text.encode("utf-8"))
    assert problems == []
    return root.plain()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXTS, below, max_size=4), max_leaves=20
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5))
def test_what_is_written_is_read_back(value):
    assert back("\n".join(lines(value))) == value


ODD = [
    *("no", "on", "null", "~", "true", "1", "1e3", "0o17", "0x1F", ".5", "-.inf", "1_000", "2020-01-01", "12:30", "-1"),
    *("- a", "? a", "a: b", "a #b", "#a", "*a", "&a", "!a", "@a", "`a", "%a", "|", ">", "a:", "a ", " a", "", "---"),
    *("{a}", "[a]", "a, b", "a]", "a}", "GET /x/{id}", "https://a.test/b?c=d", "it's", 'say "hi"', "a\\b", "a\nb"),
    *(".inf", "+.inf", ".Inf", ".nan", ".NaN", "1" * 500, "1e999"),
    *("\x00", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe", "\U0001f600", "é", "=", "<<", "a\tb", "...", "-", "?"),
]


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_come_back_as_texts(text):
    assert (
        back("\n".join(lines({"a": text, "b": [text], text or "x": {"c": text, "d": {"e": [text, text]}}})))["a"]
        == text
    )
    assert back(f"a: {flow([text, {text: text}])}") == {"a": [text, {text: text}]}


def test_a_long_text_is_folded_and_comes_back():
    value = {"says": "word " * 60 + "end", "same": "x" * 300, "two  spaces " + "y" * 120: "a  b " + "c " * 80 + "d"}
    text = "\n".join(lines(value))
    assert back(text) == value
    assert "says: >-" in text


def test_small_mappings_stand_on_one_line_and_large_ones_do_not():
    text = "\n".join(lines({"a": {"type": "string", "optional": True}, "b": {f"key_{n}": n for n in range(20)}}))
    assert text.splitlines()[0] == "a: {type: string, optional: true}"
    assert "  key_19: 19" in text
    assert back(text)["b"]["key_7"] == 7


@given(st.lists(TEXTS, max_size=4))
def test_comments_are_only_comments(sentences):
    text = "\n".join([*comment(sentences, 2), "a: 1"])
    assert back(text) == {"a": 1}
    assert all(len(line) <= WIDTH for line in text.splitlines())
