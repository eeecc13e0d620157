import copy
import json

import pytest

from rules import definitions as module
from rules.definitions import BadDefinitions, Change, compare, definitions, hash_of, read_definitions, written
from tests.rules.helpers import corpus
from tests.rules.mcp.hub import CREATE, LISTS, README, REVIEW, SEARCH


def accepted(**lists):
    return definitions(**{**LISTS, **lists})


def test_what_is_written_is_read_again():
    one = accepted()
    assert read_definitions(written(one)) == one
    assert one.tools["search_issues"] == SEARCH
    assert one.instructions == "Search first."


def test_the_file_does_not_depend_on_the_order_in_which_a_server_lists():
    turned = accepted(tools=[CREATE, dict(reversed(SEARCH.items()))])
    assert written(turned) == written(accepted())
    assert turned.digest == accepted().digest


def test_the_revision_that_was_spoken_is_kept_and_cannot_be_changed_by_hand():
    spoken = accepted(revision="2025-11-25")
    assert read_definitions(written(spoken)).revision == "2025-11-25"
    assert b"revision" not in written(accepted())
    for data in (
        written(spoken).replace(b"2025-11-25", b"2026-07-28"),
        written(spoken).replace(b'"revision": "2025-11-25",', b""),
        written(accepted()).replace(b'"format"', b'"revision": "2025-11-25",\n "format"'),
    ):
        with pytest.raises(BadDefinitions, match="digest"):
            read_definitions(data)
    for bad in (7, None, "2025", "2025-11-25 "):
        with pytest.raises(BadDefinitions, match="revision"):
            accepted(revision=bad)
    assert compare(accepted(), spoken) == ()


def test_what_an_editor_would_hide_is_seen_in_the_file():
    sneaky = accepted(instructions="Search\u200b first.\u202e")
    assert b"Search\\u200b first.\\u202e" in written(sneaky)
    assert read_definitions(written(sneaky)) == sneaky


FIELDS = ("title", "description", "inputSchema", "outputSchema", "annotations", "icons", "_meta", "execution")


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_a_definition_counts(field):
    for other in ("changed", None):
        turned = copy.deepcopy(SEARCH)
        turned[field] = {"type": "object", "title": other}
        assert compare(accepted(), accepted(tools=[turned, CREATE])) == (
            Change("tools", "search_issues", "changed", (field,)),
        )
    if field in SEARCH:
        less = {name: value for name, value in SEARCH.items() if name != field}
        assert compare(accepted(), accepted(tools=[less, CREATE])) == (
            Change("tools", "search_issues", "changed", (field,)),
        )


def test_what_is_added_removed_or_renamed_is_told():
    new = {**CREATE, "name": "issue.open"}
    found = compare(accepted(), accepted(tools=[SEARCH, new], prompts=[], resources=[README, {"uri": "x://y"}]))
    assert found == (
        Change("tools", "issue.open", "renamed", was="issue.create"),
        Change("prompts", "review", "removed"),
        Change("resources", "x://y", "added"),
    )


def test_only_one_of_two_equal_ones_is_the_renamed_one():
    first, second = {**CREATE, "name": "a"}, {**CREATE, "name": "b"}
    assert compare(accepted(tools=[CREATE]), accepted(tools=[first, second])) == (
        Change("tools", "a", "renamed", was="issue.create"),
        Change("tools", "b", "added"),
    )


@pytest.mark.parametrize(
    ("old", "new", "what"), [("a", "b", "changed"), ("", "b", "added"), ("a", "", "removed"), ("a", "a", "")]
)
def test_instructions_count_too(old, new, what):
    found = compare(accepted(instructions=old), accepted(instructions=new))
    assert [each.what for each in found] == ([what] if what else [])


def test_a_member_that_is_null_is_not_one_that_is_missing():
    found = compare(accepted(prompts=[REVIEW]), accepted(prompts=[{**REVIEW, "title": None}]))
    assert found == (Change("prompts", "review", "changed", ("title",)),)
    assert hash_of({"a": 1}) != hash_of({"a": True}) != hash_of({"a": "1"})


@pytest.mark.parametrize("cut", ["byte", "digest", "value", "key", "format", "list", "twice", "nan", "bom"])
def test_a_damaged_file_is_no_file(cut):
    data = written(accepted())
    whole = json.loads(data)
    damaged = {
        "byte": data[:-20],
        "digest": data.replace(accepted().digest.encode(), b"0" * 64),
        "value": data.replace(b"Find issues.", b"Find issues, and more."),
        "key": json.dumps({**whole, "more": 1}).encode(),
        "format": json.dumps({**whole, "format": "toolwall definitions 9"}).encode(),
        "list": json.dumps({**whole, "tools": {}}).encode(),
        "twice": data.replace(b'"instructions"', b'"instructions": "", "instructions"', 1),
        "nan": data.replace(b'"test/x": 1', b'"test/x": NaN'),
        "bom": b"\xef\xbb\xbf" + data,
    }[cut]
    assert damaged != data
    with pytest.raises(BadDefinitions):
        read_definitions(damaged)


def nested(levels):
    value = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ({"tools": [SEARCH, SEARCH]}, "defined twice"),
        ({"tools": [{"name": 1}]}, "has no name"),
        ({"tools": ["x"]}, "has no name"),
        ({"resources": [{"name": "x"}]}, "has no uri"),
        ({"tools": [{"name": "x" * 1025}]}, "has no name"),
        ({"prompts": [{"name": "p", "x": nested(64)}]}, "deeper than 64"),
        ({"tools": [{"name": "t", "description": "x" * module.MOST_BYTES}]}, "takes more than"),
        ({"tools": [{"name": "t", "inputSchema": {"title": "x" * module.MOST_SCHEMA}}]}, "has an inputSchema of more"),
        ({"tools": [{"name": "t", "outputSchema": {"title": "x" * module.MOST_SCHEMA}}]}, "has an outputSchema"),
        ({"tools": [{"name": str(one)} for one in range(module.MOST + 1)]}, f"more than {module.MOST}"),
        ({"instructions": "x" * module.MOST_INSTRUCTIONS}, "instructions"),
        ({"instructions": ["x"]}, "instructions"),
        ({"instructions": "\ud800"}, "instructions"),
        ({"tools": [{"name": "t", "title": "\ud800"}]}, "half a surrogate pair"),
    ],
)
def test_what_a_server_says_is_bounded(lists, says):
    with pytest.raises(BadDefinitions, match=says):
        definitions(**lists)


def test_a_file_is_bounded_before_it_is_read():
    with pytest.raises(BadDefinitions, match="larger than"):
        read_definitions(b" " * (module.MOST_FILE + 1))


def test_real_definitions_and_those_of_the_specification_are_kept_verbatim():
    kinds = {"Tool": "tools", "Prompt": "prompts", "Resource": "resources", "ResourceTemplate": "templates"}
    count = 0
    for record in corpus("mcp/tools.jsonl.gz"):
        one = definitions(tools=[record["tool"]])
        assert read_definitions(written(one)).tools == {record["tool"]["name"]: record["tool"]}
        count += 1
    for record in corpus("mcp/spec_examples.jsonl.gz"):
        if kind := kinds.get(record["type"]):
            one = definitions(**{kind: [record["value"]]})
            assert list(read_definitions(written(one)).of(kind).values()) == [record["value"]]
            count += 1
    assert count > 320


def test_who_a_server_is_is_kept_but_for_its_version():
    one = definitions([SEARCH], server={"name": "hub", "title": "Hub", "version": "7"})
    assert one.server == {"name": "hub", "title": "Hub"}
    again = read_definitions(written(one))
    assert (again.server, again.digest) == (one.server, one.digest)
    assert compare(one, definitions([SEARCH], server={"name": "hub", "title": "Hub", "version": "8"})) == ()
    found = compare(one, definitions([SEARCH], server={"name": "bus", "title": "Hub"}))
    assert [(each.kind, each.what, each.fields) for each in found] == [("serverInfo", "changed", ("name",))]
    assert compare(definitions([SEARCH]), one) == (), "nobody noted it before"
    with pytest.raises(BadDefinitions):
        read_definitions(written(one).replace(b'"Hub"', b'"Bus"'))


@pytest.mark.parametrize(
    "server", [["x"], "x", {"name": "x" * module.MOST_INSTRUCTIONS}, {"name": "\ud800"}, {"a": {}}]
)
def test_who_a_server_is_may_be_too_much(server):
    if isinstance(server, dict) and "a" in server:
        for _ in range(module.MOST_DEPTH):
            server = {"a": server}
    with pytest.raises(BadDefinitions, match="serverInfo"):
        definitions(server=server)
