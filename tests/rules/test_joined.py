import json
import time

import pytest

from rules.dialects import DRAFT7, DRAFT202012
from rules.documents import ROOT, Documents, File, Library
from rules.joined import URI, into, join
from rules.schema import Contract


def documents(**values):
    return Documents({f"{ROOT}{name}.json": File(f"{ROOT}{name}.json", value) for name, value in values.items()})


def put(folder, name, value):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(value))


def test_references_between_files_lead_into_the_one_document():
    joint = join(documents(a={"$ref": "b.json#/properties/x"}, b={"properties": {"x": {"$ref": "#"}}}), DRAFT202012)
    assert joint == {
        "$defs": {
            "a.json": {"$ref": f"{URI}#/$defs/b.json/properties/x"},
            "b.json": {"properties": {"x": {"$ref": f"{URI}#/$defs/b.json"}}},
        }
    }


def test_a_folder_in_a_name_is_escaped_and_data_that_looks_like_a_reference_stays():
    file = File(ROOT + "s/a.json", {"const": {"$ref": "b.json"}, "items": {"$ref": "a.json"}})
    joint = join(Documents({file.uri: file}), DRAFT202012)
    assert joint["$defs"]["s/a.json"] == {
        "const": {"$ref": "b.json"},
        "items": {"$ref": f"{URI}#/$defs/s~1a.json"},
    }
    assert file.value["items"] == {"$ref": "a.json"}, "the file itself is not changed"


def test_the_schema_keeps_its_own_references_and_other_ones_move():
    schema = {"properties": {"a": {"$ref": "#/$defs/x"}, "b": {"$ref": "f.json"}}, "$defs": {"x": {}}}
    assert into(schema, DRAFT202012)["properties"] == {
        "a": {"$ref": "#/$defs/x"},
        "b": {"$ref": f"{URI}#/$defs/f.json"},
    }


@pytest.mark.parametrize(
    "value",
    [
        {"$id": "https://a.example/x"},
        {"properties": {"x": {"$anchor": "here"}}},
        {"$dynamicRef": "#x"},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"properties": {"x": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}},
    ],
)
def test_what_names_documents_or_places_is_not_joined(value):
    assert join(documents(a=value, b={}), DRAFT202012) is None


def test_a_file_that_names_the_same_dialect_is_joined():
    value = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"}
    assert join(documents(a=value), DRAFT7) == {"definitions": {"a.json": {"type": "string"}}}


def test_a_property_that_is_called_like_a_keyword_is_none():
    assert join(documents(a={"properties": {"$id": {"type": "string"}}}), DRAFT202012) is not None


def test_many_files_that_refer_to_each_other_take_milliseconds(tmp_path):
    count = 40
    for index in range(count):
        others = {f"p{one}": {"$ref": f"f{one}.json"} for one in range(count)}
        put(tmp_path, f"f{index}.json", {"type": "object", "properties": {**others, "n": {"type": "integer"}}})
    began = time.process_time()
    contract = Contract({"properties": {"top": {"$ref": "f0.json"}}}, tmp_path)
    assert contract.check({"top": {"p7": {"p3": {"p0": {"n": 1}}}}}) == ()
    assert [one.path for one in contract.check({"top": {"p7": {"p3": {"n": "x"}}}})] == ["/top/p7/p3/n"]
    assert time.process_time() - began < 5, "minutes and gigabytes where each file is a document of its own"


def test_contracts_of_one_library_read_a_file_once(tmp_path):
    put(tmp_path, "a.json", {"type": "integer"})
    library = Library(tmp_path)
    first = Contract({"properties": {"x": {"$ref": "a.json"}}}, library)
    (tmp_path / "a.json").unlink()
    second = Contract({"properties": {"y": {"$ref": "a.json"}}}, library)
    assert first.documents is second.documents
    assert [one.path for one in second.check({"y": "text"})] == ["/y"]
