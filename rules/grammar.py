"""The description of rules files. The loader checks files against it, and `toolwall schema` prints it."""

from __future__ import annotations

from typing import Final

from redaction.operators import NAMES as OPERATOR_NAMES
from redaction.operators import REALISTIC
from redaction.randomness import KIND as HIGH_ENTROPY
from rules.bounds import BUDGET, CONTRACT_LIMIT, POINTER, PRICE, RULE_LIMIT, TOKENS
from rules.credentials import CREDENTIALS
from rules.once import IDEMPOTENCY
from rules.relations import RELATION
from rules.settle import SETTLE_BY
from rules.shape import (
    DURATION,
    Anything,
    Choice,
    Either,
    Flag,
    Form,
    JsonSchema,
    Key,
    Many,
    Number,
    Size,
    Table,
    Text,
)
from rules.terms import BREAKER, BULKHEAD, PROBE, RETRY, TIMEOUT
from rules.undo import UNDO

NAME: Final = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
NAME_LIKE: Final = "a name of letters, digits, - and _ that begins with a letter, at most 64 long"
_Name: Final = Text(NAME, NAME_LIKE)
_Duration: Final = Text(DURATION, "a duration such as 500ms, 10s or 15m")
_Says: Final = Key(Text(), "What it is for, in plain words; a model reads this.")

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PLACES: Final = ("path", "query", "header", "cookie", "body")
EFFECTS: Final = ("read", "write", "irreversible", "admin")
CALL: Final = rf"^({'|'.join(METHODS)}) /\S*$"
PATTERN: Final = r"^[A-Za-z0-9_./*-]+$"

OPERATORS: Final = Table(
    Either(
        Choice(OPERATOR_NAMES),
        Form(
            {
                "mask": Key(Text(r"^[*#xX_.-]$", "one of the characters * # x X _ . -"), "The character."),
                "replace": Key(
                    Text(r'^[^"\\<>&%+\x00-\x1f\x7f]{1,64}$', 'up to 64 characters without " \\ < > & % +'), "The text."
                ),
                "pseudonym": Key(
                    Choice((REALISTIC,)), "Invented values of the same form stand for the values of a run."
                ),
                "presidio": Key(_Name, "An operator of Presidio's anonymizer, or one that toolwall.yaml defines."),
            },
            one_of=("mask", "replace", "pseudonym", "presidio"),
        ),
    ),
    like="a kind of findings",
)
_Fields: Final = Many(Text(), or_one=True)
REPLY: Final = Form(
    {
        "operators": Key(
            OPERATORS,
            "How findings of a kind are rewritten where not by their kind: mask, keep_last_4, hash, encrypt, "
            "pseudonym, zero, drop, redact, replace or presidio.",
        ),
        "redact": Key(
            Many(Text(), or_one=True),
            "A profile (off, secrets, standard, strict, medical, payment), or kinds of findings, to take out.",
        ),
        "except": Key(
            Many(
                Either(
                    Text(),
                    Form(
                        {
                            "at": Key(Many(Text(), or_one=True), "The places, by name or by JSON pointer.", True),
                            "kinds": Key(Many(Text(), or_one=True), "The kinds of findings that are left there.", True),
                        }
                    ),
                ),
                or_one=True,
            ),
            "Places in JSON that are left as they are: by name wherever they stand, or by JSON pointer such as "
            "/items/*/id; or `{at: ..., kinds: ...}`, which leaves some kinds.",
        ),
        "only": Key(
            Many(Text(), or_one=True), "The only places in JSON that are looked at, by name or by JSON pointer."
        ),
        "warn": Key(
            Many(Choice((HIGH_ENTROPY,)), or_one=True),
            "What is only counted for the operator, in the Record and a metric: words that look made by chance.",
        ),
        "binary": Key(
            Choice(("refuse", "pass", "hash")),
            "What becomes of an answer that is no text, such as an image: it is withheld, or passes and is marked as "
            "unchecked, or its SHA-256, length and type stand for it.",
        ),
        "on_error": Key(
            Choice(("refuse", "pass")), "What happens to an answer that cannot be checked; `pass` is recorded."
        ),
        "most_bytes": Key(Size(), "The largest answer that is accepted, decoded."),
        "contract": Key(
            Choice(("enforce", "report", "off")),
            "What happens to an answer off its `replies`: it is withheld, or passes and the Record says so.",
        ),
        "keep": Key(_Fields, "The only fields that an agent gets, by name or by JSON pointer such as /items/*/id."),
        "drop": Key(_Fields, "The fields that an agent does not get, by name wherever they stand, or by JSON pointer."),
        "most": Key(Number(1, 1_000_000), "How many items of each list are given at once."),
        "longest": Key(Number(1, 100_000_000), "How many characters of each text are given at once."),
        "fit": Key(Size(), "Bytes that an answer may have when it is given: texts and lists are cut until it fits."),
    },
    later=frozenset({"check"}),
)
CACHE: Final = Either(
    _Duration,
    Form(
        {
            "for": Key(_Duration, "For how long.", required=True),
            "shared": Key(Flag(), "Whether other principals get it too; each has answers of its own without it."),
            "stale": Key(_Duration, "How much longer it stands in where the backend gives none."),
        }
    ),
)
_KINDS: Final = Many(Text(), or_one=True)
OUTGOING: Final = Form(
    {
        "refuse": Key(_KINDS, "Profiles or kinds of findings for which a call is refused."),
        "mask": Key(_KINDS, "Profiles or kinds that are replaced by their kind before the call is sent."),
        "allow": Key(_KINDS, "Kinds that may be sent although a profile under refuse or mask has them."),
    }
)
STATUS: Final = r"^([1-5][0-9]{2}|[1-5]XX|default)$"
MEDIA_TYPE: Final = r"^[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}$|^[A-Za-z0-9-]{1,127}/\*$|^\*/\*$"
REPLIES: Final = Table(
    JsonSchema(), MEDIA_TYPE, "a media type such as application/json, a range such as text/*, or */*", may_be_empty=True
)
_WIRE_NAME: Final = Key(Text(), "Its name there, where it is not the argument's own.")
_EXPLODE: Final = Key(Flag(), "Whether each item or member stands by itself; as in OpenAPI, true for the style form.")
_JSON: Final = Key(Flag(), "The value is JSON text.")


def _wire(styles: tuple[str, ...], **more: Key) -> Form:
    """The keys of one place. What is JSON text has no style."""
    style = Key(Choice(styles), f"How arrays and objects are written, as in OpenAPI; {styles[0]} without it.")
    keys = {**more, "style": style, "explode": _EXPLODE, "json": _JSON}
    return Form(keys, at_most_one=("style", "json"))


_LISTS: Final = ("form", "spaceDelimited", "pipeDelimited", "deepObject")
_SLASH: Final = Key(Flag(), "Allows %2F in the value; it stays one segment.")
WIRE: Final = Form(
    {
        "path": Key(_wire(("simple", "label", "matrix"), encoded_slash=_SLASH), "A path argument."),
        "query": Key(_wire(_LISTS, name=_WIRE_NAME), "A name in the query."),
        "header": Key(_wire(("simple",), name=_WIRE_NAME), "A header."),
        "cookie": Key(_wire(("form",), name=_WIRE_NAME), "A cookie."),
        "body": Key(_wire(_LISTS, name=_WIRE_NAME), "A member of the body; the style counts in forms."),
    },
    one_of=PLACES,
)
TOOL: Final = Form(
    {
        "says": _Says,
        "call": Key(Text(CALL, "METHOD /path, such as GET /customers/{id}"), "Method and path.", required=True),
        "picked_by": Key(
            Form(
                {
                    "header": Key(Table(Text(), like="a header's name"), "A header and its value."),
                    "query": Key(Table(Text(), like="a name in the query"), "A name in the query and its value."),
                },
                one_of=("header", "query"),
            ),
            "What tells this tool from others with the same call: one value that is sent, in an argument of its own. "
            "The header Toolwall-Tool needs no argument: with it an agent names the tool that it means.",
        ),
        "args": Key(
            Table(JsonSchema(optional=True), like="an argument's name"),
            "The arguments, each with its JSON Schema; all are required unless `optional: true`.",
        ),
        "input": Key(JsonSchema(), "All arguments as one JSON Schema, or a $ref to a file in the rules folder."),
        "in": Key(
            Table(Either(Choice(PLACES), WIRE), like="an argument's name"),
            "Where an argument travels, when it is not the usual place.",
        ),
        "body": Key(
            Many(Text(MEDIA_TYPE, "a media type such as application/json, or a range such as image/*"), or_one=True),
            "The media types that a request body may have; JSON without it.",
        ),
        "effect": Key(Choice(EFFECTS), "What a call does to the world. Required unless the method is GET or HEAD."),
        "guessed": Key(Flag(), "The effect was guessed on import; delete this line when somebody looked at it."),
        "timeout": Key(TIMEOUT, "How long the backend may take: in all, or by phase."),
        "retry": Key(RETRY, "How often the backend is asked, where asking again is safe."),
        "limit": Key(CONTRACT_LIMIT, "How many calls the tool may get, of all callers together unless it says `per`."),
        "price": Key(PRICE, "What a call costs: an amount, or where the reply says it."),
        "tokens": Key(TOKENS, "How many tokens a call costs: a number, or where the reply says it."),
        "reply": Key(REPLY, "How answers are checked and cleaned."),
        "outgoing": Key(OUTGOING, "What its arguments may not hold."),
        "cache": Key(CACHE, "For how long the answer of a read is given again to the same call."),
        "idempotency": Key(IDEMPOTENCY, "How a call is known again, so that it is done once."),
        "repeatable": Key(Flag(), "Two equal calls are two actions, as with messages: none is taken for a repeat."),
        "settle_by": Key(SETTLE_BY, "How it is found out whether it was done, where its answer was lost."),
        "undo": Key(UNDO, "How it is taken back: the tool that does, and where its arguments come from."),
        "invalidates": Key(
            Many(Text(PATTERN, "a tool's short name or a pattern such as get_*"), or_one=True),
            "The tools of this backend whose kept answers a call of this one makes stale.",
        ),
        "replies": Key(
            Table(REPLIES, STATUS, "a status such as 200, a class such as 4XX, or default"),
            "What answers look like: a JSON Schema by status and media type.",
        ),
    },
    at_most_one=("args", "input"),
    later=frozenset({"credential"}),
)
BACKEND: Final = Form(
    {
        "backend": Key(_Name, "The backend's name; its tools are called NAME.TOOL.", required=True),
        "url": Key(Text(), "Where it is: http(s)://host[:port][/path].", required=True),
        "says": _Says,
        "addresses": Key(
            Many(Text()), "Networks that the host may lie in although they are not public, such as 10.0.0.0/8."
        ),
        "credential": Key(
            CREDENTIALS, "Which credential goes there: the caller's, one that is put on the wire, or none."
        ),
        "timeout": Key(TIMEOUT, "How long this backend's tools may take, unless they say otherwise."),
        "retry": Key(RETRY, "How often this backend is asked, unless its tools say otherwise."),
        "breaker": Key(BREAKER, "When this backend is left alone for a while because it fails."),
        "probe": Key(PROBE, "How this backend is asked whether it is well, by itself and without a call."),
        "bulkhead": Key(BULKHEAD, "How many requests this backend gets at once."),
        "reply": Key(REPLY, "How answers of this backend's tools are treated, unless they say otherwise."),
        "outgoing": Key(
            OUTGOING, "What the arguments of this backend's tools may not hold, unless they say otherwise."
        ),
        "trace": Key(Flag(), "Whether this backend is told which trace a call is in; it is unless this says `false`."),
        "limit": Key(CONTRACT_LIMIT, "How many calls the backend may get, of all callers together."),
        "restore": Key(
            Either(Flag(), Many(Text())),
            "Whose values stand again for the pseudonyms in calls to this backend: true for all kinds, or a list.",
        ),
        "tools": Key(Table(TOOL, NAME, NAME_LIKE), "The tools, by name.", required=True),
    },
    later=frozenset({"proxy"}),
)
_Patterns: Final = Many(Text(PATTERN, "a tool's name or a pattern such as crm.get_*"), or_one=True)
_TextList: Final = Many(Text(), or_one=True)
TO: Final = Form(
    {
        "roles": Key(_TextList, "Roles, of which the caller needs one."),
        "agents": Key(_TextList, "Agents, of which the caller has to be one."),
        "users": Key(_TextList, "Users, of whom the caller has to act for one."),
        "principals": Key(_TextList, "Ids of principals, of which the caller has to be one, for whomever it acts."),
        "whole_chain": Key(
            Flag(),
            "Whether `roles` is asked of each who acts for another: a rule that allows needs all of them to have one, "
            "for a rule that denies a single one is enough.",
        ),
    }
)
APPROVAL: Final = Form(
    {
        "by": Key(Text(), "The role that may approve.", required=True),
        "within": Key(_Duration, "How long an approval may take.", required=True),
    }
)
RULE: Final = Form(
    {
        "id": Key(_Name, "The rule's name: Records and explanations use it.", required=True),
        "says": _Says,
        "allow": Key(_Patterns, "The tools that this rule allows."),
        "deny": Key(_Patterns, "The tools that this rule denies; any deny wins."),
        "to": Key(TO, "Whom the rule is about: each key that is there has to match. Without it, everybody."),
        "when": Key(Text(), "A condition in CEL, such as args.amount_cents <= 50000."),
        "require": Key(
            Form(
                {
                    "approval": Key(APPROVAL, "A human has to say yes first."),
                    "limit": Key(
                        RULE_LIMIT, "How many calls it allows, for each principal and tool unless it says `per`."
                    ),
                    "budget": Key(Many(_Name, or_one=True), "The budgets that pay for what it allows, by name."),
                },
                later=frozenset({"reason", "redact"}),
            ),
            "What an allowed call has to fulfil besides.",
        ),
        "waive": Key(
            Form({"approval": Key(Text(), "Why this call needs no human although its effect asks for one.", True)}),
            "Obligations of the tool's effect that this rule takes away, each with its reason.",
        ),
    },
    one_of=("allow", "deny"),
    later=frozenset({"mode", "keep"}),
)
OUTCOMES: Final = ("allow", "deny", "approval", "unknown_tool", "schema_violation", "denied", "approval_pending")
MOMENT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})$"
EXAMPLE_REPLY: Final = Form(
    {
        "status": Key(Number(200, 599), "The status; 200 without it."),
        "type": Key(
            Text(r"^[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}$", "a media type such as application/json"),
            "The media type; application/json for `body` and text/plain for `text` without it.",
        ),
        "body": Key(Anything(), "The body as JSON."),
        "text": Key(Text(), "The body as text."),
    },
    at_most_one=("body", "text"),
)
RETURNED: Final = Form(
    {
        "redacted": Key(
            Table(Many(Text(), or_one=True), POINTER, "a JSON pointer such as /customer/ssn"),
            "Everything that is taken out: the kinds of findings, by JSON pointer.",
            required=True,
        )
    }
)
EXAMPLE: Final = Form(
    {
        "as": Key(
            Form(
                {
                    "id": Key(Text(), "The principal's id."),
                    "roles": Key(Many(Text()), "The caller's roles."),
                    "agent": Key(Text(), "The agent."),
                    "user": Key(Text(), "The user for whom the agent acts."),
                    "chain": Key(
                        Many(Form({"id": Key(Text(), "Who it is.", True), "roles": Key(Many(Text()), "Its roles.")})),
                        "From the user to the agent, each acting for the one before.",
                    ),
                    "claims": Key(Table(Anything()), "Claims of the caller's token."),
                },
                may_be_empty=True,
            ),
            "Who calls.",
            required=True,
        ),
        "call": Key(Text(PATTERN, "a tool's name"), "The tool that is called.", required=True),
        "args": Key(Table(Anything(), may_be_empty=True), "The arguments."),
        "expect": Key(Choice(OUTCOMES), "allow, deny (any refusal), approval, or a refusal code.", required=True),
        "at": Key(Text(MOMENT, "a time with its zone, such as 2026-01-31T22:30:00Z"), "When it is called."),
        "peer": Key(Text(r"^[0-9A-Fa-f:.]+$", "an IP address"), "The caller's IP address."),
        "step": Key(Number(1, 10**9), "The number of the call in its run."),
        "related": Key(
            Either(Choice(("nothing",)), Many(Many(Anything()))),
            "All triples (subject, relation, object) that are so, or `nothing`; without it what the rules know.",
        ),
        "reply": Key(EXAMPLE_REPLY, "An answer as the backend might give it."),
        "expect_reply": Key(
            Either(Choice(("unchanged", "refused")), RETURNED), "What comes of that answer before a model reads it."
        ),
    }
)
POLICY: Final = Form(
    {
        "budgets": Key(Table(BUDGET, NAME, NAME_LIKE), "What may be spent in all; rules name them under `require`."),
        "relations": Key(
            Table(RELATION, NAME, NAME_LIKE), "Who is what to whom; conditions ask for it by `related(...)`."
        ),
        "rules": Key(Many(RULE), "Who may call what, on which terms."),
        "examples": Key(Many(EXAMPLE), "Calls and what should come of them; `toolwall test` runs them."),
    }
)
