import pytest

from redaction.profiles import PROFILES, UnknownKind, kinds_of, own_kinds


def test_off_is_nothing_and_standard_holds_secrets() -> None:
    assert kinds_of("off") == frozenset()
    assert kinds_of("secrets") < kinds_of("standard")
    assert {"EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "PHONE_NUMBER"} <= kinds_of("standard")
    assert {"PRIVATE_KEY", "JWT", "GITHUB_TOKEN", "AWS_ACCESS_KEY_ID"} <= kinds_of("secrets")


def test_the_profiles_are_made_of_kinds_that_our_own_patterns_find() -> None:
    for kinds in PROFILES.values():
        assert set(kinds) <= own_kinds()


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


def test_an_entity_that_needs_a_language_model_is_not() -> None:
    with pytest.raises(UnknownKind, match="PERSON"):
        kinds_of(["PERSON"])
