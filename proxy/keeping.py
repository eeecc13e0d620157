"""How the sidecar keeps its ledger while it serves: it is closed in order, signs checkpoints, and old segments go."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, time_ns
from types import MappingProxyType
from typing import TYPE_CHECKING

from proxy.known import SecretsError, header_values
from proxy.ledger import Ledger, LedgerError
from proxy.ledger.head import Head
from proxy.ledger_settings import LedgerSettings

if TYPE_CHECKING:
    from proxy.ledger.checkpoint import Signer
    from proxy.pushing import Pusher
    from proxy.telemetry.telemetry import Telemetry

_log = logging.getLogger("toolwall")

PRUNE_SECONDS = 3600.0
"""How often it is looked for old segments; a look reads some of them."""

STOP_SECONDS = 5.0
"""How long a stop waits for the last checkpoint."""


class Keeping:
    """Signs checkpoints and removes old segments in a thread of its own: a slow volume holds up no call.

    Nothing queues up: of the heads that were reached only the last one is signed. Raises SecretsError where the place
    that it is pushed to asks for a header that is not there, or cannot be.
    """

    def __init__(
        self, folder: Path, seed: bytes, settings: LedgerSettings, environ: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._failed = ""
        self._pusher = _pusher(settings, environ) if settings.url else None
        self._folder, self._seed, self._settings = folder, seed, settings
        self._reached = self._signed = Head()
        self._stop = threading.Event()
        self._prune_at = 0.0
        self._thread = threading.Thread(target=self._run, name="ledger-keeping", daemon=True)

    @property
    def trouble(self) -> str:
        """What failed last, and is not mended; empty where nothing is."""
        return "; ".join(each for each in (self._failed, self._pusher.trouble if self._pusher else "") if each)

    def reached(self, head: Head) -> None:
        """The ledger is on the disk up to here."""
        self._reached = head

    def begin(self, ledger: Ledger) -> None:
        """Start, where there is anything to do."""
        self._ledger = ledger
        if self._settings.signs:
            self._thread.start()
        if self._pusher:
            self._pusher.begin()

    def show(self, telemetry: Telemetry) -> None:
        """Let metrics tell how the ledger does."""
        ledger = self._ledger
        telemetry.gauge(
            "toolwall.ledger.healthy", "Whether the ledger can be written.", lambda: float(not ledger.trouble)
        )
        if self._settings.signs:
            says = "Whether its checkpoints reach their place."
            telemetry.gauge("toolwall.ledger.checkpoints.healthy", says, lambda: float(not self.trouble))

    def close(self) -> None:
        """Close the ledger, whatever the disk says, and sign how it ended."""
        try:
            self._ledger.close()
        except LedgerError as error:
            _log.error("the ledger could not be closed: %s", error)
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        if self._pusher:
            self._pusher.close()

    def ordered(self, order: str, said: str) -> None:
        """Record what a command told the sidecar to do."""
        try:
            self._ledger.append({"kind": "order", "order": order, "said": said})
        except LedgerError as error:
            _log.error("an order could not be recorded: %s", error)

    def _run(self) -> None:
        from proxy.ledger.checkpoint import Signer  # takes 0.1 s, which those without checkpoints need not wait

        signer, stopping = Signer(self._seed), False
        while not stopping:
            stopping = self._stop.wait(self._settings.every_s)
            try:
                self._sign(signer)
                if not stopping and self._covered and not self._settings.keeps_all and monotonic() >= self._prune_at:
                    self._prune_at = monotonic() + PRUNE_SECONDS
                    self._prune()
                self._failed = ""
            except LedgerError as error:
                self._failed = str(error)
                _log.error("%s", error)

    def _sign(self, signer: Signer) -> None:
        from proxy.ledger import checkpoint

        head = self._reached
        if head.seq <= self._signed.seq:
            return
        line = signer.line(head)
        if self._pusher:
            self._pusher.put(head.seq, line)
        if self._settings.checkpoints:
            checkpoint.append(self._settings.checkpoints, line)
        self._signed = head

    @property
    def _covered(self) -> int:
        """The last record that a checkpoint proves in every place that there is."""
        return min(self._signed.seq, self._pusher.pushed) if self._pusher else self._signed.seq

    def _prune(self) -> None:
        from proxy.ledger.retention import Keep, prune

        keep = Keep(self._settings.keep_s, self._settings.keep_bytes)
        for name in prune(self._ledger, self._folder, keep, self._covered, time_ns()):
            _log.info("%s was removed from the ledger, as `keep` says", name)


def _pusher(settings: LedgerSettings, environ: Mapping[str, str]) -> Pusher:
    from proxy.pushing import pusher_to  # http.client takes its time, which those without it need not wait

    headers = header_values(settings.headers, environ, "the checkpoints'")
    try:
        return pusher_to(settings.url, headers)
    except ValueError as error:
        raise SecretsError(str(error)) from None
