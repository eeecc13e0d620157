"""Preparing: a rules folder becomes rules with all that is made for them, or an error that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from proxy.config import Settings
from proxy.credentials.injecting import Injecting
from proxy.guards.clean import Scanners
from proxy.ledger import LedgerError
from proxy.presidio.apart import Presidio
from proxy.pseudonyms import Keeper
from proxy.regimes import Ready, presidio_operators, scanners_of
from proxy.reload import vetted
from proxy.state import StateError
from proxy.store import StoreError
from redaction.profiles import UnknownKind, suggest
from rules.decide import Ruleset
from rules.load import LoadProblem, RulesError
from rules.tools import Backend


class Opens(Protocol):
    """What is opened when rules first need it."""

    def open(self) -> None:
        """Raises StoreError, LedgerError."""


class NotReady(RulesError):
    """The rules are in order, and what they need cannot be opened; the cause says why."""


def prepare(
    settings: Settings,
    key: Callable[[], bytes],
    presidio: Presidio,
    keeper: Keeper,
    remember: Sequence[Opens],
    injecting: Injecting,
    known: Callable[[], Scanners],
) -> Ready:
    """Read the rules, at the start and at each reload, in any thread. Raises RulesError.

    `key` gives what rewrites findings, `presidio` finds what our own patterns do not; `remember` are opened for tools
    with effects, `injecting` has the secrets that backends get. Without rules nothing is allowed, so nothing else can
    be wrong: taking all of them away always works.
    """
    rules = vetted(settings.rules, presidio.kinds(), presidio.detector if settings.presidio.adds else None)
    if rules.rules:
        _check_named(settings, rules.catalog.backends)
    _check_operators(rules, presidio)
    if unsent := list(injecting.check(rules.catalog.backends.values())):
        raise RulesError(unsent)
    try:
        ready = Ready(rules, scanners_of(rules, known(), key(), presidio.detector, presidio.operate))
        if any(each.gives_pseudonyms for each in ready.scanners.values()) or _restores(rules):
            keeper.open()
        if any(tool.effect != "read" for tool in rules.catalog.tools.values()):
            for each in remember:
                each.open()
        return ready
    except (UnknownKind, StoreError, StateError, LedgerError) as error:
        problem = LoadProblem(str(settings.rules), 1, 1, "", str(error))
        raise (RulesError if isinstance(error, UnknownKind) else NotReady)([problem]) from error


def _check_named(settings: Settings, backends: Mapping[str, Backend]) -> None:
    """Refuse rules without a backend that toolwall.yaml names."""
    hosted = {backend for each in settings.listeners for backend in each.hosts.values()}
    joined = {backend for each in settings.listeners for backend in each.joined}
    servers = {name for name, backend in backends.items() if backend.mcp}
    for unknown, what, key in ((hosted - set(backends), "backend", "hosts"), (joined - servers, "MCP server", "mcp")):
        if unknown:
            missing = f"has no {what} {', '.join(sorted(unknown))}"
            hint = f"`{key}` in toolwall.yaml names it"
            raise RulesError([LoadProblem(str(settings.rules), 1, 1, "", missing, hint)])


def _restores(rules: Ruleset) -> bool:
    return any(tool.restore for tool in rules.catalog.tools.values())


def _check_operators(rules: Ruleset, presidio: Presidio) -> None:
    """Refuse operators that nobody defined; let Presidio load where one is named."""
    named = presidio_operators(rules)
    if named:
        presidio.begin()
    missing = {name: tool for name, tool in named.items() if name not in presidio.operators}
    if missing:
        hint = "toolwall.yaml defines them, as `operators` under `presidio`"
        told = {name: f"there is no operator {name!r}{suggest(name, presidio.operators)}" for name in missing}
        raise RulesError(
            LoadProblem(one.file, one.line, 1, one.short, told[name], hint) for name, one in missing.items()
        )
