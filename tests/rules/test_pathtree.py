from rules.load import load
from rules.pathtree import Tree
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


def finding(tmp_path, api):
    tree = Tree()
    for tool in load(write(tmp_path, crm=api)).catalog.tools.values():
        tree.grow(tool)

    def found(path):
        tools, values = tree.find(path) or ([], [])
        return [tool.short for tool in tools], values

    return found


def test_a_literal_beats_a_parameter_and_more_text_beats_less(tmp_path):
    found = finding(tmp_path, API)

    assert found("/a/me") == (["mine"], [])
    assert found("/a/x-7") == (["part"], ["7"])
    assert found("/a/7") == (["one"], ["7"])
    assert found("/a/me/b") == (["deep"], ["me"])
    assert found("/a/me/c") == ([], [])
    assert found("/a") == ([], [])


OTHERS = """
    backend: crm
    url: https://crm.test
    tools:
      one: {call: "GET /a/{id}", args: {id: {type: string}}}
      export: {call: GET /a/export}
      spaced: {call: "GET /a/b%20c"}
      part: {call: "GET /a/x-{id}", args: {id: {type: string}}}
      done: {call: "GET /a/{id}:done", args: {id: {type: string}}}
      deep: {call: "GET /a/me/{id}", args: {id: {type: string}}}
      upper: {call: "GET /b/{id}/K", args: {id: {type: string}}}
      lower: {call: "GET /b/{id}/k", args: {id: {type: string}}}
"""


def test_what_another_reader_takes_for_another_tool_is_none(tmp_path):
    found = finding(tmp_path, OTHERS)
    others = ("%65xport", "EXPORT", "Expor%54", "7%3Adone", "7:DONE", "%78-7", "X-7", "b%20%43")
    for last in (*others, "export%20", "%20Export", "export.", "export%2e%20", "7:done%20"):
        assert found(f"/a/{last}") == ([], []), last
    assert found("/a/export") == (["export"], [])
    assert found("/a/b%20c") == (["spaced"], [])
    for last in ("%61", "Acme%20Inc.", "%20", "...", "%20a", "exports.", "export.csv"):
        assert found(f"/a/{last}") == (["one"], [last])
    assert found("/a/ME") == (["one"], ["ME"])
    assert found("/a/exports") == (["one"], ["exports"])
    assert found("/b/7/K") == (["upper"], ["7"])
    assert found("/b/7/k") == (["lower"], ["7"])
