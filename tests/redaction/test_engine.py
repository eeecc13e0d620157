from concurrent.futures import ThreadPoolExecutor

import pytest

from redaction.detector import Pattern, all_patterns
from redaction.engine import Engine, ScanError
from redaction.scanner import Scanner
from tests.redaction.fill import fill
from tests.redaction.hostile import seconds

MAIL = Pattern("mail", "MAIL", "Mail.", r"[a-zé]+@[a-z]+", ("a@b",), ("a",), score=0.9)
CODE = Pattern("code", "CODE", "A code.", r"\b[0-9]{4}\b", ("code 1234",), ("1234",), context=("code",), numbers=True)
PORT = Pattern("port", "PORT", "A port.", r"(?:^|[^0-9])([0-9]{5})", ("12345",), ("v 12345",), unless=("v",))
ENGINE = Engine([MAIL, CODE, PORT])
ALL = Engine(all_patterns())


def values(engine: Engine, text: str, key: str = "", number: bool = False) -> list[tuple[str, str]]:
    return [(f.kind, text[f.start : f.end]) for f in engine.find(text, key, number)]


def test_offsets_count_characters_whatever_their_bytes() -> None:
    text = "é\U0001f600 josé@x ü ana@y"
    assert values(ENGINE, text) == [("MAIL", "josé@x"), ("MAIL", "ana@y")]


def test_half_a_surrogate_pair_moves_nothing() -> None:
    assert values(ENGINE, "\ud800 ana@x \udfff bob@y") == [("MAIL", "ana@x"), ("MAIL", "bob@y")]


@pytest.mark.parametrize("text", ["the code is 1234", "1234 is the code", "CODE: 1234", "my_code=1234"])
def test_context_before_or_after_confirms(text: str) -> None:
    assert values(ENGINE, text) == [("CODE", "1234")]


@pytest.mark.parametrize("text", ["1234", "encoder 1234", "code" + " " * 200 + "1234"])
def test_without_context_close_by_there_is_nothing(text: str) -> None:
    assert values(ENGINE, text) == []


def test_the_key_is_context() -> None:
    assert values(ENGINE, "1234", key="postalCode") == [("CODE", "1234")]
    assert values(ENGINE, "1234", key="codeName") == []


def test_a_word_before_or_a_key_vetoes() -> None:
    assert values(ENGINE, "port 12345") == [("PORT", "12345")]
    assert values(ENGINE, "v 12345") == []
    assert values(ENGINE, "12345", key="v") == []


def test_only_the_group_is_the_finding() -> None:
    assert [(f.start, f.end) for f in ENGINE.find("x12345")] == [(1, 6)]


def test_a_number_is_searched_only_for_what_may_be_one() -> None:
    assert values(ENGINE, "12345", number=True) == []
    assert values(ENGINE, "1234", key="code", number=True) == [("CODE", "1234")]


def test_a_value_behind_a_false_start_is_found() -> None:
    assert values(ALL, "4000 4111 1111 1111 1111") == [("CREDIT_CARD", "4111 1111 1111 1111")]
    assert values(ALL, "4111111111111111 5500005555555559") == [
        ("CREDIT_CARD", "4111111111111111"),
        ("CREDIT_CARD", "5500005555555559"),
    ]


def test_each_of_many_is_found() -> None:
    assert len(ALL.find(" ".join(f"u{n}@example.com" for n in range(1000)))) == 1000


def test_an_address_behind_40_kb_of_dots_is_found() -> None:
    found = values(ALL, "a." * 20_000 + "ana@example.com")
    assert [kind for kind, _ in found] == ["EMAIL_ADDRESS"]
    assert found[0][1].endswith("ana@example.com")


class Exhausted:
    """A RE2 set that ran out of memory answers as if nothing had matched."""

    def Match(self, data: bytes) -> None:  # noqa: N802
        return None


def test_running_out_of_memory_is_not_taken_for_absence() -> None:
    engine = Engine([MAIL])
    engine._gate = Exhausted()
    with pytest.raises(ScanError, match="memory"):
        engine.find("nothing here")


def test_an_engine_without_patterns_finds_nothing() -> None:
    assert Engine([]).find("ana@example.com") == []


def test_threads_share_an_engine() -> None:
    texts = [f"mail u{n}@example.com and 10.0.0.{n % 250}" for n in range(400)]
    with ThreadPoolExecutor(4) as pool:
        assert [list(f) for f in pool.map(ALL.find, texts)] == [ALL.find(text) for text in texts]


HOSTILE = {
    "dotted": "a." * 50_000,
    "dotted, then @": "a." * 50_000 + "@",
    "digits": "1234567890" * 10_000,
    "groups of digits": "1234 " * 20_000,
    "brackets": "[" * 100_000,
    "at signs": "a@" * 50_000,
    "colons": "1:" * 50_000,
    "hex": "0123456789abcdef-" * 6_000,
    "base64": "AKIA" + "Zx9/" * 25_000,
    "key headers": ("-----BEGIN " + "PRIVATE KEY-----") * 3_700,
    "token starts": "eyJ" + "hbGciOi." * 12_000,
    "letters beyond ASCII": "é@ü." * 25_000,
    "backslashes": "\\u0040" * 16_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_of_100_kb_costs_less_than_100_ms(text: str) -> None:
    assert seconds(lambda: ALL.find(text), 0.1) <= 0.1


def test_a_value_behind_many_false_starts_is_found() -> None:
    """As a card is in a list of numbers written like cards."""
    numbers = " ".join(f"{4000 + n:04} {5000 + n:04}" for n in range(500))
    found = ALL.find(f"{numbers} 4111 1111 1111 1111 {numbers}")
    assert any(f.kind == "CREDIT_CARD" and f.start <= len(numbers) + 1 < f.end for f in found)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("git clone https://{token}@github.com/a/b", "git clone https://<GITHUB_TOKEN>@github.com/a/b"),
        ("https://ana:{token}@github.com/a", "https://ana:<GITHUB_TOKEN>@github.com/a"),
        ("{token}@github.com", "<GITHUB_TOKEN>"),
        ("https://x.example/?q={token}@github.com", "https://x.example/?q=<GITHUB_TOKEN>"),
        ("https://ana@example.org/x", "https://<EMAIL_ADDRESS>/x"),
        ("https://u:h7Lq{token}@a.example bo@example.org", "https://u:<URL_PASSWORD>@a.example <EMAIL_ADDRESS>"),
    ],
)
def test_the_host_behind_a_secret_of_an_address_stays(before: str, after: str) -> None:
    """The two look like an e-mail address; elsewhere they may be one."""
    token = "ghp_" + fill("{alnum:36}")
    scanner = Scanner(frozenset({"GITHUB_TOKEN", "URL_PASSWORD", "EMAIL_ADDRESS"}))
    assert scanner.clean_text(before.replace("{token}", token)).value == after
