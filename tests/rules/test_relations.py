"""Relations as authors declare them, and what a condition makes of an answer, of a no, and of none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rules import relations
from rules.decide import Ruleset
from rules.examples import failures, run
from rules.explain import explain
from rules.facts import Facts, Principal, Run
from rules.lint import lint
from rules.load import RulesError, load
from rules.related import Question

BACKEND = """
backend: crm
url: https://crm.example/api
tools:
  get: {call: 'GET /get/{id}', args: {id: {type: integer}, also: {type: string, optional: true}}, says: Get one thing.}
  other: {call: GET /other, says: Get another thing.}
"""
ALLOW = "rules: [{id: own, allow: crm.get, when: 'related(principal.user, \"owner\", args.id)'}]\n"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Principal("bot", user="ann")


def loaded(folder: Path, policy: str, **files: str) -> Ruleset:
    (folder / "crm.yaml").write_text(BACKEND)
    (folder / "policy.yaml").write_text(policy)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return load(folder)


def problems(folder: Path, policy: str, **files: str) -> str:
    with pytest.raises(RulesError) as bad:
        loaded(folder, policy, **files)
    return str(bad.value)


def decided(rules: Ruleset, id: int = 7, who: Principal = ANN, **more: object) -> str:
    facts = Facts(rules.catalog.tools["crm.get"], {"id": id}, who, Run("r", 1), NOW, **more)  # type: ignore[arg-type]
    decision = rules.decide(facts)
    return decision.code or "allow"


@pytest.mark.parametrize(
    ("section", "files"),
    [
        ("{pairs: {ann: [7, x], bob: 8}}", {}),
        ("{file: data.csv}", {"data__csv": "subject,relation,object\nann,owner,7\nbob,owner,8\nann,member,9\n"}),
        ("{file: data.json}", {"data__json": '[["ann", "owner", 7], ["bob", "owner", "8"], ["ann", "member", 9]]'}),
    ],
)
def test_pairs_come_from_the_policy_or_from_a_file(tmp_path: Path, section: str, files: dict[str, str]) -> None:
    rules = loaded(tmp_path, f"relations: {{owner: {section}}}\n{ALLOW}", **files)
    assert decided(rules, 7) == "allow"
    assert decided(rules, 8) == "denied"
    assert decided(rules, 9) == "denied"
    assert decided(rules, 8, Principal("bot", user="bob")) == "allow"
    assert decided(rules, 7, Principal("bot")) == "denied"  # for whom it acts is not known
    assert rules.asking_services == frozenset()


def test_a_file_counts_for_the_revision(tmp_path: Path) -> None:
    policy = f"relations: {{owner: {{file: data.csv}}}}\n{ALLOW}"
    before = loaded(tmp_path, policy, data__csv="subject,relation,object\nann,owner,7\n")
    after = loaded(tmp_path, policy, data__csv="subject,relation,object\nann,owner,8\n")
    assert before.revision != after.revision
    assert (decided(after, 7), decided(after, 8)) == ("denied", "allow")


SERVICE = "relations: {owner: {url: 'https://dir.example/q'}}\n"
DENY = SERVICE + "rules: [{id: all, allow: crm.get}, {id: no, deny: crm.get, when: 'WHEN'}]\n"


@pytest.mark.parametrize(("told", "granted", "denied"), [(True, "allow", "denied"), (False, "denied", "allow"),
                                                         (None, "denied", "denied")])  # fmt: skip
def test_what_nobody_can_tell_grants_nothing_and_denies(
    tmp_path: Path, told: bool | None, granted: str, denied: str
) -> None:
    asked = Question("ann", "owner", "7")
    answers = {} if told is None else {asked: told}
    rules = loaded(tmp_path, SERVICE + ALLOW)
    assert rules.asking_services == {"crm.get"}
    facts = Facts(rules.catalog.tools["crm.get"], {"id": 7}, ANN, Run("r", 1), NOW)
    assert rules.questions(facts) == (asked,)
    assert rules.visible(ANN, facts.tool)
    assert decided(rules, relations=answers) == granted
    condition = 'related(principal.user, "owner", args.id)'
    assert decided(loaded(tmp_path, DENY.replace("WHEN", condition)), relations=answers) == denied
    wide = loaded(tmp_path, DENY.replace("WHEN", f"args.id == 7 && {condition}"))
    assert decided(wide, relations=answers) == denied
    assert decided(wide, 8, relations=answers) == "allow"  # what is no anyway needs no answer


def test_nobody_is_asked_about_a_call_that_is_refused_anyway(tmp_path: Path) -> None:
    rules = loaded(tmp_path, SERVICE + ALLOW.replace("crm.get,", "crm.get, to: {roles: [a]},"))
    tool = rules.catalog.tools["crm.get"]
    wrong = Facts(tool, {"id": "x"}, Principal("bot", frozenset({"a"}), user="ann"), Run("r", 1), NOW)
    assert rules.questions(wrong) == ()
    assert rules.questions(wrong._replace(args={"id": 7}, principal=ANN)) == ()
    assert rules.questions(wrong._replace(args={"id": 7})) == (Question("ann", "owner", "7"),)
    assert rules.questions(wrong._replace(args={"id": 7}, principal=Principal("b", frozenset({"a"})))) == ()


@pytest.mark.parametrize(
    ("policy", "files", "says"),
    [
        (ALLOW, {}, "owner is no relation (declare it under `relations`"),
        (f"relations: {{ownr: {{pairs: {{a: b}}}}}}\n{ALLOW}", {}, "owner is no relation (did you mean ownr?)"),
        ("relations: {owner: {}}\n", {}, "owner"), ("relations: {owner: {pairs: {}}}\n", {}, "pairs"),
        ("relations: {owner: {pairs: {a: b}, file: a.csv}}\n", {}, "owner"),
        ("relations: {owner: {pairs: {a: [true]}}}\n", {}, "is no object"),
        ("relations: {owner: {pairs: {a: [1.5]}}}\n", {}, "is no object"),
        ("relations: {owner: {pairs: {a: b}, cache: 5s}}\n", {}, "has no meaning without `url`"),
        ("relations: {owner: {file: ../a.csv}}\n", {}, "lies outside of the rules folder"),
        ("relations: {owner: {file: /etc/a.csv}}\n", {}, "a path in the rules folder"),
        ("relations: {owner: {file: a.txt}}\n", {}, "a path in the rules folder"),
        ("relations: {owner: {file: a.csv}}\n", {}, "cannot be read: No such file"),
        ("relations: {owner: {file: a.csv}}\n", {"a__csv": "ann,owner,7\n"}, "does not begin with the line"),
        ("relations: {owner: {file: a.csv}}\n", {"a__csv": ""}, "does not begin with the line"),
        ("relations: {owner: {file: a.csv}}\n", {"a__csv": "subject,relation,object\nann,owner\n"}, "triple in line 2"),
        ("relations: {owner: {file: a.csv}}\n", {"a__csv": "subject,relation,object\nann,owner, 7\n"}, "in line 2"),
        ("relations: {owner: {file: a.csv}}\n", {"a__csv": 'subject,relation,object\n"a,b,c\n'}, "is no CSV"),
        ("relations: {owner: {file: a.json}}\n", {"a__json": "{"}, "is no JSON"),
        ("relations: {owner: {file: a.json}}\n", {"a__json": "{}"}, "is no list"),
        ("relations: {owner: {file: a.json}}\n", {"a__json": "[[1, 2]]"}, "triple in item 0"),
        ("relations: {owner: {file: a.json}}\n", {"a__json": '[["a", "owner", null]]'}, "triple in item 0"),
        ("relations: {owner: {url: 'ftp://x'}}\n", {}, "must begin with http"),
        ("relations: {owner: {url: 'https://u:p@x.example'}}\n", {}, "without a user"),
        ("relations: {owner: {url: 'https://x.example', timeout: 11s}}\n", {}, "is longer than 10s"),
        ("relations: {owner: {url: 'https://x.example', addresses: [nowhere]}}\n", {}, "addresses"),
        ("relations: {owner: {url: 'https://x.example', answer: related}}\n", {}, "JSON pointer"),
        ("examples: [{as: {}, call: crm.get, expect: deny, related: [[a, b]]}]\n", {}, "is no triple"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_where_it_stands(tmp_path: Path, policy: str, files: dict[str, str], says: str) -> None:
    text = problems(tmp_path, policy, **files)
    assert says in text
    assert text.startswith("policy.yaml:")


def test_a_relation_is_declared_once_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = "relations: {owner: {pairs: {a: [1, 2, 3]}}}\n"
    assert "stands twice" in problems(tmp_path, one, more__yaml=one)
    (tmp_path / "more.yaml").unlink()
    monkeypatch.setattr(relations, "MOST_PAIRS", 2)
    assert "more than 2 pairs" in problems(tmp_path, one)
    monkeypatch.setattr(relations, "MOST_BYTES", 5)
    assert "larger than 5 bytes" in problems(tmp_path, "relations: {owner: {file: a.csv}}\n", a__csv="subject,x")


EXAMPLES = """examples:
  - {as: {user: ann}, call: crm.get, args: {id: 7}, related: [[ann, owner, 7]], expect: allow}
  - {as: {user: ann}, call: crm.get, args: {id: 8}, related: [[ann, owner, 7]], expect: denied}
  - {as: {user: ann}, call: crm.get, args: {id: 7}, related: nothing, expect: denied}
  - {as: {user: ann}, call: crm.get, args: {id: 7}, expect: denied}
"""


def test_examples_say_what_is_so_and_show_what_happens_when_nobody_can_tell(tmp_path: Path) -> None:
    rules = loaded(tmp_path, SERVICE + ALLOW + EXAMPLES)
    assert failures(run(rules, NOW)) == ()
    known = loaded(tmp_path, "relations: {owner: {pairs: {ann: 7}}}\n" + ALLOW + EXAMPLES)
    (other,) = failures(run(known, NOW))
    assert (other.example.related, other.got) == (None, "allow")  # there the rules themselves know it


def test_a_relation_stands_beside_every_other_variable(tmp_path: Path) -> None:
    whole = "time.getHours() == 0 && run.step == 1 && tool.effect == 'read' && 'a' in principal.roles && CALL"
    condition = whole.replace("CALL", 'related(principal.user, "owner", args.id)')
    rules = loaded(tmp_path, f"{SERVICE}rules:\n  - id: own\n    allow: crm.get\n    when: >-\n      {condition}\n")
    who = Principal("bot", frozenset({"a"}), user="ann")
    assert decided(rules, who=who, relations={Question("ann", "owner", "7"): True}) == "allow"
    assert decided(rules, who=who, relations={Question("ann", "owner", "7"): False}) == "denied"


def test_an_explanation_tells_what_was_known(tmp_path: Path) -> None:
    rules = loaded(tmp_path, SERVICE + ALLOW)
    facts = Facts(rules.catalog.tools["crm.get"], {"id": 7}, ANN, Run("r", 1), NOW)
    text = explain(rules, facts).as_text()
    assert 'cannot be answered with args.id = 7, principal.user = "ann", related(' in text
    assert "= not known: nobody can tell related(principal.user" in text
    told = facts._replace(relations={Question("ann", "owner", "7"): True})
    assert 'related(principal.user, "owner", args.id) = true' in explain(rules, told).as_text()


def test_the_review_reads_the_arguments_too(tmp_path: Path) -> None:
    loaded(tmp_path, SERVICE + ALLOW.replace("args.id", "args.idd"))
    found = lint(load(tmp_path), tmp_path)
    assert any("idd" in str(one) and "not declared" in str(one) for one in found), found
    loaded(tmp_path, SERVICE + ALLOW.replace("args.id", "args.also").replace("related", "has(args.also) && related"))
    assert not any("args" in str(one) for one in lint(load(tmp_path), tmp_path))
    loaded(tmp_path, SERVICE + ALLOW)
    assert not any("args" in str(one) for one in lint(load(tmp_path), tmp_path))
