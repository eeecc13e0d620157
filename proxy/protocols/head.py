"""The head of an HTTP request: refuse what is ambiguous before anything is judged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from proxy.errors import Refusal

# Headers that mean one thing: a second one is an ambiguity, not a list.
_SINGLE = frozenset(
    {"host", "connection", "content-type", "content-length", "content-encoding", "authorization", "origin", "expect",
     "transfer-encoding", "cookie", "traceparent", "toolwall-key", "toolwall-run", "toolwall-reason",
     "toolwall-idempotency-key", "toolwall-delegation"}
)  # fmt: skip
_FOREIGN = frozenset({"cross-site", "same-site"})
_USUAL = frozenset({"keep-alive", "close"})
_METHOD = re.compile(r"[A-Z]{1,16}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Door:
    """What a request needs to know of the listener it came in by.

    `names` are the Host values (lower case, without port) that are accepted; `hosts` maps a Host to a backend;
    `origins` are the browser origins that may call. `bearer`: Authorization is a credential for this sidecar, and goes
    no further. `most_body` is in bytes, `most_depth` in JSON levels; `scheme` is `https` where it speaks TLS. `joined`
    are the MCP servers whose tools the sidecar's own server has there. `external` says by which URL clients see it,
    where that is another: origin and path, for a Host or under the empty name for all.
    """

    name: str
    names: frozenset[str]
    hosts: Mapping[str, str]
    origins: frozenset[str] = frozenset()
    most_body: int = 1 << 20
    most_depth: int = 64
    bearer: bool = False
    scheme: str = "http"
    joined: frozenset[str] = frozenset()
    external: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def seen(self, host: str) -> tuple[str, str]:
        """By which origin clients see it, and what stands before its paths there, for a request with this Host."""
        if self.external and (said := self.external.get(host_name(host)) or self.external.get("")):
            return said
        return f"{self.scheme}://{host}", ""

    def sought(self, host: str, path: str) -> tuple[str, str, str]:
        """The backend that a request means, the path under which agents see it, and the rest of the path."""
        before = self.seen(host)[1]
        backend = self.hosts.get(host_name(host)) if self.hosts else None
        if backend is not None:
            return backend, before, path
        backend, slash, rest = path[1:].partition("/")
        return backend, f"{before}/{backend}", slash + rest


def texts(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Headers as lower-case names with their values, in order. Raises Refusal for bytes that are no text."""
    try:
        headers = [(name.decode("latin-1").lower(), value.decode("utf-8")) for name, value in raw]
    except UnicodeDecodeError:
        raise bad("A header value is not UTF-8.") from None
    if _CONTROL.search("".join([value for _, value in headers])):
        raise bad("A header value holds a control character.")
    return headers


def single(headers: list[tuple[str, str]]) -> dict[str, str]:
    """The first value of each header. Raises Refusal where one that means one thing comes twice."""
    head: dict[str, str] = {}
    for name, value in headers:
        if name in head and name in _SINGLE:
            raise bad(f"The header `{name}` is given more than once.")
        head.setdefault(name, value)
    return head


def check_method(method: str) -> None:
    """Raise Refusal `bad_request` for a method that no door serves."""
    if not _METHOD.fullmatch(method) or method in ("CONNECT", "TRACE"):
        raise bad("This method is not served here.")


def check(door: Door, version: tuple[int, int], head: Mapping[str, str]) -> None:
    """Raise Refusal `bad_request` for a head that this door does not serve or that could be read in two ways."""
    if version not in ((1, 1), (1, 0)):
        raise bad("Only HTTP/1.1 is served here.")
    if "upgrade" in head:
        raise bad("A protocol upgrade is not served here.")
    _check_host(door, head)
    _check_page(door, head)
    _check_framing(version, head)


def _check_host(door: Door, head: Mapping[str, str]) -> None:
    if "host" not in head:
        raise bad("There is no Host header.", "Send one with the address that the door listens on.")
    if host_name(head["host"]) not in door.names:
        raise bad(
            "The Host header names a host that this door does not serve.",
            "Call the address that the door listens on; its operator adds further names under `names`.",
        )


def _check_page(door: Door, head: Mapping[str, str]) -> None:
    """A browser names the page from which a request comes, but for what a picture or a link of it asks for: of that it
    says only that it is another's (Fetch Metadata, `Sec-Fetch-Site`)."""
    origin = head.get("origin")
    foreign = head.get("sec-fetch-site") in _FOREIGN if origin is None else origin.lower() not in door.origins
    if foreign:
        raise bad("A browser page of a foreign origin may not call this door.")


def _check_framing(version: tuple[int, int], head: Mapping[str, str]) -> None:
    coding = head.get("transfer-encoding")
    if coding is not None and (coding.lower() != "chunked" or "content-length" in head or version != (1, 1)):
        raise bad("The length of the body is ambiguous.")
    if head.get("content-encoding", "identity").lower() != "identity":
        raise bad("A compressed request body is not accepted.", "Send the body without Content-Encoding.")
    if head.get("expect", "100-continue").lower() != "100-continue":
        raise bad("This expectation cannot be met.")


def host_name(host: str) -> str:
    """The Host header without its port, in lower case."""
    name, colon, port = host.rpartition(":")
    return name.lower() if colon and port.isdecimal() and port.isascii() else host.lower()


def end_to_end(headers: list[tuple[str, str]], head: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers without those that `Connection` names (RFC 9110, 7.6.1): they end here, and are not judged either.

    Raises Refusal where `Connection` would take away what says how the request is to be read.
    """
    if "connection" not in head:
        return headers
    options = {option.strip().lower() for option in head["connection"].split(",")}
    if options <= _USUAL:
        return headers
    if not options.isdisjoint(_SINGLE):
        raise bad("`Connection` names a header that is not of one connection only.")
    return [pair for pair in headers if pair[0] not in options]


def cookies(header: str) -> dict[str, str]:
    """Names and values of a Cookie header (RFC 6265, 4.2). Raises Refusal for a name that comes twice."""
    jar: dict[str, str] = {}
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name in jar:
            raise bad("A cookie is given more than once.")
        if name:
            jar[name] = value
    return jar


def bad(detail: str, suggestion: str = "Send a plain HTTP/1.1 request.") -> Refusal:
    """A `bad_request`."""
    return Refusal("bad_request", detail, suggestion=suggestion)
