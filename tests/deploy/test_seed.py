"""The invented data: always the same, of the shapes that detectors verify, and nobody's."""

from __future__ import annotations

import ipaddress
import re
import sqlite3
from typing import Any

import phonenumbers
import pytest

from deploy.demo import seed


def rows(table: str) -> list[dict[str, Any]]:
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    seed.fill(db)
    found = [dict(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY id")]
    db.close()
    return found


@pytest.mark.parametrize(("number", "digit"), [("7992739871", "3"), ("411111111111111", "1"), ("37828224631000", "5")])
def test_the_check_digit_is_that_of_published_numbers(number: str, digit: str) -> None:
    assert seed.luhn_digit(number) == digit


@pytest.mark.parametrize(
    "published",
    ["GB82WEST12345698765432", "DE89370400440532013000", "NL91ABNA0417164300"],  # examples of the IBAN registry
)
def test_the_iban_is_that_of_published_accounts(published: str) -> None:
    assert seed.iban(published[:2], published[4:]) == published


def test_is_the_same_every_time() -> None:
    for table in ("customers", "orders", "tickets"):
        assert rows(table) == rows(table)


def test_has_some_dozens_of_all() -> None:
    assert [len(rows(table)) for table in ("customers", "orders", "tickets")] == [48, 72, 40]


@pytest.mark.parametrize("column", ["email", "phone", "card", "iban"])
def test_no_two_customers_share(column: str) -> None:
    assert len({customer[column] for customer in rows("customers")}) == 48


def test_customers_live_in_the_ranges_kept_free_for_examples() -> None:
    for customer in rows("customers"):
        assert re.search(r"@(mail\.)?example\.(com|org|net)$", customer["email"])
        assert re.fullmatch(r"\+44 20 7946 0\d{3}|\+1 202-555-01\d{2}", customer["phone"])


def test_telephone_numbers_can_be_told_from_other_digits() -> None:
    for customer in rows("customers"):
        assert phonenumbers.is_valid_number(phonenumbers.parse(customer["phone"]))


def test_every_ticket_is_filled_in() -> None:
    for ticket in rows("tickets"):
        assert not re.search(r"[{}]", ticket["body"])
        assert ticket["customer_id"] is not None


def test_tickets_hold_addresses_of_the_documentation_range() -> None:
    found = {ip for ticket in rows("tickets") for ip in re.findall(r"\d+\.\d+\.\d+\.\d+", ticket["body"])}
    assert found
    assert all(ipaddress.ip_address(ip) in ipaddress.ip_network("203.0.113.0/24") for ip in found)


def test_the_ticket_of_the_story_holds_its_customers_data_and_a_trap() -> None:
    ticket, customer, order = rows("tickets")[6], rows("customers")[6], rows("orders")[6]
    assert customer["email"] in ticket["body"]
    assert customer["card"] in ticket["body"].replace(" ", "")
    assert "/admin/export" in ticket["body"]
    assert ticket["status"] == "open"
    assert (order["customer_id"], order["amount_cents"]) == (7, 4999)
