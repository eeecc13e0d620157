"""Credential: a backend's secrets are put into the request, where nobody but the connection sees it any more."""

from __future__ import annotations

from typing import Final

from proxy.credentials.injecting import Injections
from proxy.credentials.secret import CredentialError
from proxy.credentials.tokens import NoSubject, Subject
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import DELEGATES, Call, Hail, Result, Send
from proxy.outcomes import never_sent
from rules.decide import Decision
from rules.facts import Principal
from rules.tools import Tool

UNAUTHORIZED: Final = 401


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
        outgoing, subject = call.outgoing, subject_of(entry.hail, call.principal)
        sent = []
        try:
            for injection in self._of[call.tool.backend]:
                if injection.ended is not None:
                    entry.at_end(injection.ended)
                outgoing, secret = await injection.put(call, outgoing, subject)
                sent.append((injection, secret))
        except CredentialError as why:
            raise _not_had(why) from None
        entry.check(self.__name__)
        result = await send(call._replace(outgoing=outgoing), entry)
        if result.status == UNAUTHORIZED:
            for injection, secret in sent:
                injection.refused(subject, secret)
        return result


def subject_of(hail: Hail, principal: Principal) -> Subject | None:
    """The token that proved whom a call is for: the one that delegates, or the caller's own."""
    if principal.method.endswith(DELEGATES):
        return Subject(hail.delegation, hail.bearer or "") if hail.delegation else None
    return Subject(hail.bearer) if hail.bearer else None


def _not_had(why: CredentialError) -> Refusal:
    refusal = never_sent("The credential for the backend cannot be had.", note=f"credential: {why}")
    refusal.suggestion = "Try again later; if it stays so, tell the operator."
    if isinstance(why, NoSubject):
        refusal.detail = (
            "The backend wants a token that is made for the caller out of the caller's own. Nothing was sent."
        )
        refusal.suggestion = "Call with a token in `Authorization`, or have somebody do so: a key cannot be exchanged."
    return refusal
