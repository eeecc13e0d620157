"""Answers are kept for so many names, and for none that is long."""

from redaction.kept import LONGEST, Kept


def test_a_name_is_asked_about_once_while_it_is_kept() -> None:
    asked: list[str] = []

    def ask(name: str) -> int:
        asked.append(name)
        return len(name)

    kept = Kept(ask, 3)
    assert [kept[name] for name in ("a", "bb", "a", "bb")] == [1, 2, 1, 2]
    assert asked == ["a", "bb"]


def test_no_more_than_so_many_are_kept() -> None:
    kept = Kept(len, 3)
    for number in range(100):
        assert kept[str(number)] == len(str(number))
        assert len(kept) <= 3


def test_a_long_name_is_not_kept() -> None:
    kept = Kept(len, 3)
    assert kept["x" * (LONGEST + 1)] == LONGEST + 1
    assert len(kept) == 0
    assert kept["x" * LONGEST] == LONGEST
    assert len(kept) == 1
