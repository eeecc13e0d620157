"""Parts: one strict grammar in, one canonical form out."""

from __future__ import annotations

import email.parser
import email.policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.protocols.multipart import MOST_PART_HEAD, MOST_PARTS, Part, made, parse
from tests.counts import examples

NAME = 'Content-Disposition: form-data; name="a"'


def body(*parts: str, end: str = "--B--\r\n") -> bytes:
    return ("".join(f"--B\r\n{part}\r\n" for part in parts) + end).encode("latin-1")


def test_parts_as_browsers_and_clients_write_them() -> None:
    raw = body(
        f"{NAME}\r\n\r\nplain",
        'content-disposition: Form-Data; filename="x y.png"; name=f\r\nContent-Type: image/png\r\n\r\n'
        "\x00\r\n--\xff\r\n",
        'Content-Disposition:form-data;name="j"\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
        f"Content-Transfer-Encoding: Binary\r\n{NAME}\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n",
    )
    assert parse(raw, ' boundary="B"') == [
        Part("a", None, "", b"plain"),
        Part("f", "x y.png", "image/png", b"\x00\r\n--\xff\r\n"),
        Part("j", None, "application/json", b"{}"),
        Part("a", None, "text/plain; charset=UTF-8", b""),
    ]
    assert [part.is_text for part in parse(raw, "boundary=B")] == [True, False, False, True]
    unchosen = body(f'{NAME}; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n')
    assert parse(unchosen, "boundary=B") == [Part("a", "", "application/octet-stream", b"")]
    assert parse(body(f"{NAME}\r\n\r\n", end="--B--"), "Boundary=B") == [Part("a", None, "", b"")]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"--B--\r\n",
        b"x" + body(f"{NAME}\r\n\r\n"),
        b"\r\n" + body(f"{NAME}\r\n\r\n"),
        body(f"{NAME}\r\n\r\n") + b"x",
        body(f"{NAME}\r\n\r\n", end=""),
        body(f"{NAME}\r\n\r\n", end="--B\r\n"),
        body(f"{NAME}\r\n\r\n").replace(b"\r\n", b"\n"),
        body(f"{NAME}\r\n\r\n").replace(b"--B\r\n", b"--B \r\n"),
        body(f"{NAME}\n\n"),
        body(f"{NAME}\r\n"),
        body("\r\nx"),
        body("Content-Type: text/plain\r\n\r\nx"),
        body(f"{NAME}\r\n{NAME}\r\n\r\nx"),
        body(f"{NAME}\r\nContent-Type: a/b\r\ncontent-type: a/b\r\n\r\nx"),
        body(f'{NAME}; name="b"\r\n\r\nx'),
        body(f'{NAME}; filename="b"; Filename="c"\r\n\r\nx'),
        body(f"{NAME}; filename*=UTF-8''b\r\n\r\nx"),
        body(f'{NAME}; size="1"\r\n\r\nx'),
        body(f'{NAME};\r\n filename="b"\r\n\r\nx'),
        body(f"{NAME}\r\n x\r\n\r\nx"),
        body(f"{NAME}\r\nX : y\r\n\r\nx"),
        body(f"{NAME}\r\nnothing\r\n\r\nx"),
        body(f"{NAME}\rX: y\r\n\r\nx"),
        body('Content-Disposition: form-data; name="a\\"b"\r\n\r\nx'),
        body('Content-Disposition: form-data; name="a\x00b"\r\n\r\nx'),
        body('Content-Disposition: form-data; name="a\xff"\r\n\r\nx'),
        body('Content-Disposition: form-data; name=""\r\n\r\nx'),
        body('Content-Disposition: form-data; name="a\r\n\r\nx'),
        body("Content-Disposition: form-data\r\n\r\nx"),
        body('Content-Disposition: attachment; name="a"\r\n\r\nx'),
        body(f"{NAME}\r\nContent-Transfer-Encoding: base64\r\n\r\neA=="),
        body(f"{NAME}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nx"),
        body(f"{NAME}\r\nContent-Type: text/plain; charset=utf-7\r\n\r\nx"),
        body(f"{NAME}\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\nx"),
        body(f"{NAME}\r\nContent-Type: text\r\n\r\nx"),
        body(f"{NAME}\r\nContent-Type: text/plain, text/html\r\n\r\nx"),
        body(f"{NAME}\r\nX: {'x' * MOST_PART_HEAD}\r\n\r\nx"),
        body(f"{NAME}\r\nContent-Type: application/octet-stream\r\n\r\nx"),
        body(f"{NAME}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nx"),
        body(f'{NAME}; filename=""\r\n\r\nx'),
        body('Content-Disposition: form-data; name="_charset_"\r\n\r\nutf-16'),
        *(body(f'{NAME}; filename="{name}"\r\n\r\nx') for name in ("../x", "a/b", "a\\b", "..", ".", "..%2Fx", "a%00")),
        body(f"{NAME}\r\n\r\nx\r\n--Bx"),
    ],
)
def test_what_servers_read_in_two_ways(raw: bytes) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        parse(raw, "boundary=B")


@pytest.mark.parametrize(
    "parameters",
    ["", "boundary=", 'boundary=""', "boundary=a b", "boundary=B; boundary=C", "charset=utf-8; boundary=B",
     "boundary=B;", f"boundary={'B' * 71}", 'boundary="B', "boundary=B;x=y", "bound=B", 'boundary="B "'],
)  # fmt: skip
def test_a_boundary_that_is_none(parameters: str) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        parse(body(f"{NAME}\r\n\r\nx"), parameters)


def test_there_is_an_end_to_parts() -> None:
    assert len(parse(body(*[f"{NAME}\r\n\r\n"] * MOST_PARTS), "boundary=B")) == MOST_PARTS
    with pytest.raises(Refusal, match="too_large"):
        parse(body(*[f"{NAME}\r\n\r\n"] * (MOST_PARTS + 1)), "boundary=B")


texts = st.text(st.characters(blacklist_characters='"\\', blacklist_categories=("Cc", "Cs")), min_size=1, max_size=20)
files = st.none() | texts.filter(lambda name: not set(name) & set("%/") and name not in (".", ".."))
kinds = st.sampled_from(["", "text/plain", "image/png", "application/json"])
parts = st.builds(Part, texts, files, kinds, st.binary(max_size=200)).filter(
    lambda part: part.filename is not None or part.kind != "image/png"  # which nobody reads alike
)


@given(st.lists(parts, min_size=1, max_size=5))
@settings(max_examples=examples(200), deadline=None, database=None)
def test_what_is_written_anew_says_the_same(several: list[Part]) -> None:
    raw, kind = made(several)
    assert parse(raw, kind.partition(";")[2]) == several
    assert made(several) == (raw, kind)


def test_another_reader_reads_the_same() -> None:
    several = [
        Part("a", None, "", b"x\ny"),
        Part("f", "n.png", "image/png", b"\x00\n--toolwall\r\n"),
        Part("a", None, "", b""),
    ]
    raw, kind = made(several)
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + raw
    )
    read = [(p.get_param("name", header="content-disposition"), p.get_filename()) for p in message.iter_parts()]
    assert read == [("a", None), ("f", "n.png"), ("a", None)]


def test_the_boundary_depends_on_all_that_is_sent() -> None:
    one = made([Part("a", None, "", b"x")])[1]
    assert made([Part("b", None, "", b"x")])[1] != one != made([Part("a", None, "", b"y")])[1]
    assert made([Part("a", "f", "", b"x")])[1] != one
