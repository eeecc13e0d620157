from redaction.brackets import Brackets

TEXT = b'{"a": [1, "x]", {"b": null}], "c{": -2.5e3, "d": {}}'


def test_each_opening_knows_its_end_and_what_is_around_it() -> None:
    brackets = Brackets(TEXT)
    first, inner = TEXT.index(b"["), TEXT.index(b'{"b')
    assert brackets.closes[0] == len(TEXT) - 1
    assert brackets.closes[first] == TEXT.index(b"}]") + 1
    assert brackets.outer == {0: -1, first: 0, inner: first, TEXT.index(b"{}"): 0}


def test_the_home_of_a_place_is_the_innermost_around_it() -> None:
    brackets = Brackets(TEXT)
    assert brackets.home(TEXT.index(b'"b"')) == TEXT.index(b'{"b')
    assert brackets.home(TEXT.index(b'"c{"')) == 0
    assert Brackets(b"[]  ").home(3) == -1


def test_elements_are_those_of_one_level_with_their_names() -> None:
    brackets = Brackets(TEXT)
    assert [(name, TEXT[at : at + 2]) for name, at in brackets.elements(0)] == [
        (b"a", b"[1"),
        (b"c{", b"-2"),
        (b"d", b"{}"),
    ]
    first = TEXT.index(b"[")
    assert [(name, TEXT[at : at + 2]) for name, at in brackets.elements(first)] == [
        (b"", b"1,"),
        (b"", b'"x'),
        (b"", b'{"'),
    ]
    assert list(brackets.elements(TEXT.index(b"{}"))) == []
