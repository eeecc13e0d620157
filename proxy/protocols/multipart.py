"""multipart/form-data (RFC 7578, RFC 2046 5.1): read by one strict grammar, written anew in one canonical form.

Servers read loose forms differently: bare line feeds, text before the first boundary, folded or repeated headers,
escapes in names, `filename*`. All that is refused, and what goes on is made anew from what was read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote

from proxy.errors import Refusal

MOST_PARTS = 1_000
"""Of one body, as Django and Starlette count them."""

MOST_PART_HEAD = 4 * 1024
"""Bytes of one part's headers, as python-multipart and Werkzeug have it; browsers send some 200."""

_BOUNDARY = re.compile(r"""boundary=(?:"([0-9A-Za-z'()+_,\-./:=?]{1,70})"|([0-9A-Za-z'+_\-.]{1,70}))""", re.IGNORECASE)
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"[^"\\\x00-\x1f\x7f]*"'
_LINE = re.compile(rf"({_WORD}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_DISPOSITION = re.compile(rf"form-data((?:[ ]*;[ ]*(?:name|filename)=(?:{_QUOTED}|{_WORD}))+)", re.IGNORECASE)
_PARAMETER = re.compile(rf";[ ]*(name|filename)=({_QUOTED}|{_WORD})", re.IGNORECASE)
_TYPE = re.compile(rf"({_WORD}/{_WORD})((?:[ ]*;[ ]*{_WORD}=(?:{_QUOTED}|{_WORD}))*)")
_UTF8 = re.compile(r'[ ]*;[ ]*charset="?utf-?8"?', re.IGNORECASE)
_AS_IT_IS = ("7bit", "8bit", "binary")


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `filename` is None where there is none, `kind` the Content-Type as it was sent, or empty."""

    name: str
    filename: str | None
    kind: str
    data: bytes

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case."""
        return self.kind.partition(";")[0].strip().lower()

    @property
    def is_text(self) -> bool:
        """Whether it is a field and not a file: it has no filename, and no type that is not text."""
        return self.filename is None and self.media_type.partition("/")[0] in ("", "text")


def parse(body: bytes, parameters: str) -> list[Part]:
    """The parts of a body, in order. `parameters` are those of the Content-Type. Raises Refusal for anything loose."""
    found = _BOUNDARY.fullmatch(parameters.strip())
    if found is None:
        raise _bad("The Content-Type of a multipart body must have one parameter, `boundary`.")
    mark = b"--" + (found[1] or found[2]).encode()
    if body.count(mark) > MOST_PARTS + 1:
        raise Refusal("too_large", f"The body has more than {MOST_PARTS} parts.", suggestion="Send less at once.")
    before, *chunks = (b"\r\n" + body).split(b"\r\n" + mark)
    if before or len(chunks) < 2 or chunks.pop() not in (b"--", b"--\r\n"):
        raise _bad("The multipart body does not begin and end with its boundary.")
    return [_part(chunk) for chunk in chunks]


def _part(chunk: bytes) -> Part:
    head, gap, data = chunk.partition(b"\r\n\r\n")
    if not gap or not head.startswith(b"\r\n") or len(head) > MOST_PART_HEAD:
        raise _bad("A part of the multipart body has no head, or one that is too long.")
    headers = _headers(head[2:])
    if headers.get("content-transfer-encoding", "binary").lower() not in _AS_IT_IS:
        raise _bad("A part of the multipart body has a transfer encoding.")
    name, filename = _disposition(headers.get("content-disposition", ""))
    kind = headers.get("content-type", "")
    found = _TYPE.fullmatch(kind)
    if kind and (found is None or found[1].lower().startswith("multipart/")):
        raise _bad("A part of the multipart body has a Content-Type that is malformed or multipart itself.")
    part = Part(name, filename, kind, data)
    _refuse_two_readings(part)
    if found and part.is_text and found[2] and not _UTF8.fullmatch(found[2]):
        raise _bad("Text in a multipart body is UTF-8.")
    return part


def _refuse_two_readings(part: Part) -> None:
    """Without a filename a part is a field for most servers, whatever its type, and a file for some; so is one with an
    empty filename, which browsers send where no file was chosen. `_charset_` (RFC 7578, 4.6) changes how others read.
    """
    is_json = re.fullmatch(r"application/(?:[^/]+\+)?json", part.media_type)
    if part.filename is None and not part.is_text and not is_json:
        raise _bad("A part of the multipart body has a type that is no text, and no filename.")
    if part.filename == "" and part.data:
        raise _bad("A part of the multipart body is a file with an empty filename.")
    if part.name == "_charset_" and part.data.lower() not in (b"utf-8", b"utf8"):
        raise _bad("Text in a multipart body is UTF-8.")


def _headers(head: bytes) -> dict[str, str]:
    try:
        lines = [_LINE.fullmatch(line) for line in head.decode("utf-8").split("\r\n")]
    except UnicodeDecodeError:
        raise _bad("A head in the multipart body is not UTF-8.") from None
    if None in lines:
        raise _bad("A head in the multipart body is not well-formed.")
    headers = {line[1].lower(): line[2].strip(" \t") for line in lines if line}
    if len(headers) != len(lines):
        raise _bad("A header in the multipart body is given more than once.")
    return headers


def _disposition(value: str) -> tuple[str, str | None]:
    found = _DISPOSITION.fullmatch(value)
    given = [(name.lower(), text.strip('"')) for name, text in _PARAMETER.findall(found[1])] if found else []
    said = dict(given)
    if len(said) != len(given) or not said.get("name"):
        raise _bad("A part must have a Content-Disposition of form-data with one name and at most one filename.")
    filename = said.get("filename")
    if filename is not None and not _is_plain(filename):
        raise _bad("A filename in the multipart body is a path.")
    return said["name"], filename


def _is_plain(filename: str) -> bool:
    """Whether a filename stays a name also for a server that decodes it."""
    bare = unquote(filename)
    return bare not in (".", "..") and not any(mark in bare for mark in "/\\\0\r\n")


def made(parts: Sequence[Part]) -> tuple[bytes, str]:
    """The canonical body of some parts and its Content-Type: the same parts always give the same bytes."""
    heads = [_head(part) for part in parts]
    print_ = sha256()
    for head, part in zip(heads, parts, strict=True):
        print_.update(b"%d %d " % (len(head), len(part.data)) + head)
        print_.update(part.data)
    # Nobody can write a part that holds the boundary, which is a hash of that part.
    boundary = f"toolwall-{print_.hexdigest()[:48]}"
    mark = f"--{boundary}".encode()
    pieces = [
        piece
        for head, part in zip(heads, parts, strict=True)
        for piece in (mark, b"\r\n", head, b"\r\n", part.data, b"\r\n")
    ]
    return b"".join((*pieces, mark, b"--\r\n")), f"multipart/form-data; boundary={boundary}"


def _head(part: Part) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{part.name}"'
    if part.filename is not None:
        disposition += f'; filename="{part.filename}"'
    kind = f"Content-Type: {part.kind}\r\n" if part.kind else ""
    return f"{disposition}\r\n{kind}".encode()


def _bad(detail: str) -> Refusal:
    return Refusal("bad_request", detail, suggestion="Send multipart/form-data as RFC 7578 and browsers write it.")
