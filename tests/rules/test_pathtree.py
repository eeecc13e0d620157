from rules.load import load
from rules.pathtree import Node, grow, walk
from tests.rules.helpers import write

API = """
    backend: crm
    url: https://crm.test
    tools:
      mine: {call: GET /a/me}
      one: {call: "GET /a/{id}", args: {id: {type: string}}}
      part: {call: "GET /a/x-{id}", args: {id: {type: string}}}
      deep: {call: "GET /a/{id}/b", args: {id: {type: string}}}
"""


def test_a_literal_beats_a_parameter_and_more_text_beats_less(tmp_path):
    root = Node()
    for tool in load(write(tmp_path, crm=API)).catalog.tools.values():
        grow(root, tool)

    def found(path):
        values = []
        tools = walk(root, path.split("/"), 1, values)
        return [tool.short for tool in tools or ()], values

    assert found("/a/me") == (["mine"], [])
    assert found("/a/x-7") == (["part"], ["7"])
    assert found("/a/7") == (["one"], ["7"])
    assert found("/a/me/b") == (["deep"], ["me"])
    assert found("/a/me/c") == ([], [])
    assert found("/a") == ([], [])
