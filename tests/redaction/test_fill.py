from redaction.fill import SETS, fill


def test_a_place_is_filled_with_as_many_characters_of_its_set() -> None:
    text = fill("id-{hex:12}!")
    assert len(text) == 16
    assert set(text[3:-1]) <= set(SETS["hex"])
    assert text == fill("id-{hex:12}!") != fill("id-{hex:12}!", 1)


def test_what_is_no_place_stays() -> None:
    assert fill("{a} {hex} {none:3} {hex:}") == "{a} {hex} {none:3} {hex:}"
