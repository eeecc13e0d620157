"""Everything that `toolwall check` can find: a stable id each, how grave it is, why it matters, the edit that mends it.

docs/reference/check.md is made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["error", "warning", "note"]
LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "note")
"""The gravest first. Only errors make `toolwall check` end with 1."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One question of the review. `title` says what was found, `why` why it matters, `edit` what mends it."""

    level: Level
    title: str
    why: str
    edit: str


MOST_TOOLS: Final = 20
"""Tools for one caller. Beyond about this many, models begin to choose the wrong one."""

SHORTEST_SAYS: Final = 3
"""Words that say what a tool is for."""

LONGEST_SAYS: Final = 1024
"""Characters. Providers cut descriptions off, or refuse them, at about this length."""

KINDS: Final[dict[str, Kind]] = {
    # What cannot be used as it is: `toolwall check` reports it in the same forms.
    "broken-file": Kind(
        "error",
        "a file cannot be used as it is",
        "Nothing is loaded from a folder with a mistake in it, so that no call is judged by half of the rules.",
        "mend what the message names",
    ),
    # Rules that do not do what they look like.
    "rule-never-matches": Kind(
        "error",
        "a rule can never come into force",
        "What it seems to allow stays refused, and what it seems to deny stays allowed.",
        "mend the condition, or remove the rule",
    ),
    "rule-shadowed": Kind(
        "warning",
        "an allow is taken away by a deny",
        "Any deny wins. A deny that is no narrower covers all that this rule allows, so it grants nothing.",
        "narrow the deny, or remove the allow",
    ),
    "rule-duplicate": Kind(
        "warning",
        "two rules say the same",
        "Whoever edits one of them later believes to have changed what happens.",
        "remove one of the two",
    ),
    "rule-subsumed": Kind(
        "note",
        "a rule adds nothing to another",
        "The wider rule decides every call that this one is about. A reader of this one believes it to be narrow.",
        "remove this rule, or narrow the other",
    ),
    "when-unknown-argument": Kind(
        "error",
        "a condition asks for an argument that the tool does not have",
        "It can never be answered: an allow then grants nothing, and a deny denies every call.",
        "name a declared argument, or declare this one",
    ),
    "when-wrong-type": Kind(
        "error",
        "a condition compares what does not compare",
        "By the tool's schema the two sides have different types: `==` is always false, and `<` cannot be answered.",
        "compare with a value of the argument's own type",
    ),
    "when-mixed-type": Kind(
        "warning",
        "a condition cannot be answered for some values that the schema allows",
        "For those values an allow grants nothing and a deny denies. Both look like an accident to the caller.",
        "narrow the schema, or ask for the type first, as in `type(args.x) == string && ...`",
    ),
    "when-decided": Kind(
        "warning",
        "a part of a condition is decided already",
        "By the schema, or by another part of the condition, its answer is the same for every call that gets so far.",
        "mend the value in the condition or the bounds in the schema",
    ),
    "when-optional": Kind(
        "warning",
        "a condition asks for an argument that may be left out",
        "Without the argument it cannot be answered: an allow then grants nothing, and a deny denies.",
        "ask first: has(args.NAME) && ..., or declare the argument as required",
    ),
    "when-always": Kind(
        "warning",
        "a condition is true for every call",
        "It looks like a limit and is none.",
        "mend the condition, or remove `when`",
    ),
    "rule-without-example": Kind(
        "note",
        "no example exercises a rule",
        "Nobody notices when an edit changes what the rule does. An example needs neither a model nor a network.",
        "add a call to `examples:` that this rule decides",
    ),
    "no-rules": Kind(
        "warning",
        "there are no rules",
        "Without a rule every call is refused.",
        "add a file with `rules:`",
    ),
    "no-examples": Kind(
        "note",
        "there are no examples",
        "`toolwall test` has nothing to guard edits with.",
        "add `examples:` beside the rules",
    ),
    # Who may, and on what terms.
    "tool-unreachable": Kind(
        "warning",
        "a tool is allowed to nobody",
        "It is dead weight in every review, and the agent that was meant to have it does not.",
        "allow it to somebody, or remove the tool",
    ),
    "allows-everybody": Kind(
        "note",
        "a rule allows its tools to every caller",
        "Whoever gets a key later has these tools as well.",
        "add `to:`, unless every caller is meant",
    ),
    "allows-everything": Kind(
        "warning",
        "a rule allows every tool",
        "Also those that the next import adds: default-deny ends here.",
        "name the tools, or a pattern such as crm.get_*",
    ),
    "many-tools": Kind(
        "warning",
        f"a caller sees more than {MOST_TOOLS} tools",
        "Models choose the wrong tool more often the more they see, and every listing costs context.",
        "split the role by task, and allow names instead of wide patterns",
    ),
    "approval-waived": Kind(
        "note",
        "a rule waives an approval",
        "What cannot be taken back then happens without a human.",
        "remove the waiver when its reason is gone",
    ),
    "approval-by-anybody": Kind(
        "note",
        "an approval names no role",
        "The call waits because of its effect alone, so any approver may say yes, also one who knows nothing of it.",
        "add require: {approval: {by: ROLE, within: 15m}}",
    ),
    "approval-by-caller": Kind(
        "warning",
        "the role that asks may also approve",
        "A second pair of eyes is the point of an approval.",
        "let another role approve",
    ),
    # What a tool does.
    "effect-guessed": Kind(
        "warning",
        "an effect was guessed",
        "The effect decides about approvals, retries and the ledger. Here it comes from the method and the name.",
        "look at it, correct `effect`, and delete the line `guessed: true`",
    ),
    "effect-too-low": Kind(
        "warning",
        "an effect looks milder than the tool's name or method",
        "A call that changes something runs without approval, and a read may be repeated by itself.",
        "correct `effect`, or rename the tool",
    ),
    "effect-by-argument": Kind(
        "warning",
        "an argument chooses what the tool does",
        "One effect and one set of rules then cover actions of different danger.",
        "make a tool for each action, or rule on the argument with `when`",
    ),
    "caller-by-argument": Kind(
        "warning",
        "a header that tells a backend who is calling is an argument",
        "The model then says who it is, and a backend behind a proxy of its own may believe it.",
        "leave it out of the contract, or hold it to the caller: `when: args.NAME == principal.user`",
    ),
    "several-purposes": Kind(
        "note",
        "a tool seems to have several purposes",
        "A model chooses well between tools with one purpose each, and rules can tell them apart.",
        "split it into tools with one purpose each",
    ),
    "no-timeout": Kind(
        "note",
        "a tool that sounds slow has no time limit of its own",
        "After 30 s a read ends as timeout, and a call with effects as outcome_unknown, which a human has to clear up.",
        "choose `timeout` for this tool",
    ),
    "key-optional": Kind(
        "note",
        "an idempotency key may be left out",
        "A call with effects that is repeated without its key happens twice.",
        "declare the argument as required",
    ),
    # What a model reads.
    "says-missing": Kind(
        "note",
        "a tool does not say what it is for",
        "A model chooses tools by this text.",
        "add `says`",
    ),
    "says-short": Kind(
        "note",
        "a description is too short",
        f"Fewer than {SHORTEST_SAYS} words rarely tell a model when to use a tool and when not.",
        "say what it does, for what, and what it does not do",
    ),
    "says-long": Kind(
        "note",
        "a description is too long",
        f"Providers cut off or refuse more than {LONGEST_SAYS} characters, and each listing costs that much context.",
        "keep the first paragraph",
    ),
    "repeat-undecided": Kind(
        "note",
        "nobody has said whether two equal calls are one action",
        "The same call within ten minutes gets the first answer again and is not sent: right for a payment, and wrong "
        "for two equal messages.",
        "say repeatable: true where each call counts, else idempotency: {window: 10m} or repeatable: false",
    ),
    "undo-blocked": Kind(
        "warning",
        "what undoes a call is allowed to nobody, or waits for a human",
        "A run is undone in the name of its own principal, by calls that are judged like any other.",
        "allow that tool to those who may use this one, and waive its approval where that is meant",
    ),
    "settle-blocked": Kind(
        "warning",
        "the tool that tells whether a call was done is allowed to nobody",
        "It is asked in the name of the principal that made the call; if it may not ask, a human has to find out.",
        "allow that tool to those who may use this one",
    ),
    "says-repeated": Kind(
        "note",
        "several tools have the same description",
        "A model can only guess which of them is meant.",
        "say what sets each apart",
    ),
    "says-instructs": Kind(
        "warning",
        "a description gives orders to the model",
        "A description is read as part of the prompt. Orders in it are how poisoned tools steer an agent.",
        "say what the tool does, and nothing about what the model should do besides",
    ),
    "hidden-characters": Kind(
        "warning",
        "a text holds characters that nobody sees",
        "A model reads what a reviewer does not: zero-width, direction-changing and tag characters hide orders.",
        "retype the text",
    ),
    # What may come in.
    "open-arguments": Kind(
        "warning",
        "a tool takes arguments that are not declared",
        "What is not declared is not checked.",
        "say additionalProperties: false",
    ),
    "untyped-argument": Kind(
        "note",
        "an argument may be anything",
        "Nothing about it is checked, and a model has to guess what it is.",
        "give it a type",
    ),
    "free-object": Kind(
        "note",
        "an object with free members",
        "Names and values that nobody declared reach the backend.",
        "declare its properties and say additionalProperties: false, or bound it with maxProperties",
    ),
    "unbounded-text": Kind(
        "note",
        "a text of any length and form",
        "Whatever was talked into the model fits into it: whole documents, scripts, other people's data.",
        "add maxLength, or better an enum, a format or a pattern",
    ),
    "unbounded-array": Kind(
        "note",
        "a list of any length",
        "One call then does the work, or the damage, of thousands.",
        "add maxItems",
    ),
    "code-argument": Kind(
        "warning",
        "an argument takes SQL, a shell command or code",
        "Whoever steers the model then runs it on the backend, whatever the other arguments are bound to.",
        "replace it by arguments with one meaning each, or name the accepted texts in an enum",
    ),
    "url-argument": Kind(
        "note",
        "an argument takes a URL",
        "A backend that fetches it can be sent to internal addresses, and data can be carried out in it.",
        "pin scheme and host with a pattern such as ^https://files\\.example\\.com/",
    ),
    "path-argument": Kind(
        "note",
        "an argument takes a file's path",
        "../ and absolute paths lead to files that nobody meant.",
        "add a pattern that allows plain names only, such as ^[A-Za-z0-9_-]+(\\.[a-z]+)?$",
    ),
    "markup-argument": Kind(
        "note",
        "an argument takes HTML or a template",
        "Scripts, remote images and template expressions in it run where it is shown.",
        "take plain text, or deny by rule what must not be in it",
    ),
    "secret-argument": Kind(
        "warning",
        "an argument asks the agent for a credential",
        "What the agent holds, a model can be talked into giving away. Arguments also reach rules and approvals.",
        "take the argument out and declare `credential` for the backend",
    ),
    "regex-explodes": Kind(
        "warning",
        "a pattern can take exponential time",
        "Here patterns run in linear time. Backends, SDKs and form generators that check the same pattern often "
        "backtrack, and hang on a short hostile text.",
        "make sure that no text fits a repeated part in two ways; bound it with maxLength",
    ),
    # What comes out, and how it travels.
    "redact-off": Kind(
        "note",
        "answers are not cleaned",
        "Personal data and secrets in them reach the model.",
        "say redact: standard, unless that is meant",
    ),
    "except-all": Kind(
        "warning",
        "an exception of cleaning covers the whole reply",
        "Whatever the profile says, nothing in it is looked at any more.",
        'name the fields, such as /items/*/id, or say redact: "off"',
    ),
    "schema-looser": Kind(
        "note",
        "a contract is looser than the schema that it was made from",
        "What an MCP server's schema says in a way that cannot be checked here is checked by the server alone.",
        "deny in a rule, by a condition, what must not reach the server",
    ),
    "reply-reported": Kind(
        "note",
        "answers off their contract are only reported",
        "A backend that suddenly answers with more, or with something else, reaches the model all the same.",
        "look at the reports of some real traffic, then say reply: {contract: enforce}",
    ),
    "on-error-pass": Kind(
        "warning",
        "answers that could not be checked pass",
        "What the scanner cannot read is what an attacker sends.",
        "say on_error: refuse",
    ),
    "plain-http": Kind(
        "warning",
        "a backend on the internet is called without TLS",
        "Anybody on the way reads and changes the calls, their answers and the credential.",
        "use https://",
    ),
    "credential-in-query": Kind(
        "note",
        "a credential travels in the query",
        "URLs stand in the logs of servers and proxies on the way, and in browser histories.",
        "use a header, where the API takes one",
    ),
    "secret-in-rules": Kind(
        "warning",
        "a rules file seems to hold a secret",
        "Rules are reviewed, versioned and mounted where secrets are not.",
        "remove it, and revoke it if it is real",
    ),
}
