import pytest

from rules.openapi.reading import MOST_BYTES, BadDocument, parse


def value(text):
    return parse("a.yaml", text.encode())[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "b": [true, null, 1.5]}', {"a": 1, "b": [True, None, 1.5]}),
        ("a: 1\nb: [true, ~, 1.5]", {"a": 1, "b": [True, None, 1.5]}),
        ("responses: {200: x, 4XX: y, 0x1F: z}", {"responses": {"200": "x", "4XX": "y", "0x1F": "z"}}),
        ("on: no\noff: yes\ny: n", {"on": "no", "off": "yes", "y": "n"}),
        ("null: ~\ntrue: false", {"null": None, "true": False}),
        ("version: 2015-12-15", {"version": "2015-12-15"}),
        ("at: 2001-12-14t21:59:43.10-05:00", {"at": "2001-12-14t21:59:43.10-05:00"}),
        ("a: 1_000\nb: 0o17\nc: 12:30:45", {"a": "1_000", "b": 15, "c": "12:30:45"}),
        ("d: .inf\ne: 0777", {"d": ".inf", "e": 777}),
        ("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}", {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}),
        ("a: &x {b: 1}\nf: {<<: [*x, {b: 9, g: 3}]}", {"a": {"b": 1}, "f": {"b": 1, "g": 3}}),
        ("a: !!binary aGk=\nb: !own {c: 1}", {"a": "aGk=", "b": {"c": 1}}),
        ("a:\n\t- 1\n\t- 2\nb:\t3", {"a": [1, 2], "b": 3}),
        ("\ufeffa: 1", {"a": 1}),
        ("# nothing\n---\na: 1\n---\nb: 2", {"a": 1}),
        ("{a: 1, b: {c: 2,},}", {"a": 1, "b": {"c": 2}}),
        ("? [1, 2]\n: a", {"[1, 2]": "a"}),
        ('{"a": NaN, "b": -Infinity}', {"a": "NaN", "b": "-Infinity"}),
        ("", None),
    ],
)
def test_documents_are_read_as_they_were_meant(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "a: 1\na: 2"])
def test_of_a_key_that_stands_twice_the_last_counts_and_it_is_said(text):
    found, warnings = parse("a.yaml", text.encode())
    assert found == {"a": 2}
    assert len(warnings) == 1
    assert "the key a stands twice" in warnings[0]


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"a: [1, 2", "a.yaml:2:1"),
        (b"a: 1\nb: *nowhere", "a.yaml:2:4"),
        (b'{"a": 1', "a.yaml:2:1"),
        (b"a: \xff", "a.yaml:1:1"),
        (b"x: 1\ny: \xc3", "a.yaml:2:1"),
        (b"[" * 10_000, "nested deeper"),
        (b'{"a":' * 10_000, "nested deeper"),
        (b"- " * 10_000, "nested deeper"),
        (b" " * (MOST_BYTES + 1), "larger than"),
    ],
)
def test_what_cannot_be_read_says_where(data, where):
    with pytest.raises(BadDocument, match=r"^a\.yaml") as caught:
        parse("a.yaml", data)
    assert where in str(caught.value)


def test_half_a_surrogate_pair_becomes_a_mark():
    value, _ = parse("a.json", rb'{"a\ud83d": ["\uDFFF\ud83d\ude00", {"b": 1}]}')
    assert value == {"a\ufffd": ["\ufffd\U0001f600", {"b": 1}]}


def test_aliases_do_not_grow_a_small_file_into_the_memory():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(BadDocument, match="more than 4000000 values"):
        parse("a.yaml", "\n".join(lines).encode())


def test_an_alias_of_itself_is_an_error():
    with pytest.raises(BadDocument, match="an alias has no anchor before it"):
        parse("a.yaml", b"a: &a {b: *a}")
