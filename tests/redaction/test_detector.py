"""The patterns bring their own cases; these tests run them."""

import json
from pathlib import Path

import pytest

from redaction.checking import check_named
from redaction.detector import FOLDER, Pattern, all_patterns, load
from redaction.engine import Engine
from redaction.scanner import Scanner
from tests.redaction.fill import PLACE, fill

PATTERNS = all_patterns()
SEEDS = 3
SECRETS = [pattern for path in sorted(FOLDER.glob("secrets*.toml")) for pattern in load(path)]
SURE = frozenset(pattern.kind for pattern in SECRETS) - {p.kind for p in load(FOLDER / "secrets_guessed.toml")}
FAMILIES = sorted(FOLDER.glob("*.toml"))


def cases(field: str) -> list[object]:
    return [pytest.param(p, text, id=f"{p.name}-{n}") for p in PATTERNS for n, text in enumerate(getattr(p, field))]


@pytest.mark.parametrize(("pattern", "template"), cases("yes"))
def test_each_yes_is_found_alone_in_a_sentence_and_in_json(pattern: Pattern, template: str) -> None:
    engine, scanner = Engine([pattern]), Scanner(frozenset({pattern.kind}))
    for seed in range(SEEDS):
        text = fill(template, seed)
        if pattern.keyed:
            assert_found_by_key(pattern, *text.split(": "))
            continue
        found = [f for t in (text, f"Seen: {text}, twice.", f"«{text}»") for f in engine.find(t)]
        assert len(found) >= 3, text
        value = text[engine.find(text)[0].start : engine.find(text)[0].end]
        cleaned = scanner.clean_json(json.dumps({"note": [text, 1]}))
        assert cleaned.counts[pattern.kind] >= 1
        assert json.dumps(value)[1:-1] not in cleaned.value


def assert_found_by_key(pattern: Pattern, key: str, value: str) -> None:
    scanner = Scanner(frozenset({pattern.kind}))
    assert Engine([pattern]).find(value, key)
    assert not Engine([pattern]).find(f"{key} {value}")
    assert value not in scanner.clean_json(json.dumps({key: value})).value
    assert value not in scanner.clean_json(json.dumps({key: [1, value]})).value


@pytest.mark.parametrize(("pattern", "template"), cases("no"))
def test_each_no_is_left_alone(pattern: Pattern, template: str) -> None:
    engine = Engine([pattern])
    for seed in range(SEEDS):
        text = fill(template, seed)
        assert engine.find(text) == [], text
        assert engine.find(f"Seen: {text}") == [], text


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.name)
def test_each_pattern_is_complete(pattern: Pattern) -> None:
    assert pattern.yes
    assert pattern.no
    assert pattern.says.endswith(".")
    assert pattern.kind.isupper()
    assert 0 < pattern.score <= 1
    assert not pattern.check or callable(check_named(pattern.check))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.name)
def test_no_pattern_reaches_over_a_quotation_mark(pattern: Pattern) -> None:
    """The walk over JSON relies on it: what stands in one string is not changed by what stands in the next."""
    engine = Engine([pattern])
    for template in pattern.yes:
        text = fill(template)
        for place in range(1, len(text)):
            for finding in engine.find(f'{text[:place]}"{text[place:]}'):
                assert not finding.start <= place < finding.end


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
