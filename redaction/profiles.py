"""Named sets of kinds, and the kinds that a rule's author may name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType

from redaction import keys
from redaction.detector import all_patterns, families

# A checksum, a form or a name close by tells these from anything else: what agents work with stays whole.
_PERSONAL = ("EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "PHONE_NUMBER")
# What PCI DSS 4.0 calls account data, and accounts that money moves by.
_PAYMENT = ("CREDIT_CARD", "IBAN_CODE", "ABA_ROUTING_NUMBER", "US_BANK_NUMBER", "CRYPTO", "BANK_ACCOUNT", "CVV", "PIN")
# The identifiers of 45 CFR 164.514(b)(2) that have a form, and the numbers of patients elsewhere.
_MEDICAL = (
    "US_MBI", "US_NPI", "MEDICAL_LICENSE", "US_HEALTH_INSURANCE_MEMBER_ID", "US_CLAIM_NUMBER", "US_PRESCRIPTION_NUMBER",
    "US_PRIOR_AUTHORIZATION_NUMBER", "US_REFERRAL_NUMBER", "US_PROVIDER_TAX_ID", "US_DRIVER_LICENSE", "US_ITIN",
    "US_BANK_NUMBER", "UK_NHS", "AU_MEDICARE", "CA_SIN", "MAC_ADDRESS", "IP_ADDRESS",
)  # fmt: skip


def _family(prefix: str) -> frozenset[str]:
    """The kinds of the files of detectors whose names begin so."""
    chosen = (patterns for name, patterns in families().items() if name.startswith(prefix))
    return frozenset(pattern.kind for patterns in chosen for pattern in patterns)


def _profiles() -> Iterator[tuple[str, tuple[str, ...]]]:
    # What only the words before it tell is a guess: asked for by name, by `secrets` or by `strict`.
    secrets, every = _family("secrets"), _family("") | keys.kinds()
    sure = secrets - _family("secrets_guessed")
    standard = sure | set(_PERSONAL) | keys.kinds()
    yield "off", ()
    yield "secrets", tuple(sorted(secrets))
    yield "standard", tuple(sorted(standard))
    yield "strict", tuple(sorted(every))
    yield "medical", tuple(sorted(every & (standard | set(_MEDICAL))))
    yield "payment", tuple(sorted(every & (sure | set(_PAYMENT))))


PROFILES: Mapping[str, tuple[str, ...]] = MappingProxyType(dict(_profiles()))


PRESIDIO = "presidio:"
"""Before the name of an entity: what Presidio's own recognizers say, also where our patterns find that kind."""


NO_MORE: frozenset[str] = frozenset()


class UnknownKind(ValueError):
    """A kind or profile by this name does not exist, or nothing installed can find it."""


@cache
def own_kinds() -> frozenset[str]:
    """The kinds that our own patterns find."""
    return frozenset(pattern.kind for pattern in all_patterns()) | keys.kinds()


def kinds_of(spec: str | Sequence[str], more: frozenset[str] = NO_MORE) -> frozenset[str]:
    """The kinds of a profile's name, or of a list of kinds: ours, `more` that are known, or Presidio's entity names.

    Raises UnknownKind, with the closest name, for what nothing can find. Presidio is loaded only to look up a name
    that is none of ours.
    """
    if isinstance(spec, str):
        if spec not in PROFILES:
            known = suggest(spec, PROFILES) or f" (there are {', '.join(PROFILES)})"
            raise UnknownKind(f"there is no profile {spec!r}{known}; kinds are given as a list")
        return frozenset(PROFILES[spec])
    kinds = frozenset(spec)
    require(kinds, more)
    return kinds


def require(kinds: frozenset[str], more: frozenset[str] = NO_MORE) -> frozenset[str]:
    """Those of `kinds` for Presidio: not ours, or `presidio:KIND`. Raises UnknownKind for what nothing finds."""
    foreign = kinds - own_kinds() - more
    known, missing = _presidio_kinds() if foreign else (frozenset(), "")
    for kind in sorted(kind for kind in foreign if kind.removeprefix(PRESIDIO) not in known):
        raise UnknownKind(f"nothing finds the kind {kind!r}{suggest(kind, own_kinds() | more | known)}{missing}")
    return foreign


def suggest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'NAME'?)` for the closest known name, else nothing."""
    names = {known_name.upper(): known_name for known_name in known}
    close = get_close_matches(name.upper(), names, n=1)
    return f" (did you mean {names[close[0]]!r}?)" if close else ""


def _presidio_kinds() -> tuple[frozenset[str], str]:
    from redaction import presidio, presidio_names

    try:
        return frozenset(presidio.recognizers()) | presidio_names.KINDS, ""
    except ImportError:
        return frozenset(), "; Presidio, which may find it, is not installed"
