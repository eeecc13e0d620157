"""Health: what is known of each backend from one call to the next. It outlives the rules where the backend stayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

from proxy.breaker import Breaker
from proxy.places import Places
from proxy.retrying import Budget
from proxy.telemetry import attributes as names
from proxy.telemetry.telemetry import Telemetry
from rules.tools import Backend

LEFT_ALONE = "left alone, it was failing"


@dataclass(slots=True)
class Probed:
    """What probes of a backend found: how many failed in a row, and why the last did, in words without a value."""

    known: bool = False
    failed: int = 0
    why: str = ""


class Health:
    """Of one backend: whether it may be called, the places in front of it, the retries that it may still get, and what
    its probes found."""

    __slots__ = ("_seat", "breaker", "budget", "places", "probed")

    def __init__(self, backend: Backend) -> None:
        self._seat = _seat(backend)
        self.breaker = Breaker(backend.breaker) if backend.breaker else None
        self.places = Places(backend.bulkhead)
        self.budget = Budget(monotonic())
        self.probed = Probed()

    @property
    def open(self) -> float:
        """1 while the breaker lets nothing through, 0.5 while it tries, 0 otherwise."""
        return {"closed": 0.0, "half_open": 0.5, "open": 1.0}[self.breaker.state] if self.breaker else 0.0

    def fits(self, backend: Backend) -> bool:
        """Whether this is about that backend, on the same terms."""
        return self._seat == _seat(backend)


def healths(backends: Mapping[str, Backend], former: Mapping[str, Health]) -> dict[str, Health]:
    """The health of each backend by name; that of the rules before where the backend stayed what it was."""
    return {
        name: known if (known := former.get(name)) and known.fits(backend) else Health(backend)
        for name, backend in backends.items()
    }


def _seat(backend: Backend) -> tuple[object, ...]:
    return backend.name, backend.url, backend.addresses, backend.breaker, backend.bulkhead, backend.probe


def notes_of(known: Mapping[str, Health]) -> dict[str, str]:
    """What somebody should look at."""
    return {f"backend {name}": said for name, health in known.items() if (said := _note(health))}


def _note(health: Health) -> str:
    said = [LEFT_ALONE] if health.open else []
    return "; ".join(said + ([f"its probe failed: {health.probed.why}"] if health.probed.failed else []))


def show(known: Callable[[], Mapping[str, Health]], telemetry: Telemetry) -> None:
    """Let metrics tell how backends do."""

    def each(read: Callable[[Health], float]) -> Callable[[], dict[str, float]]:
        return lambda: {name: float(read(health)) for name, health in known().items()}

    opened = "1 while nothing is sent to a backend that was failing, 0.5 while it is tried anew."
    telemetry.gauges("toolwall.backend.open", opened, names.BACKEND, each(lambda health: health.open))

    def probed() -> dict[str, float]:
        return {name: float(not each.probed.failed) for name, each in known().items() if each.probed.known}

    telemetry.gauges("toolwall.backend.probed", "1 while the last probe of a backend was good.", names.BACKEND, probed)
    under_way = "Calls that hold a place of a backend."
    telemetry.gauges("toolwall.backend.requests", under_way, names.BACKEND, each(lambda health: health.places.taken))
    waiting = "Calls that wait for a place of a backend."
    telemetry.gauges("toolwall.backend.waiting", waiting, names.BACKEND, each(lambda health: health.places.waiting))
