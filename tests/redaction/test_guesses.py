import base64

import pytest

from redaction import guesses
from tests.redaction.fill import fill

NO_SECRETS = [
    "${API_TOKEN_1234}",
    "$API_TOKEN_1234",
    "{{ token_1234567890 }}",
    "<your-token-1234>",
    "%(token_12345678)s",
    "process.env.TOKEN2",
    "os.environ['TOKEN_1']",
    "get_token_2(user1)",
    "settings.api_token1",
    "your_token_here_12",
    "xxxxxxxx12345678",
    "a-random-looking-string",
    "2024-05-01T12:00:00Z",
    "1.2.3-alpha.45678",
    "/var/log/nginx/a1.log",
    "certs/prod/key1.pem",
    "https://example.com/a1",
    "short1",
    "1111111111111",
]


@pytest.mark.parametrize(
    "template", ["a1{alnum:12}", "b2{hex:38}", "{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}", "{b64:40}=="]
)
def test_what_was_made_by_chance_is_opaque(template: str) -> None:
    for seed in range(20):
        value = fill(template, seed)
        assert guesses.opaque(value) == len(value)


@pytest.mark.parametrize("value", NO_SECRETS)
def test_templates_code_paths_and_words_are_not(value: str) -> None:
    assert guesses.opaque(value) == guesses.random(value) == 0


def test_random_wants_more_than_opaque() -> None:
    short = fill("a1{alnum:11}")
    assert guesses.opaque(short)
    assert not guesses.random(short)
    assert not guesses.random("12345678901234567890")


@pytest.mark.parametrize("value", ["hunter2", "open_sesame", "pa$$word1", "s", "ünïcode"])
def test_a_password_is_what_somebody_chose(value: str) -> None:
    assert guesses.password(value) == (len(value) if len(value) > 1 else 0)


@pytest.mark.parametrize(
    "value",
    ["None", "true", "password", "'string'", "${PASSWORD}", "<password>", "getenv(", "user.password", "****", "aaaa"],
)
def test_and_no_template_no_code_and_no_name_of_a_field(value: str) -> None:
    assert guesses.password(value) == 0


def test_in_an_address_anything_but_a_template_is_a_password() -> None:
    assert guesses.password_in_address("password") == 8
    for value in ("{password}", "${PASSWORD}", "<password>", "***", "xxxx", "%s"):
        assert guesses.password_in_address(value) == 0


def test_prose_behind_a_colon_is_no_odd_password() -> None:
    assert guesses.odd_password("required.") == guesses.odd_password("wrong") == 0
    assert guesses.odd_password("tr0ub4dor") == 9


def test_basic_credentials_hold_a_colon() -> None:
    for plain, held in (("ana:s3cret", True), ("ana:", True), ("anas3cret", False), ("a:\x00\x01", False)):
        value = base64.b64encode(plain.encode()).decode()
        assert guesses.basic(value) == (len(value) if held else 0)
        assert guesses.basic(value.rstrip("=")) == (len(value.rstrip("=")) if held else 0)
    assert guesses.basic("!!!!") == 0


@pytest.mark.parametrize(
    "template",
    [
        "us-east-1:{digit:12}:secret:db-{alnum:6}",
        "LS0tLS1CRUdJTiBD{cut:0}RVJU{b64:40}",
        "LS0tLS1CRUdJTiBQ{cut:0}VUJM{b64:40}",
        "SHA256:{b64:43}",
    ],
)
def test_what_everybody_may_know_is_not_opaque(template: str) -> None:
    assert guesses.opaque(fill(template)) == 0


def test_a_folder_is_no_password() -> None:
    assert guesses.password("/home/ana/shop") == guesses.password("/app") == 0
    assert guesses.password("/hom3+ana") == 9


def test_behind_words_an_assignment_is_not_the_value_itself() -> None:
    value = fill("a1{alnum:38}")
    assert guesses.unassigned("ACCESS_KEY=" + value) == 0
    assert guesses.unassigned(value + "==") == len(value) + 2
