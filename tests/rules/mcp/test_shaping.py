"""Results in their shape: data and texts alike, and what the rest is found by."""

import json
import random

import pytest

from redaction.scanner import Unreadable
from redaction.shaping import Bounds, Links
from rules.mcp.shaping import shaped
from rules.shaping import Answer, Shaping, Unshapable

LINKS = Links("H-", 100)
ROWS = [{"id": number, "name": f"name {number}", "notes": "canary"} for number in range(5)]


def text(value):
    return {"type": "text", "text": value if isinstance(value, str) else json.dumps(value, indent=1)}


def whole(shaping, links=LINKS, error=None, **result):
    said = {"error": error} if error else {"result": result}
    return shaped(shaping, Answer(json.dumps(said).encode(), "application/json"), links)


def given(shaping, **result):
    return json.loads(whole(shaping, **result).body)["result"]


def test_data_and_the_text_that_says_the_same_lose_the_same_fields():
    data = {"rows": ROWS, "total": 5}
    made = given(Shaping(keep=("id", "name")), structuredContent=data, content=[text(data)])
    assert made["structuredContent"] == {"rows": [{"id": n, "name": f"name {n}"} for n in range(5)]}
    assert json.loads(made["content"][0]["text"]) == made["structuredContent"]
    assert made["_meta"] == {"toolwall/shaped": "fields=6"}


def test_a_text_is_picked_of_where_there_is_no_data_and_pointers_count_from_its_top():
    shaping = Shaping(drop=("/rows/*/notes", "/total"))
    made = given(shaping, content=[text({"rows": ROWS, "total": 5}), text({"total": 1, "x": 2})])
    assert [json.loads(each["text"]) for each in made["content"]] == [
        {"rows": [{"id": n, "name": f"name {n}"} for n in range(5)]},
        {"x": 2},
    ]


def test_where_fields_are_picked_all_else_goes():
    content = [
        {**text({"id": 1, "x": "canary"}), "annotations": {"canary": 1}, "_meta": {"canary": 1}},
        text("canary"),
        {"type": "image", "data": "Y2FuYXJ5", "mimeType": "image/png"},
        {"type": "resource_link", "uri": "a:canary", "name": "canary"},
        {"type": "resource", "resource": {"uri": "a:b", "text": '{"id": 2, "y": "canary"}', "_meta": {"canary": 1}}},
        {"type": "resource", "resource": {"uri": "a:canary", "blob": "Y2FuYXJ5"}},
        "canary",
    ]
    meta = {"canary/x": 1, "io.modelcontextprotocol/serverInfo": {"name": "s"}}
    made = given(Shaping(keep=("id",)), content=content, canary={"a": 1}, _meta=meta)
    assert "canary" not in json.dumps(made)
    assert "Y2FuYXJ5" not in json.dumps(made)
    assert made["content"] == [
        text('{\n "id": 1}'),
        {"type": "resource", "resource": {"uri": "a:b", "text": '{"id": 2}'}},
    ]
    assert made["_meta"]["io.modelcontextprotocol/serverInfo"] == {"name": "s"}


def test_where_no_text_stays_the_data_is_one():
    made = given(Shaping(keep=("id",)), structuredContent={"id": 7, "x": 1}, content=[text("It is number 7.")])
    assert made["content"] == [text('{"id": 7}')]


@pytest.mark.parametrize(
    "result",
    [
        {"content": [text("id: 1")]},
        {"content": [text("[1, 2]")]},
        {"content": [{"type": "image", "data": "eA==", "mimeType": "image/png"}]},
        {"structuredContent": [1, 2], "content": []},
    ],
)
def test_what_holds_nothing_of_what_is_kept_is_withheld(result):
    with pytest.raises(Unshapable):
        whole(Shaping(keep=("id",)), **result)


def test_what_is_empty_passes():
    assert given(Shaping(keep=("id",)), content=[]) == {"content": []}
    assert given(Shaping(keep=("id",)), content=[], structuredContent={}) == {"content": [], "structuredContent": {}}


def test_lists_are_cut_in_data_and_text_alike_with_one_link():
    data = {"rows": ROWS}
    done = whole(Shaping(bounds=Bounds(most=2)), structuredContent=data, content=[text(data)])
    made = json.loads(done.body)["result"]
    assert made["structuredContent"]["rows"] == ROWS[:2]
    assert made["structuredContent"]["rows:left_out"] == f"3 more items: H-{done.parts[0].start}"
    assert json.loads(made["content"][0]["text"]) == made["structuredContent"]
    assert done.counts == {"items": 3}
    [part] = done.parts
    assert json.loads(done.whole[part.start : part.end]) == ROWS


def test_content_is_a_list_too():
    """Some servers say each item of a list as a text of its own."""
    content = [*map(text, ROWS), {"type": "image", "data": "eA==", "mimeType": "image/png"}, text("bye")]
    done = whole(Shaping(drop=("notes",), bounds=Bounds(most=2)), structuredContent={"result": ROWS}, content=content)
    made = json.loads(done.body)["result"]
    left = [{"id": n, "name": f"name {n}"} for n in range(5)]
    assert [json.loads(each["text"]) for each in made["content"][:2]] == left[:2]
    assert made["structuredContent"]["result"] == left[:2]
    part = done.parts[-1]
    assert made["content"][2:] == [text(f"3 more items: H-{part.start}")]
    assert json.loads(done.whole[part.start : part.end]) == left
    assert (part.shown, part.is_list) == (2, True)


def test_of_a_text_the_rest_is_found_at_its_place():
    done = whole(Shaping(bounds=Bounds(longest=10)), content=[text('0123456789"é'), text("short"), text("x" * 12)])
    first, short, last = json.loads(done.body)["result"]["content"]
    assert (first["text"], short) == (f"0123456789... [2 more characters: H-{done.parts[0].start}]", text("short"))
    assert last["text"].startswith("xxxxxxxxxx... [2 more characters: H-")
    rests = [json.loads(f'"{done.whole[part.start : part.end]}"')[part.shown :] for part in done.parts]
    assert rests == ['"é', "xx"]
    assert len({part.start for part in done.parts}) == 2


def test_every_byte_of_what_stays_is_as_it_was():
    body = b'{"result":{"structuredContent":{ "n" : 1.10e400, "i":12345678901234567890,"gone":1,"t":"caf\\u00e9"}}}'
    made = shaped(Shaping(drop=("gone",)), Answer(body, "application/json"), LINKS).body
    assert b'"structuredContent":{ "n" : 1.10e400, "i":12345678901234567890,"t":"caf\\u00e9"}' in made
    assert b'"toolwall/shaped":"fields=1"' in made
    same = b'{"result": {"content" : [] , "structuredContent": {"a" : 1.0} } }'
    assert shaped(Shaping(drop=("b",)), Answer(same, "application/json"), LINKS).body == same


def test_all_of_it_fits_or_is_withheld_with_advice():
    data = {"rows": [{"id": number, "text": "é" * 400} for number in range(200)]}
    done = whole(Shaping(bounds=Bounds(fit=4_096)), structuredContent=data, content=[text(data), text("z" * 3_000)])
    assert 1_500 < len(done.body) <= 4_096
    made = json.loads(done.body)["result"]
    assert json.loads(made["content"][0]["text"]) == made["structuredContent"]
    with pytest.raises(Unshapable, match="Ask for less"):
        whole(Shaping(bounds=Bounds(fit=1_024)), content=[{"type": "image", "data": "x" * 2_000, "mimeType": "a/b"}])


def test_what_cannot_be_cut_and_stay_what_it_is_is_withheld():
    page = {"type": "resource", "resource": {"uri": "a:b", "mimeType": "application/xml", "text": "<a>0123456</a>"}}
    with pytest.raises(Unshapable):
        whole(Shaping(bounds=Bounds(longest=10)), content=[page])
    assert given(Shaping(bounds=Bounds(longest=100)), content=[page])["content"] == [page]


def test_a_tool_s_error_keeps_its_words():
    shaping = Shaping(keep=("id",), drop=("secret",), bounds=Bounds(longest=10))
    content = [text("no such customer"), text({"why": "x", "secret": "canary"})]
    made = given(shaping, content=content, isError=True)
    assert made["content"][0]["text"].startswith("no such cu... [6 more characters")
    assert json.loads(made["content"][1]["text"]) == {"why": "x"}


def test_of_an_error_of_the_protocol_s_what_is_no_word_of_its_own_is_shaped():
    shaping = Shaping(keep=("id",), drop=("secret",), bounds=Bounds(longest=10))
    error = {"code": -32603, "message": "a long message", "data": {"secret": "canary", "more": "x" * 20}}
    made = json.loads(whole(shaping, error=error).body)["error"]
    assert made["code"] == -32603
    assert made["message"].startswith("a long mes... [4 more")
    assert made["data"]["more"].startswith("xxxxxxxxxx... [10 more")
    assert "canary" not in json.dumps(made)
    alone = json.loads(whole(shaping, error={"code": 7, "message": "a long message"}).body)["error"]
    assert alone["message"].startswith("a long mes... [4 more")
    asks = {"code": -32042, "message": "a long message", "data": {"elicitations": [{"url": "https://" + "x" * 50}]}}
    assert json.loads(whole(shaping, error=asks).body) == {"error": asks}


@pytest.mark.parametrize(
    "result", [{"resultType": "input_required", "inputRequests": {"a": {}}}, {"task": {"taskId": "t" * 50}}]
)
def test_what_is_no_result_yet_goes_on_as_it_is(result):
    assert given(Shaping(keep=("id",), bounds=Bounds(longest=5)), **result) == result


@pytest.mark.parametrize("posing", [{"task": {}}, {"resultType": "input_required"}, {"resultType": "task"}])
def test_a_result_does_not_get_by_as_none(posing):
    made = given(Shaping(keep=("id",)), structuredContent={"id": 1, "x": "canary"}, **posing)
    assert made["structuredContent"] == {"id": 1}
    with pytest.raises(Unshapable):
        whole(Shaping(keep=("id",)), content=[text("canary")], **posing)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b'{"result": 7}',
        b'{"error": "x"}',
        b'{"result": {"content": {}}}',
        b'{"result": {"a": "\xff"}}',
    ],
)
def test_what_is_no_message_is_not_guessed_at(body):
    with pytest.raises((Unreadable, ValueError)) as caught:
        shaped(Shaping(keep=("id",)), Answer(body, "application/json"), LINKS)
    assert caught.type is Unreadable


def test_cuts_beyond_the_room_have_no_link():
    done = whole(Shaping(bounds=Bounds(longest=5)), Links("H-", 2), content=[text("0123456789")] * 4)
    assert [b"H-" in each.encode() for each in done.body.decode().split("more characters")[1:]] == [
        True,
        True,
        False,
        False,
    ]
    assert len(done.parts) == 2


def test_whatever_the_bounds_it_is_json_and_holds_nothing_new():
    chance = random.Random(5)

    def value(depth):
        kind = chance.randrange(7 if depth else 4)
        if kind < 4:
            return [7, None, True, chance.choice(["", "short", "a long text" * 30, '"q\\u'])][kind]
        if kind < 6:
            return {f"k{n}": value(depth - 1) for n in range(chance.randrange(5))}
        return [value(depth - 1) for _ in range(chance.randrange(6))]

    for _ in range(300):
        data = {f"m{n}": value(3) for n in range(3)}
        content = [text(data), text("words " * chance.randrange(60)), text(value(2) or {"a": 1})]
        bounds = Bounds(chance.choice([0, 1, 3]), chance.choice([0, 20]), chance.choice([0, 2_000]))
        try:
            done = whole(Shaping(drop=("k1",), bounds=bounds), structuredContent=data, content=content)
        except Unshapable:
            continue
        made = json.loads(done.body)["result"]
        assert '"k1"' not in json.dumps(made["structuredContent"])
        assert not bounds.fit or len(done.body) <= bounds.fit
        assert json.loads(made["content"][0]["text"]) == made["structuredContent"]
        for part in done.parts:
            piece = done.whole[part.start : part.end]
            json.loads(piece if part.is_list else f'"{piece}"')
