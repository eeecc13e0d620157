"""Relating: before a call is judged, services are asked who is what to whom, where a condition wants to know.

What cannot be told in time is not known (law 3): a rule that grants by it grants nothing, one that restricts denies.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from time import monotonic
from typing import Final
from urllib.parse import urlencode

import orjson

from proxy.errors import Refusal
from proxy.pointers import at
from proxy.protocols import strictjson
from proxy.upstream.pool import Line, Pool, Shape, UpstreamBounds
from proxy.upstream.upstream import final_head
from rules.decide import Ruleset
from rules.facts import Facts
from rules.related import Question
from rules.relations import Service
from rules.tools import Backend

MOST_BYTES: Final = 64 * 1024
"""Of an answer, of which one member counts."""

MOST_DEPTH: Final = 16

MOST_CACHED: Final = 10_000
"""Answers of one service that are kept; what was asked for longest ago goes first."""

MOST_AT_ONCE: Final = 20
"""Connections to one service."""


class Relating:
    """The services of one revision of the rules. Lives in one event loop."""

    def __init__(self, services: Mapping[str, Service], bounds: UpstreamBounds) -> None:
        self._services = {name: _Asked(name, service, bounds) for name, service in services.items()}

    async def __call__(self, rules: Ruleset, facts: Facts, notes: list[str]) -> Facts:
        """The call with all answers that could be had; `notes` say which could not."""
        questions = rules.questions(facts)
        if not questions:
            return facts
        answers = await asyncio.gather(*(self._services[one.relation].ask(one) for one in questions))
        told = dict(zip(questions, answers, strict=True))
        for name, why in {one.relation: why for one, why in told.items() if isinstance(why, str)}.items():
            notes.append(f"relation {name} cannot be told: {why}")
        return facts._replace(relations={one: so for one, so in told.items() if isinstance(so, bool)})

    async def close(self) -> None:
        """Close every connection."""
        for service in self._services.values():
            await service.pool.close()


class _Asked:
    """One service, and what it answered lately."""

    def __init__(self, name: str, service: Service, bounds: UpstreamBounds) -> None:
        backend = Backend(f"relation {name}", service.url, service.addresses)
        self.pool = Pool(backend, replace(bounds, most_connections=MOST_AT_ONCE))
        self._service = service
        self._most_head = bounds.most_header_bytes
        self._kept: OrderedDict[Question, tuple[float, bool]] = OrderedDict()

    async def ask(self, question: Question) -> bool | str:
        """The answer, or why there is none, in words without a value. Never raises but where the caller leaves."""
        kept = self._kept.get(question)
        if kept and monotonic() < kept[0]:
            return kept[1]
        try:
            async with asyncio.timeout(self._service.timeout_s):
                answer = await self._fetch(question)
        except TimeoutError:
            return f"no answer within {self._service.timeout_s:g} s"
        except Exception as error:  # whatever it is, nobody knows; its text may hold values
            return type(error).__name__
        if isinstance(answer, bool):
            self._keep(question, answer)
        return answer

    def _keep(self, question: Question, answer: bool) -> None:
        self._kept[question] = monotonic() + self._service.cache_s, answer
        self._kept.move_to_end(question)
        if len(self._kept) > MOST_CACHED:
            self._kept.popitem(last=False)

    async def _fetch(self, question: Question) -> bool | str:
        line = await self.pool.take(self._service.timeout_s)
        whole = False
        try:
            line.expect(Shape(False, None, None), self._most_head)
            line.transport.write(_request(self._service, question))
            status, data = await _answer(line)
            whole = data is not None
        finally:
            (self.pool.give if whole else self.pool.drop)(line)
        if status != 200:
            return f"status {status}"
        return "its answer is too long" if data is None else _told(data, self._service.answer)


def _request(service: Service, question: Question) -> bytes:
    url, body = service.url, b""
    path = url.path or "/"
    if service.method == "GET":
        path += "?" + urlencode(question._asdict())
    else:
        body = orjson.dumps(question._asdict())
    head = f"{service.method} {path} HTTP/1.1\r\nhost: {url.authority}\r\naccept: application/json\r\n"
    more = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
    return f"{head}accept-encoding: identity\r\nuser-agent: toolwall\r\n{more}\r\n".encode() + body


async def _answer(line: Line) -> tuple[int, bytes | None]:
    """Status and body of an answer; no body where it is too long."""
    message, payload = await final_head(line.protocol)
    data = bytearray()
    async for piece in payload.iter_any():
        data += piece
        if len(data) > MOST_BYTES:
            return message.code, None
    return message.code, bytes(data)


def _told(data: bytes, pointer: str) -> bool | str:
    """What stands at a JSON pointer (RFC 6901), if it is true or false."""
    try:
        value = strictjson.parse(data, MOST_DEPTH)
    except Refusal:
        return "its answer is no JSON, or ambiguous"
    value = at(value, pointer)
    return value if isinstance(value, bool) else "its answer is neither true nor false"
