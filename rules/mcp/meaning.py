"""What one accepted definition means: the contracts of its arguments and results, and the headers that repeat some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from rules.definitions import Definition
from rules.dialects import Flaw
from rules.documents import BadSchema
from rules.mcp import schemas, templates
from rules.mcp.mirrors import Mirrors, mirrors
from rules.replies import Replies
from rules.schema import Contract


class Meant(NamedTuple):
    """`name` is the server's: of a resource its URI or template."""

    name: str
    definition: Definition
    contract: Contract
    replies: Replies | None = None
    mirrors: Mirrors = ()


def tool(name: str, one: Definition) -> Meant:
    """Raises BadSchema, like the others, where the definition cannot be used."""
    contract = schemas.contract(one.get("inputSchema", {"type": "object"}))
    repeated, flaws = mirrors(contract.schema, contract.dialect)
    if flaws:
        raise BadSchema(flaws)
    output = one.get("outputSchema")
    return Meant(name, one, contract, None if output is None else schemas.replies(output), repeated)


def prompt(name: str, one: Definition) -> Meant:
    """A prompt's arguments are texts."""
    return Meant(name, one, schemas.prompt(one.get("arguments")))


def resource(uri: str, one: Definition) -> Meant:
    """A resource's argument is its URI."""
    if "{" in uri or "}" in uri:
        raise BadSchema([Flaw(("uri",), "holds a brace, which no URI does", "a template stands under `template`")])
    return Meant(uri, one, Contract(templates.exactly(uri)))


def template(template: str, one: Definition) -> Meant:
    """A template's argument is a URI that fits it."""
    try:
        return Meant(template, one, Contract(templates.fitting(template)))
    except ValueError as error:
        raise BadSchema([Flaw(("uriTemplate",), str(error))]) from None


MEANINGS: Final[Mapping[str, Callable[[str, Definition], Meant]]] = {
    "tools": tool,
    "prompts": prompt,
    "resources": resource,
    "templates": template,
}
"""How the definitions of each kind are understood."""
