"""The ledger: an append-only, hash-chained file of what happened to each call.

Only what the sidecar needs while it serves is imported here; the reading side (`verify`, `index`, `export`,
`tail`) is imported by the commands that use it.
"""

from proxy.ledger.errors import InUse, LedgerError, NoSuchCall
from proxy.ledger.ledger import Ledger

__all__ = ["InUse", "Ledger", "LedgerError", "NoSuchCall"]
