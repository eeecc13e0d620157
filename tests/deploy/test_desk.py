"""The demo's desk, as a process of its own and through its socket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator

DEMO = Path(__file__).parents[2] / "deploy" / "demo"
SPEC: dict[str, Any] = json.loads((DEMO / "openapi.json").read_text())
OPERATIONS = [(path, method) for path, operations in SPEC["paths"].items() for method in operations]
REFUND = {"order_id": 7, "amount_cents": 100, "reason": "Charged twice."}


class Answer(NamedTuple):
    status: int
    body: Any


class Desk:
    def __init__(self, data: Path) -> None:
        command = [sys.executable, "-B", str(DEMO / "desk.py"), "--port", "0", "--data", str(data)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout
        self.said = json.loads(self.process.stdout.readline())

    def __call__(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return self.send(method, target, sent, {name.replace("_", "-"): value for name, value in headers.items()})

    def send(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.said["port"], timeout=10)
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return Answer(answer.status, json.loads(text) if "json" in answer.headers.get_content_type() else text)

    def end(self) -> int:
        self.process.terminate()
        code = self.process.wait(10)
        assert self.process.stdout
        self.process.stdout.close()
        return code


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.end()


@pytest.fixture(scope="module")
def same_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """For tests that change nothing."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    yield desk
    desk.end()


def schema_of(path: str, method: str, status: int) -> dict[str, Any]:
    reply = SPEC["paths"][path][method]["responses"][str(status)]
    return {**reply["content"]["application/json"]["schema"], "components": SPEC["components"]}


def fits(answer: Answer, path: str, method: str) -> bool:
    return Draft202012Validator(schema_of(path, method, answer.status)).is_valid(answer.body)


def test_says_where_it_listens(same_desk: Desk) -> None:
    assert same_desk.said["url"] == f"http://127.0.0.1:{same_desk.said['port']}"


def test_serves_the_document_that_lies_beside_it(same_desk: Desk) -> None:
    assert same_desk("GET", "/openapi.json") == (200, SPEC)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_serves_each_operation_of_the_document(same_desk: Desk, path: str, method: str) -> None:
    target = path.format(customer_id=0, order_id=0, ticket_id=0)  # number 0 is nobody's: nothing is changed
    answer = same_desk(method.upper(), target, b"")
    assert str(answer.status) in SPEC["paths"][path][method]["responses"]
    assert fits(answer, path, method)


@pytest.mark.parametrize("path", SPEC["paths"])
def test_serves_no_other_method(same_desk: Desk, path: str) -> None:
    target = path.format(customer_id=1, order_id=1, ticket_id=1)
    for method in {"get", "post", "put", "patch", "delete"} - SPEC["paths"][path].keys():
        assert same_desk(method.upper(), target, b"{}").status == 405


@pytest.mark.parametrize("target", ["/", "/invoices/7", "/admin", "/customers/7/card", "/customers/", "//customers/7"])
def test_serves_nothing_else(same_desk: Desk, target: str) -> None:
    assert same_desk("GET", target).status == 404


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/customers/7", "/customers/{customer_id}"),
        ("/orders/7", "/orders/{order_id}"),
        ("/tickets/7", "/tickets/{ticket_id}"),
        ("/tickets?limit=50", "/tickets"),
        ("/customers?limit=50", "/customers"),
        ("/admin/export", "/admin/export"),
    ],
)
def test_answers_as_the_document_says(same_desk: Desk, target: str, path: str) -> None:
    answer = same_desk("GET", target)
    assert answer.status == 200
    assert fits(answer, path, "get")


@pytest.mark.parametrize("number", ["0", "999", "-1", "x", "7.0", "%37x", "9" * 40, "٧"])
def test_knows_no_other_customer(same_desk: Desk, number: str) -> None:
    assert same_desk("GET", f"/customers/{quote(number, safe='%')}").status == 404


@pytest.mark.parametrize("limit", ["0", "51", "-1", "x", "", "1.0", "9" * 5000])
def test_refuses_a_wrong_limit(same_desk: Desk, limit: str) -> None:
    assert same_desk("GET", f"/tickets?limit={limit}").status == 400


def test_lists_what_was_asked_for_and_no_more(same_desk: Desk) -> None:
    tickets = same_desk("GET", "/tickets?status=open&limit=3").body["tickets"]
    assert len(tickets) == 3
    assert {ticket["status"] for ticket in tickets} == {"open"}
    assert len(same_desk("GET", "/customers?plan=team").body["customers"]) <= 20


def test_adds_a_note(desk: Desk) -> None:
    note = desk("POST", "/tickets/7/notes", {"text": "Called back."})
    assert note.status == 201
    assert fits(note, "/tickets/{ticket_id}/notes", "post")
    assert desk("GET", "/tickets/7").body["notes"] == [note.body]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"text=x", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (rb'{"text": "\ud800"}', 400),
        (b"{}", 422),
        ({"text": ""}, 422),
        ({"text": 7}, 422),
        ({"text": "x" * 2001}, 422),
        (b'{"text": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
def test_refuses_a_wrong_note(same_desk: Desk, body: Any, status: int) -> None:
    assert same_desk("POST", "/tickets/7/notes", body).status == status
    assert same_desk("GET", "/tickets/7").body["notes"] == []


def test_pays_a_refund_once_for_one_key(desk: Desk) -> None:
    first = desk("POST", "/refunds", REFUND, Idempotency_Key="k1")
    assert first.status == 201
    assert fits(first, "/refunds", "post")
    assert desk("POST", "/refunds", REFUND, Idempotency_Key="k1") == first
    assert desk("GET", "/admin/export").body["refunds"] == [first.body]


def test_refuses_another_refund_under_the_same_key(desk: Desk) -> None:
    desk("POST", "/refunds", REFUND, Idempotency_Key="k1")
    assert desk("POST", "/refunds", REFUND | {"amount_cents": 101}, Idempotency_Key="k1").status == 422
    assert len(desk("GET", "/admin/export").body["refunds"]) == 1


def test_pays_twice_without_a_key_but_never_more_than_the_order(desk: Desk) -> None:
    assert desk("POST", "/refunds", REFUND).status == 201
    assert desk("POST", "/refunds", REFUND).status == 201
    assert desk("POST", "/refunds", REFUND | {"amount_cents": 4800}).status == 409
    assert desk("POST", "/refunds", REFUND | {"amount_cents": 4799}).status == 201


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"order_id": 999}, 404),
        ({"order_id": 10**30}, 404),
        ({"amount_cents": 10**30}, 409),
        ({"order_id": "7"}, 422),
        ({"order_id": True}, 422),
        ({"amount_cents": 0}, 422),
        ({"amount_cents": 1.0}, 422),
        ({"reason": None}, 422),
    ],
)
def test_refuses_a_wrong_refund(same_desk: Desk, change: dict[str, Any], status: int) -> None:
    assert same_desk("POST", "/refunds", REFUND | change).status == status
    assert same_desk("GET", "/admin/export").body["refunds"] == []


def test_deletes_a_customer_but_not_what_belonged_to_him(desk: Desk) -> None:
    assert desk("DELETE", "/customers/7").status == 204
    assert desk("GET", "/customers/7").status == 404
    assert desk("DELETE", "/customers/7").status == 404
    assert desk("GET", "/tickets/7").body["customer_id"] is None


def test_tells_what_reached_it(desk: Desk) -> None:
    desk("GET", "/customers/7?x=%2F")
    desk("POST", "/nowhere", {"a": 1})
    first = {"number": 1, "method": "GET", "target": "/customers/7?x=%2F", "body": ""}
    second = {"number": 2, "method": "POST", "target": "/nowhere", "body": '{"a": 1}'}
    assert desk("GET", "/__seen").body == {"requests": [first, second]}
    assert desk("GET", "/__seen?after=1").body == {"requests": [second]}
    assert desk("GET", "/__seen?after=x").status == 400


def test_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    first = Desk(tmp_path)
    first("POST", "/tickets/7/notes", {"text": "Called back."})
    assert first.end() == 0
    second = Desk(tmp_path)
    assert [note["text"] for note in second("GET", "/tickets/7").body["notes"]] == ["Called back."]
    assert second.end() == 0


def test_does_not_start_on_a_port_that_is_taken(same_desk: Desk, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-B",
        str(DEMO / "desk.py"),
        "--port",
        str(same_desk.said["port"]),
        "--data",
        str(tmp_path),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"The desk cannot serve on port {same_desk.said['port']}")
    assert "Traceback" not in ended.stderr
