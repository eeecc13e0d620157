"""Credential: a backend's secrets are put into the request, where nobody but the connection sees it any more."""

from __future__ import annotations

from proxy.credentials.injecting import Injections
from proxy.credentials.secret import CredentialError
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Result, Send
from proxy.outcomes import never_sent
from rules.decide import Decision
from rules.tools import Tool

UNAUTHORIZED = 401


class Credential:
    """The guard, with the secrets of each backend. Each attempt asks for them anew."""

    __name__ = "credential"

    def __init__(self, injections: Injections) -> None:
        self._of = injections

    def __bool__(self) -> bool:
        return bool(self._of)

    def applies(self, tool: Tool, decision: Decision) -> bool:
        """Whether the sidecar sends this tool's backend a credential of its own."""
        return tool.backend in self._of

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Send the call with the secrets in it. Without them nothing is sent."""
        outgoing, subject = call.outgoing, entry.hail.bearer
        injections = self._of[call.tool.backend]
        try:
            for injection in injections:
                if injection.ended is not None:
                    entry.at_end(injection.ended)
                outgoing = await injection.put(call, outgoing, subject)
        except CredentialError as why:
            raise _not_had(str(why)) from None
        entry.check(self.__name__)
        result = await send(call._replace(outgoing=outgoing), entry)
        if result.status == UNAUTHORIZED:
            for injection in injections:
                injection.refused(subject)
        return result


def _not_had(why: str) -> Refusal:
    refusal = never_sent("The credential for the backend cannot be had.", note=f"credential: {why}")
    refusal.suggestion = "Try again later; if it stays so, tell the operator."
    return refusal
