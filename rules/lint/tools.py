"""What a tool does, how long, for whom, and what becomes of its answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Final

from redaction.sparing import ALL
from rules.decide import Ruleset, terms
from rules.lint.findings import Finding, finding
from rules.lint.places import Places
from rules.lint.values import Schemas
from rules.lint.vocabulary import CHOOSERS, FINAL, KEYS, MONEY, READS, SLOW, VERBS, WRITES, words_of
from rules.mcp.schemas import LEFT_OUT
from rules.obligations import Approval, only
from rules.rule import EVERYBODY
from rules.tools import Backend, Tool

_WITHIN: Final = (
    *(".internal", ".local", ".localhost", ".lan", ".home", ".corp", ".svc"),
    *(".test", ".example", ".invalid"),
)
"""Endings of names that are not on the internet (RFC 2606, RFC 6761, RFC 6762, and custom)."""

_NAMES_A_CALLER: Final = re.compile(
    r"(x-)?(remote|authenticated|auth-request|forwarded)-?(user|userid|user-?name|email|groups?|roles?|preferred-username)"
    r"|x-(user|agent|principal|caller)(-(id|name|email|roles?))?|x-(real-ip|forwarded-(for|client-cert)|client-cert|ssl-.*)"
)
"""In lower case. What proxies write for the backends behind them."""


def about_tools(ruleset: Ruleset, places: Places) -> Iterator[Finding]:
    """Findings about tools and backends, besides their words and arguments."""
    for tool in (each for each in ruleset.catalog.tools.values() if each.is_chosen):
        plan = ruleset.plans[tool.name]
        meant = any(rule.to == EVERYBODY and rule.when is None for rule in plan.denies)
        if ruleset.rules and not plan.allows and not meant:
            yield finding("tool-unreachable", places.tool(tool), tool.name, "is allowed by no rule")
        yield from _effect(tool, places)
        yield from _chooser(tool, places)
        yield from _caller(tool, places)
        yield from _time(tool, places)
        yield from _key(tool, places)
        yield from _reply(tool, places)
        yield from _undo(tool, ruleset, places)
        yield from _settled(tool, ruleset, places)
        if left := tool.contract.schema.get(LEFT_OUT):
            yield finding("schema-looser", places.tool(tool), tool.name, f"has a contract that lacks {left}")
    for backend in ruleset.catalog.backends.values():
        yield from _backend(backend, ruleset.catalog.tools, places)


def _effect(tool: Tool, places: Places) -> Iterator[Finding]:
    place = places.tool(tool, "effect")
    if tool.guessed:
        words = f"has the effect {tool.effect}, which is a guess"
        yield finding("effect-guessed", places.tool(tool, "guessed"), tool.name, words)
        return
    words = _milder(tool)
    if words:
        yield finding("effect-too-low", place, tool.name, words)
    elif tool.effect == "read" and tool.method == "POST" and tool.mcp is None and not READS & set(words_of(tool.short)):
        words = "is a POST with the effect read"
        yield finding("effect-too-low", place, tool.name, words, "make sure that it changes nothing", "note")


def _milder(tool: Tool) -> str:
    """How an effect is milder than name, method or path suggest; empty where it is not."""
    words = words_of(tool.short)
    verb = words[0] if words else ""
    if tool.effect == "read" and tool.method in ("PUT", "PATCH", "DELETE"):
        return f"is a {tool.method} with the effect read"
    if tool.effect == "read" and (verb in WRITES | FINAL) and tool.method != "GET":
        return f"has the effect read, but is called {tool.short}"
    if tool.effect == "read" and verb in FINAL:
        return f"has the effect read, but is called {tool.short}"
    if tool.effect == "write" and (verb in FINAL or (verb in WRITES and tool.method == "POST" and words[-1] in MONEY)):
        return f"has the effect write, but is called {tool.short}"
    if tool.effect == "write" and "admin" in re.split(r"[/._-]", tool.path.lower()):
        return "has the effect write, but its path is one for administrators"
    return ""


def _chooser(tool: Tool, places: Places) -> Iterator[Finding]:
    """An argument such as action: [get, delete]."""
    schemas = Schemas(tool.contract)
    for name in schemas.root.names():
        if name.lower() not in CHOOSERS:
            continue
        value, _ = schemas.member(schemas.root, name)
        shown = sorted(one[1] for one in value.consts or () if one[0] == "string")
        tiers = {
            tier for each in shown for tier, known in enumerate((READS, WRITES, FINAL)) if known & {*words_of(each)}
        }
        if len(tiers) > 1:
            what = f"does by its argument {name} what is of different effect: {', '.join(shown[:6])}"
            yield finding("effect-by-argument", places.argument(tool, name), tool.name, what)


def _caller(tool: Tool, places: Places) -> Iterator[Finding]:
    """An argument such as the header X-Forwarded-User."""
    for name in sorted(filter(_NAMES_A_CALLER.fullmatch, tool.headers)):
        yield finding("caller-by-argument", places.tool(tool), tool.name, f"takes the header {name} as an argument")


def _time(tool: Tool, places: Places) -> Iterator[Finding]:
    words = words_of(tool.short)
    slow = [word for word in (*words[:1], *words[-1:]) if word in SLOW and (words[0] in SLOW or words[0] not in VERBS)]
    if slow and not places.chosen(tool, "timeout"):
        what = f"is about {slow[0]} and has the general limit of {tool.timeout_s:g} s"
        yield finding("no-timeout", places.tool(tool), tool.name, what)


def _key(tool: Tool, places: Places) -> Iterator[Finding]:
    if tool.effect == "read":
        return
    if not (places.chosen(tool, "repeatable") or places.chosen(tool, "idempotency")):
        words = f"has the effect {tool.effect}, and says neither idempotency nor repeatable"
        yield finding("repeat-undecided", places.tool(tool), tool.name, words)
    schemas = Schemas(tool.contract)
    for name in schemas.root.names():
        if "_".join(words_of(name)) in KEYS and schemas.member(schemas.root, name)[1] != "always":
            yield finding("key-optional", places.argument(tool, name), tool.name, f"can be called without {name}")


def _settled(tool: Tool, ruleset: Ruleset, places: Places) -> Iterator[Finding]:
    """Whether the rules let somebody ask what became of a call."""
    if tool.settle_by and ruleset.plans[tool.name].allows and not ruleset.plans[tool.settle_by.tool].allows:
        words = f"is settled by {tool.settle_by.tool}, which no rule allows"
        yield finding("settle-blocked", places.tool(tool, "settle_by"), tool.name, words)


def _undo(tool: Tool, ruleset: Ruleset, places: Places) -> Iterator[Finding]:
    """Whether the rules let an undo through for those whom they allow the tool itself."""
    if tool.undo is None or not ruleset.plans[tool.name].allows:
        return
    by = ruleset.catalog.tools[tool.undo.tool]
    allows = ruleset.plans[by.name].allows
    place = places.tool(tool, "undo")
    if not allows:
        yield finding("undo-blocked", place, tool.name, f"is undone by {by.name}, which no rule allows")
    elif all(only(Approval, terms(by, [rule])[0]) for rule in allows):
        words = f"is undone by {by.name}, each call of which waits for a human"
        yield finding("undo-blocked", place, tool.name, words, level="note")


def _reply(tool: Tool, places: Places) -> Iterator[Finding]:
    place = places.tool(tool, "reply")
    if tool.reply.on_error == "pass":
        yield finding("on-error-pass", place, tool.name, "passes answers that could not be checked")
    elif not tool.reply.redact:
        yield finding("redact-off", place, tool.name, "has answers that are not cleaned")
    for spared, kinds in sorted(tool.reply.sparing.left, key=str):
        if kinds == ALL and not spared.strip("/*"):
            yield finding("except-all", place, tool.name, f"leaves all of {spared} as it is")


def _backend(backend: Backend, tools: Mapping[str, Tool], places: Places) -> Iterator[Finding]:
    file = next((tools[name].file for name in backend.tools if name in tools), "")
    if backend.url.scheme == "http" and not backend.addresses and is_public(backend.url.host):
        words = f"is called by http:// at {backend.url.host}"
        yield finding("plain-http", places.backend(file, "url"), backend.name, words)
    for url in (each.sent.endpoint.url for each in backend.injects if each.sent.endpoint):
        if url.scheme == "http" and is_public(url.host):
            words = f"has its token from http:// at {url.host}"
            yield finding("plain-http", places.backend(file, "credential"), backend.name, words)
    own = [tools[name] for name in backend.tools if name in tools]
    reported = [tool for tool in own if tool.replies is not None and tool.reply.contract == "report"]
    if reported:
        words = f"lets answers of {len(reported)} tool{'s' * (len(reported) > 1)} through that are off their contract"
        yield finding("reply-reported", places.backend(file, "reply"), backend.name, words)
    slots = sorted({slot.name for tool in own for slot in tool.credentials if slot.send == "query"})
    if slots:
        words = f"takes its credential in the query, as {', '.join(slots)}"
        yield finding("credential-in-query", places.backend(file, "credential"), backend.name, words)


def is_public(host: str) -> bool:
    """Whether a host is an address of the internet, or has a name that could be."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not f".{host}".endswith(_WITHIN) and ".svc." not in f"{host}."
