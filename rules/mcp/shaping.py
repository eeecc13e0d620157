"""The results of an MCP server's tool in the shape that its contract says: the data, and the texts that a model reads.

A result holds several documents: `structuredContent`, and each text. What is left out of them is kept as one text, in
which they stand one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from redaction import walk
from redaction.fields import Fields, Nothing, members
from redaction.scanner import Unreadable
from redaction.shaping import Bounds, Links, Part, Short, Unfit, fitting, shortened
from redaction.shaping import said as in_words
from rules.shaping import Answer, Shaped, Shaping, Unshapable, can_be_cut, told, too_long

MARK: Final = "toolwall/shaped"
"""The member of `_meta` that says what was left out."""

_KEPT: Final = frozenset({"content", "structuredContent", "isError", "resultType", "_meta"})
"""What a result has in the protocol: anything else of it is no field that somebody could have picked."""

_PROTOCOL: Final = "io.modelcontextprotocol/"
_OWN_CODES: Final = range(-32099, -31999)
"""Errors of MCP itself: clients act on what is in them."""

_NOTHING: Final = "it holds no JSON with anything of what this tool's answers are limited to"
_NO_RESULT: Final = ("input_required", "task")


class _Doc(NamedTuple):
    """One document, as JSON. `is_plain`: it is a text that stands in there as a string. `block` is where it stands in
    `content`, None for the data; `is_copy` says that it is the data once more."""

    text: str
    is_plain: bool = False
    block: int | None = None
    is_copy: bool = False


def shaped(shaping: Shaping, answer: Answer, links: Links) -> Shaped:
    """A message without its envelope, `{"result": ...}` or `{"error": ...}`, in its shape. Raises Unshapable, and
    Unreadable where it is no such message."""
    try:
        text = answer.body.decode()
        walk.check(text)
        message = members(text)
        is_result = "result" in message
        said = members(message["result" if is_result else "error"])
    except (KeyError, ValueError, walk.BadJson):
        raise Unreadable("the answer is no message of JSON-RPC") from None
    return _result(shaping, answer, said, links) if is_result else _error(shaping, answer.body, said, links)


def _result(shaping: Shaping, answer: Answer, result: Mapping[str, str], links: Links) -> Shaped:
    is_none = json.loads(result.get("resultType", '""')) in _NO_RESULT or "task" in result
    if is_none and not {"content", "structuredContent"} & result.keys():
        return Shaped(answer.body, {})
    return _Result(shaping, result).given(answer.body, links)


def _error(shaping: Shaping, body: bytes, error: Mapping[str, str], links: Links) -> Shaped:
    """Its words are for the model, its data may hold what is dropped."""
    if json.loads(error.get("code", "0")) in _OWN_CODES:
        return Shaped(body, {})
    words, gone = {name: error[name] for name in ("message", "data") if name in error}, 0
    if "data" in words:
        try:
            words["data"], gone = shaping.error_fields.applied(words["data"])
        except Nothing:
            words["data"], gone = "null", 1
    left = _written(words)
    try:
        short = shortened(left, shaping.bounds, links)
    except Unfit:
        raise Unshapable(too_long(shaping)) from None
    if not (counts := _counts(gone, short.items, short.texts)):
        return Shaped(body, {})
    made = _written({"error": _written({**error, **members(short.text)})})
    return Shaped(_encoded(made), counts, left, True, short.parts)


class _Result:
    """A result, of which fields were picked: what goes because of its name or kind is gone."""

    def __init__(self, shaping: Shaping, result: Mapping[str, str]) -> None:
        """Raises Unshapable, Unreadable."""
        self._shaping, self._result = shaping, result
        is_error = result.get("isError", "false") == "true"
        self._picks = shaping.picks and not is_error
        self._fields = shaping.error_fields if is_error else shaping.fields
        self._gone = 0
        self._blocks: list[Any] = []
        self._docs: list[_Doc] = []
        self._structured = result.get("structuredContent")
        same = _same(self._structured) if self._structured is not None else None
        if self._structured is not None:
            try:
                self._docs.append(_Doc(self._picked(self._fields, self._structured)))
            except Nothing:
                raise Unshapable(_NOTHING) from None
        content = json.loads(result.get("content", "[]"))
        if not isinstance(content, list):
            raise Unreadable("its content is no list")
        self._is_empty = not content
        for block in content:
            self._take(block, same)
        self._others = self._picked_others()

    def _picked(self, fields: Fields, text: str) -> str:
        """Raises Nothing where nothing of it stays."""
        left, gone = fields.applied(text)
        self._gone += gone
        return left

    def _take(self, block: Any, same: str | None) -> None:
        """One part of `content`. Where fields are picked only what is JSON can stay."""
        holder = _holder(block)
        if holder is None:
            if self._picks:
                self._gone += 1
            else:
                self._blocks.append(block)
            return
        text, number = holder["text"], len(self._blocks)
        if not walk.is_document(text):
            if self._picks:
                self._gone += 1
                return
            doc = _Doc(_string(text), True, number)
        elif same is not None and _same(text) == same:
            doc = _Doc("", False, number, True)
        else:
            try:
                doc = _Doc(self._picked(self._fields, text), False, number)
            except Nothing:
                self._gone += 1
                return
        self._docs.append(doc)
        self._blocks.append(_bare(block) if self._picks else block)

    def _picked_others(self) -> dict[str, str]:
        """What stands beside content and data."""
        others = {name: text for name, text in self._result.items() if name not in ("content", "structuredContent")}
        if not self._picks:
            return others
        kept = {name: text for name, text in others.items() if name in _KEPT}
        self._gone += len(others) - len(kept)
        if "_meta" in kept:
            meta = _object(kept["_meta"])
            own = {name: text for name, text in meta.items() if name.startswith(_PROTOCOL)}
            self._gone += len(meta) - len(own)
            kept["_meta"] = _written(own)
        return kept

    def given(self, body: bytes, links: Links) -> Shaped:
        """Raises Unshapable."""
        if self._picks and not self._docs and not self._is_empty:
            raise Unshapable(_NOTHING)
        bounds = self._shaping.bounds
        if not bounds.fit:
            return self._made(body, bounds, links)
        try:
            return fitting(bounds, lambda each: self._fitting(body, each, links))
        except Unfit:
            raise Unshapable(too_long(self._shaping)) from None

    def _fitting(self, body: bytes, bounds: Bounds, links: Links) -> Shaped | None:
        made = self._made(body, bounds, links)
        return made if len(made.body) <= bounds.fit else None

    def _made(self, body: bytes, bounds: Bounds, links: Links) -> Shaped:
        writing = _Writing(self._shaping, bounds._replace(fit=0), links)
        data, blocks = None, [*self._blocks]
        for doc in self._docs:
            if doc.is_copy:
                assert data is not None
                text = data
            else:
                text = writing.short(doc, _holder(blocks[doc.block]) if doc.block is not None else None)
            if doc.block is None:
                data = text
            else:
                blocks[doc.block] = _with_text(blocks[doc.block], text)
        blocks, left = self._first(blocks, bounds.most, writing)
        if not (counts := _counts(self._gone, writing.items + left, writing.texts)):
            return Shaped(body, {})
        if self._picks and not blocks and data is not None:  # what most clients show a model is the text
            blocks = [{"type": "text", "text": data}]
        said = {"content": _json(blocks)} if "content" in self._result or blocks else {}
        said |= {"structuredContent": data} if data is not None else {}
        meta = {**_object(self._others.get("_meta", "")), MARK: _string(told(counts))}
        result = _written({**self._others, **said, "_meta": _written(meta)})
        return Shaped(_encoded(_written({"result": result})), counts, writing.whole, True, tuple(writing.parts))

    def _first(self, blocks: list[Any], most: int, writing: _Writing) -> tuple[list[Any], int]:
        """As many of `content` as a list may have, with a mark behind them; and how many are left out."""
        if not most or len(blocks) <= most:
            return blocks, 0
        docs = {doc.block: doc for doc in self._docs}
        data = self._docs[0].text if self._docs else ""
        pieces = [_listed(docs.get(number), data, block) for number, block in enumerate(self._blocks)]
        left = len(blocks) - most
        mark = in_words(left, "items", writing.list(f"[{', '.join(pieces)}]", most))
        return [*blocks[:most], {"type": "text", "text": mark}], left


class _Writing:
    """The documents as they are given, and what is left out of them: `whole`, and the `parts` of that."""

    def __init__(self, shaping: Shaping, bounds: Bounds, links: Links) -> None:
        self._shaping, self._bounds, self._links = shaping, bounds, links
        self.whole = ""
        self.parts: list[Part] = []
        self.items = self.texts = 0

    def short(self, doc: _Doc, holder: Mapping[str, Any] | None) -> str:
        """A document as it is given; a text that is none of JSON as it reads. Raises Unshapable."""
        short: Short = shortened(doc.text, self._bounds, self._here())
        if short.texts and doc.is_plain and holder and not can_be_cut(str(holder.get("mimeType", "text/plain"))):
            raise Unshapable(too_long(self._shaping))
        self.items += short.items
        self.texts += short.texts
        self._keep(doc.text, short.parts)
        return str(json.loads(short.text)) if doc.is_plain else short.text

    def list(self, text: str, shown: int) -> str:
        """The link to the rest of a list."""
        links = self._here()
        if not links.room:
            return ""
        link = links.to(0)
        self._keep(text, (Part(0, len(text), shown, True),))
        return link

    def _here(self) -> Links:
        return self._links._replace(base=len(self.whole), room=max(0, self._links.room - len(self.parts)))

    def _keep(self, text: str, parts: tuple[Part, ...]) -> None:
        if not parts:
            return
        base = len(self.whole)
        self.parts += [part._replace(start=base + part.start, end=base + part.end) for part in parts]
        self.whole += text + "\n"


def _holder(block: Any) -> dict[str, Any] | None:
    """What holds the text of a part of `content`; None where it has none."""
    if not isinstance(block, dict):
        return None
    holder = block.get("resource") if block.get("type") == "resource" else block
    return holder if isinstance(holder, dict) and isinstance(holder.get("text"), str) else None


def _with_text(block: dict[str, Any], text: str) -> dict[str, Any]:
    if block.get("type") == "resource":
        return {**block, "resource": {**block["resource"], "text": text}}
    return {**block, "text": text}


def _bare(block: dict[str, Any]) -> dict[str, Any]:
    """A part with what the protocol needs of it alone."""
    if block.get("type") == "resource":
        held = {name: block["resource"][name] for name in ("uri", "mimeType", "text") if name in block["resource"]}
        return {"type": "resource", "resource": held}
    return {"type": "text", "text": block["text"]}


def _listed(doc: _Doc | None, data: str, block: Any) -> str:
    """A part of `content` as an item of a list: of what is no text its kind alone."""
    if doc is None:
        kind = block.get("type") if isinstance(block, dict) else None
        return _json({"type": kind if isinstance(kind, str) else ""})
    return data if doc.is_copy else doc.text


def _same(text: str) -> str:
    """Equal for JSON that says the same."""
    return json.dumps(json.loads(text, parse_float=str), sort_keys=True)


def _counts(fields: int, items: int, texts: int) -> dict[str, int]:
    counts = {"fields": fields, "items": items, "texts": texts}
    return {what: number for what, number in counts.items() if number}


def _object(text: str) -> dict[str, str]:
    return members(text) if text[:1] == "{" else {}


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _written(said: Mapping[str, str]) -> str:
    """An object of members whose values are JSON."""
    return "{" + ",".join(f"{_string(name)}:{text}" for name, text in said.items()) + "}"
