"""Reply headers: an allowlist, and the rewriting of those that name places."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urljoin, urlsplit

from rules.tools import Url

Headers = list[tuple[str, str]]

# What an agent may need of a reply. Everything else ends here: it can carry data that nobody scans for meaning.
PASSED = frozenset(
    {"accept-ranges", "allow", "content-disposition", "content-encoding", "content-language", "content-range",
     "content-type", "deprecation", "etag", "last-modified", "location", "ratelimit", "ratelimit-limit",
     "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset", "retry-after", "set-cookie", "sunset", "vary",
     "warning", "www-authenticate", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
     "x-request-id", "x-total-count"}
)  # fmt: skip
_SINGLE = frozenset({"content-type", "content-encoding", "content-length", "location", "transfer-encoding"})
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
    for parameter in parameters.split(";"):
        name, _, setting = parameter.strip().partition("=")
        if name.lower() == "charset":
            return media_type.strip().lower(), setting.strip('"').lower()
    return media_type.strip().lower(), None


def located(headers: Headers, url: Url, base: str, target: str) -> tuple[Headers, int]:
    """Headers with `Location` and cookies as the agent must see them, and how many Locations were removed.

    `base` is the path under which the agent sees the backend, `target` the path and query that was asked for.
    """
    rewritten: Headers = []
    removed = 0
    for name, value in headers:
        if name == "location":
            inside = _inside(value, url, target)
            if inside is None:
                removed += 1
                continue
            value = base + inside
        elif name == "set-cookie":
            value = _cookie(value, url, base)
        rewritten.append((name, value))
    return rewritten, removed


def _inside(location: str, url: Url, target: str) -> str | None:
    """The path below the backend's url that a Location means, or None where it leads elsewhere."""
    if "\\" in location:
        return None
    try:
        parts = urlsplit(urljoin(f"{url}{target}", location))
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
