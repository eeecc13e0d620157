"""What a contract allows reaches the backend unchanged: arguments that nobody chose, for contracts of real APIs.

The arguments are invented from the schemas and written as requests by code of the tests alone.
"""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from proxy.commands.imports import document_of
from rules.load import load
from rules.openapi.imported import Imported, Options, contracts, files
from rules.schema import Contract
from rules.tools import Tool
from tests.doors.inventing import Inventor
from tests.doors.serialising import Request, Unsendable, request
from tests.wire import Stage, Wall, staged

OURS = """
openapi: 3.1.0
info: {title: Ours, version: "1"}
servers: [{url: https://ours.example}]
components:
  schemas:
    Word: {type: string, maxLength: 8}
    Ints: {type: array, items: {type: integer}}
    Words: {type: array, items: {$ref: "#/components/schemas/Word"}}
    Rgb: {type: object, properties: {R: {type: integer}, G: {type: number}}, required: [R], additionalProperties: false}
    Tree: {type: object, properties: {n: {type: integer}, tags: {$ref: "#/components/schemas/Words"},
           below: {$ref: "#/components/schemas/Tree"}}, additionalProperties: false}
paths:
  /p/{a}/{b}/{c}/{d}/{e}:
    get:
      operationId: paths
      parameters:
        - {name: a, in: path, required: true, schema: {$ref: "#/components/schemas/Words"}}
        - {name: b, in: path, required: true, style: label, explode: true, schema: {$ref: "#/components/schemas/Ints"}}
        - {name: c, in: path, required: true, style: matrix, schema: {$ref: "#/components/schemas/Words"}}
        - {name: d, in: path, required: true, style: matrix, explode: true, schema: {$ref: "#/components/schemas/Rgb"}}
        - {name: e, in: path, required: true, explode: true, schema: {$ref: "#/components/schemas/Rgb"}}
  /q:
    get:
      operationId: query
      parameters:
        - {name: a, in: query, schema: {$ref: "#/components/schemas/Words"}}
        - {name: b, in: query, explode: false, schema: {$ref: "#/components/schemas/Words"}}
        - {name: c, in: query, style: spaceDelimited, explode: false, schema: {type: array, items: {type: number}}}
        - {name: d, in: query, style: pipeDelimited, explode: false, schema: {type: array, items: {type: boolean}}}
        - {name: e, in: query, style: deepObject, explode: true, schema: {$ref: "#/components/schemas/Tree"}}
        - {name: f, in: query, schema: {$ref: "#/components/schemas/Rgb"}}
        - {name: g, in: query, explode: false, schema: {$ref: "#/components/schemas/Rgb"}}
        - {name: h, in: query, content: {application/json: {schema: {$ref: "#/components/schemas/Tree"}}}}
        - {name: "i[]", in: query, schema: {type: array, items: {type: integer}}}
        - {name: j, in: query, schema: {anyOf: [{type: integer}, {enum: [auto, ""]}]}}
  /h:
    get:
      operationId: heads
      parameters:
        - {name: X-A, in: header, schema: {type: array, items: {type: integer}}}
        - {name: X-B, in: header, explode: true, schema: {$ref: "#/components/schemas/Rgb"}}
        - {name: X-C, in: header, schema: {$ref: "#/components/schemas/Word"}}
        - {name: sid, in: cookie, schema: {type: string, pattern: "^[a-z0-9]{1,8}$"}}
  /b:
    post:
      operationId: bodies
      requestBody:
        required: true
        content:
          application/json: &b {schema: {type: object, required: [n], properties: {n: {type: integer},
            s: {$ref: "#/components/schemas/Word"}, l: {$ref: "#/components/schemas/Words"},
            o: {$ref: "#/components/schemas/Tree"}}, additionalProperties: false}}
          application/x-www-form-urlencoded: *b
          multipart/form-data: *b
  /f:
    post:
      operationId: upload
      requestBody:
        required: true
        content:
          multipart/form-data: {schema: {type: object, required: [file], properties: {
            file: {type: string, contentEncoding: base64}, more: {type: array, items: {type: string,
            contentEncoding: base64}}, note: {type: string}}, additionalProperties: false}}
  /o:
    put:
      operationId: octets
      requestBody: {required: true, content: {application/octet-stream: {schema: {type: string, format: binary}}}}
  /t:
    put:
      operationId: words
      requestBody: {required: true, content: {text/plain: {schema: {type: string}}}}
"""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ours") / "ours.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(OURS)))
    return file


def spec(name: str, folder: Path) -> Path:
    """A real specification; skips where there are no corpora."""
    corpora = os.environ.get("TOOLWALL_CORPORA")
    if not corpora:
        pytest.skip("needs the real-world corpora: set TOOLWALL_CORPORA to their folder")
    file = Path(corpora) / "openapi" / "specs" / name
    zipped = file.with_name(name + ".gz")
    (folder / name).write_bytes(gzip.decompress(zipped.read_bytes()) if zipped.exists() else file.read_bytes())
    return folder / name


def check(file: Path, folder: Path, examples: int) -> tuple[set[str], int]:
    """Import, serve, and send so many invented calls. Returns the tools that were reached, and how many calls were."""
    imported = contracts(document_of(file), "crm", Options(url="http://127.0.0.1/api"))
    texts = files(imported)
    for path, text in texts.items():
        if path.startswith("schemas/"):
            (folder / "rules" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "rules" / path).write_text(text)
    # What a call does to the world is not what is tried here, and nobody sits there to approve.
    tools = re.sub(r"effect: (irreversible|admin)", "effect: write", texts["crm.yaml"].partition("\ntools:\n")[2])
    with staged(folder, tools, backend_keys="reply: {contract: off, redact: off}") as stage:
        return invent(stage, imported, Inventor(texts), examples)


def invent(stage: Stage, imported: Imported, inventor: Inventor, examples: int) -> tuple[set[str], int]:
    reached: list[str] = []
    tools = load(stage.wall.folder / "rules").catalog.tools

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def each(data: st.DataObject) -> None:
        short = data.draw(st.sampled_from(sorted(imported.tools)))
        tool = tools[f"crm.{short}"]
        said = imported.tools[short]
        args = data.draw(arguments(said, inventor))
        assume(tool.contract.check(args) == ())
        kind = data.draw(st.sampled_from(said.get("body", ["application/json"])))
        try:
            made = request(said, schemas_of(said, inventor), args, kind)
        except Unsendable:
            assume(False)
        assume(len(made.target) < 7_000)
        stage.run(lambda wall: arrives(wall, tool, made))
        reached.append(short)

    each()
    return set(reached), len(reached)


def schemas_of(said: dict[str, Any], inventor: Inventor) -> dict[str, Any]:
    """The schemas of the arguments, references followed as far as they lead away from the arguments themselves."""
    top = said.get("input") or {"properties": said.get("args", {})}
    return {name: inventor.resolved(one) for name, one in inventor.resolved(top).get("properties", {}).items()}


def arguments(said: dict[str, Any], inventor: Inventor) -> st.SearchStrategy[dict[str, Any]]:
    if "input" in said:
        return inventor.value(said["input"])
    args = said.get("args", {})
    required = [name for name, one in args.items() if not (isinstance(one, dict) and one.get("optional"))]
    return inventor.members({"properties": args, "required": required}, "", 0)


async def arrives(wall: Wall, tool: Tool, made: Request) -> None:
    told = await wall.tell(made.method, f"/crm{made.target}", made.body, made.headers)
    assert told.reply.status == 200, (tool.name, made, told.reply.body)
    head, _, body = told.reached[0].partition(b"\r\n\r\n")
    assert head.split(b" ")[:2] == [made.method.encode(), b"/api" + made.target.encode()]
    for name, value in made.headers:
        if not made.parts or name != "Content-Type":
            assert f"\r\n{name.lower()}: {value}".lower() in head.decode().lower()
    if made.parts:
        assert parts_of(head, body) == made.parts
    else:
        assert body == made.body


def parts_of(head: bytes, body: bytes) -> list[tuple[str, str, bytes]]:
    """A plain reading of a well-formed multipart body."""
    boundary = head.partition(b"boundary=")[2].partition(b"\r\n")[0]
    found = []
    for piece in body.split(b"--" + boundary)[1:-1]:
        about, _, data = piece[2:-2].partition(b"\r\n\r\n")
        names = dict(pair.split("=", 1) for pair in about.decode().splitlines()[0].split("; ")[1:])
        found.append((names["name"].strip('"'), names.get("filename", "").strip('"'), data))
    return found


@pytest.mark.parametrize("examples", [100, pytest.param(1_500, marks=pytest.mark.full)])
def test_every_style_and_type(ours: Path, tmp_path: Path, examples: int) -> None:
    tools, calls = check(ours, tmp_path, examples)
    assert tools == {"paths", "query", "heads", "bodies", "upload", "octets", "words"}
    assert calls > examples / 3


@pytest.mark.parametrize(
    ("name", "examples"),
    [
        ("petstore-swagger.yaml", 20),
        ("netlify-2.json", 20),
        ("ably.yaml", 20),
        *[
            pytest.param(name, 300, marks=pytest.mark.full)
            for name in ("petstore-swagger.yaml", "netlify-2.json", "ably.yaml", "rebilly.json", "discord.json",
                         "slack.json", "gitlab.json", "tfl.json", "akeneo.json", "stripe.json")
        ],
    ],
)  # fmt: skip
def test_contracts_of_real_apis(name: str, examples: int, tmp_path: Path) -> None:
    tools, calls = check(spec(name, tmp_path), tmp_path, examples)
    assert len(tools) >= min(10, examples // 10)
    assert calls > examples / 4


def test_what_is_invented_is_allowed_often_enough() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^x+$", "maxLength": 4}}}
    contract = Contract(schema)
    found: list[bool] = []

    @settings(max_examples=50, deadline=None, database=None, derandomize=True)
    @given(Inventor({}).value(schema))
    def each(args: Any) -> None:
        found.append(contract.check(args) == ())

    each()
    assert sum(found) > len(found) / 2
