"""The composition root: the one place that knows every part, and puts them together."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from aiohttp import http_parser, web

from proxy.admin import READY, Admits, admin_server, reading, switching
from proxy.admin_token import TokenError, token_hash
from proxy.budgets import BudgetError, Budgets
from proxy.config import ListenerSettings, Settings
from proxy.credentials.injecting import Injecting
from proxy.credentials.living import Living
from proxy.credentials.opening import configured, open_vault, tell_of
from proxy.effects.asking import ORDER as ASK
from proxy.effects.asking import Asking, AskingByOrder
from proxy.effects.deeds import Deeds
from proxy.effects.keepsakes import Keepsakes
from proxy.effects.resending import ORDER as RETRY
from proxy.effects.resending import Resending
from proxy.effects.settling import ORDER, Settler
from proxy.effects.undoing import Undoing
from proxy.effects.unwinding import ORDER as UNDO
from proxy.effects.unwinding import ByOrder, ByRequest
from proxy.entry import Entries
from proxy.firewall import Firewall
from proxy.guards.clean import Scanners
from proxy.guards.once import Once
from proxy.health import notes_of, show
from proxy.identity.callers import Callers, name_of
from proxy.identity.identity import Identify
from proxy.keeping import Keeping
from proxy.known import SecretsError, header_values
from proxy.ledger import Ledger, LedgerError
from proxy.ledger_settings import LedgerSettings
from proxy.listeners import CannotListen, Listeners
from proxy.listening_settings import AdminSettings
from proxy.mcp.made import Making
from proxy.mcp.own import Own
from proxy.mcp.servers import Servers
from proxy.orders import Does, Order, Orders, Works
from proxy.ownkey import own_key
from proxy.preparing import NotReady, prepare
from proxy.presidio.apart import Presidio
from proxy.presidio.settings import BadPlace, resolved
from proxy.protocols.head import Door
from proxy.pseudonyms import Keeper
from proxy.regimes import Ready, Regimes
from proxy.reload import Reloader
from proxy.replies.answers import Answers
from proxy.replies.fetching import Fetching
from proxy.replies.remainders import Remainders
from proxy.scanning import Scans
from proxy.signature import TooMany, signature
from proxy.state import (
    ARGUMENTS_HASH,
    CHECKPOINTS,
    LEDGER_HEAD,
    REWRITING,
    SURROGATES,
    TOKENS,
    StateError,
    StateKey,
    state_folder,
)
from proxy.stops.halting import LIST, Halting
from proxy.stops.revoked import RevokedError
from proxy.table import open_table
from proxy.telemetry import attributes as names
from proxy.telemetry.metrics import Family
from proxy.telemetry.telemetry import Telemetry, TelemetrySettings
from proxy.transports.http import HttpDoor, Places
from redaction.engine import ScanError
from redaction.known import Known
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from rules.decide import Ruleset
from rules.load import RulesError

_log = logging.getLogger("toolwall")
LAST_WORDS_S = 1.0
_CACHE = Family("toolwall.cache.calls", "What happened to answers that are kept.", "1", (names.RESULT,))


class CannotRun(Exception):
    """The sidecar cannot be started. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Running:
    """A sidecar that serves. `doors` and `admin` are the addresses (`host:port` or `unix:path`) that it listens on.
    `reloader` watches the rules, `regimes` has them in force, `halting` stops calls, `servers` are those of MCP.
    Without a listener there is no admin listener either.
    """

    firewall: Firewall
    telemetry: Telemetry
    reloader: Reloader
    regimes: Regimes
    halting: Halting
    servers: Servers
    doors: tuple[str, ...]
    admin: str


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Start everything, and stop it in order: listeners first, so that calls under way may end. Raises CannotRun."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise CannotRun("aiohttp runs without its C parser, which alone is strict enough: unset AIOHTTP_NO_EXTENSIONS")
    async with AsyncExitStack() as stack:
        seen = _signature(settings.rules)
        own = cache(partial(own_key, settings, make=True))  # no file is made for rules that cannot be used
        presidio = _presidio(settings)
        stack.callback(presidio.close)
        _loaded(presidio.kinds)
        opened = cache(partial(open_table, settings.state, own))
        keeper = Keeper(opened, lambda: own().derive(SURROGATES), settings.pseudonyms_s)
        stack.callback(keeper.close)
        deeds = Deeds(opened, settings.state / "ledger")
        stack.callback(deeds.close)
        keepsakes = Keepsakes(opened)
        known = Living(grace_s=settings.known_for_s)
        injecting = Injecting(known, vault=(vaults := open_vault(stack, settings, known)))
        stack.push_async_callback(injecting.close)
        prepared = partial(
            prepare, settings, lambda: own().derive(REWRITING), presidio, keeper, (deeds, keepsakes), injecting
        )
        first = _first(settings, prepared)
        _loaded(presidio.warm)
        key = _key(own)
        ledger, keeping = _ledger(settings, key)
        stack.callback(keeping.close)
        telemetry = _telemetry(settings.telemetry)
        stack.push_async_callback(asyncio.to_thread, telemetry.close)
        keeping.show(telemetry)
        scans = Scans(settings.scans)
        stack.callback(scans.close)
        known.always(_known(settings))
        remainders = Remainders(settings.rests)
        answers = Answers(settings.answers)
        _tell_of(answers, telemetry)
        budgets = _budgets(stack, settings, telemetry)
        once = Once(deeds)
        servers = Servers(key.derive(TOKENS))
        kept = remainders, answers, keeper, budgets, once, keepsakes, injecting, servers
        regimes = Regimes(first, scans, settings.upstream, known, *kept)
        stack.push_async_callback(regimes.close)
        show(lambda: regimes.healths, telemetry)
        tell_of(injecting, vaults, telemetry)
        firewall = Firewall(regimes.regime, _entries(settings.ledger, ledger, telemetry, key, known, scans))
        servers.firewall = firewall
        stack.push_async_callback(servers.close)
        firewall.runs.ended.append(injecting.run_ended)
        halting = _halting(settings, firewall, keeping, telemetry)
        telemetry.rules(first.rules.revision, first.rules.catalog.tools)
        del first  # or it would live as long as the sidecar
        anew = partial(prepared, lambda: regimes.scanners)
        tell = partial(_tell, telemetry, ledger)
        reloader = Reloader(settings.rules, seen, anew, regimes, firewall, tell)
        telemetry.gauge(
            "toolwall.rules.stale", "1 while the rules folder cannot be used.", lambda: float(bool(reloader.trouble))
        )
        making = Making(firewall, servers)
        undoing = Undoing(making, keepsakes, deeds, ledger, settings.state / "ledger")
        places = Places(Fetching(regimes.pieces), ByRequest(undoing), servers, Own(servers, regimes.pieces))
        stack.push_async_callback(keepsakes.settled)
        stack.push_async_callback(places.undo.close)
        callers, doors, listeners = Callers(settings), list[str](), Listeners(stack)
        for listener in settings.listeners:
            doors.append(await _listen(listeners, settings, firewall, places, listener, callers.of(listener)))
        admin = ""
        if doors:
            admin = await _admin(
                listeners, settings.admin, telemetry, ledger, reloader, regimes, keeping, callers, injecting, halting
            )
        listeners.show(telemetry)
        stack.callback(reloader.close)
        settler = Settler(ledger, deeds, once, budgets, keepsakes)
        asking = Asking(making, settler)
        once.asks = asking.for_repeat
        does: Does = {"cache clear": partial(_clear, answers), ORDER: settler}
        works = {**_works(making, keepsakes, settler, asking, undoing, callers), LIST: halting.listed}
        orders = Orders(settings.state, does, keeping.ordered, works)
        deeds.follow(lambda: once.whole_to(ledger.last))
        stack.push_async_callback(deeds.finish)
        tasks = reloader.watch(), orders.watch(), keeper.watch(), deeds.watch(), injecting.watch(), halting.watch()
        for task in (*tasks, listeners.watch(), *callers.watches()):
            stack.push_async_callback(_ended, asyncio.create_task(task))
        stack.callback(_stop_in_time, regimes, settings.drain_s)
        yield Running(firewall, telemetry, reloader, regimes, halting, servers, tuple(doors), admin)


def _entries(
    settings: LedgerSettings, ledger: Ledger, telemetry: Telemetry, key: StateKey, known: Known, scans: Scans
) -> Entries:
    scanner, showing = Scanner(kinds_of("standard")), scans if settings.arguments == "redacted" else None
    return Entries(ledger, telemetry, key.derive(ARGUMENTS_HASH), scanner, showing, known, settings.on_error == "pass")


def _works(
    making: Making, keepsakes: Keepsakes, settler: Settler, asking: Asking, undoing: Undoing, callers: Callers
) -> Works:
    """The orders that make calls, by name."""
    return {
        UNDO: ByOrder(undoing, callers),
        RETRY: Resending(making, keepsakes, settler, callers),
        ASK: AskingByOrder(asking, making.firewall, settler, keepsakes, callers),
    }


def _halting(settings: Settings, firewall: Firewall, keeping: Keeping, telemetry: Telemetry) -> Halting:
    try:
        return Halting(settings.state, settings.stop, firewall, keeping.ordered, telemetry)
    except RevokedError as error:
        raise CannotRun(str(error)) from None


def _budgets(stack: AsyncExitStack, settings: Settings, telemetry: Telemetry) -> Budgets:
    try:
        budgets = stack.enter_context(closing(Budgets.open(state_folder(settings.state))))
    except BudgetError as error:
        raise CannotRun(f"{error}. Mend it, or remove the file: then nothing counts as spent.") from None
    telemetry.gauges("toolwall.budget.used", "Per cent of a budget at its last call.", names.BUDGET, budgets.shares)
    return budgets


def _tell_of(answers: Answers, telemetry: Telemetry) -> None:
    telemetry.counter(_CACHE, lambda: answers.counts)
    telemetry.gauge("toolwall.cache.answers", "Answers that are kept.", lambda: len(answers))
    telemetry.gauge("toolwall.cache.bytes", "Bytes of the answers that are kept.", lambda: answers.size)


def _clear(answers: Answers, order: Order) -> str:
    """Forget the answers of the tools that an order names; of all, where it names none."""
    tools = order["tools"]
    if not isinstance(tools, list) or not all(isinstance(tool, str) for tool in tools):
        raise ValueError
    answers.invalidate(tools) if tools else answers.clear()
    return f"the answers of {', '.join(tools)}" if tools else "all answers"


def _stop_in_time(regimes: Regimes, drain_s: float) -> None:
    """Shortly before calls under way are broken off, those that wait for a backend end by an answer that says so: so
    streams end by an event, and each Record says what happened."""
    asyncio.get_running_loop().call_later(max(drain_s - LAST_WORDS_S, drain_s / 2), regimes.stop)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _signature(folder: Path) -> bytes:
    """The look of the rules folder, empty where it cannot be watched: the watch itself says so."""
    try:
        return signature(folder)
    except TooMany:
        return b""


def _first(settings: Settings, prepared: Callable[[Callable[[], Scanners]], Ready]) -> Ready:
    try:
        first = prepared(dict)
    except NotReady as error:
        raise CannotRun(str(error.__cause__)) from None
    except RulesError as error:
        raise CannotRun(f"The rules cannot be used:\n{error}") from None
    if not first.rules.rules:
        _log.warning("there are no rules in %s, so every call is refused", settings.rules)
    return first


def _tell(telemetry: Telemetry, ledger: Ledger, rules: Ruleset | None, words: tuple[str, ...]) -> None:
    """What became of a reload, for the metrics and the ledger."""
    telemetry.reloaded(done=rules is not None)
    if rules is None:
        return
    telemetry.rules(rules.revision, rules.catalog.tools)
    try:
        ledger.append({"kind": "rules", "revision": rules.revision, "changes": list(words)})
    except LedgerError as error:
        _log.error("the new revision of the rules could not be recorded: %s", error)


def _key(own: Callable[[], StateKey]) -> StateKey:
    try:
        return own()
    except StateError as error:
        raise CannotRun(str(error)) from None


def _ledger(settings: Settings, key: StateKey) -> tuple[Ledger, Keeping]:
    try:
        folder = state_folder(settings.state) / "ledger"
        keeping = Keeping(folder, key.derive(CHECKPOINTS), settings.ledger, os.environ)
        ledger = Ledger.open(folder, key.derive(LEDGER_HEAD), safe=keeping.reached)
        keeping.begin(ledger)
        return ledger, keeping
    except (StateError, LedgerError, SecretsError) as error:
        raise CannotRun(str(error)) from None


def _known(settings: Settings) -> Known:
    try:
        return configured(settings)
    except SecretsError as error:
        raise CannotRun(str(error)) from None


def _presidio(settings: Settings) -> Presidio:
    try:
        return Presidio(resolved(settings.presidio, settings.rules, os.environ))
    except BadPlace as error:
        raise CannotRun(str(error)) from None


def _loaded(step: Callable[[], object]) -> None:
    try:
        step()
    except ScanError as error:
        raise CannotRun(f"{error}: {error.__cause__ or 'it did not load in time'}") from None


def _telemetry(settings: TelemetrySettings) -> Telemetry:
    try:
        headers = header_values(settings.headers, os.environ, "the collector's")
        return Telemetry.open(replace(settings, headers=headers))
    except SecretsError as error:
        raise CannotRun(str(error)) from None
    except ValueError as error:
        raise CannotRun(f"Telemetry cannot start: {error}") from None


async def _listen(
    listeners: Listeners,
    settings: Settings,
    firewall: Firewall,
    places: Places,
    listener: ListenerSettings,
    identify: Identify,
) -> str:
    door = Door(
        name=name_of(listener),
        names=listener.names,
        hosts=listener.hosts,
        origins=listener.origins,
        most_body=settings.most_body,
        most_depth=settings.most_depth,
        bearer=bool(listener.identity.jwt),
        scheme="https" if listener.tls else "http",
        joined=listener.joined,
        external=listener.external,
    )
    server = HttpDoor(firewall, door, identify, settings.http, places)
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=settings.drain_s)
    return await _open(listeners.open("listener", runner, listener.place, listener.tls))


async def _open(opening: Awaitable[str]) -> str:
    try:
        return await opening
    except CannotListen as error:
        raise CannotRun(str(error)) from None


async def _admin(
    listeners: Listeners,
    settings: AdminSettings,
    telemetry: Telemetry,
    ledger: Ledger,
    reloader: Reloader,
    regimes: Regimes,
    keeping: Keeping,
    callers: Callers,
    injecting: Injecting,
    halting: Halting,
) -> str:
    def checks() -> dict[str, str]:
        return {"rules": READY, "ledger": ledger.trouble or READY}

    def notes() -> dict[str, str]:
        troubles = {"rules": reloader.trouble, "checkpoints": keeping.trouble, "credentials": injecting.trouble}
        noted = {name: said for name, said in troubles.items() if said}
        return {**noted, **notes_of(regimes.healths), **callers.notes(), **halting.notes(), **listeners.notes()}

    try:
        admits = Admits(settings.names | settings.place.names, token_hash(settings.token, os.environ))
    except TokenError as error:
        raise CannotRun(str(error)) from None
    runner = admin_server({**reading(telemetry, checks, notes), **switching(halting)}, admits)
    return await _open(listeners.open("admin listener", runner, settings.place, settings.tls))
