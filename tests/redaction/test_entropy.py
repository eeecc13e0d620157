import pytest

from redaction.entropy import entropy


@pytest.mark.parametrize(("text", "bits"), [("", 0), ("aaaa", 0), ("abab", 1), ("abcd", 2), ("abcdefgh" * 3, 3)])
def test_the_entropy_of_texts_that_are_counted_by_hand(text: str, bits: float) -> None:
    assert entropy(text) == pytest.approx(bits)
