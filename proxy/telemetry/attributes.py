"""Names of span and metric attributes, and the reading of a Record into them. No I/O, no OpenTelemetry import.

The names follow the OpenTelemetry semantic conventions for GenAI tool execution, for MCP and for HTTP. They are kept
here, for the Python constants of the GenAI part are deprecated and have moved. What no convention names is
`toolwall.*`.
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
PROMPT = "gen_ai.prompt.name"
MCP_METHOD = "mcp.method.name"
MCP_REVISION = "mcp.protocol.version"
MCP_SESSION = "mcp.session.id"
MCP_URI = "mcp.resource.uri"
RPC_ID = "jsonrpc.request.id"
RPC_STATUS = "rpc.response.status_code"

CALL = "toolwall.call.id"
RUN = "toolwall.run.id"
STEP = "toolwall.run.step"
PRINCIPAL = "toolwall.principal"
USER = "toolwall.user"
CHAIN = "toolwall.chain"
DOOR = "toolwall.door"
PROTOCOL = "toolwall.protocol"
EFFECT = "toolwall.effect"
TARGET = "toolwall.tool"
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
CALL_TOOL, GET_PROMPT = "tools/call", "prompts/get"
TOOL_ERROR = "tool_error"
"""What the convention calls a tool's own word that it failed."""

OTHER = "_OTHER"
"""What conventions say for a method that is none of the known ones, and for a code of nobody's table."""

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
_OF_MCP = ((MCP_REVISION, "revision"), (MCP_SESSION, "session"), (MCP_URI, "uri"), (RPC_ID, "id"))
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
    return name if name in _METHODS else OTHER


def fault(record: Record) -> str:
    """What went wrong for the operator: a refusal code of the 5xx kind, the error that an MCP server answered with, a
    backend's 5xx status, or "" if nothing."""
    if record.code:
        return record.code if record.code in FAULTS else ""
    if error := record.mcp.get("error"):
        return str(error)
    return str(record.upstream_status) if record.upstream_status >= 500 else ""


def rpc_status(record: Record) -> str:
    """The code of the JSON-RPC error that a message was answered with, or "" if with none."""
    error = str(record.mcp.get("error", ""))
    return "" if error == TOOL_ERROR else error


def mcp_method(record: Record) -> str:
    """The method of a message of MCP: not one that a caller made up."""
    said = str(record.mcp["method"])
    return OTHER if said == UNKNOWN else said


def name_of(record: Record, tool: str) -> str:
    """The name of a call's span."""
    if not record.mcp:
        return f"{EXECUTE_TOOL} {tool}"
    said = mcp_method(record)
    if said == OTHER:
        return "mcp"
    return f"{said} {tool}" if said in (CALL_TOOL, GET_PROMPT) else said


def of_call(record: Record, tool: str) -> dict[str, Value]:
    """The attributes of a call's span: what a Record says, never an argument, a hash of arguments, a note or a reason.

    `tool` is a name out of the rules, or UNKNOWN. Fields that say nothing are left out.
    """
    found: dict[str, Value] = {OPERATION: EXECUTE_TOOL, TOOL: tool, TOOL_TYPE: "extension"}
    if record.mcp:
        found = _of_message(record, tool)
    found.update((name, text(value)) for name, field in _TEXTS if (value := getattr(record, field)))
    found.update((name, value) for name, field in _NUMBERS if (value := getattr(record, field)))
    found.update((name, texts(value)) for name, field in _LISTS if (value := getattr(record, field)))
    if record.mcp:
        found.pop(HTTP_STATUS, None)  # that of the HTTP around it says nothing of a message
    elif record.method:
        found[HTTP_METHOD] = method(record.method)
    for kind, count in zip(texts(record.redactions), record.redactions.values(), strict=False):
        found[f"{REDACTIONS}.{kind}"] = count
    if wrong := fault(record):
        found[ERROR] = wrong
    return found


def _of_message(record: Record, tool: str) -> dict[str, Value]:
    """What a message of MCP is: a tool's execution where it calls one."""
    found: dict[str, Value] = {MCP_METHOD: mcp_method(record)}
    if found[MCP_METHOD] == CALL_TOOL:
        found |= {OPERATION: EXECUTE_TOOL, TOOL: tool, TOOL_TYPE: "extension"}
    else:
        found[PROMPT if found[MCP_METHOD] == GET_PROMPT else TARGET] = tool
    said = ((name, record.mcp.get(field, "")) for name, field in _OF_MCP)
    found.update((name, text(str(value))) for name, value in said if value != "")
    if status := rpc_status(record):
        found[RPC_STATUS] = status
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
