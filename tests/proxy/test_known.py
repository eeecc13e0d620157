"""Where known secrets come from, and that none of them is told of."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from proxy.known import SecretsError, known_secrets

ONE, TWO, THREE = "kq7-31aZ-wU", "b9.Lm2/xY8", "Zt5!hGq0pR"


def test_each_source_gives_its_values(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(f"{TWO}\nsecond line\n")
    (tmp_path / "many").write_text(f"\n{THREE}\r\n\n  {ONE}x  \n")
    known = known_secrets(["env:A", f"file:{tmp_path}/one", f"lines:{tmp_path}/many"], {"A": f"{ONE}\n"})
    assert all(known.sees(value.encode()) for value in (ONE, f"{TWO}\nsecond line", THREE, f"{ONE}x"))
    assert not known.sees(TWO.encode())
    assert not known_secrets([], {})


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer  ", "Basic ", "Token "])
def test_credentials_are_known_without_their_scheme(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "one").write_text(f"{scheme}{TWO}\n")
    known = known_secrets(["env:A", f"file:{tmp_path}/one"], {"A": f"{scheme}{ONE}"})
    assert known.sees(f"the token {ONE}".encode())
    assert known.sees(f"the token {TWO}".encode())
    assert not known.sees(scheme.encode())


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("env:NONE", "the environment variable NONE is not set"),
        ("env:EMPTY", "is not set, or is empty"),
        ("file:{0}/none", "none cannot be read: No such file"),
        ("file:{0}", "cannot be read: Is a directory"),
        ("file:{0}/empty", "empty holds nothing"),
        ("lines:{0}/empty", "empty holds nothing"),
        ("file:{0}/binary", "binary is not UTF-8"),
        ("file:{0}/large", "large is larger than"),
        ("lines:{0}/long", "longer than 16384 characters"),
        ("lines:{0}/very-many", "more than 20000 known secrets"),
    ],
)
def test_what_cannot_be_used_stops_the_start(tmp_path: Path, source: str, why: str) -> None:
    (tmp_path / "empty").write_text("\n \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe" + ONE.encode())
    (tmp_path / "large").write_text(ONE * 10_000)
    (tmp_path / "long").write_text(ONE * 2_000)
    (tmp_path / "very-many").write_text("\n".join(f"{ONE}{number}" for number in range(20_001)))
    with pytest.raises(SecretsError) as caught:
        known_secrets([source.format(tmp_path)], {"EMPTY": ""})
    assert why in str(caught.value)
    assert ONE not in str(caught.value)


def test_trivial_values_are_left_out_with_a_warning_that_does_not_tell_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "many").write_text(f"changeme\n{ONE}\nhunter2\n")
    with caplog.at_level(logging.WARNING, "toolwall"):
        known = known_secrets([f"lines:{tmp_path}/many"], {})
    assert known.sees(ONE.encode())
    assert not known.sees(b"changeme hunter2")
    first, second = caplog.messages
    assert first.endswith("/many is not looked for: it is a word")
    assert second.endswith("/many is not looked for: it has less than 8 bytes")
    assert ONE not in caplog.text + repr(known) + str(known.__dict__.keys())
