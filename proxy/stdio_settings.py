"""What toolwall.yaml says of `toolwall mcp`: whose calls they are, and what the server that is started may know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proxy.identity.settings import WHO, IdentitySettings, read_identity
from rules.shape import Form, Key, Many, Text
from rules.source import LoadProblem, Node

VARIABLE: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
INHERITED: Final = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}
)
"""What every server that is started has of the environment."""

STDIO: Final = Form(
    {
        "identity": Key(
            Form({"static": Key(Form(WHO), "The principal of all calls.", required=True)}),
            "Whose calls they are that come by standard input.",
            required=True,
        ),
        "env": Key(
            Many(Text(VARIABLE, "the name of an environment variable")),
            f"Variables that the server gets beside {', '.join(sorted(INHERITED))}.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class StdioSettings:
    """Who calls by standard input, and the names of variables that go on to the server."""

    identity: IdentitySettings
    env: tuple[str, ...] = ()


def read_stdio(node: Node | None, folder: Path, problems: list[LoadProblem]) -> StdioSettings | None:
    """The settings; what cannot be is added to `problems`."""
    if node is None:
        return None
    identity = read_identity(node.value["identity"], folder, problems)
    return StdioSettings(identity, tuple(node.plain().get("env", ())))
