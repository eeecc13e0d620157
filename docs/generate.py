"""Write the reference pages from the code: `make docs`. A test compares the pages with what this gives."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import typer.main

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from proxy.cli import app  # noqa: E402
from proxy.config import CONFIG  # noqa: E402
from proxy.errors import CODES  # noqa: E402
from proxy.protocols.rest import PASSED as REQUEST_HEADERS  # noqa: E402
from proxy.replies.replyheaders import PASSED as REPLY_HEADERS  # noqa: E402
from redaction.detector import all_patterns  # noqa: E402
from redaction.keys import families  # noqa: E402
from redaction.profiles import PROFILES  # noqa: E402
from rules.grammar import BACKEND, POLICY, TOOL  # noqa: E402
from rules.lint.kinds import KINDS, LEVELS  # noqa: E402
from rules.mcp.grammar import MCP_BACKEND, MCP_PROMPT, MCP_RESOURCE, MCP_TOOL  # noqa: E402
from rules.shape import Choice, Either, Form, Many, Number, Shape, Size, Table, Text  # noqa: E402

NOTE = "<!-- Made by `make docs` from the code; edits here are overwritten. -->\n"


def pages() -> dict[str, str]:
    """Each reference page by its name in docs/reference."""
    return {
        "check.md": NOTE + check(),
        "commands.md": NOTE + commands(),
        "configuration.md": NOTE + configuration(),
        "headers.md": NOTE + headers(),
        "kinds.md": NOTE + kinds(),
        "refusals.md": NOTE + refusals(),
        "rules-files.md": NOTE + rules_files(),
    }


def refusals() -> str:
    lines = ["# Refusal codes", "", "What `code` can be when the answer is no, over every protocol.", ""]
    lines += ["| code | HTTP status | retry | title |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {row.status} | {row.retry} | {row.title} |" for name, row in CODES.items()]
    return "\n".join(lines) + "\n"


def check() -> str:
    lines = [
        "# What `toolwall check` finds",
        "",
        "Each finding has a stable id. Only errors make the command end with 1.",
    ]
    for level in LEVELS:
        lines += ["", f"## {level.capitalize()}s", "", "| id | what is found | why it matters | what mends it |"]
        lines += ["|---|---|---|---|"]
        rows = [(id, kind) for id, kind in sorted(KINDS.items(), key=lambda each: each[0]) if kind.level == level]
        lines += [f"| `{id}` | {kind.title} | {kind.why} | {kind.edit} |".replace("\\", "\\\\") for id, kind in rows]
    return "\n".join(lines) + "\n"


def kinds() -> str:
    says: dict[str, str] = {}
    for pattern in all_patterns():
        says.setdefault(pattern.kind, pattern.says)
    for family in families():
        says.setdefault(family.kind, f"{family.says} Told by names in JSON.")
    lines = ["# Kinds of findings", "", "What `reply: {redact: ...}` and `toolwall redact --profile` can name.", ""]
    lines += ["| kind | what it is | profiles |", "|---|---|---|"]
    for kind in sorted(says):
        within = ", ".join(f"`{name}`" for name, members in PROFILES.items() if kind in members)
        lines.append(f"| `{kind}` | {says[kind]} | {within} |")
    lines += ["", "## Profiles", "", "| profile | kinds |", "|---|---|"]
    for name, members in PROFILES.items():
        lines.append(f"| `{name}` | {', '.join(f'`{kind}`' for kind in members) or 'none'} |")
    lines += ["", "Any entity name of an installed Presidio recognizer may be named as well."]
    return "\n".join(lines) + "\n"


def headers() -> str:
    lines = ["# Headers", "", "Of a request, these reach the backend without being declared in a contract:", ""]
    lines += [", ".join(f"`{name}`" for name in sorted(REQUEST_HEADERS)) + ", `if-*`."]
    lines += ["", "`authorization` only while the backend declares no `credential`: see [rules](../rules.md)."]
    lines += ["", "Toolwall sets `host`, `via`, `forwarded`, `accept-encoding` and `traceparent` itself,"]
    lines += ["and `user-agent: toolwall` where no contract has that as an argument."]
    lines += ["", "Of a reply, these reach the agent, scanned like text:", ""]
    lines += [", ".join(f"`{name}`" for name in sorted(REPLY_HEADERS)) + "."]
    lines += ["", "All others end at the sidecar, and `Cache-Control` is always `private, no-store`."]
    return "\n".join(lines) + "\n"


def configuration() -> str:
    intro = "How the sidecar runs. The last word of a description is the default, where there is one.\n"
    return "# toolwall.yaml\n\n" + intro + "\n".join(tables(CONFIG, "toolwall.yaml"))


def rules_files() -> str:
    parts = ["# Rules files", "", "Every key that may stand in the rules folder. `toolwall schema` prints the same"]
    parts += ["as a JSON Schema for editors.", ""]
    return "\n".join([*parts, *tables(BACKEND, "a backend file"), *server_tables(), *tables(POLICY, "a policy file")])


def server_tables() -> Iterator[str]:
    """What the files of MCP servers have besides, and instead, of what stands in those of HTTP APIs."""
    yield from differing(MCP_BACKEND, BACKEND, "a backend file of an MCP server")
    for name, like in (("tools", MCP_TOOL), ("prompts", MCP_PROMPT), ("resources", MCP_RESOURCE)):
        yield from differing(like, TOOL, f"a backend file of an MCP server: {name}")


def differing(form: Form, like: Form, title: str) -> Iterator[str]:
    """A table of the keys that another form does not have in the same way."""
    own = {name: key for name, key in form.keys.items() if key is not like.keys.get(name)}
    yield f"\n## {title}\n"
    yield "| key | | what it is |\n|---|---|---|"
    for name, key in own.items():
        yield f"| `{name}` | {kind_of(key.shape)}{', required' if key.required else ''} | {key.says} |"
    yield f"\nAs above: {', '.join(f'`{name}`' for name in form.keys if name not in own)}."


def tables(form: Form, title: str) -> Iterator[str]:
    """A table of one form's keys, then those of the forms inside of it."""
    yield f"\n## {title}\n"
    yield "| key | | what it is |\n|---|---|---|"
    inner = []
    for name, key in form.keys.items():
        yield f"| `{name}` | {kind_of(key.shape)}{', required' if key.required else ''} | {key.says} |"
        inner += [(each, name) for each in forms(key.shape)]
    if form.one_of:
        yield f"\nExactly one of {', '.join(f'`{name}`' for name in form.one_of)}."
    for each, name in inner:
        yield from tables(each, name if title.startswith("a ") or "." in title else f"{title}: {name}")


def forms(shape: Shape) -> list[Form]:
    match shape:
        case Form():
            return [shape]
        case Many() | Table():
            return forms(shape.item)
        case Either():
            return forms(shape.simple) + forms(shape.mapping)
    return []


def kind_of(shape: Shape) -> str:
    match shape:
        case Number():
            return shape.like
        case Text():
            return shape.like if len(shape.like) < 60 else "text"
        case Choice():
            return " or ".join(f"`{each}`" for each in shape.options)
        case Size():
            return "a size"
        case Many():
            return f"list of {kind_of(shape.item)}"
        case Table():
            return f"map of {shape.like} to {kind_of(shape.item)}"
        case Either():
            return f"{kind_of(shape.simple)}, or {kind_of(shape.mapping)}"
        case Form():
            return "map"
    return type(shape).__name__.lower()


def commands() -> str:
    lines = ["# Commands", "", "Exit codes: 0 good (warnings allowed), 1 findings, failed examples, a broken ledger,"]
    lines += ["or that what was asked for (a tool, a call) is not there, 2 wrong usage, 3 cannot run."]
    for name, command in walk(typer.main.get_command(app), "toolwall"):
        lines += ["", f"## {name}", "", (command.help or "").strip(), ""]
        for param in command.params:
            text = " ".join(str(getattr(param, "help", "") or "").split())
            names = ", ".join(f"`{each}`" for each in [*param.opts, *param.secondary_opts])
            lines.append(f"- {names}: {text}" if text else f"- {names}")
    return "\n".join(lines).rstrip() + "\n"


def walk(command: object, name: str) -> Iterator[tuple[str, object]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    if getattr(command, "invoke_without_command", False):
        yield name, command
    for each, below in sorted(inner.items()):
        yield from walk(below, f"{name} {each}")


if __name__ == "__main__":
    folder = ROOT / "docs" / "reference"
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"docs/reference/{name}\n")
