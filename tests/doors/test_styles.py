"""Parameters in every style of OpenAPI, through the socket: refused where they mean two things, else byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.wire import Stage, Wall, staged

STRINGS, NUMBERS = "{type: array, items: {enum: [a, 'b,c', d e]}}", "{type: array, items: {type: integer}}"
RGB = "{type: object, properties: {R: {type: integer}, G: {type: integer}}, additionalProperties: false}"
NESTED = """{type: object, additionalProperties: false, properties: {
        n: {type: integer}, tags: {type: array, items: {type: integer}},
        below: {type: object, additionalProperties: false, properties: {on: {type: boolean}}}}}"""
TOOLS = f"""
  simple: {{call: "GET /simple/{{c}}", args: {{c: {STRINGS}}}}}
  simple_map: {{call: "GET /simple-map/{{c}}", args: {{c: {RGB}}}}}
  simple_spread: {{call: "GET /simple-spread/{{c}}", args: {{c: {RGB}}}, in: {{c: {{path: {{explode: true}}}}}}}}
  label: {{call: "GET /label/{{c}}", args: {{c: {STRINGS}}}, in: {{c: {{path: {{style: label}}}}}}}}
  label_spread:
    call: GET /label-spread/{{c}}
    args: {{c: {RGB}}}
    in: {{c: {{path: {{style: label, explode: true}}}}}}
  matrix: {{call: "GET /matrix/{{c}}", args: {{c: {STRINGS}}}, in: {{c: {{path: {{style: matrix}}}}}}}}
  matrix_spread:
    call: GET /matrix-spread/{{c}}
    args: {{c: {RGB}}}
    in: {{c: {{path: {{style: matrix, explode: true}}}}}}
  path_json: {{call: "GET /path-json/{{c}}", args: {{c: {RGB}}}, in: {{c: {{path: {{json: true}}}}}}}}
  form: {{call: GET /form, args: {{c: {STRINGS}}}}}
  form_joined: {{call: GET /form-joined, args: {{c: {STRINGS}}}, in: {{c: {{query: {{explode: false}}}}}}}}
  form_map: {{call: GET /form-map, args: {{c: {RGB}, q: {{type: string, optional: true}}}}}}
  form_map_joined: {{call: GET /form-map-joined, args: {{c: {RGB}}}, in: {{c: {{query: {{explode: false}}}}}}}}
  space: {{call: GET /space, args: {{c: {NUMBERS}}}, in: {{c: {{query: {{style: spaceDelimited}}}}}}}}
  pipe: {{call: GET /pipe, args: {{c: {NUMBERS}}}, in: {{c: {{query: {{style: pipeDelimited}}}}}}}}
  deep:
    call: GET /deep
    args: {{c: {NESTED}}}
    in: {{c: {{query: {{style: deepObject}}}}}}
  named: {{call: GET /named, args: {{c: {NUMBERS}}}, in: {{c: {{query: {{name: "c[]"}}}}}}}}
  json: {{call: GET /json, args: {{c: {RGB}}}, in: {{c: {{query: {{json: true}}}}}}}}
  header: {{call: GET /header, args: {{c: {NUMBERS}}}, in: {{c: {{header: {{name: X-C}}}}}}}}
  header_map: {{call: GET /header-map, args: {{c: {RGB}}}, in: {{c: {{header: {{name: X-C, explode: true}}}}}}}}
  header_json: {{call: GET /header-json, args: {{c: {RGB}}}, in: {{c: {{header: {{name: X-C, json: true}}}}}}}}
  cookie: {{call: GET /cookie, args: {{c: {NUMBERS}}}, in: {{c: cookie}}}}
  cookie_map: {{call: GET /cookie-map, args: {{c: {RGB}}}, in: {{c: cookie}}}}
"""


@pytest.fixture(scope="module")
def styled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("styles"), TOOLS) as stage:
        yield stage


REFUSED = [
    # (target, code)
    ("/simple/x", 422),
    ("/simple/a,x", 422),
    ("/simple/b,c", 422),
    ("/simple-map/R,1,G", 400),
    ("/simple-map/R,1,R,2", 400),
    ("/simple-map/R,1,B,2", 422),
    ("/simple-map/R,x", 422),
    ("/simple-spread/R,1", 400),
    ("/simple-spread/R=1,R=2", 400),
    ("/simple-spread/R=1,B=2", 422),
    ("/label/a", 400),
    ("/label/.x", 422),
    ("/label/.a.d%20e", 422),
    ("/label-spread/R=1", 400),
    ("/label-spread/.R=1.G", 400),
    ("/matrix/a", 400),
    ("/matrix/;d=a", 400),
    ("/matrix/;c=a;c=a", 400),
    ("/matrix-spread/;R=1;R=1", 400),
    ("/matrix-spread/;R=1;B=1", 422),
    ("/path-json/R", 400),
    ("/path-json/%7B%22R%22:1,%22R%22:1%7D", 400),
    ("/path-json/%7B%22R%22:%221%22%7D", 422),
    ("/form?c=a&c=x", 422),
    ("/form?c[]=a", 422),
    ("/form?c=a,d+e", 422),
    ("/form-joined?c=a&c=a", 400),
    ("/form-joined?c=a%2Cd+e,b", 400),
    ("/form-joined?c=a;d", 400),
    ("/simple/a%2Cd%20e", 400),
    ("/form-map?R=1&R=2", 400),
    ("/form-map?R=1&c=1", 422),
    ("/form-map?R=1&B=1", 422),
    ("/form-map?R=x", 422),
    ("/form-map-joined?c=R,1,G", 400),
    ("/form-map-joined?R=1", 422),
    ("/space?c=1,2", 422),
    ("/space?c=1%20x", 422),
    ("/space?c=1&c=2", 400),
    ("/pipe?c=1,2", 422),
    ("/pipe?c=1%7C%7C2", 422),
    ("/deep?c=1", 400),
    ("/deep?c={%22n%22:1}", 400),
    ("/deep?c[n]=1&c[n]=2", 400),
    ("/deep?c[n]=1&c%5Bn%5D=2", 400),
    ("/deep?c[n]=1&c[n][m]=2", 400),
    ("/deep?c[tags][1]=7", 400),
    ("/deep?c[tags][1]=7&c[tags][0]=7", 400),
    ("/deep?c[tags][]=7&c[tags][0]=7", 400),
    ("/deep?c[tags][]=x", 422),
    ("/deep?c[below][off]=true", 422),
    ("/deep?c[below]=true", 422),
    ("/deep?c[n]=x", 422),
    ("/deep?d[n]=1&c[n]=1", 422),
    ("/deep?c[n=1&c[n]=1", 422),
    ("/named?c=1", 422),
    ("/named?c[0]=1", 422),
    ("/json?c=R", 400),
    ("/json?c=%7B%7D&c=%7B%7D", 400),
    ("/json?c=%7B%22R%22:NaN%7D", 400),
    ("/json?c=%7B%22B%22:1%7D", 422),
    ("/json?c=[]", 422),
]


@pytest.mark.parametrize(("target", "status"), REFUSED, ids=[target for target, _ in REFUSED])
def test_what_is_off_its_style_reaches_nobody(styled: Stage, target: str, status: int) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm" + target)
        assert (told.reply.status, told.reached) == (status, [])
        assert told.record["code"] == told.reply.json["code"]
        assert told.reply.json["suggestion"]

    styled.run(play)


EXACT = [
    "/simple/a,b%2Cc,d%20e",
    "/simple/a",
    "/simple-map/R,1,G,-2",
    "/simple-spread/R=1,G=2",
    "/label/.a,b%2Cc",
    "/label-spread/.R=1.G=2",
    "/matrix/;c=a,b%2cc",
    "/matrix-spread/;R=1;G=2",
    "/path-json/%7B%22R%22:1,%22G%22:2%7D",
    "/form?c=a&c=b,c&c=d+e&c=d%20e",
    "/form-joined?c=a,b%2Cc,d+e",
    "/form-joined?c=a",
    "/form-map?R=1&q=x&G=2",
    "/form-map-joined?c=R,1,G,2",
    "/space?c=1%202+3",
    "/pipe?c=1%7C2%7c3",
    "/pipe?c=1|2",
    "/deep?c[n]=1&c[below][on]=true&c[tags][]=7&c[tags][]=8",
    "/deep?c%5Bn%5D=1&c%5Btags%5D%5B0%5D=7&c%5Btags%5D%5B1%5D=7",
    "/deep?c[tags]=1&c[tags]=2",
    "/named?c[]=1&c%5B%5D=2",
    "/json?c=%7B%22R%22%3A1%7D",
]


@pytest.mark.parametrize("target", EXACT)
def test_what_is_in_its_style_arrives_as_it_was_sent(styled: Stage, target: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm" + target)
        assert told.reply.status == 200, told.reply.body
        assert told.reached[0].split(b" ")[1] == b"/api" + target.encode()

    styled.run(play)


@pytest.mark.parametrize("query", ["c=a%2Cd+e", "c=a%2cd+e", "%63=a%2Cd+e"])
def test_a_list_that_came_with_every_comma_encoded_leaves_with_raw_ones(styled: Stage, query: str) -> None:
    """So most clients write it; raw, a backend that splits before it decodes reads what was judged too."""

    async def play(w: Wall) -> None:
        told = await w.tell("GET", f"/crm/form-joined?{query}")
        assert told.reply.status == 200, told.reply.body
        name = query.partition("=")[0]
        assert told.reached[0].split(b" ")[1] == f"/api/form-joined?{name}=a,d+e".encode()

    styled.run(play)


HEADERS: list[tuple[str, list[tuple[str, str]], int]] = [
    ("header", [("X-C", "1,x")], 422),
    ("header", [("X-C", "1 2")], 422),
    ("header", [("X-D", "1")], 422),
    ("header-map", [("X-C", "R=1,G")], 400),
    ("header-map", [("X-C", "R=1"), ("x-c", "R=2")], 400),
    ("header-map", [("X-C", "B=1")], 422),
    ("header-json", [("X-C", "R")], 400),
    ("header-json", [("X-C", "{}"), ("X-C", "{}")], 400),
    ("header-json", [("X-C", '{"R":1'), ("X-C", '"G":2}')], 400),
    ("cookie", [("Cookie", "c=1,x")], 422),
    ("cookie", [("Cookie", "c=1; c=2")], 400),
    ("cookie-map", [("Cookie", "R=1; G=x")], 422),
    ("cookie-map", [("Cookie", "R=1; R=2")], 400),
    ("cookie-map", [("Cookie", "c=R,1")], 422),
    ("cookie", [("Cookie", 'c="1"')], 400),
    ("cookie", [("Cookie", "c=%31")], 400),
    ("cookie", [("Cookie", "c=1 d=2")], 400),
    ("header", [("X-C", "1, 2"), ("X-C", "3")], 200),
    ("header-map", [("X-C", "R=1, G=2")], 200),
    ("header-json", [("X-C", '{"R": 1}')], 200),
    ("cookie", [("Cookie", "c=1,2")], 200),
    ("cookie-map", [("Cookie", "G=2; R=1")], 200),
]


@pytest.mark.parametrize(("name", "headers", "status"), HEADERS)
def test_headers_and_cookies(styled: Stage, name: str, headers: Any, status: int) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", f"/crm/{name}", headers=headers)
        assert told.reply.status == status, told.reply.body
        assert len(told.reached) == (status == 200)
        for key, value in headers if status == 200 else ():
            assert f"\r\n{key.lower()}: {value}\r\n".encode() in told.reached[0]

    styled.run(play)
