"""Names of span and metric attributes, and the reading of a Record into them. No I/O, no OpenTelemetry import.

The names follow the OpenTelemetry semantic conventions for GenAI tool execution and for HTTP. They are kept here, for
the Python constants of the GenAI part are deprecated and have moved. What no convention names is `toolwall.*`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from proxy.errors import CODES
from proxy.record import Record

OPERATION = "gen_ai.operation.name"
TOOL = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
AGENT = "gen_ai.agent.name"
MODEL = "gen_ai.request.model"
ERROR = "error.type"
HTTP_METHOD = "http.request.method"
HTTP_STATUS = "http.response.status_code"
HTTP_RESEND = "http.request.resend_count"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
TEMPLATE = "url.template"

CALL = "toolwall.call.id"
RUN = "toolwall.run.id"
STEP = "toolwall.run.step"
PRINCIPAL = "toolwall.principal"
USER = "toolwall.user"
CHAIN = "toolwall.chain"
DOOR = "toolwall.door"
PROTOCOL = "toolwall.protocol"
EFFECT = "toolwall.effect"
DECISION = "toolwall.decision"
RULES = "toolwall.rules"
RESULT = "toolwall.result"
BUDGET = "toolwall.budget"
REVISION = "toolwall.revision"
CODE = "toolwall.code"
EXECUTED = "toolwall.executed"
OUTCOME = "toolwall.outcome"
CHECKS = "toolwall.checks"
UNCHECKED = "toolwall.passed_unchecked"
WAIVED = "toolwall.waived"
DEVIATIONS = "toolwall.reply.deviations"
APPROVAL = "toolwall.approval.id"
APPROVAL_STATE = "toolwall.approval.state"
KIND = "toolwall.kind"
BACKEND = "toolwall.backend"
UPSTREAM_STATUS = "toolwall.upstream.status_code"
ATTEMPTS = "toolwall.upstream.attempts"
REDACTIONS = "toolwall.redactions"  # one attribute for each kind: toolwall.redactions.EMAIL_ADDRESS

EXECUTE_TOOL = "execute_tool"
UNKNOWN = "unknown"  # stands for every tool name that the rules do not hold: a caller's text is never a label
MOST_TEXT = 256  # characters of one attribute; ids and names are far shorter
MOST_ITEMS = 32  # entries of one list attribute, and kinds of redactions

Value = str | int | tuple[str, ...]

# Who is at fault is the operator's question: a refusal by rules or contract is Toolwall at work and no error.
FAULTS = frozenset(code for code, row in CODES.items() if row.status >= 500)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
_TEXTS = (
    (AGENT, "agent"),
    (MODEL, "model"),
    (CALL, "call"),
    (RUN, "run"),
    (PRINCIPAL, "principal"),
    (USER, "user"),
    (DOOR, "door"),
    (PROTOCOL, "protocol"),
    (EFFECT, "effect"),
    (DECISION, "decision"),
    (REVISION, "revision"),
    (CODE, "code"),
    (EXECUTED, "executed"),
    (OUTCOME, "outcome"),
    (APPROVAL, "approval"),
    (APPROVAL_STATE, "approval_state"),
)
_NUMBERS = ((STEP, "step"), (HTTP_STATUS, "status"), (UPSTREAM_STATUS, "upstream_status"), (ATTEMPTS, "attempts"))
_LISTS = (
    (RULES, "rules"),
    (CHECKS, "checks"),
    (UNCHECKED, "passed_unchecked"),
    (WAIVED, "waived"),
    (DEVIATIONS, "deviations"),
    (CHAIN, "chain"),
)


def text(value: str) -> str:
    """`value` cut to MOST_TEXT, and `?` for what does not print: a lone surrogate would spoil a batch of spans."""
    value = value[:MOST_TEXT]
    return value if value.isprintable() else "".join(c if c.isprintable() else "?" for c in value)


def texts(values: Iterable[str]) -> tuple[str, ...]:
    """The first MOST_ITEMS of `values`, each as `text` gives it."""
    return tuple(text(value) for value, _ in zip(values, range(MOST_ITEMS), strict=False))


def method(name: str) -> str:
    """An HTTP method as the convention has it: anything but the known ones is `_OTHER`."""
    return name if name in _METHODS else "_OTHER"


def fault(record: Record) -> str:
    """What went wrong for the operator: a refusal code of the 5xx kind, a backend's 5xx status, or "" if nothing."""
    if record.code in FAULTS:
        return record.code
    return str(record.upstream_status) if not record.code and record.upstream_status >= 500 else ""


def of_call(record: Record, tool: str) -> dict[str, Value]:
    """The attributes of a call's span: what a Record says, never an argument, a hash of arguments, a note or a reason.

    `tool` is a name out of the rules, or UNKNOWN. Fields that say nothing are left out.
    """
    found: dict[str, Value] = {OPERATION: EXECUTE_TOOL, TOOL: tool, TOOL_TYPE: "extension"}
    found.update((name, text(value)) for name, field in _TEXTS if (value := getattr(record, field)))
    found.update((name, value) for name, field in _NUMBERS if (value := getattr(record, field)))
    found.update((name, texts(value)) for name, field in _LISTS if (value := getattr(record, field)))
    if record.method:
        found[HTTP_METHOD] = method(record.method)
    for kind, count in zip(texts(record.redactions), record.redactions.values(), strict=False):
        found[f"{REDACTIONS}.{kind}"] = count
    if wrong := fault(record):
        found[ERROR] = wrong
    return found


@lru_cache(1_000)
def of_attempt(method_name: str, host: str, port: int, template: str, before: int = 0) -> Mapping[str, Value]:
    """The attributes of one request to a backend: its tool's path template, but never a path, query or URL. `before`
    are the requests of the same call that failed."""
    found: dict[str, Value] = {HTTP_METHOD: method(method_name), SERVER_ADDRESS: text(host), SERVER_PORT: port}
    if template:
        found[TEMPLATE] = text(template)
    if before:
        found[HTTP_RESEND] = before
    return MappingProxyType(found)
