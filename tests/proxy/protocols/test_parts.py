import pytest

from proxy.protocols.parts import BadParts, read

TYPE = 'multipart/mixed; boundary="a b"'
HEAD = b"Content-Type:  text/plain\r\nX: 1\r\n"
BODY = b"--a b\r\n" + HEAD + b'\r\none\r\n--a b\r\n\r\n\r\n--a b\r\nA: b\r\n\r\n{"a": 1}\r\n--a b--\r\n'


def test_parts_are_written_as_they_were_read() -> None:
    made = read(BODY, TYPE)
    assert [part.data for part in made.parts] == [b"one", b"", b'{"a": 1}']
    assert [part.value("content-type") for part in made.parts] == ["text/plain", "", ""]
    assert made.written() == BODY
    first = made.parts[0]
    changed = made._replace(parts=[first.changed(first.headers, b"two!"), *made.parts[1:]])
    assert changed.written() == BODY.replace(b"one", b"two!")
    renamed = made._replace(parts=[first.changed([("Content-Type", "application/json")], b"{}"), *made.parts[1:]])
    assert read(renamed.written(), TYPE).parts[0].headers == [("Content-Type", "application/json")]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"x" + BODY, TYPE),
        (BODY + b"x", TYPE),
        (BODY.replace(b"\r\n", b"\n"), TYPE),
        (BODY.replace(b"one", b"one\n--a b"), TYPE),
        (BODY.replace(b"one", b"one --a bx"), TYPE),
        (BODY.replace(b"--a b--", b"--a b"), TYPE),
        (BODY.replace(b"X: 1", b"X : 1"), TYPE),
        (BODY.replace(b"X: 1", b"X: 1\r\n 2"), TYPE),
        (BODY.replace(b"X: 1", b"x: 1\r\nX: 2"), TYPE),
        (BODY.replace(b"X: 1", b"Content-Transfer-Encoding: base64"), TYPE),
        (BODY.replace(b"X: 1", b"X: \xff"), TYPE),
        (BODY.replace(b"X: 1", b"X: " + b"1" * 5_000), TYPE),
        (BODY, "multipart/mixed"),
        (BODY, "multipart/mixed; boundary=a; boundary=b"),
        (b"--a b\r\n\r\nx\r\n" * 1_001 + b"--a b--", TYPE),
        (b"--a b--", TYPE),
        (b"", TYPE),
    ],
)
def test_what_readers_may_read_in_two_ways_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(BadParts):
        read(body, kind)


def test_a_part_never_makes_another() -> None:
    made = read(BODY, TYPE)
    with pytest.raises(BadParts):
        made._replace(parts=[made.parts[0].changed([], b"\r\n--a b\r\n\r\nx")]).written()
