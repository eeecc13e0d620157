"""Restoring: in which kinds' pseudonyms a backend gets the values again."""

from __future__ import annotations

from redaction.profiles import NO_MORE, UnknownKind, kinds_of
from redaction.pseudonyms import ANY
from rules.outgoing import DEFAULT, Outgoing
from rules.source import LoadProblem, Node
from rules.tools import Reply


def read_restore(
    node: Node | None, tool: Node, reply: Reply, own: frozenset[str] = NO_MORE, outgoing: Outgoing = DEFAULT
) -> tuple[frozenset[str], list[LoadProblem]]:
    """The key `restore` of a backend, whose form was checked, for one of its tools, and what is wrong with it.

    What is put back may come back, so replies have to be looked at then; and it is put back before `outgoing` of the
    tool looks at the arguments. `own` are kinds of the author's.
    """
    if node is None or node.value is False:
        return frozenset(), []
    problems = []
    if not reply.redact:
        hint = "put it into a backend file of its own, or let its reply be looked at for one kind at least"
        problems.append(tool.at(("call",), "has replies that nobody looks at, and `restore` is set", hint))
    for key, said in (("on_error", reply.on_error), ("binary", reply.binary)):
        if said == "pass":
            what = f"lets replies pass unseen by `{key}: pass`, and `restore` is set: what was put back could be read"
            problems.append(tool.at(("call",), what, "put it into a backend file of its own, or leave out that key"))
    if node.value is True:
        return frozenset({ANY}), problems
    try:
        kinds = kinds_of([item.value for item in node.each()], own)
        for kind in sorted(kinds & (outgoing.refuse | outgoing.mask)):
            what = f"names {kind}, which `outgoing` refuses or masks: what is put back would never be sent"
            problems.append(node.problem(what, "leave it out of one of the two"))
        return kinds, problems
    except UnknownKind as error:
        return frozenset(), [*problems, node.problem(str(error))]
