"""Texts in, cleaned texts out."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from functools import lru_cache, partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import orjson

from redaction import mediatypes, operators, profiles, walk
from redaction.detector import Detector, Pattern, all_patterns
from redaction.engine import Engine, ScanError
from redaction.finding import Finding, Hit, Span, counted, kinds, merged, outside, resolve
from redaction.keys import Keys
from redaction.opening import GATES, opening
from redaction.pointers import Path
from redaction.pseudonyms import InCall
from redaction.rewriting import NO_WAYS, Operate, Rewriting, Ways
from redaction.search import Budget, Long, search, search_text
from redaction.sparing import ALL, NOTHING_SPARED, Spare, Sparing
from redaction.unwrap import PLAIN, Escaping, unwrap
from redaction.window import Edit

T = TypeVar("T")
Foreign = Callable[[frozenset[str]], Detector]  # makes what finds kinds that our own patterns do not

# Sets of kinds whose compiled patterns are kept, and types of bodies; rules and backends name a handful.
MOST_KEPT = 64


class Unreadable(Exception):
    """The text could not be checked, so it must not be shown. The message says why and holds no part of the text."""


class UnknownType(Unreadable):
    """Bodies of this media type are no text, or none that is read."""


class Cleaned(NamedTuple, Generic[T]):
    """A cleaned value and how many findings of each kind were taken out of it."""

    value: T
    counts: Counter[str]


Way = Callable[[bytes], Cleaned[bytes]]


class Stage(Protocol):
    """Changes bytes in flight. What it gives out in total does not depend on where the stream was cut."""

    @property
    def counts(self) -> Counter[str]:
        """The findings taken out so far, by kind."""

    def feed(self, data: bytes) -> bytes:
        """Takes more of the body; gives what is ready. Raises Unreadable."""

    def close(self) -> bytes:
        """Ends the body; gives the rest. Raises Unreadable."""


class Scanner:
    """Finds and takes out the given kinds. Compiled once per set of kinds; safe to use from many threads.

    Raises `profiles.UnknownKind` for a kind that nothing can find. Presidio is loaded only for a kind that our own
    patterns do not find. `ways` says how findings are rewritten where not by their kind; `key` is what some of
    the ways need. `foreign` makes what finds the kinds that our patterns do not, if not Presidio in this process. `own`
    are patterns of the author's, `operate` asks Presidio's operators.
    """

    def __init__(
        self,
        kinds: frozenset[str],
        ways: Ways = NO_WAYS,
        key: bytes = b"",
        foreign: Foreign | None = None,
        own: tuple[Pattern, ...] = (),
        operate: Operate | None = None,
    ) -> None:
        self.kinds = kinds
        self._rewriting = Rewriting(ways, key, operate=operate)
        self._run: InCall | None = None
        self._unbound: Scanner | None = None
        self.own = own
        self._spare: Spare | None = None
        self._fewer: dict[frozenset[str], Scanner] = {frozenset(): self}
        self._foreign = foreign
        self._engine, self._flowing, others = _engine(kinds, own)
        self._others = [(foreign or _presidio)(others)] if others else []
        self.needs_presidio = bool(self._others) or self._rewriting.apart
        self._ways: dict[tuple[str, str | None], Way] = {}

    def sparing(self, sparing: Sparing) -> "Scanner":
        """The same, where some places of JSON are left as they are. Raises BadPointer."""
        if sparing == NOTHING_SPARED:
            return self
        made = copy(self)
        made._spare, made._ways = Spare(sparing), {}
        return made

    def spared(self, data: str, path: Path) -> frozenset[str]:
        """The kinds that are left at a place of a JSON text, or `sparing.ALL`."""
        if self._spare is None or walk.paths(data, set()) is None:
            return frozenset()
        left = self._spare.at(path)
        return self.kinds if left == ALL and self._run and self._run.echo else left

    def _without(self, kinds: frozenset[str]) -> "Scanner":
        """What finds all but some kinds. It writes nothing, so it needs no ways."""
        if self._run is not None and self._unbound is not None:
            return self._unbound._without(kinds).within(self._run)
        made = self._fewer.get(kinds)
        if made is None:
            made = self._fewer[kinds] = Scanner(self.kinds - kinds, NO_WAYS, b"", self._foreign, self.own)
        return made

    @property
    def gives_pseudonyms(self) -> bool:
        """Whether it has to know the run that it cleans for."""
        return self._rewriting.gives_pseudonyms

    def within(self, run: InCall) -> "Scanner":
        """The same scanner for one call of a run: it gives the run's pseudonyms, and finds what was put back."""
        bound = object.__new__(Scanner)  # several times as fast as `copy`, and this is done for every call
        bound.__dict__.update(self.__dict__)
        bound._run, bound._unbound, bound._rewriting = run, self, self._rewriting.within(run)
        bound._others = [*self._others, *([run.echo] if run.echo else [])]
        bound._ways = {}
        return bound

    def find(self, text: str, key: str = "", number: bool = False) -> list[Finding]:
        """The findings in `text`, in order, overlaps merged.

        `key` is the name under which the text stands in its document; `number` says that it is a JSON number.
        Raises Unreadable.
        """
        return self._found(self._engine, text, key, number)

    def _found_flowing(self, text: str) -> list[Finding]:
        return self._found(self._flowing, text, "", False)

    def _found(self, engine: Engine, text: str, key: str, number: bool) -> list[Finding]:
        try:
            found = engine.find(text, key, number)
            if self._others:
                found = resolve([*found, *self._find_foreign(text, key, number)])
            return found if self._run is None else self._run.values(text, found)
        except ScanError as error:
            raise Unreadable(str(error)) from None

    def find_json(self, text: str) -> list[Hit]:
        """Where a JSON text holds findings that count in their place, with offsets in `text`. Raises Unreadable."""
        if self._spare is None:
            return self._find_json(text)
        hits = self._spare.hits(text, lambda kinds: self._without(kinds)._find_json(text))
        return merged(hits, self._run.echoed(text)) if self._run else hits

    def _find_json(self, text: str) -> list[Hit]:
        try:
            walk.check(text)
        except walk.BadJson:
            raise Unreadable("the body is not JSON, or is nested too deep") from None
        hits = self._searched(search_text, text)
        if self._others and not (self._run and self._run.is_quiet(self._others, text)):
            hits = merged(hits, self._searched(lambda text, _: walk.scan(text, self._find_foreign), text))
        return hits if self._run is None else self._run.of_values(text, hits)

    def _find_foreign(self, text: str, key: str, number: bool) -> list[Finding]:
        if number:
            return self._run.echo.in_json(text, key, number) if self._run and self._run.echo else []
        return resolve(found for other in self._others for found in other.find(text, key))

    def _searched(self, way: Callable[[T, Engine], list[Hit]], text: T) -> list[Hit]:
        try:
            return way(text, self._engine)
        except ScanError as error:
            raise Unreadable(str(error)) from None

    def clean_text(self, text: str) -> Cleaned[str]:
        """Plain text with each finding replaced by its kind, as in `<EMAIL_ADDRESS>`. Raises Unreadable."""
        return self._clean_escaped(text, PLAIN)

    def clean_json(self, text: str, written: Sequence[Span] = ()) -> Cleaned[str]:
        """A JSON text, every character outside a finding as it was. A number with a finding becomes a string. What is
        found within what was `written` for findings stays.
        """
        hits = outside(self.find_json(text), written)
        return Cleaned(operators.splice(text, self._rewriting.edits(text, hits)), counted(hits))

    def clean_json_value(self, value: Any) -> tuple[Any, Counter[str]]:
        """A parsed JSON value with each finding replaced, and the findings by kind. Raises Unreadable."""
        if self._is_clean(value):
            return value, Counter()
        try:
            cleaned = self.clean_json(json.dumps(value))
        except RecursionError:
            raise Unreadable("the value is nested too deep") from None
        return (json.loads(cleaned.value), cleaned.counts) if cleaned.counts else (value, cleaned.counts)

    def _is_clean(self, value: Any) -> bool:
        """Whether one look at the whole value shows that nothing is in it. Most values are so."""
        if self._others:
            return False
        try:
            return not self._searched(search, orjson.dumps(value))
        except TypeError:  # an integer beyond 64 bits, half a surrogate pair, a tuple's subclass
            return False

    def stage(self, media_type: str, charset: str | None) -> Stage:
        """A stage that cleans a body of this type; it holds the body until `close`, so bound what you feed it.

        Raises Unreadable for a type or charset that cannot be checked. Without a type (`""`) only an empty body passes.
        """
        return _Whole(self._way(media_type, charset))

    def clean(self, body: bytes, media_type: str, charset: str | None) -> Cleaned[bytes]:
        """A whole body at once, as `stage` would clean it. Raises Unreadable."""
        return self._way(media_type, charset)(body) if body else Cleaned(body, Counter())

    def clean_briefly(self, body: bytes, media_type: str, charset: str | None, most: int) -> Cleaned[bytes] | None:
        """The same where the body is short, or JSON of which no more than `most` bytes have to be looked at closely;
        None where it would take longer. Raises Unreadable.
        """
        if len(body) <= most:
            return self.clean(body, media_type, charset)
        way = self._way(media_type, charset)
        with suppress(Long):
            return way(body, Budget(most)) if isinstance(way, partial) else None
        return None

    def _way(self, media_type: str, charset: str | None) -> Way:
        """How bodies of a type are cleaned; the ways of the types that backends use are kept."""
        way = self._ways.get((media_type, charset))
        if way is None:
            encoding = mediatypes.CHARSETS.get((charset or "utf-8").lower())
            if encoding is None:
                raise Unreadable("the charset of the body cannot be checked")
            way = _decoded(self._cleaner(media_type.lower()), encoding)
            plain = not self._others and not self._rewriting.drops
            if plain and encoding == "utf-8" and mediatypes.is_json(media_type.lower()):
                way = partial(self._clean_json_bytes, way)
            if len(self._ways) < MOST_KEPT:
                self._ways[media_type, charset] = way
        return way

    def _cleaner(self, media_type: str) -> Callable[[str], Cleaned[str]]:
        if mediatypes.is_json(media_type):
            return self._clean_document
        if media_type in mediatypes.LINES:
            return lambda text: self._clean_lines(text.split("\n"))
        if not media_type:
            return _refuse
        escaping, named = mediatypes.escaping(media_type), mediatypes.named(media_type)
        if escaping is None:
            raise UnknownType("the media type of the body cannot be checked")
        # JSON is often sent as text, and whoever reads it undoes its escapes.
        return lambda text: (
            self._clean_lines(lines) if (lines := walk.documents(text)) else self._clean_escaped(text, escaping, named)
        )

    def _clean_json_bytes(self, otherwise: Way, body: bytes, budget: Budget | None = None) -> Cleaned[bytes]:
        """What most bodies are, without decoding them. Raises Long, see `search`."""
        common = walk.is_common(body)
        hits = self._searched(partial(search, budget=budget), body) if common else []
        hits = hits if self._run is None else self._run.of_values(body, hits)
        if common and not hits:
            return Cleaned(body, Counter())
        if self._spare or not common:
            if budget:
                raise Long
            return otherwise(body)
        return Cleaned(operators.splice(body, self._rewriting.edits_of_bytes(body, hits)), counted(hits))

    def _clean_document(self, text: str) -> Cleaned[str]:
        mark = "\ufeff" if text.startswith("\ufeff") else ""  # RFC 8259, 8.1: a reader may ignore a byte order mark
        cleaned = self.clean_json(text.removeprefix(mark))
        return Cleaned(mark + cleaned.value, cleaned.counts)

    def _clean_lines(self, lines: list[str]) -> Cleaned[str]:
        whole = "" if self._others else walk.joined(lines)
        if whole and not self._searched(search_text, whole):
            return Cleaned("\n".join(lines), Counter())
        done = [self.clean_json(line) if line.strip() else Cleaned(line, Counter()) for line in lines]
        return Cleaned("\n".join(line.value for line in done), sum((line.counts for line in done), Counter()))

    def _clean_escaped(self, text: str, escaping: Escaping, named: mediatypes.Named | None = None) -> Cleaned[str]:
        flat = unwrap(text, escaping)
        at = flat.outer
        found = [f._replace(start=at(f.start), end=at(f.end)) for f in self.find(flat.text)]
        if named and self._engine.keys:
            found = resolve([*found, *named(text, self._engine.keys)])
            found = found if self._run is None else self._run.values(text, found)
        written = ((f, self._rewriting.found(f, unwrap(text[f.start : f.end], escaping).text)) for f in found)
        edits = ((f.start, f.end, escaping.write(new)) for f, new in written)
        return Cleaned(operators.splice(text, edits), Counter(kinds(found)))

    def begun(self, text: str) -> int:
        """The length of a text: no finding but a key is longer than what is held back anyway."""
        return len(text)

    def edits(self, text: str, left: frozenset[str] = frozenset()) -> list[Edit]:
        """What is to be replaced in plain text that comes in pieces, in order; `left` are kinds that are not.

        Raises Unreadable.
        """
        edits: list[Edit] = []
        for found in self._without(left)._found_flowing(text):
            kind, *more = kinds([found])
            edits.append(self._edit(found, kind, text[found.start : found.end]))
            edits += [Edit(found.end, found.end, "", each) for each in more]
        return edits

    def _edit(self, found: Finding, kind: str, value: str) -> Edit:
        made = partial(self._rewriting.found, found, value)
        if self._rewriting.waits(found):
            return Edit(found.start, found.end, "", kind, made)
        return Edit(found.start, found.end, made(), kind)


class _Whole:
    """Holds a body until it is complete, then cleans it."""

    def __init__(self, clean: Callable[[bytes], Cleaned[bytes]]) -> None:
        self.counts: Counter[str] = Counter()
        self._clean = clean
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        self._pieces.append(data)
        return b""

    def close(self) -> bytes:
        body = b"".join(self._pieces)
        self._pieces.clear()
        if not body:
            return body
        cleaned = self._clean(body)
        self.counts = cleaned.counts
        return cleaned.value


@lru_cache(MOST_KEPT)
def _engine(kinds: frozenset[str], own: tuple[Pattern, ...]) -> tuple[Engine, Engine, frozenset[str]]:
    """What finds those of the kinds that our own patterns and the author's find, the same for text that comes in
    pieces, of which each is cut into lines, and the other kinds.
    """
    others = kinds - profiles.own_kinds() - {pattern.kind for pattern in own}
    engine = Engine([pattern for pattern in [*all_patterns(), *own] if pattern.kind in kinds], Keys(kinds), GATES)
    return *opening(engine), others


@lru_cache(MOST_KEPT)
def _presidio(kinds: frozenset[str]) -> Detector:
    profiles.require(kinds)
    from redaction import presidio

    return presidio.Recognizers(kinds)


def _refuse(_: str) -> Cleaned[str]:
    raise Unreadable("the body has no media type, so it cannot be checked")


def _decoded(clean: Callable[[str], Cleaned[str]], encoding: str) -> Callable[[bytes], Cleaned[bytes]]:
    def on_bytes(body: bytes) -> Cleaned[bytes]:
        spoken = mediatypes.encoding_of(body, encoding)
        text = _text(body, spoken)
        if text is None:
            raise Unreadable(f"the body is not {encoding}, which is its charset unless it names another")
        cleaned = clean(text)
        # What a finding is rewritten as may have characters that the encoding has not.
        return Cleaned(cleaned.value.encode(spoken, "replace") if cleaned.counts else body, cleaned.counts)

    return on_bytes


def _text(body: bytes, encoding: str) -> str | None:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:  # it holds the body, so nothing is raised from it
        return None
