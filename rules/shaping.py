"""Shaping: what part of an answer an agent gets, and the answer as it then is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from redaction import walk
from redaction.fields import Fields, Nothing
from redaction.mediatypes import CHARSETS, EVENTS, LINES
from redaction.pointers import BadPointer
from redaction.scanner import Unreadable
from redaction.shaping import UNBOUNDED, Bounds, Links, Part, Short, Unfit, cut, shortened
from rules.replies import is_json
from rules.shape import size
from rules.source import LoadProblem, Node

LEAST_FIT: Final = 1024
"""Bytes of an answer in which marks and one short item have room."""

_MARK = "\ufeff"  # RFC 8259, 8.1: a reader may ignore a byte order mark


class Unshapable(Exception):
    """The answer cannot be given in the shape that its tool's contract promises. The message says why, without any text
    of it."""


@dataclass(frozen=True, slots=True)
class Shaping:
    """What an agent gets of the answers of a tool. `keep` and `drop` are names or pointers; `bounds` is how much of the
    rest is given at once."""

    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    bounds: Bounds = UNBOUNDED
    fields: Fields = field(init=False, compare=False)
    """Of an answer that is no error."""

    error_fields: Fields = field(init=False, compare=False)
    """Of an error: it has fields of its own, and an agent needs them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", Fields(self.keep, self.drop))
        object.__setattr__(self, "error_fields", Fields((), self.drop))

    @property
    def picks(self) -> bool:
        """Whether only some fields are given."""
        return bool(self.keep or self.drop)

    def as_text(self) -> str:
        """In words."""
        bounds = self.bounds
        said = (
            (self.keep, f"only {', '.join(self.keep)}"),
            (self.drop, f"without {', '.join(self.drop)}"),
            (bounds.most, f"lists of at most {bounds.most} items"),
            (bounds.longest, f"texts of at most {bounds.longest} characters"),
            (bounds.fit, f"at most {bounds.fit} bytes"),
        )
        return ", ".join(words for is_said, words in said if is_said)


class Shaped(NamedTuple):
    """An answer in its shape. `whole` is the text that `parts` are places in; `counts` what was left out, by `fields`,
    `items` and `texts`."""

    body: bytes
    counts: dict[str, int]
    whole: str = ""
    is_json: bool = False
    parts: tuple[Part, ...] = ()


class Answer(NamedTuple):
    """What a backend answered, decoded. `media_type` and `charset` are in lower case; `is_error`: its status says that
    it is not what was asked for."""

    body: bytes
    media_type: str
    charset: str | None = None
    is_error: bool = False

    @property
    def encoding(self) -> str:
        """Python's name of the charset; empty where it is not known."""
        return CHARSETS.get(self.charset or "utf-8", "")


def is_stream(media_type: str) -> bool:
    """Whether bodies of this type go on while they come. How much of one is given at once nobody can say."""
    return media_type == EVENTS or media_type in LINES


def shaped(shaping: Shaping, answer: Answer, links: Links) -> Shaped:
    """The answer in its shape. Raises Unshapable, and Unreadable where the body is not what it says that it is."""
    if is_stream(answer.media_type):
        check_stream(shaping, answer.is_error)
        return Shaped(answer.body, {})
    if not _is_text(answer.media_type):
        return _other(shaping, answer, "")
    text = _decoded(answer.body, answer.encoding)
    document = text.removeprefix(_MARK)
    if is_json(answer.media_type) and not _is_document(document):
        raise Unreadable("the body is not JSON, or is nested too deep")
    if is_json(answer.media_type) or walk.is_document(document):  # JSON is often sent as text
        return _document(shaping, answer, document, links)
    return _text(shaping, answer, text, links) if can_be_cut(answer.media_type) else _other(shaping, answer, text)


def check_stream(shaping: Shaping, is_error: bool) -> None:
    """A stream passes as long as it is, but not where only some fields may be given. Raises Unshapable."""
    if shaping.picks and not is_error:
        raise Unshapable("it is a stream, and of this tool's answers only some fields are given")


def can_be_cut(media_type: str) -> bool:
    """Whether the beginning of such a text is such a text."""
    return media_type.startswith("text/") and not _is_markup(media_type)


def _is_text(media_type: str) -> bool:
    return is_json(media_type) or media_type.startswith("text/") or _is_markup(media_type)


def _is_markup(media_type: str) -> bool:
    return media_type in ("application/xml", "text/xml") or media_type.endswith("+xml")


def _decoded(body: bytes, encoding: str) -> str:
    if not encoding:
        raise Unreadable("the charset of the body cannot be read")
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:  # it holds the body, so nothing is raised from it
        pass
    raise Unreadable(f"the body is not {encoding}, which is its charset unless it names another")


def _is_document(text: str) -> bool:
    try:
        walk.check(text)
    except walk.BadJson:
        return False
    return True


def _document(shaping: Shaping, answer: Answer, text: str, links: Links) -> Shaped:
    mark = len(answer.body) - len(text.encode(answer.encoding))
    bounds = shaping.bounds._replace(fit=max(0, shaping.bounds.fit - mark))
    try:
        left, gone = (shaping.error_fields if answer.is_error else shaping.fields).applied(text)
        short = shortened(left, bounds, links, answer.encoding)
    except Nothing:
        raise Unshapable("it holds nothing of what this tool's answers are limited to") from None
    except Unfit:
        raise Unshapable(too_long(shaping)) from None
    if not (counts := _counts(gone, short)):
        return Shaped(answer.body, {})
    return Shaped(answer.body[:mark] + short.text.encode(answer.encoding), counts, left, True, short.parts)


def _text(shaping: Shaping, answer: Answer, text: str, links: Links) -> Shaped:
    _refuse_fields(shaping, answer)
    try:
        short = cut(text, shaping.bounds, links, answer.encoding)
    except Unfit:
        raise Unshapable(too_long(shaping)) from None
    if not (counts := _counts(0, short)):
        return Shaped(answer.body, {})
    return Shaped(short.text.encode(answer.encoding), counts, text, False, short.parts)


def _other(shaping: Shaping, answer: Answer, text: str) -> Shaped:
    """What is no longer what it says that it is when it is cut: it is given as it is, or not."""
    _refuse_fields(shaping, answer)
    _, longest, fit = shaping.bounds
    if (fit and len(answer.body) > fit) or (longest and len(text) > longest):
        raise Unshapable(too_long(shaping))
    return Shaped(answer.body, {})


def _refuse_fields(shaping: Shaping, answer: Answer) -> None:
    if shaping.picks and not answer.is_error:
        raise Unshapable("it is not JSON, and of this tool's answers only some fields are given")


def _counts(fields: int, short: Short) -> dict[str, int]:
    counts = {"fields": fields, "items": short.items, "texts": short.texts}
    return {what: number for what, number in counts.items() if number}


def too_long(shaping: Shaping) -> str:
    """Why an answer is withheld that is not within its bounds."""
    unit = "bytes" if shaping.bounds.fit else "characters"
    most = shaping.bounds.fit or shaping.bounds.longest
    return f"it cannot be cut to {most} {unit} and stay what it is. Ask for less"


def told(counts: Mapping[str, int]) -> str:
    """What was left out, as headers and results say it."""
    return ", ".join(f"{what}={count}" for what, count in counts.items())


def read_shaping(said: Callable[[str], Node | None]) -> tuple[Shaping | None, list[LoadProblem]]:
    """What the keys of `reply` say of shaping, None where they say nothing, and what is wrong with them."""
    nodes = {word: node for word in ("keep", "drop", "most", "longest", "fit") if (node := said(word))}
    if not nodes:
        return None, []
    problems = [*_problems(nodes), *_unused(nodes.get("fit"), said("most_bytes"))]
    if problems:
        return None, problems
    most, longest, fit = (nodes[word].value if word in nodes else 0 for word in ("most", "longest", "fit"))
    return Shaping(_listed(nodes.get("keep")), _listed(nodes.get("drop")), Bounds(most, longest, size(fit))), []


def _unused(fit: Node | None, most: Node | None) -> Iterator[LoadProblem]:
    if fit and most and size(fit.value) > size(most.value):
        yield fit.problem("is more than `most_bytes`, beyond which a reply is withheld", "give `most_bytes` room")


def _listed(node: Node | None) -> tuple[str, ...]:
    return tuple(each.value for each in node.each()) if node else ()


def _problems(nodes: dict[str, Node]) -> Iterator[LoadProblem]:
    named: dict[str, str] = {}
    for word in ("keep", "drop"):
        for each in nodes[word].each() if word in nodes else ():
            if each.value == "*":
                yield each.problem("is no name", "`/*` is every member of the answer")
            try:
                Fields([each.value])
            except BadPointer as bad:
                yield each.problem(str(bad))
            if named.setdefault(each.value, word) != word:
                yield each.problem("is named under keep as well", "what is dropped is not kept: name it once")
    if "fit" in nodes and size(nodes["fit"].value) < LEAST_FIT:
        yield nodes["fit"].problem(f"is less than {LEAST_FIT} bytes, in which no answer has room", "such as 20KiB")
