"""Named sets of kinds, and the kinds that a rule's author may name."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType

from redaction.detector import FOLDER, all_patterns, load

_PERSONAL = ("EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "PHONE_NUMBER")
_SECRETS = tuple(sorted({pattern.kind for pattern in load(FOLDER / "secrets.toml")}))

PROFILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "off": (),
        "secrets": _SECRETS,
        "standard": _PERSONAL + _SECRETS,
    }
)


class UnknownKind(ValueError):
    """A kind or profile by this name does not exist, or nothing installed can find it."""


@cache
def own_kinds() -> frozenset[str]:
    """The kinds that our own patterns find."""
    return frozenset(pattern.kind for pattern in all_patterns())


def kinds_of(spec: str | Sequence[str]) -> frozenset[str]:
    """The kinds of a profile's name, or of a list of kinds (ours or Presidio's entity names).

    Raises UnknownKind, with the closest name, for what nothing can find. Presidio is loaded only to look up a name
    that is none of ours.
    """
    if isinstance(spec, str):
        if spec not in PROFILES:
            raise UnknownKind(f"there is no profile {spec!r}{suggest(spec, PROFILES)}; kinds are given as a list")
        return frozenset(PROFILES[spec])
    kinds = frozenset(spec)
    require(kinds)
    return kinds


def require(kinds: frozenset[str]) -> frozenset[str]:
    """Those of `kinds` that only Presidio finds. Raises UnknownKind for one that nothing finds."""
    foreign = kinds - own_kinds()
    known, missing = _presidio_kinds() if foreign else (frozenset(), "")
    for kind in sorted(foreign - known):
        raise UnknownKind(f"nothing finds the kind {kind!r}{suggest(kind, own_kinds() | known)}{missing}")
    return foreign


def suggest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'NAME'?)` for the closest known name, else nothing."""
    names = {known_name.upper(): known_name for known_name in known}
    close = get_close_matches(name.upper(), names, n=1)
    return f" (did you mean {names[close[0]]!r}?)" if close else ""


def _presidio_kinds() -> tuple[frozenset[str], str]:
    from redaction import presidio

    try:
        return frozenset(presidio.recognizers()), ""
    except ImportError:
        return frozenset(), "; Presidio, which may find it, is not installed"
