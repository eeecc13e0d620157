from tests.rules.openapi.making import imported, loaded


def header(name, value):
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string", "enum": [value]}}


def test_a_header_that_all_declare_tells_operations_apart(tmp_path):
    paths = {
        f"/#X-Target=Db.{name}": {"post": {"operationId": name, "parameters": [header("X-Target", f"Db.{name}")]}}
        for name in ("Get", "Put", "Drop")
    }
    found = imported(paths)
    assert {name: tool["picked_by"] for name, tool in found.tools.items()} == {
        name: {"header": {"X-Target": f"Db.{name}"}} for name in ("Get", "Put", "Drop")
    }
    assert list(found.tools["Get"])[:3] == ["says", "call", "picked_by"]
    assert found.notes == {}
    assert set(loaded(found, tmp_path)) == {"Get", "Put", "Drop"}


def test_so_does_a_name_in_the_query(tmp_path):
    def action(name):
        return {"name": "Action", "in": "query", "required": True, "schema": {"enum": [name]}}

    paths = {f"/#Action={name}": {"get": {"operationId": name, "parameters": [action(name)]}} for name in ("A", "B")}
    found = imported(paths)
    assert found.tools["B"]["picked_by"] == {"query": {"Action": "B"}}
    assert set(loaded(found, tmp_path)) == {"A", "B"}


def test_operations_that_nothing_tells_apart_are_picked_by_their_name(tmp_path):
    """The first is meant without a word, and where the document marks variants with a #, the one without."""
    paths = {
        "/files/{id}#share": {"put": {"operationId": "share"}},
        "/files/{id}": {"put": {"operationId": "update"}, "get": {"operationId": "get"}},
        "/files/{file}#lock": {"put": {"operationId": "lock"}},
    }
    found = imported(paths)
    assert "picked_by" not in found.tools["update"]
    assert found.tools["share"]["picked_by"] == {"header": {"Toolwall-Tool": "shop.share"}}
    assert found.tools["lock"]["picked_by"] == {"header": {"Toolwall-Tool": "shop.lock"}}
    assert "send the header Toolwall-Tool" in found.notes["lock"][-1]
    assert set(loaded(found, tmp_path)) == {"share", "update", "get", "lock"}


def test_marks_that_are_no_parameters_or_the_same_tell_nothing_apart(tmp_path):
    paths = {
        "/a#X=1": {"get": {"operationId": "a1"}},
        "/a#X=2": {"get": {"operationId": "a2"}},
        "/b#X=1": {"get": {"operationId": "b1", "parameters": [header("X", "1")]}},
        "/b#X=1&y": {"get": {"operationId": "b2", "parameters": [header("X", "1")]}},
    }
    found = imported(paths)
    assert [name for name, tool in found.tools.items() if "picked_by" in tool] == ["a2", "b2"]
    assert set(loaded(found, tmp_path)) == {"a1", "a2", "b1", "b2"}


def test_values_that_the_path_itself_names(tmp_path):
    paths = {f"/rpc?action={name}": {"get": {"operationId": name}} for name in ("one", "two")}
    found = imported(paths)
    assert {name: tool["picked_by"] for name, tool in found.tools.items()} == {
        "one": {"query": {"action": "one"}},
        "two": {"query": {"action": "two"}},
    }
    tools = loaded(found, tmp_path)
    assert tools["one"].contract.check({"action": "one"}) == ()
    assert tools["one"].contract.check({"action": "two"}) != ()
    assert tools["one"].contract.check({}) != ()
