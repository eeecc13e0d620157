"""Reply headers: an allowlist, and the rewriting of those that name places."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from rules.urls import Url

Headers = list[tuple[str, str]]
PARTIAL = 206

# What an agent may need of a reply. Everything else ends here: it can carry data that nobody scans for meaning.
PASSED = frozenset(
    {"accept-ranges", "allow", "content-disposition", "content-encoding", "content-language", "content-range",
     "content-type", "deprecation", "etag", "last-modified", "link", "location", "next-page", "ratelimit",
     "ratelimit-limit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset", "retry-after", "set-cookie",
     "sunset", "vary", "warning", "www-authenticate", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
     "x-request-id", "x-total-count"}
)  # fmt: skip
_PLACES = frozenset({"location", "next-page", "link"})
_MOVED = _PLACES | {"set-cookie"}
_SINGLE = frozenset(
    {"content-type", "content-encoding", "content-length", "location", "next-page", "transfer-encoding"}
)
# One link of a Link header (RFC 8288, 3) with its parameters.
_LINK = re.compile(
    r"""[ \t]*<([^<>"\s]*)>((?:[ \t]*;[ \t]*[!#$&+.^_`|~0-9A-Za-z-]+(?:=(?:[^\s;,"<>]*|"[^"\\<>]*"))?)*)[ \t]*(?:,|$)"""
)
_ANCHOR = re.compile(r";\s*anchor\b", re.IGNORECASE)
_DOT = re.compile("%2e", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class BadHeaders(Exception):
    """Headers that no honest server sends: a control character, or two of what means one thing."""


def kept(headers: Headers) -> Headers:
    """The headers that may pass, checked, names in lower case. Raises BadHeaders."""
    if _CONTROL.search("".join([part for header in headers for part in header])):
        raise BadHeaders("a header of the reply holds a control character")
    seen: set[str] = set()
    passed: Headers = []
    for raw, value in headers:
        name = raw.lower()
        if name in seen and name in _SINGLE:
            raise BadHeaders(f"the reply has two `{name}` headers")
        seen.add(name)
        if name in PASSED:
            passed.append((name, value))
        elif name == "transfer-encoding" and value.lower() != "chunked":
            raise BadHeaders("the reply has a transfer coding that cannot be undone")
    return passed


def value(headers: Headers, name: str) -> str:
    """The value of a header whose name is given in lower case, several joined by commas (RFC 9110, 5.3); or empty."""
    return ", ".join([said for each, said in headers if each.lower() == name])


def content_type(headers: Headers) -> tuple[str, str | None]:
    """Media type and charset of the body, in lower case."""
    return _parsed_type(value(headers, "content-type"))


@lru_cache(256)
def _parsed_type(header: str) -> tuple[str, str | None]:
    media_type, _, parameters = header.partition(";")
    pairs = [parameter.partition("=")[::2] for parameter in parameters.split(";")]
    # Readers differ about spaces around `=`, quotes of the other kind, and which of two counts. Of two that differ
    # both are said, which together are no charset that is known, so nobody reads the body.
    said = {value.strip(" \t'\"").lower(): None for name, value in pairs if name.strip().lower() == "charset"}
    return media_type.strip().lower(), ",".join(said) if said else None


def is_cut(status: int, headers: Headers) -> bool:
    """Whether the body is a range of bytes (RFC 9110, 14), at whose ends a value may be cut in two. Ranges in units of
    an API's own, such as items, are whole.
    """
    if status != PARTIAL:
        return False
    return value(headers, "content-range").partition(" ")[0].lower() in ("", "bytes")


class Seat(NamedTuple):
    """Where a backend is, and where the agent sees it: at `origin` (such as http://127.0.0.1:8080) below the path
    `base`. `target` is the path and query that was asked for.
    """

    url: Url
    base: str
    target: str
    origin: str = ""


def located(headers: Headers, seat: Seat) -> tuple[Headers, int]:
    """Headers that name places, and cookies, as the agent must see them, and how many places were removed."""
    if _MOVED.isdisjoint([name for name, _ in headers]):
        return headers, 0
    rewritten: Headers = []
    removed = 0
    for name, value in headers:
        if name == "location":
            inside = _inside(value, seat)
            value = "" if inside is None else seat.base + inside
        elif name == "next-page":
            value = _page(value, seat)
        elif name == "link":
            value, cut = _links(value, seat)
            removed += cut and bool(value)
        elif name == "set-cookie":
            value = _cookie(value, seat.url, seat.base)
        if value or name not in _PLACES:
            rewritten.append((name, value))
        else:
            removed += 1
    return rewritten, removed


def _page(place: str, seat: Seat) -> str:
    """A place inside of the backend at the door, or empty. It stays absolute where it was: clients that turn pages
    often take it as it stands, without resolving it.
    """
    inside = _inside(place, seat)
    if inside is None:
        return ""
    return (seat.origin if "://" in place else "") + seat.base + inside


def _links(value: str, seat: Seat) -> tuple[str, bool]:
    """A Link header with those links that stay inside, and whether others were cut. Empty where it cannot be read."""
    kept, at, cut = [], 0, False
    while at < len(value):
        link = _LINK.match(value, at)
        if link is None:
            return "", True
        place, parameters = link.groups()
        if not _ANCHOR.search(parameters) and (page := _page(place, seat)):
            kept.append(f"<{page}>{parameters}")
        else:
            cut = True
        at = link.end()
    return ", ".join(kept), cut


def _inside(location: str, seat: Seat) -> str | None:
    """The path below the backend's url that a Location means, or None where it leads elsewhere."""
    url = seat.url
    if "\\" in location:
        return None
    try:
        parts = urlsplit(urljoin(f"{url}{seat.target}", location))
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    if (parts.scheme, parts.hostname, port) != (url.scheme, url.host, url.port) or "@" in parts.netloc:
        return None
    if parts.path != url.path and not parts.path.startswith(url.path + "/"):
        return None
    path = parts.path[len(url.path) :] or "/"
    if path.startswith("//"):  # alone in a Location, this would name another host
        return None
    if any(segment in (".", "..") for segment in _DOT.sub(".", path).split("/")):  # it would lead out of the base
        return None
    return path + (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")


def _cookie(value: str, url: Url, base: str) -> str:
    """A Set-Cookie whose Domain is gone and whose Path is the door's."""
    pair, *attributes = [part.strip() for part in value.split(";")]
    path = f"{base}/"
    others = []
    for attribute in attributes:
        name, _, setting = attribute.partition("=")
        if name.lower() == "path" and setting.startswith(url.path + "/"):
            path = base + setting[len(url.path) :]
        elif name.lower() not in ("domain", "path"):
            others.append(attribute)
    return "; ".join([pair, f"Path={path}", *others])
