import pytest

from rules.openapi.paths import template
from rules.template import parse


@pytest.mark.parametrize(
    ("raw", "path", "names"),
    [
        ("/pets/{id}", "/pets/{id}", {"id": "id"}),
        ("/pets/", "/pets/", {}),
        ("/", "/", {}),
        ("pets/{id}", "/pets/{id}", {"id": "id"}),
        ("/a//b", "/a/b", {}),
        ("//a", "/a", {}),
        ("/files/{name}.json", "/files/{name}.json", {"name": "name"}),
        ("/{a}-{b}/{c}:undo", "/{a}-{b}/{c}:undo", {"a": "a", "b": "b", "c": "c"}),
        ("/x/download{ext}", "/x/download{ext}", {"ext": "ext"}),
        ("/{id}{format}", "/{id_format}", {"id_format": "id_format"}),
        ("/{+path}", "/{path}", {"+path": "path"}),
        ("/{path*}", "/{path}", {"path*": "path"}),
        ("/{ id }", "/{id}", {" id ": "id"}),
        ("/{$id}/{user.name}", "/{id}/{user.name}", {"$id": "id", "user.name": "user.name"}),
        ("/{}", "/{value}", {"": "value"}),
        ("/{id}/x/{id}", "/{id}/x/{id_2}", {"id": "id", "id#id_2": "id_2"}),
        ("/a b/ü/%41/{id", "/a%20b/%C3%BC/%41/id", {}),
        ("/a/./b/..", "/a/%2E/b/%2E%2E", {}),
        ("/x()/y(id={id})", "/x()/y(id={id})", {"id": "id"}),
    ],
)
def test_a_path_becomes_a_template_that_rules_can_hold(raw, path, names):
    found = template(raw)
    assert (found.path, found.names) == (path, names)
    if "%2E" not in path:
        parse(found.path)


@pytest.mark.parametrize(
    ("raw", "query", "marks"),
    [
        ("/x?action=go&b=1", {"action": "go", "b": "1"}, {}),
        ("/x?flag", {}, {}),
        ("/x?id={id}", {}, {}),
        ("/#X-Amz-Target=Db.Get", {}, {"X-Amz-Target": "Db.Get"}),
        ("/x#A&B", {}, {}),
        ("/x?a=b%20c#d=e", {"a": "b c"}, {"d": "e"}),
    ],
)
def test_what_stands_behind_the_path(raw, query, marks):
    found = template(raw)
    assert (found.query, found.marks) == (query, marks)
    assert "?" not in found.path
    assert "#" not in found.path


def test_names_that_are_taken_are_not_given():
    assert template("/{body}", frozenset({"body"})).names == {"body": "body_2"}


def test_what_is_not_as_it_was_is_said():
    assert template("/a//b").warnings
    assert template("/{a}{b}").warnings
    assert template("/{+path}").warnings
    assert not template("/a/{b}").warnings


def test_templates_of_one_shape_match_the_same_requests():
    assert template("/a/{b}").shape == template("/a/{c}").shape
    assert template("/a/{b}").shape != template("/a/{b}.json").shape
