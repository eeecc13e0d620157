import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.forms import form_of
from rules.grammar import BACKEND, POLICY
from rules.published import json_schema, published
from rules.shape import check
from rules.source import read
from tests.counts import every_third, examples
from tests.rules.helpers import write
from tests.rules.mutations import mutations
from tests.rules.test_load import FULL
from tests.rules.test_load import POLICY as RULES

VALIDATOR = jsonschema_rs.Draft202012Validator(json_schema())


def loader_says(text):
    root, problems = read("x.yaml", text.encode())
    return not problems and not list(check(root, BACKEND if root.get("backend") else POLICY))


def test_it_is_a_json_schema():
    jsonschema_rs.meta.validate(json_schema())


def test_what_the_loader_takes_the_schema_takes(tmp_path):
    source = write(tmp_path, shop=FULL, policy=RULES)
    for file in source.glob("*.yaml"):
        assert VALIDATOR.is_valid(yaml.safe_load(file.read_text()))


def test_every_misspelt_key_of_the_format_is_red_in_an_editor_too(tmp_path):
    source = write(tmp_path, shop=FULL, policy=RULES)
    misspelt = [one for one in mutations(source) if one.kind == "misspelt"]
    refused = [one for one in every_third(misspelt) if not loader_says(one.text)]
    for one in refused:
        assert not VALIDATOR.is_valid(yaml.safe_load(one.text)), one
    assert len(refused) > 40 * len(every_third(misspelt)) / len(misspelt)


leaves = st.sampled_from(
    [None, True, 0, 5, "", "x", "10s", "64KiB", "GET /x", "crm.get", "deny", "read", "query", "pass"]
)
WORDS = {
    *("backend", "url", "tools", "call", "args", "in", "effect", "reply", "redact", "on_error", "most_bytes", "rules"),
    *("id", "allow", "deny", "to", "roles", "when", "require", "approval", "by", "within", "examples", "as", "expect"),
    "optional",
}
words = st.sampled_from(sorted(WORDS))
values = st.recursive(
    leaves, lambda below: st.lists(below, max_size=3) | st.dictionaries(words, below, max_size=4), max_leaves=10
)


@given(st.sampled_from([BACKEND, POLICY]).flatmap(lambda form: st.tuples(st.just(form), values)))
@settings(max_examples=examples(300), deadline=None, database=None)
def test_the_loader_and_the_schema_agree_on_files_that_nobody_chose(pair):
    form, value = pair
    agree(form, value)


TOOL, RULE = BACKEND.keys["tools"].shape.item, POLICY.keys["rules"].shape.item
COMPILED = [(form, jsonschema_rs.Draft202012Validator(published(form))) for form in (BACKEND, POLICY, TOOL, RULE)]


def agree(form, value):
    root, _ = read("x.yaml", yaml.safe_dump({"v": value}).encode())
    ours = not list(check(root.get("v"), form))
    (validator,) = (compiled for known, compiled in COMPILED if known is form)
    assert validator.is_valid(value) == ours, value


@pytest.mark.parametrize("key", sorted({*TOOL.keys, *RULE.keys}))
@given(value=values)
@settings(max_examples=40, deadline=None, database=None)
def test_they_agree_on_each_key(key, value):
    for form in (TOOL, RULE):
        if key in form.keys:
            agree(form, {"call": "GET /x", "id": "x", "allow": "x", key: value} if value != "x" else {key: value})


def test_a_backend_file_is_told_from_a_policy():
    assert form_of(frozenset({"backend"})) is BACKEND
    assert not VALIDATOR.is_valid({"backend": "crm", "rules": []})
