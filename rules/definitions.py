"""What an MCP server says that it is and has, as it was accepted: verbatim, in a file with a digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Definition = Mapping[str, Any]
"""One definition as the server gave it: a Tool, Prompt, Resource or ResourceTemplate of the protocol's schema."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything that a model may read before it calls anything. Tools and prompts by name, resources by URI, templates
    by URI template."""

    tools: Mapping[str, Definition] = field(default_factory=dict)
    prompts: Mapping[str, Definition] = field(default_factory=dict)
    resources: Mapping[str, Definition] = field(default_factory=dict)
    templates: Mapping[str, Definition] = field(default_factory=dict)
    instructions: str = ""
