"""The composition root: the one place that knows every part, and puts them together."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from aiohttp import http_parser, web

from proxy.admin import READY, start_admin
from proxy.config import ListenerSettings, Settings
from proxy.entry import Entries
from proxy.firewall import Firewall
from proxy.guards import Guards
from proxy.guards.clean import Clean, Scanners
from proxy.guards.replycontract import ReplyContract
from proxy.identity import Identify, api_key, static
from proxy.ledger import Ledger, LedgerError
from proxy.protocols.head import Door
from proxy.scanning import Scans
from proxy.state import ARGUMENTS_HASH, LEDGER_HEAD, StateError, load_key, state_folder
from proxy.telemetry import Telemetry, TelemetrySettings
from proxy.transports.http import HttpDoor
from proxy.upstream import Upstream
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from rules.decide import Ruleset
from rules.load import RulesError, load

_log = logging.getLogger("toolwall")
_BACKLOG = 1024


class CannotRun(Exception):
    """The sidecar cannot be started. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Running:
    """A sidecar that serves. `doors` and `admin` are the addresses (`host:port`) that it listens on."""

    firewall: Firewall
    telemetry: Telemetry
    doors: tuple[str, ...]
    admin: str


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Start everything, and stop it in order: listeners first, so that calls under way may end. Raises CannotRun."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise CannotRun("aiohttp runs without its C parser, which alone is strict enough: unset AIOHTTP_NO_EXTENSIONS")
    async with AsyncExitStack() as stack:
        rules = _rules(settings)
        scanners = scanners_of(rules)
        ledger, hash_key = _ledger(settings)
        stack.callback(_close_ledger, ledger)
        telemetry = _telemetry(settings.telemetry)
        stack.push_async_callback(asyncio.to_thread, telemetry.close)
        telemetry.rules(rules.revision, rules.catalog.tools)
        telemetry.gauge(
            "toolwall.ledger.healthy", "Whether the ledger can be written.", lambda: float(not ledger.trouble)
        )
        scans = Scans()
        stack.callback(scans.close)
        upstream = Upstream(rules.catalog.backends, settings.upstream)
        stack.push_async_callback(upstream.close)
        entries = Entries(ledger, telemetry, hash_key, Scanner(kinds_of("standard")), settings.arguments)
        guards = Guards(Clean(rules.catalog.backends, scanners, scans), ReplyContract(scans))
        firewall = Firewall(rules, entries, guards, upstream.send)
        doors = [await _listen(stack, settings, firewall, each) for each in settings.listeners]
        admin = await _admin(stack, settings, telemetry, ledger)
        yield Running(firewall, telemetry, tuple(doors), admin)


def scanners_of(rules: Ruleset) -> Scanners:
    """One scanner for each set of kinds that the contracts name."""
    return {kinds: Scanner(kinds) for kinds in {tool.reply.redact for tool in rules.catalog.tools.values()} if kinds}


def _rules(settings: Settings) -> Ruleset:
    try:
        rules = load(settings.rules)
    except RulesError as error:
        raise CannotRun(f"The rules cannot be used:\n{error}") from None
    if not rules.rules:
        _log.warning("there are no rules in %s, so every call is refused", settings.rules)
    unknown = {backend for each in settings.listeners for backend in each.hosts.values()} - set(rules.catalog.backends)
    if unknown:
        raise CannotRun(f"`hosts` names a backend that no rules file has: {', '.join(sorted(unknown))}")
    return rules


def _ledger(settings: Settings) -> tuple[Ledger, bytes]:
    try:
        folder = state_folder(settings.state)
        key = load_key(settings.state_key, folder, os.environ, make=True)
        return Ledger.open(folder / "ledger", key.derive(LEDGER_HEAD)), key.derive(ARGUMENTS_HASH)
    except (StateError, LedgerError) as error:
        raise CannotRun(str(error)) from None


def _telemetry(settings: TelemetrySettings) -> Telemetry:
    headers = {name: _secret(name, value) for name, value in settings.headers.items()}
    try:
        return Telemetry.open(replace(settings, headers=headers))
    except ValueError as error:
        raise CannotRun(f"Telemetry cannot start: {error}") from None


def _secret(header: str, value: str) -> str:
    """A header's value, which may stand in the environment instead."""
    if not value.startswith("env:"):
        return value
    name = value.removeprefix("env:")
    if name not in os.environ:
        raise CannotRun(f"The environment variable {name}, for the collector's header {header}, is not set.")
    return os.environ[name]


def _close_ledger(ledger: Ledger) -> None:
    try:
        ledger.close()
    except LedgerError as error:
        _log.error("the ledger could not be closed: %s", error)


async def _listen(stack: AsyncExitStack, settings: Settings, firewall: Firewall, listener: ListenerSettings) -> str:
    door = Door(
        name=f"{listener.host}:{listener.port}",
        names=listener.names,
        hosts=listener.hosts,
        origins=listener.origins,
        most_body=settings.most_body,
        most_depth=settings.most_depth,
    )
    server = HttpDoor(firewall, door, identify_of(listener), settings.http)
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=settings.drain_s)
    return await _serve(stack, runner, listener.host, listener.port)


def identify_of(listener: ListenerSettings) -> Identify:
    """How this listener knows its callers."""
    return static(listener.static) if listener.static else api_key(listener.keys)


async def _serve(stack: AsyncExitStack, runner: web.ServerRunner, host: str, port: int) -> str:
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
    except OSError as error:
        raise _cannot_listen("listener", host, port, error) from None
    return address(runner)


def _cannot_listen(which: str, host: str, port: int, error: OSError) -> CannotRun:
    taken = error.errno == errno.EADDRINUSE
    why = "another program has that port" if taken else error.strerror
    return CannotRun(f"The {which} cannot bind {host}:{port}: {why}. Choose another `bind`, or stop what is there.")


async def _admin(stack: AsyncExitStack, settings: Settings, telemetry: Telemetry, ledger: Ledger) -> str:
    host, port = settings.admin
    try:
        runner = await start_admin(
            host, port, telemetry, lambda: {"rules": READY, "ledger": ledger.trouble or READY}, settings.admin_names
        )
    except OSError as error:
        raise _cannot_listen("admin listener", host, port, error) from None
    stack.push_async_callback(runner.cleanup)
    return address(runner)


def address(runner: web.ServerRunner) -> str:
    """The `host:port` that a runner listens on."""
    host, port = runner.addresses[0][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
