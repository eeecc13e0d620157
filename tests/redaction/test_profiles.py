import pytest

from redaction.detector import FOLDER, load
from redaction.profiles import PROFILES, UnknownKind, kinds_of, own_kinds


def test_the_profiles_are_those_that_are_promised() -> None:
    assert list(PROFILES) == ["off", "secrets", "standard", "strict", "medical", "payment"]
    assert kinds_of("off") == frozenset()
    assert {"PRIVATE_KEY", "JWT", "GITHUB_TOKEN", "AWS_ACCESS_KEY_ID"} <= kinds_of("secrets")
    assert kinds_of("strict") == own_kinds()


def test_standard_holds_what_can_be_told_and_not_what_agents_work_with() -> None:
    assert {"EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "PHONE_NUMBER"} <= kinds_of("standard")
    assert not {"IP_ADDRESS", "DATE_TIME", "URL", "US_DRIVER_LICENSE", "US_BANK_NUMBER"} & kinds_of("standard")


def test_every_profile_but_off_holds_the_sure_secrets_and_strict_holds_every_profile() -> None:
    guesses = {"GENERIC_SECRET", "GENERIC_PASSWORD"}
    for name in set(PROFILES) - {"off"}:
        assert kinds_of("secrets") - guesses <= kinds_of(name) <= kinds_of("strict")
    assert guesses <= kinds_of("secrets") & kinds_of("strict")
    assert not guesses & kinds_of("standard")


def test_what_is_guessed_from_the_words_before_it_is_no_part_of_standard() -> None:
    guessed = {pattern.kind for path in FOLDER.glob("secrets_guessed*.toml") for pattern in load(path)}
    assert guessed <= kinds_of("secrets")
    for name in ("standard", "medical", "payment"):
        assert "GENERIC_SECRET" in guessed
        assert "GENERIC_SECRET" not in kinds_of(name)


def test_medical_and_payment_hold_what_they_are_for() -> None:
    assert kinds_of("standard") | {"IP_ADDRESS"} <= kinds_of("medical")
    assert {"CREDIT_CARD", "IBAN_CODE"} <= kinds_of("payment")
    assert "EMAIL_ADDRESS" not in kinds_of("payment")


def test_a_profile_is_a_list_of_kinds_in_order_that_our_own_patterns_find() -> None:
    for kinds in PROFILES.values():
        assert list(kinds) == sorted(set(kinds) & own_kinds())


def test_a_list_of_kinds_is_taken_as_it_is() -> None:
    assert kinds_of(["JWT", "EMAIL_ADDRESS"]) == {"JWT", "EMAIL_ADDRESS"}
    assert kinds_of([]) == frozenset()


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("standart", "did you mean 'standard'"),
        ("EMAIL_ADDRESS", "kinds are given as a list"),
        (["EMAIL_ADRESS"], "did you mean 'EMAIL_ADDRESS'"),
        (["jwt"], "did you mean 'JWT'"),
        (["US_PASPORT"], "did you mean 'US_PASSPORT'"),
        (["standard"], "finds the kind 'standard'"),
        ([""], "finds the kind ''"),
    ],
)
def test_what_nothing_can_find_is_refused_with_the_closest_name(spec: str | list[str], hint: str) -> None:
    with pytest.raises(UnknownKind, match=hint):
        kinds_of(spec)


def test_an_entity_of_presidio_is_known() -> None:
    assert kinds_of(["CRYPTO", "JWT"]) == {"CRYPTO", "JWT"}
