"""Refusals: the one way in which Toolwall says no, and the short public list of reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Executed = Literal["no", "yes", "unknown"]
Retry = Literal["never", "after_fix", "after_delay", "after_approval", "ask_human"]


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the public table of refusals: HTTP status, advice on retrying, and a title for people."""

    status: int
    retry: Retry
    title: str


CODES: dict[str, Code] = {
    "bad_request": Code(400, "after_fix", "The request is malformed or ambiguous."),
    "unauthenticated": Code(401, "never", "The caller is not known."),
    "unknown_tool": Code(403, "never", "There is no such tool."),
    "denied": Code(403, "never", "This call is not allowed."),
    "unknown_rest": Code(404, "never", "There is no such rest of a reply."),
    "unknown_session": Code(404, "never", "There is no such session."),
    "duplicate_call": Code(409, "never", "The same was asked for before."),
    "too_large": Code(413, "after_fix", "The request is larger than allowed."),
    "schema_violation": Code(422, "after_fix", "The arguments do not fit the tool's contract."),
    "unsafe_argument": Code(422, "after_fix", "An argument holds what may not be sent."),
    "approval_pending": Code(428, "after_approval", "A human has to approve this call."),
    "limit_reached": Code(429, "after_delay", "Too many calls."),
    "budget_spent": Code(429, "never", "A budget is spent."),
    "upstream_unreachable": Code(502, "after_delay", "The backend could not be reached."),
    "reply_refused": Code(502, "never", "The backend's reply was withheld."),
    "upstream_unhealthy": Code(503, "after_delay", "The backend is failing."),
    "timeout": Code(504, "after_delay", "The backend did not answer in time."),
    "outcome_unknown": Code(504, "ask_human", "It is not known whether the action was carried out."),
    "internal": Code(500, "after_delay", "Toolwall could not handle this call."),
}


class Refusal(Exception):
    """The one exception that says no.

    `code` is a key of CODES. `detail` and `suggestion` are written for a model to act on and carry no value of the
    request, no credential and nothing of the policy. `executed` tells whether the backend may have acted.
    `errors` lists wrong arguments as `{path, in?, name?, problem, example?}`; `extra` are further members.
    `retry_after` is in seconds.
    `headers` are extra reply headers. `note` is for the Record alone, never for the caller. `call_id` and `tool` are
    filled in when the Record is written. `lasting`: the same would come of another try. `ours`: it says nothing of the
    call, but that the sidecar could not keep what it has to.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        suggestion: str = "",
        executed: Executed = "no",
        errors: tuple[dict[str, Any], ...] = (),
        retry_after: int | None = None,
        note: str = "",
        extra: dict[str, Any] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.suggestion = suggestion
        self.executed = executed
        self.errors = errors
        self.retry_after = retry_after
        self.note = note
        self.extra = extra or {}
        self.headers = headers
        self.lasting = self.ours = False
        self.call_id = ""
        self.tool = ""

    @property
    def status(self) -> int:
        return CODES[self.code].status

    @property
    def retry(self) -> Retry:
        """The code's advice; what is never to be repeated may be so after a while, where that is said."""
        row = CODES[self.code]
        return "after_delay" if row.retry == "never" and self.retry_after is not None else row.retry

    def __repr__(self) -> str:
        return f"Refusal({self.code}, executed={self.executed})"
