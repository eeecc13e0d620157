import pytest

from rules.openapi.reading import BadDocument
from rules.openapi.references import BadReference, Document

FILES = {
    "common.yaml": b"a: {$ref: 'sub/deep.json#/x'}\nback: {$ref: 'main.yaml#/own'}",
    "sub/deep.json": b'{"x": {"$ref": "../common.yaml#/list/1"}, "y": 1}',
    "broken.json": b"[1, ",
}


def fetch(path):
    if path not in FILES:
        raise FileNotFoundError(2, "there is no such file")
    return FILES[path]


MAIN = b"""
own: {name: it}
"a/b~c %": 7
list: [1, {two: 2}]
loop: {$ref: '#/loop'}
ping: {$ref: '#/pong'}
pong: {$ref: '#/ping'}
"""


def document():
    return Document("main.yaml", MAIN, fetch)


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("#/own/name", "it"),
        ("#/own", {"name": "it"}),
        ("#/a~1b~0c%20%25", 7),
        ("#/list/1/two", 2),
        ("main.yaml#/own/name", "it"),
        ("./main.yaml#/own/name", "it"),
        ("sub/../main.yaml#/own/name", "it"),
        ("sub/deep.json#/y", 1),
        ("./sub/%64eep.json#/y", 1),
    ],
)
def test_a_reference_leads_to_a_place(ref, found):
    assert document().find(ref, "main.yaml").value == found


def test_references_in_files_are_relative_to_them():
    main = document()
    assert main.find("../common.yaml#/back", "sub/deep.json").file == "common.yaml"
    assert main.follow({"$ref": "common.yaml#/back"}, "main.yaml").value == {"name": "it"}


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("../main.yaml", "leads out of the document's folder"),
        ("../../etc/passwd#/x", "leads out of the document's folder"),
        ("sub/../../x.yaml", "leads out of the document's folder"),
        ("%2e%2e/x.yaml", "leads out of the document's folder"),
        ("..", "leads out of the document's folder"),
        ("/etc/passwd", "leads out of the document's folder"),
        ("..\\x.yaml", "another machine"),
        ("http://api.example/spec.yaml#/a", "nothing is fetched"),
        ("file:///etc/passwd", "nothing is fetched"),
        ("//api.example/spec.yaml", "nothing is fetched"),
        ("#/nowhere", "leads nowhere"),
        ("#/list/7", "leads nowhere"),
        ("#/list/x", "leads nowhere"),
        ("#/own/name/deeper", "leads nowhere"),
        ("#anchor", "leads nowhere"),
        ("missing.yaml#/a", "cannot be read: there is no such file"),
        ("broken.json", "leads to a broken file"),
        ({"not": "text"}, "is not text"),
        (None, "is not text"),
    ],
)
def test_a_reference_that_leads_nowhere_or_away_is_refused(ref, says):
    with pytest.raises(BadReference) as caught:
        document().find(ref, "main.yaml")
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["loop", "ping"])
def test_a_circle_of_references_alone_is_an_error(name):
    with pytest.raises(BadReference, match="in a circle"):
        document().follow({"$ref": f"#/{name}"}, "main.yaml")


@pytest.mark.parametrize("data", [b"[]", b"", b"just text", b"7"])
def test_a_document_is_a_mapping(data):
    with pytest.raises(BadDocument, match="it is no mapping"):
        Document("main.yaml", data)


def test_a_document_without_a_folder_leads_to_no_file():
    with pytest.raises(BadReference, match="a file that is not there"):
        Document("main.yaml", MAIN).find("common.yaml#/a", "main.yaml")
