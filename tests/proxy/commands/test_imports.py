import json

import pytest
from typer.testing import CliRunner

from proxy.cli import app
from proxy.commands.imports import MOST_SHOWN

ID = {"name": "id", "in": "path", "schema": {"$ref": "parts.json#/id"}}
SPEC = {
    "openapi": "3.0.3",
    "info": {"title": "Shop", "version": "7"},
    "servers": [{"url": "https://shop.test"}],
    "paths": {
        "/pets": {"get": {"operationId": "listPets"}, "post": {"operationId": "addPet"}},
        "/pets/{id}": {"delete": {"operationId": "deletePet", "parameters": [ID]}},
        "/admin": {"post": {"operationId": "setAll"}},
    },
}


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "parts.json").write_text(json.dumps({"id": {"type": "integer"}}))
    (tmp_path / "api" / "shop.json").write_text(json.dumps(SPEC))
    (tmp_path / "secret.json").write_text('{"key": "x"}')
    return tmp_path / "api" / "shop.json"


def toolwall(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_command_makes_a_folder_that_passes(spec, tmp_path):
    out = tmp_path / "rules"
    done = toolwall("import", "openapi", spec, "-o", out)
    assert done.exit_code == 0, done.output
    assert "Shop 7 (3.0.3): 4 operations" in done.output
    for row in ("read", "write", "irreversible", "admin"):
        assert row in done.output
    assert "allowed to writer, when approver says yes" in done.output
    assert f"toolwall check {out}" in done.output
    assert set(everything(out)) == {"shop.yaml", "shop.policy.yaml", ".import/shop.json"}
    for command in ("check", "test"):
        done = toolwall(command, out)
        assert done.exit_code == 0, done.output


def test_a_document_without_operations_is_told(tmp_path):
    (tmp_path / "bare.json").write_text('{"openapi": "3.1.0", "info": {"title": "Bare", "version": "1"}}')
    done = toolwall("import", "openapi", tmp_path / "bare.json", "-o", tmp_path / "rules")
    assert done.exit_code == 0
    assert "0 operations\nNothing of it can be called" in done.output


def test_a_folder_is_no_document(tmp_path):
    done = toolwall("import", "openapi", tmp_path, "-o", tmp_path / "rules")
    assert done.exit_code == 3
    assert done.output.startswith(f"Cannot read {tmp_path}: it is no regular file. ")


def test_again_is_nothing_new(spec, tmp_path):
    out = tmp_path / "rules"
    toolwall("import", "openapi", spec, "-o", out)
    done = toolwall("import", "openapi", spec, "-o", out)
    assert (done.exit_code, "Nothing to write" in done.output) == (0, True)


def test_what_was_edited_is_not_overwritten_without_a_word(spec, tmp_path):
    out = tmp_path / "rules"
    toolwall("import", "openapi", spec, "-o", out)
    file = out / "shop.yaml"
    file.write_text(file.read_text() + "# mine\n")
    before = everything(out)
    spec.write_text(json.dumps({**SPEC, "paths": {"/new": {"get": {}}}}))
    done = toolwall("import", "openapi", spec, "-o", out)
    assert done.exit_code == 3
    assert str(file) in done.output
    assert "--force" in done.output
    assert everything(out) == before, "nothing at all was written"
    done = toolwall("import", "openapi", spec, "-o", out, "--force")
    assert done.exit_code == 0
    assert b"get_new" in file.read_bytes()


def test_many_files_that_differ_are_not_all_listed(spec, tmp_path):
    out = tmp_path / "rules"
    schemas = {f"S{n}": {"properties": {"a": {"$ref": f"#/components/schemas/S{n}"}}} for n in range(30)}
    content = {"application/json": {"schema": {"anyOf": [{"$ref": f"#/components/schemas/S{n}"} for n in range(30)]}}}
    paths = {"/x": {"get": {"responses": {"200": {"content": content}}}}}
    spec.write_text(json.dumps({**SPEC, "paths": paths, "components": {"schemas": schemas}}))
    toolwall("import", "openapi", spec, "-o", out)
    for file in (out / "schemas" / "shop").iterdir():
        file.write_text("{}")
    done = toolwall("import", "openapi", spec, "-o", out)
    assert f"and {31 - MOST_SHOWN} more" in done.output


def test_roles_name_and_address_can_be_said(spec, tmp_path):
    out = tmp_path / "rules"
    words = (
        "--name",
        "crm",
        "--url",
        "http://127.0.0.1:8080/v1",
        "--reader",
        "r1",
        "--writer",
        "w1",
        "--approver",
        "a1",
    )
    assert toolwall("import", "openapi", spec, "-o", out, *words).exit_code == 0
    policy = (out / "crm.policy.yaml").read_text()
    assert all(f"[{role}]" in policy for role in ("r1", "w1"))
    assert "by: a1" in policy
    assert "url: http://127.0.0.1:8080/v1" in (out / "crm.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--url", "shop.test"), 2, "--url must begin with http"),
        (("--reader", ""), 2, "A role needs a name"),
    ],
)
def test_options_that_make_no_sense(spec, tmp_path, words, code, says):
    done = toolwall("import", "openapi", spec, "-o", tmp_path / "rules", *words)
    assert (done.exit_code, says in done.output) == (code, True), done.output
    assert not (tmp_path / "rules").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1,", "shop.json:2:1: is neither JSON nor YAML"),
        ("{}", "shop.json: is not an OpenAPI document"),
        ("just text", "it is no mapping"),
        ('{"openapi": "9.0"}', "version 9.0"),
    ],
)
def test_a_document_that_is_none(spec, tmp_path, text, says):
    spec.write_text(text)
    done = toolwall("import", "openapi", spec, "-o", tmp_path / "rules")
    assert (done.exit_code, says in done.output) == (3, True), done.output
    assert not (tmp_path / "rules").exists()


@pytest.mark.parametrize("name", ["nowhere.yaml", "https://shop.test/openapi.json", "."])
def test_a_document_that_is_not_there(tmp_path, name):
    done = toolwall("import", "openapi", name, "-o", tmp_path / "rules")
    assert (done.exit_code, "nothing is fetched" in done.output) == (3, True)


@pytest.mark.parametrize(
    "ref", ["../secret.json#/key", "link.json#/key", "https://shop.test/x.json#/id", "gone.json#/id"]
)
def test_references_out_of_the_folder_and_to_nothing_are_said_and_stay_shut(spec, tmp_path, ref):
    (spec.parent / "link.json").symlink_to(tmp_path / "secret.json")
    spec.write_text(json.dumps(SPEC).replace("parts.json#/id", ref))
    out = tmp_path / "rules"
    done = toolwall("import", "openapi", spec, "-o", out)
    assert done.exit_code == 0
    assert "deletePet: the $ref" in done.output
    assert "not: {}" in (out / "shop.yaml").read_text()
    assert toolwall("check", out).exit_code == 0


def test_warnings_are_bounded_on_the_terminal_and_whole_in_the_file(spec, tmp_path):
    bad = [{"name": f"p{n}", "in": "query", "schema": {"pattern": f"(?={n})"}} for n in range(30)]
    spec.write_text(json.dumps({**SPEC, "paths": {"/x": {"get": {"operationId": "it", "parameters": bad}}}}))
    done = toolwall("import", "openapi", spec, "-o", tmp_path / "rules")
    assert "30 things to look at" in done.output
    assert f"and {30 - MOST_SHOWN} more" in done.output
    assert (tmp_path / "rules" / "shop.yaml").read_text().count("# the pattern") == 30


def test_a_folder_that_cannot_be_written_is_said(spec, tmp_path):
    (tmp_path / "rules").write_text("a file")
    done = toolwall("import", "openapi", spec, "-o", tmp_path / "rules")
    assert (done.exit_code, "Cannot write" in done.output) == (3, True), done.output


def test_no_half_written_files_are_left(spec, tmp_path):
    out = tmp_path / "rules"
    (out / "shop.policy.yaml" / "in the way").mkdir(parents=True)
    done = toolwall("import", "openapi", spec, "-o", out, "--force")
    assert done.exit_code == 3
    assert not [path for path in out.rglob(".*") if path.is_file()]
