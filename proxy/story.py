"""The story of `toolwall demo`: what a scripted agent asks of the support desk, and what is promised about each step.

After each step the desk is asked what reached it, so that "nothing was sent" is measured and not believed; the ledger
must hold the step; and no answer may hold any of the personal data that the desk keeps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from rich.table import Table
from rich.text import Text

from proxy.ledger import LedgerError
from proxy.ledger.export import export_lines

HOST = "127.0.0.1"
RUN = "demo"
CALL_S = 15.0  # longer than any timeout in the demo's rules for the tools of the story
MOST_REPLY = 1 << 20  # bytes; the desk's largest answer has some 30,000
CUT = 200  # characters of an answer that the table shows
MARGIN = 12  # characters after what an answer must hold, so that it is seen where it stands
PLANTED_IN_TEXT = re.compile(r"\bAKIA[A-Z2-7]{16}\b")


class DemoError(Exception):
    """The demo could not start or go on; the message says why and what to do about it."""


class Reply(NamedTuple):
    """An HTTP answer as the agent sees it; status 0 where none came. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> dict[str, Any]:
        """The body as a JSON object, an empty one where it is none."""
        with suppress(ValueError):
            value = json.loads(self.text)
            return value if isinstance(value, dict) else {}
        return {}

    def errors(self) -> list[dict[str, Any]]:
        """What a refusal says about single arguments: `{path, problem, example?}`."""
        found = self.json().get("errors", [])
        return [error for error in found if isinstance(error, dict)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the agent and what is promised about it.

    `target` is path and query inside the desk. `code` is the refusal that must come, "" where the desk shall answer.
    `holds` are texts that must stand in the answer. With `mends`, the query is first corrected by the examples that
    the refusal before it gave.
    """

    says: str
    method: str
    target: str
    status: int
    code: str = ""
    body: Mapping[str, Any] | None = None
    holds: tuple[str, ...] = ()
    mends: bool = False

    @property
    def due(self) -> list[tuple[str, str, Any]]:
        """What must reach the desk: method, target and body of each request."""
        return [] if self.code else [(self.method, self.target, self.body)]

    @property
    def entries(self) -> list[str]:
        """What the ledger must hold of it: before a call that changes something went out, its intent."""
        return ["refused"] if self.code else ["ok"] if self.method == "GET" else ["intent", "ok"]


class Told(NamedTuple):
    """How a step came out: what the desk saw, what came back, and which entries the ledger holds about it."""

    step: Step
    seen: list[dict[str, Any]]
    reply: Reply
    kept: list[dict[str, Any]]

    def faults(self, secrets: frozenset[str]) -> list[str]:
        """Each promise about the step that was not kept, in words; `secrets` are what no model may see."""
        step, reply = self.step, self.reply
        leaked = sum(secret in "\n".join((*reply.headers.values(), reply.text)) for secret in secrets)
        promises = {
            f"the status is {reply.status}, not {step.status}": reply.status == step.status,
            f"it is refused as {_refused(reply)!r}, not as {step.code!r}": _refused(reply) == step.code,
            "the refusal does not say `executed: no`": not step.code or reply.json().get("executed") == "no",
            "the desk got something else than was promised": [_sent(request) for request in self.seen] == step.due,
            "the ledger does not tell it as it was": [_entry(entry) for entry in self.kept] == step.entries,
            f"the answer holds {leaked} values that no model may see": not leaked,
        } | {f"the answer lacks {text}": text in reply.text for text in step.holds}
        return [fault for fault, kept in promises.items() if not kept]


STORY = (
    Step(
        says="Look up customer 7",
        method="GET",
        target="/customers/7",
        status=200,
        holds=("<PHONE_NUMBER>", "<CREDIT_CARD>", "<IBAN_CODE>", "<EMAIL_ADDRESS>"),
    ),
    Step(
        says="List urgent tickets; there is no such status",
        method="GET",
        target="/tickets?status=urgent",
        status=422,
        code="schema_violation",
        holds=("/status",),
    ),
    Step(
        says="The same, mended as the answer told",
        method="GET",
        target="/tickets?status=urgent",
        status=200,
        holds=("<AWS_ACCESS_KEY_ID>",),
        mends=True,
    ),
    Step(
        says="Read ticket 7, in which somebody tells AI assistants what to do",
        method="GET",
        target="/tickets/7",
        status=200,
        holds=("<EMAIL_ADDRESS>", "<PHONE_NUMBER>", "Refund 900.00 EUR"),
    ),
    Step(
        says="Obey the ticket: refund 900.00, more than this role may",
        method="POST",
        target="/refunds",
        body={"order_id": 7, "amount_cents": 90000, "reason": "As ticket 7 says."},
        status=403,
        code="denied",
    ),
    Step(
        says="Obey the ticket: export all data, a tool hidden from this role",
        method="GET",
        target="/admin/export",
        status=403,
        code="unknown_tool",
    ),
    Step(
        says="Use a tool that nobody described",
        method="GET",
        target="/invoices/7",
        status=403,
        code="unknown_tool",
    ),
    Step(
        says="Refund 49.99, which waits for a human",
        method="POST",
        target="/refunds",
        body={"order_id": 7, "amount_cents": 4999, "reason": "Charged twice."},
        status=428,
        code="approval_pending",
        holds=("approval_id",),
    ),
    Step(
        says="Write a note for the colleagues, recorded in the ledger",
        method="POST",
        target="/tickets/7/notes",
        body={"text": "Charged twice for order 7; the refund waits for approval."},
        status=201,
        holds=("waits for approval",),
    ),
)


def send(port: int, method: str, target: str, body: Mapping[str, Any] | None = None) -> Reply:
    """One HTTP request to a loopback port, through no proxy; a Reply of status 0 where no answer came."""
    headers = {"Toolwall-Run": RUN} | ({} if body is None else {"Content-Type": "application/json"})
    connection = HTTPConnection(HOST, port, timeout=CALL_S)
    try:
        connection.request(method, target, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, named, answer.read(MOST_REPLY).decode(errors="replace"))
    except (OSError, HTTPException) as error:
        return Reply(0, {}, f"no answer: {type(error).__name__}")
    finally:
        connection.close()


def planted(desk: int) -> frozenset[str]:
    """All that the desk listening on port `desk` keeps and no model may see, asked of the desk itself."""
    everything = _ask(desk, "/admin/export")
    people = [person[name] for person in everything["customers"] for name in ("email", "phone", "card", "iban")]
    spaced = [" ".join(re.findall("....", person["card"])) for person in everything["customers"]]
    return frozenset(people + spaced + PLANTED_IN_TEXT.findall(json.dumps(everything["tickets"])))


def tell(door: int, desk: int, ledger: Path) -> list[Told]:
    """Play all steps against the sidecar on port `door`, whose ledger is that folder, with the desk behind it."""
    told: list[Told] = []
    for step in STORY:
        told.append(_play(mended(step, told[-1].reply) if step.mends else step, door, desk, ledger))
    return told


def mended(step: Step, refusal: Reply) -> Step:
    """The step with each query value replaced for which the refusal gave an example."""
    examples = {str(error.get("path")): error["example"] for error in refusal.errors() if "example" in error}
    path, _, query = step.target.partition("?")
    pairs = [(name, examples.get(f"/{name}", value)) for name, value in parse_qsl(query)]
    return replace(step, target=f"{path}?{urlencode(pairs)}")


def _play(step: Step, door: int, desk: int, ledger: Path) -> Told:
    last = max((request["number"] for request in _seen(desk, 0)), default=0)
    reply = send(door, step.method, f"/desk{step.target}", step.body)
    return Told(step, _seen(desk, last), reply, _kept(ledger, reply.headers.get("toolwall-call", "")))


def _kept(ledger: Path, call: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    with suppress(LedgerError):
        entries += map(json.loads, export_lines(ledger))
    return [entry for entry in entries if entry.get("call") == call]


def _seen(desk: int, after: int) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = _ask(desk, f"/__seen?after={after}")["requests"]
    return requests


def _ask(desk: int, target: str) -> dict[str, Any]:
    reply = send(desk, "GET", target)
    if reply.status != 200:
        raise DemoError(f"the desk did not answer GET {target}: {reply.status} {reply.text[:CUT]}")
    return reply.json()


def _refused(reply: Reply) -> str:
    return reply.headers.get("toolwall-refused", "")


def _sent(request: dict[str, Any]) -> tuple[str, str, Any]:
    body = request["body"]
    with suppress(ValueError):
        body = json.loads(body or "null")
    return request["method"], request["target"], body


def _entry(entry: dict[str, Any]) -> str:
    return str(entry.get("outcome") or entry.get("kind"))


def table(told: list[Told], secrets: frozenset[str]) -> Table:
    """What was asked, what reached the desk, what came back; a broken promise stands in red below the answer."""
    shown = Table(show_lines=True, expand=True)
    for name, share in (("", 0), ("The agent asks", 6), ("The desk gets", 4), ("The agent gets", 8), ("Ledger", 0)):
        shown.add_column(name, ratio=share or None, overflow="fold")
    for row in told:
        faults = row.faults(secrets)
        mark = Text("✗", "bold red") if faults else Text("✓", "bold green")
        kept = Text("\n".join(_entry(entry) for entry in row.kept) or "nothing")
        shown.add_row(mark, _asked(row.step), _reached(row), _came_back(row, faults), kept)
    return shown


def _asked(step: Step) -> Text:
    body = f" {json.dumps(step.body)}" if step.body else ""
    return Text.assemble((step.says, "bold"), "\n", (f"{step.method} /desk{step.target}{body}", "dim"))


def _reached(row: Told) -> Text:
    lines = [f"{request['method']} {request['target']}" for request in row.seen]
    return Text("\n".join(lines), "yellow") if lines else Text("nothing", "green")


def _came_back(row: Told, faults: list[str]) -> Text:
    status = f"{row.reply.status} {_refused(row.reply)}".strip()
    return Text.assemble((status, "bold"), "\n", excerpt(row), *((f"\n✗ {fault}", "bold red") for fault in faults))


def excerpt(row: Told) -> str:
    """The part of the answer that the step is about: what a refusal says, or the text around what was cleaned."""
    if _refused(row.reply):
        advice = [_advice(error) for error in row.reply.errors()]
        return "; ".join(advice) or str(row.reply.json().get("detail") or row.reply.json().get("title"))
    text = row.reply.text
    end = max((text.find(held) + len(held) for held in row.step.holds), default=CUT) + MARGIN
    first = max(0, end - CUT)
    return "..." * (first > 0) + text[first:end] + "..." * (end < len(text))


def _advice(error: dict[str, Any]) -> str:
    example = f", for example {json.dumps(error['example'])}" if "example" in error else ""
    return f"{error.get('path')} {error.get('problem')}{example}"
