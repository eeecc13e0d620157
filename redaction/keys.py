"""Names that say what their value is, as `first_name`, `dateOfBirth`, `cvv`; their families are data, `keys.toml`."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from re2 import escape

from redaction.kept import Kept
from redaction.linear import Match, matcher
from redaction.scout import in_strings

FILE = Path(__file__).with_name("keys.toml")
NAMES_KEPT = 4_000
LONGEST_NAME = 100
LONGEST_VALUE = 400
# Behind a name in a text.
_SIGN = r"""["'`\])*_]{0,3}[ \t]{0,3}(?:[:=]|</)"""
# Behind the head of a column in a text: what ends a cell of a table.
_MARK = r"""["'`*_]{0,3}(?: {2}|[ \t]?[\t,;|\r\n\x{2502}\x{2503}\x{2551}]|</[Tt][HhDd])"""
_SHORT = 4
_CLUSTER_VALUES = "Secret of Kubernetes"
MANIFEST = "Secret"
"""What labels an object whose `data` and `stringData` are secret (Kubernetes docs, Secrets)."""

# In an object under a name that says what its value is, members that hold it: `{"first_name": {"value": "Ana"}}`.
# Some write its type there: DynamoDB (S, N, SS, NS, L, M), Protocol Buffers (stringValue), MongoDB ($numberLong).
_WRAPS = frozenset({
    "value", "values", "val", "raw", "formatted", "current", "string value", "stringvalue", "formatted value",
    "display value", "integer value", "number value", "v", "s", "n", "ss", "ns", "l", "m", "number long", "number int",
})  # fmt: skip
# Names of members that say of which type their object is.
_TYPES = frozenset({"type", "kind", "typename"})
_NO_WRAPS: frozenset[str] = frozenset()
SCORE = 0.6  # a pattern that is sure of what it saw names the kind
DETECTOR = "key"

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)")
_NO_LETTER = re.compile(r"[\W_]+")
# Between the words of a name: the signs of ASCII and what else is written there. All of Unicode would make each of a
# thousand expressions three times as large.
_ROOM = r'(?:[^0-9A-Za-z"\x{80}-\x{10FFFF}]{0,2}|[\x{A0}\x{B7}\x{2010}-\x{2019}])'
_SPACE = r"[ \t\r\n]*"
_END = rf'[^A-Za-z"\x{{80}}-\x{{10FFFF}}]{{0,4}}"{_SPACE}'
_NO_WORD = '[^0-9A-Za-z"]*'
# How names of secrets end.
_SECRETS = "key|token|secret|passw(?:or)?d|pwd|passphrase|credential|cookie|authorization"


@dataclass(frozen=True, slots=True)
class Family:
    """One block of `keys.toml`; see there for the fields."""

    kind: str
    says: str
    value: str
    yes: tuple[str, ...]
    no: tuple[str, ...]
    ends: tuple[str, ...] = ()
    alone: bool = False
    unless: str = ""
    object: tuple[str, ...] = ()
    within: str = ""
    text: str = ""
    longest: int = LONGEST_VALUE
    exact: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signs:
    """Names that are signs of a person, beside a bare name or over it, and those that are signs of none."""

    against: frozenset[str]
    types: frozenset[str]
    beside: frozenset[str]
    over: frozenset[str]


@dataclass(frozen=True, slots=True)
class Beside:
    """Names of members that hold a label, and of those that hold what it is the label of."""

    labels: frozenset[str]
    values: frozenset[str]


class Role:
    """What one name means: what judges its value, whether only near a sign, and which sign it is itself."""

    __slots__ = ("alone", "beside", "judge", "over")

    def __init__(self, judge: "Judge | None", beside: bool = False, over: bool = False) -> None:
        self.judge, self.beside, self.over = judge, beside, over
        self.alone = judge is not None and judge.alone


SIGN = Role(None, beside=True)
"""What only says that a person is meant."""


class Keys:
    """The families of some kinds. Safe to use from many threads."""

    def __init__(self, kinds: frozenset[str]) -> None:
        chosen = [family for family in families() if family.kind in kinds]
        self._signs = signs()
        self._judges = [Judge(family) for family in chosen]
        self._exact = {words: judge for judge in reversed(self._judges) for words in judge.family.exact}
        self._ends = {words: judge for judge in reversed(self._judges) for words in judge.family.ends}
        bare = [words for judge in self._judges if judge.alone for words in judge.family.exact]
        certain = [
            words for judge in self._judges if not judge.alone for words in (*judge.family.exact, *judge.family.ends)
        ]
        self.find_bare = matcher(_expression(bare), capture=False) if bare else None
        self.find_against = matcher(_expression(self._signs.against), capture=False) if bare else None
        spoken = [words for judge in self._judges if judge.in_text for words in judge.family.ends]
        heads = {*certain, *(self._signs.beside if bare else ())} if spoken else set[str]()
        self._pair = f"(?i:{_either(spoken)})(?:e?s)?{_SIGN}"
        self._head = f"{_heading(heads)}{_MARK}"
        self.gate = f"{_heading(heads)}(?:{_SIGN}|{_MARK})" if spoken else ""
        """Where in a text a name may tell something: what `find_pair` or `find_head` finds, and some more."""
        self.secret = self._exact.get(_CLUSTER_VALUES)
        """What judges the values of a Secret of Kubernetes."""
        telling = [*certain, *self._signs.beside, *self._signs.over] if bare else certain
        near = [
            f"{_heading(heads)}(?:{_END}:|{in_strings(f'{_SIGN}|{_MARK}')})" if spoken else "",  # compiled once for all
            _expression(name for name in telling if name not in heads or len(name) <= _SHORT),
            _expression(bare, rf":{_SPACE}(?:\[{_SPACE})?\{{"),  # by itself it counts only over objects
        ]
        self.near = [expression for expression in near if expression]
        """What a scout looks for."""
        self._telling = [*telling, *self._signs.types] if bare else telling
        self._column = _expression(telling, r"[,\]]")
        self.words = Kept(words_of, NAMES_KEPT).__getitem__
        self.role = Kept(self._role, NAMES_KEPT).__getitem__

    def labelled(self, secrets: bool) -> str:
        """Matches members that hold what may be a label, see `labels`; `secrets`: also that of a secret."""
        ends = [f"(?i:{_either(self._telling)})(?:e?s)?{_END}"] if self._telling else []
        ends += [f'{MANIFEST}"{_SPACE}'] if self.secret else []
        return _labelled([*ends, *([f"(?i:{_SECRETS})s?{_END}"] if secrets else [])])

    def is_person(self, name: str, value: str) -> bool:
        """Whether a member with this value says that its object is a person."""
        return self.words(name) in _TYPES and self.words(value) in self._signs.types

    def is_against(self, name: str) -> bool:
        """Whether beside such a name a bare name is no person's."""
        return self.words(name) in self._signs.against

    @cached_property
    def find_heads(self) -> Match | None:
        """Finds strings in lists that may head a column."""
        return matcher(self._column, capture=False) if self._column else None

    @cached_property
    def find_pair(self) -> Match:
        """Finds a name with the sign behind it. Only where there is a `gate`."""
        return matcher(self._pair, capture=False)

    @cached_property
    def find_head(self) -> Match:
        """Finds a name where it may head a column of a text. Only where there is a `gate`."""
        return matcher(self._head, capture=False)

    def __bool__(self) -> bool:
        return bool(self._judges)

    def _role(self, name: str) -> Role | None:
        """What a name means; None for most."""
        words = words_of(name)
        single = _singular(words)
        beside = words in self._signs.beside or single in self._signs.beside
        over = words in self._signs.over or single in self._signs.over
        family = self._exact.get(words) or self._ending(words) or self._ending(single)
        return Role(family, beside, over) if family or beside or over else None

    def _ending(self, words: str) -> "Judge | None":
        at = 0
        while True:
            if found := self._ends.get(words[at:]):
                return found
            at = words.find(" ", at) + 1
            if not at:
                shorter = re.sub(r" \d+$", "", words)
                return self._ending(shorter) if shorter != words else None


class Judge:
    """Whether a value is of a family."""

    def __init__(self, family: Family) -> None:
        self.family, self.kind, self.alone = family, family.kind, family.alone
        self.members = frozenset(family.object)
        self.wraps = _NO_WRAPS if family.alone else _WRAPS
        self._value = re.compile(_python(family.value), re.DOTALL)
        self._within = re.compile(_python(family.within or family.value), re.DOTALL)
        self._text = re.compile(_python(family.text or family.value), re.DOTALL)
        self.in_text = family.text != "-" and not family.alone
        self._unless = re.compile(family.unless or r"(?!)", re.DOTALL)

    def fits(self, value: str, name: str, inside: bool = False) -> bool:
        """Whether a value under a name is of the family. `inside`: the name is one in an object of the family."""
        return self._is_one(value, name, self._within if inside else self._value)

    def fits_text(self, value: str, name: str) -> bool:
        """The same for what stands behind a name in a text."""
        return self.in_text and self._is_one(value, name, self._text)

    def _is_one(self, value: str, name: str, form: re.Pattern[str]) -> bool:
        if not value or len(value) > self.family.longest:
            return False
        value = value.strip()
        if not form.fullmatch(value) or self._unless.match(value):
            return False
        return not _is_label(value, name)


def _is_label(value: str, name: str) -> bool:
    """Whether a value only says its name again: `"firstName": "First name"`."""
    if len(value) > 2 * len(name):
        return False
    first, other = value[:1], name[:1]
    if first.isalnum() and other.isalnum() and first.lower() != other.lower():
        return False
    return words_of(value) == words_of(name)


@cache
def families() -> Sequence[Family]:
    """All families, in the order of their file."""
    return [_family(block) for block in _loaded()["family"]]


@cache
def signs() -> Signs:
    """The signs of a person."""
    block = _loaded()["signs"]
    return Signs(*(frozenset(block[each]) for each in ("against", "types", "beside", "over")))


@cache
def beside() -> Beside:
    """Where labels and their values stand."""
    block = _loaded()["beside"]
    return Beside(frozenset(block["labels"]), frozenset(block["values"]))


@cache
def kinds() -> frozenset[str]:
    """The kinds that names tell."""
    return frozenset(family.kind for family in families())


def words_of(name: str) -> str:
    """The words of a name in snake_case, camelCase or any other, in lower case with a space between them."""
    if len(name) > LONGEST_NAME:
        return ""
    return _NO_LETTER.sub(" ", _HUMP.sub(" ", name)).strip().lower()


def _family(block: dict[str, Any]) -> Family:
    named: dict[str, Any] = {"exact" if name == "is" else name: _frozen(value) for name, value in block.items()}
    return Family(**named)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@cache
def _loaded() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))


def _singular(words: str) -> str:
    return words.removesuffix("es") if words.endswith("sses") else words.removesuffix("s")


def _expression(names: Iterable[str], behind: str = ":") -> str:
    """Matches, in JSON without escapes, the end of a string that ends with one of the names, and what stands behind
    it: a colon, for the string is a name.
    """
    either = _either(names)
    return f"(?i:{either})(?:e?s)?{_END}{behind}" if either else ""


def _heading(names: Iterable[str]) -> str:
    """Matches one of the names where it may head a column in a text. Short ones end other words too, as `true,`."""
    known = {*names}
    short = {name for name in known if len(name) <= _SHORT}
    return f"(?i:(?:^|[^a-z])(?:{_either(short)})|{_either(known - short)})(?:e?s)?"


def _either(names: Iterable[str]) -> str:
    return "|".join(sorted({_ROOM.join(map(escape, name.split())) for name in names}))


def _labelled(ends: Sequence[str]) -> str:
    """Matches a member that holds a label with one of the ends."""
    members = "|".join(sorted(_NO_WORD.join(name.split()) for name in beside().labels))
    member = rf'"{_NO_WORD}(?i:{members}){_NO_WORD}"{_SPACE}:{_SPACE}"'
    return rf'{member}[^"]*(?:{"|".join(ends)})[,}}]' if ends else ""


def _python(expression: str) -> str:
    return expression.replace(r"\x{7f}", r"\x7f")
