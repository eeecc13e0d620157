import time

import pytest

from rules.openapi.texts import plain, purpose, shorten


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  A\n\n  b ", "A b"),
        ("<p>An &amp; <a href='x'>id</a></p>", "An & id"),
        ("See [docs](https://a.example/x) and ![pic](y.png).", "See docs and pic."),
        ("## Title\n**bold** `code` __under__ a__b", "Title bold code under a__b"),
        ("a < b > c", "a < b > c"),
        ("hidden\u200b\u202etext\x07", "hidden text"),
        (None, ""),
        (7, ""),
    ],
)
def test_text_without_markup(text, expected):
    assert plain(text, 100) == expected


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("One two. Three four.", 40, "One two. Three four."),
        ("One two. Three four.", 14, "One two."),
        ("One. Two three four five six.", 22, "One. Two three ..."),
        ("x" * 50, 20, " ..."),
    ],
)
def test_text_ends_after_a_sentence_or_a_word(text, most, expected):
    assert shorten(text, most) == expected
    assert len(shorten(text, most)) <= most


@pytest.mark.parametrize(
    ("summary", "description", "expected"),
    [
        ("List pets", "Gives all pets.", "List pets. Gives all pets."),
        ("List pets.", "List pets. With pages.", "List pets. With pages."),
        ("List pets", "list pets by page", "list pets by page"),
        ("List pets", None, "List pets"),
        (None, "Gives all.", "Gives all."),
        (None, None, "GET /x"),
        ("", "", "GET /x"),
        (["no text"], {"a": 1}, "GET /x"),
    ],
)
def test_a_purpose_is_summary_and_what_the_description_adds(summary, description, expected):
    assert purpose(summary, description, "GET /x") == expected


@pytest.mark.parametrize(
    "hostile", ["<a" * 500_000, "[" * 1_000_000, "[a](" * 200_000, "`" * 1_000_000, ". " * 500_000]
)
def test_hostile_text_takes_little_time(hostile):
    began = time.process_time()
    plain(hostile, 400)
    assert time.process_time() - began < 2
