"""Credential slots: where the API wants the caller's credential, so that it is no argument of any tool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from rules.openapi.marks import mapping
from rules.openapi.operation import Operation, Parameter
from rules.openapi.references import BadReference, Document
from rules.placing import is_credential_name

_KNOWN: Final = frozenset(
    (
        *("api-key", "apikey", "x-api-key", "x-apikey", "access-token", "accesstoken", "x-access-token"),
        *("api-token", "x-api-token", "auth-token", "x-auth-token", "bearer-token", "session-token"),
        *("private-token", "job-token", "subscription-key", "ocp-apim-subscription-key", "x-amz-security-token"),
    )
)
"""Names that carry a credential and nothing else, small and with hyphens. A bare `token` is one in a header,
elsewhere it is as often a page's."""

_PLACES: Final = frozenset(("header", "query", "cookie"))


@dataclass(slots=True)
class Slots:
    """The credential slots of a backend, in the words of rules files, without duplicates."""

    sends: list[Any] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, send: Any) -> None:
        """Add one slot."""
        if send not in self.sends:
            self.sends.append(send)

    def holds(self, parameter: Parameter) -> bool:
        """Whether a parameter is one of the slots."""
        if parameter.place == "header" and parameter.name.lower() == "authorization":
            return True
        return any(
            isinstance(send, dict) and _same(parameter.place, parameter.name, send.get(parameter.place))
            for send in self.sends
        )

    def as_rules(self) -> list[dict[str, Any]]:
        """What stands under `credential`."""
        return [{"send": send, "from": "caller"} for send in self.sends]


def _same(place: str, name: str, other: Any) -> bool:
    return isinstance(other, str) and (name.lower() == other.lower() if place == "header" else name == other)


def slots(document: Document, operations: Iterable[Operation]) -> Slots:
    """The slots that the security schemes name, and those that parameters betray by their names."""
    found = Slots()
    schemes = mapping(mapping(document.root.get("components")).get("securitySchemes")) or mapping(
        document.root.get("securityDefinitions")
    )
    for name, value in schemes.items():
        try:
            scheme = mapping(document.follow(value, document.name).value)
        except BadReference as error:
            found.warnings.append(f"the security scheme {name} is left out: {error}")
            continue
        _add(found, name, scheme)
    declared = bool(found.sends)
    for operation in operations:
        for parameter in operation.parameters:
            if looks_like_key(parameter) and not found.holds(parameter):
                found.add({parameter.place: parameter.name})
                told = f"{parameter.place} {parameter.name} carries a credential by its name, so it is no argument"
                found.warnings.append(told)
    if found.sends and not declared:
        found.add({"header": "Authorization"})  # passes where there are no slots; a guess must not take it away
    return found


def looks_like_key(parameter: Parameter) -> bool:
    """Whether a parameter's name says that it carries a credential."""
    name = parameter.name.lower().replace("_", "-")
    return (
        parameter.place in _PLACES
        and (name in _KNOWN or (name == "token" and parameter.place == "header"))
        and (parameter.place == "query" or is_credential_name(parameter.place, parameter.name))
    )


def _add(found: Slots, name: str, scheme: dict[str, Any]) -> None:
    kind, way = str(scheme.get("type")).lower(), str(scheme.get("scheme", "")).lower()
    if kind == "basic" or (kind == "http" and way == "basic"):
        found.add("basic")
    elif kind in ("oauth2", "openidconnect") or (kind == "http" and way == "bearer"):
        found.add("bearer")
    elif kind == "http":
        found.add({"header": "Authorization"})
    elif kind == "apikey" and scheme.get("in") in _PLACES and isinstance(scheme.get("name"), str):
        place, wire = str(scheme["in"]), scheme["name"].strip()
        if place == "query" or is_credential_name(place, wire):
            found.add({place: wire})
        else:
            found.warnings.append(f"the security scheme {name} names a {place} that cannot hold a credential")
    else:
        found.warnings.append(f"the security scheme {name} ({kind}) is left out: its credential is not in the request")
