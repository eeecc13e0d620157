"""Relations: who is what to whom, from data that lies with the rules, or from a service that the sidecar asks."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rules.bounds import POINTER
from rules.related import Question, named, question
from rules.shape import DURATION, Anything, Choice, Form, Key, Many, Table, Text, duration
from rules.source import LoadProblem, Node
from rules.urls import Network, Url, parse_network, parse_url

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_PAIRS: Final = 500_000
"""Of one relation."""

MOST_TIMEOUT_S: Final = 10.0
HEADER: Final = ["subject", "relation", "object"]
_OF_URL: Final = ("addresses", "method", "answer", "cache", "timeout")
_Duration: Final = Text(DURATION, "a duration such as 500ms, 10s or 15m")

RELATION: Final = Form(
    {
        "says": Key(Text(), "What it means, in plain words."),
        "pairs": Key(Table(Many(Anything(), or_one=True)), "For each subject the objects that it is related to."),
        "file": Key(
            Text(r"^[^/\\].*\.(csv|json)$", "a path in the rules folder that ends in .csv or .json"),
            "A file of triples: subject, relation, object. The path is relative to the rules folder.",
        ),
        "url": Key(Text(), "A service that is asked: http(s)://host[:port][/path]."),
        "addresses": Key(
            Many(Text()), "Networks that its host may lie in although they are not public, such as 10.0.0.0/8."
        ),
        "method": Key(
            Choice(("GET", "POST")),
            "GET asks by the query, POST by a JSON object: subject, relation, object; GET without it.",
        ),
        "answer": Key(Text(POINTER, "a JSON pointer such as /allowed"), "Where true or false is; /related without it."),
        "cache": Key(_Duration, "How long an answer holds; 60s without it."),
        "timeout": Key(_Duration, "How long the service may take, at most 10s; 500ms without it."),
    },
    one_of=("pairs", "file", "url"),
)


@dataclass(frozen=True, slots=True)
class Service:
    """Who is asked about a relation, and how. `answer` is a JSON pointer."""

    url: Url
    addresses: tuple[Network, ...] = ()
    method: str = "GET"
    answer: str = "/related"
    cache_s: float = 60.0
    timeout_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Relations:
    """All relations by name: those whose pairs are known, and those that a service is asked about."""

    pairs: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)

    def answer(self, question: Question) -> bool | None:
        """Whether it is so; None where only a service could tell."""
        known = self.pairs.get(question.relation)
        return None if known is None else (question.subject, question.object) in known


NO_RELATIONS: Final = Relations()


def names_in(roots: Iterable[Node]) -> frozenset[str]:
    """The relations that the files name, also those with problems: a condition about one is not a second mistake."""
    return frozenset(name for root in roots for name, _ in _sections(root))


def _sections(root: Node) -> Iterator[tuple[str, Node]]:
    section = root.get("relations")
    yield from section.items() if section else ()


def read_relations(
    roots: Iterable[Node], folder: Path, hashes: dict[str, Any], problems: list[LoadProblem]
) -> Relations:
    """The relations of all files, whose shape was checked. The files that they name count for the revision."""
    pairs: dict[str, frozenset[tuple[str, str]]] = {}
    services: dict[str, Service] = {}
    files: dict[str, list[Question]] = {}
    seen: dict[str, Node] = {}
    for root in roots:
        for name, node in _sections(root):
            if name in seen:
                problems.append(node.problem(f"{name} stands twice", f"first in {seen[name].file}"))
                continue
            seen[name] = node
            problems += _misplaced(node)
            if node.get("url"):
                service = _service(node, problems)
                services |= {name: service} if service else {}
            else:
                pairs[name] = frozenset(_pairs(name, node, folder, files, hashes, problems))
                if len(pairs[name]) > MOST_PAIRS:
                    problems.append(node.problem(f"has more than {MOST_PAIRS} pairs", "ask a service, by `url`"))
    return Relations(pairs, services)


def _misplaced(node: Node) -> Iterator[LoadProblem]:
    for key in _OF_URL if not node.get("url") else ():
        if node.get(key):
            yield node.key_problem(key, "has no meaning without `url`", "leave it out")


def _service(node: Node, problems: list[LoadProblem]) -> Service | None:
    try:
        url = parse_url(node.text("url"))
    except ValueError as error:
        problems.append(node.value["url"].problem(str(error)))
        return None
    networks: list[Network] = []
    for one in node.under("addresses"):
        try:
            networks.append(parse_network(one.value))
        except ValueError as error:
            problems.append(one.problem(str(error)))
    timeout_s = duration(node.text("timeout") or "500ms")
    if timeout_s > MOST_TIMEOUT_S:
        problems.append(node.key_problem("timeout", f"is longer than {MOST_TIMEOUT_S:g}s: every call waits for it"))
    cache_s = duration(node.text("cache") or "60s")
    answer = node.text("answer") or "/related"
    return Service(url, tuple(networks), node.text("method") or "GET", answer, cache_s, timeout_s)


def _pairs(
    name: str,
    node: Node,
    folder: Path,
    files: dict[str, list[Question]],
    hashes: dict[str, Any],
    problems: list[LoadProblem],
) -> Iterator[tuple[str, str]]:
    section, file = node.get("pairs"), node.get("file")
    if file:
        if file.value not in files:
            files[file.value] = list(_triples(file, folder, hashes, problems))
        yield from ((one.subject, one.object) for one in files[file.value] if one.relation == name)
    for subject, objects in section.items() if section else ():
        for each in objects.each():
            told = named(each.value)
            if told is None:
                problems.append(each.problem("is no object", "a text, or a whole number"))
            else:
                yield subject, told


def _triples(file: Node, folder: Path, hashes: dict[str, Any], problems: list[LoadProblem]) -> Iterator[Question]:
    """What a file says. One wrong line is a problem of the whole."""
    try:
        path = (folder / file.value).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise _BadData("lies outside of the rules folder")
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise _BadData(f"is larger than {MOST_BYTES} bytes")
        hashes[f"relations {file.value}"] = hashlib.sha256(data).hexdigest()
        text = data.decode("utf-8")
        yield from _of_csv(text) if file.value.endswith(".csv") else _of_json(text)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(file.problem(f"cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"))
    except _BadData as why:
        problems.append(file.problem(str(why)))


class _BadData(Exception):
    """A file is no list of triples. The text says why, and follows its name."""


def _of_csv(text: str) -> Iterator[Question]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if next(rows, None) != HEADER:
            raise _BadData(f"does not begin with the line {','.join(HEADER)}")
        for row in rows:
            if row:
                yield _question(row, f"line {rows.line_num}")
    except csv.Error as error:
        raise _BadData(f"is no CSV in line {rows.line_num}: {error}") from None


def _of_json(text: str) -> Iterator[Question]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        raise _BadData("is no JSON") from None
    if not isinstance(rows, list):
        raise _BadData("is no list of triples")
    for number, row in enumerate(rows):
        yield _question(row, f"item {number}")


def _question(row: Any, where: str) -> Question:
    told = question(row)
    if told is None or any(each.strip() != each for each in told):
        raise _BadData(f"has no triple in {where}: subject, relation, object, each a text or a whole number")
    return told
