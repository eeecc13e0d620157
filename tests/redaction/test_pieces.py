"""Pieces of a long text: together the whole, each bounded, each name whole in one of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from redaction.pieces import pieces


@given(st.text("ab \n", max_size=600), st.integers(100, 300), st.integers(0, 49))
def test_they_cover_the_text_are_bounded_and_overlap(text: str, size: int, overlap: int) -> None:
    found = list(pieces(text, size, overlap))
    assert found[0][0] == 0
    assert found[-1][1] == len(text)
    assert all(end - start <= size for start, end in found)
    for (start, end), (after, _) in pairwise(found):
        assert start < after <= max(start + 1, end - overlap)


@given(st.integers(0, 400), st.sampled_from(["x", "xy ", " "]))
def test_a_name_stands_whole_in_one_of_them(at: int, filler: str) -> None:
    name = "Maria Silva"
    text = (filler * 400)[:at] + name + (filler * 400)[:400]
    assert any(name in text[start:end] for start, end in pieces(text, 100, 20))


def test_without_gaps_it_cuts_where_it_must() -> None:
    assert list(pieces("x" * 250, 100, 20)) == [(0, 100), (80, 180), (160, 250)]


def test_words_stay_whole() -> None:
    text = "word " * 50
    assert all(text[start:end].strip().replace("word", "").strip() == "" for start, end in pieces(text, 100, 20))
