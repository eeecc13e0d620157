"""Bodies of every media type, through the socket: refused where they could mean two things, else as judged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.wire import Stage, Told, Wall, staged

FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=B"
TOOLS = """
  send:
    call: POST /send
    args:
      n: {type: integer, maximum: 9}
      tags: {type: array, items: {enum: [a, b c]}, optional: true}
      meta: {type: object, properties: {on: {type: boolean}}, additionalProperties: false, optional: true}
      opts: {type: object, properties: {x: {type: integer}}, additionalProperties: false, optional: true}
      file: {type: string, maxLength: 40, optional: true}
      q: {type: string, optional: true}
    in: {opts: {body: {style: deepObject}}, file: {body: {name: up}}, q: query}
    body: [application/json, application/x-www-form-urlencoded, multipart/form-data]
    effect: write
  note: {call: POST /note, args: {body: {type: string, maxLength: 20, pattern: "^[^<]*$"}}, body: text/*, effect: write}
  put:
    call: PUT /blob
    args: {body: {type: string, maxLength: 16}}
    body: [image/png, application/octet-stream]
    effect: write
  open:
    call: POST /open
    input:
      type: object
      properties:
        role: {enum: [user]}
        user_id: {enum: [7]}
        who: {type: object, properties: {id: {const: 7}}}
      additionalProperties: true
    body: [application/json, application/x-www-form-urlencoded, multipart/form-data]
    effect: write
  whole:
    call: POST /whole
    args: {body: {type: object, properties: {who: {type: array, items: {properties: {id: {const: 7}}}}}}}
    body: [application/json]
    effect: write
  mixed:
    call: POST /mixed
    input: {type: object, properties: {tenant: {const: a}}, additionalProperties: true}
    in: {tenant: {query: {name: t}}}
    effect: write
  spread:
    call: GET /spread
    input: {type: object, properties: {role: {enum: [user]}, more: {type: object}}}
  plain: {call: POST /plain, args: {n: {type: integer}}, effect: write}
"""
POST, PUT = "POST", "PUT"


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("bodies"), TOOLS) as stage:
        yield stage


def part(head: str, data: bytes) -> bytes:
    return f"--B\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"


def parts(*several: tuple[str, bytes]) -> bytes:
    return b"".join(part(head, data) for head, data in several) + b"--B--\r\n"


async def tell(w: Wall, path: str, kind: str, body: bytes) -> Told:
    headers = [("Content-Type", kind)] if kind else []
    return await w.tell("PUT" if path == "/blob" else "POST", f"/crm{path}", body, headers)


REFUSED = [
    ("/send", "text/plain", b"n=1", 400),
    ("/send", "application/vnd.a+json", b'{"n":1}', 400),
    ("/send", "", b"n=1", 400),
    ("/plain", FORM, b"n=1", 400),
    ("/plain", PARTS, parts(('name="n"', b"1")), 400),
    ("/plain", "application/octet-stream", b"{}", 400),
    ("/note", "application/json", b'"x"', 400),
    ("/note", "text/plain; charset=utf-16", b"x\0", 400),
    ("/note", "text/plain", b"\xff", 400),
    ("/note", "text/plain", b"<b>", 422),
    ("/note", "text/plain", b"x" * 21, 422),
    ("/blob", "image/gif", b"x", 400),
    ("/blob", "image/png", b"x" * 13, 422),
    ("/send", FORM, b"n=10", 422),
    ("/send", FORM, b"n=x", 422),
    ("/send", FORM, b"tags=a", 422),
    ("/send", FORM, b"n=1&tags=b%2Ba", 422),
    ("/send", FORM, b"n=1&z=1", 422),
    ("/send", FORM, b"n=1&q=x", 422),
    ("/send", FORM, b"n=1&file=x", 422),
    ("/send", FORM, b"n=1&opts[y]=1", 422),
    ("/send", FORM, b"n=1&opts[x]=y", 422),
    ("/send", FORM, b"n=1&n=1", 400),
    ("/send", FORM, b"n=1;tags=a", 400),
    ("/send", FORM, b"n=1&meta=on", 400),
    ("/send", FORM, b"n=1&meta=%7B%22on%22:true,%22on%22:false%7D", 400),
    ("/send", FORM, b"n=1\x00", 400),
    ("/send", FORM, b"n=%c3", 400),
    ("/send", FORM, b"&".join([b"n=1"] * 1_001), 413),
    ("/send", FORM + "; charset=utf-7", b"n=1", 400),
    ("/send", PARTS, parts(('name="n"', b"10")), 422),
    ("/send", PARTS, parts(('name="n"', b"1"), ('name="z"', b"1")), 422),
    ("/send", PARTS, parts(('name="n"', b"1"), ('name="q"', b"1")), 422),
    ("/send", PARTS, parts(('name="n"; filename="n"', b"1")), 422),
    ("/send", PARTS, parts(('name="n"', b"1"), ('name="up"; filename="a"', b"x" * 31)), 422),
    ("/send", PARTS, parts(('name="n"', b"1"), ('name="n"', b"1")), 400),
    ("/send", PARTS, parts(('name="n"', b"1"), ('name="up"; filename="../a"', b"x")), 400),
    ("/send", PARTS, parts(('name="n"', b"1"), ("name=\"up\"; filename*=utf-8''a", b"x")), 400),
    ("/send", PARTS, parts(('name="n"; name="tags"', b"1")), 400),
    ("/send", PARTS, parts(('name="n"', b"1")).replace(b"\r\n", b"\n"), 400),
    ("/send", PARTS, b"x\r\n" + parts(('name="n"', b"1")), 400),
    ("/send", PARTS, parts(('name="n"', b"1")) + b"n=2", 400),
    ("/send", PARTS, parts(('name="n"', b"1"))[:-4], 400),
    ("/send", PARTS, parts(('name="n"\r\nContent-Transfer-Encoding: base64', b"MQ==")), 400),
    ("/send", PARTS, parts(('name="n"\r\nContent-Type: multipart/mixed; boundary=C', b"1")), 400),
    ("/send", PARTS, parts(('name="n"\r\nX: ' + "x" * 5_000, b"1")), 400),
    ("/send", PARTS, parts(*[('name="tags"', b"a")] * 1_001), 413),
    ("/send", PARTS, parts(('name="n"', b"1"), ('name="q2"\r\nContent-Type: image/png', b"1")), 400),
    ("/open", FORM, b"role=user&role[]=admin", 400),
    ("/open", FORM, b"role%5B0%5D=admin", 400),
    ("/open", FORM, b"ROLE=admin", 400),
    ("/open", FORM, b"+role=admin", 400),
    ("/open", FORM, b"role%00x=admin", 400),
    ("/open", PARTS, parts(('name="role"', b"user"), ('name="role[]"', b"admin")), 400),
    ("/open", PARTS, parts(('name="Role"; filename="a"', b"admin")), 400),
    ("/open", FORM, b"user.id=8", 400),
    ("/open", FORM, b"user+id=8", 400),
    ("/open", FORM, b"user%5Bid=8", 400),
    ("/open", FORM, b"who.id=8", 400),
    ("/open", FORM, b"_method=DELETE", 400),
    ("/open", FORM, b"X-HTTP-Method-Override=DELETE", 400),
    ("/open", PARTS, parts(('name="_method"', b"DELETE")), 400),
    ("/open", "application/json", b'{"_method":"DELETE"}', 422),
    ("/mixed?t=a", "application/json", b'{"t":"b"}', 422),
    ("/mixed?t=a", "application/json", b'{"T":"b"}', 422),
    ("/mixed?t=a", "application/json", b'{"tenant":"b"}', 422),
    ("/whole", "application/json", b'{"_METHOD":"DELETE"}', 400),
    ("/open", "application/json", b'{"who":{"ID":8}}', 422),
    ("/open", "application/json", b'{"who":{"id":7,"iD":8}}', 422),
    ("/whole", "application/json", b'{"who":[{"ID":8}]}', 422),
    ("/open", "application/json", b'{"role":"user","Role":"admin"}', 422),
    ("/open", "application/json", '{"role":"user","roLeſ":1,"ROLE":"admin"}'.encode(), 422),
    ("/send", "multipart/form-data", parts(('name="n"', b"1")), 400),
    ("/send", PARTS + "; boundary=C", parts(('name="n"', b"1")), 400),
]


@pytest.mark.parametrize(("path", "kind", "body", "status"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused_reaches_nobody(typed: Stage, path: str, kind: str, body: bytes, status: int) -> None:
    async def play(w: Wall) -> None:
        told = await tell(w, path, kind, body)
        assert (told.reply.status, told.reached) == (status, []), told.reply.body
        assert told.record["code"] == told.reply.json["code"]

    typed.run(play)


@pytest.mark.parametrize("query", ["role[]=admin", "role=user&ROLE=admin", "more=1&role%5B0%5D=admin"])
def test_a_spread_object_takes_no_name_that_could_mean_an_argument(typed: Stage, query: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", f"/crm/spread?{query}")
        assert (told.reply.status, told.reached) == (400, [])
        told = await w.tell("GET", "/crm/spread?role=user&roles[]=admin&other=1")
        assert told.reply.status == 200, told.reply.body

    typed.run(play)


def test_a_wrong_type_is_told_what_is_right(typed: Stage) -> None:
    async def play(w: Wall) -> None:
        said = (await tell(w, "/send", "text/plain", b"x")).reply.json["suggestion"]
        assert said == "Send one of: application/json, application/x-www-form-urlencoded, multipart/form-data."
        assert (await tell(w, "/plain", FORM, b"n=1")).reply.json["suggestion"] == "Send one of: application/json."

    typed.run(play)


SAME = [
    ("/send", "application/json; charset=utf-8", b'{"n": 1, "up": "x", "opts": {"x": 2}}'),
    ("/send", FORM, b"n=7&tags=a&tags=b+c&tags=b%20c&meta=%7B%22on%22:true%7D&opts%5Bx%5D=1&up=x"),
    ("/send", FORM + ";charset=UTF-8", b"&n=7&&up=%E2%82%AC&"),
    ("/note", "text/markdown; charset=utf-8", "# é\r\n\0".encode()),
    ("/blob", "application/octet-stream", b"\x00\xff\r\n\r\n"),
    ("/blob", "Image/PNG", b"--B"),
]


@pytest.mark.parametrize(("path", "kind", "body"), SAME, ids=range(len(SAME)))
def test_what_has_one_reading_arrives_as_it_was_sent(typed: Stage, path: str, kind: str, body: bytes) -> None:
    async def play(w: Wall) -> None:
        told = await tell(w, path, kind, body)
        assert told.reply.status == 200, told.reply.body
        head, _, got = told.reached[0].partition(b"\r\n\r\n")
        assert got == body
        assert f"\r\ncontent-type: {kind}".encode() in head

    typed.run(play)


def test_parts_arrive_written_anew_and_say_the_same(typed: Stage) -> None:
    async def play(w: Wall) -> None:
        data = b"\x00\n--B\n\xff\r\n--toolwall\r\n"
        sent = [
            ('name="n"', b"7"),
            ('filename="a b.png"; name="up"', data),
            ('name="tags"', b"a"),
            ('name="tags"', b"b c"),
        ]
        told = await tell(w, "/send", PARTS, parts(*sent))
        assert told.reply.status == 200, told.reply.body
        head, _, got = told.reached[0].partition(b"\r\n\r\n")
        [kind] = [line for line in head.split(b"\r\n") if line.startswith(b"content-type: ")]
        boundary = kind.partition(b"boundary=")[2]
        assert len(boundary) > 40
        assert boundary != b"B"
        assert kind.startswith(b"content-type: multipart/form-data; boundary=")
        assert (
            got
            == b"".join(
                b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (boundary, about, value)
                for about, value in [
                    (b'name="n"', b"7"),
                    (b'name="up"; filename="a b.png"', data),
                    (b'name="tags"', b"a"),
                    (b'name="tags"', b"b c"),
                ]
            )
            + b"--%b--\r\n" % boundary
        )
        again = await tell(
            w,
            "/send",
            PARTS.replace("=B", "=C"),
            parts(*sent).replace(b"--B\r\n", b"--C\r\n").replace(b"--B--", b"--C--"),
        )
        assert again.reached[0].partition(b"\r\n\r\n")[2] == got
        assert again.record["arguments_hash"] == told.record["arguments_hash"]

    typed.run(play)


def test_a_compressed_body_is_refused_as_ever(typed: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("POST", "/crm/send", b"n=1", [("Content-Type", FORM), ("Content-Encoding", "gzip")])
        assert (told.reply.status, told.reached) == (400, [])

    typed.run(play)
