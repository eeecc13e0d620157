import re

from rules.grammar import BACKEND, CALL, METHODS, NAME, OUTCOMES, PATTERN, POLICY
from rules.shape import Either, Form, Key, Many, Table


def every_key(shape):
    if isinstance(shape, Form):
        for name, key in shape.keys.items():
            yield name, key
            yield from every_key(key.shape)
    elif isinstance(shape, Many | Table):
        yield from every_key(shape.item)
    elif isinstance(shape, Either):
        yield from every_key(shape.simple)
        yield from every_key(shape.mapping)


def test_every_key_says_what_it_is_for():
    keys = [*every_key(BACKEND), *every_key(POLICY)]
    assert len(keys) > 40
    assert all(isinstance(key, Key) and key.says.endswith(".") for _, key in keys)


def test_no_key_is_promised_and_withheld_at_once():
    for shape in (BACKEND, POLICY):
        for _, key in every_key(shape):
            if isinstance(key.shape, Form):
                assert not key.shape.later & key.shape.keys.keys()


def test_names_calls_and_patterns():
    assert all(re.fullmatch(CALL, f"{method} /x/{{id}}") for method in METHODS)
    assert not any(
        re.fullmatch(CALL, text) for text in ("get /x", "TRACE /x", "CONNECT /x", "GET x", "GET  /x", "GET /x y")
    )
    assert re.fullmatch(NAME, "get_customer-2")
    assert not any(re.fullmatch(NAME, text) for text in ("", "2x", "a.b", "a b", "a\n"))
    assert not any(re.fullmatch(PATTERN, text) for text in ("", "a b", "crm.[ab]", "crm.get?"))


def test_every_outcome_is_a_refusal_of_the_public_list_or_a_word_for_all():
    from proxy.errors import CODES

    assert set(OUTCOMES) - CODES.keys() == {"allow", "deny", "approval"}
