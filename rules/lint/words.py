"""What a model reads: is it there, is it about one thing, does it hide or order something?"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from rules.lint.findings import Finding, finding
from rules.lint.kinds import LONGEST_SAYS, SHORTEST_SAYS
from rules.lint.places import Places
from rules.lint.vocabulary import READS, VERBS
from rules.tools import Tool

MOST_TEXTS: Final = 2_000
"""Titles and descriptions of one contract that are read."""

MOST_READ: Final = 8_000
"""Characters of one text that are searched for orders."""

MOST_SENTENCE: Final = 300
"""Characters of a first sentence that are searched for purposes."""

_ORDERS: Final = re.compile(
    r"\b(ignore|disregard|forget|override)\b.{0,30}\b(instructions?|prompts?|guidelines|(other|all) tools)\b"
    r"|\b(do not|don't|never|without)\b.{0,20}\b(tell|telling|mention|inform|informing|reveal|show|notify)\w*\b.{0,20}"
    r"\b(user|anyone|human|operator|people)\b"
    r"|\b(before|after|whenever|each time)\b.{0,40}\b(using|calling|invoking)\b.{0,40}\b(other|any|every|this)\b"
    r".{0,20}\btools?\b"
    r"|\b(assistant|language model|llm|ai agent|the (ai|model|agent))\b.{0,10}\b(must|shall|should|has to)\b"
    r"|\b(must|should|always)\b.{0,10}\b(call|use|invoke|run) this tool\b|\bthis tool\b.{0,20}\bfirst\b"
    r"|\b(system prompt|previous instructions|these instructions)\b"
    r"|<\s*/?\s*(system|important|instructions?|secret|hidden)\s*>|\[/?(system|inst)\]",
    re.IGNORECASE | re.DOTALL,
)
_ONE_PURPOSE: Final = (READS, frozenset({"create", "update", "replace", "upsert", "edit", "modify"}))
"""Verbs that are joined for one purpose: "get or list", "create or update"."""

_FIRST: Final = re.compile(r"[.;\n]")
_WORD: Final = re.compile(r"[A-Za-z]+")
_JOINED: Final = re.compile(r"\b([A-Za-z]+)(?:,\s*([A-Za-z]+))*,?\s*(?:and/or|and|or|/)\s*([A-Za-z]+)\b", re.IGNORECASE)
_VARIATION: Final = frozenset({0xFE0F, 0xFE0E})
"""Variation selectors of emoji: common, and they change nothing but the look."""

_JOINERS: Final = frozenset({0x200C, 0x200D})
"""Needed in the scripts of India and Persia, and inside of emoji."""


def about_words(tools: Iterable[Tool], places: Places) -> Iterator[Finding]:
    """Findings about what models read."""
    said: dict[str, list[Tool]] = defaultdict(list)
    for tool in tools:
        yield from _says(tool, places)
        yield from _hidden(tool, places)
        if tool.says:
            said[" ".join(tool.says.lower().split())].append(tool)
    for same in said.values():
        for tool in same[1:]:
            words = f"is described like {same[0].name}"
            yield finding("says-repeated", places.tool(tool, "says"), tool.name, words)


def _says(tool: Tool, places: Places) -> Iterator[Finding]:
    place = places.tool(tool, "says")
    count = len(tool.says.split())
    if not tool.is_function:
        pass  # no model chooses it by what it says
    elif not count:
        yield finding("says-missing", place, tool.name, "does not say what it is for")
    elif count < SHORTEST_SAYS and tool.says.isascii():
        yield finding("says-short", place, tool.name, f"is described in {count} word{'s' * (count > 1)}")
    elif len(tool.says) > LONGEST_SAYS:
        yield finding("says-long", place, tool.name, f"is described in {len(tool.says)} characters")
    if joined := purposes(tool.says):
        yield finding("several-purposes", place, tool.name, f"seems to do several things: {' and '.join(joined)}")
    if _ORDERS.search(tool.says[:MOST_READ]):
        yield finding("says-instructs", place, tool.name, "has a description that gives orders")
    for name, text in texts(tool.contract.schema):
        if name != "title" and _ORDERS.search(text[:MOST_READ]):
            words = "has an argument whose description gives orders"
            yield finding("says-instructs", places.tool(tool, "input"), tool.name, words)
            break


def purposes(says: str) -> list[str]:
    """Verbs that the first sentence joins by "and" or "or", where they mean different things."""
    sentence = _FIRST.split(says[:MOST_SENTENCE], maxsplit=1)[0]
    for found in _JOINED.finditer(sentence):
        words = [word.lower() for word in _WORD.findall(found[0]) if word.lower() not in ("and", "or")]
        verbs = [word for word in words if word in VERBS]
        begins = found.start() == 0 or sentence[: found.start()].split()[-1].lower() in ("can", "to", "will")
        if len(set(verbs)) > 1 and begins and not any(set(verbs) <= one for one in _ONE_PURPOSE):
            return verbs
    return []


def texts(schema: Any) -> Iterator[tuple[str, str]]:
    """Titles and descriptions anywhere in a schema, each with its keyword."""
    todo: list[Any] = [schema]
    for _ in range(MOST_TEXTS):
        if not todo:
            return
        here = todo.pop()
        if isinstance(here, Mapping):
            yield from ((word, here[word]) for word in ("title", "description") if isinstance(here.get(word), str))
            todo.extend(here.values())
        elif isinstance(here, list):
            todo.extend(here)


def _hidden(tool: Tool, places: Places) -> Iterator[Finding]:
    for word, text in (("says", tool.says), *texts(tool.contract.schema)):
        if found := hidden(text):
            place = places.tool(tool, "says" if word == "says" else "input")
            named = ", ".join(f"U+{ord(each):04X}" for each in found[:3])
            yield finding("hidden-characters", place, tool.name, f"has a text with {named} in it")
            return


def hidden(text: str) -> list[str]:
    """The characters that nobody sees: format controls, tags, private use. What writing and emoji need is fine."""
    if text.isascii() and text.isprintable():
        return []
    return [each for index, each in enumerate(text) if _is_hidden(text, index)]


def _is_hidden(text: str, index: int) -> bool:
    each = text[index]
    code = ord(each)
    if code in _VARIATION or each in "\n\t\r":
        return False
    if code in _JOINERS:
        before = text[index - 1] if index else "a"
        return before.isascii()
    return (
        unicodedata.category(each) in ("Cf", "Cc", "Co", "Cs") or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
    )
