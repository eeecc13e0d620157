"""Examples of policy files become Examples."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

from redaction.profiles import NO_MORE, UnknownKind, kinds_of
from rules.facts import Link, Principal
from rules.problems import closest
from rules.related import Question, question
from rules.returned import Reply, Returned
from rules.rule import Example
from rules.source import LoadProblem, Node

_MAY_HAPPEN: Final = frozenset({"allow", "approval", "approval_pending"})
_REFUSED: Final = Returned(refused="for whatever reason")


def load_example(
    node: Node, names: Collection[str] | None, own: frozenset[str] = NO_MORE
) -> tuple[Example, list[LoadProblem]]:
    """Read one example whose shape was checked. A tool that does not exist is fine where that is what it expects.

    `names` are the full names of all tools, or None where nobody knows them; `own` are kinds of the author's.
    """
    problems: list[LoadProblem] = []
    args, step = node.get("args"), node.get("step")
    example = Example(
        principal=_principal(node.value["as"]),
        tool=node.text("call"),
        args=args.plain() if args else {},
        expect=node.text("expect"),
        file=node.file,
        line=node.line,
        at=_moment(node.get("at"), problems),
        peer=node.text("peer"),
        step=step.value if step else 1,
        reply=_reply(node.get("reply")),
        returned=_returned(node.get("expect_reply"), own, problems),
        related=_related(node.get("related"), problems),
    )
    if names is not None and example.tool not in names and example.expect not in ("unknown_tool", "deny"):
        problems.append(node.at(("call",), f"{example.tool} is no tool", meant(example.tool, names)))
    return example, [*problems, *_reply_problems(node, example)]


def meant(name: str, names: Collection[str]) -> str:
    """A hint for a tool's name or pattern that fits nothing."""
    near = closest(name, names)
    return f"did you mean {near}?" if near else "`toolwall catalog` lists the tools"


def _link(node: Node) -> Link:
    roles = node.get("roles")
    return Link(node.text("id"), frozenset(roles.plain()) if roles else None)


def _principal(node: Node) -> Principal:
    claims = node.get("claims")
    return Principal(
        id=node.text("id") or "example",
        roles=frozenset(one.value for one in node.under("roles")),
        agent=node.text("agent"),
        user=node.text("user"),
        method="example",
        chain=tuple(_link(each) for each in node.under("chain")),
        claims=claims.plain() if claims else {},
    )


def _moment(node: Node | None, problems: list[LoadProblem]) -> datetime | None:
    """A time with its zone (RFC 3339); a day or hour that does not exist is noted."""
    if node is None:
        return None
    try:
        moment = datetime.fromisoformat(node.value)
    except ValueError as error:
        problems.append(node.problem(f"is no time: {error}", "such as 2026-01-31T22:30:00Z"))
        return None
    offset = moment.utcoffset()
    if offset is None or abs(offset) >= timedelta(days=1):
        problems.append(node.problem("needs its zone", "such as 2026-01-31T22:30:00Z"))
        return None
    return moment


def _reply(node: Node | None) -> Reply | None:
    if node is None:
        return None
    status, body, text = node.get("status"), node.get("body"), node.get("text")
    media_type, data = "", b""
    if body is not None:
        media_type, data = "application/json", json.dumps(body.plain(), ensure_ascii=False).encode()
    elif text is not None:
        media_type, data = "text/plain", str(text.value).encode()
    return Reply(status.value if status else 200, node.text("type").lower() or media_type, data)


def _related(node: Node | None, problems: list[LoadProblem]) -> frozenset[Question] | None:
    if node is None:
        return None
    found: list[Question] = []
    for each in node.each() if node.value != "nothing" else ():
        told = question(each.plain())
        if told is None:
            problems.append(each.problem("is no triple", "such as [ann, owner, 7]"))
        else:
            found.append(told)
    return frozenset(found)


def _returned(node: Node | None, own: frozenset[str], problems: list[LoadProblem]) -> Returned | None:
    if node is None:
        return None
    redacted = node.get("redacted")
    if redacted is None:
        return _REFUSED if node.value == "refused" else Returned()
    return Returned({place: _kinds(below, own, problems) for place, below in redacted.items()})


def _kinds(node: Node, own: frozenset[str], problems: list[LoadProblem]) -> frozenset[str]:
    try:
        return kinds_of([one.value for one in node.each()], own)
    except UnknownKind as error:
        problems.append(node.problem(str(error)))
        return frozenset()


def _reply_problems(node: Node, example: Example) -> Iterator[LoadProblem]:
    if (example.reply is None) != (node.get("expect_reply") is None):
        here, other = ("expect_reply", "reply") if example.reply is None else ("reply", "expect_reply")
        yield node.key_problem(here, f"needs the key {other} beside it", "an answer, and what comes of it")
    elif example.reply is not None and example.expect not in _MAY_HAPPEN:
        yield node.key_problem("reply", f"has no meaning with expect: {example.expect}", "a refused call has no answer")
