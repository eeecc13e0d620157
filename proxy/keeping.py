"""How the sidecar keeps its ledger while it serves."""

from __future__ import annotations

import logging

from proxy.ledger import Ledger, LedgerError

_log = logging.getLogger("toolwall")


def close(ledger: Ledger) -> None:
    """Close it at the stop, whatever the disk says."""
    try:
        ledger.close()
    except LedgerError as error:
        _log.error("the ledger could not be closed: %s", error)


def ordered(ledger: Ledger, order: str, said: str) -> None:
    """Record what a command told the sidecar to do."""
    try:
        ledger.append({"kind": "order", "order": order, "said": said})
    except LedgerError as error:
        _log.error("an order could not be recorded: %s", error)
