"""W3C Trace Context (https://www.w3.org/TR/trace-context-2/): the two headers, parsed strictly. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

SAMPLED = 0x01  # the caller may have recorded this trace
RANDOM = 0x02  # the right half of the trace id is random (level 2)
_KNOWN_FLAGS = SAMPLED | RANDOM

MOST_PARENT = 512  # a later version may append fields after the 55 characters of version 00
MOST_STATE = 512  # the length that the standard asks every system to be able to pass on
MOST_MEMBERS = 32  # the standard's bound on list members

_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KEY = r"(?:[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_ID = rb'"(?:[^"\\]|\\.)*"|-?[0-9]+'
_PARAMS = re.compile(rb'\{"jsonrpc":"2.0",(?:"id":(?:%b),)?"method":"[^"\\]*","params":\{"_meta":\{' % _ID)
_MEMBER = re.compile(f"({_KEY})={_VALUE}")


@dataclass(frozen=True, slots=True)
class Parent:
    """The caller's place in its trace: lower-case hex ids, the flags that we know, and its `tracestate` or ""."""

    trace_id: str
    span_id: str
    flags: int
    state: str = ""

    @property
    def sampled(self) -> bool:
        return bool(self.flags & SAMPLED)

    def headers(self) -> dict[str, str]:
        """The headers that pass this place on, in version 00 whatever version came in."""
        found = {"traceparent": traceparent(self.trace_id, self.span_id, self.flags)}
        if self.state:
            found["tracestate"] = self.state
        return found


def traceparent(trace_id: str, span_id: str, flags: int) -> str:
    return f"00-{trace_id}-{span_id}-{flags:02x}"


def inside(message: bytes, headers: Mapping[str, str]) -> bytes:
    """A JSON-RPC message that also says what these headers say, in the `_meta` with which its params begin. Another
    stays as it is."""
    found = _PARAMS.match(message)
    if found is None or not headers:
        return message
    end = found.end()
    more = b"" if message[end : end + 1] == b"}" else b","
    return b"%b%b%b%b" % (message[:end], json.dumps(dict(headers))[1:-1].encode(), more, message[end:])


def parse(parent: str | None, state: str | None) -> Parent | None:
    """The caller's context, or None where `parent` is missing or breaks the standard in any way.

    A `tracestate` that breaks the standard is dropped alone, as the standard says. Several `traceparent` headers are
    garbage: the caller of this function passes None for them; several `tracestate` headers are joined with commas.
    """
    if not parent or len(parent) > MOST_PARENT:
        return None
    match = _PARENT.fullmatch(parent)
    if match is None or (match[1] == "00" and match[5] is not None):
        return None
    flags = int(match[4], 16) & _KNOWN_FLAGS
    return Parent(match[2], match[3], flags, state if state and _valid_state(state) else "")


def _valid_state(state: str) -> bool:
    if len(state) > MOST_STATE:
        return False
    members = [member.strip(" \t") for member in state.split(",")]
    matches = [_MEMBER.fullmatch(member) for member in members if member]
    keys = [match[1] for match in matches if match]
    return 0 < len(keys) == len(matches) <= MOST_MEMBERS and len(set(keys)) == len(keys)
