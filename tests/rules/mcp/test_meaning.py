import pytest

from rules.documents import BadSchema
from rules.mcp.meaning import MEANINGS
from rules.mcp.schemas import LEFT_OUT
from tests.rules.helpers import corpus
from tests.rules.mcp.hub import FILE, README, REVIEW, SEARCH


def test_each_kind_has_its_contract():
    tool = MEANINGS["tools"]("search_issues", SEARCH)
    assert (tool.contract.names, tool.replies is not None, tool.mirrors) == (
        {"q", "region"},
        True,
        (("Region", ("region",)),),
    )
    assert MEANINGS["prompts"]("review", REVIEW).contract.names == {"change", "tone"}
    for kind, name, one in (("resources", "repo://readme", README), ("templates", FILE["uriTemplate"], FILE)):
        assert MEANINGS[kind](name, one).contract.names == {"uri"}


@pytest.mark.parametrize(
    ("kind", "name", "one"),
    [
        ("tools", "t", {"inputSchema": {"type": "string"}}),
        ("tools", "t", {"inputSchema": {"type": "object", "x-mcp-header": "A"}}),
        ("prompts", "p", {"arguments": [1]}),
        ("resources", "a://{b}", {}),
        ("templates", "a://b{", {}),
        ("templates", "a://{b*}", {}),
    ],
)
def test_what_cannot_be_used_is_refused(kind, name, one):
    with pytest.raises(BadSchema):
        MEANINGS[kind](name, one)


def test_a_tool_that_says_nothing_of_arguments_takes_none():
    contract = MEANINGS["tools"]("t", {"name": "t"}).contract
    assert contract.check({}) == ()
    assert contract.check({"a": 1})


def test_nothing_of_a_real_schema_is_left_out():
    count = 0
    for record in corpus("mcp/tools.jsonl.gz"):
        contract = MEANINGS["tools"](record["tool"]["name"], record["tool"]).contract
        assert LEFT_OUT not in contract.schema
        count += "inputSchema" in record["tool"]
    assert count > 150
