"""What the backend answers: a customer in 1 KB, and the customer's tickets in 64 KB. The same bytes on every machine.

All people are invented, and everything personal lies in ranges that are kept free for examples.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass

SMALL, LARGE = 1024, 64 * 1024
"""Bytes of the two replies, exactly."""

_SENTENCES = (
    "The export stops at 80 % and the log says nothing.",
    "I changed the plan on the 3rd, but the invoice of 2026-04-01 still shows the old price of 49.99.",
    "Since version 4.12.0 the search finds nothing when a filter is set.",
    "Please keep order 8841-22 open until the second parcel has arrived.",
    "It works in one browser and not in the other; a screenshot is in the attachment.",
    "We are fourteen people now, and two of us cannot sign in after 18:30.",
    "The page https://desk.example/help/import describes it differently.",
    "Nothing else has changed on our side, as far as I know.",
    "Could someone of billing look at it before Thursday?",
    "The total is 12,900.00, the receipt says 1,290.00.",
)
# What is planted in the tickets: kind, and words around one value of it.
_PLANTED = (
    ("EMAIL_ADDRESS", "Please write to ada.quill@example.org instead."),
    ("PHONE_NUMBER", "You reach me on +1 202-555-0143 until noon."),
    ("CREDIT_CARD", "The card 4111 1111 1111 1111 was refused."),
    ("EMAIL_ADDRESS", "My colleague boris.marsh@mail.example.net knows more."),
    ("PHONE_NUMBER", "The office has +44 20 7946 0018."),
    ("EMAIL_ADDRESS", "The old address was quill77@example.com."),
    ("IBAN_CODE", "Pay it back to GB82 WEST 1234 5698 7654 32, please."),
    ("EMAIL_ADDRESS", "Send a copy to invoices@quill.example.org."),
    ("PHONE_NUMBER", "Call +1 202-555-0177 if it is urgent."),
    ("US_SSN", "My number is 078-05-1120, by the way."),
    ("EMAIL_ADDRESS", "Chidi (chidi.okoro@example.com) has the contract."),
    ("EMAIL_ADDRESS", "It went to dana.fenwick@example.org by mistake."),
)


@dataclass(frozen=True)
class Scenario:
    """One kind of request. `path` holds `{n}` where the customer's number stands; `findings` is what hides inside."""

    name: str
    path: str
    body: bytes
    findings: Counter[str]


def scenarios() -> tuple[Scenario, ...]:
    """The 1 KB and the 64 KB reply."""
    return (
        Scenario("1KB", "/customers/{n}", _customer(), Counter(EMAIL_ADDRESS=1, PERSON=1, PHONE_NUMBER=1)),
        Scenario("64KB", "/customers/{n}/tickets?status=open&limit=200", _tickets(), _planted_counts()),
    )


def harmless() -> tuple[bytes, bytes]:
    """The same two replies without anything personal in them."""
    return _customer(name="", email="not given", phone="not given"), _tickets(planted=())


def dense() -> tuple[bytes, int]:
    """64 KB of contacts, and how many findings are in it: the worst that an honest reply comes to."""
    contact = {
        "mail": "ada.quill@example.org",
        "note": "Call +1 202-555-0143 or (415) 555-0132,\nelse write to boris.marsh@mail.example.net.",
        "card": "4111 1111 1111 1111",
        "account": "GB82 WEST 1234 5698 7654 32",
    }
    count = LARGE // (len(_json(contact)) + 2)
    return _json([contact] * count), 6 * count


def _planted_counts() -> Counter[str]:
    return Counter(kind for kind, _ in _PLANTED)


def _customer(name: str = "Ada Quill", email: str = "ada.quill@example.org", phone: str = "+1 202-555-0143") -> bytes:
    dice = random.Random(1)
    customer = {
        "id": 7_021_994_330_581_177,
        "name": name,
        "plan": "business",
        "email": email,
        "phone": phone,
        "since": "2026-01-05T08:30:00Z",
        "balance_cents": -4999,
        "active": True,
        "tickets": [_ticket(dice, number) for number in range(2)],
    }
    return _filled(customer, SMALL)


def _tickets(planted: tuple[tuple[str, str], ...] = _PLANTED) -> bytes:
    dice = random.Random(64)
    tickets: list[dict[str, object]] = []
    reply = {"customer": 7, "tickets": tickets, "next": None}
    size = len(_json(reply)) - 2
    while size < LARGE - 700:
        tickets.append(_ticket(dice, len(tickets)))
        size += len(_json(tickets[-1])) + 2
    step = len(tickets) // len(_PLANTED)
    for number, (_, text) in enumerate(planted):
        ticket = tickets[number * step + step // 2]
        ticket["text"] = text + str(ticket["text"])[len(text) :]
    return _filled(reply, LARGE)


def _ticket(dice: random.Random, number: int) -> dict[str, object]:
    return {
        "id": 880_000 + number,
        "status": dice.choice(("open", "pending", "closed")),
        "opened_at": f"2026-03-{dice.randint(1, 28):02}T{dice.randint(7, 19):02}:{dice.randint(0, 59):02}:00Z",
        "tags": dice.sample(("billing", "sign-in", "import", "mobile", "urgent"), 2),
        "text": " ".join(dice.choices(_SENTENCES, k=2)),
    }


def _filled(reply: dict[str, object], size: int) -> bytes:
    """The reply as JSON of exactly `size` bytes, a last field taking up what is missing."""
    missing = size - len(_json(reply | {"note": ""}))
    if missing < 0:
        raise ValueError(f"the reply is {-missing} bytes too long")
    note = " ".join(_SENTENCES) * (1 + missing // len(" ".join(_SENTENCES)))
    return _json(reply | {"note": note[:missing]})


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
