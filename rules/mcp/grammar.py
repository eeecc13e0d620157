"""The description of the file of a backend that is an MCP server. What its tools take is in its definitions."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rules.grammar import BACKEND, NAME, NAME_LIKE, REPLY, TOOL
from rules.mcp.plumbing import REVISIONS
from rules.once import IDEMPOTENCY
from rules.shape import Choice, Form, Key, Many, Table, Text

_DEFINED: Final = "it comes from the server's definition, which `toolwall mcp accept` takes over"
_READS: Final = "a prompt or resource is read; a tool has effects"
_WHOLE: Final = "leave it out: prompts and resources are given whole, of tools' results alone a part can be given"
_SHAPING: Final = ("keep", "drop", "most", "longest", "fit")
_REPLY: Final = Form(
    {name: key for name, key in REPLY.keys.items() if name not in _SHAPING},
    elsewhere=dict.fromkeys(_SHAPING, _WHOLE),
    later=REPLY.later,
)
_OF_TOOLS: Final = ("says", "timeout", "retry", "limit", "price", "tokens", "reply", "outgoing", "cache")
_SHARED: Final = {**{name: TOOL.keys[name] for name in _OF_TOOLS}, "reply": replace(TOOL.keys["reply"], shape=_REPLY)}
_NOT_OF_MCP: Final = {
    **dict.fromkeys(("call", "picked_by", "in", "body"), "an MCP server is called by a tool's name"),
    **dict.fromkeys(("args", "input", "replies"), _DEFINED),
}
_NOT_READ: Final = {
    **_NOT_OF_MCP,
    **dict.fromkeys(("effect", "guessed", "idempotency", "repeatable", "invalidates", "undo", "settle_by"), _READS),
}
_THEIRS: Final = Key(Text(), "What the server calls it, where that is not the key above.")
_ONCE: Final = Form(
    {name: IDEMPOTENCY.keys[name] for name in ("key", "window")},
    elsewhere=dict.fromkeys(("header", "not_done"), "an MCP server has no headers and statuses of a tool's own"),
)
MCP_TOOL: Final = Form(
    {
        "name": _THEIRS,
        **_SHARED,
        "reply": TOOL.keys["reply"],
        "effect": Key(TOOL.keys["effect"].shape, "What a call does to the world.", required=True),
        "guessed": TOOL.keys["guessed"],
        "idempotency": Key(_ONCE, TOOL.keys["idempotency"].says),
        "repeatable": TOOL.keys["repeatable"],
        "invalidates": TOOL.keys["invalidates"],
        "settle_by": TOOL.keys["settle_by"],
        "undo": TOOL.keys["undo"],
    },
    elsewhere=_NOT_OF_MCP,
    later=TOOL.later,
)
MCP_PROMPT: Final = Form(
    {"name": _THEIRS, **_SHARED},
    elsewhere=_NOT_READ,
    later=TOOL.later,
    may_be_empty=True,
)
MCP_RESOURCE: Final = Form(
    {
        "uri": Key(Text(), "Its URI, exactly as the server lists it."),
        "template": Key(Text(), "A URI template (RFC 6570, levels 1 to 3), exactly as the server lists it."),
        **_SHARED,
    },
    one_of=("uri", "template"),
    elsewhere={**_NOT_READ, "name": "say uri or template"},
    later=TOOL.later,
)
MCP_BACKEND: Final = Form(
    {
        **{name: key for name, key in BACKEND.keys.items() if name not in ("tools", "probe")},
        "url": Key(
            Text(),
            "The server's endpoint: http(s)://host[:port][/path]; or `stdio:` where `toolwall mcp` starts it.",
            required=True,
        ),
        "mcp": Key(
            Text(r"^[^\x00-\x1f]{1,250}\.json$", "a file in the rules folder whose name ends in .json"),
            "The backend is an MCP server; this file holds what was accepted of what it says that it is and has.",
            required=True,
        ),
        "revisions": Key(
            Many(Choice(REVISIONS)),
            "The revisions of the protocol that may be spoken with it; all, if nothing is said.",
        ),
        "tools": Key(Table(MCP_TOOL, NAME, NAME_LIKE), "The server's tools, by name; BACKEND.NAME in rules."),
        "prompts": Key(
            Table(MCP_PROMPT, NAME, NAME_LIKE), "The server's prompts, by name; BACKEND.prompts/NAME in rules."
        ),
        "resources": Key(
            Table(MCP_RESOURCE, NAME, NAME_LIKE), "The server's resources, by name; BACKEND.resources/NAME in rules."
        ),
    },
    elsewhere={"probe": "its url is an endpoint, below which there is nothing to ask for"},
    later=BACKEND.later,
)
