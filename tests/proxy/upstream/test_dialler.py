"""The safe dialler: which addresses a backend's name may lead to, and that only those are dialled (S17)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import uvloop

from proxy.upstream.dialler import Dialler, Forbidden, is_private_name, may_dial
from rules.tools import Backend
from rules.urls import Url
from tests.wire import Backend as Directory
from tests.wire import answering, reply, wall

TOOLS = """
  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: integer}}}
  put: {says: Write one., call: "POST /things", args: {name: {type: string}}, effect: write}
"""


def backend(host: str, *addresses: str) -> Backend:
    return Backend("crm", Url("http", host, 80, ""), tuple(ip_network(one) for one in addresses))


PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1",
          "192.167.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808",
          "2002:808:808::1"]  # fmt: skip
PRIVATE = ["127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
           "192.168.0.1", "100.64.0.1", "100.127.255.255", "::1", "fc00::1", "fd12:3456::1", "::ffff:127.0.0.1",
           "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "2002:7f00:1::1", "2002:c0a8:1::1",
           "::10.0.0.1"]  # fmt: skip
NEVER = ["169.254.169.254", "169.254.0.1", "169.254.170.2", "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1",
         "239.255.255.250", "240.0.0.1", "192.0.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1",
         "203.0.113.1", "100.100.100.200", "::", "fe80::1", "fe80::a9fe:a9fe", "fec0::1", "ff02::1", "ff0e::1",
         "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "168.63.129.16", "::ffff:168.63.129.16",
         "2001:db8::1", "100::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
         "64:ff9b:1::a9fe:a9fe", "64:ff9b:1::808:808", "64:ff9b:1:a9fe:a9:fe00:808:808", "2002:a9fe:a9fe::1",
         "::169.254.169.254", "::ffff:0:127.0.0.1", "::ffff:0:0", "4000::1", "5f00::1",
         "2001:0:4136:e378:8000:63bf:5601:5601"]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_dialled_under_any_name(address: str) -> None:
    assert may_dial(backend("api.example.com"), ip_address(address))
    assert may_dial(backend("crm.internal"), ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_only_under_a_private_name(address: str) -> None:
    assert not may_dial(backend("api.example.com"), ip_address(address))
    assert may_dial(backend("crm.internal"), ip_address(address))
    assert may_dial(backend("crm"), ip_address(address))


@pytest.mark.parametrize("address", NEVER)
def test_what_may_never_be_dialled_by_a_mere_name(address: str) -> None:
    assert not may_dial(backend("api.example.com"), ip_address(address))
    assert not may_dial(backend("crm.internal"), ip_address(address))
    assert not may_dial(backend("localhost"), ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_networks_that_the_rules_name(address: str) -> None:
    named = backend("api.example.com", "10.0.0.0/8", "127.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12",
                    "100.64.0.0/10", "::1/128", "fc00::/7")  # fmt: skip
    assert may_dial(named, ip_address(address))
    assert not may_dial(named, ip_address("169.254.169.254"))


def test_a_metadata_service_only_where_the_rules_name_it() -> None:
    assert may_dial(backend("metadata.internal", "169.254.169.254/32"), ip_address("169.254.169.254"))
    assert not may_dial(backend("metadata.internal", "169.254.169.254/32"), ip_address("169.254.169.253"))
    assert may_dial(backend("m.internal", "100.100.100.200/32"), ip_address("100.100.100.200"))


@pytest.mark.parametrize("host", ["crm", "localhost", "a.internal", "a.b.svc", "x.test", "x.local", "a.home.arpa"])
def test_private_names(host: str) -> None:
    assert is_private_name(host)


@pytest.mark.parametrize(
    "host", ["example.com", "internal.example.com", "a.svc.example", "1.2.3.4", "::1", "local.x", "atest", "a.btest"]
)
def test_public_names(host: str) -> None:
    assert is_private_name(host) == ("." not in host and ":" not in host)


class Loop(uvloop.Loop):
    """An event loop whose resolver is scripted: each look-up of a name takes the next answer."""

    answers: dict[str, list[list[str]]]
    asked: list[str]

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        if host not in self.answers:
            return await super().getaddrinfo(host, port, **how)
        self.asked.append(host)
        script = self.answers[host]
        found = script.pop(0) if len(script) > 1 else script[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    def scripted() -> Loop:
        loop = Loop()
        loop.answers, loop.asked = {}, []
        return loop

    with asyncio.Runner(loop_factory=scripted) as found:
        yield found


def test_one_bad_address_among_good_ones_spoils_them_all(runner: asyncio.Runner) -> None:
    loop: Any = runner.get_loop()
    loop.answers = {"a.example": [["8.8.8.8", "127.0.0.1"]], "b.example": [["8.8.8.8", "1.1.1.1"]]}
    with pytest.raises(Forbidden):
        runner.run(Dialler(backend("a.example")).resolve("a.example", 80))
    found = runner.run(Dialler(backend("b.example")).resolve("b.example", 80))
    assert [(one["host"], one["hostname"], one["port"]) for one in found] == [
        ("8.8.8.8", "b.example", 80),
        ("1.1.1.1", "b.example", 80),
    ]


def test_a_name_with_very_many_addresses(runner: asyncio.Runner) -> None:
    loop: Any = runner.get_loop()
    loop.answers = {"a.example": [[f"8.8.{n // 256}.{n % 256}" for n in range(1_000)]]}
    assert len(runner.run(Dialler(backend("a.example")).resolve("a.example", 80))) == 16


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "169.254.169.254"])
def test_through_the_socket_a_public_name_leads_nowhere_private(
    runner: asyncio.Runner, tmp_path: Path, address: str
) -> None:
    loop: Any = runner.get_loop()
    loop.answers = {"api.example.com": [[address]]}

    async def play() -> None:
        async with wall(tmp_path, TOOLS, host="api.example.com") as w:
            for method, path, body in (("GET", "/crm/things/7", b""), ("POST", "/crm/things", b'{"name": "a"}')):
                told = await w.tell(method, path, body)
                assert told.reply.json["code"] == told.record["code"] == "upstream_unreachable"
                assert told.reply.json["executed"] == "no"
                (note,) = told.record["notes"]
                assert note.startswith("address not allowed: `addresses`")
                assert told.record["attempts"] == 1
                assert w.backend.seen == []
                assert address not in told.reply.body.decode()

    runner.run(play())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254"])
def test_a_service_that_tells_relations_is_not_asked_there_either(
    runner: asyncio.Runner, tmp_path: Path, address: str
) -> None:
    loop: Any = runner.get_loop()
    loop.answers = {"who.example.com": [[address]]}

    async def play() -> None:
        directory = Directory(answering(reply(b'{"related":true}')))
        server = await asyncio.start_server(directory.serve, "127.0.0.1", 0)
        policy = f"""
relations: {{owner: {{url: "http://who.example.com:{server.sockets[0].getsockname()[1]}"}}}}
rules: [{{id: own, allow: "crm.*", when: 'related("ann", "owner", "7")'}}]
"""
        async with wall(tmp_path, TOOLS, policy) as w:
            told = await w.tell("GET", "/crm/things/7")
            assert (told.reply.status, told.reached, directory.seen) == (403, [], [])
            assert loop.asked == ["who.example.com"]
            assert any("relation owner cannot be told: " in note for note in told.record["notes"])
            assert address not in told.reply.body.decode() + str(told.record["notes"])
        server.close()
        await server.wait_closed()

    runner.run(play())


def test_a_name_that_turns_private_later_is_caught(runner: asyncio.Runner) -> None:
    loop: Any = runner.get_loop()
    loop.answers = {"api.example.com": [["8.8.8.8"], ["127.0.0.1"]]}
    dialler = Dialler(backend("api.example.com"))
    assert runner.run(dialler.resolve("api.example.com", 80))[0]["host"] == "8.8.8.8"
    with pytest.raises(Forbidden):
        runner.run(dialler.resolve("api.example.com", 80))


def test_the_address_that_was_checked_is_dialled(runner: asyncio.Runner, tmp_path: Path) -> None:
    loop: Any = runner.get_loop()
    loop.answers = {"api.example.com": [["127.0.0.1"], ["127.0.0.2"]]}  # a second look-up would lead elsewhere

    async def play() -> None:
        async with wall(tmp_path, TOOLS, host="api.example.com", backend_keys="addresses: [127.0.0.1/32]") as w:
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.status == 200
            assert told.reached[0].split(b"\r\n")[1] == b"host: api.example.com:%d" % w.backend.port
            assert loop.asked == ["api.example.com"]

    runner.run(play())


def test_a_name_in_the_rules_that_is_an_address_is_itself(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, host="127.0.0.1") as w:
            assert (await w.tell("GET", "/crm/things/7")).reply.status == 200

    asyncio.run(play())
