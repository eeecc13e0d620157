"""The patterns bring their own cases; these tests run them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from redaction.checking import check_named
from redaction.detector import FOLDER, Pattern, all_patterns, load
from redaction.engine import Engine
from redaction.scanner import Scanner
from tests.redaction.families import each_family
from tests.redaction.fill import PLACE, fill

PATTERNS = all_patterns()
SEEDS = 3
SECRETS = [pattern for path in sorted(FOLDER.glob("secrets*.toml")) for pattern in load(path)]
SURE = frozenset(pattern.kind for pattern in SECRETS) - {p.kind for p in load(FOLDER / "secrets_guessed.toml")}
FAMILIES = sorted(FOLDER.glob("*.toml"))


@each_family
def test_each_yes_is_found_alone_in_a_sentence_and_in_json(family: Sequence[Pattern]) -> None:
    for pattern in family:
        engine, scanner = Engine([pattern]), Scanner(frozenset({pattern.kind}))
        for text in filled(pattern.yes):
            if pattern.keyed:
                assert_found_by_key(pattern, engine, scanner, *text.split(": "))
            else:
                assert_found(pattern, engine, scanner, text)


def filled(templates: Iterable[str]) -> Iterator[str]:
    return (fill(template, seed) for template in templates for seed in range(SEEDS))


def assert_found(pattern: Pattern, engine: Engine, scanner: Scanner, text: str) -> None:
    found = [f for t in (text, f"Seen: {text}, twice.", f"«{text}»") for f in engine.find(t)]
    assert len(found) >= 3, (pattern.name, text)
    value = text[engine.find(text)[0].start : engine.find(text)[0].end]
    cleaned = scanner.clean_json(json.dumps({"note": [text, 1]}))
    assert cleaned.counts[pattern.kind] >= 1, (pattern.name, text)
    assert json.dumps(value)[1:-1] not in cleaned.value


def assert_found_by_key(pattern: Pattern, engine: Engine, scanner: Scanner, key: str, value: str) -> None:
    assert engine.find(value, key), (pattern.name, key, value)
    assert not engine.find(f"{key} {value}"), (pattern.name, key, value)
    assert value not in scanner.clean_json(json.dumps({key: value})).value
    assert value not in scanner.clean_json(json.dumps({key: [1, value]})).value


@each_family
def test_each_no_is_left_alone(family: Sequence[Pattern]) -> None:
    for pattern in family:
        engine = Engine([pattern])
        for text in filled(pattern.no):
            assert engine.find(text) == [], (pattern.name, text)
            assert engine.find(f"Seen: {text}") == [], (pattern.name, text)


@each_family
def test_each_pattern_is_complete(family: Sequence[Pattern]) -> None:
    for pattern in family:
        assert pattern.yes, pattern.name
        assert pattern.no, pattern.name
        assert pattern.says.endswith("."), pattern.name
        assert pattern.kind.isupper(), pattern.name
        assert 0 < pattern.score <= 1, pattern.name
        assert not pattern.check or callable(check_named(pattern.check)), pattern.name


QUOTED = {"private-key", "kubernetes-secret", "kubernetes-secret-sorted"}
"""Those that span lines, each with a quoted part."""


@each_family
def test_no_pattern_reaches_over_a_quotation_mark(family: Sequence[Pattern]) -> None:
    """What stands in one string of JSON that is read as a text is not changed by what stands in the next."""
    for pattern in family:
        if pattern.name in QUOTED:
            continue
        engine = Engine([pattern])
        for text in map(fill, pattern.yes):
            for place in range(1, len(text)):
                for finding in engine.find(f'{text[:place]}"{text[place:]}'):
                    assert not finding.start <= place < finding.end, (pattern.name, text, place)


@each_family
def test_no_finding_takes_what_stands_behind_it(family: Sequence[Pattern]) -> None:
    """It would take the end of a column, a tag or an attribute along."""
    for pattern in family:
        engine = Engine([pattern])
        for text in map(fill, pattern.yes):
            for sign in "\t\n ,;<|":
                ends = {found.end for found in engine.find(f"{text}{sign}Zz")}
                assert len(text) + 1 not in ends, (pattern.name, sign)


def test_no_finding_reaches_over_the_end_of_a_string_of_json() -> None:
    for pattern in (pattern for pattern in PATTERNS if pattern.name in QUOTED):
        scanner = Scanner(frozenset({pattern.kind}))
        for text in map(fill, pattern.yes):
            for place in range(1, len(text)):
                parts = [text[:place], text[place:]]
                each = [json.loads(scanner.clean_json(json.dumps([part])).value)[0] for part in parts]
                assert json.loads(scanner.clean_json(json.dumps(parts)).value) == each, (pattern.name, text, place)


def test_names_are_unique() -> None:
    assert len({p.name for p in PATTERNS}) == len(PATTERNS)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda p: p.stem)
def test_no_file_of_ours_holds_what_looks_like_a_secret(family: Path) -> None:
    assert Scanner(SURE).find(family.read_text("utf-8")) == []


def test_examples_of_secrets_are_filled_when_tested() -> None:
    assert all(PLACE.search(text) for p in SECRETS for text in p.yes)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ('name = "x"\nkeywords = ["a"]', "x.toml: pattern 'x'.*'keywords'"),
        ('kind = "X"', r"pattern '\?'.*missing"),
    ],
)
def test_a_block_that_does_not_fit_is_refused_by_name(tmp_path: Path, block: str, message: str) -> None:
    (tmp_path / "x.toml").write_text(f"[[pattern]]\n{block}\n")
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "x.toml")
