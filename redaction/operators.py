"""Ways to rewrite a finding."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from importlib.util import find_spec
from typing import AnyStr, Final, NamedTuple

from redaction.finding import Finding

NAMES: Final = ("kind", "mask", "keep_last_4", "hash", "encrypt", "pseudonym", "zero", "drop", "redact")
"""The ways that need no text of their own; `replace` is the other one."""

APART: Final = "presidio"
"""The way that is not ours: an operator of Presidio's, named by the mark, writes in a process of its own."""

KEYED: Final = frozenset({"hash", "encrypt"})
"""The ways that need a key."""

REALISTIC: Final = "realistic"

MOST_SHOWN: Final = 4
# With fewer letters and digits than this the last four would be too much of the value.
_LEAST_BEFORE_SHOWN = 9
_SEPARATORS = " -./"
_HASH_BYTES = 8  # among 10,000 values two share a token in one of 10^11 cases


class Way(NamedTuple):
    """How findings of a kind are rewritten: one of NAMES or `replace`, and the character or text that is written.

    - `kind`: the kind in angle brackets, `<EMAIL_ADDRESS>`; what is done where nothing else is said.
    - `mask`: each character becomes `mark`, so the length stays.
    - `keep_last_4`: the last four letters or digits stay, those before become `*`; spaces, `-`, `.` and `/` stay.
    - `hash`: `<KIND_HEX>`, a keyed BLAKE2b (RFC 7693): the same for the same value under the same key.
    - `encrypt`: `<KIND:TEXT>`, AES-SIV (RFC 5297) in base64url: the same for the same value, and `decrypt` reads it.
    - `pseudonym`: `<KIND_N>`, the Nth value of its kind in a run, which can be put back (see `redaction.pseudonyms`);
      an invented value of the same form if `mark` is REALISTIC. Where there is no run, as `kind`.
    - `zero`: a JSON number becomes 0 and stays a number; elsewhere as `kind`.
    - `redact`: nothing is left of it.
    - `replace`: it becomes `mark`, which holds nothing that JSON escapes.
    - `presidio`: what the operator `mark` of Presidio's anonymizer makes of it; as `kind` where nobody asks that.
    - `drop`: the member of a JSON object that holds it is taken out; elsewhere as `kind`. If `mark` is a JSON pointer
      this goes for what lies below it alone.
    """

    name: str = "kind"
    mark: str = "*"


PLAIN: Final = Way()


def kind(finding: Finding) -> str:
    """The kind in angle brackets: `<EMAIL_ADDRESS>`."""
    return f"<{finding.kind}>"


def rewritten(way: Way, kind: str, value: str, key: bytes) -> str:
    """What stands in the place of a value. It holds nothing that JSON escapes. `key` has 32 bytes where it is needed.

    Raises ValueError for a way that needs a key where none is given.
    """
    if way.name in KEYED and not key:
        raise ValueError(f"{way.name} needs a key")
    match way.name:
        case "mask":
            return way.mark * len(value)
        case "redact":
            return ""
        case "replace":
            return way.mark
        case "keep_last_4":
            return _last_four(value)
        case "hash":
            return f"<{kind}_{_hash(value, key)}>"
        case "encrypt":
            return f"<{kind}:{_encrypted(kind, value, key)}>"
    return f"<{kind}>"


def missing(name: str) -> str:
    """The package that a way needs, where it is not installed; the one of `encrypt` comes with Presidio."""
    package = {"encrypt": "cryptography", APART: "presidio_anonymizer"}.get(name, "")
    return package.replace("_", "-") if package and find_spec(package) is None else ""


def decrypt(token: str, key: bytes) -> str:
    """The value behind what `encrypt` wrote. Raises ValueError for anything else, or under another key."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    kind, _, text = token.removeprefix("<").removesuffix(">").partition(":")
    try:
        sealed = _from_base64(text)
        return AESSIV(_long(key)).decrypt(sealed, [kind.encode()]).decode("utf-8", "surrogatepass")
    except (InvalidTag, ValueError):  # it may hold part of the token
        raise ValueError("this is no token of this key") from None


def splice(text: AnyStr, edits: Iterable[tuple[int, int, AnyStr]]) -> AnyStr:
    """`text` with each `(start, end, new)` put in place. The edits must be in order and must not overlap."""
    pieces: list[AnyStr] = []
    at = 0
    for start, end, new in edits:
        pieces += text[at:start], new
        at = end
    pieces.append(text[at:])
    return text[:0].join(pieces)


def _last_four(value: str) -> str:
    shown = MOST_SHOWN if sum(map(str.isalnum, value)) >= _LEAST_BEFORE_SHOWN else 0
    written: list[str] = []
    for character in reversed(value):
        if character.isalnum() and shown:
            shown -= 1
            written.append(character)
        else:
            written.append(character if character in _SEPARATORS else "*")
    return "".join(reversed(written))


def _hash(value: str, key: bytes) -> str:
    return hashlib.blake2b(_bytes(value), digest_size=_HASH_BYTES, key=key, person=b"toolwall hash").hexdigest()


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _encrypted(kind: str, value: str, key: bytes) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    sealed = AESSIV(_long(key)).encrypt(_bytes(value), [kind.encode()])
    return urlsafe_b64encode(sealed).decode().rstrip("=")


def _from_base64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _long(key: bytes) -> bytes:
    """AES-SIV takes two keys of 256 bits; both come from ours, for this purpose alone."""
    return hashlib.blake2b(b"encrypt", digest_size=64, key=key, person=b"toolwall siv").digest()
