"""A round trip with a server that nobody here wrote: Kinto's document becomes rules, and Kinto's own client calls it
through the sidecar. What Kinto holds afterwards is asked of Kinto itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.roundtrip import street as streets
from tests.roundtrip.street import Street, toolwall

pytestmark = pytest.mark.full

METHODS = {"get", "put", "post", "delete", "options", "head", "patch"}
AT = {"bucket": "shop", "collection": "orders"}
IRREVERSIBLE = "      - kinto.delete_record\n"
WAIVED = """\
  - id: orders-go
    allow: kinto.delete_record
    to: {roles: [writer]}
    when: args.collection_id == "orders"
    waive: {approval: "Orders are kept elsewhere for ten years."}
examples:
"""
HIDDEN = """\
  - {id: nobody-sees-groups, deny: kinto.get_group*}
examples:
"""


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """Kinto with its document imported, and one bucket with seven orders in it, made through the sidecar."""
    folder = tmp_path_factory.mktemp("kinto")
    with streets.kinto(folder) as street:
        code, said = toolwall(folder, "import", "openapi", "kinto.json")
        assert code == 0, said
        with streets.sidecar(street):
            street.through.get("create_bucket", id="shop")
            street.through.get(
                "create_collection", id="orders", bucket="shop", permissions={"read": ["system.Everyone"]}
            )
            for number in range(7):
                street.through.get("create_record", id=f"o{number}", data={"n": number, "tags": ["a", "é"]}, **AT)
            made = street.records()
            assert [record["tool"] for record in made] == [
                "kinto.update_bucket",
                "kinto.update_collection",
                *["kinto.update_record"] * 7,
            ]
            assert {(record["outcome"], record["status"]) for record in made} == {("ok", 201)}
            yield street


def held(street: Street, number: str) -> dict[str, Any]:
    """What Kinto itself says of an order."""
    return street.direct.get("get_record", id=number, **AT)["data"]


def test_every_operation_of_the_document_is_a_tool_and_the_rules_are_in_order(street: Street) -> None:
    document = json.loads((street.folder / "kinto.json").read_text())
    operations = sum(method in METHODS for path in document["paths"].values() for method in path)
    code, said = toolwall(street.folder, "check", "--format", "json")
    assert code == 0, said
    counts = json.loads(said)
    assert json.dumps(counts).count('"level": "error"') == 0
    code, said = toolwall(street.folder, "check")
    assert re.search(rf"1 backends, {operations} tools, \d rules: no errors", said), said
    code, said = toolwall(street.folder, "test")
    assert code == 0, said
    assert "100 %" in said


def test_reads_with_queries_arrive_as_they_were_meant(street: Street) -> None:
    through, direct = street.through, street.direct
    street.records()
    for query in ({"_sort": "-n"}, {"_sort": "-n,id", "_limit": 2}, {"_fields": "id,n", "_limit": 3}, {"_since": 1}):
        came = through.get("get_records", **AT, **query)
        assert came == direct.get("get_records", **AT, **query)
        assert came
    one = through.get("get_record", id="o1", **AT, _fields="n,id")
    assert one["data"].keys() == {"id", "n", "last_modified"}
    assert through.get("get_buckets") == direct.get("get_buckets")
    assert through.get("get_collection", id="orders", bucket="shop") == direct.get(
        "get_collection", id="orders", bucket="shop"
    )
    assert through.get("server_info")["project_name"] == "kinto"
    records = street.records()
    assert {record["outcome"] for record in records} == {"ok"}
    assert {record["effect"] for record in records} == {"read"}
    assert {"kinto.get_records", "kinto.get_record", "kinto.get_buckets", "kinto.server_info"} <= {
        record["tool"] for record in records
    }


def test_a_client_turns_all_pages_at_the_door(street: Street) -> None:
    street.records()
    assert [one["n"] for one in street.through.get("get_records", **AT, _sort="n", pages=9)] == list(range(7))
    assert [record["status"] for record in street.records()] == [200, 200, 200]
    assert "_token" in (street.folder / "kinto.log").read_text()


def test_writes_bodies_and_preconditions(street: Street) -> None:
    through = street.through
    before = held(street, "o1")
    through.get("update_record", id="o1", data={"n": 10, "to": {"x": None}}, if_match=before["last_modified"], **AT)
    assert held(street, "o1").items() >= {"n": 10, "to": {"x": None}}.items()
    late = through.no("update_record", id="o1", data={"n": 11}, if_match=before["last_modified"], **AT)
    assert late["status"] == 412
    assert "Toolwall-Refused" not in late["headers"]
    assert held(street, "o1")["n"] == 10
    through.get("patch_record", id="o2", data={"n": 20}, **AT)
    through.get("patch_record", id="o2", patch=["merge", {"n": 21, "tags": None}], **AT)
    assert held(street, "o2")["n"] == 21
    assert held(street, "o2").get("tags") is None
    made = through.get("create_group", id="packers", bucket="shop", data={"members": ["account:admin"]})
    assert made["data"]["members"] == ["account:admin"]
    assert street.direct.get("get_group", id="packers", bucket="shop") == made
    posted = through.ask("session.request", ["post", "/buckets/shop/collections/orders/records", {"n": 99}])["value"][0]
    assert held(street, posted["data"]["id"])["n"] == 99


def test_what_has_not_changed_is_not_sent_again(street: Street) -> None:
    street.records()
    path, mark = "/buckets/shop/collections/orders/records/o3", f'"{held(street, "o3")["last_modified"]}"'
    body, headers = street.through.get("session.request", method="get", endpoint=path, headers={"If-None-Match": mark})
    assert (body, headers["ETag".lower()]) == (None, mark)
    assert [record["status"] for record in street.records()] == [304]


def test_personal_data_stays_with_kinto(street: Street) -> None:
    street.records()
    came = street.through.get("create_record", id="mail", data={"mail": "ann@mail.example"}, **AT)
    assert came["data"]["mail"] == "<EMAIL_ADDRESS>"
    assert held(street, "mail")["mail"] == "ann@mail.example"
    (record,) = street.records()
    assert record["redactions"] == {"EMAIL_ADDRESS": 1}


def test_a_refused_call_is_corrected_and_passes(street: Street) -> None:
    street.records()
    no = street.through.no("create_group", id="drivers", bucket="shop", data={"members": "account:admin"})
    assert (no["status"], no["body"]["code"], no["body"]["executed"]) == (422, "schema_violation", "no")
    (error,) = no["body"]["errors"]
    assert error["path"] == "/data/members"
    assert isinstance(error["example"], list)
    assert street.direct.no("get_group", id="drivers", bucket="shop")["status"] == 404
    members = [each.replace("text", "account:admin") for each in error["example"]]
    street.through.get("create_group", id="drivers", bucket="shop", data={"members": members})
    assert street.direct.get("get_group", id="drivers", bucket="shop")["data"]["members"] == ["account:admin"]
    assert [record["outcome"] for record in street.records()] == ["refused", "ok"]


@pytest.mark.parametrize(
    ("name", "given", "status", "code"),
    [
        ("get_records", {**AT, "n": 3}, 422, "schema_violation"),
        ("get_records", {**AT, "_limit": "many"}, 422, "schema_violation"),
        (
            "patch_record",
            {**AT, "id": "o5", "patch": ["json", [{"op": "remove", "path": "/data/n"}]]},
            400,
            "bad_request",
        ),
        ("get_history", {"bucket": "shop"}, 403, "unknown_tool"),
        ("delete_record", {**AT, "id": "o5"}, 428, "approval_pending"),
        ("delete_bucket", {"id": "shop"}, 428, "approval_pending"),
    ],
)
def test_what_nobody_declared_or_allowed_does_not_reach_kinto(
    street: Street, name: str, given: dict[str, Any], status: int, code: str
) -> None:
    street.records()
    before = held(street, "o5")
    no = street.through.no(name, **given)
    assert (no["status"], no["body"]["code"], no["headers"]["Toolwall-Refused"]) == (status, code, code)
    assert held(street, "o5") == before
    (record,) = street.records()
    assert (record["outcome"], record["code"], record["attempts"]) == ("refused", code, 0)


def test_calls_within_a_call_are_held_too(street: Street) -> None:
    inner = {"method": "DELETE", "path": "/v1/buckets/shop/collections/orders/records/o5"}
    no = street.through.ask("session.request", ["post", "/batch", None, None, {"requests": [inner]}])
    assert (no["status"], no["body"]["code"]) == (428, "approval_pending")
    assert held(street, "o5")["n"] == 5


def test_an_edited_rule_lets_go_and_another_hides(street: Street) -> None:
    path = "kinto.policy.yaml"
    assert street.through.no("delete_record", id="o6", **AT)["body"]["code"] == "approval_pending"
    assert street.through.ask("session.request", ["get", "/buckets/shop/groups"])["value"]
    street.edit(path, IRREVERSIBLE, "")
    street.edit(path, "examples:\n", WAIVED)
    street.edit(path, "examples:\n", HIDDEN)
    street.records()
    assert street.through.get("delete_record", id="o6", **AT)["deleted"] is True
    assert street.direct.no("get_record", id="o6", **AT)["status"] == 404
    (record,) = street.records()
    assert (record["outcome"], record["effect"]) == ("ok", "irreversible")
    assert record["waived"] == {"approval": "Orders are kept elsewhere for ten years."}
    assert street.through.no("delete_record", id="x", bucket="shop", collection="bills")["body"]["code"] == "denied"
    no = street.through.ask("session.request", ["get", "/buckets/shop/groups"])
    assert (no["status"], no["body"]["code"]) == (403, "unknown_tool")


def test_the_ledger_is_whole(street: Street) -> None:
    code, said = toolwall(street.folder, "ledger", "verify")
    assert code == 0, said
    ledger = b"".join(path.read_bytes() for path in Path(street.folder / "state" / "ledger").glob("*"))
    assert b"correct-horse" not in ledger
    assert b"ann@mail.example" not in ledger
