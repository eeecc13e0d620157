import json
import socket

import pytest

from rules.dialects import DRAFT202012
from rules.documents import MOST_BYTES, ROOT, BadSchema, gather
from rules.schema import Contract


def put(folder, name, value):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def refused(folder, schema):
    with pytest.raises(BadSchema) as caught:
        Contract(schema, folder)
    return caught.value


def test_files_are_found_relative_to_the_folder_and_to_each_other(tmp_path):
    put(tmp_path, "schemas/refund.json", {"properties": {"a": {"$ref": "parts/money.json#/$defs/cents"}}})
    put(tmp_path, "schemas/parts/money.json", {"$defs": {"cents": {"$ref": "../int.json"}}})
    put(tmp_path, "schemas/int.json", {"type": "integer"})
    documents = gather({"$ref": "schemas/refund.json"}, DRAFT202012, tmp_path)
    assert set(documents) == {
        ROOT + name for name in ("schemas/refund.json", "schemas/parts/money.json", "schemas/int.json")
    }
    contract = Contract({"$ref": "schemas/refund.json"}, tmp_path)
    assert contract.check({"a": 1}) == ()
    assert [one.path for one in contract.check({"a": "x"})] == ["/a"]
    assert contract.check({"b": 1})


def test_files_may_refer_to_each_other_in_a_circle(tmp_path):
    put(tmp_path, "tree.json", {"type": "object", "properties": {"kids": {"items": {"$ref": "tree.json"}}}})
    contract = Contract({"properties": {"top": {"$ref": "tree.json"}}}, tmp_path)
    assert contract.check({"top": {"kids": [{"kids": []}]}}) == ()
    assert [one.path for one in contract.check({"top": {"kids": [{"kids": [1]}]}})] == ["/top/kids/0/kids/0"]


@pytest.mark.parametrize(
    "ref",
    [
        "../secret.json",
        "a/../../secret.json",
        "%2e%2e/secret.json",
        "%2e%2e%2fsecret.json",
        "link.json",
        "/../secret.json",
    ],
)
def test_no_reference_leaves_the_folder(tmp_path, ref):
    put(tmp_path, "secret.json", {"type": "string"})
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    bad = refused(folder, {"properties": {"a": {"$ref": ref}}})
    assert any(part in bad.flaws[0].message for part in ("leads out of", "there is no file"))
    assert bad.flaws[0].path == ("properties", "a", "$ref")


def test_nothing_is_ever_fetched(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.2)
        url = f"http://127.0.0.1:{canary.getsockname()[1]}/x.json"
        put(tmp_path, "a.json", {"$ref": url})
        for schema in (
            {"$ref": url},
            {"properties": {"a": {"$ref": url}}},
            {"$ref": "a.json"},
            {"$id": url, "$ref": "y.json"},
            {"$schema": url},
            {"$ref": "file:///etc/hostname"},
            {"$ref": "//127.0.0.1/x"},
            {"$dynamicRef": url, "unevaluatedProperties": False},
        ):
            refused(tmp_path, schema)
        with pytest.raises(TimeoutError):
            canary.accept()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("", "is not JSON"),
        ("type: string", "is not JSON"),
        ('{"type": "string", "type": "integer"}', "the key 'type' stands twice"),
        ('{"minimum": NaN}', "NaN is not JSON"),
        ('{"minimum": -Infinity}', "-Infinity is not JSON"),
        ("[" * 100_000, "cannot be read"),
        ('{"const": ' + "[" * 200 + "]" * 200 + "}", "nested deeper than"),
        ('{"minimun": 1}', "is not a keyword"),
        ('{"$schema": "https://example.com/x"}', "names an unknown dialect"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, text, says):
    put(tmp_path, "a.json", text)
    bad = refused(tmp_path, {"$ref": "a.json"})
    assert (bad.file, says in bad.flaws[0].message) == ("a.json", True)


def test_a_file_in_another_encoding_or_too_large_is_refused(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"title": "\xff"}')
    assert "cannot be read" in refused(tmp_path, {"$ref": "a.json"}).flaws[0].message
    put(tmp_path, "a.json", " " * (MOST_BYTES + 1))
    assert "is larger than" in refused(tmp_path, {"$ref": "a.json"}).flaws[0].message


def test_the_number_of_files_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("rules.documents.MOST_FILES", 3)
    for number in range(9):
        put(tmp_path, f"{number}.json", {"$ref": f"{number + 1}.json"})
    put(tmp_path, "9.json", {})
    assert "more than 3 files" in refused(tmp_path, {"$ref": "0.json"}).flaws[0].message


def test_without_a_folder_no_file_can_be_meant():
    assert "no folder" in refused(None, {"$ref": "a.json"}).flaws[0].message


def test_a_file_keeps_its_own_dialect(tmp_path):
    put(tmp_path, "old.json", {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}})
    contract = Contract({"properties": {"x": {"$ref": "old.json"}}}, tmp_path)
    assert contract.check({"x": {"a": 1, "b": 1}}) == ()
    assert contract.check({"x": {"a": 1}})
